"""Is somebody speaking? The port of the voice detectors, and its twin for tests.

A detector is loaded once per process; what it remembers of one call lives in a stream, so that a
hundred calls share one model. The real one is ``audio.providers.silero_vad.SileroVad``.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from audio.pcm import BYTES_PER_MS

WINDOW_MS = 32
"""What Silero judges at a time (256 samples at 8 kHz); the twin does the same."""


class VoiceStream(Protocol):
    """One call's speech detection."""

    def hear(self, pcm: bytes) -> Sequence[float]:
        """The speech probability (0..1) of each window that ``pcm`` completes, oldest first; often none.

        ``pcm`` is signed 16-bit mono at 8 kHz, of any length in whole samples; what does not fill a
        window waits for more.
        """

    def reset(self) -> None:
        """Forget all that was heard: the next sample does not follow on the last one."""


class VoiceDetector(Protocol):
    """A loaded model, one per process."""

    @property
    def window_ms(self) -> int:
        """How much sound one probability stands for."""

    def open(self) -> VoiceStream:
        """A stream for a new call."""


class EnergyDetector:
    """Twin: what is loud is speech. Good for tests with tones, useless on a real line."""

    window_ms = WINDOW_MS

    def __init__(self, threshold_rms: float = 500.0) -> None:
        """A window is speech from this RMS level on, in 16-bit steps (500 is -36 dB below full scale)."""
        self._threshold_rms = threshold_rms

    def open(self) -> "EnergyStream":
        return EnergyStream(self._threshold_rms)


class EnergyStream:
    """The twin's stream: 1.0 for a loud window, 0.0 for another."""

    def __init__(self, threshold_rms: float) -> None:
        self._threshold_rms = threshold_rms
        self._waiting = b""

    def hear(self, pcm: bytes) -> Sequence[float]:
        window_bytes = WINDOW_MS * BYTES_PER_MS
        sound = self._waiting + pcm
        whole = len(sound) // window_bytes * window_bytes
        self._waiting = sound[whole:]
        windows = np.frombuffer(sound[:whole], "<i2").reshape(-1, window_bytes // 2).astype(np.float64)
        return [float(rms >= self._threshold_rms) for rms in np.sqrt(np.mean(windows**2, axis=1))]

    def reset(self) -> None:
        self._waiting = b""
