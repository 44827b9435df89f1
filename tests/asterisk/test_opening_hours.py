"""The dialplan knows when people are at work: hours, weekends, and the public holidays of any year."""

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

import pytest

from tests.asterisk.conftest import PARIS, told_to
from tests.asterisk.host import TRUNK, Asterisk
from tests.asterisk.phone import Phone

pytestmark = pytest.mark.asterisk

EASTER_SUNDAYS = (  # as published; the earliest and the latest that there can be are among them
    *(date(2008, 3, 23), date(2026, 4, 5), date(2027, 3, 28), date(2028, 4, 16), date(2029, 4, 1)),
    *(date(2030, 4, 21), date(2038, 4, 25)),
)
FIXED = ((1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25))
WORKDAYS_OF_2026 = (
    date(2026, 4, 7),
    date(2026, 5, 15),
    date(2026, 5, 26),
    date(2026, 7, 15),
    date(2026, 12, 24),
)
LATE_MORNING = time(11, 0)


def at(day: date, hour: time = LATE_MORNING) -> datetime:
    return datetime.combine(day, hour, PARIS)


def is_weekend(day: date) -> bool:
    return day.isoweekday() > 5


async def is_open(asterisk: Asterisk, moment: datetime) -> bool:
    """Ring at ``moment`` and read what the dialplan told the agent."""
    told_to(asterisk, "CLOCK", str(int(moment.timestamp())))
    from_here = len(asterisk.log())
    async with Phone.at(TRUNK) as phone:
        call = await phone.dial("0123456789", asterisk.sip_address)
        call.hang_up()
    (told,) = re.findall(r'Set\("[^"]*", "VOICEBOT_OPEN=([01])"\)', asterisk.log()[from_here:])
    return bool(told == "1")


def easter_holidays() -> Iterator[date]:
    for sunday in EASTER_SUNDAYS:
        for days in (1, 39, 50):
            yield sunday + timedelta(days)


async def test_easter_monday_ascension_and_whit_monday_are_holidays_in_any_year(asterisk: Asterisk) -> None:
    assert [day for day in easter_holidays() if await is_open(asterisk, at(day))] == []


async def test_the_days_around_them_are_not(asterisk: Asterisk) -> None:
    around = {day + timedelta(days) for day in easter_holidays() for days in (-3, 1)}
    workdays = sorted(
        day
        for day in around
        if not is_weekend(day) and (day.month, day.day) not in FIXED and day not in set(easter_holidays())
    )
    assert [day for day in workdays if not await is_open(asterisk, at(day))] == []


async def test_the_eight_holidays_with_a_date_are_holidays(asterisk: Asterisk) -> None:
    days = [date(year, *day) for year in (2026, 2028) for day in FIXED]
    assert [day for day in days if await is_open(asterisk, at(day))] == []


async def test_other_weekdays_are_open_and_weekends_are_not(asterisk: Asterisk) -> None:
    assert [day for day in WORKDAYS_OF_2026 if not await is_open(asterisk, at(day))] == []
    saturday = date(2026, 11, 28)
    assert not await is_open(asterisk, at(saturday))
    assert not await is_open(asterisk, at(saturday + timedelta(1)))


@pytest.mark.parametrize(
    ("hour", "opened"),
    [
        (time(8, 59), False),
        (time(9, 0), True),
        (time(17, 59), True),
        (time(18, 0), False),
        (time(0, 5), False),
    ],
    ids=str,
)
@pytest.mark.parametrize("day", [date(2026, 7, 1), date(2026, 12, 1)], ids=["summer", "winter"])
async def test_hours_are_those_of_paris_in_summer_and_in_winter(
    asterisk: Asterisk, day: date, hour: time, opened: bool
) -> None:
    assert await is_open(asterisk, at(day, hour)) is opened


async def test_the_house_may_have_days_of_its_own(asterisk: Asterisk) -> None:
    told_to(asterisk, "CLOSED_DAYS", "1224|1231")
    christmas_eve = date(2026, 12, 24)
    assert not await is_open(asterisk, at(christmas_eve))
    assert not await is_open(asterisk, at(date(2026, 12, 31)))
    assert await is_open(asterisk, at(date(2026, 12, 23)))
    told_to(asterisk, "CLOSED_DAYS", "none")
    assert await is_open(asterisk, at(christmas_eve))
