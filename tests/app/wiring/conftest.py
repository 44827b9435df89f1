"""The settings that the tests of the wiring begin with."""

from pathlib import Path

import pytest

from app import settings as configuration
from app.settings import Settings
from tests.app.wiring.settings_of_a_test import changed


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Defaults, on free ports, with files in a folder of the test's own."""
    defaults = configuration.read(tmp_path / "no.env")
    return changed(
        changed(defaults, "application", data_folder=tmp_path / "var", port=0),
        "asterisk",
        agi_port=0,
        audio_port=0,
    )
