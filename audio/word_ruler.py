"""How far a voice had come in a sentence when it fell silent, in words.

When a voice breaks off within a sentence the next one is to go on where it stopped. All that is known is the
text and the sound made so far. Counting sound against the sentence's length needs the voice's pace, which
differs from voice to voice and within a sentence (pauses at commas). So the local voice, which makes any
sentence in some milliseconds and knows where each word begins, speaks the same text, and the broken sound is
laid over it.

Theory of operation
===================

Forced alignment by synthesis, as in aeneas (A. Pettarin), with the end left open:

1. Both sounds become rows of 20 ms: the logarithm of 20 mel bands (300 to 3 400 Hz), each band's own mean
   taken out (a voice's colour), and the loudness, which finds the pauses. What is 35 dB under the loudest is
   silence.
2. Dynamic time warping with the start fixed and the end open in the local voice's sound: of the ways to lay
   *all* of the broken sound on a *beginning* of it, the cheapest per step. A step on in both costs the
   distance twice, the others once (Sakoe and Chiba's symmetric form), so that ends are comparable.
3. Voices differ too much for the sound alone to decide: an end is dearer the more it would make one voice
   faster than the other.
4. The word in which that end lies was cut: it is said again. So the seam is a repeated word at worst, never
   a lost one when the estimate is right.

:class:`CharacterRuler` is for machines without a local voice: characters in proportion to time.

Measured with variants of espeak-ng as each other's broken voice, 600 breaks in sentences of the FAQ at 140 to
200 words a minute: the right word in 9 of 10, one word off in the rest but a few, 0.1 on average; characters
in proportion are 1.7 words off. 1.5 ms of processor time a break. Variants of one synthesiser are more alike
than a neural voice and espeak-ng are: expect worse there.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from audio.pcm import BYTES_PER_MS, SAMPLE_RATE_HZ
from audio.tts import Pace, TtsFailed

MS_PER_CHARACTER: Final = 65
"""Spoken French at a calm pace, about 15 characters a second; as in :mod:`audio.playback`."""

ROW_MS: Final = 20

_HOP = ROW_MS * SAMPLE_RATE_HZ // 1000
_WINDOW = 2 * _HOP
_FFT = 512
_BANDS = 20
_BAND_HZ = (300.0, 3400.0)
_FLOOR_DB = -35.0
_LOUDNESS_WEIGHT = 1.5
_PACE_COST = 0.1
"""Per doubling of one voice's pace against the other's, in units of the mean distance of rows."""

Rows = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WordAt:
    """Where one word begins: at which character of the text, and after how much sound."""

    character: int
    ms: int


@dataclass(frozen=True, slots=True)
class TimedSpeech:
    """A sentence with its words' places; sound is signed 16-bit mono at 8 kHz."""

    sound: bytes
    words: tuple[WordAt, ...]


class TimedVoice(Protocol):
    """A voice at hand that knows where its words are."""

    async def timed(self, text: str, pace: Pace = Pace.NORMAL) -> TimedSpeech:
        """``text`` spoken whole. Raises :class:`audio.tts.TtsFailed`."""


class Ruler(Protocol):
    """Measures sound against text."""

    async def length_ms(self, text: str, pace: Pace) -> float:
        """About how long ``text`` takes to say."""

    async def reached(self, text: str, sound: bytes, pace: Pace) -> int:
        """At which character of ``text`` to go on after ``sound`` (8 kHz), which broke off: a word's first.

        ``len(text)`` when all of it was said.
        """


class CharacterRuler:
    """In proportion: every character takes as long as the other."""

    def __init__(self, ms_per_character: float = MS_PER_CHARACTER) -> None:
        self._ms_per_character = ms_per_character

    async def length_ms(self, text: str, pace: Pace) -> float:
        """See :class:`Ruler`."""
        return len(text) * self._ms_per_character / pace.speed

    async def reached(self, text: str, sound: bytes, pace: Pace) -> int:
        """See :class:`Ruler`."""
        said = len(sound) / BYTES_PER_MS / (self._ms_per_character / pace.speed)
        return word_start(text, min(len(text), round(said)))


