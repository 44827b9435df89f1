"""The clock of all calls: no drift, no bursts, one fault stays one fault.

Time is a twin: an event loop whose clock is moved by the test, so no test waits.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence

import pytest

from audio.ear import Ear
from audio.endpointing import TurnTiming
from audio.pcm import SILENCE_FRAME
from audio.playback import Playback
from audio.vad import EnergyDetector, Samples
from telephony.line import Line
from telephony.metronome import GATHER_FROM, Metronome


class HandWoundLoop(asyncio.SelectorEventLoop):
    """An event loop that believes the clock it is given."""

    now_s = 1000.0

    def time(self) -> float:
        return self.now_s

    def advance(self, seconds: float, step_s: float = 0.001) -> None:
        """Let ``seconds`` pass, evenly."""
        end_s = self.now_s + seconds
        while self.now_s < end_s - 1e-9:
            self.now_s += min(step_s, end_s - self.now_s)
            self.turn()

    def stall(self, seconds: float) -> None:
        """Let ``seconds`` pass while the loop does not run."""
        self.now_s += seconds
        self.turn()

    def turn(self) -> None:
        """Run what is due."""
        for _ in range(3):
            self.call_soon(self.stop)
            self.run_forever()

    def within(self, action: Callable[[], object]) -> None:
        """Run ``action`` as the loop's own callback."""
        self.call_soon(action)
        self.turn()


@pytest.fixture(name="loop")
def hand_wound_loop() -> Iterator[HandWoundLoop]:
    loop = HandWoundLoop()
    yield loop
    loop.close()


def never(error: Exception) -> None:
    raise AssertionError("dropped") from error


def test_a_callback_is_called_once_per_tick(loop: HandWoundLoop) -> None:
    metronome, ticks_s = Metronome(), list[float]()
    loop.within(lambda: metronome.add(lambda: ticks_s.append(loop.time()), never))
    loop.advance(0.1005)
    assert ticks_s == pytest.approx([1000.02, 1000.04, 1000.06, 1000.08, 1000.1], abs=0.0011)


def test_a_minute_of_late_wake_ups_does_not_add_up(loop: HandWoundLoop) -> None:
    metronome, ticks = Metronome(), list[float]()
    loop.within(lambda: metronome.add(lambda: ticks.append(loop.time()), never))
    # The loop looks at its clock every 13.5 ms only, so nearly every tick is late, by up to that.
    loop.advance(60.0, step_s=0.0135)
    assert len(ticks) == pytest.approx(3000, abs=1)
    assert metronome.late_ticks == 0


def test_after_a_stall_ticks_are_skipped_and_counted_not_made_up_for(loop: HandWoundLoop) -> None:
    metronome, ticks = Metronome(), list[float]()
    loop.within(lambda: metronome.add(lambda: ticks.append(loop.time()), never))
    loop.advance(0.0405)
    assert len(ticks) == 2
    loop.stall(0.1)  # five ticks were due
    assert len(ticks) == 3
    assert metronome.late_ticks == 4
    loop.advance(0.0199)
    assert len(ticks) == 4
    assert ticks[-1] == pytest.approx(1000.16, abs=0.0011)  # back on the first schedule


def test_a_callback_that_raises_is_dropped_and_told_and_the_others_go_on(
    loop: HandWoundLoop, caplog: pytest.LogCaptureFixture
) -> None:
    metronome, told, ticks = Metronome(), list[Exception](), list[float]()

    def fault() -> None:
        raise KeyError("a bug in one call")

    def start() -> None:
        metronome.add(fault, told.append)
        metronome.add(lambda: ticks.append(loop.time()), never)

    loop.within(start)
    loop.advance(0.0605)
    assert len(ticks) == 3
    assert [type(error) for error in told] == [KeyError]
    assert len(metronome) == 1
    assert [record.message for record in caplog.records] == ["metronome.dropped"]


