"""The real ChatGroq against a server that speaks Groq's protocol, and against what it may meet there."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from enum import StrEnum

import pytest
from pydantic import BaseModel, Field

from knowledge.llm import Asked, LlmFailed
from knowledge.llm_groq import GroqModel
from memory.breaker import FaultKind
from memory.provider_news import Answered, ProviderNews, TokensUsed
from tests.simulators.groq import KEY, ChatReply, GroqSimulator
from tests.simulators.server import Fault
from tests.telephony.waiting import until

ASKED = Asked("Tu classes des demandes.", "je voudrais un papier pour les impôts")
BUDGET_MS = 20_000


class Wish(StrEnum):
    FAQ = "faq"
    CONTRACT = "contract"


class Sorted(BaseModel):
    """La demande de l'appelant."""

    wish: Wish = Field(description="ce qu'il veut")
    certainty: float
    retries: int = 0


GOOD = '{"wish": "contract", "certainty": 0.8}'


def form(arguments: str, name: str = "Sorted") -> ChatReply:
    return ChatReply(calls=((name, arguments),))


@pytest.fixture
def provider() -> Iterator[GroqSimulator]:
    with GroqSimulator() as running:
        yield running


@pytest.fixture
def news() -> list[ProviderNews]:
    return []


@pytest.fixture
async def model(provider: GroqSimulator, news: list[ProviderNews]) -> AsyncIterator[GroqModel]:
    model = GroqModel(KEY, provider.url, tell=news.append)
    yield model
    await model.close()


async def written(model: GroqModel, budget_ms: int = BUDGET_MS) -> list[str]:
    return [piece async for piece in model.write(ASKED, budget_ms)]


# forms


async def test_a_form_is_filled_in_by_one_forced_call(provider: GroqSimulator, model: GroqModel) -> None:
    provider.replies = [form(GOOD)]
    assert await model.fill(ASKED, Sorted, BUDGET_MS) == Sorted(wish=Wish.CONTRACT, certainty=0.8)
    (body,) = provider.asked
    assert body["model"] == "openai/gpt-oss-120b"
    assert body["tool_choice"] == {"type": "function", "function": {"name": "Sorted"}}
    assert body["tools"][0]["function"]["parameters"]["additionalProperties"] is False
    assert [message["content"] for message in body["messages"]] == [ASKED.system, ASKED.user]
    assert model.name == "groq:openai/gpt-oss-120b"


async def test_it_thinks_little_and_keeps_its_thoughts_to_itself(
    provider: GroqSimulator, model: GroqModel
) -> None:
    provider.replies = [form(GOOD), ChatReply("Bonjour.", reasoning="hm hm")]
    await model.fill(ASKED, Sorted, BUDGET_MS)
    assert "".join(await written(model)) == "Bonjour."
    for body in provider.asked:
        assert body["reasoning_effort"] == "low"
        assert body["include_reasoning"] is False


async def test_tokens_and_time_are_told(
    provider: GroqSimulator, model: GroqModel, news: list[ProviderNews]
) -> None:
    provider.replies = [form(GOOD), ChatReply("Bonjour à vous.")]
    await model.fill(ASKED, Sorted, BUDGET_MS)
    await written(model)
    used = TokensUsed("openai/gpt-oss-120b", 120, 12)
    assert [one for one in news if isinstance(one, TokensUsed)] == [used, used]
    assert [one.name for one in news if isinstance(one, Answered)] == [model.name] * 2


async def test_an_answer_without_a_count_is_an_answer(
    provider: GroqSimulator, model: GroqModel, news: list[ProviderNews]
) -> None:
    provider.replies = [ChatReply(calls=(("Sorted", GOOD),), without_usage=True)]
    assert (await model.fill(ASKED, Sorted, BUDGET_MS)).wish is Wish.CONTRACT
    assert not [one for one in news if isinstance(one, TokensUsed)]


