"""The energy detector, twin of the real voice detector."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.pcm import BYTES_PER_MS
from audio.vad import WINDOW_MS, EnergyDetector, VoiceDetector, VoiceStream


def tone(ms: int, rms: float) -> bytes:
    t = np.arange(ms * BYTES_PER_MS // 2) / 8000
    return bytes((rms * np.sqrt(2) * np.sin(2 * np.pi * 500 * t)).astype("<i2").tobytes())


STORY = bytes(96 * BYTES_PER_MS) + tone(64, 2000) + tone(64, 100) + tone(50, 2000)


def test_what_is_loud_is_speech() -> None:
    detector: VoiceDetector = EnergyDetector(threshold_rms=500)
    stream: VoiceStream = detector.open()
    assert detector.window_ms == WINDOW_MS == 32
    assert list(stream.hear(STORY)) == [0, 0, 0, 1, 1, 0, 0, 1]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 700), max_size=12))
def test_sound_cut_anywhere_is_judged_the_same(cuts: list[int]) -> None:
    stream = EnergyDetector().open()
    places = [0, *sorted(2 * cut for cut in cuts), len(STORY)]
    heard = [p for start, end in pairwise(places) for p in stream.hear(STORY[start:end])]
    assert heard == list(EnergyDetector().open().hear(STORY))


def test_a_reset_forgets_the_started_window() -> None:
    stream = EnergyDetector().open()
    stream.hear(tone(31, 2000))
    stream.reset()
    assert list(stream.hear(bytes(BYTES_PER_MS))) == []
    assert list(stream.hear(bytes(31 * BYTES_PER_MS))) == [0]


def test_two_streams_do_not_hear_each_other() -> None:
    detector = EnergyDetector()
    one, other = detector.open(), detector.open()
    one.hear(tone(31, 2000))
    assert list(other.hear(bytes(BYTES_PER_MS))) == []