def test_a_callback_removed_within_a_tick_is_not_called_any_more(loop: HandWoundLoop) -> None:
    metronome, called = Metronome(), list[str]()

    def start() -> None:
        def first() -> None:
            called.append("first")
            metronome.remove(second)

        metronome.add(first, never)
        second = metronome.add(lambda: called.append("second"), never)

    loop.within(start)
    loop.advance(0.0405)
    assert called == ["first", "first"]


def test_without_callbacks_there_is_no_timer_and_the_schedule_begins_anew(loop: HandWoundLoop) -> None:
    metronome, ticks = Metronome(), list[float]()

    def again() -> None:
        beat = metronome.add(lambda: ticks.append(loop.time()), never)
        metronome.remove(beat)
        metronome.remove(beat)

    loop.within(again)
    loop.advance(0.5, step_s=0.1)
    assert ticks == []
    assert len(metronome) == 0
    loop.within(lambda: metronome.add(lambda: ticks.append(loop.time()), never))
    loop.advance(0.0205)
    assert len(ticks) == 1
    assert metronome.late_ticks == 0


def test_a_tick_may_be_shorter_than_the_sound_it_stands_for(loop: HandWoundLoop) -> None:
    metronome, ticks = Metronome(tick_ms=2), list[float]()
    loop.within(lambda: metronome.add(lambda: ticks.append(loop.time()), never))
    loop.advance(0.0201)
    assert len(ticks) == 10


def test_what_is_gathered_is_done_before_the_callbacks_of_the_next_tick(loop: HandWoundLoop) -> None:
    metronome, order = Metronome(), list[str]()

    def start() -> None:
        for _ in range(GATHER_FROM):
            metronome.add(lambda: order.append("tick"), never)

    loop.within(start)
    loop.advance(0.015)
    loop.within(lambda: metronome.soon(lambda: order.append("gathered")))
    assert order == []
    loop.advance(0.0055)
    assert order == ["gathered", *["tick"] * GATHER_FROM]
    loop.advance(0.015)
    assert order.count("gathered") == 1


def test_nothing_is_gathered_for_longer_than_eight_milliseconds(loop: HandWoundLoop) -> None:
    metronome, done_s = Metronome(), list[float]()

    def start() -> None:
        for _ in range(GATHER_FROM):
            metronome.add(lambda: None, never)
        metronome.soon(lambda: done_s.append(loop.time()))

    loop.within(start)
    loop.advance(0.019)
    assert done_s == pytest.approx([1000.008], abs=0.0011)


def test_a_few_calls_do_not_wait_for_company(loop: HandWoundLoop) -> None:
    metronome, done = Metronome(), list[str]()

    def start() -> None:
        metronome.add(lambda: None, never)
        metronome.soon(lambda: done.append("at once"))

    loop.within(start)
    assert done == ["at once"]


def test_a_hundred_calls_ask_for_one_inference_a_gathering(loop: HandWoundLoop) -> None:
    metronome, detector = Metronome(), EnergyDetector()
    batches: list[int] = []
    infer = detector.infer_batch

    def counted(windows: Samples, memories: Sequence[None]) -> Sequence[float]:
        batches.append(len(windows))
        return infer(windows, memories)

    detector.infer_batch = counted  # type: ignore[method-assign]  # only to count
    detector.gather_with(metronome.soon)
    lines = [Line(Ear(detector, TurnTiming()), Playback()) for _ in range(100)]

    def frame_of_every_call() -> None:
        for line in lines:
            line.audio_in(SILENCE_FRAME)

    def start() -> None:
        for line in lines:
            metronome.add(lambda line=line: line.next_frame(), never)  # type: ignore[misc]  # a loop's own line

    loop.within(start)
    for _ in range(50):
        loop.within(frame_of_every_call)
        loop.advance(0.02)
    assert sum(batches) == 100 * (1000 // 32)
    assert len(batches) <= 50


@pytest.mark.parametrize("tick_ms", [0, -20])
def test_a_tick_takes_time(tick_ms: int) -> None:
    with pytest.raises(ValueError, match="a tick of"):
        Metronome(tick_ms)
