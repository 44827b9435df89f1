"""What the agent is saying: sentences in, 20 ms frames out, and what of it was heard.

Pure: the line asks for :meth:`Playback.next_frame` at every tick of its own clock, the session adds
sound as the voice makes it. Because frames leave one by one, stopping is immediate (nothing but the
frame on the wire is lost) and the share of each sentence that left is known, so that the history of
the dialogue holds what the caller heard and not what the agent meant to say.

The voice can *pause* when the caller makes a sound, and go on a word earlier when it was only a cough; what
must be heard to its end is not paused. Each turn of the agent has a playback of its own, so an answer
can be made while the one before it is still being heard.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from audio.pcm import BYTES_PER_MS, FRAME_BYTES, FRAME_MS

MS_PER_CHARACTER = 65
"""Spoken French at a calm pace (about 15 characters a second); only used to guess how much of a
sentence was heard while the voice is still making it, so its length is not known yet."""


REWIND_MS = 400
"""How far back the voice takes up after a pause: a word or two, since the one it stopped in was torn."""


@dataclass(frozen=True, slots=True)
class Heard:
    """How much of one sentence reached the caller."""

    sentence: str
    heard: str
    """The words that left, cut at a word; the whole sentence when ``complete``."""
    complete: bool


@dataclass(slots=True)
class _Sentence:
    text: str
    interruptible: bool
    sound: bytearray = field(default_factory=bytearray)
    played_bytes: int = 0
    made: bool = False
    aside: bool = False
    """Said while the caller waits; no part of the answer."""

    @property
    def done(self) -> bool:
        return self.made and self.played_bytes >= len(self.sound)

    @property
    def has_frame(self) -> bool:
        left_bytes = len(self.sound) - self.played_bytes
        return left_bytes >= FRAME_BYTES or (self.made and left_bytes > 0)

    def heard(self) -> Heard:
        if self.done:
            return Heard(self.text, self.text, complete=True)
        length_ms = len(self.sound) / BYTES_PER_MS
        if not self.made:
            length_ms = max(length_ms, len(self.text) * MS_PER_CHARACTER)
        share = self.played_bytes / BYTES_PER_MS / length_ms if length_ms else 0.0
        cut = self.text[: round(len(self.text) * min(share, 1.0))]
        if cut and not self.text[len(cut) : len(cut) + 1].isspace():
            cut = cut.rpartition(" ")[0]  # a word that was cut was not heard
        return Heard(self.text, cut.rstrip(), complete=False)


class Playback:
    """The agent's voice on one call."""

    def __init__(self) -> None:
        self._waiting: deque[_Sentence] = deque()
        self._played: list[Heard] = []  # without their sound: an answer is up to half a megabyte
        self._paused = False
        self._quiet_frames = 0
        self.on_first_frame: Callable[[], None] = _nothing
        """Called when the first frame of a sentence leaves; not for an aside."""
        self.on_drained: Callable[[], None] = _nothing
        """Called when everything added so far has left."""
        self.on_held: Callable[[], None] = _nothing
        """Called once a pause, when a frame is held back because of it."""

    @property
    def busy(self) -> bool:
        """Something is left to play, or a sentence is open and its sound is still to come."""
        return bool(self._waiting)

    @property
    def interruptible(self) -> bool:
        """False while the sentence being said, or about to be, must be heard to its end."""
        return not self._waiting or self._waiting[0].interruptible

    @property
    def sentence(self) -> str:
        """The sentence being said, or about to be; empty when there is none."""
        return self._waiting[0].text if self._waiting else ""

    def begin(self, sentence: str, *, interruptible: bool = True) -> None:
        """Open ``sentence`` behind those already waiting; its sound comes by :meth:`add`."""
        self._waiting.append(_Sentence(sentence, interruptible))

    @property
    def paused(self) -> bool:
        """Whether the voice waits for the caller."""
        return self._paused

    @property
    def holding(self) -> bool:
        """Whether the pause keeps something back that could be said now."""
        return self._paused and self._holding

    @property
    def quiet_ms(self) -> int:
        """For how long the line has been given nothing, since it was given something or this playback."""
        return self._quiet_frames * FRAME_MS

    @property
    def ahead_ms(self) -> int:
        """How much sound is there to be said before a gap, or the end."""
        ahead_bytes = 0
        for sentence in self._waiting:
            ahead_bytes += len(sentence.sound) - sentence.played_bytes
            if not sentence.made:
                break
        return ahead_bytes // FRAME_BYTES * FRAME_MS

    def interject(self, pcm: bytes) -> None:
        """Say ``pcm``, whole, before everything that has not begun. It counts as heard of nothing.

        A sentence whose sound has stopped coming is torn already: it goes on after ``pcm``.
        """
        aside = _Sentence("", interruptible=True, sound=bytearray(pcm), made=True, aside=True)
        begun = bool(self._waiting) and self._waiting[0].played_bytes > 0
        self._waiting.insert(int(begun and self._waiting[0].has_frame), aside)

    def pause(self) -> None:
        """Say no more for now, except what must be heard to its end."""
        if not self._paused:
            self._paused, self._holding = True, False

    def resume(self) -> None:
        """Go on, a word or two before the place where it stopped."""
        if self._paused and self._waiting and self._waiting[0].interruptible:
            sentence = self._waiting[0]
            back_bytes = REWIND_MS * BYTES_PER_MS // FRAME_BYTES * FRAME_BYTES
            sentence.played_bytes = max(
                sentence.played_bytes - back_bytes, min(sentence.played_bytes, FRAME_BYTES)
            )
        self._paused = False

    def add(self, pcm: bytes) -> None:
        """More sound (signed 16-bit, 8 kHz) of the sentence opened last.

        Nothing when playback was stopped meanwhile: the voice may be a chunk behind.
        """
        if self._waiting and not self._waiting[-1].made:
            self._waiting[-1].sound += pcm

    def end(self) -> None:
        """The sentence opened last is complete."""
        if self._waiting and not self._waiting[-1].made:
            self._waiting[-1].made = True
            self._drop_silent_sentences()

    def next_frame(self) -> bytes | None:
        """The next 20 ms (320 bytes, the last of a sentence padded), or None when there is nothing yet."""
        self._quiet_frames += 1
        if not self._waiting:
            return None
        sentence = self._waiting[0]
        if self._paused and sentence.interruptible:
            if not self._holding:
                self._holding = True
                self.on_held()
            return None
        start = sentence.played_bytes
        frame = bytes(sentence.sound[start : start + FRAME_BYTES])
        if len(frame) < FRAME_BYTES:
            if not sentence.made or not frame:
                return None  # the voice is slower than speech: wait for a whole frame
            frame = frame.ljust(FRAME_BYTES, b"\0")
        sentence.played_bytes += FRAME_BYTES
        self._quiet_frames = 0
        if start == 0 and not sentence.aside:
            self.on_first_frame()
        self._drop_silent_sentences()
        return frame

    def stop(self) -> None:
        """Say no more; what was not played is dropped. :meth:`heard` still knows what was."""
        self._played.extend(sentence.heard() for sentence in self._waiting if not sentence.aside)
        self._waiting.clear()

    def heard(self) -> list[Heard]:
        """What was heard so far of each sentence there ever was, in order."""
        waiting = (sentence.heard() for sentence in self._waiting if not sentence.aside)
        return [*self._played, *waiting]

    def tell_nobody(self) -> None:
        """Whoever was told what happens needs to know no more, and can be let go of."""
        self.on_first_frame = self.on_drained = self.on_held = _nothing

    def _drop_silent_sentences(self) -> None:
        while self._waiting and self._waiting[0].done:
            sentence = self._waiting.popleft()
            if not sentence.aside:
                self._played.append(sentence.heard())
            if not self._waiting:
                self.on_drained()


def _nothing() -> None:
    """Nobody asked to be told."""
