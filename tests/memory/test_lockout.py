"""Attempts are counted per subject within a sliding day."""

import asyncio
from datetime import UTC, datetime, timedelta

from memory.lockout import WINDOW, MemoryLockout


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


async def test_attempts_are_counted_for_each_subject_alone() -> None:
    lockout = MemoryLockout(Clock())
    assert [await lockout.attempt("a") for _ in range(3)] == [1, 2, 3]
    assert await lockout.attempt("b") == 1


async def test_an_attempt_that_is_taken_back_was_none() -> None:
    lockout = MemoryLockout(Clock())
    await lockout.attempt("a")
    await lockout.attempt("a")
    await lockout.take_back("a")
    assert await lockout.attempt("a") == 2


async def test_taking_back_what_was_never_counted_changes_nothing() -> None:
    lockout = MemoryLockout(Clock())
    await lockout.take_back("a")
    assert await lockout.attempt("a") == 1


async def test_the_window_slides_with_each_attempt() -> None:
    clock = Clock()
    lockout = MemoryLockout(clock)
    await lockout.attempt("a")
    clock.now += timedelta(hours=12)
    await lockout.attempt("a")
    clock.now += timedelta(hours=11, minutes=59)
    assert await lockout.attempt("a") == 3
    clock.now += timedelta(minutes=1)
    assert await lockout.attempt("a") == 3, "the first one is a day old"


async def test_what_has_left_the_window_is_not_kept() -> None:
    clock = Clock()
    lockout = MemoryLockout(clock)
    for number in range(100):
        await lockout.attempt(str(number))
    clock.now += WINDOW
    await lockout.attempt("a")
    assert set(lockout._attempts) == {"a"}


async def test_calls_at_the_same_time_do_not_share_a_count() -> None:
    lockout = MemoryLockout(Clock())
    counts = await asyncio.gather(*(lockout.attempt("a") for _ in range(10)))
    assert sorted(counts) == list(range(1, 11))
