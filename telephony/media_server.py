"""The AudioSocket server: sound of all calls, between Asterisk's sockets and the lines.

One :class:`_AudioLeg` per connection. Its life:

- It says which call it is for: the first frame must be a UUID that an AGI leg has announced, within
  ``introduction_s``. Strangers, port checks and second legs are closed, and the call they named goes on.
- From then on one 20 ms frame leaves at every tick of the metronome, silence when there is nothing to
  say. Asterisk ends the audio after 2 s without sound either way, and may leave a call mute when its
  peer waits for the caller's sound first (asterisk#2089). Header and payload go in one write.
- It ends: Asterisk closes (the caller hung up), the connection breaks, the peer stops reading, or
  :meth:`_AudioLeg.hang_up` was called. In every case the line is told, once.

Hanging up is END, then a half-close, then reading on until Asterisk has closed. Closing at once would
leave the caller's last frames unread in the kernel, which answers those with a reset: Asterisk
would take the end for an error (EXEC gives -1 instead of 0).

What cannot be trusted is bounded: the time to introduce itself, the frame length (the decoder's), what
waits to be written (``BACKLOG_BYTES``, then frames are dropped, and after ``stalled_ms`` of that the
connection is cut), the kernel's send buffer (else it swallows minutes of sound before anyone notices),
and the time a dead peer may leave our packets unanswered.
"""

import asyncio
import logging
import socket
from dataclasses import dataclass
from typing import cast

from audio.pcm import FRAME_MS
from telephony import audiosocket
from telephony.audiosocket import Frame, FrameDecoder, FrameKind, ProtocolError
from telephony.call import CallId
from telephony.line import Line
from telephony.metronome import Beat, Metronome
from telephony.switchboard import Switchboard, SwitchboardError

log = logging.getLogger(__name__)

KEYS = frozenset(key.encode("ascii") for key in "0123456789*#ABCD")

BACKLOG_BYTES = 10 * (audiosocket.HEADER_BYTES + 320)
"""What may wait in the process for a slow peer: 200 ms of sound. More would only be heard too late."""

SEND_BUFFER_BYTES = 32_768
"""The kernel's share of the backlog: about a second. Left alone, Linux grows it to megabytes."""

CONNECTIONS_WAITING = 1024
"""Connections not yet accepted; asyncio's 100 is less than what rings at once after a broadcast."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the server waits for a peer."""

    introduction_s: float = 2.0
    """From the connection to its UUID."""
    stalled_ms: int = 2000
    """Of sound that could not be written, one frame after the other, before the connection is cut."""
    farewell_s: float = 2.0
    """From our END to the peer's close; Asterisk takes a millisecond."""
    unanswered_ms: int = 5000
    """For which the peer's kernel may leave our packets without acknowledgement (Linux)."""


PATIENCE = Patience()


class MediaServer:
    """Serves the audio legs of all calls."""

    def __init__(
        self,
        host: str,
        port: int,
        switchboard: Switchboard,
        metronome: Metronome,
        patience: Patience = PATIENCE,
    ) -> None:
        self.switchboard = switchboard
        self.metronome = metronome
        self.patience = patience
        self.legs: set[_AudioLeg] = set()
        """Connections there are now, joined or not."""
        self._address = (host, port)
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port listened on; the one chosen by the system when 0 was asked."""
        if self._server is None:
            raise RuntimeError("the media server is not started")
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listen. Raises OSError when the address cannot be had."""
        host, port = self._address
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _AudioLeg(self), host, port, backlog=CONNECTIONS_WAITING
        )

    async def close(self) -> None:
        """Listen no more and cut what is connected; every line is told."""
        if self._server is None:
            return
        self._server.close()
        while self.legs:  # each leaves by connection_lost, which the loop calls next
            for leg in list(self.legs):
                leg.cut("the media server closes")
            await asyncio.sleep(0)
        await self._server.wait_closed()
        self._server = None


