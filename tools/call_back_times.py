"""When a caller wants to be rung back: « lundi matin », « demain vers dix heures », « peu importe ». Pure.

A call-back is promised for half a day, never for the minute: nobody can keep the minute. Noon divides
the two halves. A day without a part is the whole day; a part without a day is the next such half that the
house is open for. What is past, or falls on a day when nobody works, is told apart from what was not
understood: the agent then says so, instead of promising another day in silence.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from tools.numerals import Word, digits_of, readings, runs, words
from tools.opening_hours import PARIS, OpeningHours

NOON = time(12)

_WEEKDAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")

_ANY_TIME = re.compile(
    r"\b(?:peu importe|n importe quand|n importe quelle heure|quand vous (?:voulez|pouvez)"
    r"|comme vous (?:voulez|pouvez)|des que possible|le plus (?:tot|vite|rapidement) possible|au plus vite"
    r"|tout de suite|maintenant|immediatement|toute la journee|ca m est egal|m est egal|indifferent"
    r"|les deux|tous les jours|a tout moment)\b"
)
_MORNING = re.compile(r"\b(?:matin|matins|matinee|avant midi)\b")
_AFTERNOON = re.compile(r"\b(?:apres midi|aprem|fin de journee|soir|soiree|debut de soiree)\b")
_TODAY = re.compile(r"\b(?:aujourd hui|ce matin|cet apres midi|ce soir|cet aprem|dans la journee)\b")

_FIRST_AFTERNOON_HOUR = 12
_LAST_SMALL_HOUR = 7
"""« vers trois heures » is three in the afternoon: nobody asks to be rung at night."""


class DayPart(StrEnum):
    """Which half of a day."""

    MORNING = "morning"
    AFTERNOON = "afternoon"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class CallBackTime:
    """A working day, and the half of it."""

    on: date
    part: DayPart


@dataclass(frozen=True, slots=True)
class NobodyThere:
    """Understood, but it is past, or nobody works then."""


def call_back_time(text: str, now: datetime, hours: OpeningHours) -> CallBackTime | NobodyThere | None:
    """What the caller proposes, seen from ``now``; None when no time is in his words."""
    said = words(text)
    plain = " ".join(word.text for word in said)
    part = _part(plain, said)
    day = _day(plain, now.astimezone(PARIS).date())
    if part is None and day is None:
        return None
    wanted = part or DayPart.ANY
    if day is None:
        return next_time(wanted, now, hours)
    return CallBackTime(day, wanted) if _still_to_come(day, wanted, now, hours) else NobodyThere()


def keyed_call_back_time(digits: str, now: datetime, hours: OpeningHours) -> CallBackTime | None:
    """``1`` the morning, ``2`` the afternoon; None for anything else."""
    parts = {"1": DayPart.MORNING, "2": DayPart.AFTERNOON}
    part = parts.get(digits)
    return next_time(part, now, hours) if part else None


def next_time(part: DayPart, now: datetime, hours: OpeningHours) -> CallBackTime:
    """The first such half day, from ``now`` on, in which people work."""
    day = now.astimezone(PARIS).date()
    while not _still_to_come(day, part, now, hours):
        day = hours.next_working_day(day)
    return CallBackTime(day, part)


def _still_to_come(day: date, part: DayPart, now: datetime, hours: OpeningHours) -> bool:
    here = now.astimezone(PARIS)
    if not hours.is_working_day(day) or not _works(part, hours) or day < here.date():
        return False
    ends_at = min(NOON, hours.closes_at) if part is DayPart.MORNING else hours.closes_at
    return day > here.date() or here.time() < ends_at


def _works(part: DayPart, hours: OpeningHours) -> bool:
    """Whether the house is open in that half of a day at all."""
    match part:
        case DayPart.MORNING:
            return hours.opens_at < NOON
        case DayPart.AFTERNOON:
            return hours.closes_at > NOON
        case DayPart.ANY:
            return True


def _part(plain: str, said: list[Word]) -> DayPart | None:
    hour = _hour(said)
    if hour is not None:
        return DayPart.AFTERNOON if hour >= _FIRST_AFTERNOON_HOUR else DayPart.MORNING
    morning, afternoon = bool(_MORNING.search(plain)), bool(_AFTERNOON.search(plain))
    if _ANY_TIME.search(plain) or (morning and afternoon):
        return DayPart.ANY
    if morning:
        return DayPart.MORNING
    return DayPart.AFTERNOON if afternoon else None


def _hour(said: list[Word]) -> int | None:
    """The hour named before « heure(s) » or « h », on a clock of 24; None without one."""
    for run in runs(said):
        if run.end == len(said) or said[run.end].text not in {"heure", "heures", "h"}:
            continue
        values = {int(digits_of(row)) for row in readings(run, 2) if len(row) == 1}
        if len(values) == 1 and (hour := values.pop()) < 24:
            small = 0 < hour <= _LAST_SMALL_HOUR
            return hour + 12 if small else hour
    return None


def _day(plain: str, today: date) -> date | None:
    if _TODAY.search(plain):
        return today
    if re.search(r"\bapres demain\b", plain):
        return today + timedelta(days=2)
    if re.search(r"\bdemain\b", plain):
        return today + timedelta(days=1)
    for number, name in enumerate(_WEEKDAYS):
        if re.search(rf"\b{name}\b", plain):  # « lundi », said on a Monday, is the next one
            return today + timedelta(days=(number - today.weekday() - 1) % 7 + 1)
    return None
