"""Groq's language models, through langchain-groq's ChatGroq.

What ChatGroq does by itself, as seen in langchain-groq 1.1.3 with groq 0.37.1, and what is done about it:

- it has no time-out at all, and retries twice for up to a minute each: the time-out is the request's budget,
  a deadline of our own bounds the whole, and nothing is retried;
- it repairs a tool call that was cut short (``{"numero": "A`` becomes a valid call) when chunks are added up,
  so a form is asked for in one piece, its arguments are read from the raw text by pydantic, in strict mode
  and without unknown keys, and what stopped at its length is refused;
- it drops idle connections after 5 s: the client is given its own pool, kept warm for a caller's pauses;
- cuts and stalls within a stream come as httpx's errors, not as groq's; bad JSON as ValueError.

The gpt-oss models think before they speak: with little effort, and what they think is not sent. A form is a
tool that the model must call exactly once; JSON in prose is no form.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import groq
import httpx
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_groq import ChatGroq
from pydantic import SecretStr, ValidationError

from knowledge.llm import Asked, Form, LlmFailed
from memory.breaker import Fault, FaultKind
from memory.http_faults import fault_of_status
from memory.provider_news import Answered, Stage, Tell, TokensUsed, nobody

KEEP_ALIVE_S = 300.0
"""Longer than a caller's pause between two turns."""

LONGEST_READ_S = 30.0
"""The client's own bound, for what forgot to bring a budget; every request brings a shorter one."""

WARM_S = 5.0

MOST_TOKENS = 800
"""Thinking included; with 64 both gpt-oss models were seen to think only, and to say nothing."""

_FAILURES = (
    groq.GroqError,
    httpx.HTTPError,
    TimeoutError,
    ValueError,
    # ChatGroq takes an answer apart without looking: what is no completion ends in one of these.
    AttributeError,
    LookupError,
    TypeError,
)


