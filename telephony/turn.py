"""One answer of the agent: understood, thought out and spoken, perhaps before it is certain to be wanted.

Theory of operation. A turn is one task. It transcribes what the caller said, asks the dialogue, and has the
voice make the sound, each stage while the one before is still at work, into a playback of its own. Nobody
hears that playback before the session puts it on the line, so all of this may happen while the caller is
only pausing. What may not happen before the turn is *confirmed* is kept back: the journal's entries wait in
a list, and the dialogue is told by an event (:meth:`graph.dialogue.Dialogue.turn`). A turn that is not
wanted is cancelled, and has left nothing but its costs.

The session opens three gates, in this order or the last two at once: *cleared*, the words may go to the
dialogue; *confirmed*, the turn is the caller's; and the line's, by giving the playback the line.

Each stage has a budget. Ears and voices have their own, shorter ones and somebody to fall back on; these
here are the last resort, so that a caller never waits for something that does not come.
"""

import asyncio
import logging
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from audio.endpointing import Expecting, TurnEnded, Utterance
from audio.pcm import BYTES_PER_MS, louder
from audio.playback import Playback
from audio.speakable import speakable
from audio.stt import SpeechToText, SttFailed
from audio.tts import Pace, TextToSpeech, TtsFailed, sentences
from graph.dialogue import Dialogue
from graph.heard import Heard, Keys, Quiet, Words
from graph.reply import HangUp, Listen, Manner, NodeRan, Reply, Say, StopRecording, Transfer
from graph.safekeeping import StateAway
from prompts import Line, load
from telephony.call import TECHNICAL, CallId, HungUp, Outcome, Transferred
from telephony.journal import (
    CallEvent,
    LimitReached,
    NodePassed,
    StageFailed,
    TurnHeard,
    TurnSaid,
    TurnTimes,
)
from telephony.standby import StandbyLines, lost_line, technical_line
from telephony.turned_away import Parting

log = logging.getLogger(__name__)

SENTENCE_PAUSE_MS = 280
"""Between two sentences. They are spoken one by one, and a voice ends with its last sound: without a pause
"Merci, Madame Moreau. Au 31 octobre…" is one breathless sentence. Doubled for who asked for it slowly."""

GROUP_PAUSE_MS = 350
"""Between the groups of a number, for who writes it down."""

LAST_BREATH_MS = 200
"""Silence behind the last word before the line is given up: a phone drops what waits in its jitter buffer
(40 to 120 ms) when the call ends, and the caller would miss the end of "au revoir"."""

TOLD_AGAIN_S = 2.0
"""For a turn to end that was cancelled; then it is told again. On Python 3.11 ``asyncio.wait_for``, which
drivers use, loses a cancellation that comes just as it is done, and the call would wait for that turn for
ever. Longer than a store may take to write what a turn did: to be told again would cut that short."""

HOLD_ON = "care.hold_on"
"""What the dialogue says to who asks for a moment."""

TECHNICAL_QUEUE = "conseillers"


@dataclass(frozen=True, slots=True)
class Budgets:
    """How long the caller is kept waiting, and what for (settings ``TURN_*``)."""

    filler_ms: int = 1500
    """Silence after which he is told that he is being served (trade rule: over 1.5 s of work)."""
    transcription_ms: int = 2500
    """For the transcript, whatever ears there are. With the pause before it, under 3 s."""
    dialogue_ms: int = 5000
    """From one line of the dialogue to the next, or to its end."""
    voice_ms: int = 2500
    """From one piece of sound to the next."""
    rounds: int = 6
    """Pauses of one turn in which an answer is prepared; a caller who pauses more often is waited for. A
    customer number in pairs has three, and hesitations."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a turn is made with."""

    call_id: CallId
    dialogue: Dialogue
    ears: SpeechToText
    voice: TextToSpeech
    standby: StandbyLines
    budgets: Budgets
    clock: Callable[[], float]
    """Seconds."""
    parting: Callable[[], Awaitable[Parting | None]]
    """Asked when the caller has had his say: what the agent says instead of an answer, if the call is to end
    here; None: it goes on."""


