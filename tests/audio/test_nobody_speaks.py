"""Ten minutes in which nobody speaks, through the real detector and the real client of the cloud ear.

Whatever the sound, the provider invents a line of subtitles for each stretch that it is given; nothing of it
may become the caller's words, and it may be asked a few times only: every request is billed.
"""

from collections.abc import Callable

import numpy as np
import pytest

from audio.ear import Ear
from audio.endpointing import Expecting, PossibleEnd, TurnEnded, TurnTiming, Utterance
from audio.pcm import FRAME_MS
from audio.providers.groq_stt import GroqStt
from audio.providers.silero_vad import SileroVad
from audio.stt import Transcript
from tests.audio.listening import hear
from tests.audio.wear import Sound, pcm_of, telephone_band
from tests.simulators.groq import KEY, GroqSimulator

MINUTES = 10
SECONDS = MINUTES * 60
RATE = 8000

MOST_REQUESTS = MINUTES
"""One a minute: less than a hundredth of what a talking caller costs in that time."""

INVENTIONS = (
    "Sous-titres réalisés par la communauté d'Amara.org",
    "Merci d'avoir regardé cette vidéo !",
    "Sous-titrage Société Radio-Canada",
    "♪ ♪",
)


def silence() -> Sound:
    return np.zeros(SECONDS * RATE)


def line_noise() -> Sound:
    """White in the telephone band, 30 dB under full scale."""
    return telephone_band(np.random.default_rng(2).standard_normal(SECONDS * RATE)) * 1000


def street() -> Sound:
    """Pink, with a slow swell as of traffic."""
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal(SECONDS * RATE))
    pink = np.fft.irfft(spectrum / np.sqrt(np.maximum(1, np.arange(len(spectrum)))), SECONDS * RATE)
    swell = 1 + 0.8 * np.sin(2 * np.pi * np.arange(SECONDS * RATE) / RATE / 7)
    street: Sound = telephone_band(pink / pink.std() * swell) * 1500
    return street


def hold_music() -> Sound:
    """Three plucked voices with overtones, two notes a second."""
    dice = np.random.default_rng(3)
    sound = np.zeros(SECONDS * RATE)
    t = np.arange(RATE) / RATE
    for beat in range(SECONDS * 2):
        at = beat * RATE // 2
        for octave in (0.5, 1, 2):
            hertz = octave * dice.choice([220, 247, 262, 294, 330, 349, 392, 440])
            note = sum(np.sin(2 * np.pi * hertz * over * t) / over for over in range(1, 6))
            note = note * np.exp(-3 * t) * np.minimum(1, t * 100)
            sound[at : at + RATE] += note[: len(sound) - at]
    music: Sound = telephone_band(sound) / np.abs(sound).max() * 12_000
    return music


def tones() -> Sound:
    """The network's own: 440 Hz, half a second on and off, as of a busy line."""
    t = np.arange(SECONDS * RATE) / RATE
    busy: Sound = 6000 * np.sin(2 * np.pi * 440 * t) * (t % 1 < 0.5)
    return busy


@pytest.fixture(scope="module")
def detector() -> SileroVad:
    return SileroVad()


@pytest.mark.parametrize("sound", [silence, line_noise, street, hold_music, tones])
async def test_ten_minutes_without_speech_give_no_words_and_cost_next_to_nothing(
    detector: SileroVad, sound: Callable[[], Sound]
) -> None:
    listener = Ear(detector, TurnTiming())
    pcm = pcm_of(sound())
    events = hear(listener, pcm)
    # A transcript is begun at every pause that may be the end, and is made again when the turn is longer.
    requests = sum(isinstance(event, PossibleEnd | TurnEnded) for event in events)
    assert requests <= MOST_REQUESTS

    with GroqSimulator() as provider:
        ear = GroqStt(KEY, base_url=provider.url)
        turns = [event.utterance for event in events if isinstance(event, TurnEnded)]
        # and once for a stretch that the detector might have taken for speech
        for number, utterance in enumerate([*turns, Utterance(pcm[: 4000 * 16], 0, 4000)]):
            provider.transcripts = [INVENTIONS[number % len(INVENTIONS)]]
            assert await ear.transcribe(utterance, Expecting.OPEN) == Transcript("", 0.0)
        assert len(provider.requests) == len(turns) + 1
        await ear.close()
    assert listener.clock_ms == SECONDS * 1000 // FRAME_MS * FRAME_MS
