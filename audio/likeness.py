"""How like one recording of speech is to others: which words, whatever the line did to them.

Theory of operation
===================

A recording becomes a *pattern*, a row of numbers per 10 ms of speech:

1. Mel spectrum of 25 ms windows, 300 to 3 400 Hz, the band of a telephone. Without the customary
   pre-emphasis: it lifts the line's noise over the soft and low sounds ("non").
2. The line's noise is the mean of the quietest tenth of the windows, if those are steady enough to be
   noise. It is subtracted from every band, one and a half times: what is left over is not speech.
3. Only windows with speech are kept, within 18 dB of the recording's own loudness. So pauses, leading
   and trailing silence and the level of the line play no part.
4. The logarithm is taken over a floor 13 dB under the loudness. What noise at 15 dB would hide is
   hidden in clean recordings too; otherwise a noisy "s" is far from a clean one.
5. Twelve cepstral coefficients and their slopes (no energy: gain plays no part), mean and variance of the
   recording itself taken out, which takes out the line's colour. A short word has too few windows to know
   its own mean, so the mean and variance of all known recordings count for as much as 10 and 20 windows.

Two patterns are laid on each other by dynamic time warping, both ends closed, in two passes: all known
recordings of about the right length at 20 ms, then the nearest few at 10 ms, all at once over the
anti-diagonals of the grid (every cell of one depends on the two before it only).

**What decides is the worst stretch**, not the mean: the mean distance along 20 steps of the path, about
200 ms, where it is worst. A line of four seconds with one digit changed is in the mean as near to its
twin as a noisy line is to itself; in its worst 200 ms it is not. A path that waits in one recording while
the other goes on pays for each such step, so a word too many cannot hide behind a stretched neighbour.

The figures were chosen with ``bench/closed_set.py``, which shows the distributions they divide.
Pure arithmetic: no I/O, no clock, nothing random.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from audio.pcm import SAMPLE_RATE_HZ

Rows = npt.NDArray[np.float32]

HOP_SAMPLES: Final = SAMPLE_RATE_HZ // 100
WINDOW_SAMPLES: Final = SAMPLE_RATE_HZ // 40
SHORTEST_ROWS: Final = 8
"""Under 80 ms of speech there is nothing to compare."""
NEAREST: Final = 5
"""How many known recordings get the second, exact look. Lines that differ in one digit only come in
families; the first look tells families apart, not always their members."""

_FFT = 256
_BANDS = 20
_BAND_HZ = (300.0, 3400.0)
_COEFFICIENTS = 12
_QUIET_SHARE = 0.1
_QUIET_SPREAD = 2.0
_SUBTRACTED = 1.5
_OVER_NOISE = 0.9
_SPEECH_DB = -18.0
_FLOOR_DB = -13.0
_MEAN_ROWS = 10.0
_VARIANCE_ROWS = 20.0
_STRETCH_STEPS = 20
_WAIT_COST = 0.35
_LENGTH_SHARE = 0.2
_LENGTH_ROWS = 8


@dataclass(frozen=True, slots=True)
class Likeness:
    """How a recording compares with known recording number ``index``. Distances are in variances:
    0 is the same sound, about 1 two windows taken at random."""

    index: int
    worst: float
    """Mean distance over the worst 200 ms: what decides."""
    distance: float
    """Mean distance over all."""


class Gallery:
    """Known recordings, made into patterns once. Safe to use from several threads: it never changes."""

    def __init__(self, recordings: Sequence[bytes]) -> None:
        """``recordings`` are clean, signed 16-bit mono at 8 kHz. Raises ValueError for one without speech."""
        cepstra = [_cepstra(recording) for recording in recordings]
        for number, rows in enumerate(cepstra):
            if len(rows) < SHORTEST_ROWS:
                raise ValueError(f"recording {number} holds no speech to compare with")
        self._mean: Rows = np.concatenate(cepstra).mean(axis=0)
        centred = [rows - rows.mean(axis=0) for rows in cepstra]
        self._variance: Rows = np.concatenate(centred).var(axis=0)
        slopes = np.concatenate([_slopes(rows / np.sqrt(self._variance)) for rows in centred])
        self._slope_variance: Rows = slopes.var(axis=0)
        self._patterns = [self._pattern(rows) for rows in cepstra]
        self._halved = [_halved(pattern) for pattern in self._patterns]

    def compare(self, recording: bytes) -> list[Likeness]:
        """The known recordings most like ``recording`` (8 kHz), at most five, most like first.

        Empty when it holds no speech, or nothing of about its length is known.
        """
        cepstra = _cepstra(recording)
        if len(cepstra) < SHORTEST_ROWS:
            return []
        pattern = self._pattern(cepstra)
        plausible = [
            index
            for index, known in enumerate(self._patterns)
            if abs(len(known) - len(pattern)) <= _LENGTH_ROWS + _LENGTH_SHARE * max(len(known), len(pattern))
        ]
        if len(plausible) > NEAREST:
            rough = _Alignment(_halved(pattern), [self._halved[index] for index in plausible]).distances
            plausible = [plausible[place] for place in np.argsort(rough, kind="stable")[:NEAREST]]
        if not plausible:
            return []
        alignment = _Alignment(pattern, [self._patterns[index] for index in plausible], traced=True)
        likenesses = [
            Likeness(index, alignment.worst_stretch(place), float(alignment.distances[place]))
            for place, index in enumerate(plausible)
        ]
        return sorted(likenesses, key=lambda likeness: likeness.worst)

    def _pattern(self, cepstra: Rows) -> Rows:
        """Coefficients and slopes, mean and variance taken out; see the module, point 5."""
        count = len(cepstra)
        own_mean = cepstra.mean(axis=0)
        mean = (count * own_mean + _MEAN_ROWS * self._mean) / (count + _MEAN_ROWS)
        squares = ((cepstra - own_mean) ** 2).sum(axis=0)
        levelled = (cepstra - mean) / np.sqrt(
            (squares + _VARIANCE_ROWS * self._variance) / (count + _VARIANCE_ROWS)
        )
        slopes = _slopes(levelled)
        squares = (slopes**2).sum(axis=0)
        slopes /= np.sqrt((squares + _VARIANCE_ROWS * self._slope_variance) / (count + _VARIANCE_ROWS))
        return np.hstack([levelled, slopes]).astype(np.float32)


def _mel_bank() -> npt.NDArray[np.float64]:
    """Triangular filters, one row per band, equally wide on the mel scale."""
    low_mel, high_mel = (2595 * np.log10(1 + hz / 700) for hz in _BAND_HZ)
    edges_mel = np.linspace(low_mel, high_mel, _BANDS + 2)
    edges_hz = 700 * (10 ** (edges_mel / 2595) - 1)
    bins_hz = np.fft.rfftfreq(_FFT, 1 / SAMPLE_RATE_HZ)
    low, middle, high = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    rising, falling = (bins_hz - low) / (middle - low), (high - bins_hz) / (high - middle)
    bank: npt.NDArray[np.float64] = np.maximum(0.0, np.minimum(rising, falling))
    return bank


_MEL = _mel_bank()
_COSINES = np.cos(
    np.pi * np.arange(1, _COEFFICIENTS + 1)[:, None] * (np.arange(_BANDS) + 0.5) / _BANDS
) * np.sqrt(2 / _BANDS)
_TAPER = np.hamming(WINDOW_SAMPLES)


def _cepstra(recording: bytes) -> Rows:
    """Points 1 to 5 of the module, as far as one recording alone goes: one row per 10 ms of speech."""
    # Silence around it, so that the first and the last sound have whole windows.
    edge = np.zeros(WINDOW_SAMPLES)
    samples = np.concatenate([edge, np.frombuffer(recording, "<i2").astype(np.float64), edge])
    windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW_SAMPLES)[::HOP_SAMPLES]
    bands = np.abs(np.fft.rfft(windows * _TAPER, _FFT)) ** 2 @ _MEL.T

    energy = bands.sum(axis=1)
    noise_bands = _noise(bands, energy)
    noise = noise_bands.sum()
    over = np.maximum(energy - noise, 0.0)
    if over.sum() <= 0:
        return np.zeros((0, _COEFFICIENTS), dtype=np.float32)
    loudness = (over**2).sum() / over.sum()  # the mean that silence does not change

    smooth = np.convolve(energy, np.ones(3) / 3, mode="same") - noise
    spoken = smooth > max(loudness * 10 ** (_SPEECH_DB / 10), _OVER_NOISE * noise)
    clean = np.maximum(bands[spoken] - _SUBTRACTED * noise_bands, 0.0) * (_BANDS / loudness)
    decibels = 10 * np.log10(clean + 10 ** (_FLOOR_DB / 10))
    cepstra: Rows = (decibels @ _COSINES.T).astype(np.float32)
    return cepstra


def _noise(bands: npt.NDArray[np.float64], energy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The line's noise per band: the mean of the quietest windows; zero when they are not steady."""
    live = np.flatnonzero(energy > 1e-5 * energy.max())  # digital silence says nothing about the line
    if len(live) == 0:
        return np.zeros(_BANDS)
    quietest = live[np.argsort(energy[live], kind="stable")[: max(5, int(_QUIET_SHARE * len(live)))]]
    if energy[quietest].max() > _QUIET_SPREAD * energy[quietest].mean():
        return np.zeros(_BANDS)
    mean: npt.NDArray[np.float64] = bands[quietest].mean(axis=0)
    return mean


