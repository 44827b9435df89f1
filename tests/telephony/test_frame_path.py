"""What a frame may cost: no task, no timer, nothing that stays; and one inference for all calls.

Counts, not times: processor time is measured by bench/calls.py.
"""

import asyncio
import gc
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

from audio.ear import Ear
from audio.endpointing import TurnTiming
from audio.pcm import FRAME_MS, SILENCE_FRAME
from audio.playback import Playback
from audio.providers.silero_vad import SileroVad
from audio.vad import EnergyDetector
from telephony.line import Line
from tests.telephony.phone import LOUD_FRAME

SECOND = 1000 // FRAME_MS


class Grown:
    """How many bytes more there are than before."""

    bytes = 0


@contextmanager
def traced() -> Iterator[Grown]:
    grown = Grown()
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    yield grown
    gc.collect()
    grown.bytes = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()


def pass_frames(line: Line, count: int, frame: bytes = SILENCE_FRAME) -> None:
    for _ in range(count):
        line.audio_in(frame)
        line.next_frame()


def forget_events(line: Line) -> None:
    """As the session reads them."""
    while not line.events.empty():
        line.events.get_nowait()


def test_frames_pass_without_an_event_loop_so_there_is_neither_task_nor_timer_for_any_of_them() -> None:
    line = Line(Ear(EnergyDetector(), TurnTiming()), Playback())
    pass_frames(line, 20, LOUD_FRAME)
    pass_frames(line, 2 * SECOND)
    assert not line.events.empty()


async def test_a_hundred_calls_of_a_second_leave_one_task_running() -> None:
    detector = EnergyDetector()
    for _ in range(100):
        pass_frames(Line(Ear(detector, TurnTiming()), Playback()), SECOND)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_two_minutes_of_turns_leave_nothing_behind() -> None:
    line = Line(Ear(EnergyDetector(), TurnTiming()), Playback())

    def turns(seconds: int) -> None:
        for _ in range(seconds // 4):
            pass_frames(line, SECOND, LOUD_FRAME)
            pass_frames(line, 3 * SECOND)
            forget_events(line)

    turns(8)
    with traced() as grown:
        turns(120)
    assert grown.bytes < 40_000  # the look-back may be a second longer than it was before


def test_a_call_keeps_less_than_a_hundred_kilobytes_of_sound_and_memory() -> None:
    detector = SileroVad()
    detector.gather_with(lambda judge: None)
    lines: list[Line] = []
    with traced() as grown:
        lines += [Line(Ear(detector, TurnTiming()), Playback()) for _ in range(50)]
        for _ in range(5 * SECOND):
            for line in lines:
                pass_frames(line, 1)
            detector.judge()
    assert grown.bytes / len(lines) < 100_000


def test_a_call_that_is_over_leaves_the_detector() -> None:
    detector = EnergyDetector()
    detector.gather_with(lambda judge: None)
    gone = Line(Ear(detector, TurnTiming()), Playback())
    pass_frames(gone, 2)  # a window waits
    del gone
    detector.judge()
    assert detector._waiting == []
