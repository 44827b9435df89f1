"""The ear of one call: the caller's sound in, events and utterances out.

It joins three things: a stream of the voice detector, the turn detector, and the recent sound. The turn
detector thinks in times only, so the ear's one rule is that times and sound never part: every byte
that comes in, and every gap that is told, moves the clock by exactly its length and is kept as sound, until
the turn detector needs it no longer. A position in milliseconds is then a place in the buffer.

Kept are the look-back while nobody speaks, and the turn while somebody does, which
``TurnTiming.max_utterance_ms`` ends: at most half a megabyte, and normally 20 kB.

Not thread-safe: for the event loop's thread. It runs the voice detector inline, 0.1 ms per 32 ms of sound.
"""

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
from audio.vad import WINDOW_MS, VoiceStream

_TRIM_BYTES = 1000 * BYTES_PER_MS
"""Old sound is let go of by the second: cutting at every frame would cost more than it frees."""


class Ear:
    """What one call's caller says; see the module."""

    def __init__(self, stream: VoiceStream, timing: TurnTiming, window_ms: int = WINDOW_MS) -> None:
        """``window_ms`` is how much sound each probability of ``stream`` stands for."""
        self._stream = stream
        self._window_ms = window_ms
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

    def hear(self, frame: bytes) -> list[EarEvent]:
        """The caller's sound, of any length, even cut within a sample (signed 16-bit mono, 8 kHz)."""
        if self._half_sample or len(frame) % 2:
            frame = self._half_sample + frame
            self._half_sample = frame[len(frame) // 2 * 2 :]
            frame = frame[: len(frame) // 2 * 2]
        if not frame:
            return []
        self._in_gap = False
        self._sound += frame
        events: list[EarEvent] = []
        for probability in self._stream.hear(frame):
            events += self._tell(self._window_ms, probability)
        self._trim()
        return events

    def pass_time(self, ms: int) -> list[EarEvent]:
        """``ms`` went by in which nothing came: a telephone may send nothing while its owner is silent."""
        events: list[EarEvent] = []
        if not self._in_gap:
            self._in_gap = True
            self._stream.reset()  # sound after the gap does not follow on sound before it
            # What waited for the rest of a window will not be judged; it still took its time.
            waiting_ms = (self._sound_from + len(self._sound)) / BYTES_PER_MS - self._detector.now_ms
            events += self._tell(waiting_ms, 0.0)
        for start_ms in range(0, ms, self._window_ms):
            piece_ms = min(self._window_ms, ms - start_ms)
            self._sound += bytes(piece_ms * BYTES_PER_MS)
            events += self._tell(piece_ms, 0.0)
            self._trim()
        return events

    def _tell(self, duration_ms: float, probability: float) -> list[EarEvent]:
        told = (self._with_sound(event) for event in self._detector.hear(duration_ms, probability))
        return [event for event in told if event is not None]

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
        return Utterance(bytes(self._sound[first:last]), turn.started_ms, turn.ended_ms)

    def _trim(self) -> None:
        excess = int(self._detector.needed_from_ms) * BYTES_PER_MS - self._sound_from
        if excess >= _TRIM_BYTES:
            del self._sound[:excess]
            self._sound_from += excess
