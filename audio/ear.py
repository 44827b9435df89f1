"""The ear of one call: the caller's sound in, events and utterances out.

It joins three things: a stream of the voice detector, the turn detector, and the recent sound. The turn
detector thinks in times only, so the ear's one rule is that times and sound never part: every byte
that comes in, and every gap that is told, moves the clock by exactly its length and is kept as sound, until
the turn detector needs it no longer. A position in milliseconds is then a place in the buffer. The voice
detector may judge a window a few milliseconds after its last byte came, together with other calls': the sound
is kept until then, and what follows from it is told in order (``Ear.tell``), at the positions it has.

Kept are the look-back while nobody speaks, and the turn while somebody does, which
``TurnTiming.max_utterance_ms`` ends: at most half a megabyte, and normally 20 kB.

Not thread-safe: for the event loop's thread. On its way in, a frame is appended to two buffers and nothing
else is done to it.
"""

from collections.abc import Callable
from typing import TypeVar

from audio.endpointing import (
    DetectorEvent,
    EarEvent,
    Expecting,
    Paused,
    PossibleEnd,
    TurnBounds,
    TurnDetector,
    TurnEnded,
    TurnTiming,
    Utterance,
)
from audio.pcm import BYTES_PER_MS
from audio.vad import VoiceDetector

_TRIM_BYTES = 1000 * BYTES_PER_MS
"""Old sound is let go of by the second: cutting at every frame would cost more than it frees."""

Memory = TypeVar("Memory")


class Ear:
    """What one call's caller says; see the module."""

    def __init__(self, detector: VoiceDetector[Memory], timing: TurnTiming) -> None:
        self.tell: Callable[[EarEvent], None] = _nobody
        """Is told each event, in order: while sound is heard, while time passes, or when it was judged."""
        self._stream = detector.open(self._judged)
        self._window_ms = detector.window_ms
        self._detector = TurnDetector(timing)
        self._sound = bytearray()
        self._sound_from = 0  # position of the first byte of _sound, in bytes since the line began
        self._half_sample = b""
        self._in_gap = False

    @property
    def clock_ms(self) -> int:
        """The call's audio clock: whole milliseconds of sound and gaps since the line began."""
        return (self._sound_from + len(self._sound)) // BYTES_PER_MS

    @property
    def agent_speaking(self) -> bool:
        """Whether the agent's voice is on the line; the line sets it at every tick."""
        return self._detector.agent_speaking

    @agent_speaking.setter
    def agent_speaking(self, speaking: bool) -> None:
        self._detector.agent_speaking = speaking

    def expect(self, expecting: Expecting) -> None:
        """What the agent has just asked for; decides how long a pause ends the caller's turn."""
        self._detector.expect(expecting)

    def hold_silence(self, for_ms: int) -> None:
        """See :meth:`audio.endpointing.TurnDetector.hold_silence`."""
        self._detector.hold_silence(for_ms)

    def wait_longer(self, patience_ms: int) -> None:
        """See :meth:`audio.endpointing.TurnDetector.wait_longer`."""
        self._detector.wait_longer(patience_ms)

    def end_turn(self) -> TurnEnded | None:
        """See :meth:`audio.endpointing.TurnDetector.end_turn`."""
        bounds = self._detector.end_turn()
        return None if bounds is None else TurnEnded(self._cut(bounds), bounds.speech_ended_ms, bounds.at_ms)

    def hear(self, frame: bytes) -> None:
        """The caller's sound, of any length, even cut within a sample (signed 16-bit mono, 8 kHz)."""
        if self._half_sample or len(frame) % 2:
            frame = self._half_sample + frame
            self._half_sample = frame[len(frame) // 2 * 2 :]
            frame = frame[: len(frame) // 2 * 2]
        if not frame:
            return
        self._in_gap = False
        self._sound += frame
        self._stream.hear(frame)

    def pass_time(self, ms: int) -> None:
        """``ms`` went by in which nothing came: a telephone may send nothing while its owner is silent."""
        if not self._in_gap:
            self._in_gap = True
            self._stream.reset()  # sound after the gap does not follow on sound before it
            # What waited for the rest of a window will not be judged; it still took its time.
            waiting_ms = (self._sound_from + len(self._sound)) / BYTES_PER_MS - self._detector.now_ms
            self._learn(waiting_ms, 0.0)
        for start_ms in range(0, ms, self._window_ms):
            piece_ms = min(self._window_ms, ms - start_ms)
            self._sound += bytes(piece_ms * BYTES_PER_MS)
            self._learn(piece_ms, 0.0)

    def _judged(self, probability: float) -> None:
        self._learn(self._window_ms, probability)

    def _learn(self, duration_ms: float, probability: float) -> None:
        for event in self._detector.hear(duration_ms, probability):
            told = self._with_sound(event)
            if told is not None:
                self.tell(told)
        self._trim()

    def _with_sound(self, event: DetectorEvent) -> EarEvent | None:
        match event:
            case TurnBounds():
                return TurnEnded(self._cut(event), event.speech_ended_ms, event.at_ms)
            case PossibleEnd(at_ms):
                said = self._detector.so_far
                return None if said is None else Paused(self._cut(said), said.speech_ended_ms, at_ms)
            case _:
                return event

    def _cut(self, turn: TurnBounds) -> Utterance:
        first = turn.started_ms * BYTES_PER_MS - self._sound_from
        last = turn.ended_ms * BYTES_PER_MS - self._sound_from
        with memoryview(self._sound) as sound:
            return Utterance(bytes(sound[first:last]), turn.started_ms, turn.ended_ms)

    def _trim(self) -> None:
        excess = int(self._detector.needed_from_ms) * BYTES_PER_MS - self._sound_from
        if excess >= _TRIM_BYTES:
            del self._sound[:excess]
            self._sound_from += excess


def _nobody(_: EarEvent) -> None:
    """Nobody listens yet."""
