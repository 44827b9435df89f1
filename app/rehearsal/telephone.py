"""What a telephone does to a voice: the band, the coding, and the room behind it.

Signed 16-bit mono at 8 kHz in and out, as everywhere.
"""

import numpy as np
import numpy.typing as npt

from audio.pcm import FRAME_BYTES, SAMPLE_RATE_HZ

BAND_HZ = (300.0, 3400.0)
"""What the telephone network carries (ITU-T G.712)."""

_A = 87.6
"""The constant of G.711's A-law."""

_LOOP_S = 10
"""The background repeats after this time: longer than any pause in which one would notice."""

Samples = npt.NDArray[np.float64]


def over_the_telephone(pcm: bytes) -> bytes:
    """``pcm`` as it arrives: band-limited, then coded to 8 bits by G.711 A-law and decoded."""
    if not pcm:
        return pcm
    return _pcm(_a_law(_band(np.frombuffer(pcm, "<i2").astype(np.float64))))


class LineNoise:
    """The room and the line behind a caller: noise in the telephone band, steady, 20 ms a call.

    A :data:`telephony.simulated.handset.Background`.
    """

    def __init__(self, level_dbfs: float = -50.0, seed: int = 1962) -> None:
        """``level_dbfs`` is its RMS below full scale: -50 is 30 dB under the voice, a quiet room."""
        noise = _band(np.random.default_rng(seed).standard_normal(_LOOP_S * SAMPLE_RATE_HZ))
        noise *= 32768 * 10 ** (level_dbfs / 20) / np.sqrt(np.mean(noise**2))
        # Made by a Fourier transform of the whole, so its end fits its beginning: the loop does not click.
        self._loop = _pcm(noise)
        self._at = 0

    def __call__(self) -> bytes:
        """The next 20 ms."""
        frame = self._loop[self._at : self._at + FRAME_BYTES]
        self._at = (self._at + FRAME_BYTES) % len(self._loop)
        return frame


def _band(samples: Samples) -> Samples:
    spectrum = np.fft.rfft(samples)
    hertz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE_HZ)
    spectrum[(hertz < BAND_HZ[0]) | (hertz > BAND_HZ[1])] = 0
    return np.fft.irfft(spectrum, len(samples))


def _a_law(samples: Samples) -> Samples:
    """To 7 bits and a sign along the curve of A-law, and back."""
    scale = 1 + np.log(_A)
    size = np.abs(np.clip(samples / 32768, -1, 1))
    code = np.where(size < 1 / _A, _A * size / scale, (1 + np.log(np.maximum(_A * size, 1e-9))) / scale)
    code = np.rint(code * 127) / 127
    back = np.where(code < 1 / scale, code * scale / _A, np.exp(code * scale - 1) / _A)
    return np.asarray(np.sign(samples) * back * 32768)


def _pcm(samples: Samples) -> bytes:
    return np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes()
