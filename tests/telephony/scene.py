"""A call under way in a test: a line without wires, scripted ears and voice, and the real dialogue."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver

from audio.endpointing import TurnTiming
from audio.pcm import FRAME_MS, SILENCE_FRAME
from audio.scripted import ScriptedStt, ScriptedTts
from audio.stt import Transcript
from audio.tts import Pace
from audio.vad import EnergyDetector
from graph.builder import Services, build_graph
from graph.dialogue import Dialogue
from graph.heard import CallBegins, Heard, Keys, Quiet, Words
from telephony.call import Call, CallerLeft, CallId, Outcome
from telephony.front_desk import FrontDesk
from telephony.journal import MemoryJournal, TurnHeard
from telephony.line import Line
from telephony.standby import StandbyLines
from telephony.turn import Budgets
from tests.graph.conversation import services
from tests.telephony.phone import Phone

CALL = Call(CallId("b6b1c0de-0000-4000-8000-000000000001"))
BEGINS = CallBegins("0612345678")
KEYS_PATIENCE_S = 0.05
NUMBER = "dix zéro sept quatre-vingt-huit vingt et un"
BORN = "le premier avril mille neuf cent soixante-deux"


@dataclass
class Scene:
    """A call under way."""

    phone: Phone
    journal: MemoryJournal
    ears: ScriptedStt
    voice: ScriptedTts
    dialogue: Dialogue
    running: "asyncio.Task[Outcome]"
    desk: FrontDesk

    async def says(self, for_ms: int = 600) -> None:
        """Speak, then be quiet until the turn is taken: until the answer is heard, or long enough."""
        await self.phone.speaks(for_ms)
        before = len(self.phone.heard)
        for _ in range(1600 // FRAME_MS):
            await self.phone.waits(FRAME_MS)
            if any(frame != SILENCE_FRAME for frame in self.phone.heard[before:]):
                break

    async def outcome(self) -> Outcome:
        await self.phone.waits_until(self.running.done)
        return await self.running

    def heard(self) -> list[Words | Keys | Quiet]:
        return [
            event.heard
            for event in self.journal.events
            if isinstance(event, TurnHeard) and isinstance(event.heard, Words | Keys | Quiet)
        ]


async def whole_call(desk: FrontDesk, line: Line, first: Heard, who: Call = CALL) -> Outcome:
    """As the AGI server has it run."""
    outcome: Outcome = CallerLeft()
    try:
        outcome = await desk.run(who, line, first)
    finally:
        await desk.close(who, outcome)
    return outcome


@asynccontextmanager
async def call(
    transcripts: Sequence[str | Transcript | Exception] = (),
    voice: ScriptedTts | None = None,
    given: Services | None = None,
    *,
    connected: bool = True,
    first: Heard = BEGINS,
    ears: ScriptedStt | None = None,
    budgets: Budgets | None = None,
    standby: StandbyLines | None = None,
    dialogues: type[Dialogue] = Dialogue,
    phones: type[Phone] = Phone,
    keys_patience_s: float = KEYS_PATIENCE_S,
    saver: BaseCheckpointSaver[Any] | None = None,
    who: Call = CALL,
    at: Callable[[FrontDesk], FrontDesk] = lambda desk: desk,
    line: type[Line] = Line,
) -> AsyncIterator[Scene]:
    """A call whose caller's turns will be understood as ``transcripts``, one after the other.

    ``at`` changes the desk that takes it, ``line`` is what it is taken on.
    """
    phone, journal = phones(kind=line), MemoryJournal()
    ears = ears or ScriptedStt(transcripts)
    voice = voice or ScriptedTts(ms_per_character=20)
    dialogue = dialogues(build_graph(given or services()), saver or InMemorySaver())
    desk = FrontDesk(
        dialogue,
        ears,
        voice,
        EnergyDetector(),
        TurnTiming(),
        journal,
        keys_patience_s=keys_patience_s,
        budgets=budgets or Budgets(),
        standby=standby or StandbyLines(),
    )
    if connected:
        phone.connect()
    desk = at(desk)
    running = asyncio.create_task(whole_call(desk, phone.line, first, who))
    try:
        yield Scene(phone, journal, ears, voice, dialogue, running, desk)
    finally:
        phone.line.closed("the test is over")
        await asyncio.wait_for(running, 5)


class SlowVoice(ScriptedTts):
    """A voice that can be made to wait."""

    def __init__(self, ms_per_character: int) -> None:
        super().__init__(ms_per_character)
        self._may_speak = asyncio.Event()
        self.release()

    def hold(self) -> None:
        self._may_speak.clear()

    def release(self) -> None:
        self._may_speak.set()

    async def speak(self, text: str, pace: Pace = Pace.NORMAL) -> AsyncGenerator[bytes, None]:
        async for chunk in super().speak(text, pace):
            await self._may_speak.wait()
            yield chunk
