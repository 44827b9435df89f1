"""Is somebody speaking? The port of the voice detectors, and its twin for tests.

A detector is loaded once per process and judges the sound of all calls together: judging thirty windows at
once costs a third of judging them one by one (measured, with Silero). What it remembers of one call lives in
a stream.

Theory of operation. A stream cuts its call's sound into windows of 32 ms. A whole window waits until
:meth:`VoiceDetector.judge`, which judges one window of every waiting call in one batch and tells each its
probability. *When* that happens is somebody else's to say, for here is no clock:
:meth:`VoiceDetector.gather_with` takes whoever will call ``judge`` soon
(``telephony.metronome.Metronome.soon``). Until one is given, windows are judged as they come. After a stall
of the process many windows of every call wait; they are judged in rounds, one window of each call in a round,
so that catching up is batched as well.

The real detector is ``audio.providers.silero_vad.SileroVad``.
"""

import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from audio.pcm import BYTES_PER_MS

log = logging.getLogger(__name__)

WINDOW_MS = 32
"""What Silero judges at a time (256 samples at 8 kHz); the twin does the same."""
WINDOW_BYTES = WINDOW_MS * BYTES_PER_MS

Memory = TypeVar("Memory")
"""What a detector remembers of one call."""

Samples = NDArray[np.int16]
Judged = Callable[[float], None]
"""Is told the speech probability (0..1) of each of a call's windows, in order."""
Soon = Callable[[Callable[[], None]], None]
"""Calls what it is given once, a few milliseconds from now at most; or at once."""


class VoiceDetector(ABC, Generic[Memory]):
    """A loaded model, one per process, for the event loop's thread."""

    window_ms = WINDOW_MS
    """How much sound one probability stands for."""
    context_bytes = 0
    """How much sound before a window is judged with it."""

    def __init__(self) -> None:
        self._soon: Soon = _at_once
        self._waiting: list[VoiceStream[Memory]] = []

    def open(self, judged: Judged) -> "VoiceStream[Memory]":
        """A stream for a new call; ``judged`` is told each window's probability."""
        return VoiceStream(self, judged)

    def gather_with(self, soon: Soon) -> None:
        """Let windows wait for those of other calls: ``soon`` is given :meth:`judge` when the first waits."""
        self._soon = soon

    def judge(self) -> None:
        """Judge every window that waits, one of each call in a batch, and tell their calls.

        What one call's ``judged`` raises does not reach the others: that call's stream raises it when it
        next hears something. When the model itself fails, all calls that waited do.
        """
        while self._waiting:
            batch, self._waiting = self._waiting, []
            sound = b"".join([stream.windows.popleft() for stream in batch])
            samples = np.frombuffer(sound, "<i2").reshape(len(batch), -1)
            self._waiting += [stream for stream in batch if stream.windows]
            try:
                probabilities = self.infer_batch(samples, [stream.memory for stream in batch])
            except Exception as exc:  # whatever a model raises: a deaf call must end, not go on unheard
                log.exception("ear.model_failed")
                self._waiting = []
                for stream in batch:
                    stream.fail(exc)
                return
            for stream, probability in zip(batch, probabilities, strict=True):
                stream.take(probability)

    def wait(self, stream: "VoiceStream[Memory]") -> None:
        """The first window of ``stream`` that waits is whole."""
        self._waiting.append(stream)
        if len(self._waiting) == 1:
            self._soon(self.judge)

    @abstractmethod
    def infer_batch(self, windows: Samples, memories: Sequence[Memory]) -> Sequence[float]:
        """Speech probabilities (0..1) of B calls' windows, and what they leave behind in their memories.

        ``windows`` is [B, samples], context first; all zeros is what was before a call's first sound.
        """

    @abstractmethod
    def fresh_memory(self) -> Memory:
        """Of a call that has not been heard yet."""


class VoiceStream(Generic[Memory]):
    """One call's sound, on its way to the detector."""

    __slots__ = ("_detector", "_fault", "_judged", "_sound", "_whole_bytes", "memory", "windows")

    def __init__(self, detector: VoiceDetector[Memory], judged: Judged) -> None:
        self._detector = detector
        self._judged = judged
        self._whole_bytes = detector.context_bytes + WINDOW_BYTES
        self._sound = bytearray(detector.context_bytes)
        self._fault: Exception | None = None
        self.memory = detector.fresh_memory()
        self.windows: deque[bytes] = deque()
        """Those that wait to be judged, context first."""

    def hear(self, pcm: bytes) -> None:
        """Signed 16-bit mono at 8 kHz, of any length in whole samples; what fills no window waits for more.

        Raises what this call's ``judged`` raised lately.
        """
        sound = self._sound
        sound += pcm
        while len(sound) >= self._whole_bytes:
            self.windows.append(bytes(sound[: self._whole_bytes]))
            del sound[:WINDOW_BYTES]
            if len(self.windows) == 1:
                self._detector.wait(self)
        if self._fault is not None:
            fault, self._fault = self._fault, None
            raise fault

    def reset(self) -> None:
        """Forget all that was heard: the next sample does not follow on the last one.

        Windows that wait are judged first; one that is not whole is dropped.
        """
        if self.windows:
            self._detector.judge()
        self._sound = bytearray(self._detector.context_bytes)
        self.memory = self._detector.fresh_memory()

    def take(self, probability: float) -> None:
        """A window that waited has been judged."""
        try:
            self._judged(probability)
        except Exception as exc:  # one call's fault, whatever it is, must not leave the others unheard
            log.exception("ear.failed")
            self._fault = exc

    def fail(self, fault: Exception) -> None:
        """The windows that waited cannot be judged: raise ``fault`` when something is next heard."""
        self.windows.clear()
        self._fault = fault


class EnergyDetector(VoiceDetector[None]):
    """Twin: what is loud is speech. Good for tests with tones, useless on a real line."""

    def __init__(self, threshold_rms: float = 500.0) -> None:
        """A window is speech from this RMS level on, in 16-bit steps (500 is -36 dB below full scale)."""
        super().__init__()
        self._threshold_rms = threshold_rms

    def infer_batch(self, windows: Samples, memories: Sequence[None]) -> Sequence[float]:
        """1.0 for a loud window, 0.0 for another."""
        loudness = np.sqrt(np.mean(windows.astype(np.float64) ** 2, axis=1))
        return [float(rms >= self._threshold_rms) for rms in loudness]

    def fresh_memory(self) -> None:
        """There is nothing to remember."""


def _at_once(action: Callable[[], None]) -> None:
    action()