@pytest.mark.parametrize(
    "reply",
    [
        form('{"wish": "contract", "certainty": 0.8, "name": "Moreau"}'),
        form('{"wish": "contract", "certainty": "0.8"}'),
        form('{"wish": "contract", "certainty": 0.8, "retries": 1.0}'),
        form('{"wish": "money", "certainty": 0.8}'),
        form('{"wish": "contract"}'),
        form('{"wish": "contract", "certainty": 0.'),
        form('{"wish": "contract", "certainty": 0.8} and more'),
        form(""),
        form("null"),
        form("[]"),
        form(GOOD, name="Another"),
        ChatReply(calls=(("Sorted", GOOD), ("Sorted", GOOD))),
        ChatReply(GOOD),
        ChatReply(f"Voici : ```json\n{GOOD}\n```"),
        ChatReply(""),
        ChatReply(calls=(("Sorted", GOOD),), finish="length"),
    ],
)
async def test_what_is_not_exactly_the_form_is_refused_and_not_quoted(
    provider: GroqSimulator, model: GroqModel, reply: ChatReply
) -> None:
    provider.replies = [reply]
    with pytest.raises(LlmFailed, match="nothing usable") as raised:
        await model.fill(ASKED, Sorted, BUDGET_MS)
    assert raised.value.fault.kind is FaultKind.REQUEST, "the model is up"
    for word in ("Moreau", "money", "papier"):
        assert word not in repr(raised.value)
    assert len(provider.asked) == 1


# texts


async def test_a_text_comes_piece_by_piece(provider: GroqSimulator, model: GroqModel) -> None:
    provider.replies = [ChatReply("Après huit ans, vos gains sont allégés.")]
    pieces = await written(model)
    assert "".join(pieces) == "Après huit ans, vos gains sont allégés."
    assert len(pieces) == 7


@pytest.mark.parametrize("reply", [ChatReply(""), ChatReply("", reasoning="hm " * 9, finish="length")])
async def test_a_model_that_only_thinks_has_written_nothing(
    provider: GroqSimulator, model: GroqModel, reply: ChatReply
) -> None:
    provider.replies = [reply]
    with pytest.raises(LlmFailed, match="nothing usable"):
        await written(model)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(cut=True, after_chunks=4),
        Fault(503, after_chunks=4),
        Fault(raw=b"data: {broken\n\n", after_chunks=4),
        Fault(raw=b"", after_chunks=4),
        Fault(raw=b"data: [DONE]\n\n", after_chunks=4),
    ],
)
async def test_a_stream_that_breaks_fails_after_what_came(
    provider: GroqSimulator, model: GroqModel, fault: Fault
) -> None:
    provider.replies = [ChatReply("Après huit ans, vos gains sont allégés.")]
    provider.fail(fault, at="chat")
    pieces: list[str] = []

    async def listen() -> None:
        async for piece in model.write(ASKED, BUDGET_MS):
            pieces.append(piece)  # noqa: PERF401 - a comprehension would lose what came before the break

    with pytest.raises(LlmFailed):
        await listen()
    assert "".join(pieces) == "Après huit ans,"


async def test_a_text_that_reached_its_length_is_not_whole(provider: GroqSimulator, model: GroqModel) -> None:
    provider.replies = [ChatReply("Après huit", finish="length")]
    with pytest.raises(LlmFailed, match="length"):
        await written(model)


async def test_the_budget_bounds_the_whole_text_though_every_piece_is_quick(
    provider: GroqSimulator, model: GroqModel
) -> None:
    provider.replies = [ChatReply("a " * 100, gap_s=0.05)]
    with pytest.raises(LlmFailed, match="TimeoutError"):
        await written(model, budget_ms=300)


async def test_a_stream_that_stalls_is_given_up(provider: GroqSimulator, model: GroqModel) -> None:
    provider.replies = [ChatReply("Après huit ans.")]
    provider.fail(Fault(delay_s=5, after_chunks=2), at="chat")
    with pytest.raises(LlmFailed):
        await written(model, budget_ms=300)


async def test_what_the_taker_does_between_two_pieces_is_not_cancelled_by_the_deadline(
    provider: GroqSimulator, model: GroqModel
) -> None:
    provider.replies = [ChatReply("Après huit ans.", gap_s=0.05)]
    begun = done = 0
    with suppress(LlmFailed):
        async for _ in model.write(ASKED, 250):
            begun += 1
            await asyncio.sleep(0.4)
            done += 1
    assert begun == done >= 1


async def test_a_taker_who_stops_listening_frees_the_connection(
    provider: GroqSimulator, model: GroqModel
) -> None:
    provider.replies = [ChatReply("a " * 2000, gap_s=0.001), ChatReply("Oui.")]
    stream = model.write(ASKED, BUDGET_MS)
    assert await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]  # a generator behind the port's iterator
    assert await written(model) == ["Oui."]


# refusals and outages, for both


