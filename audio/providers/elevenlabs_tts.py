"""ElevenLabs: the voice callers hear when there is a key.

Each sentence is one streamed HTTP request over a kept connection; with sentences cut by us this is as fast as
the websocket and simpler to cancel. The service makes telephone sound itself (``pcm_8000``, or ``ulaw_8000``
for half the bytes): nothing is resampled here.

What the SDK (2.78) does by itself and is not wanted on a call, all seen against a simulator: its own 240 s
time-out overrides the HTTP client's; a time-out bounds each read, never the whole; it re-cuts sound into 1024
bytes, which holds the first audio of a sentence back by 64 to 128 ms; httpx drops a connection after 5 s of
rest. Errors of HTTP are the SDK's ``ApiError``, but refusals, cuts and stalls come as httpx's own.

A sentence that is closed early (the caller speaks) closes its connection: the only way to stop paying for
sound that nobody hears. :meth:`ElevenLabsTts.warm` opens one ahead of the next sentence.
"""

import logging
import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import httpx
from elevenlabs.client import AsyncElevenLabs
from elevenlabs.core.api_error import ApiError
from elevenlabs.core.request_options import RequestOptions
from elevenlabs.types.voice_settings import VoiceSettings

from audio.arriving import DEFAULT_BOUNDS, Bounds, bounded, wrong_format
from audio.mu_law import decode_mu_law
from audio.pcm import FRAME_BYTES
from audio.tts import Pace, TtsFailed
from memory.breaker import Fault, FaultKind

log = logging.getLogger(__name__)

KEEP_ALIVE_S: Final = 300.0
"""Longer than a caller's pause between two turns."""

CONCURRENCY_PAUSE_S: Final = 1.0
"""Without ``retry-after``, a limit of requests at once is over when one sentence of others has ended."""

ADDRESS: Final = "https://api.elevenlabs.io"

EU_ADDRESS: Final = "https://api.eu.residency.elevenlabs.io"
"""Speech is made and kept within the European Union; needs a plan that has it (the SDK's PRODUCTION_EU)."""


class SoundFormat(StrEnum):
    """What the service sends; both are 8 kHz."""

    PCM = "pcm_8000"
    MU_LAW = "ulaw_8000"


_CONTENT_TYPES: Final = {
    SoundFormat.PCM: ("audio/pcm", "audio/l16", "application/octet-stream"),
    SoundFormat.MU_LAW: (
        "audio/basic",
        "audio/ulaw",
        "audio/x-mulaw",
        "audio/pcmu",
        "application/octet-stream",
    ),
}
_CONFIGURATION_CODES: Final = frozenset(
    {"invalid_api_key", "missing_permissions", "quota_exceeded", "voice_not_found", "model_not_found",
     "needs_authorization", "invalid_voice_id", "model_id_not_found"}
)  # fmt: skip
_CODE: Final = re.compile("[a-z_]{1,40}")
_BUSY_CODES: Final = frozenset(
    {"rate_limit_exceeded", "concurrent_limit_exceeded", "too_many_concurrent_requests", "system_busy"}
)


@dataclass(frozen=True, slots=True)
class ElevenLabsOptions:
    """What is chosen at ElevenLabs, besides key and voice."""

    model: str = "eleven_flash_v2_5"
    """About 75 ms to the first audio by its maker; ``eleven_multilingual_v2`` is more lifelike and slower."""
    sound_format: SoundFormat = SoundFormat.PCM
    keeps_nothing: bool = False
    """Zero retention: neither text nor sound is logged there (their enterprise plans only)."""
    bounds: Bounds = DEFAULT_BOUNDS


