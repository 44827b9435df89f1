"""What telephone lines and hesitant callers do to sound: for the tests and the bench of the closed-set ear.

All functions take and give 8 kHz samples as floats at the scale of 16-bit sound.
"""

from collections.abc import AsyncIterable

import numpy as np
import numpy.typing as npt

Sound = npt.NDArray[np.float64]


async def sound_of(chunks: AsyncIterable[bytes]) -> Sound:
    """What a voice says, as samples."""
    return np.frombuffer(b"".join([chunk async for chunk in chunks]), "<i2").astype(np.float64)


def pcm_of(sound: Sound) -> bytes:
    """Signed 16-bit samples, clipped as a line clips."""
    return np.clip(np.rint(sound), -32768, 32767).astype("<i2").tobytes()


def level(sound: Sound) -> float:
    """RMS of the active speech: the 20 ms within 40 dB of the loudest."""
    power = np.mean(sound[: len(sound) // 160 * 160].reshape(-1, 160) ** 2, axis=1)
    return float(np.sqrt(power[power > power.max() * 1e-4].mean()))


def telephone_band(sound: Sound) -> Sound:
    """300 to 3 400 Hz, nothing else."""
    spectrum = np.fft.rfft(sound)
    hertz = np.fft.rfftfreq(len(sound), 1 / 8000)
    spectrum[(hertz < 300) | (hertz > 3400)] = 0
    filtered: Sound = np.fft.irfft(spectrum, len(sound))
    return filtered


def with_noise(sound: Sound, snr_db: float, seed: int) -> Sound:
    """Telephone-band noise under it, ``snr_db`` below the active speech."""
    noise = telephone_band(np.random.default_rng(seed).standard_normal(len(sound)))
    gain = level(sound) * 10 ** (-snr_db / 20) / float(np.sqrt(np.mean(noise**2)))
    return sound + gain * noise


def a_law(sound: Sound) -> Sound:
    """Through G.711 A-law and back (its continuous curve, 8 bits)."""
    a, scale = 87.6, 1 + np.log(87.6)
    size = np.abs(np.clip(sound / 32768, -1, 1))
    code = np.where(size < 1 / a, a * size / scale, (1 + np.log(np.maximum(a * size, 1e-9))) / scale)
    code = np.rint(code * 127) / 127
    back = np.where(code < 1 / scale, code * scale / a, np.exp(code * scale - 1) / a)
    heard: Sound = np.sign(sound) * back * 32768
    return heard


def padded(sound: Sound, before_ms: float, after_ms: float) -> Sound:
    """Silence around it."""
    return np.concatenate([np.zeros(int(before_ms * 8)), sound, np.zeros(int(after_ms * 8))])


def hesitating(sound: Sound, pauses_ms: list[float]) -> Sound:
    """Pauses within it, evenly spread, each at the quietest place within 300 ms."""
    power = np.convolve(sound**2, np.ones(160), mode="same")
    parts, start = [], 0
    for number, pause_ms in enumerate(pauses_ms, 1):
        about = number * len(sound) // (len(pauses_ms) + 1)
        low = max(0, about - 2400)
        cut = max(start, low + int(np.argmin(power[low : about + 2400])))
        parts += [sound[start:cut], np.zeros(int(pause_ms * 8))]
        start = cut
    return np.concatenate([*parts, sound[start:]])
