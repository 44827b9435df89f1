"""What the terminal says when the agent is up, how it goes down, and what becomes of its calls."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from app.serving.command import drain
from telephony.simulated.asterisk import SimulatedAsterisk
from tests.app.office import opened
from tests.telephony.waiting import until

ROOT = Path(__file__).parents[3]


@dataclass
class Agent:
    """``python -m app serve``, up."""

    process: "subprocess.Popen[str]"
    shown: str

    @property
    def key(self) -> str:
        [key] = re.findall(r"key \(this run\): (\S+)", self.shown)
        return str(key)

    @property
    def url(self) -> str:
        [url] = re.findall(r"(http://\S+)/health", self.shown)
        return str(url)

    @property
    def agi_address(self) -> tuple[str, int]:
        [port] = re.findall(r"AGI\(agi://127\.0\.0\.1:(\d+)/agent\)", self.shown)
        return ("127.0.0.1", int(port))

    def get(self, page: str, *, key: bool = True) -> httpx.Response:
        headers = {"X-API-Key": self.key} if key else {}
        return httpx.get(f"{self.url}{page}", headers=headers, trust_env=False)

    def nodes(self, call_id: str) -> list[str]:
        """The nodes of the call's last turn in this process."""
        return list(self.get(f"/api/call/{call_id}/status").json()["nodes"])


@contextmanager
def serving(folder: Path) -> Iterator[Agent]:
    """An agent on free ports; the worst that can happen to it is that it is killed after a minute."""
    free = {"APP_PORT": "0", "ASTERISK_AGI_PORT": "0", "ASTERISK_AUDIO_PORT": "0"}
    environment = {
        **os.environ,
        **free,
        "APP_DATA_FOLDER": str(folder),
        "GROQ_API_KEY": "",
        "SPEECH_WORDS_PER_MINUTE": "300",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "app", "serve"],
        cwd=ROOT,
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    bound = threading.Timer(60, process.kill)
    bound.start()
    try:
        assert process.stdout is not None
        shown = ""
        while "/health" not in shown:
            line = process.stdout.readline()
            assert line, f"it ended early, after:\n{shown}"
            shown += line
        yield Agent(process, shown)
    finally:
        bound.cancel()
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_the_agent_says_where_it_is_answers_there_and_stops_when_told(tmp_path: Path) -> None:
    with serving(tmp_path) as agent:
        assert re.search(r"AGI\(agi://127\.0\.0\.1:\d+/agent\)", agent.shown)
        assert "no speech recognition" in agent.shown, "the keyless ear does not pretend"
        assert agent.get("/ready").status_code == 200
        assert agent.get("/ready", key=False).status_code == 401
        agent.process.send_signal(signal.SIGTERM)
        assert agent.process.wait(20) == 0


async def test_told_to_stop_it_finishes_its_calls_and_sends_new_ones_elsewhere(tmp_path: Path) -> None:
    with serving(tmp_path) as agent:
        asterisk = SimulatedAsterisk(agent.agi_address)
        async with asterisk.call() as call:
            await call.hear_speech()
            agent.process.send_signal(signal.SIGTERM)
            await until(lambda: agent.get("/ready").status_code == 503)
            assert agent.get("/ready").json()["reasons"][0].startswith("draining")
            async with asterisk.call() as late:
                sent_elsewhere = await late.ended
            assert sent_elsewhere.variables == {"VOICEBOT_OUTCOME": "draining"}
            assert "ANSWER" not in sent_elsewhere.commands
            at_ms = call.phone.clock_ms
            await call.hear_speech(after_ms=at_ms)  # the first caller is still talked with
            assert agent.process.poll() is None
        assert await asyncio.to_thread(agent.process.wait, 20) == 0


async def test_told_twice_it_stops_at_once_and_leaves_its_calls_to_the_next_worker(tmp_path: Path) -> None:
    with serving(tmp_path) as agent:
        async with SimulatedAsterisk(agent.agi_address).call() as call:
            await call.hear_speech()
            agent.process.send_signal(signal.SIGTERM)
            await until(lambda: agent.get("/ready").status_code == 503)
            agent.process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(agent.process.wait, 20) == 0
            ending = await call.ended
    assert ending.variables["VOICEBOT_OUTCOME"] == "", "the dialplan knows that it broke off"


async def test_a_caller_whose_worker_is_killed_goes_on_with_another_where_he_was(tmp_path: Path) -> None:
    """kill -9, in the middle of a sentence; the two workers share nothing but the data folder."""
    with serving(tmp_path) as first, serving(tmp_path) as second:
        asterisk = SimulatedAsterisk(first.agi_address)
        async with asterisk.call(reentries=1) as call:
            await call.hear_speech()
            await call.press("5")  # nobody asked for it: answered when the notice was heard
            await until(lambda: first.nodes(str(call.call_id)) == ["classify", "repair"])
            await call.hear_speech(after_ms=call.phone.clock_ms)
            asterisk.agi_address = second.agi_address
            first.process.kill()
            await call.comes_back()
            await call.hear_speech()
            call_id = str(call.call_id)
            assert second.nodes(call_id) == ["repair"], "neither greeted again nor left alone"
        assert (await call.ended).entered == 2


async def test_an_idle_agent_is_drained_at_once() -> None:
    async with opened() as office:
        assert await drain(office.agent.agi, asyncio.Queue(), within_s=60)


async def test_draining_ends_when_its_time_is_over_or_with_the_next_signal() -> None:
    async with opened() as office, SimulatedAsterisk(("127.0.0.1", office.agent.agi.port)).call() as call:
        await call.connected()
        assert not await drain(office.agent.agi, asyncio.Queue(), within_s=0)
        told_again: asyncio.Queue[int] = asyncio.Queue()
        told_again.put_nowait(signal.SIGTERM)
        assert not await drain(office.agent.agi, told_again, within_s=60)
        assert not [task for task in asyncio.all_tasks() if task.get_name() in {"drained", "second signal"}]