class ElevenLabsTts:
    """Speaks with one of ElevenLabs' voices."""

    def __init__(
        self,
        api_key: str,
        voice_id: str,
        base_url: str = ADDRESS,
        options: ElevenLabsOptions = ElevenLabsOptions(),
    ) -> None:
        """``base_url`` is the bare origin: theirs, :data:`EU_ADDRESS`, or a proxy's."""
        self._voice_id = voice_id
        self._options = options
        self._base_url = base_url.rstrip("/")
        bounds = options.bounds
        timeout = httpx.Timeout(
            max(bounds.first_audio_ms, bounds.gap_ms) / 1000, connect=bounds.first_audio_ms / 1000
        )
        self._http = httpx.AsyncClient(
            timeout=timeout,
            limits=httpx.Limits(
                max_connections=None, max_keepalive_connections=100, keepalive_expiry=KEEP_ALIVE_S
            ),
        )
        # The time-out must be given to both: the SDK's own default (240 s) would win over the client's.
        self._client = AsyncElevenLabs(
            api_key=api_key,
            base_url=self._base_url,
            timeout=timeout,  # type: ignore[arg-type]  # annotated float, and takes this
            httpx_client=self._http,
        )

    @property
    def name(self) -> str:
        """``elevenlabs:eleven_flash_v2_5:<voice>``."""
        return f"elevenlabs:{self._options.model}:{self._voice_id}"

    def speak(self, text: str, pace: Pace = Pace.NORMAL) -> AsyncGenerator[bytes, None]:
        """See :class:`audio.tts.TextToSpeech`; pieces of 20 ms."""
        return bounded(self._stream(text, pace), self._options.bounds, self.name)

    async def warm(self) -> None:
        """Have a connection open for the next sentence. Costs nothing there; failing is no failure here."""
        try:
            await self._http.head(self._base_url)
        except httpx.HTTPError as error:
            log.debug("voice.not_warmed", extra={"voice": self.name, "reason": type(error).__name__})

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _stream(self, text: str, pace: Pace) -> AsyncGenerator[bytes, None]:
        options = self._options
        mu_law = options.sound_format is SoundFormat.MU_LAW
        request = RequestOptions(chunk_size=FRAME_BYTES // 2 if mu_law else FRAME_BYTES)
        try:
            async with self._client.text_to_speech.with_raw_response.stream(
                self._voice_id,
                text=text,
                model_id=options.model,
                # Forces French where the model knows the field; eleven_multilingual_v2 refuses it.
                **({"language_code": "fr"} if options.model.endswith("_v2_5") else {}),
                output_format=options.sound_format.value,
                voice_settings=VoiceSettings(speed=pace.speed),
                enable_logging=not options.keeps_nothing,
                request_options=request,
            ) as answer:
                content_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
                if content_type not in _CONTENT_TYPES[options.sound_format]:
                    raise wrong_format(self.name, content_type or "sound of no type")
                async for piece in answer.data:
                    yield decode_mu_law(piece) if mu_law else piece
        except ApiError as error:
            fault = _fault(error)
            raise TtsFailed(f"{self.name} refused to speak: {fault.reason}", fault) from error
        except (httpx.HTTPError, ValueError) as error:
            reason = type(error).__name__
            slow = isinstance(error, httpx.TimeoutException)
            raise TtsFailed(f"{self.name} broke off: {reason}", Fault(reason=reason), slow=slow) from error


def _fault(error: ApiError) -> Fault:
    """By the code where there is one, else by the status; never by the wording."""
    status = error.status_code or 0
    code = _code(error.body)
    reason = f"HTTP {status}" + (f" {code}" if code else "")
    if code in _BUSY_CODES or status == 429:
        given = (error.headers or {}).get("retry-after", "")
        asked_s = float(given) if given.isdecimal() else None
        concurrent = code in ("concurrent_limit_exceeded", "too_many_concurrent_requests")
        return Fault(
            FaultKind.BUSY, reason, CONCURRENCY_PAUSE_S if asked_s is None and concurrent else asked_s
        )
    if code in _CONFIGURATION_CODES or status in (401, 402, 403, 404):
        return Fault(FaultKind.CONFIGURATION, reason)
    if 400 <= status < 500 and status != 408:
        return Fault(FaultKind.REQUEST, reason)
    return Fault(FaultKind.AWAY, reason)


def _code(body: object) -> str:
    """``detail.code``, or ``detail.status`` of their older errors."""
    match body:
        case {"detail": {"code": str(code)}} | {"detail": {"status": str(code)}}:
            return code if _CODE.fullmatch(code) else "unknown"
        case _:
            return ""
