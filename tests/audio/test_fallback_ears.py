"""The chain of ears: who is asked when, who wins, and what the breakers and those who watch are told."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from audio.endpointing import Expecting, Utterance
from audio.fallback_ears import SLOW, FallbackEars
from audio.providers.groq_stt import GroqStt
from audio.stt import SpeechToText, SttFailed, Transcript
from memory.breaker import Breakers, BreakerState, Fault, FaultKind
from memory.provider_news import Answered, Failed, ProviderNews, Stage, Switched, Why
from tests.simulators import server
from tests.simulators.groq import KEY, GroqSimulator

UTTERANCE = Utterance(bytes(16_000), 0, 1000)
DOWN = SttFailed("it is down", Fault(FaultKind.AWAY, "HTTP 503"))
LONG_MS = 60_000


class Ear:
    """Answers what it is told to, once it may."""

    def __init__(self, name: str, ends: str | Exception | None, *, slow: bool = False) -> None:
        """``ends`` None: never."""
        self.name = name
        self.ends = ends
        self.may_answer = asyncio.Event()
        self.asked = asyncio.Event()
        self.times_asked = 0
        self.cancelled = 0
        if not slow and ends is not None:
            self.may_answer.set()

    async def transcribe(self, utterance: Utterance, expecting: Expecting) -> Transcript:
        self.times_asked += 1
        self.asked.set()
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(self.ends, Exception):
            raise self.ends
        return Transcript(self.ends or "", 0.9)


class Watch:
    """A chain, its breakers, and what it told."""

    def __init__(self, *ears: SpeechToText, budget_ms: int = LONG_MS, hedge_ms: int = LONG_MS) -> None:
        self.news: list[ProviderNews] = []
        self.breakers = Breakers()
        self.chain = FallbackEars(
            ears, self.breakers, budget_ms=budget_ms, hedge_ms=hedge_ms, tell=self.news.append
        )

    async def hear(self) -> str:
        return (await self.chain.transcribe(UTTERANCE, Expecting.OPEN)).text

    def switches(self) -> Sequence[Switched]:
        return [one for one in self.news if isinstance(one, Switched)]

    def last_fault(self, name: str) -> Fault | None:
        return self.breakers.of(name).status().last_fault


async def test_the_first_ear_is_asked_and_the_others_are_left_alone() -> None:
    first, second = Ear("first", "Bonjour."), Ear("second", "Bonsoir.")
    watch = Watch(first, second)
    assert await watch.hear() == "Bonjour."
    assert second.times_asked == 0
    assert [type(one) for one in watch.news] == [Answered]
    assert watch.chain.name == "first, then second"


async def test_when_the_first_fails_the_second_is_asked_at_once() -> None:
    watch = Watch(Ear("first", DOWN), Ear("second", "Bonsoir."))
    assert await watch.hear() == "Bonsoir."
    assert watch.switches() == [Switched(Stage.STT, "first", "second", Why.FAILED, "HTTP 503")]
    assert Failed(Stage.STT, "first", "HTTP 503") in watch.news


async def test_a_slow_ear_is_overtaken_cancelled_and_its_breaker_is_told() -> None:
    slow, second = Ear("slow", None), Ear("second", "Bonsoir.")
    watch = Watch(slow, second, hedge_ms=5)
    assert await watch.hear() == "Bonsoir."
    await asyncio.sleep(0)
    assert slow.cancelled == 1
    assert watch.switches() == [Switched(Stage.STT, "slow", "second", Why.SLOW, SLOW)]
    assert watch.last_fault("slow") == Fault(FaultKind.AWAY, SLOW)


async def test_an_ear_that_was_nearly_overtaken_wins_and_the_second_has_failed_nobody() -> None:
    slow, second = Ear("slow", "Bonjour.", slow=True), Ear("second", None)
    watch = Watch(slow, second, hedge_ms=5)
    hearing = asyncio.ensure_future(watch.hear())
    await second.asked.wait()
    slow.may_answer.set()
    assert await hearing == "Bonjour."
    await asyncio.sleep(0)
    assert second.cancelled == 1
    assert watch.last_fault("second") is None


async def test_a_later_ear_that_understood_nothing_does_not_win_over_one_at_work() -> None:
    slow, listed = Ear("slow", "Bonjour.", slow=True), Ear("listed", "")
    watch = Watch(slow, listed, hedge_ms=5)
    hearing = asyncio.ensure_future(watch.hear())
    await listed.asked.wait()
    slow.may_answer.set()
    assert await hearing == "Bonjour."


async def test_nothing_understood_is_an_answer_when_nobody_has_a_better_one() -> None:
    slow, listed = Ear("slow", DOWN, slow=True), Ear("listed", "")
    watch = Watch(slow, listed, hedge_ms=5)
    hearing = asyncio.ensure_future(watch.hear())
    await listed.asked.wait()
    slow.may_answer.set()
    assert await hearing == ""


async def test_nothing_understood_by_the_first_is_final() -> None:
    second = Ear("second", "Bonsoir.")
    watch = Watch(Ear("first", ""), second)
    assert await watch.hear() == ""
    assert second.times_asked == 0


async def test_the_budget_bounds_the_whole_and_everybody_was_too_slow() -> None:
    ears = [Ear("one", None), Ear("two", None), Ear("three", None)]
    watch = Watch(*ears, budget_ms=40, hedge_ms=5)
    with pytest.raises(SttFailed, match="too slow"):
        await watch.hear()
    await asyncio.sleep(0)
    assert [ear.cancelled for ear in ears] == [1, 1, 1]
    assert [watch.last_fault(ear.name) for ear in ears] == [Fault(reason=SLOW)] * 3
    assert {one.left for one in watch.switches() if not one.taken} == {"one", "two", "three"}


async def test_when_all_fail_the_failure_carries_the_last_cause() -> None:
    watch = Watch(Ear("first", DOWN), Ear("second", SttFailed("too many", Fault(FaultKind.BUSY, "HTTP 429"))))
    with pytest.raises(SttFailed, match="too many") as raised:
        await watch.hear()
    assert isinstance(raised.value.__cause__, SttFailed)
    assert raised.value.fault.reason == "HTTP 429"
    assert watch.switches()[-1] == Switched(Stage.STT, "second", "", Why.FAILED, "HTTP 429")


async def test_an_ear_that_is_known_to_be_down_is_not_asked_until_its_probe() -> None:
    first, second = Ear("first", DOWN), Ear("second", "Bonsoir.")
    watch = Watch(first, second)
    for _ in range(6):
        assert await watch.hear() == "Bonsoir."
    assert first.times_asked == 3
    assert watch.switches()[-1] == Switched(Stage.STT, "first", "second", Why.BARRED)


async def test_when_all_are_known_to_be_down_it_fails_without_asking() -> None:
    only = Ear("only", DOWN)
    watch = Watch(only)
    for _ in range(4):
        with pytest.raises(SttFailed):
            await watch.hear()
    assert only.times_asked == 3
    assert watch.switches()[-1] == Switched(Stage.STT, "only", "", Why.BARRED)


async def test_a_caller_who_speaks_on_cancels_all_and_nobody_is_blamed() -> None:
    slow, second = Ear("slow", None), Ear("second", None)
    watch = Watch(slow, second, hedge_ms=5)
    hearing = asyncio.ensure_future(watch.hear())
    await second.asked.wait()
    hearing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hearing
    await asyncio.sleep(0)
    assert (slow.cancelled, second.cancelled) == (1, 1)
    assert watch.last_fault("slow") is None


async def test_a_probe_that_is_cancelled_leaves_the_place_to_the_next_call() -> None:
    first = Ear("first", DOWN)
    watch = Watch(first, Ear("second", "Bonsoir."))
    watch.breakers.of("first").attempt_failed(Fault(FaultKind.BUSY, "HTTP 429", 0.0))
    first.ends, first.may_answer = "Bonjour.", asyncio.Event()
    probing = asyncio.ensure_future(watch.hear())
    await first.asked.wait()
    probing.cancel()
    await asyncio.wait([probing])
    first.may_answer.set()
    assert await watch.hear() == "Bonjour."


async def test_what_no_ear_may_raise_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        await Watch(Ear("first", ZeroDivisionError()), Ear("second", "Bonsoir.")).hear()


def test_a_chain_without_an_ear_is_refused() -> None:
    with pytest.raises(ValueError, match="one at least"):
        FallbackEars([], Breakers())


# the real client against what it may meet


@asynccontextmanager
async def cloud_first(timeout_ms: int = LONG_MS, **times: int) -> AsyncIterator[tuple[GroqSimulator, Watch]]:
    with GroqSimulator() as provider:
        cloud = GroqStt(KEY, base_url=provider.url, timeout_ms=timeout_ms)
        try:
            yield provider, Watch(cloud, Ear("local", "Bonsoir."), **times)
        finally:
            await cloud.close()


@pytest.mark.parametrize(
    "fault",
    [
        *(server.Fault(status) for status in (400, 401, 404, 413, 429, 498, 500, 502, 503)),
        server.Fault(429, headers={"retry-after": "30"}),
        server.Fault(cut=True),
        server.Fault(cut=True, after_chunks=1),
        server.Fault(raw=b'{"text": "Bonj'),
        server.Fault(raw=b""),
    ],
)
async def test_whatever_befalls_the_cloud_the_turn_is_heard(fault: server.Fault) -> None:
    async with cloud_first() as (provider, watch):
        provider.fail(fault)
        assert await watch.hear() == "Bonsoir."
        assert len(provider.requests) == 1, "no hidden retries"


@pytest.mark.parametrize("stall", [server.Fault(delay_s=5), server.Fault(delay_s=5, after_chunks=1)])
async def test_a_cloud_that_stalls_is_overtaken(stall: server.Fault) -> None:
    async with cloud_first(hedge_ms=150) as (provider, watch):
        provider.fail(stall)
        assert await watch.hear() == "Bonsoir."


async def test_a_withdrawn_model_is_a_configuration_fault_and_no_outage() -> None:
    async with cloud_first() as (provider, watch):
        provider.models = set()
        assert [await watch.hear() for _ in range(3)] == ["Bonsoir."] * 3
        (cloud,) = [one for one in watch.breakers.statuses() if one.name.startswith("groq")]
        assert cloud.state is BreakerState.MISCONFIGURED
        assert len(provider.requests) == 1


async def test_a_cloud_that_asks_for_time_gets_it() -> None:
    async with cloud_first() as (provider, watch):
        provider.broken = {"": server.Fault(429, headers={"retry-after": "30"})}
        assert [await watch.hear() for _ in range(3)] == ["Bonsoir."] * 3
        assert len(provider.requests) == 1


async def test_the_cloud_is_taken_again_when_it_has_come_back() -> None:
    async with cloud_first() as (provider, watch):
        provider.fail(server.Fault(429, headers={"retry-after": "0"}))
        provider.transcripts = ["Bonjour."]
        assert await watch.hear() == "Bonsoir."
        assert await watch.hear() == "Bonjour."
        assert all(one.state is BreakerState.CLOSED for one in watch.breakers.statuses())