def _slopes(rows: Rows) -> Rows:
    """Regression slope of each column over five rows."""
    padded = np.pad(rows, ((2, 2), (0, 0)), mode="edge")
    slopes = (2 * (padded[4:] - padded[:-4]) + padded[3:-1] - padded[1:-3]) / 10
    return slopes.astype(np.float32)


def _halved(pattern: Rows) -> Rows:
    """Means of pairs of rows: 20 ms each."""
    even = len(pattern) // 2 * 2
    means: Rows = pattern[:even].reshape(-1, 2, pattern.shape[1]).mean(axis=1)
    return means


# Moves on the grid: on in both, on in the new recording only, on in the known one only.
_BOTH, _NEW, _KNOWN = 0, 1, 2


class _Alignment:
    """The new pattern (``i`` counts its rows) warped onto each known one (``j``), all at once.

    A step on in both costs the distance twice, the others once (Sakoe and Chiba's symmetric form), so
    every path weighs ``rows of one + rows of the other`` and the mean is comparable between lengths.
    """

    def __init__(self, new: Rows, known: Sequence[Rows], *, traced: bool = False) -> None:
        self._lengths = [len(pattern) for pattern in known]
        count, width, height = len(known), len(new), max(self._lengths)
        stacked = np.zeros((count, height, new.shape[1]), dtype=np.float32)
        for place, pattern in enumerate(known):
            stacked[place, : len(pattern)] = pattern
        squares = (stacked**2).sum(axis=2)[:, :, None] + (new**2).sum(axis=1)
        self._costs = np.maximum(squares - 2 * (stacked @ new.T), 0) / new.shape[1]  # [known, j, i]
        self._moves = np.zeros((height + width - 1, count, width) if traced else (0, 0, 0), dtype=np.int8)
        self._width = width
        self.distances: Rows = np.full(count, np.inf, dtype=np.float32)
        """Mean distance along the best path, per known pattern."""
        self._fill(count, width, height)

    def _fill(self, count: int, width: int, height: int) -> None:
        flat = self._costs.reshape(count, height * width)
        # Column i + 1 holds row i; column 0 is the border outside the grid.
        two_back = np.full((count, width + 1), np.inf, dtype=np.float32)
        one_back = two_back.copy()
        ends: dict[int, list[int]] = {}
        for place, length in enumerate(self._lengths):
            ends.setdefault(length + width - 2, []).append(place)
        for diagonal in range(height + width - 1):
            low, high = max(0, diagonal - height + 1), min(width - 1, diagonal)
            # Cell (i, diagonal - i) lies at (diagonal - i) * width + i: a regular stride, so no copy.
            first = diagonal * width - low * (width - 1)
            cells = flat[:, first - np.arange(high - low + 1) * (width - 1)]
            both = two_back[:, low : high + 1] + 2 * cells
            new_only = one_back[:, low : high + 1] + cells
            known_only = one_back[:, low + 1 : high + 2] + cells
            best = np.minimum(np.minimum(both, new_only), known_only)
            if diagonal == 0:
                best = 2 * cells
            elif len(self._moves):
                moves = self._moves[diagonal, :, low : high + 1]
                moves[new_only <= known_only] = _NEW
                moves[known_only < new_only] = _KNOWN
                moves[both <= best] = _BOTH
            two_back, one_back = one_back, two_back
            one_back.fill(np.inf)
            one_back[:, low + 1 : high + 2] = best
            for place in ends.get(diagonal, ()):
                self.distances[place] = one_back[place, width] / (self._lengths[place] + width)

    def worst_stretch(self, place: int) -> float:
        """Mean distance over the worst 20 steps of the path onto known pattern ``place``, waits paid."""
        i, j = self._width - 1, self._lengths[place] - 1
        path = []
        while i > 0 or j > 0:
            move = self._moves[i + j, place, i]
            path.append(float(self._costs[place, j, i]) + (0.0 if move == _BOTH else _WAIT_COST))
            i -= move != _KNOWN
            j -= move != _NEW
        path.append(float(self._costs[place, 0, 0]))
        steps = min(_STRETCH_STEPS, len(path))
        return float(np.convolve(path, np.full(steps, 1 / steps), mode="valid").max())