@pytest.mark.parametrize(
    ("fault", "kind", "reason"),
    [
        (Fault(400), FaultKind.REQUEST, "HTTP 400"),
        (Fault(401), FaultKind.CONFIGURATION, "HTTP 401 invalid_api_key"),
        (Fault(404), FaultKind.CONFIGURATION, "HTTP 404 model_not_found"),
        (Fault(413), FaultKind.REQUEST, "HTTP 413 rate_limit_exceeded"),
        (Fault(429), FaultKind.BUSY, "HTTP 429 rate_limit_exceeded"),
        (Fault(429, headers={"retry-after": "7"}), FaultKind.BUSY, "HTTP 429 rate_limit_exceeded"),
        (Fault(498), FaultKind.BUSY, "HTTP 498 capacity_exceeded"),
        (Fault(500), FaultKind.AWAY, "HTTP 500"),
        (Fault(503), FaultKind.AWAY, "HTTP 503"),
        (Fault(cut=True), FaultKind.AWAY, ""),
        (Fault(raw=b""), FaultKind.AWAY, ""),
        (Fault(raw=b'{"choices": [{"mess'), FaultKind.AWAY, ""),
        (Fault(raw=b"[]"), FaultKind.AWAY, ""),
        (Fault(raw=b'{"choices": null}'), FaultKind.AWAY, ""),
        (Fault(raw=b"\xff\xfe"), FaultKind.AWAY, ""),
    ],
)
async def test_a_refusal_or_an_outage_is_a_failure_after_one_attempt(
    provider: GroqSimulator, model: GroqModel, fault: Fault, kind: FaultKind, reason: str
) -> None:
    provider.fail(fault, fault, at="chat")
    with pytest.raises(LlmFailed) as raised:
        await model.fill(ASKED, Sorted, BUDGET_MS)
    assert raised.value.fault.kind is kind
    assert raised.value.fault.reason.startswith(reason)
    assert raised.value.__cause__ is not None
    assert raised.value.fault.retry_after_s == (7.0 if fault.headers else None)
    with pytest.raises(LlmFailed):
        await written(model)
    assert len(provider.asked) == 2


@pytest.mark.parametrize("stall", [Fault(delay_s=5), Fault(delay_s=5, after_chunks=1)])
async def test_a_form_that_does_not_come_in_time_is_given_up(
    provider: GroqSimulator, model: GroqModel, stall: Fault
) -> None:
    provider.replies = [form(GOOD)]
    provider.fail(stall, at="chat")
    with pytest.raises(LlmFailed) as raised:
        await model.fill(ASKED, Sorted, 250)
    assert raised.value.fault.kind is FaultKind.AWAY


async def test_nobody_at_the_other_end_is_a_failure() -> None:
    model = GroqModel(KEY, "http://127.0.0.1:1")
    with pytest.raises(LlmFailed):
        await model.fill(ASKED, Sorted, BUDGET_MS)
    with pytest.raises(LlmFailed):
        await model.warm()
    await model.close()


async def test_a_cancelled_request_ends_at_once_and_the_model_stays_usable(
    provider: GroqSimulator, model: GroqModel
) -> None:
    provider.replies = [ChatReply(first_s=3), form(GOOD)]
    asking = asyncio.ensure_future(model.fill(ASKED, Sorted, BUDGET_MS))
    await until(lambda: bool(provider.asked))
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert (await model.fill(ASKED, Sorted, BUDGET_MS)).wish is Wish.CONTRACT


async def test_warming_asks_nothing_of_the_model(provider: GroqSimulator, model: GroqModel) -> None:
    await model.warm()
    assert (provider.listed, provider.asked) == (1, [])


@pytest.mark.parametrize("withdrawn", [True, False])
async def test_warming_tells_a_wrong_name_and_a_wrong_key(provider: GroqSimulator, withdrawn: bool) -> None:
    model = GroqModel(KEY if withdrawn else "gsk_wrong", provider.url, "llama-3.3-70b-versatile")
    with pytest.raises(LlmFailed) as raised:
        await model.warm()
    assert raised.value.fault.kind is FaultKind.CONFIGURATION
    assert "gsk_wrong" not in str(raised.value)
    await model.close()


async def test_arguments_in_fragments_are_never_patched_together(provider: GroqSimulator) -> None:
    """langchain would repair them; a form is asked for in one piece, so there are no fragments."""
    provider.replies = [ChatReply(calls=(("Sorted", GOOD[:-9]),), split_arguments=True)]
    model = GroqModel(KEY, provider.url)
    with pytest.raises(LlmFailed, match="not valid"):
        await model.fill(ASKED, Sorted, BUDGET_MS)
    assert provider.asked[0]["stream"] is False
    await model.close()
