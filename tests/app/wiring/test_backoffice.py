"""Whose customers they are."""

from pathlib import Path

import pytest

from app.settings import Settings
from app.wiring import open_mind
from tests.app.wiring.settings_of_a_test import changed
from tools.backoffice_demo import DemoDataInvalid


async def test_an_unknown_customer_file_is_named_at_the_start(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(DemoDataInvalid, match=r"clients\.json"):
        async with open_mind(changed(settings, "insurance", demo_customers_file=tmp_path / "clients.json")):
            pass
