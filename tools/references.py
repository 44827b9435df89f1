"""Customer, contract and claim numbers in what a caller says. Pure.

Each kind of number has a *form*: which rows of groups may be one. All readings of what was
said (``tools.numerals``) are held against it; a number comes out only when every reading that
fits gives the same one. What a speaker corrects is put in the place of what it corrects.

Three rules keep wrong numbers out:

- A cut inside what could be one number (« soixante quinze » as 60 15) is believed only in a
  reading that takes hyphens at their word: all spaces cut, all hyphens join. Where the
  transcript has lost its hyphens such a reading is as likely a number whose end is missing
  (measured: it turned a third of six-digit beginnings into full numbers). « vingt | deux »,
  which leaves a single figure behind, is never believed; but every reading counts as rival.
- Claim numbers are spoken in blocks, year and twice three figures: the year is the longest
  number that begins them, unless that leaves two, and a reading cut between blocks goes
  before one cut inside.
- A claim's or contract's serial said as one plain number (« trois mille cent dix-sept ») has
  its leading zeros added; digits said one by one or typed never have.
- No claim is of a coming year: « soixante-dix-huit … », read as 2078, is something else.
- Who begins again (« trente et un, trente et un mille cinq cents ») means what he says the second time.
- A correction shorter than the number replaces whole groups, and only in one possible place.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from itertools import pairwise

from tools.models import CLAIM_NUMBER
from tools.numerals import (
    HESITATIONS,
    Group,
    Reading,
    Run,
    Word,
    digits_of,
    joinable,
    readings,
    runs,
    without_measure,
    words,
)
from tools.repairs import is_denied, is_left_open, is_of_the_end, takes

CUSTOMER_DIGITS = 8
CONTRACT_DIGITS = 7
CLAIM_DIGITS = 10
"""Four of the year, six of the serial."""

_YEAR_DIGITS = 4
_CLAIM_YEAR = re.compile(r"20[0-9]{2}")

_NOT_A_REFERENCE_AFTER = frozenset(
    [
        "euro",
        "euros",
        "centimes",
        "ans",
        "an",
        "jours",
        "mois",
        "heures",
        "heure",
        "h",
        "fois",
        "derniers",
        "dernieres",
        "chiffres",
    ]
)
_CLAIM_WORDS = frozenset({"sin", "sinistre", "sinistres"})
_CONTRACT_WORDS = frozenset({"vie", "contrat", "contrats", "police"})
_CUSTOMER_WORDS = frozenset({"client", "cliente", "clients"})
_PHONE_WORDS = frozenset({"telephone", "portable", "mobile", "fixe", "joindre", "joignable", "rappeler"})
_LINK_WORDS = frozenset(
    [
        "numero",
        "no",
        "n",
        "c",
        "est",
        "le",
        "la",
        "d",
        "de",
        "du",
        "assurance",
        "vie",
        "euh",
        "alors",
        "il",
        "s",
        "agit",
        "porte",
        "donc",
    ]
)
"""What may stand between the name of a thing and its number."""


class ReferenceKind(StrEnum):
    """What a number designates."""

    CUSTOMER = "customer"
    CONTRACT = "contract"
    CLAIM = "claim"


@dataclass(frozen=True, slots=True)
class Reference:
    """A number in written form, and what it designates."""

    kind: ReferenceKind
    value: str


@dataclass(frozen=True, slots=True)
class _Fit:
    """A number read from a run; ``sure`` unless the reading rests on a cut nobody should believe."""

    value: str
    run_start: int
    plain: bool
    """No number was cut to get it."""
    sure: bool = True


@dataclass(frozen=True, slots=True)
class _Cuts:
    """After how many digits a reading cuts what could be one number."""

    pairs: frozenset[int]
    """Two digits from two: 60 15."""
    single: frozenset[int]
    """A single figure from a bigger number: 4 28, 3 117."""
    strange: frozenset[int]
    """Any other: 20 2, 300 17."""

    @property
    def any(self) -> bool:
        return bool(self.pairs or self.single or self.strange)


@dataclass(frozen=True, slots=True)
class Form:
    """How to know one kind of number of a fixed length."""

    digits: int
    value: Callable[[str], str | None]
    """The written form of that many digits; None when they cannot be one."""
    may_be: Callable[[list[Word], Run], bool]
    """Does what was said around the run allow this kind?"""
    padded: Callable[[Reading], str | None] = lambda _: None
    """The digits, zeros added, of a reading whose last group is the whole serial."""
    seams: frozenset[int] = frozenset()
    """After how many digits a speaker pauses by custom."""
    loses_its_end: Callable[[Reading], bool] = lambda _: False
    """Is a reading cut before its last number (« deux | cents ») one whose end is missing?"""
    custom_decides: bool = True
    """A reading cut only where custom pauses goes before every other; else those are its rivals."""
    opens: Callable[[frozenset[Reading]], frozenset[Reading]] = lambda rows: rows
    """The readings that begin as this kind begins."""


def customer_number(text: str) -> str | None:
    """The customer number said (``10078821``); None when there is none, or more than one is possible."""
    return number_in(text, _CUSTOMER)


def contract_number(text: str) -> str | None:
    """The contract number said (``VIE-0012345``), with or without its letters; None when unsure."""
    return _only(_found(text, _NAMED_CONTRACT) or _found(text, _CONTRACT))


def claim_number(text: str, this_year: int | None = None) -> str | None:
    """The claim number said (``SIN-2026-003117``), with or without its letters; None when unsure.

    A year after ``this_year`` is none; None: every year of the century may be.
    """
    return number_in(text, _claim(this_year))


def any_reference(text: str, this_year: int | None = None) -> Reference | None:
    """The number said, of whichever kind; None when there is none or its kind or digits are unsure.

    When numbers of several kinds are given, the customer's goes before the contract's and that
    before the claim's. Seven bare digits are a contract only after « contrat » or « vie »: they
    might be a customer number that lost one. ``this_year``: see :func:`claim_number`.
    """
    forms = {**_KINDS, ReferenceKind.CLAIM: _claim(this_year)}
    found = {kind: _found(text, form) for kind, form in forms.items()}
    given = {kind: value for kind, fits in found.items() if (value := _only(fits)) is not None}
    if len(given) > 1 and len({fit.run_start for kind in given for fit in found[kind]}) < len(given):
        # One run read as two kinds: the one that needed no cut, if it is alone.
        given = {kind: value for kind, value in given.items() if all(fit.plain for fit in found[kind])}
        if len(given) != 1:
            return None
    for kind, value in given.items():
        return Reference(kind, value)
    return None


def number_in(text: str, form: Form) -> str | None:
    """The only number of a form that was said; None when there is none, or more than one is possible."""
    return _only(_found(text, form))


def keyed_reference(digits: str) -> Reference | None:
    """The number keyed on the phone: 8 digits a customer, 7 a contract, 10 a claim (year and serial).

    The closing ``#`` may be there or not. None for anything else.
    """
    keyed = digits.strip().removesuffix("#")
    if not (keyed.isascii() and keyed.isdigit()):
        return None
    for kind, form in {**_KINDS, ReferenceKind.CONTRACT: _CONTRACT}.items():
        if len(keyed) == form.digits and (value := form.value(keyed)) is not None:
            return Reference(kind, value)
    return None


def _only(fits: Iterable[_Fit]) -> str | None:
    fits = tuple(fits)
    values = {fit.value for fit in fits}
    if len(values) != 1 or not any(fit.sure for fit in fits):
        return None
    return values.pop()


def _found(text: str, form: Form) -> frozenset[_Fit]:
    """All numbers of this form that what was said may hold, corrections made."""
    standing: frozenset[Reading] = frozenset()
    fits: frozenset[_Fit] = frozenset()
    replaced = True
    for take in takes(words(text)):
        said = [run for run in map(_standing(take), runs(take)) if run is not None]
        replaced = bool(said)
        complete = {
            run: found
            for run in said
            if form.may_be(take, run) and (found := _fits(run, _without_custom(form, take, run)))
        }
        if complete:
            fits = frozenset(fit for found in complete.values() for fit in found)
            standing = frozenset(row for run in complete for row in _believable(run, form.digits))
        elif len(said) == 1 and not standing:
            standing = _believable(said[0], form.digits) if form.may_be(take, said[0]) else standing
        elif len(said) == 1 and is_of_the_end(take):
            fits = frozenset(_ended(fits, take, said[0], form))
            standing = frozenset()
        elif len(said) == 1:
            standing = corrected(standing, _believable(said[0], form.digits), form.digits)
            values = {value for row in standing if (value := _exact(row, form)) is not None}
            fits = frozenset(_Fit(value, said[0].start, plain=False) for value in values)
        elif said:
            fits, standing = frozenset(), frozenset()
    # « … vingt et un, non » : taken back, and nothing put in its place.
    return fits if replaced else frozenset()


def _standing(take: list[Word]) -> Callable[[Run], Run | None]:
    """Of a run, what is not denied: « pas trente-trois mille, trente-quatre mille » leaves the second."""

    def standing(said: Run) -> Run | None:
        run = None if is_left_open(take, said) else without_measure(take, said, _NOT_A_REFERENCE_AFTER)
        if run is None or not is_denied(take, run.start):
            return run
        parted = [at for at, word in enumerate(run.words) if at and word.parted]
        return Run(run.words[parted[0] :], run.start, run.end) if len(parted) == 1 else None

    return standing


def _without_custom(form: Form, take: list[Word], run: Run) -> Form:
    """« deux cent dix un merci »: the « un » may be its last figure, so that nothing is cut by custom."""
    may_go_on = run.end < len(take) and take[run.end].text in {"un", "une", *HESITATIONS}
    return form if form.custom_decides or not may_go_on else replace(form, seams=frozenset())


def _fits(run: Run, form: Form) -> frozenset[_Fit]:
    rows = form.opens(readings(run, form.digits))
    plain = _plainest(rows)
    padded = {value for row in plain if (digits := form.padded(row)) and (value := form.value(digits))}
    if padded:
        padded |= {value for row in plain if (value := _exact(row, form)) is not None}
        return frozenset(_Fit(value, run.start, plain=True) for value in padded)
    possible = [
        (cuts, _Fit(value, run.start, plain=row in plain, sure=_is_believed(run, row, cuts, form)))
        for row in rows
        if (value := _exact(row, form)) is not None
        for cuts in [_cuts(run, row)]
        if len(cuts.single) + len(cuts.strange) <= 1 and not (cuts.single and form.loses_its_end(row))
    ]
    customary = [fit for cuts, fit in possible if fit.sure and form.seams and cuts.single <= form.seams]
    if not form.custom_decides and len({fit.value for _, fit in possible}) > 1:
        customary = []
    return frozenset(customary or [fit for _, fit in possible] or _begun_again(run, form))


def _begun_again(run: Run, form: Form) -> Iterable[_Fit]:
    """« trente et un, trente et un mille cinq cents »: the whole of it, after a first attempt at its head."""
    parted = [at for at, word in enumerate(run.words) if at and word.parted]
    if len(parted) != 1:
        return
    cut = parted[0]
    attempt, anew = Run(run.words[:cut], run.start, run.end), Run(run.words[cut:], run.start, run.end)
    heads = {digits_of(row) for row in readings(attempt, form.digits - 1)}
    for fit in _fits(anew, form):
        digits = "".join(char for char in fit.value if char.isdigit())
        if any(digits.startswith(head) for head in heads):
            yield fit


def _plainest(rows: frozenset[Reading]) -> frozenset[Reading]:
    """The readings with the fewest numbers: nothing was cut to get them."""
    fewest = min(map(len, rows), default=0)
    return frozenset(row for row in rows if len(row) == fewest)


def _believable(run: Run, max_digits: int) -> frozenset[Reading]:
    return frozenset(row for row in readings(run, max_digits) if not _cuts(run, row).any)


def _exact(row: Reading, form: Form) -> str | None:
    digits = digits_of(row)
    return form.value(digits) if len(digits) == form.digits else None


def _cuts(run: Run, row: Reading) -> _Cuts:
    pairs, single, strange = set(), set(), set()
    at = 0
    for first, second in pairwise(row):
        at += len(first.digits)
        match len(first.digits), len(second.digits):
            case _ if not joinable(run, first, second):
                pass
            case 2, 2:
                pairs.add(at)
            case 1, more if more > 1:
                single.add(at)
            case _:
                strange.add(at)
    return _Cuts(frozenset(pairs), frozenset(single), frozenset(strange))


def _is_believed(run: Run, row: Reading, cuts: _Cuts, form: Form) -> bool:
    if cuts.strange:
        return False
    customary = not cuts.pairs and cuts.single <= form.seams
    return customary or all(_is_hyphenated(run, group) for group in row)


def _is_hyphenated(run: Run, group: Group) -> bool:
    """Is every number of two figures in one word, and are there no bigger ones?"""
    neighbours = pairwise(run.words[group.start : group.end])
    return len(group.digits) <= 2 and all(
        word.glued or "et" in {last.text, word.text} for last, word in neighbours
    )


def corrected(rows: frozenset[Reading], repairs: frozenset[Reading], digits: int) -> frozenset[Reading]:
    """All rows in which the repair takes the place of the last groups, to the full length."""
    return frozenset(
        row[:cut] + repair
        for row in rows
        for repair in repairs
        for cut in range(len(row))
        if len(digits_of(row[:cut] + repair)) == digits
        and _replaces(row, cut, repair)
        and _is_best_place(digits_of(row), digits_of(row[cut:]), digits_of(repair), digits)
    )


def _ended(fits: Iterable[_Fit], take: list[Word], run: Run, form: Form) -> Iterable[_Fit]:
    """The numbers found, with another end: « …, non, 6 9 à la fin »."""
    ends = {digits_of(row) for row in _believable(run, form.digits - 1)}
    if len(ends) != 1 or (run.words[0].text in {"un", "une"} and len(run.words) > 1):
        return  # « à la fin c'est un deux »: 12, or a 2?
    end = ends.pop()
    if len(end) > 1 and any(word.text in {"dernier", "derniere"} for word in take):
        return
    for fit in fits:
        digits = "".join(char for char in fit.value if char.isdigit())
        value = form.value(digits[: -len(end)] + end)
        if value is not None:
            yield _Fit(value, run.start, plain=False, sure=fit.sure)


def _replaces(row: Reading, cut: int, repair: Reading) -> bool:
    """The repair begins with as many digits, in whole groups, as it takes away."""
    dropped = len(digits_of(row[cut:]))
    return any(len(digits_of(repair[:size])) == dropped for size in range(1, len(repair) + 1))


def _is_best_place(whole: str, dropped: str, repair: str, digits: int) -> bool:
    """After a full number, a repair may be meant for any part: it must resemble the last one most."""

    def alike(part: str) -> int:
        return sum(one == other for one, other in zip(part, repair, strict=False))

    if len(whole) < digits:
        return True
    size = len(dropped)
    others = (whole[at : at + size] for at in range(0, len(whole) - size, size))
    return all(alike(dropped) > alike(other) for other in others)


def _words_before(take: list[Word], run: Run) -> list[str]:
    return [word.text for word in take[: run.start]]


def _last_named(take: list[Word], run: Run) -> ReferenceKind | None:
    """Which kind of thing was named last before the run."""
    before = _words_before(take, run)
    for at in range(len(before) - 1, -1, -1):
        if before[at] in _CLAIM_WORDS or before[max(at - 2, 0) : at + 1] == ["s", "i", "n"]:
            return ReferenceKind.CLAIM
        if before[max(at - 2, 0) : at + 1] == ["v", "i", "e"]:
            return ReferenceKind.CONTRACT
        if before[at] in _CONTRACT_WORDS and before[max(at - 1, 0)] != "assurance":
            return ReferenceKind.CONTRACT
        if before[at] in _CUSTOMER_WORDS:
            return ReferenceKind.CUSTOMER
    return None


def is_a_date_or_phone(take: list[Word], run: Run) -> bool:
    """Do the words around the run say that it is a birth date or a telephone number?"""
    before = _words_before(take, run)
    born = before[-2:] in (["ne", "le"], ["nee", "le"]) or before[-1:] in (["ne"], ["nee"])
    slashed = sum("/" in word.before for word in run.words[1:]) > 1
    recent = set(before[-6:])
    return born or slashed or "naissance" in recent or not _PHONE_WORDS.isdisjoint(recent)


def _is_called(names: frozenset[str], letters: list[str], take: list[Word], run: Run) -> bool:
    """Is the thing named right before its number, with nothing but link words between?"""
    before = _words_before(take, run)
    while before and before[-1] in _LINK_WORDS - names and before[-3:] != letters:
        before.pop()
    return bool(before) and (before[-1] in names or before[-3:] == letters)


def _may_be_customer(take: list[Word], run: Run) -> bool:
    # « sinistre 2026 3117 » has eight digits too.
    is_claim = _is_called(_CLAIM_WORDS, ["s", "i", "n"], take, run)
    return not is_claim and not is_a_date_or_phone(take, run)


def _may_be_contract(take: list[Word], run: Run) -> bool:
    named = _last_named(take, run)
    return named in {ReferenceKind.CONTRACT, None} and not is_a_date_or_phone(take, run)


def _is_called_contract(take: list[Word], run: Run) -> bool:
    return _is_called(_CONTRACT_WORDS, ["v", "i", "e"], take, run)


def _may_be_claim(take: list[Word], run: Run) -> bool:
    return not _is_called_contract(take, run) and not is_a_date_or_phone(take, run)


def _claim_value(digits: str, this_year: int | None) -> str | None:
    value = f"SIN-{digits[:_YEAR_DIGITS]}-{digits[_YEAR_DIGITS:]}"
    to_come = this_year is not None and int(digits[:_YEAR_DIGITS]) > this_year
    return value if CLAIM_NUMBER.fullmatch(value) and not to_come else None


def _one_year(rows: frozenset[Reading]) -> frozenset[Reading]:
    """« deux mille vingt six zéro … » begins with 2026, not with 2020 or 2000.

    Unless the year itself is in doubt: « deux mille vingt trois cent … » leaves 2020 and 2023.
    """
    plain = _plainest(rows)
    firsts = {row[0] for row in plain if row and row[0].spelled and _CLAIM_YEAR.fullmatch(row[0].digits)}
    if len(firsts) != 1:
        return rows
    year = firsts.pop()
    return frozenset(row for row in rows if row[0] == year)


def _claim_padded(row: Reading) -> str | None:
    serial = row[-1]
    year = digits_of(row[:-1])
    if len(year) != _YEAR_DIGITS or not serial.spelled or len(serial.digits) < 3:
        return None
    return year + serial.digits.zfill(CLAIM_DIGITS - _YEAR_DIGITS)


def _contract_padded(row: Reading) -> str | None:
    # Four figures are as likely a year: « mon contrat de deux mille douze ».
    whole_number = len(row) == 1 and row[0].spelled and len(row[0].digits) > _YEAR_DIGITS
    return row[0].digits.zfill(CONTRACT_DIGITS) if whole_number else None


_CUSTOMER = Form(CUSTOMER_DIGITS, lambda digits: digits, _may_be_customer)
_CONTRACT_SEAMS = frozenset({1, 4})
"""« zéro, zéro zéro quatre, cent douze »."""
_CONTRACT = Form(
    CONTRACT_DIGITS,
    lambda digits: f"VIE-{digits}",
    _may_be_contract,
    seams=_CONTRACT_SEAMS,
    loses_its_end=lambda row: row[-1].digits == "100",
    custom_decides=False,
)
_NAMED_CONTRACT = Form(
    CONTRACT_DIGITS,
    lambda digits: f"VIE-{digits}",
    _is_called_contract,
    _contract_padded,
    seams=_CONTRACT_SEAMS,
    loses_its_end=lambda row: row[-1].digits == "100",
    custom_decides=False,
)


@cache
def _claim(this_year: int | None) -> Form:
    return Form(
        CLAIM_DIGITS,
        lambda digits: _claim_value(digits, this_year),
        _may_be_claim,
        _claim_padded,
        seams=frozenset({_YEAR_DIGITS, _YEAR_DIGITS + 3}),
        opens=_one_year,
    )


_KINDS = {
    ReferenceKind.CUSTOMER: _CUSTOMER,
    ReferenceKind.CONTRACT: _NAMED_CONTRACT,
    ReferenceKind.CLAIM: _claim(None),
}
"""The order in which numbers of several kinds count."""
