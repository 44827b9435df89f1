"""One talk with a caller, turn by turn: listen, understand, answer; stop when the caller speaks.

Theory of operation. A turn is one task that transcribes, asks the dialogue and speaks; beside it a
watcher reads what happens on the line meanwhile. What the caller does decides:

- he speaks while the agent does: the voice stops at once, the task is cancelled, what he had heard
  is kept, and his words are the next turn. If it was only a cough, the agent takes the sentence up;
- he goes on speaking before the agent has made a sound: he had not finished. The task is cancelled,
  and the two pieces of speech are transcribed as one;
- he presses a key: as if he had spoken;
- he hangs up: everything is cancelled and freed.

The only file that sees sound and words. Failures of an ear, a voice or the dialogue end here: the
caller is told, and handed to people.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace

from audio.endpointing import BargeIn, Expecting, Silence, SpeechDropped, SpeechStarted, TurnEnded, Utterance
from audio.pcm import BYTES_PER_MS
from audio.speakable import speakable
from audio.stt import SpeechToText, SttFailed
from audio.tts import TextToSpeech, TtsFailed, sentences
from graph.dialogue import Dialogue
from graph.heard import CallBegins, Heard, Keys, NotReached, Quiet, Resumed, Words
from graph.reply import Awaited, HangUp, Listen, NodeRan, Say, StopRecording, Transfer
from prompts import load
from telephony.call import TECHNICAL, Call, CallerLeft, HungUp, NoAudio, Outcome, Transferred
from telephony.journal import (
    CallCameBack,
    CallerIdentified,
    CallEvent,
    CallStarted,
    Journal,
    NodePassed,
    RecordingRefused,
    StageFailed,
    TurnHeard,
    TurnInterrupted,
    TurnSaid,
    TurnTimed,
    TurnTimes,
)
from telephony.line import Digit, Line, LineClosed, LineEvent

log = logging.getLogger(__name__)

KEYS_PATIENCE_S = 3.0
"""Pause after a key that ends a keyed number without ``#``: people look down at the keypad and up again."""

LONGEST_TURN_MS = 30_000
"""Pieces of speech are joined up to this length; Whisper hears 30 s at a time."""

SENTENCE_PAUSE_MS = 280
"""Between two sentences. They are spoken one by one, and a voice ends with its last sound: without a pause
"Merci, Madame Moreau. Au 31 octobre…" is one breathless sentence."""

LAST_BREATH_MS = 200
"""Silence behind the last word before the line is given up: a phone drops what waits in its jitter buffer
(40 to 120 ms) when the call ends, and the caller would miss the end of "au revoir"."""

CLASSIFIER = "classify"
"""The node behind which the caller's wish is known."""

TECHNICAL_QUEUE = "conseillers"


