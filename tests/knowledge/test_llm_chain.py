"""The chain of models: who answers, who is left, and what is never said twice."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from pydantic import BaseModel

from knowledge.llm import Asked, Form, LanguageModel, LlmFailed, ScriptedModel
from knowledge.llm_chain import SLOW, FallbackModel
from knowledge.llm_groq import GroqModel
from memory.breaker import Breakers, BreakerState, Fault, FaultKind
from memory.provider_news import Failed, ProviderNews, Stage, Switched, Why
from tests.simulators import server
from tests.simulators.groq import KEY, ChatReply, GroqSimulator

ASKED = Asked("Réponds.", "bonjour")
BUDGET_MS = 20_000


class Note(BaseModel):
    text: str


class Model:
    """Writes ``pieces`` and then fails, or hangs, when told to."""

    def __init__(
        self, name: str, pieces: Sequence[str] = (), fails: Fault | None = None, *, hangs: bool = False
    ) -> None:
        self.name = name
        self.pieces = pieces
        self.fails = fails
        self.hangs = hangs
        self.asked = asyncio.Event()
        self.times_asked = 0

    async def fill(self, asked: Asked, form: type[Form], budget_ms: int) -> Form:
        return form.model_validate({"text": "".join([piece async for piece in self.write(asked, budget_ms)])})

    async def write(self, asked: Asked, budget_ms: int) -> AsyncIterator[str]:
        self.times_asked += 1
        self.asked.set()
        for piece in self.pieces:
            yield piece
        if self.hangs:
            await asyncio.Event().wait()
        if self.fails is not None:
            raise LlmFailed(f"{self.name} is down", self.fails)


class Watch:
    def __init__(self, *models: LanguageModel) -> None:
        self.news: list[ProviderNews] = []
        self.breakers = Breakers()
        self.chain = FallbackModel(models, self.breakers, tell=self.news.append)

    async def fill(self, budget_ms: int = BUDGET_MS) -> str:
        return (await self.chain.fill(ASKED, Note, budget_ms)).text

    async def write(self, into: list[str], budget_ms: int = BUDGET_MS) -> None:
        async for piece in self.chain.write(ASKED, budget_ms):
            into.append(piece)  # noqa: PERF401 - what came before a failure is wanted

    def switches(self) -> list[Switched]:
        return [one for one in self.news if isinstance(one, Switched)]

    def state(self, name: str) -> BreakerState:
        return self.breakers.of(name).state


DOWN = Fault(FaultKind.AWAY, "HTTP 503")
GONE = Fault(FaultKind.CONFIGURATION, "HTTP 404 model_not_found")


async def test_the_first_model_answers_and_the_second_is_not_asked() -> None:
    second = Model("second", ["deux"])
    watch = Watch(Model("first", ["un"]), second)
    assert await watch.fill() == "un"
    pieces: list[str] = []
    await watch.write(pieces)
    assert (pieces, second.times_asked, watch.news) == (["un"], 0, [])
    assert watch.chain.name == "first, then second"


@pytest.mark.parametrize("fault", [DOWN, GONE, Fault(FaultKind.REQUEST, "two calls")])
async def test_the_second_answers_when_the_first_does_not(fault: Fault) -> None:
    watch = Watch(Model("first", fails=fault), Model("second", ["deux"]))
    assert await watch.fill() == "deux"
    assert watch.switches() == [Switched(Stage.LLM, "first", "second", Why.FAILED, fault.reason)]
    assert Failed(Stage.LLM, "first", fault.reason) in watch.news
    pieces: list[str] = []
    await watch.write(pieces)
    assert pieces == ["deux"]


async def test_a_slow_model_is_left_with_time_for_the_second() -> None:
    watch = Watch(Model("slow", hangs=True), Model("second", ["deux"]))
    assert await watch.fill(200) == "deux"
    pieces: list[str] = []
    await watch.write(pieces, 200)
    assert pieces == ["deux"]
    assert {one.why for one in watch.switches()} == {Why.SLOW}
    assert watch.breakers.of("slow").status().last_fault == Fault(reason=SLOW)


async def test_what_may_have_been_spoken_is_not_said_again_by_another() -> None:
    second = Model("second", ["deux"])
    watch = Watch(Model("first", ["Après ", "huit "], DOWN), second)
    pieces: list[str] = []
    with pytest.raises(LlmFailed, match="first is down"):
        await watch.write(pieces)
    assert (pieces, second.times_asked) == (["Après ", "huit "], 0)
    assert watch.switches() == [Switched(Stage.LLM, "first", "", Why.FAILED, "HTTP 503")]


async def test_when_all_fail_the_failure_says_how_the_last_one_did() -> None:
    watch = Watch(Model("first", fails=DOWN), Model("second", fails=GONE))
    with pytest.raises(LlmFailed, match="second is down") as raised:
        await watch.fill()
    assert raised.value.fault == GONE
    assert raised.value.__cause__ is not None
    assert watch.state("second") is BreakerState.MISCONFIGURED


async def test_when_none_has_time_the_failure_says_so() -> None:
    watch = Watch(Model("slow", hangs=True))
    with pytest.raises(LlmFailed, match="too slow"):
        await watch.fill(30)
    with pytest.raises(LlmFailed, match="too slow"):
        await watch.write([], 30)


async def test_a_model_that_is_known_to_be_down_is_passed_over() -> None:
    first = Model("first", fails=DOWN)
    watch = Watch(first, Model("second", ["deux"]))
    assert [await watch.fill() for _ in range(5)] == ["deux"] * 5
    assert first.times_asked == 3
    assert watch.switches()[-1] == Switched(Stage.LLM, "first", "second", Why.BARRED)


async def test_a_withdrawn_model_is_no_outage() -> None:
    first = Model("first", fails=GONE)
    watch = Watch(first, Model("second", ["deux"]))
    assert [await watch.fill() for _ in range(3)] == ["deux"] * 3
    assert (first.times_asked, watch.state("first")) == (1, BreakerState.MISCONFIGURED)


async def test_answers_of_no_use_do_not_open_the_breaker() -> None:
    watch = Watch(Model("first", fails=Fault(FaultKind.REQUEST, "two calls")), Model("second", ["deux"]))
    for _ in range(10):
        await watch.fill()
    assert watch.state("first") is BreakerState.CLOSED


async def test_a_caller_who_speaks_on_blames_nobody() -> None:
    slow = Model("slow", hangs=True)
    watch = Watch(slow, Model("second", ["deux"]))
    filling = asyncio.ensure_future(watch.fill())
    await slow.asked.wait()
    filling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await filling
    assert watch.breakers.of("slow").status().last_fault is None
    assert watch.news == []


async def test_the_twin_fits_into_the_chain() -> None:
    watch = Watch(ScriptedModel(lambda _: "Bonjour à vous"))
    pieces: list[str] = []
    await watch.write(pieces)
    assert "".join(pieces) == "Bonjour à vous"


def test_a_chain_without_a_model_is_refused() -> None:
    with pytest.raises(ValueError, match="one at least"):
        FallbackModel([], Breakers())


@pytest.mark.parametrize(
    "fault",
    [
        *(server.Fault(status) for status in (400, 401, 404, 413, 429, 498, 500, 503)),
        server.Fault(429, headers={"retry-after": "30"}),
        server.Fault(delay_s=5),
        server.Fault(delay_s=5, after_chunks=1),
        server.Fault(cut=True),
        server.Fault(cut=True, after_chunks=1),
        server.Fault(raw=b"{"),
    ],
)
async def test_whatever_befalls_the_first_real_model_the_second_answers_in_time(fault: server.Fault) -> None:
    with GroqSimulator() as provider:
        models = [
            GroqModel(KEY, provider.url, name) for name in ("openai/gpt-oss-120b", "openai/gpt-oss-20b")
        ]
        watch = Watch(*models)
        provider.fail(fault, at="chat")
        answer = ChatReply(calls=(("Note", '{"text": "deux"}'),))
        provider.replies = [answer, answer]
        assert await watch.fill(2000) == "deux"
        assert [body["model"] for body in provider.asked] == ["openai/gpt-oss-120b", "openai/gpt-oss-20b"]
        for model in models:
            await model.close()
