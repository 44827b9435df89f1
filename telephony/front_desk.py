"""Takes the calls: gives each its line, its ear and its session; or sends it to people, over a limit."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from audio.ear import Ear
from audio.endpointing import TurnTiming
from audio.playback import Playback
from audio.stt import SpeechToText
from audio.tts import TextToSpeech
from audio.vad import VoiceDetector
from graph.dialogue import Dialogue
from graph.heard import Heard, NotReached
from graph.safekeeping import StateAway
from graph.state import CallState
from memory.dropped_calls import DroppedCalls, MemoryDroppedCalls
from memory.limits import Limits, Over
from nodes.greet import left_off
from telephony.announcement import announce
from telephony.call import Call, CallerLeft, CallId, HungUp, NoAudio, Outcome, Transferred
from telephony.current_call import on_behalf_of
from telephony.journal import (
    CallCameBack,
    CallEnded,
    CallPassedOn,
    CallStarted,
    Journal,
    LimitReached,
    TurnSaid,
)
from telephony.line import Line
from telephony.recording import RecordedLine, Recordings
from telephony.session import KEYS_PATIENCE_S, Session
from telephony.standby import StandbyLines
from telephony.turn import Budgets
from telephony.turned_away import Parting, WayOut
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
    limits: Limits | None = None
    """Which calls are taken; None: all."""
    way_out: WayOut = field(default_factory=WayOut)
    """Where the others go."""
    may_go_on: Callable[[CallId], bool] = lambda _: True
    """Asked at each turn: whether the call may cost more than it has."""
    dropped: DroppedCalls = field(default_factory=MemoryDroppedCalls)
    """What is kept for callers who are cut off; the dialogue's own."""
    recordings: Recordings | None = None
    """Where the sound of talks goes; None: nowhere. A member of ``journal`` as well."""
    _turned_away: dict[CallId, Heard] = field(default_factory=dict, init=False, repr=False)
    """Of the calls here, those that are not the agent's, and what would have opened their talk."""

    def open(self, call: Call) -> Line:
        """A line for ``call``."""
        kind = Line if self.recordings is None else RecordedLine
        return kind(Ear(self.detector, self.timing), Playback())

    async def run(self, call: Call, line: Line, first: Heard) -> Outcome:
        """Talk with the caller until he has left, hears goodbye or is passed on; ``first`` opens the talk.

        Over a limit there is no talk: he is told, and sent to people. Whom they did not take then is let in
        if there is room meanwhile.
        """
        again = call.id in self._turned_away
        if self.limits is not None and (again or not isinstance(first, NotReached)):
            over = await self.limits.admit(call.id, call.caller)
            if over is not None:
                self._turned_away.setdefault(call.id, first)
                return await self._turn_away(call, line, first, self.way_out.parting(over, again=again))
        with on_behalf_of(call.id):
            outcome = await self._talk(call, line, self._turned_away.pop(call.id, first))
        if isinstance(outcome, Transferred):
            self.journal.note(call.id, CallPassedOn(outcome))
        return outcome

    async def _talk(self, call: Call, line: Line, first: Heard) -> Outcome:
        async def parting() -> Parting | None:
            return await self._parting(call.id)

        if self.recordings is not None and isinstance(line, RecordedLine):
            line.tape = self.recordings.tape(call)
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
            # Whom nobody took has been told before; what he arranges now is short.
            parting=None if isinstance(first, NotReached) else parting,
        )
        return await session.run(first)

    async def _parting(self, call: CallId) -> Parting | None:
        """The end of a talk that has cost enough, with what people need to know; None: it goes on."""
        if self.may_go_on(call):
            return None
        parting = self.way_out.parting(Over.COST_OF_CALL)
        if not isinstance(parting.outcome, Transferred):
            return parting
        told = await self.dialogue.handover(call, "too_long")
        passed_on = Transferred(told.queue, told.reason, told.summary, told.customer_number)
        return Parting(parting.over, parting.lines, passed_on)

    async def _turn_away(self, call: Call, line: Line, first: Heard, parting: Parting) -> Outcome:
        if not await line.joined():
            return NoAudio()
        match first:
            case NotReached(why):
                self.journal.note(call.id, CallCameBack(why, call))
            case _:
                self.journal.note(call.id, CallStarted(call))
        self.journal.note(call.id, LimitReached(parting.over))
        for said in parting.lines:
            self.journal.note(call.id, TurnSaid(said.key, said.text))
        texts = [said.text for said in parting.lines]
        outcome = parting.outcome
        try:
            if not await announce(line, texts, self.voice, self.standby, self.budgets.voice_ms):
                outcome = CallerLeft()
        finally:
            line.hang_up()
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
        self._turned_away.pop(call.id, None)
        if self.limits is not None:
            await self.limits.leave(call.id)
        state: CallState
        try:
            state = await self.dialogue.state(call.id)
        except StateAway:  # it was known nowhere, so this worker has written nothing of it
            state = {}
        self.dialogue.release(call.id)
        if isinstance(outcome, CallerLeft):
            dropped = left_off(state)
            if dropped is not None:
                await self.dropped.keep(call.caller, dropped)
        elif isinstance(outcome, HungUp | Transferred):
            await self.dropped.take(call.caller)  # whatever it was, it is settled
        if state.get("recording") == "refused":
            await self.dialogue.forget(call.id)