@dataclass(frozen=True, slots=True)
class End:
    """When the caller's turn ended, on the call's audio clock; without its sound."""

    speech_ended_ms: int
    at_ms: int


class Stage(StrEnum):
    """How far a turn has come."""

    TRANSCRIBING = "transcribing"
    THINKING = "thinking"
    SPEAKING = "speaking"


class Watcher(Protocol):
    """What a turn tells the session, as it happens; each is called once, :meth:`listens` perhaps never."""

    def understood(self, turn: "Turn") -> None:
        """The words are known, or known to be unknown."""

    def listens(self, turn: "Turn", reply: Listen) -> None:
        """The dialogue has ended and says what it waits for. Only of a turn that is confirmed."""

    def sounds(self, turn: "Turn") -> None:
        """The first frame of the answer is on the line."""

    def refuses_recording(self) -> None:
        """The caller does not want to be recorded. Only of a turn that is confirmed."""

    def held(self, turn: "Turn") -> None:
        """The voice has stopped for the caller."""

    def over(self, turn: "Turn") -> None:
        """Everything was said."""

    def note(self, event: CallEvent) -> None:
        """For the journal. Only of a turn that is confirmed."""


class Turn:
    """What the agent answers to ``trigger``; see the module. ``run`` it as a task."""

    def __init__(
        self,
        parts: Parts,
        watcher: Watcher,
        trigger: Heard | Utterance,
        expecting: Expecting,
        manner: Manner,
        at_ms: int,
        *,
        instead: bool = False,
    ) -> None:
        """``at_ms`` is where on the call's audio clock a trigger that is no speech lies.

        ``instead``: the caller had not finished when his last turn was confirmed; this one holds all he said.
        """
        self.playback = Playback()
        self.trigger = trigger
        """What is answered: the caller's sound, until the answer is heard."""
        self.heard: Heard | None = None if isinstance(trigger, Utterance) else trigger
        """The caller's turn as words, when they are known."""
        self.ended: End | None = None
        """When his turn ended; None while that is open, and when it was no speech."""
        self.manner = manner
        self.outcome: Outcome | None = None
        self.awaits: Expecting | None = None
        """What the dialogue waits for next; None while it is still at work."""
        self.thought_out = False
        """The dialogue has said all it has to say."""
        self.fillers = 0
        self.held_at = 0.0
        self._parts = parts
        self._watcher = watcher
        self.expecting = expecting
        """What he was asked for."""
        self._instead = instead
        self._at_ms = at_ms
        self._failed = False
        self._confirmed = asyncio.Event()
        self._cleared = asyncio.Event()
        self._cut: Mapping[str, str] = {}
        self._notes: list[CallEvent] = []
        self._says: list[Say] = []
        self._begun: list[Say] = []  # the line that each sentence of the playback belongs to, in order
        self._limit: asyncio.Timeout | None = None
        self._started_at = parts.clock()
        self._confirmed_at = 0.0
        self._transcript_at = 0.0
        self._classified_at = 0.0
        self._first_words_at = 0.0
        self._first_sound_at = 0.0
        self._first_frame_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self.playback.on_first_frame = self._first_frame
        self.playback.on_held = self._held

    # the session's side

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Begin."""
        self._task = tasks.create_task(self._run_and_tidy(), name="turn")

    def clear(self, cut: Mapping[str, str]) -> None:
        """The words may go to the dialogue; ``cut`` is what was heard of messages before, by id."""
        if not self._cleared.is_set():
            self._cut = dict(cut)
            self._cleared.set()

    def confirm(self, cut: Mapping[str, str]) -> None:
        """The turn is the caller's: from here it has effects. ``cut`` as for :meth:`clear`."""
        self._confirmed_at = self._parts.clock()
        self.clear(cut)
        self._confirmed.set()
        for event in self._notes:
            self._watcher.note(event)
        self._notes.clear()
        self._put_off_limit()

    def end(self, ended: TurnEnded) -> None:
        """The caller's turn is over; what he said is what was given."""
        self.ended = End(ended.speech_ended_ms, ended.at_ms)

    async def cancel(self) -> None:
        """Stop at once and wait until nothing is left of it."""
        self.playback.stop()
        while self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task], timeout=TOLD_AGAIN_S)
        self.playback.stop()  # the voice may have begun another sentence while it was cancelled
        self.let_go()

    def let_go(self) -> None:
        """It is over: untie what holds itself, so that its sound is freed now.

        The garbage collector would come for it minutes later, by then for megabytes, and stop every call
        while it looks.
        """
        self.playback.tell_nobody()
        self._task = self._limit = None

    @property
    def failed(self) -> bool:
        """No ear could transcribe it."""
        return self._failed

    @property
    def gives_time(self) -> bool:
        """The caller has asked for a moment, and was told that he has it."""
        return any(say.key == HOLD_ON for say in self._says)

    @property
    def sounding(self) -> bool:
        """The caller has heard something of the answer."""
        return bool(self._first_frame_at)

    @property
    def stage(self) -> Stage:
        """How far it has come."""
        if self._begun:
            return Stage.SPEAKING
        return Stage.THINKING if self._cleared.is_set() else Stage.TRANSCRIBING

    def heard_of(self) -> dict[str, str]:
        """What was heard so far of each message, by its id."""
        parts: dict[str, list[str]] = {say.message_id: [] for say in self._says}
        for say, part in zip(self._begun, self.playback.heard(), strict=False):
            parts[say.message_id].append(part.heard)
        return {one: " ".join(filter(None, heard)) for one, heard in parts.items() if one}

    def heard_text(self) -> str:
        """The same as one text."""
        return " ".join(part.heard for part in self.playback.heard() if part.heard)

    def times(self) -> TurnTimes | None:
        """Where the wait went; None when nobody waited for words of his to be answered."""
        if self.ended is None or not self._first_sound_at:
            return None
        marks = [self._confirmed_at, self._transcript_at, self._classified_at, self._first_words_at]
        marks += [self._first_sound_at, self._first_frame_at]
        for place in range(1, len(marks)):  # what was done before the decision was not waited for
            marks[place] = max(marks[place - 1], marks[place])
        decided, transcript, classified, words, sound, frame = marks
        return TurnTimes(
            endpointing_ms=self.ended.at_ms - self.ended.speech_ended_ms,
            transcription_ms=(transcript - decided) * 1000,
            dialogue_ms=(words - transcript) * 1000,
            voice_ms=(sound - words) * 1000,
            line_ms=(frame - sound) * 1000,
            classified_ms=(classified - transcript) * 1000,
            ear_ms=(self._transcript_at - self._started_at) * 1000,
            prepared_ms=(decided - self._started_at) * 1000,
        )

    # the task

    async def _run_and_tidy(self) -> None:
        try:
            await self._run()
        except asyncio.CancelledError as exc:
            # Task groups of Python 3.11 tie the error to their frames, and so to ours with the sound in them.
            traceback.clear_frames(exc.__traceback__)
            raise

    async def _run(self) -> None:
        await self._understand()
        self._watcher.understood(self)
        await self._cleared.wait()
        waiting: asyncio.Queue[Say | None] = asyncio.Queue()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._speak(waiting), name="turn's voice")
            await self._answer(waiting)
            self.thought_out = True
            waiting.put_nowait(None)
        await self._confirmed.wait()
        if self.outcome is not None:
            self._draw_last_breath()
        await self._played()
        self._watcher.over(self)

    async def _understand(self) -> None:
        """The caller's turn as words."""
        if not isinstance(self.trigger, Utterance):
            self._transcript_at = self._parts.clock()
            self._note(TurnHeard(self.trigger, 0, self._at_ms))
            return
        utterance = self.trigger
        try:
            async with asyncio.timeout(self._parts.budgets.transcription_ms / 1000):
                transcript = await self._parts.ears.transcribe(utterance, self.expecting)
        except (SttFailed, TimeoutError) as exc:
            self._failed = True
            self._note(StageFailed("stt", exc))
            self.heard = Words("")
        else:
            self.heard = Words(transcript.text, transcript.confidence)
        self._transcript_at = self._parts.clock()
        self._note(TurnHeard(self.heard, utterance.duration_ms, utterance.started_ms))

    async def _answer(self, waiting: "asyncio.Queue[Say | None]") -> None:
        """What there is to say, line by line, to the voice."""
        if self._failed:
            self._give_up(waiting)
        elif self.heard is not None:
            await self._converse(self.heard, waiting)

    async def _converse(self, heard: Heard, waiting: "asyncio.Queue[Say | None]") -> None:
        parts = self._parts
        try:
            if isinstance(heard, Words | Keys | Quiet) and await self._part(waiting):
                return
            replies = parts.dialogue.turn(
                parts.call_id, heard, self._cut, confirmed=self._confirmed, instead=self._instead
            )
            async with asyncio.timeout(None) as limit, aclosing(replies):
                self._limit = limit
                self._put_off_limit()
                async for reply in replies:
                    self._put_off_limit()
                    self._take(reply, waiting)
        except StateAway as exc:
            self._note(StageFailed("dialogue", exc))
            self.outcome = _handed_over("lost_summary")
            self._say_line(lost_line(), waiting)
        except Exception as exc:  # whatever broke, the caller is told and handed over
            # The journal tells type and place; message and traceback may hold the caller's words.
            log.debug("dialogue.failed", exc_info=True, extra={"call_id": parts.call_id})
            self._note(StageFailed("dialogue", exc))
            self._give_up(waiting)
        finally:
            self._limit = None

    async def _part(self, waiting: "asyncio.Queue[Say | None]") -> bool:
        """Say the last words, if there are to be any; whether that was so."""
        parting = await self._parts.parting()
        if parting is None:
            return False
        self.outcome = parting.outcome
        self._note(LimitReached(parting.over))
        for line in parting.lines:
            self._say_line(line, waiting)
        return True

    def _put_off_limit(self) -> None:
        """The next line is due within the budget; not before the turn is certain: it may wait for that."""
        limit = self._limit
        if limit is not None and not limit.expired() and self._confirmed.is_set():
            limit.reschedule(self._deadline())

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self._parts.budgets.dialogue_ms / 1000

    def _take(self, reply: Reply, waiting: "asyncio.Queue[Say | None]") -> None:
        match reply:
            case Say():
                self._say(reply, waiting)
            case NodeRan(node, took_ms):
                if node == "classify":
                    self._classified_at = self._parts.clock()
                self._note(NodePassed(node, took_ms))
            case Manner():
                self.manner = reply
            case Listen(awaited):
                # Among a few things people choose in their own words.
                self.awaits = Expecting.OPEN if awaited == "choice" else Expecting(awaited)
                self._watcher.listens(self, reply)
            case Transfer(queue, reason, summary, customer_number):
                self.outcome = Transferred(queue, reason, summary, customer_number)
            case HangUp():
                self.outcome = HungUp()
            case StopRecording():
                self._watcher.refuses_recording()

    def _give_up(self, waiting: "asyncio.Queue[Say | None]") -> None:
        self.outcome = _handed_over()
        self._say_line(technical_line(), waiting)

    def _say_line(self, line: Line, waiting: "asyncio.Queue[Say | None]") -> None:
        self._say(Say(line.key, line.text, line.interruptible), waiting)

    def _say(self, say: Say, waiting: "asyncio.Queue[Say | None]") -> None:
        self._first_words_at = self._first_words_at or self._parts.clock()
        self._says.append(say)
        self._note(TurnSaid(say.key, say.text))
        waiting.put_nowait(say)

    # the voice

    async def _speak(self, waiting: "asyncio.Queue[Say | None]") -> None:
        """Sentence by sentence into the playback; a few sentences ahead of what is heard."""
        try:
            while (say := await waiting.get()) is not None:
                await self._speak_line(say)
        except TtsFailed as exc:
            self.playback.end()
            self._note(StageFailed("tts", exc))
            while await waiting.get() is not None:
                pass  # the rest cannot be said
            if self.outcome is None or isinstance(self.outcome, HungUp):
                self.outcome = _handed_over()
                self._apologise_without_a_voice()

    async def _speak_line(self, say: Say) -> None:
        pace = _pace(self.manner)
        ready = self._parts.standby.sound(say.text, pace)
        for sentence in [say.text] if ready else sentences(say.text):
            self._begun.append(say)
            self.playback.begin(sentence, interruptible=say.interruptible)
            if len(self._begun) > 1:
                self.playback.add(_quiet(SENTENCE_PAUSE_MS * (2 if pace is Pace.SLOW else 1)))
            if ready:
                self._sound(ready)
            else:
                await self._speak_sentence(sentence, pace)
            self.playback.end()

    async def _speak_sentence(self, sentence: str, pace: Pace) -> None:
        spoken = speakable(sentence)
        groups = [spoken]
        if pace is Pace.SLOW and any(character.isdigit() for character in sentence):
            groups = spoken.split(", ")  # figures are read in groups, and written down group by group
        for place, group in enumerate(groups):
            if place:
                self.playback.add(_quiet(GROUP_PAUSE_MS))
            async with aclosing(self._parts.voice.speak(group, pace)) as sound:
                while (chunk := await self._next_chunk(sound)) is not None:
                    self._sound(chunk)

    async def _next_chunk(self, sound: AsyncGenerator[bytes, None]) -> bytes | None:
        budget_ms = self._parts.budgets.voice_ms
        try:
            async with asyncio.timeout(budget_ms / 1000):
                return await anext(sound, None)
        except TimeoutError as exc:
            raise TtsFailed(f"no sound for {budget_ms} ms, the most a caller is kept waiting for it") from exc

    def _sound(self, pcm: bytes) -> None:
        self._first_sound_at = self._first_sound_at or self._parts.clock()
        self.playback.add(louder(pcm) if self.manner.louder else pcm)

    def _apologise_without_a_voice(self) -> None:
        line = technical_line()
        ready = self._parts.standby.sound(line.text, _pace(self.manner))
        if ready is not None:
            say = Say(line.key, line.text)
            self._says.append(say)
            self._begun.append(say)
            self._note(TurnSaid(say.key, say.text))
            self.playback.begin(say.text)
            self._sound(ready)
            self.playback.end()

    def _draw_last_breath(self) -> None:
        self.playback.begin("")
        self.playback.add(_quiet(LAST_BREATH_MS))
        self.playback.end()

    async def _played(self) -> None:
        """Wait until the last frame has left."""
        drained = asyncio.Event()
        self.playback.on_drained = drained.set
        if self.playback.busy:
            await drained.wait()

    def _first_frame(self) -> None:
        if not self._first_frame_at:
            self._first_frame_at = self._parts.clock()
            if self.heard is not None:
                self.trigger = self.heard  # he is being answered: his sound is needed no more
            self._watcher.sounds(self)

    def _held(self) -> None:
        self.held_at = self._parts.clock()
        self._watcher.held(self)

    def _note(self, event: CallEvent) -> None:
        if self._confirmed.is_set():
            self._watcher.note(event)
        else:
            self._notes.append(event)


def _pace(manner: Manner) -> Pace:
    return Pace(manner.pace)


def _quiet(ms: int) -> bytes:
    return bytes(ms * BYTES_PER_MS)


def _handed_over(summary_key: str = "technical_summary") -> Transferred:
    summary = load("common").say(summary_key).text
    return Transferred(TECHNICAL_QUEUE, TECHNICAL, summary)
