"""Azure's neural voices, through Microsoft's Speech SDK: the second voice, or the first without ElevenLabs.

The SDK is native code with threads of its own; it speaks a websocket. Its events come on those threads and
are handed to the event loop; whatever blocks (constructing, ``get`` of its futures) runs on threads of ours.

What it does by itself (SDK 1.53, seen against a simulator) and what is done about it:

- it waits for the first audio for ever, and bounds only the gap between frames: see
  :func:`audio.arriving.bounded`;
- it wraps plain text in SSML that says English, whatever the voice: we send our own SSML;
- one synthesiser speaks one sentence at a time: there is a small store of them, each with an open connection;
- stopping (the caller speaks) closes the connection: it is opened again ahead of the next sentence.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit
from xml.sax.saxutils import escape, quoteattr

import azure.cognitiveservices.speech as sdk  # type: ignore[import-untyped]  # ships no types

from audio.arriving import DEFAULT_BOUNDS, Bounds, bounded
from audio.providers import ProviderUnavailable
from audio.tts import Pace, TtsFailed
from memory.breaker import Fault, FaultKind

STORED: Final = 4
"""Idle synthesisers that are kept, each with three threads and an open connection."""

THREADS: Final = 4

_CODE: Final = sdk.CancellationErrorCode
_FAULTS: Final = {
    _CODE.AuthenticationFailure: FaultKind.CONFIGURATION,
    _CODE.Forbidden: FaultKind.CONFIGURATION,
    # The SSML is ours and escaped: what the service finds wrong is the voice's name or the format.
    _CODE.BadRequest: FaultKind.CONFIGURATION,
    _CODE.TooManyRequests: FaultKind.BUSY,
}
_SLOW: Final = frozenset({_CODE.ServiceTimeout})
_NOT_XML: Final = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no place for, escaped or not."""


_T = TypeVar("_T")


class _Ended:
    """The sentence is complete."""


_Heard = bytes | _Ended | TtsFailed


class AzureTts:
    """Speaks with one of Azure's neural voices."""

    def __init__(
        self,
        api_key: str,
        region: str = "",
        endpoint: str = "",
        voice: str = "fr-FR-DeniseNeural",
        bounds: Bounds = DEFAULT_BOUNDS,
    ) -> None:
        """``endpoint`` (``wss://…``, ``https://…``) is private or a proxy's; else ``region`` names theirs.

        Raises :class:`audio.providers.ProviderUnavailable` when the SDK cannot use them.
        """
        if not region and not endpoint:
            raise ProviderUnavailable(
                "Azure's voice needs AZURE_SPEECH_REGION (francecentral), or AZURE_SPEECH_ENDPOINT, and a key"
            )
        if endpoint and not endpoint.startswith(("ws://", "wss://", "http://", "https://")):
            raise ProviderUnavailable(
                f"AZURE_SPEECH_ENDPOINT: {endpoint!r} is no address; write wss://… or https://…"
            )
        self._voice = voice
        self._bounds = bounds
        try:
            self._config = _config(api_key, region, endpoint, voice, bounds)
        except (RuntimeError, ValueError) as error:
            raise ProviderUnavailable(
                f"Azure's Speech SDK cannot be set up with these settings (AZURE_SPEECH_*): {error}"
            ) from error
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="azure-voice")
        self._idle: list[_Mouth] = []
        self._chores: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def name(self) -> str:
        """``azure:fr-FR-DeniseNeural``."""
        return f"azure:{self._voice}"

    def speak(self, text: str, pace: Pace = Pace.NORMAL) -> AsyncGenerator[bytes, None]:
        """See :class:`audio.tts.TextToSpeech`; pieces as the service sends them."""
        return bounded(self._stream(text, pace), self._bounds, self.name)

    async def warm(self) -> None:
        """Have a connection open for the next sentence. Raises :class:`audio.tts.TtsFailed`."""
        if self._idle or self._closed:
            return
        mouth = await self._new_mouth()
        await self._on_a_thread(mouth.open)
        self._idle.append(mouth)

    async def close(self) -> None:
        """Close the connections; sentences under way are stopped by whoever listens to them."""
        self._closed = True
        while self._chores:
            await asyncio.wait(set(self._chores))
        mouths, self._idle = self._idle, []
        for mouth in mouths:
            await self._on_a_thread(mouth.close)
        self._threads.shutdown(wait=False)

    async def _stream(self, text: str, pace: Pace) -> AsyncGenerator[bytes, None]:
        mouth = self._idle.pop() if self._idle else await self._new_mouth()
        loop = asyncio.get_running_loop()
        heard: asyncio.Queue[_Heard] = asyncio.Queue()

        def hear(what: _Heard) -> None:  # on a thread of the SDK
            with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                loop.call_soon_threadsafe(heard.put_nowait, what)

        failed = complete = False
        try:
            mouth.start(_ssml(text, self._voice, pace), self.name, hear)
            while True:
                match await heard.get():
                    case bytes() as piece:
                        yield piece
                    case _Ended():
                        complete = True
                        return
                    case TtsFailed() as failure:
                        failed = True
                        raise failure
        finally:
            if complete and len(self._idle) < STORED and not self._closed:
                mouth.rest()
                self._idle.append(mouth)
            else:  # not waited for: the caller already speaks, or the next voice must
                again = not failed and not complete
                chore = asyncio.create_task(self._put_away(mouth, again=again), name="azure voice put away")
                self._chores.add(chore)
                chore.add_done_callback(self._chores.discard)

    async def _put_away(self, mouth: "_Mouth", *, again: bool) -> None:
        await self._on_a_thread(mouth.stop)
        if again and len(self._idle) < STORED and not self._closed:
            await self._on_a_thread(mouth.open)
            self._idle.append(mouth)
        else:
            await self._on_a_thread(mouth.close)

    async def _new_mouth(self) -> "_Mouth":
        try:
            return await self._on_a_thread(lambda: _Mouth(self._config))
        except RuntimeError as error:  # the SDK's own kind, for what its native part refuses
            reason = "the SDK makes no synthesiser"
            raise TtsFailed(f"{self.name}: {reason}", Fault(reason=reason)) from error

    async def _on_a_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


