"""Groq's transcription endpoint.

Statuses, types, codes and the shape of answers are the provider's; the wording of errors is ours, so a
test may look at status, class and code, never at wording.

    with GroqSimulator() as groq:
        groq.transcripts = ["Bonjour."]
        ear = GroqStt("gsk_test", base_url=groq.url)
"""

import asyncio
import io
import wave
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.simulators.server import Fault, SimulatedProvider

MODELS = {"whisper-large-v3", "whisper-large-v3-turbo"}
KEY = "gsk_test"

_ERRORS: dict[int, dict[str, str]] = {
    400: {"type": "invalid_request_error"},
    401: {"type": "invalid_request_error", "code": "invalid_api_key"},
    404: {"type": "invalid_request_error", "code": "model_not_found"},
    413: {"type": "tokens", "code": "rate_limit_exceeded"},
    429: {"type": "tokens", "code": "rate_limit_exceeded"},
    498: {"type": "internal_server_error", "code": "capacity_exceeded"},
    500: {"type": "internal_server_error"},
    503: {"type": "internal_server_error"},
}


class GroqSimulator(SimulatedProvider):
    """Answers with ``transcripts`` in order: a text, or a dict with ``text`` and scores of its segment."""

    def __init__(self) -> None:
        super().__init__(
            Starlette(routes=[Route("/openai/v1/audio/transcriptions", self._transcribe, methods=["POST"])])
        )
        self.transcripts: list[str | dict[str, Any]] = []

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
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return _error(401)
        if (fault := self.take_fault()) is not None:
            await asyncio.sleep(fault.delay_s)
            if (answer := _faulty(fault)) is not None:
                return answer
        if record["fields"].get("model") not in MODELS:
            return _error(404)
        try:
            with wave.open(io.BytesIO(sound)) as file:
                record["wav"] = (file.getframerate(), file.getnchannels(), file.getsampwidth())
                record["pcm"] = file.readframes(file.getnframes())
        except (wave.Error, EOFError):
            return _error(400)
        return JSONResponse(self._answer(len(record["pcm"]) / 2 / record["wav"][0]))

    def _answer(self, seconds: float) -> dict[str, Any]:
        transcript = self.transcripts.pop(0)
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


def _error(status: int, headers: dict[str, str] | None = None) -> Response:
    body = {"error": {"message": "simulated", **_ERRORS[status]}}
    return JSONResponse(body, status, headers=headers)


def _faulty(fault: Fault) -> Response | None:
    if fault.cut:
        return StreamingResponse(_cut(), media_type="application/json")
    if fault.raw is not None:
        return Response(fault.raw, fault.status or 200, media_type="application/json")
    if fault.status:
        return _error(fault.status, fault.headers)
    return None


async def _cut() -> AsyncIterator[bytes]:
    """Half an answer; then uvicorn drops the connection."""
    yield b'{"task": "transcribe", "text": " Bon'
    raise ConnectionAbortedError
