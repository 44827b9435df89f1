"""When people are there to answer: Monday to Friday, by the French calendar. Pure: told the moment.

Public holidays are those of the Code du travail, article L3133-1. Three of them follow Easter Sunday:
Easter Monday, Ascension (39 days after) and Whit Monday (50 days after). Good Friday and 26 December
are holidays in Alsace and Moselle only: an insurer there names them among the days it is closed.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

PARIS = ZoneInfo("Europe/Paris")

_SATURDAY = 5

_LONGEST_CLOSURE_DAYS = 366
"""Further than any closure reaches; bounds the search for the next open day."""


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """The house's hours. Times are those on a clock in Paris.

    Raises ``ValueError`` unless it opens before it closes.
    """

    opens_at: time = time(9)
    closes_at: time = time(18)
    """The first moment at which nobody is there any more."""
    closed_on: frozenset[date] = frozenset()
    """Days on which the house is closed besides weekends and public holidays."""

    def __post_init__(self) -> None:
        if self.opens_at >= self.closes_at:
            raise ValueError(f"opens at {self.opens_at:%H:%M}, but closes at {self.closes_at:%H:%M}")

    def is_open(self, at: datetime) -> bool:
        """Whether people answer at the moment ``at`` (with its time zone)."""
        here = at.astimezone(PARIS)
        return self.is_working_day(here.date()) and self.opens_at <= here.time() < self.closes_at

    def is_working_day(self, day: date) -> bool:
        """Whether the house opens at all on that day."""
        return (
            day.weekday() < _SATURDAY and day not in public_holidays(day.year) and day not in self.closed_on
        )

    def next_working_day(self, after: date) -> date:
        """The first day after ``after`` on which the house opens. Raises ``ValueError`` if it never does."""
        for days in range(1, _LONGEST_CLOSURE_DAYS + 1):
            day = after + timedelta(days=days)
            if self.is_working_day(day):
                return day
        raise ValueError(f"the house is closed for a year after {after}")


@cache
def public_holidays(year: int) -> frozenset[date]:
    """The eleven public holidays of France in ``year`` (Code du travail, L3133-1)."""
    easter = easter_sunday(year)
    fixed = ((1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25))
    moveable = (1, 39, 50)
    return frozenset(date(year, month, day) for month, day in fixed) | frozenset(
        easter + timedelta(days=days) for days in moveable
    )


def easter_sunday(year: int) -> date:
    """Easter of the Gregorian calendar: the anonymous algorithm (Nature, 20 April 1876; Meeus, chapter 8)."""
    golden = year % 19
    century, years = divmod(year, 100)
    moon_shift = century - century // 4 - (8 * century + 13) // 25
    epact = (19 * golden + moon_shift + 15) % 30
    to_sunday = (32 + 2 * (century % 4) + 2 * (years // 4) - epact - years % 4) % 7
    late = (golden + 11 * epact + 22 * to_sunday) // 451
    month, day = divmod(epact + to_sunday - 7 * late + 114, 31)
    return date(year, month, day + 1)
