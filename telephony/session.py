"""One talk with a caller, turn by turn: listen, understand, answer; stop when the caller speaks.

Theory of operation
===================

One loop reads what happens, on the line and in the turns, and moves two pieces:

- the turn that has the *floor*: the agent's answer, being prepared or spoken (:mod:`telephony.turn`);
- the *candidate*: what may be the caller's next turn, its answer in preparation.

=====================  =====================================================================================
the caller             the session
=====================  =====================================================================================
begins to speak        pauses the voice at once, whatever it may turn out to be
pauses                 has him transcribed: a candidate. Its words decide how long to wait for more: not at
                       all (eight digits of eight), longer ("mon numéro c'est le…"), or as usual. Meanwhile
                       the answer is prepared, and nothing of it has an effect
goes on                throws the candidate away; there will be another at his next pause
has ended his turn     confirms the candidate: its sound may be there already
was only noise, or     lets the voice go on where it stopped
said "d'accord"
speaks, keys over the  does as above, but the notice is heard to its end before the answer
legal notice
speaks before the      adds it to what he said before: he had not finished
answer has begun
presses a key          gives the floor to what he keys
is silent              lets the dialogue ask
asks for a moment      gives it to him, and does not ask whether he is still there
waits for the answer   tells him that he is being served, with lines that need no provider, as often as
                       nothing is heard for so long
hangs up               cancels everything
=====================  =====================================================================================

The only files that see sound and words are this one and the turn's. Failures of an ear, a voice or the
dialogue end there: the caller is told, and handed to people.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import date

from audio.endpointing import (
    Expecting,
    Paused,
    Silence,
    SpeechDropped,
    SpeechResumed,
    SpeechStarted,
    TurnEnded,
    Utterance,
)
from audio.pcm import BYTES_PER_MS, duration_ms
from audio.stt import SpeechToText
from audio.tts import Pace, TextToSpeech
from graph.dialogue import Dialogue
from graph.heard import CallBegins, Heard, Keys, NotReached, Quiet, Resumed, Words
from graph.reply import Listen, Manner
from telephony.call import Call, CallerLeft, NoAudio, Outcome
from telephony.completeness import Overheard, Verdict, judge, over_the_agent
from telephony.journal import (
    CallCameBack,
    CallerIdentified,
    CallEvent,
    CallStarted,
    Journal,
    RecordingRefused,
    SpeculationDropped,
    TalkedThrough,
    TurnInterrupted,
    TurnSaid,
    TurnTimed,
)
from telephony.line import Digit, Line, LineClosed, LineEvent
from telephony.standby import StandbyLines, waiting_line
from telephony.turn import SENTENCE_PAUSE_MS, Budgets, Parts, Turn
from telephony.turned_away import Parting

KEYS_PATIENCE_S = 2.5
"""Pause after a key that ends a keyed number without ``#``: people look down at the keypad and up again. With
:data:`LEAST_WAIT_MS`, less than the 3 s in which something has to be heard."""

LONGEST_TURN_MS = 30_000
"""Pieces of speech are joined up to this length; Whisper hears 30 s at a time."""

UNFINISHED_PATIENCE_MS = 2500
"""For who stopped in the middle of a sentence (trade figures: 2 s while a number is being looked for)."""

SLOW_PATIENCE_MS = 1500
"""For who asked to be spoken to slowly: he speaks slowly, too (trade figures: up to 2.5 s)."""

MOMENT_MS = 60_000
"""For who asked for a moment: no question whether he is there for so long (our judgement)."""

LEAST_WAIT_MS = 300
"""Of the wait, this much comes after the decision that his turn is over: an answer may be about to begin.
Behind the longest patience, less than the 3 s in which something has to be heard."""

GOES_ON_WITHIN_MS = 1000
"""Who speaks again so soon after "oui…", over the agent's voice, goes on with what he was saying."""


@dataclass(frozen=True, slots=True)
class _Understood:
    turn: Turn


@dataclass(frozen=True, slots=True)
class _Held:
    turn: Turn


@dataclass(frozen=True, slots=True)
class _Over:
    turn: Turn


@dataclass(frozen=True, slots=True)
class _KeysPause:
    keyed: str


@dataclass(frozen=True, slots=True)
class _WaitedLong:
    turn: Turn


