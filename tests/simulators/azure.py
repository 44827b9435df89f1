"""Azure's text to speech, as the native Speech SDK speaks it: a websocket with headers in every message.

Text messages are ``Name:value`` lines, an empty line and a body; sound comes as binary messages with a
two-byte length of their headers in front. The order of messages is the service's; the wording is ours.

    with AzureSimulator() as azure:
        voice = AzureTts(KEY, endpoint=azure.address)

``fail`` is for sentences; ``refuse`` for connections (the SDK tries 429 and 5xx twice at once).
"""

import asyncio
import collections
import json
import re
import struct
import uuid
from html import unescape
from typing import Any

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.simulators.server import Fault, SimulatedProvider
from tests.simulators.speech import SpeechFault, Synth, played, speechlike

KEY = "0" * 32
RATES = {"raw-8khz-16bit-mono-pcm": 8000, "raw-16khz-16bit-mono-pcm": 16000}
PATHS = ("/cognitiveservices/websocket/v1", "/tts/cognitiveservices/websocket/v1")


class AzureSimulator(SimulatedProvider):
    """Speaks the SSML it is sent, with ``synth``; the first audio after ``first_audio_s``.

    A sentence's fault with ``status`` closes the websocket with that code before any sound (1007: the SSML is
    refused; 1011: something broke).
    """

    def __init__(self, synth: Synth = speechlike, first_audio_s: float = 0.0, chunk_ms: int = 100) -> None:
        super().__init__(Starlette(routes=[WebSocketRoute(path, self._connection) for path in PATHS]))
        self._synth, self._first_audio_s, self._chunk_ms = synth, first_audio_s, chunk_ms
        self._refusals: collections.deque[Fault] = collections.deque()
        self.connections = 0
        """How many were accepted."""
        self.stopped = 0
        """How many sentences were left unfinished by the client."""

    @property
    def address(self) -> str:
        """For ``AZURE_SPEECH_ENDPOINT``."""
        return self.url.replace("http://", "ws://")

    def refuse(self, *faults: Fault) -> None:
        """The next connections are refused with these statuses."""
        self._refusals.extend(faults)

    async def _connection(self, socket: WebSocket) -> None:
        if self._refusals:
            fault = self._refusals.popleft()
            await asyncio.sleep(fault.delay_s)
            return await socket.send_denial_response(
                PlainTextResponse("", fault.status, headers=fault.headers)
            )
        if socket.headers.get("ocp-apim-subscription-key") != KEY:
            return await socket.send_denial_response(PlainTextResponse("", 401))
        offered = socket.scope.get("subprotocols", [])
        await socket.accept(subprotocol="USP" if "USP" in offered else None)
        self.connections += 1
        sound_format = ""
        speaking: asyncio.Task[None] | None = None
        try:
            while True:
                message = await socket.receive()
                if message["type"] == "websocket.disconnect":
                    return None
                if message.get("text") is None:
                    continue
                headers, body = _parsed(message["text"])
                match headers.get("path", "").lower():
                    case "synthesis.context":
                        sound_format = json.loads(body)["synthesis"]["audio"]["outputFormat"]
                    case "ssml":
                        request_id = headers.get("x-requestid", "")
                        speaking = asyncio.create_task(self._speak(socket, request_id, body, sound_format))
                    case "synthesis.control" if speaking is not None and not speaking.done():
                        self.stopped += 1
                        speaking.cancel()
        finally:
            if speaking is not None and not speaking.done():
                self.stopped += 1
                speaking.cancel()

    async def _speak(self, socket: WebSocket, request_id: str, ssml: str, sound_format: str) -> None:
        self.record({"ssml": ssml, "format": sound_format, "text": _text(ssml)})
        fault = self.take_fault()
        within = isinstance(fault, SpeechFault) and fault.after_chunks is not None
        if fault is not None and not within:
            await asyncio.sleep(fault.delay_s)
            if fault.status:
                return await socket.close(fault.status)
        stream = uuid.uuid4().hex.upper()
        context: dict[str, Any] = {"context": {"serviceTag": uuid.uuid4().hex}}
        await socket.send_text(_message("turn.start", request_id, context))
        inline = {"audio": {"type": "inline", "streamId": stream}}
        await socket.send_text(_message("response", request_id, context | inline))
        rate_hz = RATES[sound_format]
        if isinstance(fault, SpeechFault) and fault.raw is not None:
            sound = fault.raw
        else:
            wrong_hz = fault.rate_hz if isinstance(fault, SpeechFault) else 0
            sound = self._synth(_text(ssml), wrong_hz or rate_hz, _speed(ssml))
        try:
            async for chunk in played(sound, rate_hz * 2, self._chunk_ms, self._first_audio_s, fault):
                await socket.send_bytes(_audio(request_id, stream, chunk))
        except ConnectionAbortedError:
            return await socket.close(1011)
        except (WebSocketDisconnect, RuntimeError):
            return None  # the client has left
        end = {"Metadata": [{"Type": "SessionEnd", "Data": {"Offset": len(sound) * 10**7 // (rate_hz * 2)}}]}
        await socket.send_text(_message("audio.metadata", request_id, end))
        await socket.send_text(_message("turn.end", request_id, {}))
        return None


def _parsed(message: str) -> tuple[dict[str, str], str]:
    head, _, body = message.partition("\r\n\r\n")
    pairs = (line.partition(":") for line in head.split("\r\n"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs}, body


def _message(path: str, request_id: str, body: dict[str, Any]) -> str:
    head = f"X-RequestId:{request_id}\r\nContent-Type:application/json; charset=utf-8\r\nPath:{path}\r\n\r\n"
    return head + json.dumps(body)


def _audio(request_id: str, stream: str, sound: bytes) -> bytes:
    head = f"X-RequestId:{request_id}\r\nX-StreamId:{stream}\r\nPath:audio\r\n".encode()
    return struct.pack(">H", len(head)) + head + sound


def _text(ssml: str) -> str:
    return unescape(re.sub(r"<[^>]+>", "", ssml)).strip()


def _speed(ssml: str) -> float:
    rate = re.search(r'rate="([+-][0-9]+)%"', ssml)
    return 1 + int(rate[1]) / 100 if rate else 1.0
