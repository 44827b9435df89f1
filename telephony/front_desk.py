"""Takes the calls: gives each its line, its ear and its session."""

from dataclasses import dataclass, field
from typing import Any

from audio.ear import Ear
from audio.endpointing import TurnTiming
from audio.playback import Playback
from audio.stt import SpeechToText
from audio.tts import TextToSpeech
from audio.vad import VoiceDetector
from graph.dialogue import Dialogue
from graph.heard import Heard
from graph.safekeeping import StateAway
from telephony.call import Call, CallId, Outcome, Transferred
from telephony.journal import CallEnded, CallPassedOn, Journal
from telephony.line import Line
from telephony.session import KEYS_PATIENCE_S, Session
from telephony.standby import StandbyLines
from telephony.turn import Budgets
from telephony.whisper import Whisper


@dataclass(frozen=True, slots=True)
class FrontDesk:
    """The reception of ``telephony.agi_server``: one for all calls of the process."""

    dialogue: Dialogue
    ears: SpeechToText
    voice: TextToSpeech
    detector: VoiceDetector[Any]
    timing: TurnTiming
    journal: Journal
    keys_patience_s: float = KEYS_PATIENCE_S
    """See :mod:`telephony.session`."""
    budgets: Budgets = field(default_factory=Budgets)
    """How long callers are kept waiting."""
    standby: StandbyLines = field(default_factory=StandbyLines)
    """What they hear then."""

    def open(self, call: Call) -> Line:
        """A line for ``call``."""
        return Line(Ear(self.detector, self.timing), Playback())

    async def run(self, call: Call, line: Line, first: Heard) -> Outcome:
        """Talk with the caller until he has left, hears goodbye or is passed on; ``first`` opens the talk."""
        session = Session(
            call,
            line,
            self.dialogue,
            self.ears,
            self.voice,
            self.journal,
            keys_patience_s=self.keys_patience_s,
            budgets=self.budgets,
            standby=self.standby,
        )
        outcome = await session.run(first)
        if isinstance(outcome, Transferred):
            self.journal.note(call.id, CallPassedOn(outcome))
        return outcome

    async def hand_over(self, call: CallId, desk: str) -> Transferred:
        """What people at ``desk`` are to know of a caller whom an operator sends them."""
        try:
            told = await self.dialogue.handover(call, "operator")
        except StateAway:  # he is sent all the same, and tells it himself
            return Transferred(desk, "operator", "")
        return Transferred(desk, told.reason, told.summary, told.customer_number)

    async def whisper(self, line: Line, summary: str, customer_number: str) -> bool:
        """Tell an adviser about the caller; whether he takes the call."""
        return await Whisper(line, self.voice).run(summary, customer_number)

    async def close(self, call: Call, outcome: Outcome) -> None:
        """The call is over: note it, free it, and forget what was not to be kept."""
        self.journal.note(call.id, CallEnded(outcome))
        try:
            state = await self.dialogue.state(call.id)
        except StateAway:  # it was known nowhere, so this worker has written nothing of it
            state = {}
        self.dialogue.release(call.id)
        if state.get("recording") == "refused":
            await self.dialogue.forget(call.id)
