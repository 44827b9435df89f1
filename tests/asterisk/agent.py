"""The agent under test: the real one, in this process (its transcripts at hand) or in one of its own."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from pydantic import SecretStr

from app import settings as configuration
from app.serving.service import Running, running
from app.settings import Settings
from app.watching.transcript import Transcript
from app.wiring import this_moment
from telephony.call import CallId
from telephony.journal import CallEvent
from tests.asterisk.host import DIES_WITH_US, Asterisk
from tests.asterisk.phone import Call

ROOT = Path(__file__).resolve().parents[2]

READY = "The agent answers the phone."
"""What ``python -m app serve`` says when it does."""

READY_WITHIN_S = 60.0
GONE_WITHIN_S = 15.0


@dataclass
class Transcripts:
    """A journal that keeps a transcript of every call; see :class:`telephony.journal.Journal`."""

    calls: dict[CallId, Transcript] = field(default_factory=dict)
    phone: Call | None = None
    """Whose clock the next transcripts tell the time by."""

    def note(self, call_id: CallId, event: CallEvent) -> None:
        if call_id not in self.calls:
            self.calls[call_id] = Transcript(call_id, self._clock_ms)
        self.calls[call_id].note(call_id, event)

    @property
    def only(self) -> Transcript:
        """That of the one call there was."""
        (transcript,) = self.calls.values()
        return transcript

    def _clock_ms(self) -> float:
        return self.phone.clock_ms if self.phone is not None else 0.0


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent that answers in this process."""

    service: Running
    transcripts: Transcripts

    @property
    def address(self) -> str:
        """Where the dialplan finds it."""
        return f"127.0.0.1:{self.service.agent.agi.port}"


def manager_of(asterisk: Asterisk) -> dict[str, object]:
    """The settings with which an agent asks ``asterisk``."""
    return {
        "host": asterisk.ami_address[0],
        "port": asterisk.ami_address[1],
        "secret": SecretStr(asterisk.environment["AMI_SECRET"]),
    }


@asynccontextmanager
async def in_process(
    folder: Path,
    now: datetime | None = None,
    handover: Mapping[str, str | int] = MappingProxyType({}),
    words_per_minute: int | None = None,
    manager: Mapping[str, object] = MappingProxyType({}),
    line: Mapping[str, object] = MappingProxyType({}),
) -> AsyncIterator[Agent]:
    """The agent as shipped, on free ports; it writes into ``folder`` only.

    ``now`` is the moment of all its calls, else the clock's; ``handover`` changes how callers are passed on,
    ``words_per_minute`` how fast the agent speaks where nobody has to understand it; ``manager`` holds
    settings of AMI, without which there is none, ``line`` others of Asterisk.
    """
    transcripts = Transcripts()
    settings = _settings(folder)
    settings = replace(
        settings,
        handover=settings.handover.model_copy(update=dict(handover)),
        asterisk_manager=settings.asterisk_manager.model_copy(update=dict(manager)),
        asterisk=settings.asterisk.model_copy(update=dict(line)),
    )
    if words_per_minute is not None:
        pace = {"words_per_minute": words_per_minute}
        settings = replace(settings, speech=settings.speech.model_copy(update=pace))
    clock = this_moment if now is None else lambda: now
    async with running(settings, (transcripts,), now=clock) as service:
        yield Agent(service, transcripts)


