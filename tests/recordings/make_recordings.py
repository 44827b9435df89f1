"""Make the spoken WAV files of this folder again: espeak-ng's French voice, 8 kHz, 16-bit mono.

    python -m tests.recordings.make_recordings

They are committed so that the tests of the ear need neither espeak-ng nor its version: run this only to
add a sentence, and listen to it. Real callers' voices never go into this folder.
"""

import asyncio
import wave
from pathlib import Path

from audio.pcm import SAMPLE_RATE_HZ
from audio.providers.espeak_tts import EspeakTts

SENTENCES = {
    "oui": "Oui.",
    "assurance_vie": "Combien j'ai sur mon assurance vie ?",
    "numero_client": "Un zéro quatre, deux sept, cinq huit.",
    "degat_des_eaux": "J'ai eu un dégât des eaux dans ma cuisine la semaine dernière.",
}


async def make(folder: Path) -> None:
    """Write one WAV per sentence into ``folder``."""
    voice = EspeakTts()
    for name, sentence in SENTENCES.items():
        with wave.open(str(folder / f"{name}.wav"), "wb") as recording:
            recording.setnchannels(1)
            recording.setsampwidth(2)
            recording.setframerate(SAMPLE_RATE_HZ)
            async for pcm in voice.speak(sentence):
                recording.writeframes(pcm)


if __name__ == "__main__":
    asyncio.run(make(Path(__file__).parent))
