"""``python -m app serve --workers N`` on free ports, for the tests: started, asked, its workers killed."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx

ROOT = Path(__file__).parents[2]
KEY = "the-key-of-all-workers"
LONGEST_S = 280
"""Less than the tests' own limit: on a busy machine two workers take half a minute to start."""


@dataclass(frozen=True, slots=True)
class Workers:
    """A supervisor with its workers, all taking calls."""

    process: "subprocess.Popen[str]"
    shown: str
    log: Path
    """What all of them wrote to standard error."""

    @property
    def url(self) -> str:
        """Of the pages of all together."""
        [url] = re.findall(r"(http://\S+)/health", self.shown)
        return str(url)

    @property
    def agi_address(self) -> tuple[str, int]:
        [port] = re.findall(r"AGI\(agi://127\.0\.0\.1:(\d+)/agent\)", self.shown)
        return ("127.0.0.1", int(port))

    def pids(self) -> list[int]:
        """The workers' processes, as they are now."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text(encoding="ascii").split()]

    def kill_one(self) -> int:
        """kill -9; which one is left to chance."""
        pid = self.pids()[0]
        os.kill(pid, signal.SIGKILL)
        return pid

    async def urls(self, http: httpx.AsyncClient) -> list[str]:
        """Where the pages of the workers are that can take calls now."""
        answer = (await http.get(f"{self.url}/ready")).json()
        return [worker["url"] for worker in answer["workers"] if worker["ready"]]


@contextmanager
def serving(
    count: int, redis_url: str, folder: Path, also: Mapping[str, str] | None = None
) -> Iterator[Workers]:
    """``count`` workers on ``redis_url``; killed with everything after :data:`LONGEST_S`."""
    log = folder / "workers.log"
    with log.open("wb") as errors:
        process = _started(count, redis_url, folder, also or {}, errors)
    bound = threading.Timer(LONGEST_S, process.kill)  # its workers drain when it is gone
    bound.start()
    try:
        assert process.stdout is not None
        shown = ""
        while "/health" not in shown:
            line = process.stdout.readline()
            assert line, f"it ended early, after:\n{shown}\n{log.read_text(encoding='utf-8')[-2000:]}"
            shown += line
        yield Workers(process, shown, log)
    finally:
        bound.cancel()
        for _ in range(2):  # told twice, workers stop at once
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(3)
                break
            except subprocess.TimeoutExpired:
                continue
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _started(
    count: int, redis_url: str, folder: Path, also: Mapping[str, str], errors: IO[bytes]
) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "app", "serve", "--workers", str(count)],
        cwd=ROOT,
        env={
            **os.environ,
            **dict.fromkeys(("APP_PORT", "ASTERISK_AGI_PORT", "ASTERISK_AUDIO_PORT"), "0"),
            "APP_API_KEY": KEY,
            "APP_DATA_FOLDER": str(folder),
            "GROQ_API_KEY": "",
            "REDIS_URL": redis_url,
            "SPEECH_WORDS_PER_MINUTE": "300",
            "LIMITS_CALLS_OF_CALLER_AN_HOUR": "0",
            # A busy machine must not look like a provider that is down.
            "TURN_TRANSCRIPTION_BUDGET_MS": "20000",
            "TURN_DIALOGUE_BUDGET_MS": "20000",
            "TURN_VOICE_BUDGET_MS": "20000",
            "PYTHONUNBUFFERED": "1",
            **also,
        },
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    )
