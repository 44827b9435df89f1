"""The energy detector, twin of the real voice detector."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.pcm import BYTES_PER_MS
from audio.vad import WINDOW_MS, EnergyDetector, Samples, VoiceDetector
from tests.audio.listening import Stream


def tone(ms: int, rms: float) -> bytes:
    t = np.arange(ms * BYTES_PER_MS // 2) / 8000
    return bytes((rms * np.sqrt(2) * np.sin(2 * np.pi * 500 * t)).astype("<i2").tobytes())


STORY = bytes(96 * BYTES_PER_MS) + tone(64, 2000) + tone(64, 100) + tone(50, 2000)


def test_what_is_loud_is_speech() -> None:
    detector: VoiceDetector[None] = EnergyDetector(threshold_rms=500)
    stream = Stream(detector)
    assert detector.window_ms == WINDOW_MS == 32
    assert list(stream.hear(STORY)) == [0, 0, 0, 1, 1, 0, 0, 1]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 700), max_size=12))
def test_sound_cut_anywhere_is_judged_the_same(cuts: list[int]) -> None:
    stream = Stream(EnergyDetector())
    places = [0, *sorted(2 * cut for cut in cuts), len(STORY)]
    heard = [p for start, end in pairwise(places) for p in stream.hear(STORY[start:end])]
    assert heard == list(Stream(EnergyDetector()).hear(STORY))


def test_a_reset_forgets_the_started_window() -> None:
    stream = Stream(EnergyDetector())
    stream.hear(tone(31, 2000))
    stream.reset()
    assert list(stream.hear(bytes(BYTES_PER_MS))) == []
    assert list(stream.hear(bytes(31 * BYTES_PER_MS))) == [0]


def test_two_streams_do_not_hear_each_other() -> None:
    detector = EnergyDetector()
    one, other = Stream(detector), Stream(detector)
    one.hear(tone(31, 2000))
    assert list(other.hear(bytes(BYTES_PER_MS))) == []


# all calls together


class Counting(EnergyDetector):
    """Remembers how many windows came in each batch."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []
        self.asked = 0
        self.gather_with(self._ask)

    def _ask(self, judge: Callable[[], None]) -> None:
        self.asked += 1

    def infer_batch(self, windows: Samples, memories: Sequence[None]) -> Sequence[float]:
        self.batches.append(len(windows))
        return super().infer_batch(windows, memories)


def test_the_windows_of_a_hundred_calls_are_judged_in_one_batch() -> None:
    detector = Counting()
    calls = [Stream(detector) for _ in range(100)]
    for number, call in enumerate(calls):
        call.hear(tone(32, 2000 if number % 2 else 100))
    assert detector.asked == 1
    assert detector.batches == []
    detector.judge()
    assert detector.batches == [100]
    assert [call.judged for call in calls] == [[0.0], [1.0]] * 50


def test_with_nothing_waiting_nothing_is_judged_nor_asked_for() -> None:
    detector = Counting()
    Stream(detector).hear(tone(31, 2000))
    detector.judge()
    assert (detector.asked, detector.batches) == (0, [])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 700), st.booleans()), max_size=12))
def test_whenever_windows_are_judged_they_are_judged_the_same_and_in_order(
    cuts: list[tuple[int, bool]],
) -> None:
    detector = Counting()
    stream = Stream(detector)
    place = 0
    for cut, judged_now in sorted(cuts):
        stream.hear(STORY[place : 2 * cut])
        place = 2 * cut
        if judged_now:
            detector.judge()
    stream.hear(STORY[place:])
    detector.judge()
    assert stream.judged == Stream(EnergyDetector()).hear(STORY)


def test_a_reset_judges_the_window_that_waits_first() -> None:
    detector = Counting()
    stream = Stream(detector)
    stream.hear(tone(40, 2000))
    stream.reset()
    assert stream.judged == [1.0]
    detector.judge()
    assert stream.judged == [1.0]


def test_a_fault_in_one_call_does_not_reach_the_others_and_is_raised_when_it_next_hears() -> None:
    detector = Counting()

    def faulty(probability: float) -> None:
        raise KeyError("a bug in one call")

    before, broken, after = Stream(detector), detector.open(faulty), Stream(detector)
    window = tone(32, 2000)
    before.hear(window)
    broken.hear(window)
    after.hear(window)
    detector.judge()
    assert (before.judged, after.judged) == ([1.0], [1.0])
    with pytest.raises(KeyError, match="a bug in one call"):
        broken.hear(b"")
    broken.hear(b"")  # told once


def test_after_a_stall_the_windows_of_all_calls_are_caught_up_with_in_rounds() -> None:
    detector = Counting()
    calls = [Stream(detector) for _ in range(3)]
    for number, call in enumerate(calls):
        call.hear(tone(32 * (number + 2), 2000))
    detector.judge()
    assert detector.asked == 1
    assert detector.batches == [3, 3, 2, 1]
    assert [len(call.judged) for call in calls] == [2, 3, 4]


def test_when_the_model_fails_every_call_that_waited_is_told_and_none_stays_deaf() -> None:
    class Broken(Counting):
        broken = True

        def infer_batch(self, windows: Samples, memories: Sequence[None]) -> Sequence[float]:
            if self.broken:
                raise RuntimeError("no memory")
            return super().infer_batch(windows, memories)

    detector = Broken()
    calls = [Stream(detector) for _ in range(2)]
    for call in calls:
        call.hear(tone(64, 2000))
    detector.judge()
    for call in calls:
        with pytest.raises(RuntimeError, match="no memory"):
            call.hear(b"")
    detector.broken = False
    calls[0].hear(tone(32, 2000))
    assert detector.asked == 2
    detector.judge()
    assert calls[0].judged == [1.0]
