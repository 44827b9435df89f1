"""RTP packets (RFC 3550) and telephone events (RFC 4733), as bytes. Pure."""

import struct
from dataclasses import dataclass

EVENT_PAYLOAD_TYPE = 101
KEYS = "0123456789*#ABCD"
EVENT_VOLUME = 10


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet; ``timestamp`` counts samples of 1/8000 s."""

    payload_type: int
    sequence: int
    timestamp: int
    payload: bytes
    marker: bool = False


def encode(packet: Packet, source: int) -> bytes:
    """``packet`` as it travels; ``source`` tells one sender from another."""
    kind = packet.marker << 7 | packet.payload_type
    head = struct.pack(
        "!BBHII", 0x80, kind, packet.sequence & 0xFFFF, packet.timestamp & 0xFFFFFFFF, source & 0xFFFFFFFF
    )
    return head + packet.payload


def decode(data: bytes) -> Packet | None:
    """The packet in ``data``; None when it is none."""
    if len(data) < 12 or data[0] >> 6 != 2:
        return None
    sequence, timestamp = struct.unpack("!HI", data[2:8])
    payload = data[12 + 4 * (data[0] & 15) :]
    if data[0] & 0x10 and len(payload) >= 4:  # a header extension: its length counts words of four bytes
        payload = payload[4 + 4 * int(struct.unpack("!H", payload[2:4])[0]) :]
    return Packet(data[1] & 127, sequence, timestamp, payload, bool(data[1] >> 7))


def key_event(key: str, samples: int, *, end: bool) -> bytes:
    """The payload that says ``key`` has been down for ``samples``; ``end`` when it has been released."""
    return struct.pack("!BBH", KEYS.index(key), (0x80 if end else 0) | EVENT_VOLUME, samples)
