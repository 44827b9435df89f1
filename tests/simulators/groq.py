"""Groq: audio transcriptions, chat completions (whole and streamed, with tools), the list of models.

Statuses, types, codes and the shape of answers are the provider's; the wording of errors is ours, so a
test may look at status, class and code, never at wording.

    with GroqSimulator() as groq:
        groq.transcripts = ["Bonjour."]
        groq.replies = [ChatReply("D'accord."), ChatReply(calls=(("fill", '{"intent": "faq"}'),))]
        ear = GroqStt("gsk_test", base_url=groq.url)

Faults are queued with ``fail(...)`` for transcriptions and ``fail(..., at="chat")`` for the models.
"""

import asyncio
import io
import json
import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.simulators.server import Fault, SimulatedProvider

MODELS = {"whisper-large-v3", "whisper-large-v3-turbo"}
CHAT_MODELS = {"openai/gpt-oss-120b", "openai/gpt-oss-20b"}
KEY = "gsk_test"

SHORTEST_S = 0.01
"""Of sound; less is refused."""

LIMITS = {
    "x-ratelimit-limit-requests": "1000",
    "x-ratelimit-remaining-requests": "999",
    "x-ratelimit-limit-tokens": "8000",
    "x-ratelimit-remaining-tokens": "7400",
    "x-ratelimit-reset-requests": "1m26.4s",
    "x-ratelimit-reset-tokens": "4.5s",
}

_ERRORS: dict[int, dict[str, str]] = {
    400: {"type": "invalid_request_error"},
    401: {"type": "invalid_request_error", "code": "invalid_api_key"},
    404: {"type": "invalid_request_error", "code": "model_not_found"},
    413: {"type": "tokens", "code": "rate_limit_exceeded"},
    429: {"type": "tokens", "code": "rate_limit_exceeded"},
    498: {"type": "internal_server_error", "code": "capacity_exceeded"},
    500: {"type": "internal_server_error"},
    502: {"type": "internal_server_error"},
    503: {"type": "internal_server_error"},
}


@dataclass(frozen=True, slots=True)
class ChatReply:
    """What the model answers: a text, or tool calls as (name, arguments as they stand on the wire)."""

    text: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    reasoning: str = ""
    finish: str = ""
    """Why it stopped; empty: what belongs to the answer."""
    first_s: float = 0.0
    """Until the first byte."""
    gap_s: float = 0.0
    """Between two pieces of a stream."""
    split_arguments: bool = False
    """In a stream: arguments come in fragments."""
    without_usage: bool = False


@dataclass(slots=True)
class _Chat:
    """One request on its way to an answer."""

    body: dict[str, Any]
    reply: ChatReply
    fault: Fault | None
    about: dict[str, Any] = field(default_factory=dict)


