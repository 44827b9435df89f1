"""What a speaker takes back is cut off, what he excludes is known."""

import pytest

from tools.numerals import runs, words
from tools.repairs import is_denied, is_left_open, is_of_the_end, is_vague, takes


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
        ("4 1 5, ça finit par 6", ["4 1 5", "ca finit par 6"]),
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


@pytest.mark.parametrize(
    ("text", "vague", "left_open"),
    [
        ("soixante et quelque chose", True, True),
        ("vingt et quelques", True, True),
        ("le 4 ou peut-être le 5", False, True),
        ("le 4 ou vous rappelez", False, False),
        ("le 4", False, False),
    ],
)
def test_a_number_that_the_speaker_leaves_open_is_known(text: str, vague: bool, left_open: bool) -> None:
    said = words(text)
    first = runs(said)[0]
    assert (is_vague(said, first), is_left_open(said, first)) == (vague, left_open)


def test_the_second_of_a_choice_is_as_open_as_the_first() -> None:
    said = words("le 4 ou le 5")
    assert all(is_left_open(said, run) for run in runs(said))


@pytest.mark.parametrize(("text", "end"), [("6 9 à la fin", True), ("ça finit par 36", True), ("36", False)])
def test_a_correction_may_name_the_end(text: str, end: bool) -> None:
    assert is_of_the_end(words(text)) is end
