"""What callers let be heard without saying anything: coughs, a throat, a breath, the handset's clicks.

Made from what is known of such sounds. A cough is an explosion of 30 to 50 ms, a hiss of 100 to 200 ms with
the throat's resonances, and often a voiced end; a throat is cleared in irregular pulses of a low voice
through noise; a breath is noise alone; a handset that is moved clicks. They last a quarter to three quarters
of a second, are as loud as speech (the breath a tenth of it), and are heard as the telephone brings them,
300 to 3400 Hz in A-law. Silero takes the two coughs for speech, and nearly the one: that is the point.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from app.rehearsal.telephone import over_the_telephone
from audio.pcm import SAMPLE_RATE_HZ

Sound = NDArray[np.float64]

_PEAK = 12_000.0


def cough(seed: int = 1) -> Sound:
    """One cough of about a third of a second, with a voiced end."""
    rng = np.random.default_rng(seed)
    explosion = _noise(rng, 45) * _decay(45, 20)
    hiss = _resonant(_noise(rng, 160), (700, 1500, 2600)) * _decay(160, 90) * 0.7
    end = _resonant(_pulses(rng, 110, 230, 150, 0.05), (600, 1300)) * _hump(110) * 0.6
    return np.concatenate([explosion, hiss, end])


def two_coughs() -> Sound:
    """Two of them, the second a little later and weaker."""
    return np.concatenate([cough(2), np.zeros(_samples(90)), cough(3) * 0.7])


def throat() -> Sound:
    """A throat that is cleared: 350 ms of rough, low pulses."""
    rng = np.random.default_rng(4)
    rough = _resonant(_pulses(rng, 350, 95, 80, 0.3) + 0.15 * _noise(rng, 350), (450, 1100))
    return rough * _hump(350)


def breath() -> Sound:
    """Half a second of breath against the microphone."""
    rng = np.random.default_rng(5)
    return _resonant(_noise(rng, 500), (900,)) * _hump(500) * 0.1


def clicks() -> Sound:
    """A handset that is put from one hand into the other: three clicks in a third of a second."""
    rng = np.random.default_rng(6)
    click = _noise(rng, 12) * _decay(12, 3)
    pause = np.zeros(_samples(110))
    return np.concatenate([click, pause, click * 0.6, pause, click * 0.9])


NOISES: Mapping[str, Callable[[], Sound]] = {
    "cough": cough,
    "two coughs": two_coughs,
    "throat": throat,
    "breath": breath,
    "clicks": clicks,
}


def noises() -> dict[str, bytes]:
    """All of them as they leave the telephone (signed 16-bit mono, 8 kHz)."""
    return {name: over_the_telephone(_as_pcm(make())) for name, make in NOISES.items()}


def _as_pcm(sound: Sound) -> bytes:
    return bytes((np.clip(sound, -1.5, 1.5) * _PEAK).astype("<i2").tobytes())


def _samples(ms: float) -> int:
    return int(ms * SAMPLE_RATE_HZ / 1000)


def _noise(rng: np.random.Generator, ms: float) -> Sound:
    return rng.standard_normal(_samples(ms)) / 3


def _decay(ms: float, by_ms: float) -> Sound:
    at_ms = np.arange(_samples(ms)) * 1000 / SAMPLE_RATE_HZ
    return np.asarray(np.minimum(at_ms / 2, 1) * np.exp(-at_ms / by_ms))


def _hump(ms: float) -> Sound:
    return np.asarray(np.sin(np.linspace(0, np.pi, _samples(ms))) ** 0.7)


def _pulses(rng: np.random.Generator, ms: float, from_hz: float, to_hz: float, jitter: float) -> Sound:
    """Pulses of vocal folds, from one pitch to another; ``jitter`` is their spread in periods."""
    sound = np.zeros(_samples(ms))
    at = 0.0
    while at < len(sound):
        sound[int(at)] = 1.0
        pitch_hz = from_hz + (to_hz - from_hz) * at / len(sound)
        at += SAMPLE_RATE_HZ / pitch_hz * max(0.3, 1 + jitter * rng.standard_normal())
    return sound


def _resonant(sound: Sound, at_hz: tuple[float, ...], wide_hz: float = 250.0) -> Sound:
    """``sound`` through the resonances of a throat, at its highest 1."""
    spectrum = np.fft.rfft(sound, 2 * len(sound))
    hz = np.fft.rfftfreq(2 * len(sound), 1 / SAMPLE_RATE_HZ)
    gain = sum(1 / (1 + ((hz - centre) / wide_hz) ** 2) for centre in at_hz) + 0.05
    shaped = np.fft.irfft(spectrum * gain)[: len(sound)]
    return np.asarray(shaped / max(np.abs(shaped).max(), 1e-9))