class GroqSimulator(SimulatedProvider):
    """Answers with ``transcripts`` in order: a text, or a dict with ``text`` and scores of its segment.

    The models answer with ``replies`` in order. When one list is empty, "" is heard and "D'accord." answered.
    """

    def __init__(self) -> None:
        super().__init__(
            Starlette(
                routes=[
                    Route("/openai/v1/audio/transcriptions", self._transcribe, methods=["POST"]),
                    Route("/openai/v1/chat/completions", self._chat, methods=["POST"]),
                    Route("/openai/v1/models", self._list, methods=["GET"]),
                ]
            )
        )
        self.transcripts: list[str | dict[str, Any]] = []
        self.replies: list[ChatReply] = []
        self.asked: list[dict[str, Any]] = []
        """Bodies of the chat requests."""
        self.listed = 0
        """How often the list of models was asked for."""
        self.models = MODELS | CHAT_MODELS
        """Those that are there; take one away and it was withdrawn."""
        self.stt_delay_s = 0.0
        """Until each transcript."""

    # transcriptions

    async def _transcribe(self, request: Request) -> Response:
        form = await request.form()
        upload = form["file"]
        sound = await upload.read() if isinstance(upload, UploadFile) else b""
        client = request.client
        record: dict[str, Any] = {
            "fields": {name: value for name, value in form.multi_items() if isinstance(value, str)},
            "port": client.port if client else None,
        }
        self.record(record)
        if not _authorized(request):
            return _error(401)
        fault = self.take_fault()
        if (answer := await _instead(fault)) is not None:
            return answer
        if record["fields"].get("model") not in self.models & MODELS:
            return _error(404)
        try:
            with wave.open(io.BytesIO(sound)) as file:
                record["wav"] = (file.getframerate(), file.getnchannels(), file.getsampwidth())
                record["pcm"] = file.readframes(file.getnframes())
        except (wave.Error, EOFError):
            return _error(400)
        seconds = len(record["pcm"]) / 2 / record["wav"][0]
        # Half a sample behind the last one, or a header that lies about the length, is no readable file.
        if seconds < SHORTEST_S or len(sound) % 2 or sound[40:44] != (len(sound) - 44).to_bytes(4, "little"):
            return _error(400)
        await asyncio.sleep(self.stt_delay_s)
        body = json.dumps(self._transcript(seconds)).encode()
        if fault is not None and fault.after_chunks is not None:
            halves = [body[: len(body) // 2], body[len(body) // 2 :]]
            return StreamingResponse(_broken(halves, fault), media_type="application/json", headers=LIMITS)
        return Response(body, media_type="application/json", headers=LIMITS)

    def _transcript(self, seconds: float) -> dict[str, Any]:
        transcript = self.transcripts.pop(0) if self.transcripts else ""
        scores: dict[str, Any] = {"avg_logprob": -0.2, "no_speech_prob": 1e-11, "compression_ratio": 1.1}
        if isinstance(transcript, dict):
            scores |= {name: value for name, value in transcript.items() if name in scores}
            transcript = str(transcript["text"])
        text = f" {transcript}" if transcript else ""  # Whisper begins every text with a space
        segment = {"id": 0, "seek": 0, "start": 0, "end": round(seconds, 2), "text": text, "tokens": [50365]}
        return {
            "task": "transcribe",
            "language": "French",
            "duration": round(seconds, 3),
            "text": text,
            "segments": [{**segment, "temperature": 0, **scores}] if text else [],
            "x_groq": {"id": "req_simulated"},
        }

    # models

    async def _list(self, request: Request) -> Response:
        self.listed += 1
        if not _authorized(request):
            return _error(401)
        if (answer := await _instead(self.take_fault("models"))) is not None:
            return answer
        models = [{"id": name, "object": "model", "active": True} for name in sorted(self.models)]
        return JSONResponse({"object": "list", "data": models}, headers=LIMITS)

    async def _chat(self, request: Request) -> Response:
        body = await request.json()
        self.asked.append(body)
        if not _authorized(request):
            return _error(401)
        fault = self.take_fault("chat")
        if (answer := await _instead(fault)) is not None:
            return answer
        if body["model"] not in self.models & CHAT_MODELS:
            return _error(404)
        reply = self.replies.pop(0) if self.replies else ChatReply("D'accord.")
        about = {"id": "chatcmpl-simulated", "created": 1, "model": body["model"]}
        chat = _Chat(body, reply, fault, about)
        await asyncio.sleep(reply.first_s)
        if body.get("stream"):
            pieces = [f"data: {json.dumps(one)}\n\n".encode() for one in _chunks(chat)]
            stream = _broken([*pieces, b"data: [DONE]\n\n"], fault, reply.gap_s)
            return StreamingResponse(stream, media_type="text/event-stream", headers=LIMITS)
        whole = json.dumps(_completion(chat)).encode()
        if fault is not None and fault.after_chunks is not None:
            halves = [whole[: len(whole) // 2], whole[len(whole) // 2 :]]
            return StreamingResponse(_broken(halves, fault), media_type="application/json", headers=LIMITS)
        return Response(whole, media_type="application/json", headers=LIMITS)


USAGE = {"prompt_tokens": 120, "completion_tokens": 12, "total_tokens": 132, "total_time": 0.025}


def _calls(reply: ChatReply) -> list[dict[str, Any]]:
    return [
        {"id": f"fc_{at}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for at, (name, arguments) in enumerate(reply.calls)
    ]


def _finish(reply: ChatReply) -> str:
    return reply.finish or ("tool_calls" if reply.calls else "stop")


def _completion(chat: _Chat) -> dict[str, Any]:
    reply = chat.reply
    message: dict[str, Any] = {"role": "assistant"}
    if reply.text or not reply.calls:
        message["content"] = reply.text
    if reply.reasoning:
        message["reasoning"] = reply.reasoning
    if reply.calls:
        message["tool_calls"] = _calls(reply)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(reply)}
    usage = {} if reply.without_usage else {"usage": USAGE}
    return {**chat.about, "object": "chat.completion", "choices": [choice], **usage}


def _chunks(chat: _Chat) -> list[dict[str, Any]]:
    reply = chat.reply

    def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**chat.about, "object": "chat.completion.chunk", "choices": [choice], **more}

    chunks = [chunk({"role": "assistant", "content": ""}, x_groq={"id": "req_simulated"})]
    chunks += [chunk({"reasoning": f"{word} ", "channel": "analysis"}) for word in reply.reasoning.split()]
    if reply.text:
        words = reply.text.split(" ")
        chunks += [chunk({"content": (" " if at else "") + word}) for at, word in enumerate(words)]
    calls = [{"index": at, **call} for at, call in enumerate(_calls(reply))]
    if calls and not reply.split_arguments:
        chunks.append(chunk({"tool_calls": calls}))
    for call in calls if reply.split_arguments else []:
        arguments = call["function"]["arguments"]
        chunks.append(chunk({"tool_calls": [{**call, "function": {**call["function"], "arguments": ""}}]}))
        for at in range(0, len(arguments), 5):
            piece = {"index": call["index"], "function": {"arguments": arguments[at : at + 5]}}
            chunks.append(chunk({"tool_calls": [piece]}))
    usage = {} if reply.without_usage else {"usage": USAGE}
    return [*chunks, chunk({}, _finish(reply), x_groq={"id": "req_simulated", **usage})]


def _authorized(request: Request) -> bool:
    return request.headers.get("authorization") == f"Bearer {KEY}"


def _error(status: int, headers: dict[str, str] | None = None) -> Response:
    body = {"error": {"message": "simulated", **_ERRORS[status]}}
    return JSONResponse(body, status, headers={**LIMITS, **(headers or {})})


async def _instead(fault: Fault | None) -> Response | None:
    """What is answered in place of an answer; None when one is given, or begun."""
    if fault is None or fault.after_chunks is not None:
        return None
    await asyncio.sleep(fault.delay_s)
    if fault.cut:
        return StreamingResponse(_broken([b'{"task": "transcribe", "text": " Bon', b""], fault))
    if fault.raw is not None:
        return Response(fault.raw, fault.status or 200, media_type="application/json", headers=fault.headers)
    if fault.status:
        return _error(fault.status, fault.headers)
    return None


async def _broken(pieces: list[bytes], fault: Fault | None, gap_s: float = 0.0) -> AsyncIterator[bytes]:
    """``pieces``, with the fault where it belongs; for a cut uvicorn drops the connection."""
    at = (fault.after_chunks or 1) if fault is not None and (fault.cut or fault.after_chunks) else None
    for number, piece in enumerate(pieces):
        if fault is not None and number == at:
            if fault.cut:
                raise ConnectionAbortedError
            if fault.status:
                error = {"error": {"message": "simulated", **_ERRORS[fault.status]}}
                yield f"event: error\ndata: {json.dumps(error)}\n\n".encode()
                return
            if fault.raw is not None:
                yield fault.raw
                return
            await asyncio.sleep(fault.delay_s)
        yield piece
        if gap_s:
            await asyncio.sleep(gap_s)