class _AudioLeg(asyncio.Protocol):
    """One AudioSocket connection; a :class:`telephony.line.Wire` once its call is known."""

    def __init__(self, server: MediaServer) -> None:
        self._server = server
        self._decoder = FrameDecoder()
        self._line: Line | None = None
        self._call_id: CallId | None = None
        self._beat: Beat | None = None
        self._bound: asyncio.TimerHandle | None = None
        self._dropped_ms = 0
        self._ignored_kinds: set[int] = set()

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._server.legs.add(self)
        _tune(transport.get_extra_info("socket"), self._server.patience.unanswered_ms)
        self._bound = asyncio.get_running_loop().call_later(
            self._server.patience.introduction_s, self._refuse, "it does not say which call it is for"
        )

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._decoder.feed(data):
                if self._line is not None:
                    self._hear(self._line, frame)
                elif self._call_id is None:
                    self._introduce(frame)
        except (ProtocolError, SwitchboardError) as error:
            self._refuse(str(error))

    def eof_received(self) -> None:
        """The caller hung up, or we did and Asterisk agrees; nobody reads what waits to be sent."""
        self.cut("Asterisk ended the audio" if self._decoder.at_boundary else "the audio was cut off")

    def connection_lost(self, exc: Exception | None) -> None:
        self._end("the audio connection ended" if exc is None else f"the audio connection broke: {exc}")
        if self._bound is not None:
            self._bound.cancel()
        self._server.legs.discard(self)

    # the line's side

    def hang_up(self) -> None:
        """End the audio so that Asterisk goes on with its AGI commands; again changes nothing."""
        if self._line is None:
            return
        if not self._transport.is_closing():
            self._transport.write(audiosocket.encode(FrameKind.END))
            self._transport.write_eof()
            self._bound = asyncio.get_running_loop().call_later(
                self._server.patience.farewell_s, self._transport.abort
            )
        self._end("the agent ended the audio")

    def cut(self, why: str) -> None:
        """Close at once, whatever waits to be sent."""
        self._end(why)
        self._transport.abort()

    # a call's life

    def _introduce(self, frame: Frame) -> None:
        call_id = audiosocket.call_id_of(frame)
        line = self._server.switchboard.join(call_id)
        if self._bound is not None:
            self._bound.cancel()
        self._call_id, self._line = call_id, line
        log.info("audio.joined", extra={"call_id": call_id})
        line.attach(self)
        self._beat = self._server.metronome.add(self._tick, self._failed)

    def _hear(self, line: Line, frame: Frame) -> None:
        if frame.kind == FrameKind.SLIN:
            if frame.payload:  # empty is no sound; an odd length is the ear's to join with the next
                line.audio_in(frame.payload)
        elif frame.kind == FrameKind.DIGIT and frame.payload in KEYS:
            line.digit_in(frame.payload.decode("ascii"))
        elif frame.kind == FrameKind.END:
            self.cut("Asterisk ended the audio")
        elif frame.kind not in self._ignored_kinds:  # said once: such a peer sends fifty a second
            self._ignored_kinds.add(frame.kind)
            log.warning("audio.ignored", extra={"call_id": self._call_id, "kind": frame.kind})

    def _tick(self) -> None:
        if self._line is None or self._transport.is_closing():
            return
        frame = self._line.next_frame()
        if self._transport.get_write_buffer_size() < BACKLOG_BYTES:
            self._dropped_ms = 0
            self._transport.write(audiosocket.encode(FrameKind.SLIN, frame))
            return
        self._dropped_ms += FRAME_MS
        if self._dropped_ms >= self._server.patience.stalled_ms:
            self.cut("the peer does not read")

    def _failed(self, error: Exception) -> None:
        self.cut(f"the line failed: {error!r}")

    def _refuse(self, why: str) -> None:
        log.warning("audio.refused", extra={"call_id": self._call_id, "reason": why})
        self.cut(why)

    def _end(self, why: str) -> None:
        if self._beat is not None:
            self._server.metronome.remove(self._beat)
            self._beat = None
        if self._line is not None:
            line, self._line = self._line, None
            log.info("audio.ended", extra={"call_id": self._call_id, "reason": why})
            line.closed(why)


def _tune(connection: socket.socket, unanswered_ms: int) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux only
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, unanswered_ms)
