"""One Asterisk for all tests of this folder. Its log stands beside a failure, measured figures at the end."""

import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import pytest

from app.rehearsal.performance import CALLER_WORDS_PER_MINUTE
from app.wiring import REHEARSAL_VOICE
from audio.providers import load
from audio.tts import TextToSpeech
from tests.asterisk import agent as agents
from tests.asterisk.agent import Agent
from tests.asterisk.debian import installed
from tests.asterisk.host import Asterisk, fresh_environment, running

PARIS = ZoneInfo("Europe/Paris")
A_TUESDAY = datetime(2026, 11, 24, 10, 30, tzinfo=PARIS)
"""People are at work."""

NOBODY = "127.0.0.1:9"
"""The discard port: nothing listens there."""

LOG_LINES_SHOWN = 120

Measure = Callable[[str, str], None]

_FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def one_asterisk() -> Iterator[Asterisk]:
    """The Asterisk of this session; :func:`asterisk` is what a test asks for."""
    # Not pytest's own folder: its path may be too long for a control socket.
    with (
        TemporaryDirectory(prefix="asterisk-") as folder,
        running(installed(), Path(folder) / "a", fresh_environment(NOBODY)) as started,
    ):
        yield started


@pytest.fixture
def asterisk(one_asterisk: Asterisk) -> Iterator[Asterisk]:
    """Asterisk without an agent, on a Tuesday morning; no call of the test may be left in it."""
    told_to(one_asterisk, "AGENTS", NOBODY)
    told_to(one_asterisk, "CLOCK", str(int(A_TUESDAY.timestamp())))
    yield one_asterisk
    give_up_at = time.monotonic() + 5
    while one_asterisk.channels() and time.monotonic() < give_up_at:
        time.sleep(0.05)
    assert not one_asterisk.channels()


def told_to(asterisk: Asterisk, name: str, value: str) -> None:
    """Set a global of the dialplan."""
    asterisk.cli(f"dialplan set global {name} {value}")


@pytest.fixture
async def agent(asterisk: Asterisk, tmp_path: Path) -> AsyncIterator[Agent]:
    """The agent that Asterisk passes calls to."""
    async with agents.in_process(tmp_path) as answering:
        told_to(asterisk, "AGENTS", answering.address)
        yield answering


@pytest.fixture
async def brisk_agent(asterisk: Asterisk, tmp_path: Path) -> AsyncIterator[Agent]:
    """The same, for callers who do not listen to what it says: it speaks as fast as it can."""
    async with agents.in_process(tmp_path, words_per_minute=300) as answering:
        told_to(asterisk, "AGENTS", answering.address)
        yield answering


@pytest.fixture(scope="session")
def voice() -> TextToSpeech:
    """The caller's voice: that of the rehearsal, which the keyless ear knows."""
    speaker: TextToSpeech = load("espeak")(REHEARSAL_VOICE, CALLER_WORDS_PER_MINUTE)
    return speaker


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Measure:
    """Write a figure down for the end of the run."""
    figures = request.config.stash.setdefault(_FIGURES, [])
    return lambda name, value: figures.append(f"{name}: {value}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put Asterisk's log beside a failure."""
    report = yield
    started = getattr(item, "funcargs", {}).get("one_asterisk")
    if report.failed and isinstance(started, Asterisk):
        lines = started.log().splitlines()[-LOG_LINES_SHOWN:]
        report.sections.append(("Asterisk's log", "\n".join(lines)))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was measured."""
    if figures := config.stash.get(_FIGURES, []):
        terminalreporter.section("measured on the line")
        for figure in figures:
            terminalreporter.write_line(figure)
