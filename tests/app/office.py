"""An agent in memory for the tests of the pages: the real graph on twins, no file, no sound."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from langgraph.checkpoint.memory import InMemorySaver

from app import settings as configuration
from app.watching.calls import CallBook
from app.watching.monitor import Monitor
from app.wiring import Agent
from audio.endpointing import Expecting, Utterance
from audio.stt import Transcript
from audio.tts import Pace
from graph.builder import Services, build_graph
from graph.dialogue import Dialogue
from knowledge.retriever import ListRetriever, Retriever
from telephony.agi_server import AgiServer
from telephony.ami import Ami
from telephony.journal import Journal, Journals, MemoryJournal
from telephony.media_server import MediaServer
from telephony.metronome import Metronome
from telephony.switchboard import Switchboard
from tests.graph.conversation import HOURS, services
from tests.telephony.recording_line import ObedientReception

REFUSAL = "ne pas enregistrer"
MADAME_MOREAU = ("10078821", "01041962")
"""A customer of the demonstration back office: number and birth date, as keyed."""


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class DeafEar:
    """Nobody speaks to it."""

    name = "none"

    async def transcribe(self, utterance: Utterance, expecting: Expecting) -> Transcript:
        return Transcript("", 0.0)


class MuteVoice:
    """Says nothing."""

    name = "none"

    async def speak(self, text: str, pace: Pace = Pace.NORMAL) -> AsyncGenerator[bytes, None]:
        yield b""


@dataclass
class Office:
    """What a test needs of an agent."""

    agent: Agent
    journal: MemoryJournal = field(default_factory=MemoryJournal)


def dialogue_of(given: Services | None = None) -> Dialogue:
    return Dialogue(build_graph(given or services()), InMemorySaver())


@asynccontextmanager
async def opened(
    dialogue: Dialogue | None = None,
    journals: Sequence[Journal] = (),
    knowledge: Retriever | None = None,
    ami: Ami | None = None,
) -> AsyncIterator[Office]:
    """An agent that listens on free ports."""
    settings = configuration.read(Path("no-such.env"))
    calls, journal = CallBook(), MemoryJournal()
    switchboard, metronome = Switchboard(), Metronome()
    media = MediaServer("127.0.0.1", 0, switchboard, metronome)
    await media.start()
    agi = AgiServer("127.0.0.1", 0, switchboard, ObedientReception(), ("127.0.0.1", media.port))
    await agi.start()
    monitor = Monitor(ami, calls, f"127.0.0.1:{media.port}", frozenset({"trunk"}))
    await monitor.start()
    agent = Agent(
        settings=settings,
        dialogue=dialogue or dialogue_of(),
        knowledge=knowledge or ListRetriever([HOURS]),
        ears=DeafEar(),
        voice=MuteVoice(),
        calls=calls,
        journal=Journals((calls, journal, *journals)),
        switchboard=switchboard,
        metronome=metronome,
        agi=agi,
        media=media,
        monitor=monitor,
        parts={"ear": "none", "voice": "none"},
    )
    try:
        yield Office(agent, journal)
    finally:
        await monitor.close()
        await agi.close()
        await media.close()
