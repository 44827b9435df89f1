"""When a caller wants to be rung back, seen from a Friday morning and from a Saturday."""

from datetime import date, datetime, time

import pytest

from tools.call_back_times import (
    CallBackTime,
    DayPart,
    NobodyThere,
    call_back_time,
    keyed_call_back_time,
    next_time,
)
from tools.opening_hours import PARIS, OpeningHours

HOURS = OpeningHours()
FRIDAY_10 = datetime(2026, 11, 20, 10, 0, tzinfo=PARIS)
FRIDAY_15 = datetime(2026, 11, 20, 15, 0, tzinfo=PARIS)
FRIDAY_20 = datetime(2026, 11, 20, 20, 0, tzinfo=PARIS)
SATURDAY = datetime(2026, 11, 21, 11, 0, tzinfo=PARIS)
MORNING, AFTERNOON, ANY = DayPart.MORNING, DayPart.AFTERNOON, DayPart.ANY


@pytest.mark.parametrize(
    ("text", "now", "on", "part"),
    [
        ("le matin", FRIDAY_10, date(2026, 11, 20), MORNING),
        ("plutôt le matin s'il vous plaît", FRIDAY_15, date(2026, 11, 23), MORNING),
        ("l'après-midi", FRIDAY_15, date(2026, 11, 20), AFTERNOON),
        ("dans l'après midi", SATURDAY, date(2026, 11, 23), AFTERNOON),
        ("en fin de journée", SATURDAY, date(2026, 11, 23), AFTERNOON),
        ("lundi matin", FRIDAY_20, date(2026, 11, 23), MORNING),
        ("mardi", SATURDAY, date(2026, 11, 24), ANY),
        ("vendredi après-midi", FRIDAY_10, date(2026, 11, 27), AFTERNOON),
        ("cet après-midi", FRIDAY_10, date(2026, 11, 20), AFTERNOON),
        ("aujourd'hui", FRIDAY_10, date(2026, 11, 20), ANY),
        ("après-demain dans la matinée", SATURDAY, date(2026, 11, 23), MORNING),
        ("lundi vers dix heures", SATURDAY, date(2026, 11, 23), MORNING),
        ("lundi à 14h", SATURDAY, date(2026, 11, 23), AFTERNOON),
        ("lundi à quinze heures trente", SATURDAY, date(2026, 11, 23), AFTERNOON),
        ("vers trois heures", SATURDAY, date(2026, 11, 23), AFTERNOON),
        ("peu importe", SATURDAY, date(2026, 11, 23), ANY),
        ("dès que possible", FRIDAY_10, date(2026, 11, 20), ANY),
        ("n'importe quand", FRIDAY_20, date(2026, 11, 23), ANY),
        ("le matin ou l'après-midi, comme vous voulez", SATURDAY, date(2026, 11, 23), ANY),
    ],
)
def test_a_time_in_the_callers_words_is_a_working_day_and_a_half_of_it(
    text: str, now: datetime, on: date, part: DayPart
) -> None:
    assert call_back_time(text, now, HOURS) == CallBackTime(on, part)


@pytest.mark.parametrize(
    ("text", "now"),
    [
        ("samedi matin", FRIDAY_10),
        ("dimanche", FRIDAY_10),
        ("demain", FRIDAY_10),
        ("ce matin", FRIDAY_15),
        ("aujourd'hui", FRIDAY_20),
        ("mercredi", datetime(2026, 11, 9, 10, 0, tzinfo=PARIS)),
    ],
    ids=["Saturday", "Sunday", "tomorrow is Saturday", "past", "closed since six", "11 November"],
)
def test_a_time_when_nobody_works_is_understood_and_not_promised(text: str, now: datetime) -> None:
    assert call_back_time(text, now, HOURS) == NobodyThere()


@pytest.mark.parametrize("text", ["", "oui", "mon contrat", "euh", "le zéro six douze", "trois fois"])
def test_words_without_a_time_are_none(text: str) -> None:
    assert call_back_time(text, FRIDAY_10, HOURS) is None


def test_one_and_two_are_morning_and_afternoon_on_the_keypad() -> None:
    assert keyed_call_back_time("1", SATURDAY, HOURS) == CallBackTime(date(2026, 11, 23), MORNING)
    assert keyed_call_back_time("2", FRIDAY_10, HOURS) == CallBackTime(date(2026, 11, 20), AFTERNOON)
    assert keyed_call_back_time("3", FRIDAY_10, HOURS) is None
    assert keyed_call_back_time("", FRIDAY_10, HOURS) is None


def test_a_house_open_in_the_afternoon_only_promises_no_morning() -> None:
    hours = OpeningHours(time(13), time(18))
    assert call_back_time("lundi matin", SATURDAY, hours) == NobodyThere()


def test_the_end_of_the_morning_is_the_closing_time_of_a_house_that_closes_earlier() -> None:
    hours = OpeningHours(time(9), time(11))
    at_half_past_eleven = datetime(2026, 11, 20, 11, 30, tzinfo=PARIS)
    assert next_time(MORNING, at_half_past_eleven, hours).on == date(2026, 11, 23)
