"""Values are written as a French reader expects them."""

from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools import written


@pytest.mark.parametrize(
    ("cents", "text"),
    [
        (0, "0\u00a0€"),
        (5, "0,05\u00a0€"),
        (100, "1\u00a0€"),
        (120_000, "1\u202f200\u00a0€"),
        (4_523_018, "45\u202f230,18\u00a0€"),
        (123_456_789_00, "123\u202f456\u202f789\u00a0€"),
        (-1_250, "-12,50\u00a0€"),
    ],
)
def test_an_amount_has_a_comma_thin_spaces_and_cents_only_when_there_are_some(cents: int, text: str) -> None:
    assert written.euros(cents) == text


@given(st.integers(-(10**12), 10**12))
def test_no_cent_is_lost_in_writing(cents: int) -> None:
    number = written.euros(cents).removesuffix("\u00a0€").replace("\u202f", "")
    whole, _, decimals = number.lstrip("-").partition(",")
    assert int(whole) * 100 + int(decimals or 0) == abs(cents)
    assert number.startswith("-") == (cents < 0)


@pytest.mark.parametrize(
    ("when", "text"),
    [
        (date(2026, 10, 6), "6 octobre 2026"),
        (date(1962, 4, 1), "1er avril 1962"),
        (date(1999, 12, 31), "31 décembre 1999"),
        (date(2000, 8, 11), "11 août 2000"),
    ],
)
def test_a_day_has_no_leading_zero_and_the_first_is_an_ordinal(when: date, text: str) -> None:
    assert written.day(when) == text


def test_a_customer_number_is_written_in_pairs() -> None:
    assert written.customer("10078821") == "10 07 88 21"


@pytest.mark.parametrize("number", ["", "1007882", "100788211", "10 07 88 21", "1007882a"])
def test_what_is_no_customer_number_is_not_written_as_one(number: str) -> None:
    with pytest.raises(ValueError, match="8 digits"):
        written.customer(number)


def test_a_telephone_number_is_written_in_pairs() -> None:
    assert written.phone("0612345678") == "06 12 34 56 78"


@pytest.mark.parametrize("number", ["", "061234567", "06 12 34 56 78", "061234567x"])
def test_what_is_no_telephone_number_is_not_written(number: str) -> None:
    with pytest.raises(ValueError, match="10 digits"):
        written.phone(number)


def test_a_near_day_is_told_by_its_weekday_and_without_the_year() -> None:
    assert written.weekday(date(2026, 11, 23)) == "lundi 23 novembre"
    assert written.weekday(date(2026, 12, 1)) == "mardi 1er décembre"


def test_a_time_of_day_is_written_as_it_is_said() -> None:
    assert [
        written.clock(time(9)),
        written.clock(time(8, 30)),
        written.clock(time(18, 5)),
        written.clock(time(1)),
    ] == [
        "9 heures",
        "8 h 30",
        "18 h 05",
        "1 heure",
    ]
