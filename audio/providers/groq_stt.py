"""Groq's Whisper: the fastest ear with a key.

The SDK is used as it is, with three of its habits turned off (all seen in groq 0.37): it retries twice
and obeys ``retry-after`` for up to a minute, while a caller waits; it bounds each read and not the whole;
and httpx drops a connection after 5 s of rest, so that nearly every turn would pay a new TLS handshake.
A broken answer is not always one of groq's errors: cuts come as httpx's, bad JSON as ValueError.

What is shorter than the service takes is not sent: it would be refused, or billed as ten seconds.
"""

import asyncio
import struct

import groq
import httpx
from pydantic import BaseModel

from audio.endpointing import Expecting, Utterance
from audio.pcm import BYTES_PER_MS, SAMPLE_RATE_HZ
from audio.stt import SttFailed, Transcript
from audio.whisper import HINTS, Segment, transcript_of
from memory.breaker import Fault, FaultKind
from memory.http_faults import fault_of_status

KEEP_ALIVE_S = 300.0
"""Longer than a caller's pause between two turns."""

SHORTEST_MS = 100
"""Of sound; no word is shorter. The service itself refuses what is shorter than 10 ms."""

_FAILURES = (groq.GroqError, httpx.HTTPError, ValueError, TimeoutError)


class _Segment(BaseModel):
    """One segment of a ``verbose_json`` answer, as far as it is read."""

    text: str
    start: float
    end: float
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float


class _Answer(BaseModel):
    text: str
    segments: list[_Segment]


class GroqStt:
    """Transcribes with a Whisper model at Groq, or at anything that speaks Groq's protocol."""

    def __init__(
        self,
        api_key: str,
        base_url: str = "https://api.groq.com",
        model: str = "whisper-large-v3-turbo",
        timeout_ms: int = 4000,
    ) -> None:
        """``base_url`` is the bare origin; ``timeout_ms`` bounds a whole transcription, upload included."""
        self._model = model
        self._timeout_s = timeout_ms / 1000
        timeout = httpx.Timeout(self._timeout_s, connect=min(2.0, self._timeout_s))
        self._client = groq.AsyncGroq(
            api_key=api_key,
            base_url=base_url,
            max_retries=0,
            timeout=timeout,
            http_client=httpx.AsyncClient(
                timeout=timeout, limits=httpx.Limits(keepalive_expiry=KEEP_ALIVE_S)
            ),
        )

    @property
    def name(self) -> str:
        """``groq:whisper-large-v3-turbo``."""
        return f"groq:{self._model}"

    async def transcribe(self, utterance: Utterance, expecting: Expecting) -> Transcript:
        """See :class:`audio.stt.SpeechToText`. One attempt, within the time given."""
        hint = HINTS[expecting]
        pcm = utterance.pcm[: len(utterance.pcm) // 2 * 2]
        if len(pcm) < SHORTEST_MS * BYTES_PER_MS:
            return Transcript("", 0.0)
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._client.audio.transcriptions.create(
                    file=("utterance.wav", wav(pcm), "audio/wav"),
                    model=self._model,
                    language="fr",
                    prompt=hint,
                    response_format="verbose_json",
                    temperature=0.0,
                )
            # The SDK declares the text only; the segments are in what it did not expect.
            heard = _Answer.model_validate(answer, from_attributes=True)
        except _FAILURES as error:
            fault = _fault(error)
            raise SttFailed(f"{self.name} gave no transcript: {fault.reason}", fault) from error
        segments = [
            Segment(
                segment.text,
                segment.end - segment.start,
                segment.avg_logprob,
                segment.no_speech_prob,
                segment.compression_ratio,
            )
            for segment in heard.segments
        ]
        return transcript_of(segments, hint, len(pcm) // BYTES_PER_MS)

    async def warm(self) -> None:
        """Open the connection, and see that the key and the model are taken; nothing is transcribed.

        For the start of a call, while the caller is greeted. Raises :class:`audio.stt.SttFailed`.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                listed = await self._client.models.list()
            names = {model.id for model in listed.data}
        except (*_FAILURES, AttributeError, TypeError) as error:
            fault = _fault(error)
            raise SttFailed(f"{self.name} cannot be reached: {fault.reason}", fault) from error
        if self._model not in names:
            fault = Fault(FaultKind.CONFIGURATION, "not among the models of this key")
            raise SttFailed(f"{self.name} is not among the models of this key; see GROQ_STT_MODEL", fault)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def wav(pcm: bytes) -> bytes:
    """``pcm`` (signed 16-bit mono at 8 kHz) as a WAV file. Whisper's side makes 16 kHz of it."""
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        36 + len(pcm),
        b"WAVE",
        b"fmt ",
        16,
        1,  # uncompressed
        1,  # channel
        SAMPLE_RATE_HZ,
        SAMPLE_RATE_HZ * 2,
        2,
        16,
        b"data",
        len(pcm),
    )
    return header + pcm


def _fault(error: Exception) -> Fault:
    """Status and code where there are some, else the kind of error; never the provider's own sentences."""
    if isinstance(error, groq.APIStatusError):
        body = error.body if isinstance(error.body, dict) else {}
        details = body.get("error")
        code = details.get("code") if isinstance(details, dict) else None
        return fault_of_status(
            error.status_code, str(code or ""), error.response.headers.get("retry-after", "")
        )
    return Fault(reason=type(error).__name__)
