import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.likeness import NEAREST, Gallery, _Alignment
from tests.audio.wear import Sound, pcm_of

Rows = np.ndarray[tuple[int, int], np.dtype[np.float32]]


def vowels(*hertz: tuple[float, float], ms: int = 200) -> Sound:
    """Sounds of two resonances, each swelling and fading: as much speech as this module needs."""
    time = np.arange(ms * 8) / 8000
    buzz = sum(np.sin(2 * np.pi * 120 * harmonic * time + harmonic) for harmonic in range(1, 30))
    spectrum_hz = np.fft.rfftfreq(len(time), 1 / 8000)
    parts = []
    for low, high in hertz:
        shape = sum(1 / (1 + ((spectrum_hz - peak) / 80) ** 2) for peak in (low, high))
        swell = np.sin(np.pi * time * 1000 / ms) + 0.02
        parts.append(swell * np.fft.irfft(np.fft.rfft(buzz) * shape, len(time)))
    sound: Sound = np.concatenate(parts)
    loudest = float(np.abs(sound).max())
    return sound * (12000 / loudest)


A, I, U, O = (750, 1300), (300, 2300), (300, 800), (450, 850)  # noqa: E741  # vowels have these names
WORDS = [vowels(A, I, U), vowels(A, O, U), vowels(I, A, I, O), vowels(U, O, A, I, A)]


def gallery() -> Gallery:
    return Gallery([pcm_of(word) for word in WORDS])


@pytest.mark.parametrize("number", range(len(WORDS)))
def test_a_recording_is_most_like_itself(number: int) -> None:
    best = gallery().compare(pcm_of(WORDS[number]))[0]
    assert best.index == number
    assert best.worst == pytest.approx(0, abs=1e-4)


def test_loudness_and_silence_around_or_within_change_nothing() -> None:
    pause = np.zeros(4000)
    word = WORDS[2]
    changed = np.concatenate([pause, word[:3200], pause, word[3200:], pause]) / 5
    best = gallery().compare(pcm_of(changed))[0]
    assert best.index == 2
    assert best.worst < 0.3


def test_one_other_vowel_shows_in_the_worst_stretch_more_than_in_the_mean() -> None:
    found = Gallery([pcm_of(vowels(A, I, U, O, A, I, U, O))]).compare(pcm_of(vowels(A, I, U, O, I, I, U, O)))[
        0
    ]
    assert found.worst > 3 * found.distance


def test_a_vowel_too_many_or_too_few_shows_as_well() -> None:
    known = Gallery([pcm_of(vowels(A, I, U, O, A, I, U))])
    for other in (vowels(A, I, U, O, A, I, U, A), vowels(A, I, U, O, A, I)):
        assert known.compare(pcm_of(other))[0].worst > 0.6


@pytest.mark.parametrize("silence", [b"", b"\0\0", bytes(160), bytes(16000)])
def test_silence_is_like_nothing(silence: bytes) -> None:
    assert gallery().compare(silence) == []


def test_what_is_much_longer_than_anything_known_is_like_nothing() -> None:
    assert gallery().compare(pcm_of(np.concatenate(WORDS * 2))) == []


def test_at_most_five_are_returned_most_like_first() -> None:
    family = [pcm_of(vowels(A, (400 + 60 * step, 1500), U)) for step in range(9)]
    found = Gallery(family).compare(family[4])
    assert found[0].index == 4
    assert len(found) == NEAREST
    assert [likeness.worst for likeness in found] == sorted(likeness.worst for likeness in found)


def test_a_recording_without_speech_cannot_be_known() -> None:
    with pytest.raises(ValueError, match="recording 1 holds no speech"):
        Gallery([pcm_of(WORDS[0]), bytes(16000)])


def _by_the_book(new: Rows, known: Rows) -> float:
    """Sakoe and Chiba's symmetric warping, cell by cell."""
    best = np.full((len(new), len(known)), np.inf)
    for i in range(len(new)):
        for j in range(len(known)):
            cost = float(((new[i] - known[j]) ** 2).mean())
            if i == j == 0:
                best[i, j] = 2 * cost
                continue
            best[i, j] = min(
                best[i - 1, j - 1] + 2 * cost if i and j else np.inf,
                best[i - 1, j] + cost if i else np.inf,
                best[i, j - 1] + cost if j else np.inf,
            )
    return float(best[-1, -1]) / (len(new) + len(known))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.lists(st.integers(1, 12), min_size=1, max_size=4), st.integers(0, 2**32 - 1))
def test_all_alignments_at_once_equal_each_one_alone(length: int, lengths: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    new = rng.standard_normal((length, 3)).astype(np.float32)
    known = [rng.standard_normal((rows, 3)).astype(np.float32) for rows in lengths]
    alignment = _Alignment(new, known, traced=True)
    for place, pattern in enumerate(known):
        assert alignment.distances[place] == pytest.approx(_by_the_book(new, pattern), rel=1e-3, abs=1e-4)
        assert alignment.worst_stretch(place) >= 0