@dataclass(slots=True)
class _Turn:
    """What is known of the turn under way."""

    trigger: TurnEnded | Heard
    decided_at: float
    says: list[Say] = field(default_factory=list)
    begun: list[Say] = field(default_factory=list)
    """The line that each sentence given to the playback belongs to, in order."""
    outcome: Outcome | None = None
    transcript_at: float = 0.0
    classified_at: float = 0.0
    first_words_at: float = 0.0
    first_sound_at: float = 0.0
    first_frame_at: float = 0.0
    caller_left: bool = False
    interrupted_at: float = 0.0
    interrupt_when_allowed: bool = False


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
    ) -> None:
        self._call = call
        self._line = line
        self._dialogue = dialogue
        self._ears = ears
        self._voice = voice
        self._journal = journal
        self._clock = clock
        self._keys_patience_s = keys_patience_s
        self._backlog: deque[LineEvent] = deque()
        self._expecting = Expecting.OPEN
        self._cut: dict[str, str] = {}
        self._unsaid: list[Say] = []
        self._unanswered: TurnEnded | None = None
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
                self._note(CallCameBack(why, self._call))
            case _:
                self._note(CallStarted(self._call))
        try:
            return await self._talk(first)
        finally:
            self._line.playback.stop()
            self._line.hang_up()

    async def _talk(self, first: Heard) -> Outcome:
        trigger: TurnEnded | Heard = first
        while True:
            outcome = await self._take(trigger)
            if outcome is not None:
                await self._dialogue.cut(self._call.id, self._cut)
                return outcome
            following = await self._listen()
            if following is None:
                return CallerLeft()
            trigger = following

    # listening

    async def _listen(self) -> TurnEnded | Heard | None:
        """Wait for the caller's next turn; None when he has left."""
        while True:
            match await self._next_event():
                case TurnEnded() as ended:
                    return ended
                case Silence():
                    return Quiet()
                case SpeechDropped() if self._unanswered is not None:
                    return self._take_up_unanswered()  # a noise had stopped the answer to it
                case SpeechDropped() if self._unsaid:
                    return Words("")  # a cough: the agent takes up what it was saying
                case Digit(key):
                    return await self._keys(key)
                case LineClosed():
                    return None
                case _:
                    pass

    def _take_up_unanswered(self) -> TurnEnded | None:
        unanswered, self._unanswered = self._unanswered, None
        return unanswered

    async def _next_event(self) -> LineEvent:
        return self._backlog.popleft() if self._backlog else await self._line.events.get()

    async def _keys(self, key: str) -> Keys | None:
        """The digits from ``key`` to ``#``, or to a long enough pause; None when the caller has left."""
        keyed = ""
        with suppress(TimeoutError):
            while key != "#":
                keyed += key
                if len(keyed) == 1 and self._expecting in (Expecting.OPEN, Expecting.YES_NO):
                    break  # nobody waits for a number: one key is a choice
                async with asyncio.timeout(self._keys_patience_s):
                    event = await self._next_event()
                    while not isinstance(event, Digit | LineClosed):
                        event = await self._next_event()
                if isinstance(event, LineClosed):
                    return None
                key = event.key
        return Keys(keyed)

    # answering

    async def _take(self, trigger: TurnEnded | Heard) -> Outcome | None:
        """One turn, to the end of what the agent says or to the caller's next word."""
        turn = _Turn(trigger, self._clock())
        async with asyncio.TaskGroup() as tasks:
            answering = tasks.create_task(self._answer(turn))
            self._line.playback.on_first_frame = lambda: self._first_frame(turn, answering)
            watching = tasks.create_task(self._watch(turn, answering))
            await asyncio.wait([answering])
            watching.cancel()
        self._settle(turn)
        if turn.caller_left:
            return CallerLeft()
        return None if turn.interrupted_at else turn.outcome

    async def _watch(self, turn: _Turn, answering: "asyncio.Task[None]") -> None:
        """Read the line while the agent prepares or speaks."""
        playback = self._line.playback
        while True:
            event = await self._line.events.get()
            match event:
                case LineClosed():
                    turn.caller_left = True
                    playback.stop()
                    answering.cancel()
                    return
                case BargeIn() | Digit() | TurnEnded():
                    if not isinstance(event, BargeIn):
                        self._backlog.append(event)
                    turn.interrupt_when_allowed = True
                case SpeechStarted() if isinstance(turn.trigger, TurnEnded) and not turn.first_frame_at:
                    turn.interrupt_when_allowed = True
                case SpeechDropped() if not self._backlog:
                    turn.interrupt_when_allowed = False
                case _:
                    pass
            if turn.interrupt_when_allowed and self._may_interrupt(turn):
                self._interrupt(turn, answering)
                return

    def _may_interrupt(self, turn: _Turn) -> bool:
        """The notice is heard to its end, and the greeting is not cut before it has begun."""
        begun = bool(turn.first_frame_at) or not isinstance(turn.trigger, CallBegins | Resumed | NotReached)
        return begun and self._line.playback.interruptible

    def _interrupt(self, turn: _Turn, answering: "asyncio.Task[None]") -> None:
        turn.interrupted_at = self._clock()
        self._line.playback.stop()
        answering.cancel()

    def _first_frame(self, turn: _Turn, answering: "asyncio.Task[None]") -> None:
        """A sentence begins. Who spoke or pressed a key over the notice is not kept waiting behind it."""
        if not turn.first_frame_at:
            turn.first_frame_at = self._clock()
            self._report_times(turn)
        if turn.interrupt_when_allowed and self._may_interrupt(turn):
            self._interrupt(turn, answering)

    async def _answer(self, turn: _Turn) -> None:
        """Transcribe, ask the dialogue, speak; the voice works while the dialogue does."""
        heard = await self._understand(turn)
        waiting: asyncio.Queue[Say | None] = asyncio.Queue()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._speak(turn, waiting))
            if heard is not None:
                await self._converse(turn, heard, waiting)
            else:
                for say in self._unsaid:
                    self._say(turn, say, waiting)
            waiting.put_nowait(None)
        if turn.outcome is not None:
            self._draw_last_breath()
        await self._played()

    async def _understand(self, turn: _Turn) -> Heard | None:
        """The caller's turn as words; None when there were none and a sentence was interrupted."""
        heard: Heard
        match turn.trigger:
            case TurnEnded() as ended:
                self._unanswered = _joined(self._unanswered, ended)
                utterance = self._unanswered.utterance
                try:
                    transcript = await self._ears.transcribe(utterance, self._expecting)
                except SttFailed as exc:
                    self._note(StageFailed("stt", exc))
                    turn.outcome = self._handed_over()
                    turn.transcript_at = self._clock()
                    return Words("")
                heard = Words(transcript.text, transcript.confidence)
                speech_ms, at_ms = utterance.duration_ms, utterance.started_ms
            case said:
                heard, speech_ms, at_ms = said, 0, self._line.ear.clock_ms
        turn.transcript_at = self._clock()
        if isinstance(heard, Words) and not heard.text and self._unsaid:
            return None
        self._note(TurnHeard(heard, speech_ms, at_ms))
        return heard

    async def _converse(self, turn: _Turn, heard: Heard, waiting: "asyncio.Queue[Say | None]") -> None:
        """The dialogue's answer, line by line, to the voice."""
        if turn.outcome is not None:
            self._apologise(turn, waiting)
            return
        cut, self._cut = self._cut, {}
        try:
            async with aclosing(self._dialogue.turn(self._call.id, heard, cut)) as replies:
                async for reply in replies:
                    match reply:
                        case Say():
                            self._say(turn, reply, waiting)
                        case NodeRan(node, took_ms):
                            if node == CLASSIFIER:
                                turn.classified_at = self._clock()
                            self._note(NodePassed(node, took_ms))
                        case Listen(awaited, customer_number=customer_number):
                            self._identified_as(customer_number)
                            self._expecting = _expecting(awaited)
                            self._line.ear.expect(self._expecting)
                        case Transfer(queue, reason, summary, customer_number):
                            turn.outcome = Transferred(queue, reason, summary, customer_number)
                        case HangUp():
                            turn.outcome = HungUp()
                        case StopRecording():
                            self._stop_recording()
        except Exception as exc:  # whatever broke, the caller is told and handed over
            # The journal tells type and place; message and traceback may hold the caller's words.
            log.debug("dialogue.failed", exc_info=True, extra={"call_id": self._call.id})
            self._note(StageFailed("dialogue", exc))
            turn.outcome = self._handed_over()
            self._apologise(turn, waiting)

    def _say(self, turn: _Turn, say: Say, waiting: "asyncio.Queue[Say | None]") -> None:
        turn.first_words_at = turn.first_words_at or self._clock()
        turn.says.append(say)
        self._note(TurnSaid(say.key, say.text))
        waiting.put_nowait(say)

    def _apologise(self, turn: _Turn, waiting: "asyncio.Queue[Say | None]") -> None:
        line = load("common").say("technical")
        self._say(turn, Say(line.key, line.text), waiting)

    async def _speak(self, turn: _Turn, waiting: "asyncio.Queue[Say | None]") -> None:
        """Sentence by sentence into the playback; a few sentences ahead of what is heard."""
        playback = self._line.playback
        try:
            while (say := await waiting.get()) is not None:
                for sentence in sentences(say.text):
                    turn.begun.append(say)
                    playback.begin(sentence, interruptible=say.interruptible)
                    if len(turn.begun) > 1:
                        playback.add(bytes(SENTENCE_PAUSE_MS * BYTES_PER_MS))
                    async with aclosing(self._voice.speak(speakable(sentence))) as sound:
                        async for chunk in sound:
                            turn.first_sound_at = turn.first_sound_at or self._clock()
                            playback.add(chunk)
                    playback.end()
        except TtsFailed as exc:
            playback.end()
            self._note(StageFailed("tts", exc))
            if turn.outcome is None or isinstance(turn.outcome, HungUp):
                turn.outcome = self._handed_over()
            while await waiting.get() is not None:
                pass  # the rest cannot be said

    def _draw_last_breath(self) -> None:
        playback = self._line.playback
        playback.begin("")
        playback.add(bytes(LAST_BREATH_MS * BYTES_PER_MS))
        playback.end()

    async def _played(self) -> None:
        """Wait until the last frame has left."""
        playback = self._line.playback
        drained = asyncio.Event()
        playback.on_drained = drained.set
        if playback.busy:
            await drained.wait()

    # after the turn

    def _settle(self, turn: _Turn) -> None:
        """Write down what was heard of the answer."""
        whole = not turn.interrupted_at and not turn.caller_left
        if not whole:
            self._line.playback.stop()  # the voice may have begun another sentence while it was cancelled
        heard = self._line.playback.heard()
        if turn.first_frame_at or whole:
            self._unanswered = None
        if whole:
            self._unsaid = []
            for say in turn.says:
                self._cut.pop(say.message_id, None)  # taken up after a cough, and heard to its end
            return
        heard_of = {say.message_id: [self._cut.get(say.message_id, "")] for say in turn.says}
        for say, part in zip(turn.begun, heard, strict=False):
            heard_of[say.message_id].append(part.heard)
        self._unsaid = _left_over(turn, [part.complete for part in heard])
        self._cut |= {
            message_id: " ".join(filter(None, parts)) for message_id, parts in heard_of.items() if message_id
        }
        if turn.interrupted_at:
            said = " ".join(part.heard for part in heard if part.heard)
            stopped_after_ms = (self._clock() - turn.interrupted_at) * 1000
            self._note(TurnInterrupted(said, self._line.ear.clock_ms, stopped_after_ms))

    def _report_times(self, turn: _Turn) -> None:
        if not isinstance(turn.trigger, TurnEnded) or not turn.first_sound_at:
            return
        self._note(
            TurnTimed(
                TurnTimes(
                    endpointing_ms=turn.trigger.at_ms - turn.trigger.speech_ended_ms,
                    transcription_ms=(turn.transcript_at - turn.decided_at) * 1000,
                    dialogue_ms=(turn.first_words_at - turn.transcript_at) * 1000,
                    voice_ms=(turn.first_sound_at - turn.first_words_at) * 1000,
                    line_ms=(turn.first_frame_at - turn.first_sound_at) * 1000,
                    classified_ms=max(0.0, turn.classified_at - turn.transcript_at) * 1000
                    if turn.classified_at
                    else 0.0,
                )
            )
        )

    def _stop_recording(self) -> None:
        if not self._recording_refused:
            self._recording_refused = True
            self._note(RecordingRefused())

    def _identified_as(self, customer_number: str) -> None:
        if customer_number and not self._identified:
            self._identified = True
            self._note(CallerIdentified(customer_number))

    def _handed_over(self) -> Transferred:
        summary = load("common").say("technical_summary").text
        return Transferred(TECHNICAL_QUEUE, TECHNICAL, summary)

    def _note(self, event: CallEvent) -> None:
        self._journal.note(self._call.id, event)


def _expecting(awaited: Awaited) -> Expecting:
    """What the ear is told: among a few things people choose in their own words."""
    return Expecting.OPEN if awaited == "choice" else Expecting(awaited)


def _joined(before: TurnEnded | None, ended: TurnEnded) -> TurnEnded:
    """The caller's speech with the piece before it that had no answer yet."""
    if before is None:
        return ended
    earlier, later = before.utterance, ended.utterance
    if earlier.duration_ms + later.duration_ms > LONGEST_TURN_MS:
        return ended
    started_ms = later.started_ms - earlier.duration_ms
    return replace(ended, utterance=Utterance(earlier.pcm + later.pcm, started_ms, later.ended_ms))


def _left_over(turn: _Turn, complete: list[bool]) -> list[Say]:
    """What remains to be said of ``turn``, from the sentence that was cut on."""
    done: dict[int, int] = {}
    for say, whole in zip(turn.begun, complete, strict=False):
        done[id(say)] = done.get(id(say), 0) + (1 if whole else 0)
    left: list[Say] = []
    for say in turn.says:
        rest = sentences(say.text)[done.get(id(say), 0) :]
        if rest:
            left.append(replace(say, text=" ".join(rest)))
    return left
