"""What a phone needs of SIP (RFC 3261), SDP (RFC 4566) and digest access (RFC 2617), as text. Pure."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tests.asterisk.g711 import CODECS, Codec
from tests.asterisk.rtp import EVENT_PAYLOAD_TYPE

SHORT_NAMES = {"via": "v", "from": "f", "to": "t", "call-id": "i", "contact": "m"}

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Message:
    """A request or a response."""

    start: str
    headers: tuple[tuple[str, str], ...]
    body: str

    @property
    def status(self) -> int:
        """Of a response; 0 for a request."""
        return int(self.start.split()[1]) if self.start.startswith("SIP/2.0") else 0

    @property
    def method(self) -> str:
        """Of a request, or of the request that a response answers."""
        return self.first("CSeq").split()[-1] if self.status else self.start.split()[0]

    def all(self, name: str) -> list[str]:
        """Every header of this name, in order; short forms count."""
        names = {name.lower(), SHORT_NAMES.get(name.lower(), name.lower())}
        return [value for key, value in self.headers if key.lower() in names]

    def first(self, name: str) -> str:
        """The first header of this name; empty when there is none."""
        return next(iter(self.all(name)), "")


def parse(data: bytes) -> Message:
    """The message in one datagram."""
    head, _, body = data.decode("utf-8", "replace").partition("\r\n\r\n")
    start, *lines = re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return Message(start, tuple((name.strip(), value.strip()) for name, colon, value in pairs if colon), body)


def compose(start: str, headers: Sequence[tuple[str, str]], body: str = "") -> bytes:
    """A message as it travels, its length filled in."""
    kind = [("Content-Type", "application/sdp")] if body else []
    whole = [*headers, *kind, ("Content-Length", str(len(body.encode())))]
    return "\r\n".join((start, *(f"{name}: {value}" for name, value in whole), "", body)).encode()


def address_in(header: str) -> str:
    """What stands between < and > in From, To or Contact; the whole when nothing does."""
    found = re.search(r"<([^>]+)>", header)
    return found[1] if found else header


# --- SDP --------------------------------------------------------------------------------------------


def sound_offer(ip: str, port: int, codecs: Sequence[Codec]) -> str:
    """Offer or answer: one stream of sound in ``codecs``, best first, with RFC 4733 keys."""
    types = " ".join(str(codec.payload_type) for codec in codecs)
    names = [f"a=rtpmap:{codec.payload_type} {codec.name}/8000" for codec in codecs]
    lines = [
        *("v=0", f"o=- 1 1 IN IP4 {ip}", "s=-", f"c=IN IP4 {ip}", "t=0 0"),
        f"m=audio {port} RTP/AVP {types} {EVENT_PAYLOAD_TYPE}",
        *names,
        *(f"a=rtpmap:{EVENT_PAYLOAD_TYPE} telephone-event/8000", f"a=fmtp:{EVENT_PAYLOAD_TYPE} 0-15"),
        *("a=ptime:20", "a=sendrecv", ""),
    ]
    return "\r\n".join(lines)


def sound_of(body: str) -> tuple[Address, Codec] | None:
    """Where the other side wants its sound, and which of our codecs it likes best; None without sound."""
    host = re.search(r"^c=IN IP4 (\S+)", body, re.MULTILINE)
    stream = re.search(r"^m=audio (\d+) \S+ ([\d ]+)", body, re.MULTILINE)
    if host is None or stream is None:
        return None
    known = {codec.payload_type: codec for codec in CODECS}
    chosen = next((known[int(kind)] for kind in stream[2].split() if int(kind) in known), None)
    return None if chosen is None else ((host[1], int(stream[1])), chosen)


# --- digest -----------------------------------------------------------------------------------------


def challenge_of(header: str) -> dict[str, str]:
    """The parts of a WWW-Authenticate or Authorization header."""
    return {
        name.lower(): quoted or plain
        for name, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', header)
    }


def credentials(challenge: str, method: str, uri: str, user: str, password: str) -> str:
    """The Authorization header that answers ``challenge``."""
    asked = challenge_of(challenge)
    parts = {"username": user, "realm": asked["realm"], "nonce": asked["nonce"], "uri": uri}
    if "qop" in asked:
        parts |= {"cnonce": "0a4f113b", "nc": "00000001", "qop": "auth"}
    if "opaque" in asked:
        parts["opaque"] = asked["opaque"]
    parts["response"] = response_to(parts, method, password)
    unquoted = {"nc", "qop"}
    return "Digest " + ", ".join(
        f"{name}={value}" if name in unquoted else f'{name}="{value}"' for name, value in parts.items()
    )


def response_to(parts: dict[str, str], method: str, password: str) -> str:
    """The digest that proves the password, for an Authorization header with these ``parts``."""
    secret = _md5(f"{parts['username']}:{parts['realm']}:{password}")
    asked = _md5(f"{method}:{parts['uri']}")
    if "qop" in parts:
        return _md5(f"{secret}:{parts['nonce']}:{parts['nc']}:{parts['cnonce']}:{parts['qop']}:{asked}")
    return _md5(f"{secret}:{parts['nonce']}:{asked}")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()  # what SIP digests are made with
