"""G.711, as telephones code a voice: 8 bits a sample, 8 kHz (ITU-T G.711). Pure.

The decoders are the standard's; each encoder picks the code whose decoded value is nearest.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True, eq=False)
class Codec:
    """One of the two laws, under its name in SDP and its number in RTP (RFC 3551)."""

    name: str
    payload_type: int
    values: Values
    """What each of the 256 codes stands for."""
    codes: npt.NDArray[np.uint8]
    """The code nearest to each value, from -32768 on."""

    def encode(self, pcm: bytes) -> bytes:
        """Signed 16-bit mono to one byte a sample."""
        return self.codes[np.frombuffer(pcm, "<i2").astype(np.int32) + 32768].tobytes()

    def decode(self, payload: bytes) -> bytes:
        """One byte a sample to signed 16-bit mono."""
        return self.values[np.frombuffer(payload, np.uint8)].astype("<i2").tobytes()


def _a_law(code: int) -> int:
    code ^= 0x55
    segment, size = (code & 0x70) >> 4, (code & 0x0F) << 4
    size = size + 8 if segment == 0 else (size + 0x108) << (segment - 1)
    return size if code & 0x80 else -size


def _mu_law(code: int) -> int:
    code = ~code & 0xFF
    size = (((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)
    return 0x84 - size if code & 0x80 else size - 0x84


def _codec(name: str, payload_type: int, values: Values) -> Codec:
    order = np.argsort(values, kind="stable")
    ordered = values[order].astype(np.int32)
    between = (ordered[1:] + ordered[:-1]) / 2
    codes = order[np.searchsorted(between, np.arange(-32768, 32768))].astype(np.uint8)
    return Codec(name, payload_type, values, codes)


A_LAW = _codec("PCMA", 8, np.array([_a_law(code) for code in range(256)], np.int16))
MU_LAW = _codec("PCMU", 0, np.array([_mu_law(code) for code in range(256)], np.int16))
CODECS = (A_LAW, MU_LAW)
