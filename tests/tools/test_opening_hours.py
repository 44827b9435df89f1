"""Open or closed, day by day, as the French calendar has it."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.opening_hours import PARIS, OpeningHours, easter_sunday, public_holidays

HOURS = OpeningHours()


def at(text: str) -> datetime:
    """A moment in Paris: ``2026-11-20 10:00``."""
    return datetime.fromisoformat(text).replace(tzinfo=PARIS)


@pytest.mark.parametrize(
    ("year", "easter"),
    [  # published tables: Institut de mécanique céleste et de calcul des éphémérides
        (1961, date(1961, 4, 2)),
        (2000, date(2000, 4, 23)),
        (2008, date(2008, 3, 23)),
        (2011, date(2011, 4, 24)),
        (2024, date(2024, 3, 31)),
        (2025, date(2025, 4, 20)),
        (2026, date(2026, 4, 5)),
        (2027, date(2027, 3, 28)),
        (2038, date(2038, 4, 25)),
        (2285, date(2285, 3, 22)),
    ],
)
def test_easter_is_where_the_tables_have_it(year: int, easter: date) -> None:
    assert easter_sunday(year) == easter


@given(st.integers(1583, 4099))
def test_easter_is_a_sunday_between_22_march_and_25_april(year: int) -> None:
    easter = easter_sunday(year)
    assert easter.isoweekday() == 7
    assert date(year, 3, 22) <= easter <= date(year, 4, 25)


def test_the_holidays_of_2026_are_the_eleven_of_the_code_du_travail() -> None:
    assert sorted(public_holidays(2026)) == [
        date(2026, 1, 1),
        date(2026, 4, 6),
        date(2026, 5, 1),
        date(2026, 5, 8),
        date(2026, 5, 14),
        date(2026, 5, 25),
        date(2026, 7, 14),
        date(2026, 8, 15),
        date(2026, 11, 1),
        date(2026, 11, 11),
        date(2026, 12, 25),
    ]


@pytest.mark.parametrize(
    ("moment", "opened"),
    [
        ("2026-11-20 08:59:59", False),
        ("2026-11-20 09:00", True),
        ("2026-11-20 17:59:59", True),
        ("2026-11-20 18:00", False),
        ("2026-11-21 10:00", False),
        ("2026-11-22 10:00", False),
        ("2026-11-11 10:00", False),
        ("2026-05-14 10:00", False),
        ("2026-05-15 10:00", True),
        ("2026-04-06 10:00", False),
    ],
    ids=[
        "just before nine",
        "nine",
        "just before six",
        "six",
        "Saturday",
        "Sunday",
        "11 November",
        "Ascension",
        "the Friday after Ascension",
        "Easter Monday",
    ],
)
def test_people_are_there_on_working_days_from_nine_to_six(moment: str, opened: bool) -> None:
    assert HOURS.is_open(at(moment)) is opened


def test_a_moment_told_in_another_zone_is_read_on_the_clock_of_paris() -> None:
    assert HOURS.is_open(datetime(2026, 11, 20, 8, 0, tzinfo=UTC)), "nine in winter"
    assert not HOURS.is_open(datetime(2026, 7, 17, 16, 0, tzinfo=UTC)), "six in summer"


def test_the_house_names_further_days_and_other_hours() -> None:
    hours = OpeningHours(time(8, 30), time(12), frozenset({date(2026, 12, 24)}))
    assert hours.is_open(at("2026-12-23 08:30"))
    assert not hours.is_open(at("2026-12-24 10:00"))
    assert not hours.is_open(at("2026-12-23 12:00"))


def test_the_next_working_day_passes_over_weekends_and_holidays() -> None:
    assert HOURS.next_working_day(date(2026, 11, 20)) == date(2026, 11, 23)
    assert HOURS.next_working_day(date(2026, 12, 24)) == date(2026, 12, 28)
    assert HOURS.next_working_day(date(2026, 4, 30)) == date(2026, 5, 4)


def test_hours_that_do_not_open_are_refused() -> None:
    with pytest.raises(ValueError, match="opens at 18:00"):
        OpeningHours(time(18), time(9))


def test_a_house_that_never_opens_is_found_out() -> None:
    year = frozenset(date(2026, 1, 1) + timedelta(days=n) for n in range(800))
    with pytest.raises(ValueError, match="closed for a year"):
        OpeningHours(closed_on=year).next_working_day(date(2026, 3, 1))
