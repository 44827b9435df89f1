"""Who is warmed when, and what the breakers learn by it."""

import asyncio

import pytest

from app.watching.warming import FRESH_S, Warming
from audio.stt import SttFailed
from memory.breaker import Breakers, BreakerState, Fault, FaultKind
from telephony.call import Call, CallId, HungUp
from telephony.journal import CallEnded, CallStarted
from tests.app.office import Clock

CALL = CallId("0b6e3f0e-5d0e-4c58-9c8e-3a1f2b4c5d6e")
REFUSED = Fault(FaultKind.CONFIGURATION, "HTTP 401 invalid_api_key")


class Provider:
    """Is warmed, or fails."""

    def __init__(self, fault: Fault | None = None) -> None:
        self.fault = fault
        self.warmed = 0

    async def warm(self) -> None:
        self.warmed += 1
        if self.fault is not None:
            raise SttFailed("refused", self.fault)


class Bench:
    def __init__(self, fault: Fault | None = None) -> None:
        self.clock = Clock()
        self.breakers = Breakers(self.clock)
        self.warming = Warming(self.breakers, self.clock)
        self.provider = Provider(fault)
        self.warming.add("groq", self.provider.warm)

    async def call(self) -> None:
        self.warming.note(CALL, CallStarted(Call(CALL)))
        await self.warming.idle()

    def state(self) -> BreakerState:
        return self.breakers.of("groq").state


async def test_a_call_warms_the_providers_and_a_rush_of_calls_does_it_once() -> None:
    bench = Bench()
    for _ in range(20):
        await bench.call()
    assert bench.provider.warmed == 1
    bench.clock.now_s += FRESH_S
    await bench.call()
    assert bench.provider.warmed == 2


async def test_other_events_warm_nobody() -> None:
    bench = Bench()
    bench.warming.note(CALL, CallEnded(HungUp()))
    await bench.warming.idle()
    assert bench.provider.warmed == 0


async def test_settings_that_are_refused_are_known_before_the_first_turn_and_mended_without_a_restart() -> (
    None
):
    bench = Bench(REFUSED)
    await bench.call()
    assert bench.state() is BreakerState.MISCONFIGURED
    bench.provider.fault = None
    bench.clock.now_s += FRESH_S
    await bench.call()
    assert bench.state() is BreakerState.CLOSED


@pytest.mark.parametrize("kind", [FaultKind.AWAY, FaultKind.BUSY])
async def test_an_outage_is_left_for_the_calls_to_find_out(kind: FaultKind) -> None:
    bench = Bench(Fault(kind, "HTTP 503"))
    for _ in range(5):
        await bench.call()
        bench.clock.now_s += FRESH_S
    assert bench.state() is BreakerState.CLOSED


async def test_a_provider_that_is_down_is_not_declared_well_by_a_greeting() -> None:
    bench = Bench()
    for _ in range(3):
        bench.breakers.of("groq").attempt_failed(Fault(FaultKind.AWAY, "HTTP 503"))
    bench.clock.now_s += FRESH_S
    await bench.call()
    assert (bench.provider.warmed, bench.state()) == (0, BreakerState.HALF_OPEN)


async def test_what_is_being_warmed_is_left_off_when_the_agent_stops() -> None:
    warming = Warming(Breakers())
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    warming.add("groq", hang)
    warming.begin()
    await begun.wait()
    await warming.close()
    assert cancelled.is_set()
