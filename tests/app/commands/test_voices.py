"""The command against services that are played by real servers on real sockets."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app import settings as configuration
from app.commands import voices
from app.fixed_lines import fixed_sentences
from app.settings import Settings, SettingsInvalid
from app.wiring import open_voices
from audio.arriving import DEFAULT_BOUNDS
from audio.providers import ProviderUnavailable
from telephony.turn import Budgets
from tests.simulators import azure, elevenlabs
from tests.simulators.server import Fault


@pytest.fixture
def eleven() -> Iterator[elevenlabs.ElevenLabsSimulator]:
    with elevenlabs.ElevenLabsSimulator() as running:
        yield running


def configured(folder: Path, *lines: str) -> Settings:
    env = folder / ".env"
    env.write_text("\n".join([f"APP_DATA_FOLDER={folder / 'var'}", *lines]), encoding="utf-8")
    return configuration.read(env)


def with_elevenlabs(folder: Path, address: str, *lines: str) -> Settings:
    return configured(
        folder,
        f"ELEVENLABS_API_KEY={elevenlabs.KEY}",
        "ELEVENLABS_VOICE_ID=denise",
        f"ELEVENLABS_BASE_URL={address}",
        *lines,
    )


async def test_without_a_key_the_local_voice_speaks_and_there_is_nothing_to_make(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = configured(tmp_path)
    assert await voices.show(settings) == 0
    assert "1. espeak-ng:fr+f3" in capsys.readouterr().out
    assert await voices.warm(settings) == 0
    assert "nothing to make ahead" in capsys.readouterr().out
    assert await voices.warm(settings, "azure") == 1


async def test_every_fixed_line_is_made_once_and_its_price_told_before(
    tmp_path: Path, eleven: elevenlabs.ElevenLabsSimulator, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = with_elevenlabs(tmp_path, eleven.url)
    fixed = fixed_sentences()
    assert await voices.warm(settings) == 0
    told = capsys.readouterr().out
    assert f"{len(fixed)} of {len(fixed)} sentences to make, {sum(map(len, fixed))} characters" in told
    assert sorted(request["body"]["text"] for request in eleven.requests) == sorted(fixed)

    assert await voices.warm(settings) == 0  # again
    assert f"0 of {len(fixed)} sentences to make, 0 characters" in capsys.readouterr().out
    assert len(eleven.requests) == len(fixed)
    assert await voices.show(settings) == 0
    assert f"{len(fixed)} of {len(fixed)} kept" in capsys.readouterr().out


async def test_what_was_made_before_a_failure_is_not_made_again(
    tmp_path: Path, eleven: elevenlabs.ElevenLabsSimulator, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = with_elevenlabs(tmp_path, eleven.url)
    eleven.fail(*[Fault(500)] * 9)
    assert await voices.warm(settings) == 1
    assert "Run it again" in capsys.readouterr().out
    assert len(eleven.requests) <= 4  # three in a row were enough, one more may have been under way

    eleven.fail()
    with elevenlabs.ElevenLabsSimulator() as mended:
        assert await voices.warm(with_elevenlabs(tmp_path, mended.url)) == 0
        assert len(mended.requests) == len(fixed_sentences())


async def test_the_agents_voice_plays_what_was_made_ahead_and_asks_for_the_rest(
    tmp_path: Path, eleven: elevenlabs.ElevenLabsSimulator
) -> None:
    settings = with_elevenlabs(tmp_path, eleven.url)
    line = fixed_sentences()[0]
    for _ in range(2):
        async with open_voices(settings) as opened:
            assert opened.voice.name.startswith("elevenlabs:eleven_flash_v2_5:denise, espeak-ng:")
            for text in (line, "Bonjour Madame Moreau."):
                assert [piece async for piece in opened.voice.speak(text)]
    asked = [request["body"]["text"] for request in eleven.requests]
    assert asked == [line, "Bonjour Madame Moreau.", "Bonjour Madame Moreau."]


async def test_the_order_of_the_voices_is_a_setting(tmp_path: Path) -> None:
    with azure.AzureSimulator() as second:
        settings = with_elevenlabs(
            tmp_path,
            "http://127.0.0.1:1",
            f"AZURE_SPEECH_KEY={azure.KEY}",
            f"AZURE_SPEECH_ENDPOINT={second.address}",
            "VOICE_ORDER=azure, elevenlabs",
        )
        async with open_voices(settings) as opened:
            assert opened.voice.name == "azure:fr-FR-DeniseNeural, elevenlabs:eleven_flash_v2_5:denise"
            assert opened.local == ""
            assert list(opened.warm) == opened.voice.name.split(", ")


async def test_no_voice_at_all_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ProviderUnavailable, match="ELEVENLABS_API_KEY"):
        async with open_voices(configured(tmp_path, "VOICE_ORDER=azure")):
            pytest.fail("a voice was found")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("ELEVENLABS_API_KEY=x", "ELEVENLABS_VOICE_ID"),
        ("AZURE_SPEECH_KEY=x", "AZURE_SPEECH_REGION"),
        ("VOICE_ORDER=elevenlabs,siri", "name elevenlabs, azure and espeak"),
        ("ELEVENLABS_SOUND_FORMAT=mp3_44100_128", "pcm_8000"),
    ],
)
def test_settings_that_cannot_be_used_are_named(tmp_path: Path, line: str, complaint: str) -> None:
    with pytest.raises(SettingsInvalid, match=complaint):
        configured(tmp_path, line)


def test_two_services_that_stall_leave_the_local_voice_time_within_the_turn(tmp_path: Path) -> None:
    given = configured(tmp_path).voices
    assert (given.first_audio_ms, given.gap_ms) == (DEFAULT_BOUNDS.first_audio_ms, DEFAULT_BOUNDS.gap_ms)
    longest_wait_ms = max(given.first_audio_ms, given.gap_ms) + given.first_audio_ms
    assert longest_wait_ms + 400 <= Budgets().voice_ms
