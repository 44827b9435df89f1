"""Amounts of money in what a caller says, in cents. Pure.

« quinze cents euros », « mille deux cents », « 45 230,18 € », « dix euros cinquante », « 2 millions »,
« 5 mille », « trois virgule cinq ». An amount is *one* number, so a row of several is none; euros and cents
are two.

What is not meant exactly (« environ », « entre », « cinq ou six mille », « une centaine ») is asked again,
and so is a correction that may have been meant for a part only (« cinq mille deux cents, non, trois cents »).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from num2words import num2words  # type: ignore[import-untyped]  # ships no types

from tools.numerals import HESITATIONS, HOMOPHONES, Run, Word, is_number, readings, runs, words
from tools.repairs import is_denied, takes

_LONGEST_DIGITS = 9
_EUROS = frozenset({"euro", "euros", "eur", "balles", "heureux", "roues", "neuros", "zeuros"})
"""« euros » and what it is heard as, said after a number."""
_CENTIMES = frozenset({"centime", "centimes", "cent", "cents", "ct", "cts"})
_OTHER_UNITS = frozenset(
    [
        "an",
        "ans",
        "annee",
        "annees",
        "mois",
        "jour",
        "jours",
        "semaine",
        "semaines",
        "heure",
        "heures",
        "h",
        "minutes",
        "secondes",
        "pour",
        "pourcent",
        "fois",
        "contrat",
        "contrats",
        "enfants",
        "personnes",
        "francs",
        "janvier",
        "fevrier",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "aout",
        "septembre",
        "octobre",
        "novembre",
        "decembre",
        "metres",
        "kilometres",
        "km",
        "dollars",
        "chiffres",
        "k",
        "virements",
        "versements",
    ]
)
_VAGUE = re.compile(
    r"\b(?:environ|entre|a peu pres|autour|aux alentours|dans les|quelques?|grosso modo|minimum|maximum"
    r"|une? (?:centaine|dizaine|vingtaine|quinzaine|trentaine|cinquantaine|millier)|centaines|milliers"
    r"|dizaines|poussieres?|au moins|au plus|plus de|moins de|presque|jusqu a|vers|a peine|je crois"
    r"|je sais (?:pas|plus)"
    r"|ou (?:\w+ )?(?:mille|cents?|euros))\b"
)
_SPACES = r"[ \u00a0\u202f]"
_WRITTEN = re.compile(
    rf"(?<![\d.,])(?P<whole>\d{{1,3}}(?:(?P<by>{_SPACES}|[.'’])\d{{3}})(?:(?P=by)\d{{3}})*|\d+)"
    rf"(?:(?P<point>[.,])(?P<cents>\d{{1,2}}))?(?![\d]|[.,]\d)"
)
_HALF_A_MILLION = re.compile(r"\bun demi[- ]million(?: d['’])?", re.IGNORECASE)
_TENTHS = {"demi": 5, "demie": 5}


@dataclass(frozen=True, slots=True)
class _Sum:
    """An amount found, and whether the caller named its unit."""

    cents: int
    named: bool


def amount(text: str) -> int | None:
    """The amount said, in cents; None when there is none, it is vague, or more than one is possible."""
    said = words(_with_written_numbers_in_words(_HALF_A_MILLION.sub(" 500000 ", text)))
    if _VAGUE.search(" ".join(word.text for word in said)) or _is_a_choice(said):
        return None
    standing: _Sum | None = None
    for take in takes(said):
        found = set(_sums(take))
        named = {one for one in found if one.named}
        chosen = named or found
        if len(chosen) > 1 or (not chosen and _holds_number(take)):
            return None
        if not chosen:
            standing = None if _takes_all_back(take) else standing
            continue
        (one,) = chosen
        if not one.named and _may_be_hundreds(one.cents):
            return None
        if standing and not one.named and _size(one.cents) < _size(standing.cents):
            return None  # « cinq mille deux cents, non, trois cents »: the whole, or its end?
        standing = one
    return standing.cents if standing else None


def _with_written_numbers_in_words(text: str) -> str:
    """« 45 230,18 € » as words, so that « 5 mille » and « 2 millions 500 mille » are read like the rest."""
    spelled, at = [], 0
    for found in _WRITTEN.finditer(text):
        between = text[at : found.start()]
        # « 10 7 » is two numbers, and not « dix-sept »: a comma never binds.
        spelled.append("," if at and not between.strip() else between)
        spelled.append(_in_words(found))
        at = found.end()
    return "".join((*spelled, text[at:])).replace("€", " euros ")


def _in_words(found: re.Match[str]) -> str:
    whole = re.sub(r"\D", "", found["whole"])
    if len(whole) > _LONGEST_DIGITS or (len(whole) > 1 and whole.startswith("0")):
        return found[0]
    # « un » alone would be an article.
    said = " 1 " if int(whole) == 1 else f" {num2words(int(whole), lang='fr').replace(' ', '-')} "
    if found["cents"] is None:
        return said
    zero = "zéro " if found["cents"].startswith("0") else ""
    cents = int(found["cents"])
    # One figure after the point is a tenth, as when it is said.
    return f"{said}virgule {zero}{num2words(cents, lang='fr') if cents or not zero else ''} "


def _is_a_choice(said: list[Word]) -> bool:
    """« cinq ou six mille »."""
    return any(
        word.text == "ou"
        and at
        and is_number(said[at - 1])
        and at + 1 < len(said)
        and is_number(said[at + 1])
        for at, word in enumerate(said)
    )


def _takes_all_back(take: list[Word]) -> bool:
    """« cinq cents euros, non »: taken back, and nothing put in its place."""
    return not any(word.text not in HESITATIONS for word in take) or "pas" in {word.text for word in take}


def _holds_number(take: list[Word]) -> bool:
    return any(not _is_of_something_else(take, run.end) for run in _runs(take))


def _may_be_hundreds(cents: int) -> bool:
    """« deux mille cinq », without its unit: 2 005, or 2 500 as people say it for short?"""
    thousands, rest = divmod(cents, 1000 * 100)
    return thousands > 0 and 0 < rest < 10 * 100 and rest % 100 == 0


def _size(cents: int) -> int:
    return len(str(cents))


def _runs(take: list[Word]) -> list[Run]:
    return [run for run in runs(take, ()) if not is_denied(take, run.start)]


def _sums(take: list[Word]) -> Iterator[_Sum]:
    """Every amount of a take."""
    take = _with_hundreds_misheard(take)
    pending = _runs(take)
    while pending:
        run = pending.pop(0)
        after = run.end
        whole = _number(run)
        if whole is None:
            continue
        cents: int | None = whole * 100
        if _text(take, after) == "virgule" and pending and pending[0].start == after + 1:
            decimals = pending.pop(0)
            after = decimals.end
            if decimals.words[-1].text in {"million", "millions", "mille"} and len(decimals.words) > 1:
                after -= 1
                decimals = Run(decimals.words[:-1], decimals.start, after)
            cents = _decimal(whole, decimals)
        if _text(take, after) in {"million", "millions", "mille"} and cents is not None:
            cents, after = cents * (1000 if _text(take, after) == "mille" else 1_000_000), after + 1
        if _text(take, after) == "et" and _text(take, after + 1) in _TENTHS and cents is not None:
            cents += _half_of(run, whole)
            after += 2
        if _text(take, after) in {"d", "de"}:
            after += 1
        if cents is None:
            continue
        if _text(take, after) in _EUROS:
            rest, pending = _rest(take, after + 1, pending)
            if rest is not None:
                yield _Sum(cents + rest, named=True)
        elif _text(take, after) in _CENTIMES:
            yield _Sum(whole, named=True)
        elif not _is_of_something_else(take, after):
            yield _Sum(cents, named=False)


def _with_hundreds_misheard(take: list[Word]) -> list[Word]:
    """« cinq sans euros »: a homophone between a number and its unit; and « un euro » is no article."""
    take = [
        Word("1", word.before)
        if word.text in {"un", "une"}
        and _text(take, at + 1) in _EUROS | {"centime"}
        and not (at and (is_number(take[at - 1]) or take[at - 1].text == "et"))
        else word
        for at, word in enumerate(take)
    ]
    return [
        Word(HOMOPHONES[word.text], word.before)
        if word.text in HOMOPHONES and at and is_number(take[at - 1]) and _text(take, at + 1) in _EUROS
        else word
        for at, word in enumerate(take)
    ]


def _rest(take: list[Word], at: int, pending: list[Run]) -> tuple[int | None, list[Run]]:
    """The cents said after « euros », and the runs left; None when what follows cannot be cents."""
    start = at + 1 if _text(take, at) in {"et", "virgule"} else at
    if _text(take, start) in _TENTHS:
        return 50, pending
    # « dix euros zéro cinq »: figures, as on a till.
    if pending and pending[0].start == start and [word.text for word in pending[0].words[:1]] == ["zero"]:
        cents = _decimal(0, pending[0])
        return (cents, pending[1:]) if cents is not None and cents < 10 else (None, pending[1:])
    if not pending or pending[0].start != start or take[start].parted:
        return 0, pending
    cents, left = _number(pending[0]), pending[1:]
    after = pending[0].end
    if cents is None and pending[0].words[-1].text in _CENTIMES:
        cents, after = _number(Run(pending[0].words[:-1], pending[0].start, after - 1)), after - 1
    if _is_of_something_else(take, after):
        return 0, left
    return (cents if cents is not None and cents < 100 else None), left


def _half_of(run: Run, whole: int) -> int:
    """« un million et demi », « dix euros et demi »."""
    unit = {"million": 1_000_000, "millions": 1_000_000, "mille": 1000}.get(run.words[-1].text, 1)
    return unit * 100 // 2 if whole % unit == 0 else 0


def _decimal(whole: int, decimals: Run) -> int | None:
    said = {"".join(group.digits for group in row) for row in readings(decimals, 2)}
    two = {digits.ljust(2, "0") for digits in said}
    return whole * 100 + int(two.pop()) if len(two) == 1 else None


def _number(run: Run) -> int | None:
    """The one number a run is."""
    values = {int(row[0].digits) for row in readings(run, _LONGEST_DIGITS) if len(row) == 1}
    return values.pop() if len(values) == 1 else None


def _is_of_something_else(take: list[Word], at: int) -> bool:
    return _text(take, at) in _OTHER_UNITS


def _text(take: list[Word], at: int) -> str:
    return take[at].text if at < len(take) else ""
