"""The sound of a telephone line: signed 16-bit little-endian samples, one channel, 8 kHz.

Everything between the wire and the voices is in this one format, so that nobody has to ask which.
Sound of another rate (a voice that speaks at 22 050 Hz, an ear that wants 16 kHz) is brought to it,
or from it, by :func:`resample`. Pure arithmetic, no state.
"""

from collections.abc import Iterator
from math import ceil, gcd

import numpy as np

SAMPLE_RATE_HZ = 8000
FRAME_MS = 20
"""What telephones send at a time."""
BYTES_PER_MS = SAMPLE_RATE_HZ * 2 // 1000
FRAME_BYTES = FRAME_MS * BYTES_PER_MS
SILENCE_FRAME = bytes(FRAME_BYTES)

_ROLL_OFF = 0.08
"""Share of the band, below the lower of the two Nyquist frequencies, over which :func:`resample` fades
out. A brick wall would ring for tens of milliseconds around each stop consonant; fading over 8 %
(3 680 to 4 000 Hz on its way to a telephone, which passes nothing above 3 400 Hz) rings for 3 ms."""

_EDGE_S = 0.02
"""Silence put around the sound before the Fourier transform, which takes its end to be next to its start."""


def duration_ms(pcm: bytes) -> int:
    """Whole milliseconds of sound in ``pcm`` (8 kHz)."""
    return len(pcm) // BYTES_PER_MS


def frames(pcm: bytes) -> Iterator[bytes]:
    """Cut ``pcm`` (8 kHz) into frames of 20 ms (320 bytes), the last one filled up with silence."""
    for start in range(0, len(pcm), FRAME_BYTES):
        yield pcm[start : start + FRAME_BYTES].ljust(FRAME_BYTES, b"\0")


def resample(pcm: bytes, from_hz: int, to_hz: int) -> bytes:
    """The same sound at another sample rate, band-limited: nothing folds back into the band.

    ``pcm`` and the result are signed 16-bit little-endian mono; the result holds
    ``ceil(samples * to_hz / from_hz)`` samples. It is meant for a whole sentence: sound beyond the ends
    counts as silence, so pieces resampled one by one click where they are joined.

    One Fourier transform of the whole, the spectrum cut or padded to the new rate. Lengths are first
    rounded up to where both rates have a whole number of samples, so time is neither stretched nor shifted,
    and a little further to one the transform is fast for.

    Raises ValueError for half a sample, or for a rate that is not positive.
    """
    if from_hz <= 0 or to_hz <= 0:
        raise ValueError(f"sample rates are positive, not {from_hz} and {to_hz} Hz")
    if len(pcm) % 2:
        raise ValueError(f"{len(pcm)} bytes are not a whole number of 16-bit samples")
    if from_hz == to_hz or not pcm:
        return pcm
    samples = np.frombuffer(pcm, "<i2")
    # The shortest times that are whole numbers of samples at both rates: 441 to 160 for 22 050 to 8 000 Hz.
    block_in, block_out = from_hz // gcd(from_hz, to_hz), to_hz // gcd(from_hz, to_hz)
    edge_blocks = ceil(_EDGE_S * from_hz / block_in)
    blocks = smooth(ceil(len(samples) / block_in) + 2 * edge_blocks)
    padded = np.zeros(blocks * block_in)
    padded[edge_blocks * block_in :][: len(samples)] = samples

    spectrum = np.fft.rfft(padded)
    bins = min(blocks * block_in, blocks * block_out) // 2 + 1
    # 1 up to the roll-off, then half a cosine down to 0 at the lower Nyquist frequency.
    position = np.linspace(0.0, 1.0, bins)
    fade = np.clip((position - (1.0 - _ROLL_OFF)) / _ROLL_OFF, 0.0, 1.0)
    narrowed = np.zeros(blocks * block_out // 2 + 1, dtype=np.complex128)
    narrowed[:bins] = spectrum[:bins] * (0.5 + 0.5 * np.cos(np.pi * fade))
    sound = np.fft.irfft(narrowed, blocks * block_out) * (block_out / block_in)

    wanted = sound[edge_blocks * block_out :][: ceil(len(samples) * to_hz / from_hz)]
    return np.clip(np.rint(wanted), -32768, 32767).astype("<i2").tobytes()


def smooth(at_least: int) -> int:
    """The least number from ``at_least`` (1 or more) on whose prime factors are 2, 3 and 5.

    Fourier transforms of such lengths are fast. Measured on 5 s from 22 050 to 8 000 Hz: 2.8 ms (median over
    lengths), and 3.9, up to 6, when lengths are taken as they come.
    """
    best = 1 << (at_least - 1).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            twos = max(0, (-(-at_least // three) - 1).bit_length())
            best = min(best, three << twos)
            three *= 3
        five *= 5
    return best


LOUDER = 2.0
"""Times the amplitude, 6 dB: plainly louder, for who asks for it."""

_FULL_SCALE = 32767


def louder(pcm: bytes) -> bytes:
    """``pcm`` (signed 16-bit, whole samples) at :data:`LOUDER` times its amplitude, peaks rounded off.

    The limiter is a hyperbolic tangent: what is soft is doubled, what is loud already comes close to full
    scale and never beyond, where it would crackle. It keeps no state, so chunks may be cut anywhere.
    """
    samples = np.frombuffer(pcm, "<i2") / _FULL_SCALE
    return bytes((np.tanh(samples * LOUDER) * _FULL_SCALE).astype("<i2").tobytes())
