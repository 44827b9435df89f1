import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import espeakng_loader  # type: ignore[import-untyped]  # ships no types
import numpy as np
import pytest

from audio.pcm import duration_ms
from audio.providers import ProviderUnavailable
from audio.providers.espeak_tts import CHUNK_BYTES, SPEECH_LEVEL_DBFS, EspeakTts
from audio.tts import Pace
from tests.audio.wear import level, sound_of

SENTENCE = "Bonjour, votre contrat vaut quarante-cinq mille euros."


async def test_a_sentence_becomes_french_speech_of_about_its_length() -> None:
    voice = EspeakTts()
    assert voice.name == "espeak-ng:fr"
    chunks = [chunk async for chunk in voice.speak(SENTENCE)]

    assert 2000 < duration_ms(b"".join(chunks)) < 5000
    assert all(len(chunk) == CHUNK_BYTES for chunk in chunks[:-1])
    assert all(len(chunk) % 2 == 0 for chunk in chunks)


@pytest.mark.parametrize("name", ["fr", "fr-be", "fr+f2", "fr+m3"])
async def test_every_voice_speaks_at_the_same_level_without_clipping(name: str) -> None:
    sound = await sound_of(EspeakTts(name).speak(SENTENCE))
    assert 20 * np.log10(level(sound) / 32768) == pytest.approx(SPEECH_LEVEL_DBFS, abs=1.5)
    assert np.abs(sound).max() < 32767


async def test_nothing_of_the_voice_lies_above_the_telephone_line() -> None:
    sound = await sound_of(EspeakTts().speak(SENTENCE))
    power = np.abs(np.fft.rfft(sound)) ** 2
    hertz = np.fft.rfftfreq(len(sound), 1 / 8000)
    assert power[hertz > 3950].sum() < 1e-4 * power.sum()


async def test_speech_has_no_clicks_where_chunks_meet() -> None:
    chunks = [chunk async for chunk in EspeakTts().speak(SENTENCE)]
    sound = np.frombuffer(b"".join(chunks), "<i2").astype(float)
    steps = np.abs(np.diff(sound))
    joints = np.cumsum([len(chunk) // 2 for chunk in chunks])[:-1] - 1
    assert steps[joints].max() <= np.percentile(steps, 99.9)


async def test_a_faster_voice_takes_less_time() -> None:
    slow = await sound_of(EspeakTts(words_per_minute=120).speak(SENTENCE))
    fast = await sound_of(EspeakTts(words_per_minute=240).speak(SENTENCE))
    assert len(fast) < 0.7 * len(slow)


async def test_who_asks_for_it_is_spoken_to_more_slowly() -> None:
    voice = EspeakTts()
    usual, slow = await sound_of(voice.speak(SENTENCE)), await sound_of(voice.speak(SENTENCE, Pace.SLOW))
    assert len(slow) > 1.1 * len(usual)


async def test_the_slowest_voice_cannot_be_slower() -> None:
    voice = EspeakTts(words_per_minute=80)
    usual, slow = await sound_of(voice.speak(SENTENCE)), await sound_of(voice.speak(SENTENCE, Pace.SLOW))
    assert len(slow) == pytest.approx(len(usual), abs=400)


async def test_voices_that_speak_at_once_do_not_mix() -> None:
    high, low = EspeakTts("fr+f2"), EspeakTts("fr+m3", words_per_minute=120)
    alone = [await sound_of(high.speak(SENTENCE)), await sound_of(low.speak(SENTENCE))]
    together = await asyncio.gather(*(sound_of(voice.speak(SENTENCE)) for voice in (high, low) * 5))

    for number, sound in enumerate(together):
        # The library's own output varies by some milliseconds from one time to the next.
        assert len(sound) == pytest.approx(len(alone[number % 2]), abs=400)


async def test_a_sentence_can_be_dropped_after_its_first_chunk_and_the_voice_speaks_on() -> None:
    voice = EspeakTts()
    speech = voice.speak(SENTENCE * 20)
    await anext(speech)
    await speech.aclose()
    assert len(await sound_of(voice.speak("Oui."))) > 0


async def test_a_cancelled_sentence_leaves_the_voice_free() -> None:
    voice = EspeakTts()
    novel = asyncio.ensure_future(sound_of(voice.speak(SENTENCE * 200)))
    await asyncio.sleep(0)
    novel.cancel()
    with pytest.raises(asyncio.CancelledError):
        await novel
    assert len(await sound_of(voice.speak("Oui."))) > 0


async def test_synthesis_stops_soon_after_it_is_told_to() -> None:
    voice, stop = EspeakTts(), threading.Event()
    novel = asyncio.to_thread(voice._library.synthesise, SENTENCE * 2000, "fr", 165, stop)
    listening = asyncio.ensure_future(novel)
    await asyncio.sleep(0.05)
    stop.set()
    whole_s = 2000 * 2.5
    assert len(await listening) / 2 / 22050 < whole_s / 4


@pytest.mark.parametrize("text", ["", " ", "…", "\0", "\ud800", "<speak>", "[[bO~ZuR]]", "中文"])
async def test_odd_texts_do_not_harm_the_voice(text: str) -> None:
    voice = EspeakTts()
    await sound_of(voice.speak(text))
    assert len(await sound_of(voice.speak("Oui."))) > 0


def test_an_unknown_voice_is_refused_at_construction() -> None:
    with pytest.raises(ProviderUnavailable, match="martien"):
        EspeakTts("martien")


@pytest.mark.parametrize("words_per_minute", [0, 79, 451])
def test_a_speed_that_the_library_cannot_speak_is_refused(words_per_minute: int) -> None:
    with pytest.raises(ValueError, match="words per minute"):
        EspeakTts(words_per_minute=words_per_minute)


def test_without_the_library_the_error_names_the_extra_and_keeps_its_cause(tmp_path: Path) -> None:
    with pytest.raises(ProviderUnavailable, match=r"pip install '\.\[local\]'") as raised:
        EspeakTts(library_path=str(tmp_path / "libespeak-ng.so"))
    assert isinstance(raised.value.__cause__, OSError)


def _in_a_process_of_its_own(data: Path) -> subprocess.CompletedProcess[str]:
    """The library has one state per process, so other data folders are tried in another one."""
    program = (
        "import sys; from pathlib import Path; from audio.providers.espeak_tts import EspeakTts\n"
        "EspeakTts(library_path=sys.argv[1], data_path=Path(sys.argv[2])); print('spoke')"
    )
    return subprocess.run(
        [sys.executable, "-c", program, espeakng_loader.get_library_path(), str(data)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )


@pytest.mark.parametrize("folder", ["with spaces and é", "/".join(["a" * 60] * 4)])
def test_data_in_a_folder_with_spaces_or_a_very_long_path_are_found(tmp_path: Path, folder: str) -> None:
    data = tmp_path / folder / "espeak-ng-data"
    data.parent.mkdir(parents=True)
    data.symlink_to(espeakng_loader.get_data_path())
    finished = _in_a_process_of_its_own(data)
    assert finished.stdout.strip() == "spoke", finished.stderr


def test_a_folder_without_voice_data_is_a_clear_error(tmp_path: Path) -> None:
    finished = _in_a_process_of_its_own(tmp_path)
    assert finished.returncode == 1
    assert f"no voice data in {tmp_path}" in finished.stderr
