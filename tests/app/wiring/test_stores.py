"""The key that signs identities: given, made, refused."""

import stat

import pytest
from pydantic import SecretStr

from app.settings import Settings, SettingsInvalid
from app.wiring import open_mind
from tests.app.wiring.settings_of_a_test import changed


async def test_the_key_that_signs_identities_is_made_once_and_is_private(settings: Settings) -> None:
    path = settings.application.data_folder / "identity.key"
    async with open_mind(settings):
        made = path.read_bytes()
    async with open_mind(settings):
        assert path.read_bytes() == made, "a restart keeps what was proven"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_configured_key_is_used_and_none_is_written(settings: Settings) -> None:
    configured = changed(settings, "insurance", identity_key=SecretStr("x" * 32))
    async with open_mind(configured):
        assert not (settings.application.data_folder / "identity.key").exists()


async def test_a_key_that_is_too_short_is_refused(settings: Settings) -> None:
    with pytest.raises(SettingsInvalid, match="INSURANCE_IDENTITY_KEY"):
        async with open_mind(changed(settings, "insurance", identity_key=SecretStr("short"))):
            pass


async def test_a_damaged_key_file_says_what_to_do(settings: Settings) -> None:
    settings.application.data_folder.mkdir()
    (settings.application.data_folder / "identity.key").write_bytes(b"x")
    with pytest.raises(SettingsInvalid, match="remove it"):
        async with open_mind(settings):
            pass