_Happening = LineEvent | _Understood | _Held | _Over | _KeysPause | _WaitedLong


class Session:
    """Talks with one caller on one line. A call that comes back from people has another session."""

    def __init__(
        self,
        call: Call,
        line: Line,
        dialogue: Dialogue,
        ears: SpeechToText,
        voice: TextToSpeech,
        journal: Journal,
        *,
        clock: Callable[[], float] = time.perf_counter,
        keys_patience_s: float = KEYS_PATIENCE_S,
        budgets: Budgets | None = None,
        standby: StandbyLines | None = None,
        today: Callable[[], date] = date.today,
        parting: Callable[[], Awaitable[Parting | None]] | None = None,
    ) -> None:
        """``parting`` is asked at each turn of the caller; see :class:`telephony.turn.Parts`."""
        self._call = call
        self._line = line
        self._dialogue = dialogue
        self._journal = journal
        self._clock = clock
        self._today = today
        self._keys_patience_s = keys_patience_s
        self._budgets = budgets or Budgets()
        self._standby = standby or StandbyLines()
        self._parts = Parts(
            call.id, dialogue, ears, voice, self._standby, self._budgets, clock, parting or _goes_on
        )
        self._tasks = asyncio.TaskGroup()
        self._inbox: asyncio.Queue[_Happening] = asyncio.Queue()
        self._floor: Turn | None = None
        self._candidate: Turn | None = None
        self._next: Turn | None = None  # has the floor as soon as the notice has been heard
        self._passed: Utterance | None = None  # said over the voice, and no turn by itself
        self._rounds = 0
        self._waited_ms = 0  # by who has keyed, before it was clear that he was done
        self._paused_at = 0.0
        self._keyed = ""
        self._keys_timer: asyncio.TimerHandle | None = None
        self._wait_timer: asyncio.TimerHandle | None = None
        self._waits_for: Turn | None = None  # the turn that the timer tells of
        self._expecting = Expecting.OPEN
        self._manner = Manner()
        self._cut: dict[str, str] = {}
        self._recording_refused = False
        self._identified = False

    async def run(self, first: Heard) -> Outcome:
        """The whole talk, from the audio leg's arrival to its end. The line is closed afterwards.

        ``first`` is what opens it: the call begins, is resumed, or comes back from people.
        """
        if not await self._line.joined():
            return NoAudio()
        match first:
            case NotReached(why):
                self.note(CallCameBack(why, self._call))
            case _:
                self.note(CallStarted(self._call))
        try:
            return await self._talk(first)
        finally:
            self._line.playback.stop()
            self._line.hang_up()

    async def _talk(self, first: Heard) -> Outcome:
        async with self._tasks:
            listening = self._tasks.create_task(self._listen(), name="line's events")
            making_ready = self._tasks.create_task(self._standby.make(), name="standby lines")
            try:
                outcome = await self._turns(first)
            finally:
                listening.cancel()
                making_ready.cancel()
                self._stop_timers()
                for turn in (self._candidate, self._next, self._floor):
                    if turn is not None:
                        await turn.cancel()
        await self._dialogue.cut(self._call.id, self._cut)
        return outcome

    async def _listen(self) -> None:
        """Bring what happens on the line to where the turns tell what happens to them."""
        while True:
            self._inbox.put_nowait(await self._line.events.get())

    async def _turns(self, first: Heard) -> Outcome:
        """The loop; see the module's theory of operation."""
        self._give_floor(self._begin(first))
        outcome: Outcome | None = None
        while outcome is None:
            outcome = await self._heed(await self._inbox.get())
        return outcome

    async def _heed(self, happening: _Happening) -> Outcome | None:
        """One step of the loop; on its own, so that nothing holds what happened last, with its sound."""
        match happening:
            case LineClosed():
                await self._interrupt(by_caller=False)
                return CallerLeft()
            case _Over(turn) if turn is self._floor:
                return self._finish(turn)
            case _Held(turn) if turn is self._floor and self._next is not None:
                await self._interrupt()
                self._give_floor_to_next()
            case _Understood(turn) if turn is self._candidate:
                await self._weigh(turn)
            case SpeechStarted():
                self._pause_voice()
            case Paused(utterance):
                await self._speculate(utterance)
            case SpeechResumed():
                await self._take_back()
            case SpeechDropped():
                self._talk_on("noise")
            case TurnEnded() as ended:
                await self._caller_ended(ended)
            case Silence() if not (self._floor or self._candidate or self._keyed):
                self._give_floor(self._begin(Quiet()))
            case Digit(key):
                await self._key(key)
            case _KeysPause(keyed) if keyed == self._keyed:
                self._waited_ms = int(self._keys_patience_s * 1000)
                await self._keys_done()
            case _WaitedLong(turn) if turn is self._candidate:
                await self._take_as_his_turn(turn)
            case _WaitedLong(turn) if turn is self._floor:
                self._fill_the_wait(turn)
            case _:
                pass
        return None

    # the caller speaks

    def _pause_voice(self) -> None:
        """Stop for whatever he is about to say; a notice that must be heard goes on."""
        if self._floor is not None and not self._floor.playback.paused:
            self._paused_at = self._clock()
            self._floor.playback.pause()

    def _talk_on(self, why: str) -> None:
        """It was not his turn."""
        self._rounds = 0
        if self._floor is None or not self._floor.playback.paused or self._next is not None:
            return
        self._floor.playback.resume()
        if isinstance(self._floor.trigger, Utterance | Words | Keys):
            self._wait_at_most(self._floor, LEAST_WAIT_MS)
        if self._floor.sounding:
            self.note(TalkedThrough("noise" if why == "noise" else "listening"))

    async def _speculate(self, utterance: Utterance) -> None:
        """He pauses: prepare the answer, in case this was all."""
        if self._keyed or self._candidate is not None or self._rounds >= self._budgets.rounds:
            return
        self._rounds += 1
        self._candidate = await self._begin_after(utterance)
        if self._manner.pace == "slow":
            self._line.ear.wait_longer(SLOW_PATIENCE_MS)

    async def _take_back(self) -> None:
        """He goes on: what was prepared is for nothing."""
        turn, self._candidate = self._candidate, None
        if turn is not None:
            self.note(SpeculationDropped(turn.stage.value))
            await turn.cancel()

    async def _caller_ended(self, ended: TurnEnded) -> None:
        self._rounds = 0
        if self._keyed:
            return
        turn = self._candidate
        if turn is None:
            turn = self._candidate = await self._begin_after(ended.utterance)
        turn.end(ended)
        if self._floor is None or not self._floor.sounding:
            await self._confirm(turn)
        elif turn.heard is not None:
            await self._weigh(turn)
        else:  # it is weighed when it is understood: the voice only pauses so far, and not for ever
            self._wait_at_most(turn, self._rest_of_wait_ms(ended.at_ms - ended.speech_ended_ms))

    async def _weigh(self, turn: Turn) -> None:
        """The words of a candidate are known: are they a turn, and is it over?"""
        floor = self._floor
        words = turn.heard.text if isinstance(turn.heard, Words) else ""
        over_voice = floor is not None and floor.sounding
        if floor is not None and over_voice and not turn.failed:
            expecting = floor.awaits or Expecting.OPEN
            if over_the_agent(words, floor.playback.sentence, expecting) is Overheard.NOTHING:
                await self._let_pass(turn, words)
                return
        if floor is None or (over_voice and floor.thought_out and floor.playback.interruptible):
            turn.clear(self._cut if floor is None else self._cut | floor.heard_of())
        if turn.ended is None:
            match judge(words, turn.expecting, self._today()):
                case Verdict.COMPLETE:
                    if (ended := self._line.ear.end_turn()) is not None:
                        turn.end(ended)
                case Verdict.UNFINISHED:
                    self._line.ear.wait_longer(UNFINISHED_PATIENCE_MS)
                case Verdict.UNSURE:
                    pass
        if turn.ended is not None:
            await self._confirm(turn)

    async def _let_pass(self, turn: Turn, words: str) -> None:
        """What he said over the voice was nothing, or only that he listens: the voice goes on."""
        said = turn.trigger
        if turn.ended is None and (not words or self._line.ear.end_turn() is None):
            return  # he may go on, as after « Attendez… », or has gone on: that is the next thing to be read
        self._passed = said if isinstance(said, Utterance) else None
        self._candidate = None
        await turn.cancel()
        self._talk_on("listening" if words else "noise")

    async def _take_as_his_turn(self, turn: Turn) -> None:
        """What he said over the voice is still not understood: he waits, and is told so."""
        await self._confirm(turn)
        if turn is self._floor:
            self._fill_the_wait(turn)

    async def _begin_after(self, utterance: Utterance) -> Turn:
        """Prepare an answer to ``utterance``, with what he said before it and has no answer to yet."""
        before = self._next
        if before is not None:
            self._next = None
            await before.cancel()
        elif self._floor is not None and not self._floor.sounding:
            before = self._floor
        if before is not None and isinstance(before.trigger, Utterance):
            both = joined(before.trigger, utterance)
            if both is not utterance:  # he had not finished then, and was taken to have
                return self._begin(both, before.expecting, instead=before is self._floor)
        passed = self._passed
        if passed is not None and utterance.started_ms - passed.ended_ms <= GOES_ON_WITHIN_MS:
            return self._begin(joined(passed, utterance))
        self._passed = None
        return self._begin(utterance)

    async def _confirm(self, turn: Turn) -> None:
        """The turn is the caller's, and he has ended it."""
        self._candidate = self._passed = None
        self._rounds = 0
        if await self._floor_is_free():
            self._give_floor(turn)
        else:
            self._next = turn

    # keys

    async def _key(self, key: str) -> None:
        """One more digit; ``#``, a pause, or a single key where that is a choice, ends them."""
        if self._keys_timer is not None:
            self._keys_timer.cancel()
        if not self._keyed:
            await self._take_back()
            self._line.ear.end_turn()  # what he said before it; he has chosen to key
            self._pause_voice()
        self._keyed += key
        alone = len(self._keyed) == 1 and self._expecting in (Expecting.OPEN, Expecting.YES_NO)
        if key == "#" or alone:
            await self._keys_done()
        else:
            self._keys_timer = asyncio.get_running_loop().call_later(
                self._keys_patience_s, self._inbox.put_nowait, _KeysPause(self._keyed)
            )

    async def _keys_done(self) -> None:
        keyed, self._keyed = self._keyed.removesuffix("#"), ""
        if self._next is not None:
            await self._next.cancel()
            self._next = None
        turn = self._begin(Keys(keyed))
        if await self._floor_is_free():
            self._give_floor(turn)
        else:
            self._next = turn

    # the floor

    def _begin(
        self, trigger: Heard | Utterance, expecting: Expecting | None = None, *, instead: bool = False
    ) -> Turn:
        """``expecting`` what was asked, when that was not the last; ``instead`` of the turn on the floor."""
        expecting = expecting or self._expecting
        clock_ms = self._line.ear.clock_ms
        turn = Turn(self._parts, self, trigger, expecting, self._manner, clock_ms, instead=instead)
        turn.start(self._tasks)
        return turn

    async def _floor_is_free(self) -> bool:
        """Take the floor from who has it; False while the notice has to be heard to its end first."""
        floor = self._floor
        if floor is None:
            return True
        begun = floor.sounding or not isinstance(floor.trigger, CallBegins | Resumed | NotReached)
        if (begun or floor.playback.holding) and floor.playback.interruptible:
            await self._interrupt()
            return True
        self._pause_voice()
        return False

    def _give_floor(self, turn: Turn) -> None:
        """``turn`` is what is answered now."""
        self._floor = turn
        self._line.playback = turn.playback
        cut, self._cut = self._cut, {}
        turn.confirm(cut)
        if isinstance(turn.trigger, Utterance | Keys):
            waited_ms = self._waited_ms
            if turn.ended is not None:
                waited_ms = self._line.ear.clock_ms - turn.ended.speech_ended_ms
            self._wait_at_most(turn, self._rest_of_wait_ms(waited_ms))
        self._waited_ms = 0

    def _give_floor_to_next(self) -> None:
        turn, self._next = self._next, None
        if turn is not None:
            self._give_floor(turn)

    async def _interrupt(self, *, by_caller: bool = True) -> None:
        """Whoever has the floor says no more; what was heard of it is kept."""
        turn, self._floor = self._floor, None
        if turn is None:
            return
        self._wait_no_more(turn)
        self._pause_voice()
        await turn.cancel()
        self._manner = turn.manner
        self._cut |= turn.heard_of()
        if by_caller:
            stopped_after_ms = max(turn.held_at - self._paused_at, 0.0) * 1000
            self.note(TurnInterrupted(turn.heard_text(), self._line.ear.clock_ms, stopped_after_ms))

    def _finish(self, turn: Turn) -> Outcome | None:
        """Everything was said: the caller's turn, or the end."""
        self._floor = None
        self._wait_no_more(turn)
        turn.let_go()
        self._manner = turn.manner
        if turn.gives_time:
            self._line.ear.hold_silence(MOMENT_MS)
        if self._next is not None:
            self._give_floor_to_next()
            return None
        return turn.outcome

    # the wait

    def _wait_at_most(self, turn: Turn, wait_ms: float) -> None:
        if self._wait_timer is not None:
            self._wait_timer.cancel()
        self._waits_for = turn
        self._wait_timer = asyncio.get_running_loop().call_later(
            wait_ms / 1000, self._inbox.put_nowait, _WaitedLong(turn)
        )

    def _wait_no_more(self, turn: Turn) -> None:
        """``turn`` is over: its timer would hold it, and its sound."""
        if self._wait_timer is not None and self._waits_for is turn:
            self._wait_timer.cancel()
            self._wait_timer = self._waits_for = None

    def _fill_the_wait(self, turn: Turn) -> None:
        """Tell the caller that he is being served, if nothing is heard and more is to come."""
        playback = turn.playback
        if turn.thought_out and not playback.busy:
            return
        if playback.paused:
            self._wait_at_most(turn, LEAST_WAIT_MS)
            return
        begun = turn.sounding or turn.fillers > 0
        still_ms = self._budgets.filler_ms - playback.quiet_ms if begun else 0
        if playback.ahead_ms or still_ms > 0:
            self._wait_at_most(turn, playback.ahead_ms + max(still_ms, LEAST_WAIT_MS))
            return
        line = waiting_line(turn.fillers)
        sound = self._standby.sound(line.text, Pace(turn.manner.pace))
        if sound is None:
            return
        turn.fillers += 1
        playback.interject(sound + bytes(SENTENCE_PAUSE_MS * BYTES_PER_MS))
        self.note(TurnSaid(line.key, line.text))
        self._wait_at_most(turn, duration_ms(sound) + self._budgets.filler_ms)

    def _rest_of_wait_ms(self, waited_ms: float) -> float:
        """How much longer he may hear nothing who has heard nothing for ``waited_ms``."""
        return max(self._budgets.filler_ms - waited_ms, LEAST_WAIT_MS)

    def _stop_timers(self) -> None:
        for timer in (self._keys_timer, self._wait_timer):
            if timer is not None:
                timer.cancel()

    # what the turns tell

    def understood(self, turn: Turn) -> None:
        """See :class:`telephony.turn.Watcher`."""
        self._inbox.put_nowait(_Understood(turn))

    def held(self, turn: Turn) -> None:
        """See :class:`telephony.turn.Watcher`."""
        self._inbox.put_nowait(_Held(turn))

    def over(self, turn: Turn) -> None:
        """See :class:`telephony.turn.Watcher`."""
        self._inbox.put_nowait(_Over(turn))

    def listens(self, turn: Turn, reply: Listen) -> None:
        """See :class:`telephony.turn.Watcher`."""
        if reply.customer_number and not self._identified:
            self._identified = True
            self.note(CallerIdentified(reply.customer_number))
        self._expecting = turn.awaits or Expecting.OPEN
        self._line.ear.expect(self._expecting)

    def sounds(self, turn: Turn) -> None:
        """See :class:`telephony.turn.Watcher`."""
        times = turn.times()
        if times is not None:
            self.note(TurnTimed(times))

    def refuses_recording(self) -> None:
        """See :class:`telephony.turn.Watcher`."""
        if not self._recording_refused:
            self._recording_refused = True
            self.note(RecordingRefused())

    def note(self, event: CallEvent) -> None:
        """See :class:`telephony.turn.Watcher`."""
        self._journal.note(self._call.id, event)


async def _goes_on() -> None:
    """Nothing ends the call but the dialogue."""


def joined(earlier: Utterance, later: Utterance) -> Utterance:
    """The caller's speech with the piece before it that had no answer yet."""
    if earlier.duration_ms + later.duration_ms > LONGEST_TURN_MS:
        return later
    started_ms = later.started_ms - earlier.duration_ms
    return replace(later, pcm=earlier.pcm + later.pcm, started_ms=started_ms)