class _Mouth:
    """One synthesiser with its connection. :meth:`open`, :meth:`stop` and :meth:`close` block."""

    def __init__(self, config: sdk.SpeechConfig) -> None:
        self._synthesizer = sdk.SpeechSynthesizer(config, audio_config=None)
        self._connection = sdk.Connection.from_speech_synthesizer(self._synthesizer)
        self._started: sdk.ResultFuture | None = None
        self._name = ""
        self._hear: Callable[[_Heard], None] = _nobody
        self._synthesizer.synthesizing.connect(self._on_sound)
        self._synthesizer.synthesis_completed.connect(self._on_end)
        self._synthesizer.synthesis_canceled.connect(self._on_failure)

    def start(self, ssml: str, name: str, hear: Callable[[_Heard], None]) -> None:
        """Begin to speak; what comes of it is told to ``hear``, on a thread of the SDK."""
        self._name, self._hear = name, hear
        self._started = self._synthesizer.start_speaking_ssml_async(ssml)

    def open(self) -> None:
        """Have a connection for the next sentence."""
        self._connection.open(True)

    def rest(self) -> None:
        """After a sentence: let go of it."""
        self._hear = _nobody
        if self._started is not None:
            self._started.get()  # frees the native handle; the sentence has begun long ago, so it is at hand
            self._started = None

    def stop(self) -> None:
        """Say no more, if it speaks."""
        self._hear = _nobody
        self._synthesizer.stop_speaking_async().get()
        self.rest()

    def close(self) -> None:
        """Let go of the synthesiser."""
        self._connection.close()
        for signal in (
            self._synthesizer.synthesizing,
            self._synthesizer.synthesis_completed,
            self._synthesizer.synthesis_canceled,
        ):
            signal.disconnect_all()

    def _on_sound(self, event: Any) -> None:
        self._hear(event.result.audio_data)

    def _on_end(self, _event: Any) -> None:
        self._hear(_Ended())

    def _on_failure(self, event: Any) -> None:
        code = event.result.cancellation_details.error_code
        reason = code.name
        fault = Fault(_FAULTS.get(code, FaultKind.AWAY), reason)
        self._hear(TtsFailed(f"{self._name} could not speak: {reason}", fault, slow=code in _SLOW))


def _nobody(_heard: _Heard) -> None:
    """Nobody listens (any more)."""


def _config(api_key: str, region: str, endpoint: str, voice: str, bounds: Bounds) -> sdk.SpeechConfig:
    if not endpoint:
        config = sdk.SpeechConfig(subscription=api_key, region=region)
    elif endpoint.startswith(("ws:", "wss:")) and urlsplit(endpoint).path in ("", "/"):
        config = sdk.SpeechConfig(subscription=api_key, host=endpoint.rstrip("/"))
    else:
        config = sdk.SpeechConfig(subscription=api_key, endpoint=endpoint)
    config.speech_synthesis_voice_name = voice
    config.set_speech_synthesis_output_format(sdk.SpeechSynthesisOutputFormat.Raw8Khz16BitMonoPcm)
    # Both must be exceeded before the SDK gives a sentence up (default: 3 s, and twice as slow as speech).
    config.set_property(sdk.PropertyId.SpeechSynthesis_FrameTimeoutInterval, str(bounds.gap_ms))
    config.set_property(sdk.PropertyId.SpeechSynthesis_RtfTimeoutThreshold, "1")
    return config


def _ssml(text: str, voice: str, pace: Pace) -> str:
    spoken = escape(_NOT_XML.sub(" ", text))
    if pace.speed != 1.0:
        spoken = f'<prosody rate="{round((pace.speed - 1) * 100):+d}%">{spoken}</prosody>'
    return (
        '<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="fr-FR">'
        f"<voice name={quoteattr(voice)}>{spoken}</voice></speak>"
    )
