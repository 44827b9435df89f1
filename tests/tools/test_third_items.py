"""A post code and the end of a number, as callers say them."""

import pytest

from tools.models import ThirdItem, ThirdItemKind
from tools.third_items import keyed_third_item, third_item


@pytest.mark.parametrize(
    "text",
    [
        "soixante-neuf mille trois",
        "soixante neuf zéro zéro trois",
        "c'est le 69003",
        "mon code postal c'est six neuf zéro zéro trois",
        "euh soixante-neuf, zéro zéro trois",
        "soixante-huit mille, non pardon, soixante-neuf mille trois",
    ],
)
def test_a_post_code_is_understood(text: str) -> None:
    assert third_item(text) == ThirdItem(ThirdItemKind.POSTCODE, "69003")


@pytest.mark.parametrize(
    "text",
    [
        "quarante et un soixante-douze",
        "41 72",
        "les quatre derniers chiffres c'est quatre un sept deux",
        "zéro six douze trente-quatre quarante et un soixante-douze",
    ],
)
def test_the_end_of_a_number_is_understood(text: str) -> None:
    assert third_item(text) == ThirdItem(ThirdItemKind.LAST_FOUR, "4172")


@pytest.mark.parametrize("text", ["", "je ne sais pas", "dix zéro sept quatre-vingt-huit vingt et un", "oui"])
def test_anything_else_is_none(text: str) -> None:
    assert third_item(text) is None


@pytest.mark.parametrize(
    ("keys", "value"), [("69003", "69003"), ("4172#", "4172"), ("0612344172", "4172"), ("06300", "06300")]
)
def test_it_may_be_keyed(keys: str, value: str) -> None:
    item = keyed_third_item(keys)
    assert item is not None
    assert item.value == value


@pytest.mark.parametrize("keys", ["", "1", "123", "123456", "10078821", "abcd", "٤١٧٢"])
def test_other_keys_are_none(keys: str) -> None:
    assert keyed_third_item(keys) is None
