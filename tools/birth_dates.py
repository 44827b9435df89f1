"""Birth dates in what a caller says. Pure.

A date is a row of three parts: day, month (a name or a number), year. All readings of the
number words (``tools.numerals``) are held against that; what comes out is the one date that
every fitting reading gives, and that a living person can be born on. Two digits of a year
are enough only when one century is possible: « soixante-deux » is 1962, « douze » might be
1912 or 2012 and is asked again.

Parts corrected later (« le quatre, non, le cinq mai », « juin, pardon, juillet ») replace
those said before.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product

from tools.numerals import (
    HOMOPHONES,
    SEPARATORS,
    Reading,
    Run,
    Word,
    digits_of,
    is_number,
    readings,
    runs,
    without_measure,
    words,
)
from tools.repairs import is_denied, is_left_open, is_vague, takes

MAX_AGE_YEARS = 120
"""Nobody living is older (the record, Jeanne Calment's, is 122)."""

_MONTHS = {
    spelling: number
    for number, spellings in enumerate(
        (
            "janvier janvie janviers janv",
            "fevrier fevrie fevriers fevr fev",
            "mars mar marse",
            "avril avrile avrille avrils avr",
            "mai mail maie",
            "juin juins juing jouin",
            "juillet juillets juillee juille juiller jouillet juil",
            "aout aou aoute aouts",
            "septembre setembre septembres septambre",
            "octobre octobres oktobre",
            "novembre novembres novambre",
            "decembre decembres desembre decambre",
        ),
        start=1,
    )
    for spelling in spellings.split()
}
_NAME_OF = {number: name for name, number in reversed(_MONTHS.items())}
_MONTH_HOMOPHONES = {"mais": 5, "mes": 5, "met": 5, "mets": 5, "ou": 8, "out": 8, "joint": 6, "marre": 3}
"""Real words a recogniser writes for months; read as such only between a day and a year."""

_SEPARATORS = SEPARATORS | frozenset(["du", "de", "mois", "d", "en", "an", "annee", "l"])
_DAY_WORDS = {"premier": "1", "premiers": "1", "1er": "1", "1re": "1"}
_AGE_WORDS = frozenset({"ans", "euros", "euro", "heures", "h"})

_FEASTS = {
    tuple(name.split()): day
    for names, day in (
        ("veille de noel|reveillon de noel", (24, 12)),
        ("jour de noel|noel", (25, 12)),
        ("lendemain de noel", (26, 12)),
        ("saint sylvestre", (31, 12)),
        ("jour de l an|premier de l an|1er de l an|1 de l an|nouvel an", (1, 1)),
        ("saint valentin", (14, 2)),
        ("fete du travail", (1, 5)),
        ("fete nationale", (14, 7)),
        ("toussaint", (1, 11)),
    )
    for name in names.split("|")
}
"""Days that people name instead of counting; those that move with Easter name none."""
_AROUND_FEASTS = frozenset(
    ["avant", "apres", "autour", "vers", "environ", "entre", "presque", "pas", "lendemain", "veille"]
)
"""« deux jours après Noël » is another day."""

_ISO = re.compile(r"(?<!\d)((?:19|20)\d\d)[-/.](\d\d)[-/.](\d\d)(?!\d)", re.ASCII)

_REFERENCE_DIGITS = 7
"""From this many digits on, a row of numbers before or after a date is a number of its own."""


@dataclass(frozen=True, slots=True)
class _Parts:
    """What was said of a date; None where nothing was."""

    day: int | None = None
    month: int | None = None
    year: int | None = None

    @property
    def full(self) -> bool:
        return None not in (self.day, self.month, self.year)

    def corrected_by(self, repair: "_Parts") -> "_Parts":
        return _Parts(repair.day or self.day, repair.month or self.month, repair.year or self.year)


def birth_date(text: str, today: date) -> date | None:
    """The birth date said or written; None when there is none, or more than one is possible.

    Never a day after ``today``, nor one more than 120 years ago, nor one no calendar has.
    """
    written = _ISO.search(text)
    if written:
        return _only({_Parts(*(int(part) for part in reversed(written.groups())))}, today)
    standing: frozenset[_Parts] = frozenset()
    replaced = True
    for take in takes(_with_first(_with_feasts(words(text)))):
        said = _parts_in(take)
        replaced = bool(said)
        full = frozenset(parts for parts in said if parts.full)
        if full or not standing:
            standing = full or said
        elif said:
            standing = frozenset(old.corrected_by(new) for old, new in product(standing, said))
    return _only(standing, today) if replaced else None


def keyed_date(digits: str, today: date) -> date | None:
    """The date keyed as ``01041962`` or ``010462``, closing ``#`` or not; None for anything else."""
    keyed = digits.strip().removesuffix("#")
    if not (keyed.isascii() and keyed.isdigit()) or len(keyed) not in {6, 8}:
        return None
    years = _years_of(keyed[4:])
    return _only({_Parts(int(keyed[:2]), int(keyed[2:4]), year) for year in years}, today)


def _only(candidates: frozenset[_Parts] | set[_Parts], today: date) -> date | None:
    possible = {born for parts in candidates if (born := _born(parts, today)) is not None}
    return possible.pop() if len(possible) == 1 else None


def _born(parts: _Parts, today: date) -> date | None:
    if parts.day is None or parts.month is None or parts.year is None:
        return None
    try:
        born = date(parts.year, parts.month, parts.day)
    except ValueError:  # 31 February
        return None
    birthday = (today.year - MAX_AGE_YEARS, today.month, today.day)
    return born if birthday <= (born.year, born.month, born.day) and born <= today else None


def _with_feasts(text: list[Word]) -> list[Word]:
    """« le jour de Noël 1958 » as « 25 décembre 1958 », where no other month is named."""
    if any(word.text in _MONTHS or word.text == "entre" for word in text):
        return text
    said: list[Word] = []
    at = 0
    while at < len(text):
        named = [name for name in _FEASTS if tuple(word.text for word in text[at : at + len(name)]) == name]
        if named and not _AROUND_FEASTS.intersection(word.text for word in text[max(at - 3, 0) : at]):
            name = max(named, key=len)
            day, month = _FEASTS[name]
            said += [Word(str(day), text[at].before), Word(_NAME_OF[month], " ")]
            at += len(name)
        else:
            said.append(text[at])
            at += 1
    return said


def _with_first(text: list[Word]) -> list[Word]:
    """« premier » and « un avril » as the figure 1; « vingt et un avril » stays."""
    said = list(text)
    for at, word in enumerate(text):
        if word.text in HOMOPHONES and at + 1 < len(text) and text[at + 1].text in _MONTHS:
            # « le dis mai », « vingt cet mai »
            said[at] = Word(HOMOPHONES[word.text], word.before)
            continue
        ends_a_number = at > 0 and (text[at - 1].text == "et" or is_number(text[at - 1]))
        is_first = (
            word.text == "un" and not ends_a_number and text[at + 1 : at + 2] and text[at + 1].text in _MONTHS
        )
        figure = "1" if is_first else _DAY_WORDS.get(word.text, word.text)
        said[at] = Word(figure, word.before)
    return said


def _parts_in(take: list[Word]) -> frozenset[_Parts]:
    """All dates, or parts of one, that a take may hold."""
    if _is_a_choice(take):
        return frozenset()
    said = [
        run
        for one in runs(take, _SEPARATORS)
        if not is_denied(take, one.start)
        if (run := without_measure(take, one, _AGE_WORDS)) is not None
    ]
    months = {at: month for at in range(len(take)) if (month := _month_at(take, at)) is not None}
    if months:
        return frozenset(
            parts for at, month in months.items() for parts in _around_month(take, said, at, month)
        )
    full = frozenset(parts for run in said for row in readings(run, 8) for parts in _in_numbers(row))
    return full or frozenset(parts for run in said for parts in _lone_part(take, run))


def _is_a_choice(take: list[Word]) -> bool:
    """« le 4 ou le 5 mai », « mai ou juin », « soixante et quelque chose »; not « le 4 août » heard so."""
    named = [at for at, word in enumerate(take) if word.text in _MONTHS]
    # Without a month of its own, « ou » may be the August it sounds like.
    unsure = is_left_open if named else is_vague
    left_open = any(unsure(take, run) for run in runs(take, _SEPARATORS))
    between = any(
        word.text == "ou" and any(one < at for one in named) and any(one > at for one in named)
        for at, word in enumerate(take)
    )
    return left_open or between


def _month_at(take: list[Word], at: int) -> int | None:
    word = take[at].text
    if word in _MONTHS:
        return _MONTHS[word]
    between = 0 < at < len(take) - 1 and is_number(take[at - 1]) and is_number(take[at + 1])
    return _MONTH_HOMOPHONES.get(word) if between else None


def _around_month(take: list[Word], said: list[Run], at: int, month: int) -> Iterator[_Parts]:
    """The day before the month's name and the year after it."""
    before = [run for run in said if run.end <= at and _only_separators(take[run.end : at])]
    after = [run for run in said if run.start > at and _only_separators(take[at + 1 : run.start])]
    days: set[int | None] = {day for run in before if not _is_torn(take, run) for day in _days(run)}
    years: set[int | None] = {year for run in after for year in _years(run)}
    if not after:
        years = {year for run in before for year in _leading_years(run)}
    if (before and not days) or (after and not years):
        return
    for day, year in product(days or {None}, years or {None}):
        yield _Parts(day, month, year)


def _only_separators(between: Sequence[Word]) -> bool:
    return all(word.text in _SEPARATORS or word.text in {"euh", "heu"} for word in between)


def _is_torn(take: list[Word], run: Run) -> bool:
    """Is the word before a number misheard (« vin et un septembre », « vin deux mars »)?"""
    before = take[run.start - 1].text if run.start else ""
    return before in HOMOPHONES or (before == "et" and take[run.start].text in {"un", "1", "onze"})


def _days(run: Run) -> set[int]:
    days = _whole_days(run)
    if not days:
        before, last = _split(run, last=True)
        # « 10 07 88 21, premier avril » and « le quatre, euh, le quatre mai »
        believed = _is_reference(before) or _leading_years(run) or _whole_days(before) == _whole_days(last)
        days = _whole_days(last) if believed else set()
    return days


def _leading_years(run: Run) -> set[int]:
    """« mille neuf cent trente-six, le deux mai »."""
    before, last = _split(run, last=True)
    if not before.words or not _whole_days(last):
        return set()
    rows = [row for row in readings(before, 4) if len(digits_of(row)) == 4]
    return {year for row in rows for year in _years_of_row(row)}


def _whole_days(run: Run) -> set[int]:
    rows = ([group.digits for group in row] for row in readings(run, 2))
    return {day for said in rows if (day := _small(said, 31, spread=False)) is not None}


def _years(run: Run) -> set[int]:
    years = {year for row in readings(run, 6) for year in _years_of_row(row)}
    if not years:
        year, number = _split(run, last=False)
        years = (
            {one for row in readings(year, 6) for one in _years_of_row(row)}
            if _is_reference(number)
            else set()
        )
    return years


def _split(run: Run, *, last: bool) -> tuple[Run, Run]:
    """The run cut at its last, or first, comma."""
    commas = [at for at, word in enumerate(run.words) if at and word.parted] or [0]
    cut = commas[-1] if last else commas[0]
    return Run(run.words[:cut], run.start, run.end), Run(run.words[cut:], run.start, run.end)


def _is_reference(run: Run) -> bool:
    return any(len(digits_of(row)) >= _REFERENCE_DIGITS for row in readings(run, 10))


def _years_of_row(row: Reading) -> set[int]:
    said = [group.digits for group in row]
    if len(said) == 2 and said[0] in {"1900", "2000"} and len(said[1]) <= 2 and said[1] != "0":
        return {int(said[0]) + int(said[1])}
    return _years_of("".join(said))


def _years_of(digits: str) -> set[int]:
    """Four digits are a year; two are one of two."""
    if len(digits) == 4 and digits[:2] in {"19", "20"}:
        return {int(digits)}
    if len(digits) == 2:
        return {1900 + int(digits), 2000 + int(digits)}
    return set()


def _lone_part(take: list[Word], run: Run) -> Iterator[_Parts]:
    """« le cinq » is a day, « mille neuf cent soixante-trois » or « soixante-trois » a year."""
    after_article = run.start > 0 and take[run.start - 1].text == "le"
    for row in readings(run, 6):
        digits = digits_of(row)
        if after_article and len(digits) <= 2 and 1 <= int(digits) <= 31:
            yield _Parts(day=int(digits))
        elif len(digits) == 4 or (len(digits) == 2 and int(digits) > 31):
            for year in _years_of_row(row):
                yield _Parts(year=year)


def _in_numbers(row: Reading) -> Iterator[_Parts]:
    """« quatre cinq soixante-deux », « 01/04/1962 », « 01041962 », « zéro un zéro quatre six deux »."""
    said = [part for group in row for part in _written_pairs(group.digits, spelled=group.spelled)]
    figure_by_figure = all(len(part) <= 2 for part in said[:-1]) and len(said[-1]) in {1, 2, 4}
    spread = len("".join(said)) in {6, 8} and figure_by_figure
    for first in range(1, len(said)):
        for second in range(first + 1, len(said)):
            day, month = (
                _small(said[:first], 31, spread=spread),
                _small(said[first:second], 12, spread=spread),
            )
            if day is None or month is None:
                continue
            for year in _year_part(said[second:], spread=spread):
                yield _Parts(day, month, year)


def _written_pairs(digits: str, *, spelled: bool) -> list[str]:
    """Digits written together are cut as dates are written: 01041962, 0104, 010462."""
    if spelled or len(digits) not in {4, 6, 8} or (len(digits) == 4 and digits[:2] in {"19", "20"}):
        return [digits]
    return [digits[:2], digits[2:4], *([digits[4:]] if len(digits) > 4 else [])]


def _small(said: list[str], most: int, *, spread: bool) -> int | None:
    """A day or a month: one group, « zéro » and a figure, or two figures when all parts have two."""
    digits = "".join(said)
    in_one = len(said) == 1 and len(digits) <= 2
    in_two = len(said) == 2 and len(digits) == 2 and (said[0] == "0" or spread)
    return int(digits) if (in_one or in_two) and 1 <= int(digits) <= most else None


def _year_part(said: list[str], *, spread: bool) -> set[int]:
    digits = "".join(said)
    if len(said) == 2 and said[0] in {"1900", "2000"} and len(said[1]) <= 2 and said[1] != "0":
        return {int(said[0]) + int(said[1])}
    if len(digits) == 2 and len(said) == 2 and not (said[0] == "0" or spread):
        return set()
    return _years_of(digits)
