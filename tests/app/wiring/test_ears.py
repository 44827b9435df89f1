"""Which ears listen by which settings, one behind the other."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.settings import Settings, SettingsInvalid
from app.wiring import known_lines
from app.wiring.ears import choose_ears
from app.wiring.providers import Providers
from audio.providers import ProviderUnavailable
from tests.app.wiring.settings_of_a_test import changed
from tests.audio.providers import tiny_whisper


async def chosen_ear(settings: Settings) -> str:
    async with AsyncExitStack() as stack:
        return (await choose_ears(settings, Providers.watched_by(), stack)).name


async def test_with_a_groq_key_speech_is_transcribed_by_groq(settings: Settings) -> None:
    keyed = changed(settings, "groq", api_key=SecretStr("gsk"), base_url="http://127.0.0.1:9")
    assert await chosen_ear(keyed) == "groq:whisper-large-v3-turbo"


async def test_a_local_model_stands_behind_groqs_and_the_keyless_ear_where_wanted(
    settings: Settings, tmp_path: Path
) -> None:
    model = tiny_whisper.make(tmp_path / "tiny", ["Bonjour."])
    both = changed(changed(settings, "groq", api_key=SecretStr("gsk")), "whisper", model=str(model))
    assert await chosen_ear(both) == "groq:whisper-large-v3-turbo, then whisper:tiny"
    lines = tmp_path / "lines.txt"
    lines.write_text("Bonjour.\n", encoding="utf-8")
    all_three = changed(changed(both, "hearing", closed_set=True), "speech", lines_file=lines)
    assert (await chosen_ear(all_three)).startswith(
        "groq:whisper-large-v3-turbo, then whisper:tiny, then closed"
    )


async def test_with_a_whisper_folder_speech_is_transcribed_here(settings: Settings, tmp_path: Path) -> None:
    model = tiny_whisper.make(tmp_path / "tiny", ["Bonjour."])
    assert await chosen_ear(changed(settings, "whisper", model=str(model))) == "whisper:tiny"


async def test_a_whisper_folder_that_is_none_is_said_at_the_start(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ProviderUnavailable, match="absent"):
        await chosen_ear(changed(settings, "whisper", model=str(tmp_path / "absent")))


async def test_the_lines_of_the_keyless_ear_may_be_ones_own(settings: Settings, tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("# salutations\nBonjour.\n\nAu revoir.\n", encoding="utf-8")
    own = changed(settings, "speech", lines_file=lines)
    assert known_lines(own) == ["Bonjour.", "Au revoir."]
    assert "2 lines" in await chosen_ear(own)


@pytest.mark.parametrize("content", [None, "été".encode("latin-1")], ids=["missing", "not UTF-8"])
def test_lines_that_cannot_be_read_are_named(
    settings: Settings, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "lines.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsInvalid, match="SPEECH_LINES_FILE"):
        known_lines(changed(settings, "speech", lines_file=path))