class AlignedRuler:
    """By what a local voice makes of the same text; in proportion should that voice fail."""

    def __init__(self, voice: TimedVoice) -> None:
        self._voice = voice
        self._otherwise = CharacterRuler()

    async def length_ms(self, text: str, pace: Pace) -> float:
        """See :class:`Ruler`."""
        try:
            return len((await self._voice.timed(text, pace)).sound) / BYTES_PER_MS
        except TtsFailed:
            return await self._otherwise.length_ms(text, pace)

    async def reached(self, text: str, sound: bytes, pace: Pace) -> int:
        """See :class:`Ruler`."""
        try:
            known = await self._voice.timed(text, pace)
        except TtsFailed:
            return await self._otherwise.reached(text, sound, pace)
        end_ms = await asyncio.to_thread(reached_ms, sound, known.sound)
        return word_at(text, known.words, end_ms)


def word_start(text: str, place: int) -> int:
    """The first character of the word of ``text`` in which ``place`` lies, or of the next one."""
    if place >= len(text):
        return len(text)
    starts = [match.start() for match in re.finditer(r"\S+", text[: place + 1])]
    if not text[place].isspace():
        return starts[-1] if starts else 0
    after = re.search(r"\S", text[place:])
    return place + after.start() if after else len(text)


def word_at(text: str, words: Sequence[WordAt], ms: float) -> int:
    """The first character of the word of ``text`` that is being said after ``ms`` of its sound."""
    begun = [word for word in words if word.ms <= ms]
    return word_start(text, begun[-1].character) if begun else 0


def reached_ms(sound: bytes, known: bytes) -> float:
    """Where in ``known``, a whole sentence, ``sound`` ends: a beginning of it, by another voice."""
    new, old = _rows(sound), _rows(known)
    if len(new) == 0 or len(old) == 0:
        return 0.0
    costs = np.sqrt(
        np.maximum((new**2).sum(axis=1)[:, None] + (old**2).sum(axis=1) - 2 * new @ old.T, 0.0) / new.shape[1]
    )
    ends = _open_end_warp(costs)
    steps = len(new) + np.arange(1, len(old) + 1)
    stretch = np.abs(np.log2(np.arange(1, len(old) + 1) / len(new)))
    score = ends / steps + _PACE_COST * costs.mean() * stretch**2
    return float((int(np.argmin(score)) + 1) * ROW_MS)


def _open_end_warp(costs: Rows) -> Rows:
    """The cheapest path from the first cell to each cell of the last row."""
    above = 2 * costs[0, 0] + np.cumsum(costs[0]) - costs[0, 0]
    for cost in costs[1:]:
        best = above + cost
        best[1:] = np.minimum(best[1:], above[:-1] + 2 * cost[1:])
        # Steps along the row: best[j] = min over k <= j of best[k] + sum(cost[k+1..j]).
        along = np.cumsum(cost)
        above = np.minimum.accumulate(best - along) + along
    ends: Rows = above
    return ends


def _mel_bank() -> Rows:
    low_mel, high_mel = (2595 * np.log10(1 + hz / 700) for hz in _BAND_HZ)
    edges_hz = 700 * (10 ** (np.linspace(low_mel, high_mel, _BANDS + 2) / 2595) - 1)
    bins_hz = np.fft.rfftfreq(_FFT, 1 / SAMPLE_RATE_HZ)
    low, middle, high = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    bank: Rows = np.maximum(
        0.0, np.minimum((bins_hz - low) / (middle - low), (high - bins_hz) / (high - middle))
    )
    return bank


_MEL: Final = _mel_bank()
_TAPER: Final = np.hanning(_WINDOW)


def _rows(sound: bytes) -> Rows:
    """Point 1 of the module: one row per 20 ms."""
    samples = np.frombuffer(sound, "<i2").astype(np.float64)
    if len(samples) < _WINDOW or not samples.any():
        return np.zeros((0, _BANDS + 1))
    windows = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP]
    bands = np.abs(np.fft.rfft(windows * _TAPER, _FFT)) ** 2 @ _MEL.T
    energy = bands.sum(axis=1)
    loudest = np.percentile(energy, 95) + 1e-9
    floor = 10 ** (_FLOOR_DB / 10)
    colours = 10 * np.log10(bands / loudest * _BANDS + floor)
    spoken = energy > loudest * 10 ** (_FLOOR_DB / 10)
    mean = colours[spoken].mean(axis=0) if spoken.any() else colours.mean(axis=0)
    loudness = 10 * np.log10(energy / loudest + floor)
    shapes = colours - mean
    scale = shapes[spoken].std() if spoken.any() else 1.0
    return np.hstack([shapes / (scale + 1e-9), _LOUDNESS_WEIGHT * loudness[:, None] / 10.0])
