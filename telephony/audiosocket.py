"""AudioSocket's wire format: bytes in, frames out, and back. No socket, no clock.

What is on the wire (Asterisk 22.10, measured): a frame is one byte of kind, two bytes of length,
big-endian, and that many bytes of payload. Asterisk sends one UUID frame first, then the caller's
sound (320 bytes every 20 ms, signed 16-bit little-endian mono at 8 kHz) and one frame for each key
pressed, when it is released. We send sound, and END to give the call back to the dialplan.

What is asked of the decoder:

- TCP is a stream: a read may hold half a header, or three frames and a half. ``feed`` takes any
  cut and yields the same frames.
- A healthy line gives one whole frame per read: that path copies the payload once and nothing else.
- It is bounded: 20 ms at 192 kHz, the richest kind there is, are 7680 bytes. A length above
  ``max_payload_bytes`` (8192) is refused when its header is seen, before anything is kept for it:
  on this wire it means a stranger or a lost frame boundary, never sound. So a connection holds at
  most one frame of 8195 bytes between two reads.
- It judges form only. Kinds nobody knows are yielded as they are (their length says where they
  end), and so are frames of length 0: what they mean is the server's business.

After a :class:`ProtocolError` there is no way to find the next frame: the decoder stays refused
and the connection has to be closed. Frames that came in the same read before the fault are lost
with it.
"""

from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID

from telephony.call import CallId

HEADER_BYTES = 3
MAX_PAYLOAD_BYTES = 8192
LONGEST_WRITABLE = 0xFFFF


class ProtocolError(Exception):
    """Bytes, or a frame asked for, that AudioSocket does not allow; says which and why."""


class FrameKind(IntEnum):
    """What a frame holds. SLIN kinds are signed 16-bit little-endian mono at the rate named."""

    END = 0x00
    """Payload: none. We send it to end the audio; Asterisk just closes the connection."""
    UUID = 0x01
    """Payload: the 16 bytes of the call's UUID. Asterisk's first frame."""
    DIGIT = 0x03
    """Payload: one ASCII character, the key that was pressed."""
    SLIN = 0x10
    """8 kHz: the only rate the AudioSocket application sends."""
    SLIN12 = 0x11
    SLIN16 = 0x12
    SLIN24 = 0x13
    SLIN32 = 0x14
    SLIN44 = 0x15
    SLIN48 = 0x16
    SLIN96 = 0x17
    SLIN192 = 0x18
    ERROR = 0xFF
    """Defined, never sent by Asterisk 22.10."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame off the wire."""

    kind: int
    """A :class:`FrameKind` by value, or any other byte the peer chose."""
    payload: bytes


class FrameDecoder:
    """Cuts what TCP delivers into frames. One per connection."""

    def __init__(self, max_payload_bytes: int = MAX_PAYLOAD_BYTES) -> None:
        self._max_payload_bytes = max_payload_bytes
        self._pending = b""
        self._refused: str | None = None

    @property
    def at_boundary(self) -> bool:
        """Whether all that came was whole frames; False at the end of a stream means it was cut."""
        return not self._pending

    def feed(self, data: bytes) -> list[Frame]:
        """Frames completed by ``data``, in order; what is left waits for the next call.

        Raises :class:`ProtocolError` for a frame longer than the bound, and on every later call.
        """
        if self._refused is not None:
            raise ProtocolError(self._refused)
        if self._pending:
            data = self._pending + data
        frames: list[Frame] = []
        at = 0
        while len(data) - at >= HEADER_BYTES:
            length = data[at + 1] << 8 | data[at + 2]
            if length > self._max_payload_bytes:
                self._pending = b""
                self._refused = (
                    f"a frame of kind 0x{data[at]:02x} and {length} bytes; "
                    f"the longest allowed is {self._max_payload_bytes}"
                )
                raise ProtocolError(self._refused)
            start, end = at + HEADER_BYTES, at + HEADER_BYTES + length
            if end > len(data):
                break
            frames.append(Frame(data[at], data[start:end]))
            at = end
        self._pending = data[at:]
        return frames


def encode(kind: FrameKind, payload: bytes = b"") -> bytes:
    """Header and payload in one piece, to be written in ONE write.

    Asterisk ends the audio when the payload comes more than 5 ms after its header.
    Raises :class:`ProtocolError` when the length does not fit the header.
    """
    length = len(payload)
    if length > LONGEST_WRITABLE:
        raise ProtocolError(f"a payload of {length} bytes; the header can say {LONGEST_WRITABLE} at most")
    return bytes((kind, length >> 8, length & 0xFF)) + payload


def encode_call_id(call_id: CallId) -> bytes:
    """The frame that introduces a call, as Asterisk sends it. Raises ValueError when it is no UUID."""
    return encode(FrameKind.UUID, UUID(call_id).bytes)


def call_id_of(frame: Frame) -> CallId:
    """The call a connection's first frame is for. Raises :class:`ProtocolError` for any other frame."""
    if frame.kind != FrameKind.UUID:
        raise ProtocolError(f"the first frame is of kind 0x{frame.kind:02x}, not the call's UUID")
    if len(frame.payload) != 16:
        raise ProtocolError(f"a UUID of {len(frame.payload)} bytes")
    return CallId(str(UUID(bytes=frame.payload)))
