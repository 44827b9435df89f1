import numpy as np
import numpy.typing as npt
import pytest

from app.rehearsal.telephone import LineNoise, over_the_telephone
from audio.pcm import FRAME_BYTES


def tone(hertz: float, peak: float = 8000) -> bytes:
    at = np.arange(8000) / 8000
    return np.rint(peak * np.sin(2 * np.pi * hertz * at)).astype("<i2").tobytes()


def rms(pcm: bytes) -> float:
    samples: npt.NDArray[np.float64] = np.frombuffer(pcm, "<i2").astype(np.float64)
    return float(np.sqrt(np.mean(samples**2)))


@pytest.mark.parametrize("hertz", [100, 250, 3500, 3900])
def test_what_lies_outside_the_telephone_band_is_lost(hertz: float) -> None:
    assert rms(over_the_telephone(tone(hertz))) < 0.01 * rms(tone(hertz))


@pytest.mark.parametrize("peak", [300, 3000, 30_000])
def test_a_voice_comes_through_with_the_error_of_eight_bits(peak: float) -> None:
    before = np.frombuffer(tone(1000, peak), "<i2").astype(np.float64)
    after = np.frombuffer(over_the_telephone(tone(1000, peak)), "<i2").astype(np.float64)
    error = np.sqrt(np.mean((after - before) ** 2) / np.mean(before**2))
    assert 0.001 < error < 0.03  # A-law keeps some 36 dB whatever the level; nothing lost would be no A-law


def test_silence_stays_silence() -> None:
    assert rms(over_the_telephone(bytes(3200))) == 0
    assert over_the_telephone(b"") == b""


def test_the_background_is_as_loud_as_it_was_asked_to_be() -> None:
    noise = LineNoise(level_dbfs=-50)
    sound = b"".join(noise() for _ in range(500))
    assert 20 * np.log10(rms(sound) / 32768) == pytest.approx(-50, abs=0.1)


def test_the_background_goes_on_after_its_loop_without_a_click() -> None:
    noise = LineNoise()
    frames = [noise() for _ in range(502)]
    assert frames[500] == frames[0]
    assert {len(frame) for frame in frames} == {FRAME_BYTES}
    seam = np.frombuffer(frames[499] + frames[500], "<i2").astype(np.float64)
    steps = np.abs(np.diff(seam))
    assert steps[159] < 6 * steps.mean()
