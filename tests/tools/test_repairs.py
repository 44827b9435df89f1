"""What a speaker takes back is cut off, what he excludes is known."""

import pytest

from tools.numerals import words
from tools.repairs import is_denied, takes


def parts(text: str) -> list[str]:
    return [" ".join(word.text for word in part) for part in takes(words(text))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("le quatre, non pardon, le cinq mai", ["le quatre", "le cinq mai"]),
        ("le quatre je me suis trompée le cinq", ["le quatre", "le cinq"]),
        ("non c'est le cinq", ["c est le cinq"]),
        ("le cinq mai", ["le cinq mai"]),
        ("le cinq mai non", ["le cinq mai", ""]),
        ("le cinq et non le six", ["le cinq et non le six"]),
        ("un non deux non trois", ["un", "deux", "trois"]),
        ("", [""]),
        ("non", [""]),
    ],
)
def test_a_text_is_cut_where_the_speaker_corrects_himself(text: str, expected: list[str]) -> None:
    assert parts(text) == expected


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("ce n'est pas le 7", True),
        ("c'est 8 et pas 7", True),
        ("c'est 8 et non le 7", True),
        ("c'est pas euh le 7", True),
        ("c'est le 7", False),
        ("je sais pas 7", False),
        ("ce n'est pas ça, 7", False),
        ("7", False),
        ("non 7", False),
    ],
)
def test_what_is_named_to_be_excluded_is_known(text: str, denied: bool) -> None:
    said = words(text)
    at = next(at for at, word in enumerate(said) if word.text == "7")
    assert is_denied(said, at) is denied
