"""French telephone numbers, as callers say, key and send them. Pure.

One form inside: ten digits, ``0612345678`` (plan of the Arcep, decision 2019-0954: 01 to 05 and 09 on land
or overseas, 06 and 07 mobile). ``+33``, ``0033`` and ``33`` in front of nine digits are the same number.

Not taken: 08 (nobody's own line, and some are charged by the minute), short numbers, and numbers abroad:
whoever rings back would pay for what a stranger has left. All readings of what was said are looked at
(``tools.numerals``); when two telephone numbers fit, the answer is None, and the agent asks again.
"""

import re
from itertools import pairwise

from tools.numerals import Group, Reading, Run, digits_of, joinable, readings, runs, without_measure, words
from tools.references import corrected
from tools.repairs import is_denied, is_left_open, is_of_the_end, takes

_NATIONAL = re.compile(r"0[1-79][0-9]{8}")
_FROM_ABROAD = re.compile(r"(?:00)?33(?:0?)([1-79][0-9]{8})")
_LONGEST_DIGITS = 14
"""``0033 (0) 6 12 34 56 78``."""
_NATIONAL_DIGITS = 10
_SHOWN_DIGITS = 2
_MOBILE = frozenset({"06", "07"})
_LAND = frozenset({"01", "02", "03", "04", "05", "09"})
_MEASURES = frozenset(
    {"heure", "heures", "h", "ans", "an", "jours", "minutes", "fois", "derniers", "chiffres"}
)
"""« …, après 18 heures »: the last number is none of the telephone's."""


def phone_number(text: str) -> str | None:
    """The telephone number said (``0612345678``); None when there is none, or more than one is possible.

    Of several, as in « non, pardon, c'est le … », the last one counts; a pair alone takes the place of the
    last one, when it resembles that one most.
    """
    found: str | None = None
    standing: frozenset[Reading] = frozenset()
    for take in takes(words(text)):
        said = [
            run
            for one in runs(take)
            if not is_denied(take, one.start) and not is_left_open(take, one)
            if (run := without_measure(take, one, _MEASURES)) is not None
        ]
        values = {value for run in said for value in _values(run)}
        if not said:
            continue
        if values:
            rows = {_paired(row) for run in said for row in _uncut(run)}
            standing = frozenset(row for row in rows if _in_pairs(row))
        elif len(said) == 1 and is_of_the_end(take):
            values = _ended(found, said[0])
            standing = frozenset()
        else:
            rows = {_paired(row) for row in _uncut(said[0])} if len(said) == 1 else set()
            repairs = frozenset(row for row in rows if len(row) == 1)
            standing = frozenset(row for old in standing for row in _corrected(old, repairs))
            values = {value for row in standing if (value := _national(digits_of(row)))}
        found = values.pop() if len(values) == 1 else None
    return found


def keyed_phone_number(digits: str) -> str | None:
    """The telephone number keyed, with or without its closing ``#``; None for anything else."""
    keyed = digits.strip().removesuffix("#")
    return _national(keyed) if keyed.isascii() and keyed.isdigit() else None


def shown_phone_number(caller: str) -> str | None:
    """The number that the network shows for a caller, in national form.

    None when it is hidden, from abroad, or nothing that can be rung back.
    """
    bare = re.sub(r"[ .\-()]", "", caller).removeprefix("+")
    return _national(bare) if bare.isascii() and bare.isdigit() else None


def last_digits(number: str) -> str:
    """What may be said of a caller's own number without reading it out: its last two digits, ``78``."""
    return number[-_SHOWN_DIGITS:]


def _national(digits: str) -> str | None:
    if _NATIONAL.fullmatch(digits):
        return digits
    abroad = _FROM_ABROAD.fullmatch(digits)
    return f"0{abroad[1]}" if abroad else None


def _values(run: Run) -> set[str]:
    """The telephone numbers that a run may be; nothing is believed that cuts what could be one number."""
    rows = _uncut(run)
    mobile = {f"0{digits_of(row)}" for row in rows if _lost_its_zero(row)}
    if mobile:
        return mobile
    in_pairs = {value for row in rows if _in_pairs(row) and (value := _national(digits_of(row)))}
    return in_pairs or {value for row in rows if (value := _national(digits_of(row)))}


def _uncut(run: Run) -> frozenset[Reading]:
    return frozenset(row for row in readings(run, _LONGEST_DIGITS) if not _is_cut(run, row))


def _corrected(row: Reading, repairs: frozenset[Reading]) -> frozenset[Reading]:
    """With a pair in the place of the last; the first pair is no rival, unless it would stay of its kind."""
    kind = _MOBILE if row[0].digits in _MOBILE else _LAND
    could_begin = any(digits_of(repair) in kind for repair in repairs)
    if could_begin or len(row[0].digits) != _SHOWN_DIGITS:
        return corrected(frozenset({row}), repairs, _NATIONAL_DIGITS)
    rests = corrected(frozenset({row[1:]}), repairs, _NATIONAL_DIGITS - _SHOWN_DIGITS)
    return frozenset((row[0], *rest) for rest in rests)


def _ended(number: str | None, run: Run) -> set[str]:
    """The number with another end: « non, ça finit par 36 »."""
    ends = {digits_of(row) for row in _uncut(run)}
    if number is None or len(ends) != 1 or (run.words[0].text in {"un", "une"} and len(run.words) > 1):
        return set()
    end = ends.pop()
    return {number[: -len(end)] + end} if len(end) < _NATIONAL_DIGITS // 2 else set()


def _paired(row: Reading) -> Reading:
    """« zéro quatre » as one pair, as telephone numbers are said; a row that no pairs make, as it is."""
    pairs: list[Group] = []
    for group in row:
        last = pairs[-1] if pairs else None
        if last and len(last.digits) == 1 and len(group.digits) == 1:
            pairs[-1] = Group(last.digits + group.digits, last.start, group.end, spelled=False)
        else:
            pairs.append(group)
    return tuple(pairs)


def _is_cut(run: Run, row: Reading) -> bool:
    """Does it cut « soixante quinze » in two?"""
    return any(joinable(run, first, second) for first, second in pairwise(row))


def _lost_its_zero(row: Reading) -> bool:
    """« six douze trente-quatre cinquante-six soixante-dix-huit »: a mobile, its first zero cut off."""
    return [len(group.digits) for group in row] == [1, 2, 2, 2, 2] and row[0].digits in {"6", "7"}


def _in_pairs(row: Reading) -> bool:
    """The custom: the last eight digits in pairs."""
    return len(row) >= 5 and all(len(group.digits) == 2 for group in row[-4:])
