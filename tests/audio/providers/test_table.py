import sys

import pytest

from audio.providers import PROVIDERS, ProviderUnavailable, load


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_every_name_in_the_table_leads_to_a_class_that_speaks_or_hears(name: str) -> None:
    provider = load(name)
    assert hasattr(provider, "speak") != hasattr(provider, "transcribe")


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ProviderUnavailable, match=r"'parrot'.*closed-set.*espeak.*groq"):
        load("parrot")


def test_a_provider_whose_package_is_missing_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "audio.providers.groq_stt", raising=False)
    monkeypatch.setitem(sys.modules, "groq", None)  # Python's own way to say: not installed
    with pytest.raises(ProviderUnavailable, match="'groq'") as raised:
        load("groq")
    assert isinstance(raised.value.__cause__, ModuleNotFoundError)
