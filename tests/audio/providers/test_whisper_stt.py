import asyncio
import shutil
from pathlib import Path

import numpy as np
import pytest

from audio.endpointing import Expecting, Utterance
from audio.providers import ProviderUnavailable
from audio.providers.whisper_stt import WhisperStt
from audio.stt import SttFailed, Transcript
from memory.breaker import FaultKind
from tests.audio.providers import tiny_whisper
from tests.audio.wear import pcm_of
from tests.telephony.waiting import until


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_whisper.make(
        tmp_path_factory.mktemp("models") / "tiny", ["Bonjour,", "je", "vous", "écoute."]
    )


def utterance(seconds: float = 1.0) -> Utterance:
    sound = np.random.default_rng(1).standard_normal(int(8000 * seconds)) * 3000
    return Utterance(pcm_of(sound), started_ms=0, ended_ms=int(1000 * seconds))


async def test_a_model_in_a_folder_is_loaded_and_transcribes(model: Path) -> None:
    ear = await WhisperStt.of(str(model), threads=1)
    assert ear.name == "whisper:tiny"
    heard = await ear.transcribe(utterance(), Expecting.OPEN)
    assert heard == Transcript("Bonjour, je vous écoute.", 1.0)


@pytest.mark.parametrize("seconds", [0.5, 2.0, 31.0])
async def test_utterances_of_any_length_are_transcribed(model: Path, seconds: float) -> None:
    ear = await WhisperStt.of(str(model), threads=1)
    heard = await ear.transcribe(utterance(seconds), Expecting.NUMBER)
    assert heard.text.startswith("Bonjour, je vous écoute.")


async def test_more_words_than_the_sound_can_hold_are_an_invention(model: Path) -> None:
    ear = await WhisperStt.of(str(model), threads=1)
    assert await ear.transcribe(utterance(0.03), Expecting.OPEN) == Transcript("", 0.0)


async def test_no_sound_at_all_is_silence(model: Path) -> None:
    ear = await WhisperStt.of(str(model), threads=1)
    assert await ear.transcribe(Utterance(b"", 0, 0), Expecting.OPEN) == Transcript("", 0.0)


async def test_more_callers_than_it_can_serve_are_refused_at_once_and_served_again_later(model: Path) -> None:
    ear = await WhisperStt.of(str(model), threads=1)
    ends = await asyncio.gather(
        *(ear.transcribe(utterance(), Expecting.OPEN) for _ in range(5)), return_exceptions=True
    )
    refused = [end for end in ends if isinstance(end, SttFailed)]
    assert len(refused) == 2, "one is served, two may wait"
    assert {end.fault.kind for end in refused} == {FaultKind.REQUEST}
    assert (await ear.transcribe(utterance(), Expecting.OPEN)).text
    await ear.close()


async def test_an_utterance_nobody_wants_any_more_gives_its_place_back(model: Path) -> None:
    ear = await WhisperStt.of(str(model), threads=1)
    for _ in range(4):
        unwanted = [asyncio.ensure_future(ear.transcribe(utterance(), Expecting.OPEN)) for _ in range(3)]
        await asyncio.sleep(0)
        for one in unwanted:
            one.cancel()
        await asyncio.wait(unwanted)
        await until(lambda: not ear.busy)
    assert (await ear.transcribe(utterance(), Expecting.OPEN)).text
    await ear.close()


async def test_an_invention_of_the_model_is_nothing_understood(tmp_path: Path) -> None:
    says = ["Sous-titres", "réalisés", "par", "la", "communauté", "d'Amara.org"]
    ear = await WhisperStt.of(str(tiny_whisper.make(tmp_path / "inventive", says)), threads=1)
    assert await ear.transcribe(utterance(), Expecting.OPEN) == Transcript("", 0.0)


async def test_sound_that_is_no_sound_is_a_failure_with_its_cause(model: Path) -> None:
    ear = await WhisperStt.of(str(model), threads=1)
    with pytest.raises(SttFailed, match="whisper:tiny") as raised:
        await ear.transcribe(Utterance(b"\0" * 321, 0, 20), Expecting.OPEN)  # half a sample
    assert isinstance(raised.value.__cause__, ValueError)


async def test_a_missing_folder_is_a_clear_error_at_start_up(tmp_path: Path) -> None:
    with pytest.raises(ProviderUnavailable, match=r"no Whisper model folder .*absent"):
        await WhisperStt.of(str(tmp_path / "absent"))


async def test_a_folder_that_is_no_model_says_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ProviderUnavailable, match=r"lacks model\.bin, tokenizer\.json"):
        await WhisperStt.of(str(tmp_path))


async def test_a_damaged_model_is_a_clear_error_with_its_cause(model: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(model, tmp_path / "damaged")
    (damaged / "model.bin").write_bytes(b"not a model")
    with pytest.raises(ProviderUnavailable, match="cannot be loaded") as raised:
        await WhisperStt.of(str(damaged))
    assert raised.value.__cause__ is not None


async def test_a_name_that_was_never_fetched_is_not_downloaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ProviderUnavailable, match=r"download_model") as raised:
        await WhisperStt.of("tiny-model-nobody-has")
    assert raised.value.__cause__ is not None
