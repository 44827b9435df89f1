"""The dialplan's opening hours and the agent's are the same, hour by hour, over years. Needs no Asterisk."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from app import settings
from tests.asterisk.dialplan import Dialplan, NotUnderstood
from tests.asterisk.test_render import DIRECTORIES, rendered
from tools.opening_hours import PARIS, OpeningHours, public_holidays

DEFAULTS = settings.read(Path("no-such.env")).opening
YEARS = range(2024, 2031)
FURTHER_YEARS = (1999, 2000, 2008, 2035, 2038, 2049, 2076, 2099)
"""The earliest and the latest Easter, the end of 32-bit time, and the turn of the century."""


@pytest.fixture
def directories(tmp_path: Path) -> Path:
    file = tmp_path / "package.conf"
    file.write_text(DIRECTORIES, encoding="utf-8")
    return file


def dialplan(folder: Path, directories: Path, **settings: str) -> Dialplan:
    rendered(folder, directories, **settings)
    return Dialplan.read(folder / "extensions.conf")


def is_open(plan: Dialplan, moment: datetime) -> bool:
    plan.variables["CLOCK"] = str(int(moment.timestamp()))
    return plan.gosub("opening-hours") == "1"


def hours_of(first: date, last: date) -> list[datetime]:
    """Every full hour from the beginning of one day to the end of another, in Paris."""
    start = datetime(first.year, first.month, first.day, tzinfo=PARIS).astimezone(UTC)
    end = datetime(last.year, last.month, last.day, tzinfo=PARIS).astimezone(UTC) + timedelta(days=1)
    return [start + timedelta(hours=hour) for hour in range((end - start) // timedelta(hours=1))]


@pytest.mark.parametrize("year", YEARS)
def test_every_hour_of_a_year_is_open_to_both_or_to_neither(
    tmp_path: Path, directories: Path, year: int
) -> None:
    plan, hours = dialplan(tmp_path / "etc", directories), OpeningHours()
    every = hours_of(date(year, 1, 1), date(year, 12, 31))
    assert len(every) in (8760, 8784)
    differing = [moment for moment in every if is_open(plan, moment) != hours.is_open(moment)]
    assert differing == []
    opened = sum(hours.is_open(moment) for moment in every)
    assert 2200 < opened < 2350, "9 hours on some 250 working days"


@pytest.mark.parametrize("year", FURTHER_YEARS)
def test_every_public_holiday_and_its_neighbours_are_the_same_to_both(
    tmp_path: Path, directories: Path, year: int
) -> None:
    plan, hours = dialplan(tmp_path / "etc", directories), OpeningHours()
    holidays = public_holidays(year)
    assert len(holidays) in (10, 11), "Ascension may fall on 1 or 8 May"
    days = {day + timedelta(days=off) for day in holidays for off in (-1, 0, 1)}
    for day in sorted(days):
        for moment in hours_of(day, day):
            assert is_open(plan, moment) == hours.is_open(moment), moment


@pytest.mark.parametrize("minute", ["08:59", "09:00", "12:34", "17:59", "18:00"])
def test_both_open_and_close_with_the_same_minute(tmp_path: Path, directories: Path, minute: str) -> None:
    plan, hours = dialplan(tmp_path / "etc", directories), OpeningHours()
    for day in ("2026-07-01", "2026-12-01"):
        moment = datetime.fromisoformat(f"{day}T{minute}").replace(tzinfo=PARIS)
        assert is_open(plan, moment) == hours.is_open(moment)


def test_settings_of_a_house_mean_the_same_to_both(tmp_path: Path, directories: Path) -> None:
    closed_on = "2026-12-24,2026-12-31"
    ours = DEFAULTS.model_copy(
        update={"opens_at": time(8, 30), "closes_at": time(19, 15), "closed_on": closed_on}
    )
    theirs = {"OPENS": "0830", "CLOSES": "1915", "CLOSED_DAYS": "1224|1231"}
    plan, hours = dialplan(tmp_path / "etc", directories, **theirs), ours.hours()
    quarters = [
        moment + timedelta(minutes=minutes)
        for moment in hours_of(date(2026, 12, 14), date(2027, 1, 3))
        for minutes in (0, 15, 30, 45)
    ]
    assert [one for one in quarters if is_open(plan, one) != hours.is_open(one)] == []


def test_the_defaults_of_both_are_the_same(tmp_path: Path, directories: Path) -> None:
    plan, hours = dialplan(tmp_path / "etc", directories), DEFAULTS.hours()
    assert (plan.variables["OPENS"], plan.variables["CLOSES"]) == (
        hours.opens_at.strftime("%H%M"),
        hours.closes_at.strftime("%H%M"),
    )
    assert (plan.variables["CLOSED_DAYS"], hours.closed_on) == ("none", frozenset())


def test_what_the_reader_does_not_know_is_an_error_and_no_agreement(tmp_path: Path) -> None:
    file = tmp_path / "extensions.conf"
    file.write_text("[opening-hours]\nexten => s,1,Playback(x)\n same => n,Return(1)\n", encoding="utf-8")
    with pytest.raises(NotUnderstood, match="Playback"):
        Dialplan.read(file).gosub("opening-hours")
