"""Limits hold, count every call once, and let people ring when nothing can be counted."""

import pytest

from memory.counters import CountersAway, MemoryCounters, pseudonym
from memory.limits import DAY_S, HOUR_S, Limits, Over, Rules

CALLER = "0612345678"
SECRET = b"s" * 32


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def limits(rules: Rules, clock: Clock | None = None) -> Limits:
    return Limits(MemoryCounters(clock or Clock()), rules, SECRET)


async def test_a_caller_may_ring_so_often_an_hour_and_then_again() -> None:
    clock = Clock()
    line = limits(Rules(calls_of_caller_an_hour=2), clock)
    assert await line.admit("1", CALLER) is None
    clock.now_s += HOUR_S / 2
    assert await line.admit("2", CALLER) is None
    assert await line.admit("3", CALLER) is Over.CALLS_OF_CALLER
    assert await line.admit("4", "0687654321") is None, "another caller"
    clock.now_s += HOUR_S / 2 + 1
    assert await line.admit("5", CALLER) is Over.CALLS_OF_CALLER, (
        "two of the last hour, this one, and the one refused"
    )
    clock.now_s += HOUR_S + 1
    assert await line.admit("6", CALLER) is None


async def test_a_call_that_goes_on_in_another_worker_is_counted_once() -> None:
    counters = MemoryCounters(Clock())
    first = Limits(counters, Rules(calls_of_caller_an_hour=1, calls_at_once=1), SECRET)
    second = Limits(counters, Rules(calls_of_caller_an_hour=1, calls_at_once=1), SECRET)
    assert await first.admit("1", CALLER) is None
    assert await second.admit("1", CALLER) is None


async def test_callers_who_hide_their_number_are_not_taken_for_one() -> None:
    line = limits(Rules(calls_of_caller_an_hour=1))
    for call_id in "abc":
        assert await line.admit(call_id, "") is None


async def test_so_many_calls_at_once_and_a_place_is_free_when_one_ends() -> None:
    line = limits(Rules(calls_at_once=2))
    assert [await line.admit(call_id, "") for call_id in "abc"] == [None, None, Over.CALLS_AT_ONCE]
    await line.leave("a")
    await line.leave("a")
    assert await line.admit("c", "") is None
    assert await line.admit("d", "") is Over.CALLS_AT_ONCE


async def test_the_place_of_a_call_whose_worker_died_is_free_in_the_end() -> None:
    clock = Clock()
    line = limits(Rules(calls_at_once=1, longest_call_s=600), clock)
    assert await line.admit("a", "") is None
    clock.now_s += 601
    assert await line.admit("b", "") is None


async def test_a_call_and_a_day_may_cost_so_much() -> None:
    clock = Clock()
    line = limits(Rules(cost_of_call_cents=10, cost_of_day_cents=25), clock)
    assert await line.spend("a", 9.5) is None
    assert await line.spend("a", 0.5) is Over.COST_OF_CALL
    assert await line.spend("b", 9.999) is None
    assert await line.spend("c", 5.001) is Over.COST_OF_DAY
    assert await line.admit("d", "") is Over.COST_OF_DAY
    clock.now_s += DAY_S * 1.05
    assert await line.admit("d", "") is None


async def test_without_limits_nothing_is_refused() -> None:
    line = limits(Rules(calls_of_caller_an_hour=0))
    for at in range(50):
        assert await line.admit(str(at), CALLER) is None
        assert await line.spend(str(at), 1e6) is None


class AwayCounters(MemoryCounters):
    """Counts nothing."""

    async def mark(self, key: str, window_s: float, mark: str = "") -> int:
        raise CountersAway("away")

    async def take_place(self, key: str, who: str, places: int, lease_s: float) -> bool:
        raise CountersAway("away")

    async def give_back(self, key: str, who: str) -> None:
        raise CountersAway("away")

    async def add(self, key: str, amount: int, window_s: float) -> int:
        raise CountersAway("away")


async def test_when_nothing_can_be_counted_people_are_answered_all_the_same() -> None:
    rules = Rules(calls_of_caller_an_hour=1, calls_at_once=1, cost_of_call_cents=5, cost_of_day_cents=5)
    line = Limits(AwayCounters(), rules, SECRET)
    for call_id in "abc":
        assert await line.admit(call_id, CALLER) is None
        await line.leave(call_id)
    assert await line.spend("d", 4) is None
    assert await line.spend("d", 4) is Over.COST_OF_CALL, "what one call costs is known without a store"


async def test_what_is_counted_of_a_caller_can_be_forgotten() -> None:
    line = limits(Rules(calls_of_caller_an_hour=1))
    await line.admit("1", CALLER)
    assert await line.forget_caller(CALLER)
    assert not await line.forget_caller(CALLER)
    assert await line.admit("2", CALLER) is None


def test_a_pseudonym_is_the_same_for_the_same_secret_only() -> None:
    assert pseudonym(SECRET, "caller", CALLER) == pseudonym(SECRET, "caller", CALLER)
    others = {pseudonym(b"t" * 32, "caller", CALLER), pseudonym(SECRET, "customer", CALLER)}
    assert pseudonym(SECRET, "caller", CALLER) not in others
    assert CALLER not in pseudonym(SECRET, "caller", CALLER)


@pytest.mark.parametrize("window_s", [60.0, DAY_S])
async def test_a_meter_forgets_its_oldest_part_as_a_whole(window_s: float) -> None:
    clock = Clock()
    clock.now_s = 0
    counters = MemoryCounters(clock)
    assert await counters.add("m", 5, window_s) == 5
    clock.now_s = window_s * 0.9
    assert await counters.add("m", 7, window_s) == 12
    clock.now_s = window_s * 1.01
    assert await counters.add("m", 0, window_s) == 7
