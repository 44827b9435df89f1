"""One door for every form: measured on tables half of which was kept apart, and on numbers at random."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from num2words import num2words  # type: ignore[import-untyped]  # ships no types

from app.evaluation.tables import read
from app.evaluation.values import COLUMNS, Verdict, judge
from tools.amounts import amount
from tools.post_codes import post_code
from tools.spoken import ValueForm, value, written_value

TODAY = date(2026, 11, 15)
TABLES = Path(__file__).parents[1] / "understanding" / "values"
LANGUAGES = st.sampled_from(["fr", "fr_BE", "fr_CH"])


# Reached when these floors were set: 98.2 and 97.7, none silently wrong.
@pytest.mark.parametrize(("half", "floor"), [("tuning", 98.0), ("kept_apart", 97.0)])
def test_values_are_read_right_and_hardly_ever_silently_wrong(half: str, floor: float) -> None:
    report = judge(read([TABLES / half], COLUMNS), TODAY)
    assert len(report.judged) >= 150
    assert report.percent(Verdict.WRONG) <= 1.0
    assert report.percent(Verdict.RIGHT) >= floor


# Written by somebody who had not read the grammar.
@pytest.mark.parametrize(("half", "floor"), [("tuning", 98.0), ("kept_apart", 92.0)])
def test_strangers_values_are_read_right_and_hardly_ever_silently_wrong(half: str, floor: float) -> None:
    report = judge(read([TABLES / "strangers" / half], COLUMNS), TODAY)
    assert len(report.judged) >= 100
    assert report.percent(Verdict.RIGHT) >= floor


# Written by outsiders; the failures of the second half were not looked at. Reached: 100 and 99.1.
@pytest.mark.parametrize("half", ["tuning", "kept_apart"])
def test_outsiders_values_are_read_right_and_none_silently_wrong(half: str) -> None:
    report = judge(read([TABLES / "blind" / half], COLUMNS), TODAY)
    assert len(report.judged) == 110
    assert report.percent(Verdict.WRONG) == 0.0
    assert report.percent(Verdict.RIGHT) >= 98.0


def test_the_last_outsiders_values_are_read_as_at_first_sight() -> None:
    report = judge(read([TABLES / "blind" / "last"], COLUMNS), TODAY)
    assert len(report.judged) == 130
    assert report.percent(Verdict.WRONG) == 0.0
    assert report.percent(Verdict.RIGHT) >= 96.5, "four are asked again"


@given(st.integers(1, 9_999_999), LANGUAGES, st.booleans())
def test_whole_euros_said_in_words_are_read_back(euros: int, lang: str, hyphens_lost: bool) -> None:
    said = num2words(euros, lang=lang)
    said = said.replace("-", " ") if hyphens_lost else said
    assert amount(f"je voudrais retirer {said} euros") == euros * 100


@given(st.integers(1, 99_999), st.integers(0, 99), LANGUAGES)
def test_euros_and_cents_are_read_back_or_asked_again(euros: int, cents: int, lang: str) -> None:
    said = f"{num2words(euros, lang=lang)} euros et {num2words(cents, lang=lang)} centimes"
    assert amount(said) in {euros * 100 + cents, None}


@given(st.integers(0, 99_999_999))
def test_written_amounts_are_read_back(cents: int) -> None:
    whole, rest = divmod(cents, 100)
    grouped = f"{whole:,}".replace(",", "\u202f")
    assert amount(f"{grouped},{rest:02d} €") == cents


@pytest.mark.parametrize(
    "said",
    [
        "environ trois mille euros",
        "entre mille et deux mille",
        "cinq ou six mille euros",
        "cinq mille deux cents euros, non, trois cents",
        "mille euros et deux mille euros",
        "cinq cents euros, non",
        "rien",
        "",
    ],
)
def test_an_amount_that_is_vague_doubtful_or_absent_is_asked_again(said: str) -> None:
    assert amount(said) is None


@given(st.integers(1, 95), st.integers(0, 999), LANGUAGES, st.booleans())
def test_post_codes_said_whole_are_read_back_or_asked_again(
    department: int, rest: int, lang: str, hyphens_lost: bool
) -> None:
    said = num2words(department * 1000 + rest, lang=lang)
    said = said.replace("-", " ") if hyphens_lost else said
    assert post_code(f"code postal {said}") in {f"{department:02d}{rest:03d}", None}


@given(st.sampled_from(list(ValueForm)), st.text(max_size=60))
def test_any_words_give_a_value_or_nothing(form: ValueForm, said: str) -> None:
    found = value(said, form, TODAY)
    assert found is None or written_value(found, form) == found


def test_a_year_after_the_contracts_name_is_not_its_number() -> None:
    assert value("mon contrat de deux mille douze", ValueForm.CONTRACT, TODAY) is None


@pytest.mark.parametrize("said", ["60 quinze 12 vingt 2 34", "soixante 15 douze 22 trente-quatre"])
def test_numbers_half_written_half_in_words_are_read(said: str) -> None:
    assert value(said, ValueForm.CUSTOMER, TODAY) == "75122234"