class GroqModel:
    """One model at Groq, or at what speaks its protocol; see :class:`knowledge.llm.LanguageModel`."""

    def __init__(
        self,
        api_key: str,
        base_url: str = "https://api.groq.com",
        model: str = "openai/gpt-oss-120b",
        tell: Tell = nobody,
    ) -> None:
        """``base_url`` is the bare origin."""
        self._model = model
        self._key = api_key
        self._base_url = base_url.rstrip("/")
        self._tell = tell
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(LONGEST_READ_S, connect=2.0),
            limits=httpx.Limits(keepalive_expiry=KEEP_ALIVE_S),
        )
        self._chat = ChatGroq(
            model=model,
            api_key=SecretStr(api_key),
            base_url=base_url,
            temperature=0.0,
            max_tokens=MOST_TOKENS,
            max_retries=0,
            timeout=httpx.Timeout(LONGEST_READ_S, connect=2.0),
            http_async_client=self._http,
            **_thinking(model),
        )

    @property
    def name(self) -> str:
        """``groq:openai/gpt-oss-120b``."""
        return f"groq:{self._model}"

    async def fill(self, asked: Asked, form: type[Form], budget_ms: int) -> Form:
        """See :class:`knowledge.llm.LanguageModel`: one attempt, within ``budget_ms``."""
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        tool = convert_to_openai_tool(form)
        tool["function"]["parameters"]["additionalProperties"] = False
        wanted = tool["function"]["name"]
        chosen = {"type": "function", "function": {"name": wanted}}
        try:
            async with asyncio.timeout(budget_ms / 1000):
                answer = await self._chat.ainvoke(
                    _messages(asked),
                    tools=[tool],
                    tool_choice=chosen,
                    timeout=budget_ms / 1000,
                )
        except _FAILURES as error:
            raise self._failed(error) from error
        self._count(answer)
        arguments = self._arguments(answer, wanted)
        try:
            filled = form.model_validate_json(arguments, strict=True, extra="forbid")
        except ValidationError as error:
            # Not chained: pydantic quotes what the model wrote.
            faults = sorted({fault["type"] for fault in error.errors(include_input=False)})
            raise self._unusable(f"its form is not valid: {', '.join(faults)}") from None
        self._tell(Answered(Stage.LLM, self.name, (loop.time() - begun_s) * 1000))
        return filled

    async def write(self, asked: Asked, budget_ms: int) -> AsyncIterator[str]:
        """See :class:`knowledge.llm.LanguageModel`; the budget runs from the first piece asked for."""
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        finish, spoken = "", False
        chunks = self._chat.astream(_messages(asked), timeout=budget_ms / 1000)
        try:
            while (chunk := await self._next(chunks, begun_s + budget_ms / 1000)) is not None:
                finish = chunk.response_metadata.get("finish_reason") or finish
                self._count(chunk)
                if not (piece := str(chunk.text)):
                    continue
                if not spoken:
                    spoken = True
                    self._tell(Answered(Stage.LLM, self.name, (loop.time() - begun_s) * 1000))
                yield piece
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()
        if finish != "stop":
            raise self._unusable(f"its text ended with {finish or 'no reason'}")
        if not spoken:
            raise self._unusable("it wrote nothing")

    async def _next(self, chunks: AsyncIterator[AIMessageChunk], ends_s: float) -> AIMessageChunk | None:
        """The next chunk before ``ends_s``; None behind the last. The taker's own time is not cancelled."""
        try:
            async with asyncio.timeout_at(ends_s):
                return await anext(chunks, None)
        except _FAILURES as error:
            raise self._failed(error) from error

    async def warm(self) -> None:
        """Open the connection, and see that the key and the model are taken; nothing is asked of the model.

        Raises :class:`knowledge.llm.LlmFailed`.
        """
        try:
            listed = await self._http.get(
                f"{self._base_url}/openai/v1/models",
                headers={"Authorization": f"Bearer {self._key}"},
                timeout=WARM_S,
            )
            listed.raise_for_status()
            names = {str(model["id"]) for model in listed.json()["data"]}
        except _FAILURES as error:
            raise self._failed(error) from error
        if self._model not in names:
            fault = Fault(FaultKind.CONFIGURATION, "not among the models of this key")
            raise LlmFailed(f"{self.name} is not among the models of this key; see GROQ_LLM_MODEL", fault)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _arguments(self, answer: AIMessage, wanted: str) -> str:
        """The arguments of the one call, as the model wrote them. Raises :class:`knowledge.llm.LlmFailed`."""
        finish = answer.response_metadata.get("finish_reason")
        if finish not in ("tool_calls", "stop"):
            raise self._unusable(f"its form ended with {finish or 'no reason'}")
        calls = answer.additional_kwargs.get("tool_calls") or []
        if len(calls) != 1:
            raise self._unusable(f"it made {len(calls)} calls where one was wanted")
        called = calls[0]["function"]
        if called["name"] != wanted:
            raise self._unusable("it filled in another form than the one wanted")
        return str(called["arguments"])

    def _count(self, answer: AIMessage) -> None:
        if (usage := answer.usage_metadata) is not None:
            self._tell(TokensUsed(self._model, usage["input_tokens"], usage["output_tokens"]))

    def _failed(self, error: Exception) -> LlmFailed:
        fault = _fault(error)
        return LlmFailed(f"{self.name} did not answer: {fault.reason}", fault)

    def _unusable(self, why: str) -> LlmFailed:
        """It is up, and what it gave is of no use: the next request may fare better."""
        return LlmFailed(f"{self.name} gave nothing usable: {why}", Fault(FaultKind.REQUEST, why))


def _messages(asked: Asked) -> list[BaseMessage]:
    return [SystemMessage(asked.system), HumanMessage(asked.user)]


def _thinking(model: str) -> dict[str, Any]:
    """Little of it, and none of it sent; only models that think know these settings."""
    if model.startswith("openai/gpt-oss"):
        return {"reasoning_effort": "low", "model_kwargs": {"include_reasoning": False}}
    if model.startswith("qwen/"):
        return {"reasoning_effort": "none"}
    return {}


def _fault(error: Exception) -> Fault:
    """Status and code where there are some, else the kind of error; never the provider's own sentences."""
    match error:
        case groq.APIStatusError(status_code=status, body=body, response=response):
            return fault_of_status(status, _code(body), response.headers.get("retry-after", ""))
        case httpx.HTTPStatusError(response=response):
            return fault_of_status(response.status_code, "", response.headers.get("retry-after", ""))
        case _:
            return Fault(reason=type(error).__name__)


def _code(body: object) -> str:
    match body:
        case {"error": {"code": str(code)}}:
            return code
        case _:
            return ""
