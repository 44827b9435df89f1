"""Make the dialplan's own sentences again (deploy/asterisk/sounds), in the voice of the keyless agent.

    python -m tests.asterisk.make_sounds

They are committed: Asterisk says them when there is no agent. An insurer whose agent has another voice
records them in that one; any 16-bit mono WAV at 8 kHz will do.
"""

import asyncio
import tomllib
import wave
from pathlib import Path

from audio.pcm import SAMPLE_RATE_HZ
from audio.providers.espeak_tts import EspeakTts
from audio.tts import TextToSpeech

SOUNDS = Path(__file__).resolve().parents[2] / "deploy" / "asterisk" / "sounds"


def sentences(folder: Path = SOUNDS) -> dict[str, str]:
    """What the dialplan says, by the name of its file."""
    return tomllib.loads((folder / "sentences.toml").read_text(encoding="utf-8"))


async def make(folder: Path, voice: TextToSpeech) -> None:
    """Write one WAV per sentence of ``folder`` into it."""
    for name, sentence in sentences(folder).items():
        with wave.open(str(folder / f"{name}.wav"), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(SAMPLE_RATE_HZ)
            async for pcm in voice.speak(sentence):
                sound.writeframes(pcm)


if __name__ == "__main__":
    asyncio.run(make(SOUNDS, EspeakTts()))
