"""French numbers in a transcript: the words, and every way to read them as digits. Pure.

A transcript loses what the voice had. « soixante quinze » is 75, or 60 and 15; « quatre vingt
huit » is 88, or 4 and 28, or 80 and 8; « vingt quatre vingt » is 24 20 or 20 80. A greedy
converter (text2num, which agrees with this grammar on every single number: a test holds the
two together) settles for one of them, and a wrong customer number comes out of it in silence.
So this module settles nothing: it yields *all* readings of a run of number words, each a row
of groups, and leaves it to whoever knows the expected form to pick, or to give up.

Theory of operation::

    text ─words→ [Word] ─runs→ [Run] ─readings→ {(Group, Group, …), …}

- ``words`` folds case and accents, and keeps what stood before each word: a hyphen glues
  (« quatre-vingt » is never cut when it is a number), a space may or may not bind, a comma
  and its like never bind.
- ``runs`` are stretches of number words. Hesitations inside are skipped; « puis », « tiret »,
  « et » separate like a comma without ending the run. Any other word ends it.
- ``readings`` cuts a run into numbers in all grammatical ways. Also « double zéro »,
  « trois fois le sept », « deux zéros », and digits already written.

Septante, huitante, octante and nonante are read wherever they are said.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

_UNITS: Mapping[str, int] = {
    word: value
    for value, words in enumerate(
        (
            "zero zeros",
            "un une hun",
            "deux",
            "trois troi",
            "quatre quatres catre cat kat katre",
            "cinq cinque sinq sink cinqs",
            "six sis",
            "sept set sette sete septs",
            "huit uit wit",
            "neuf neufs",
            "dix",
            "onze onzes",
            "douze",
            "treize",
            "quatorze",
            "quinze",
            "seize",
        )
    )
    for word in words.split()
}
_TENS: Mapping[str, int] = {
    "vingt": 20,
    "vingts": 20,
    "trente": 30,
    "quarante": 40,
    "quarente": 40,
    "cinquante": 50,
    "soixante": 60,
    "septante": 70,
    "huitante": 80,
    "octante": 80,
    "nonante": 90,
}
_HUNDRED = frozenset({"cent", "cents"})
_THOUSAND = frozenset({"mille", "mil", "milles"})
_MILLION = frozenset({"million", "millions"})
_TIMES: Mapping[str, int] = {"double": 2, "triple": 3, "quadruple": 4}
_COUNTS: Mapping[str, int] = {
    **{word: value for word, value in _UNITS.items() if 2 <= value <= 8},
    **{str(value): value for value in range(2, 9)},
}
"""How often something may be repeated: « trois fois le sept », « deux zéros »."""
_NUMBER_WORDS = frozenset({*_UNITS, *_TENS, *_HUNDRED, *_THOUSAND, *_MILLION, *_TIMES})

HOMOPHONES: Mapping[str, str] = {
    "cet": "sept",
    "cette": "sept",
    "dis": "dix",
    "vin": "vingt",
    "vins": "vingt",
    "sans": "cent",
    "sang": "cent",
    "cents": "cent",
    "o": "zero",
    "disse": "dix",
    "vint": "vingt",
}
"""Real words a recogniser writes for numbers; read as such only between two numbers."""
_LEADING = frozenset({"vin", "vins", "vint", "dis", "o", "disse", "cet", "cette"})
"""Those that also are one before a number, when nothing is said before them but a lead."""
_LEADS = frozenset({"le", "est", "numero", "client", "au", "du", "c", "code", "alors", "deja"})

HESITATIONS = frozenset(
    ["euh", "heu", "euhm", "hum", "hem", "hmm", "mmh", "bah", "ben", "beh", "eh", "ah", "oh", "hein"]
)
SEPARATORS = frozenset(
    [
        "et",
        "puis",
        "ensuite",
        "apres",
        "alors",
        "donc",
        "tiret",
        "tirets",
        "espace",
        "slash",
        "barre",
        "point",
        "le",
        "les",
        "attendez",
        "attends",
        "voyons",
    ]
)
"""Words said between two parts of one number."""

MAX_RUN_WORDS = 40
"""A longer run is no number anybody dictates; bounds the work on hostile text."""

_TOKEN = re.compile(r"[a-z]+|[0-9]++(?:er|re|ere|e|eme)?(?![a-z])|[0-9]+")
_GLUE = frozenset("-‐‑")
_SOFT = frozenset("'’ʼ\"«»() ")


@dataclass(frozen=True, slots=True)
class Word:
    """A folded word and the characters that stood between it and the word before."""

    text: str
    before: str

    @property
    def glued(self) -> bool:
        """A hyphen, and nothing else, joins it to the word before."""
        return bool(self.before) and set(self.before) <= _GLUE

    @property
    def parted(self) -> bool:
        """Punctuation, or a separating word, parts it from the word before."""
        return not self.glued and not set(self.before) <= _SOFT


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of number words: ``words[start:end]`` of the text, of which ``words`` count."""

    words: tuple[Word, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Group:
    """Digits said in one breath. ``start``/``end`` are places in the run's words."""

    digits: str
    start: int
    end: int
    spelled: bool
    """A number in words (« trois cent dix-sept »); False for written digits and repetitions."""


Reading = tuple[Group, ...]


def digits_of(reading: Reading) -> str:
    """All digits of a reading."""
    return "".join(group.digits for group in reading)


def words(text: str) -> list[Word]:
    """The words of a text, without accents or capitals (« n° 10 » → ``n``, ``10``)."""
    folded = "".join(
        " " if char.isspace() else char
        for char in unicodedata.normalize("NFKD", text.casefold().replace("œ", "oe").replace("æ", "ae"))
        if not unicodedata.combining(char)
    )
    found, at = [], 0
    for token in _TOKEN.finditer(folded):
        found.append(Word(token.group(), folded[at : token.start()]))
        at = token.end()
    return _without_homophones(found)


def is_number(word: Word) -> bool:
    """A number word or digits."""
    return word.text in _NUMBER_WORDS or word.text.isdigit()


def runs(text: list[Word], separators: Collection[str] = SEPARATORS) -> list[Run]:
    """The stretches of number words of a text, in order."""
    found: list[Run] = []
    at = 0
    while at < len(text):
        if not _counts(text, at, separators):
            at += 1
            continue
        run = _run_from(text, at, separators)
        found.append(run)
        at = run.end
    return found


def without_measure(text: list[Word], run: Run, measures: Collection[str]) -> Run | None:
    """The run, less what is measured at its end: « …, après dix-huit heures », « …, 62 ans ».

    None when all of it is measured. ``measures``: the words that make a number one of something.
    """
    if run.end == len(text) or text[run.end].text not in measures:
        return run
    parted = [at for at, word in enumerate(run.words) if at and word.parted]
    # A place is all that is needed of the end: the words after it belong to what was cut off.
    return Run(run.words[: parted[-1]], run.start, run.end) if parted else None


def readings(run: Run, max_digits: int) -> frozenset[Reading]:
    """All ways to read a run with at most ``max_digits`` digits; empty when there is none."""
    if len(run.words) > MAX_RUN_WORDS:
        return frozenset()
    return _Grammar(run.words).readings(max_digits)


def joinable(run: Run, first: Group, second: Group) -> bool:
    """Could these neighbours have been one number (60 and 15: « soixante quinze »)?"""
    return _Grammar(run.words).is_one_number(first.start, second.end)


def _without_homophones(text: list[Word]) -> list[Word]:
    def goes_on(at: int) -> bool:
        """A number follows, or what makes 21 of « vin et un »."""
        following = [word.text for word in text[at + 1 : at + 3]]
        ends_in_one = len(following) > 1 and following[0] == "et" and following[1] in {"un", "une"}
        return bool(following) and (
            is_number(text[at + 1]) or (ends_in_one and HOMOPHONES[text[at].text] == "vingt")
        )

    def between_numbers(at: int) -> bool:
        return at > 0 and is_number(text[at - 1]) and goes_on(at)

    def leads_in(at: int) -> bool:
        begins = at == 0 or text[at - 1].text in _LEADS
        return text[at].text in _LEADING and begins and goes_on(at)

    return [
        Word(HOMOPHONES[word.text], word.before)
        if word.text in HOMOPHONES and (between_numbers(at) or leads_in(at))
        else word
        for at, word in enumerate(text)
    ]


def _counts(text: list[Word], at: int, separators: Collection[str]) -> bool:
    """Is this number word a number here, and not the article of « un numéro »?"""
    word = text[at]
    if not is_number(word):
        return False
    if word.text not in {"un", "une"} or at + 1 == len(text):
        return True
    after = text[at + 1]
    goes_on = is_number(after) or after.parted or after.text in HESITATIONS or after.text in separators
    follows = at > 0 and (is_number(text[at - 1]) or text[at - 1].text == "et")
    return follows or (word.text == "un" and goes_on)


def _run_from(text: list[Word], start: int, separators: Collection[str]) -> Run:
    kept = [text[start]]
    end = at = start + 1
    gap = ""
    while at < len(text):
        word = text[at]
        binds_et = word.text == "et" and _is_et_of_a_number(text, at)
        binds_fois = word.text == "fois" and _is_fois_of_a_number(text, at)
        if binds_et or binds_fois or _counts(text, at, separators):
            kept.append(Word(word.text, gap + word.before))
            gap = ""
            end = at + 1
        elif word.text in HESITATIONS:
            # « quatre-vingt, euh, huit »: the commas belong to the hesitation, not to the number.
            gap += " "
            if at + 1 < len(text) and set(text[at + 1].before) <= set(" ,.…"):
                text = [*text[: at + 1], Word(text[at + 1].text, " "), *text[at + 2 :]]
        elif word.text in separators:
            gap += f"{word.before},"
        else:
            break
        at += 1
    return Run(tuple(kept), start, end)


def _is_et_of_a_number(text: list[Word], at: int) -> bool:
    """« vingt et un », « soixante et onze »; and not the « et » that links two numbers."""
    if not 0 < at < len(text) - 1 or text[at + 1].parted or text[at].parted:
        return False
    return text[at - 1].text in {*_TENS, "vingt"} and text[at + 1].text in {"un", "une", "onze"}


def _is_fois_of_a_number(text: list[Word], at: int) -> bool:
    """« trois fois le sept », « 2 fois zéro »; and not « je l'ai dit deux fois »."""
    after = at + 2 if at + 1 < len(text) and text[at + 1].text in {"le", "les", "la"} else at + 1
    if at == 0 or after >= len(text) or text[at + 1].parted or not is_number(text[after]):
        return False
    return text[at - 1].text in _COUNTS


_WRITTEN_TENS = frozenset({20, 30, 40, 50, 60, 80})


def _written(text: str) -> int | None:
    """The number that figures are, as part of a bigger one; none with a zero before it."""
    return int(text) if text.isdigit() and len(text) <= 3 and not text.startswith("0") else None


class _Grammar:
    """The numbers that begin at each place of a row of words."""

    def __init__(self, row: tuple[Word, ...]) -> None:
        self._row = row
        self._uncut = self._glued_inside()

    def readings(self, max_digits: int) -> frozenset[Reading]:
        """All rows of groups that use up every word."""

        @cache
        def tails(at: int, room: int) -> frozenset[Reading]:
            if at == len(self._row):
                return frozenset({()})
            return frozenset(
                (group, *tail)
                for group in self._groups(at)
                if len(group.digits) <= room and group.end not in self._uncut
                for tail in tails(group.end, room - len(group.digits))
            )

        return tails(0, max_digits)

    def is_one_number(self, start: int, end: int) -> bool:
        """Do these words form one number?"""
        return any(stop == end for _, stop in self._numbers(start))

    def _glued_inside(self) -> frozenset[int]:
        """Places inside a hyphenated word that is a number: never cut there."""
        starts = [at for at, word in enumerate(self._row) if at == 0 or not word.glued]
        chains = pairwise([*starts, len(self._row)])
        return frozenset(
            at for start, end in chains if self.is_one_number(start, end) for at in range(start + 1, end)
        )

    def _groups(self, at: int) -> Iterator[Group]:
        word = self._row[at].text
        if word in _TIMES:
            yield from self._repeated(_TIMES[word], at, at + 1)
            return
        times = _COUNTS.get(word, 0)
        following = self._row[at + 1].text if at + 1 < len(self._row) else ""
        if times and following == "fois":
            yield from self._repeated(times, at, at + 2)
        elif times and following == "zeros" and not self._row[at + 1].parted:
            yield Group("0" * times, at, at + 2, spelled=False)
        elif word.isdigit():
            yield Group(word, at, at + 1, spelled=False)
            # « 60 quinze », « soixante 15 »: half of a number written, half in words.
            for value, end in self._numbers(at):
                if end > at + 1 and not self._all_written(at, end):
                    yield Group(str(value), at, end, spelled=True)
        else:
            for value, end in self._numbers(at):
                yield Group(str(value), at, end, spelled=True)

    def _all_written(self, start: int, end: int) -> bool:
        return all(word.text.isdigit() for word in self._row[start:end])

    def _repeated(self, times: int, start: int, at: int) -> Iterator[Group]:
        if at == len(self._row):
            return
        if self._row[at].text.isdigit():
            # « double 07 » is how « double zéro sept » may come written: 00 7, or else 07 07.
            for said in {self._row[at].text, self._row[at].text[:1]}:
                rest = self._row[at].text[len(said) :]
                yield Group(said * times + rest, start, at + 1, spelled=False)
        else:
            for value, end in self._numbers(at):
                if value < 100:
                    yield Group(str(value) * times, start, end, spelled=False)

    def _numbers(self, at: int) -> set[tuple[int, int]]:
        """Every number that begins here, with the place after its last word."""
        below_million = self._below_million(at)
        found = set(below_million)
        for value, end in (*below_million, (1, at)):
            if end > at and self._is(end, _MILLION) and value < 1000:
                found.add((value * 1_000_000, end + 1))
                found |= {(value * 1_000_000 + rest, stop) for rest, stop in self._after(end, 1_000_000)}
        return found

    def _after(self, at: int, below: int) -> set[tuple[int, int]]:
        """Numbers from 1 to ``below`` - 1 bound to the word at ``at``."""
        if at + 1 >= len(self._row) or self._row[at + 1].parted:
            return set()
        smaller = (
            self._below_100 if below == 100 else self._below_1000 if below == 1000 else self._below_million
        )
        return {
            (value, end)
            for value, end in smaller(at + 1)
            if 0 < value < below and not self._all_written(at, end)
        }

    def _below_million(self, at: int) -> set[tuple[int, int]]:
        found = set(self._below_1000(at))
        multiples = {(value, end) for value, end in found if 1 < value < 1000 and self._is(end, _THOUSAND)}
        if self._row[at].text in _THOUSAND:
            multiples.add((1, at))
        for value, end in multiples:
            found.add((value * 1000, end + 1))
            found |= {(value * 1000 + rest, stop) for rest, stop in self._after(end, 1000)}
        return found

    def _below_1000(self, at: int) -> set[tuple[int, int]]:
        found = set(self._below_100(at))
        written = _written(self._row[at].text)
        if written is not None and written < 1000:
            found.add((written, at + 1))
            if written % 100 == 0:
                found |= {(written + rest, stop) for rest, stop in self._after(at, 100)}
        # 11 to 19 hundreds are years: « dix-neuf cent soixante-deux ».
        multiples = {(value, end) for value, end in found if 1 < value < 20 and self._is(end, _HUNDRED)}
        multiples -= {(10, at + 1)}
        if self._row[at].text in _HUNDRED:
            multiples.add((1, at))
        for value, end in multiples:
            found.add((value * 100, end + 1))
            found |= {(value * 100 + rest, stop) for rest, stop in self._after(end, 100)}
        return found

    def _below_100(self, at: int) -> set[tuple[int, int]]:
        text = self._row[at].text
        if text in _TENS:
            return {(_TENS[text], at + 1), *self._rest_of_ten(at, _TENS[text])}
        written = _written(text)
        if written in _WRITTEN_TENS:
            return {(written, at + 1), *self._rest_of_ten(at, written)}
        found = self._below_20(at)
        if (4, at + 1) in found and not text.isdigit() and self._is(at + 1, {"vingt", "vingts", "20"}):
            found |= {(80, at + 2), *self._rest_of_ten(at + 1, 80)}
        return found

    def _rest_of_ten(self, at: int, ten: int) -> set[tuple[int, int]]:
        """The ten whose last word is at ``at`` and what follows: 1 to 9, or to 19 after 60 and 80."""
        start = at + 1
        most = 19 if ten in {60, 80} else 9
        if self._is(start, {"et"}):
            return {
                (ten + rest, end)
                for rest, end in self._below_20(start + 1)
                if rest in {1, 11} and rest <= most
            }
        if start == len(self._row) or self._row[start].parted:
            return set()
        return {
            (ten + rest, end)
            for rest, end in self._below_20(start)
            if 1 <= rest <= most and not self._all_written(at, end)
        }

    def _below_20(self, at: int) -> set[tuple[int, int]]:
        if at == len(self._row):
            return set()
        value = _UNITS.get(self._row[at].text, _written(self._row[at].text))
        if value is None or value >= 20:
            return set()
        found = {(value, at + 1)}
        if value == 10 and self._is(at + 1, _UNITS):
            found |= {(10 + unit, at + 2) for unit in (_UNITS[self._row[at + 1].text],) if 7 <= unit <= 9}
        elif value == 10 and self._row[at].text == "dix" and self._is(at + 1, {"7", "8", "9"}):
            found.add((10 + int(self._row[at + 1].text), at + 2))
        return found

    def _is(self, at: int, expected: Collection[str]) -> bool:
        return at < len(self._row) and not self._row[at].parted and self._row[at].text in expected
