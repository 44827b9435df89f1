"""All readings of French number words, and none that grammar forbids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from num2words import num2words  # type: ignore[import-untyped]  # ships no types
from text_to_num import text2num  # type: ignore[import-untyped]  # ships no types

from tools.numerals import MAX_RUN_WORDS, digits_of, readings, runs, words


def rows(text: str, max_digits: int = 12) -> set[str]:
    """The readings of the only run of a text, as ``10·7``."""
    (run,) = runs(words(text))
    return {"·".join(group.digits for group in row) for row in readings(run, max_digits)}


def spans(text: str) -> list[str]:
    """The words of each run of a text."""
    return [" ".join(word.text for word in run.words) for run in runs(words(text))]


@given(st.integers(0, 999_999_999), st.sampled_from(["fr", "fr_BE", "fr_CH"]), st.booleans())
def test_any_number_said_whole_is_among_its_readings_and_text2num_agrees(
    number: int, lang: str, hyphens_lost: bool
) -> None:
    said = num2words(number, lang=lang)
    said = said.replace("-", " ") if hyphens_lost else said
    assert str(number) in rows(said)
    assert text2num(said, "fr") == number


@given(st.integers(0, 999_999_999))
def test_a_hyphenated_word_that_is_a_number_is_never_cut(number: int) -> None:
    said = num2words(number, lang="fr").replace(" ", "-").replace("-et-", " et ")
    assert rows(said.replace(" et ", "-et-")) == {str(number)}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("soixante quinze", {"75", "60·15"}),
        ("soixante-quinze", {"75"}),
        ("soixante, quinze", {"60·15"}),
        ("quatre vingt huit", {"88", "80·8", "4·28", "4·20·8"}),
        ("quatre-vingt huit", {"88", "80·8"}),
        ("quatre vingt-huit", {"88", "4·28"}),
        ("vingt quatre vingt", {"24·20", "20·80", "20·4·20"}),
        ("vingt et un", {"21"}),
        ("soixante et onze", {"71"}),
        ("soixante et dix", {"60·10"}),
        ("dix sept", {"17", "10·7"}),
        ("cent deux", {"102", "100·2"}),
        ("dix-neuf cent soixante-deux", {"1962", "1900·62", "19·162", "19·100·62"}),
        ("mil neuf cent", {"1900", "1009·100", "1000·9·100", "1000·900"}),
        ("zéro sept", {"0·7"}),
        ("double zéro sept", {"00·7"}),
        ("double 07", {"00" + "7", "0707"}),
        ("triple sept", {"777"}),
        ("trois fois le sept", {"777"}),
        ("deux zéros", {"00"}),
        ("deux zéro", {"2·0"}),
        ("septante-deux", {"72"}),
        ("octante nonante", {"80·90"}),
        ("10 07", {"10·07"}),
        ("quatre-vingt euh huit", {"88", "80·8"}),
        ("quatre-vingt puis huit", {"80·8"}),
        ("vin et un", {"21"}),
        ("dix cette huit", {"10·7·8", "17·8"}),
        ("double", set()),
    ],
)
def test_a_run_has_all_its_readings_and_no_other(said: str, expected: set[str]) -> None:
    assert rows(said) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("j'ai un numéro c'est le dix zéro sept", ["dix zero sept"]),
        ("j'en ai un.", ["un"]),
        ("un deux trois", ["un deux trois"]),
        ("une voiture et deux motos", ["deux"]),
        ("je l'ai dit deux fois", ["deux"]),
        ("dix et onze et vingt et un", ["dix onze vingt et un"]),
        ("dix mon chat sept", ["dix", "sept"]),
        ("rien du tout", []),
        ("", []),
    ],
)
def test_a_run_ends_at_the_first_word_that_is_no_part_of_a_number(text: str, expected: list[str]) -> None:
    assert spans(text) == expected


def test_words_lose_accents_capitals_and_ligatures_and_keep_what_stood_before() -> None:
    folded = words("L’ÉTÉ, Œuvre quatre-vingt 1er SIN2026")
    assert [word.text for word in folded] == ["l", "ete", "oeuvre", "quatre", "vingt", "1er", "sin", "2026"]
    assert [word.glued for word in folded] == [False, False, False, False, True, False, False, False]
    assert [word.parted for word in folded] == [False, False, True, False, False, False, False, False]


def test_no_reading_is_longer_than_asked_for() -> None:
    (run,) = runs(words("soixante quinze douze"))
    assert {digits_of(row) for row in readings(run, 4)} == {"7512"}
    assert readings(run, 3) == frozenset()


def test_a_run_nobody_dictates_has_no_reading() -> None:
    (run,) = runs(words("un " * (MAX_RUN_WORDS + 1)))
    assert readings(run, 1000) == frozenset()
