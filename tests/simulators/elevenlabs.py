"""ElevenLabs' streamed text to speech: ``POST /v1/text-to-speech/{voice}/stream``.

Statuses, codes and the shape of errors are the provider's; the wording is ours, so a test may look at status
and code, never at wording.

    with ElevenLabsSimulator() as elevenlabs:
        voice = ElevenLabsTts(KEY, "voice", base_url=elevenlabs.url)
"""

import asyncio
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.simulators.server import Fault, SimulatedProvider
from tests.simulators.speech import SpeechFault, Synth, mu_law, played, speechlike

KEY = "xi_test"
MODELS = {"eleven_flash_v2_5", "eleven_multilingual_v2"}
RATES = {"pcm_8000": 8000, "pcm_16000": 16000, "ulaw_8000": 8000}

_CODES = {
    400: ("invalid_request_error", "invalid_parameters"),
    401: ("authentication_error", "invalid_api_key"),
    402: ("payment_required", "quota_exceeded"),
    404: ("not_found", "voice_not_found"),
    429: ("rate_limit_error", "concurrent_limit_exceeded"),
    500: ("internal_error", "internal_error"),
    503: ("service_unavailable", "system_busy"),
}


class ElevenLabsSimulator(SimulatedProvider):
    """Speaks what it is asked to, with ``synth``; the first audio after ``first_audio_s``."""

    def __init__(self, synth: Synth = speechlike, first_audio_s: float = 0.0, chunk_ms: int = 50) -> None:
        super().__init__(
            Starlette(
                routes=[
                    Route("/v1/text-to-speech/{voice}/stream", self._speak, methods=["POST"]),
                    Route("/", self._root, methods=["HEAD"]),
                ]
            )
        )
        self._synth, self._first_audio_s, self._chunk_ms = synth, first_audio_s, chunk_ms
        self.warmed = 0
        """How often a connection was opened ahead."""

    async def _root(self, request: Request) -> Response:
        self.warmed += 1
        return Response(status_code=404)

    async def _speak(self, request: Request) -> Response:
        asked: dict[str, Any] = await request.json()
        sound_format = request.query_params.get("output_format", "mp3_44100_128")
        record: dict[str, Any] = {
            "path": request.url.path,
            "query": dict(request.query_params),
            "body": asked,
            "port": request.client.port if request.client else None,
            "finished": False,
        }
        self.record(record)
        if request.headers.get("xi-api-key") != KEY:
            return _error(401)
        fault = self.take_fault()
        if fault is not None and (answer := await _refused(fault)) is not None:
            return answer
        if asked.get("model_id") not in MODELS or sound_format not in RATES:
            return _error(400)
        if asked["model_id"] == "eleven_multilingual_v2" and "language_code" in asked:
            return _error(400)  # that model does not take the field
        if not asked.get("text", "").strip():
            return _error(422)
        rate_hz = RATES[sound_format]
        content_type = "audio/basic" if sound_format.startswith("ulaw") else "audio/pcm"
        if isinstance(fault, SpeechFault):
            rate_hz = fault.rate_hz or rate_hz
            content_type = fault.content_type or content_type
        settings = asked.get("voice_settings") or {}
        sound = self._synth(asked["text"], rate_hz, float(settings.get("speed") or 1.0))
        if sound_format.startswith("ulaw"):
            sound = mu_law(sound)
        record["sound_bytes"] = len(sound)
        bytes_per_s = RATES[sound_format] * (1 if sound_format.startswith("ulaw") else 2)

        async def body() -> Any:
            async for chunk in played(sound, bytes_per_s, self._chunk_ms, self._first_audio_s, fault):
                yield chunk
            record["finished"] = True

        headers = {"request-id": "simulated", "character-cost": str(len(asked["text"]))}
        return StreamingResponse(body(), media_type=content_type, headers=headers)


async def _refused(fault: Fault) -> Response | None:
    """The whole answer, when the failure is one; None when it happens within the stream."""
    if isinstance(fault, SpeechFault) and fault.after_chunks is not None:
        return None
    await asyncio.sleep(fault.delay_s)
    if fault.raw is not None:
        content_type = fault.content_type if isinstance(fault, SpeechFault) else ""
        return Response(fault.raw, fault.status or 200, fault.headers, content_type or "application/json")
    if fault.status:
        return _error(fault.status, fault.headers)
    return None


def _error(status: int, headers: dict[str, str] | None = None) -> Response:
    if status == 422:
        missing = [{"type": "missing", "loc": ["body", "text"], "msg": "simulated"}]
        return JSONResponse({"detail": missing}, 422, headers=headers)
    kind, code = _CODES.get(status, ("invalid_request_error", "invalid_parameters"))
    detail = {"type": kind, "code": code, "status": code, "message": "simulated", "request_id": "simulated"}
    return JSONResponse({"detail": detail}, status, headers=headers)
