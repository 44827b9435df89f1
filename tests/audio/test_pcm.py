"""Sound arithmetic: lengths, frames, and a resampler that keeps what a telephone can carry."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.pcm import (
    BYTES_PER_MS,
    FRAME_BYTES,
    FRAME_MS,
    SAMPLE_RATE_HZ,
    SILENCE_FRAME,
    duration_ms,
    frames,
    resample,
    smooth,
)


def tone(hz: float, rate_hz: int, seconds: float = 0.5, level: float = 8000.0) -> bytes:
    t = np.arange(int(rate_hz * seconds)) / rate_hz
    return np.rint(level * np.sin(2 * np.pi * hz * t)).astype("<i2").tobytes()


def middle(pcm: bytes) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The samples without the first and the last fifth, where a sound that begins abruptly rings."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    return samples[len(samples) // 5 : -(len(samples) // 5)]


def test_a_frame_is_twenty_milliseconds_of_sixteen_bit_samples() -> None:
    assert SAMPLE_RATE_HZ * FRAME_MS // 1000 * 2 == FRAME_BYTES == len(SILENCE_FRAME) == 320
    assert duration_ms(SILENCE_FRAME) == FRAME_MS
    assert BYTES_PER_MS == 16


@pytest.mark.parametrize(("length", "ms"), [(0, 0), (1, 0), (15, 0), (16, 1), (31, 1), (16_000, 1000)])
def test_a_duration_counts_whole_milliseconds(length: int, ms: int) -> None:
    assert duration_ms(bytes(length)) == ms


def test_frames_hold_every_byte_in_order() -> None:
    pcm = bytes(range(1, 201)) * 5
    cut = list(frames(pcm))
    assert [len(frame) for frame in cut] == [320, 320, 320, 320]
    assert b"".join(cut) == pcm + bytes(280)


def test_no_sound_has_no_frames() -> None:
    assert list(frames(b"")) == []


@pytest.mark.parametrize(("from_hz", "to_hz"), [(22050, 8000), (16000, 8000), (8000, 16000), (44100, 8000)])
def test_a_tone_keeps_its_pitch_level_and_phase(from_hz: int, to_hz: int) -> None:
    moved = middle(resample(tone(1000, from_hz), from_hz, to_hz))
    straight = middle(tone(1000, to_hz))
    assert len(moved) == len(straight)
    assert np.max(np.abs(moved - straight)) < 8000 * 0.005


@pytest.mark.parametrize("hz", [300, 1000, 2000, 3400])
def test_the_telephone_band_comes_down_from_a_voice_unharmed(hz: int) -> None:
    level = np.sqrt(np.mean(middle(resample(tone(hz, 22050), 22050, 8000)) ** 2))
    assert level == pytest.approx(8000 / np.sqrt(2), rel=0.01)


@pytest.mark.parametrize("hz", [4200, 5000, 7000, 10000])
def test_what_a_telephone_cannot_carry_does_not_fold_back(hz: int) -> None:
    level = np.sqrt(np.mean(middle(resample(tone(hz, 22050), 22050, 8000)) ** 2))
    assert level < 8000 * 0.001  # 60 dB down


def test_the_end_does_not_leak_into_the_start() -> None:
    quiet_then_loud = bytes(2 * 22050) + tone(440, 22050)
    start = np.frombuffer(resample(quiet_then_loud, 22050, 8000), "<i2")[:800]
    assert np.max(np.abs(start)) <= 8


def test_loud_sound_is_clipped_and_never_wraps() -> None:
    square = np.where(np.arange(22050) % 220 < 110, 32767, -32768).astype("<i2").tobytes()
    samples = np.frombuffer(resample(square, 22050, 8000), "<i2")
    assert samples.max() == 32767
    assert samples.min() == -32768
    # One change of sign per edge: a peak that wrapped around would add two.
    assert np.count_nonzero(np.diff(np.sign(samples))) == 22050 // 110


def test_the_same_rate_and_no_sound_are_left_alone() -> None:
    pcm = tone(440, 8000)
    assert resample(pcm, 8000, 8000) == pcm
    assert resample(b"", 22050, 8000) == b""


@settings(max_examples=40, deadline=None)
@given(
    samples=st.integers(1, 3000),
    from_hz=st.sampled_from([8000, 11025, 16000, 22050, 24000, 48000]),
    to_hz=st.sampled_from([8000, 16000, 22050]),
)
def test_the_length_follows_the_rates(samples: int, from_hz: int, to_hz: int) -> None:
    moved = resample(bytes(2 * samples), from_hz, to_hz)
    assert len(moved) == 2 * -(-samples * to_hz // from_hz)
    assert not any(moved)


def is_smooth(number: int) -> bool:
    for prime in (2, 3, 5):
        while number % prime == 0:
            number //= prime
    return number == 1


@given(st.integers(1, 5000))
def test_a_fast_length_is_the_next_with_no_prime_factor_above_five(at_least: int) -> None:
    assert smooth(at_least) == next(number for number in range(at_least, 10_000) if is_smooth(number))


@pytest.mark.parametrize("blocks", [211, 223, 227])
def test_sound_of_an_awkward_length_is_padded_and_keeps_its_end(blocks: int) -> None:
    seconds = blocks * 441 / 22050
    moved = np.frombuffer(resample(tone(1000, 22050, seconds), 22050, 8000), "<i2")
    straight = np.frombuffer(tone(1000, 8000, seconds), "<i2")
    assert len(moved) == len(straight)
    assert np.max(np.abs(moved[400:-400].astype(int) - straight[400:-400])) < 8000 * 0.005


@pytest.mark.parametrize(
    ("pcm", "from_hz", "to_hz"), [(b"abc", 22050, 8000), (b"ab", 0, 8000), (b"ab", 8000, -1)]
)
def test_half_a_sample_or_no_rate_is_refused(pcm: bytes, from_hz: int, to_hz: int) -> None:
    with pytest.raises(ValueError, match="sample"):
        resample(pcm, from_hz, to_hz)