class OwnProcess:
    """``python -m app serve``: for what only a process of its own can show, as that it dies."""

    def __init__(
        self,
        folder: Path,
        agi_port: int,
        settings: Mapping[str, str] = MappingProxyType({}),
        name: str = "agent",
    ) -> None:
        """``folder`` takes its files and its log; ``agi_port`` is known before it runs, as in service.

        Agents of several names in one folder are workers of one line: they share what they know of calls.
        """
        self.address = f"127.0.0.1:{agi_port}"
        self._folder = folder
        self._name = name
        self._environment = {
            **_inherited(),
            "APP_PORT": "0",
            "APP_DATA_FOLDER": str(folder / "var"),
            "ASTERISK_AGI_PORT": str(agi_port),
            "ASTERISK_AUDIO_PORT": "0",
            "PYTHONUNBUFFERED": "1",
            "LIMITS_CALLS_OF_CALLER_AN_HOUR": "0",
            **settings,
        }
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it and wait until it answers. Raises RuntimeError with its last words, TimeoutError."""
        self._process = process = await asyncio.create_subprocess_exec(
            *(
                *DIES_WITH_US,
                sys.executable,
                "-m",
                "app",
                "--env-file",
                str(self._folder / "no-such.env"),
                "serve",
            ),
            cwd=ROOT,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        assert process.stdout is not None
        said: list[str] = []
        async with asyncio.timeout(READY_WITHIN_S):
            while not (said and READY in said[-1]):
                line = await process.stdout.readline()
                if not line:
                    raise RuntimeError("the agent did not start:\n" + "".join(said[-30:]))
                said.append(line.decode(errors="replace"))
        self._reading = asyncio.create_task(self._keep_log(process.stdout), name="log of an agent")

    async def _keep_log(self, said: asyncio.StreamReader) -> None:
        with self._log_file.open("ab", buffering=0) as log:
            while line := await said.readline():
                log.write(line)

    @property
    def _log_file(self) -> Path:
        return self._folder / f"{self._name}.log"

    def log(self) -> str:
        """What it has logged since it first answered."""
        return self._log_file.read_text(encoding="utf-8") if self._log_file.exists() else ""

    def said(self) -> list[str]:
        """The keys of the lines it has said so far, to whomever."""
        return re.findall(r" turn\.said call_id=\S+ key=(\S+)", self.log())

    def kill(self) -> None:
        """``kill -9``: no farewell to anybody."""
        assert self._process is not None
        self._process.kill()

    async def stop(self) -> int:
        """SIGTERM, as an init system does; its exit status. A process that is gone stays gone."""
        assert self._process is not None
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(GONE_WITHIN_S):
                status = await self._process.wait()
        except TimeoutError:
            self._process.kill()
            status = await self._process.wait()
        if self._reading is not None:
            await self._reading
        return status


@asynccontextmanager
async def in_own_process(
    folder: Path, agi_port: int, settings: Mapping[str, str] = MappingProxyType({}), name: str = "agent"
) -> AsyncIterator[OwnProcess]:
    """An agent that answers, in a process of its own; see :class:`OwnProcess`."""
    agent = OwnProcess(folder, agi_port, settings, name)
    try:
        await agent.start()
        yield agent
    finally:
        await agent.stop()


@asynccontextmanager
async def in_own_processes(*workers: OwnProcess) -> AsyncIterator[None]:
    """Several, started at the same time."""
    try:
        await asyncio.gather(*(worker.start() for worker in workers))
        yield
    finally:
        await asyncio.gather(*(worker.stop() for worker in workers))


def _inherited() -> dict[str, str]:
    """This process's environment without what could configure an agent."""
    concerns: Sequence[str] = tuple({name.split("_", 1)[0] for name, _, _ in configuration.documented()})
    return {name: value for name, value in os.environ.items() if not name.startswith(tuple(concerns))}


def _settings(folder: Path) -> Settings:
    read = configuration.read(folder / "no-such.env")
    return replace(
        read,
        application=read.application.model_copy(
            update={"host": "127.0.0.1", "port": 0, "data_folder": folder / "var"}
        ),
        asterisk=read.asterisk.model_copy(
            update={
                "agi_host": "127.0.0.1",
                "agi_port": 0,
                "audio_host": "127.0.0.1",
                "audio_port": 0,
                "audio_address": "",
            }
        ),
        asterisk_manager=read.asterisk_manager.model_copy(update={"secret": SecretStr("")}),
        groq=read.groq.model_copy(update={"api_key": SecretStr("")}),
        whisper=read.whisper.model_copy(update={"model": ""}),
        speech=read.speech.model_copy(update={"lines_file": None}),
        insurance=read.insurance.model_copy(update={"api_base_url": "", "demo_customers_file": None}),
        knowledge=read.knowledge.model_copy(update={"host": ""}),
        checkpoints=read.checkpoints.model_copy(update={"path": ""}),
        limits=read.limits.model_copy(update={"calls_of_caller_an_hour": 0}),  # one telephone rings them all
    )
