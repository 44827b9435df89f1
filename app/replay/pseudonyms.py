"""The caller's words with other people's data in the place of his: the same value, the same pseudonym.

What is personal is found by :mod:`knowledge.masking`, which errs on the side of hiding too much; what it
hides is replaced, the rest stays word for word. Values that the agent understands (numbers of customers,
contracts and claims, birth dates, telephone numbers, third items) are read with its own grammar and get a
value that the cast gives them, written so that it is understood again. What is hidden and no such value,
half a number for one, keeps its shape: every digit, number word and month becomes another one, everywhere
the same.
"""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from knowledge.masking import mask
from tools import spoken, written
from tools.models import ThirdItem
from tools.phone_numbers import keyed_phone_number, phone_number
from tools.third_items import keyed_third_item, third_item

SURNAMES = (
    "Martin",
    "Bernard",
    "Petit",
    "Durand",
    "Leroy",
    "Roux",
    "Fournier",
    "Girard",
    "Lambert",
    "Mercier",
)
TOWNS = ("Villeneuve", "Saint-Martin", "Beaumont")
PHONES = "06399800{:02d}"
"""Numbers that nobody has: kept free for fiction by the French numbering plan (ARCEP, 06 39 98)."""

_TOKEN = re.compile(r"\[(nombre|date|montant|lettres|nom|adresse|courriel)\]")
_WORD = re.compile(r"[^\W_]+")
_OLDEST_BIRTH = date(1930, 1, 1)
_BIRTH_DAYS = 25_000

_WORDS_ALIKE = (
    ("deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf"),
    ("dix", "onze", "douze", "treize", "quatorze", "quinze", "seize"),
    ("vingt", "trente", "quarante", "cinquante"),
    ("soixante", "septante", "huitante", "nonante"),
    written.MONTHS,
)
_A_FEW = frozenset({"un", "une", "deux", "trois", "2", "3"})
"""« les deux »: counts that tell nothing of anybody, where nothing else is hidden."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays the caller, and what stands for the values that identify him."""

    last_name: str
    values: Mapping[str, str]
    """Real value → its pseudonym, in written form: ``10078821``, ``SIN-2026-003117``, ``1962-04-01``."""


@dataclass(slots=True)
class Pseudonyms:
    """Replaces; one for one call. ``chance`` is not kept: nobody can go back."""

    cast: Cast
    today: date
    chance: random.Random
    known_names: frozenset[str] = frozenset()
    """The caller's own names, as the agent said them."""
    _given: dict[str, str] = field(default_factory=dict)
    _letters: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        digits = list("0123456789")
        self.chance.shuffle(digits)
        self._letters = dict(zip("0123456789", digits, strict=True))
        for alike in _WORDS_ALIKE:
            others = list(alike)
            self.chance.shuffle(others)
            self._letters.update(zip(alike, others, strict=True))

    def keys(self, digits: str, asked: str) -> str:
        """Digits keyed when ``asked`` was open: ``birth_date``, ``third_item``, ``phone``; else a number."""
        born = spoken.keyed_date(digits, self.today) if asked == "birth_date" else None
        item = keyed_third_item(digits) if asked == "third_item" else None
        phone = keyed_phone_number(digits) if asked == "phone" else None
        reference = spoken.keyed_reference(digits)
        match (born, item, phone, reference):
            case (date(), _, _, _):
                return f"{date.fromisoformat(self.of(born.isoformat())):%d%m%Y}"
            case (_, ThirdItem(), _, _):
                return self.of(item.value)
            case (_, _, str(), _):
                return self.of_phone(phone)
            case (_, _, _, spoken.Reference()):
                return "".join(re.findall(r"[0-9]", self.of(reference.value)))
            case _ if len(digits) <= 1:
                return digits  # a choice
            case _:
                return self._shape(digits)

    def words(self, text: str, asked: str) -> str:
        """What the caller said, when ``asked`` was open."""
        pieces = _aligned(text)
        hidden = [(label, said) for label, said in pieces if label]
        if len(hidden) == 1 and hidden[0][1].casefold() in _A_FEW and asked in {"", "which"}:
            return text
        rest = self._unread(text, [said for _, said in hidden], asked)
        out: list[str] = []
        for label, said in pieces:
            if not label:
                out.append(said)
                continue
            read = self._read(said, asked)
            if not read and label in {"nombre", "lettres", "date", "montant"} and rest:
                read = rest.pop()
            out.append(read or self._instead(label, said))
        return "".join(out)

    def of(self, value: str) -> str:
        """The pseudonym of a value in written form; one of the same shape that nobody has when it is new."""
        if value in self.cast.values:
            return self.cast.values[value]
        if value not in self._given:
            self._given[value] = self._made(value)
        return self._given[value]

    def of_phone(self, number: str) -> str:
        """The pseudonym of a telephone number, ten digits."""
        if number not in self._given:
            self._given[number] = PHONES.format(len(self._given) % 100)
        return self._given[number]

    def _made(self, value: str) -> str:
        taken = {*self._given.values(), *self.cast.values.values()}
        while True:
            made = (
                (_OLDEST_BIRTH + timedelta(days=self.chance.randrange(_BIRTH_DAYS))).isoformat()
                if re.fullmatch(r"\d{4}-\d\d-\d\d", value)
                else re.sub(r"\d", lambda _: str(self.chance.randrange(10)), value)
            )
            if value.startswith("SIN-"):
                made = f"{value[:9]}9{made[10:]}"  # the year stays: one to come would be misread
            if made not in taken and made != value:
                return made

    def _unread(self, text: str, hidden: list[str], asked: str) -> list[str]:
        """Values of the whole text that no hidden piece holds by itself: their figures were parted."""
        alone = {one for said in hidden for one in self._values(said, asked)}
        return [self._written(one) for one in self._values(text, asked) if one not in alone]

    def _read(self, said: str, asked: str) -> str:
        """``said`` with the pseudonyms of what is in it; "" when it is no value by itself."""
        return ", ".join(map(self._written, self._values(said, asked)))

    def _values(self, said: str, asked: str) -> list[str]:
        reference = spoken.any_reference(said)
        born = spoken.birth_date(said, self.today)
        phone = phone_number(said)
        item = third_item(said) if asked == "third_item" else None
        found = [reference.value] if reference else []
        found += [born.isoformat()] if born else []
        found += [phone] if phone and not found else []
        found += [item.value] if item and not found else []
        return found

    def _written(self, value: str) -> str:
        if re.fullmatch(r"0\d{9}", value):
            return written.phone(self.of_phone(value))
        made = self.of(value)
        if re.fullmatch(r"\d{4}-\d\d-\d\d", made):
            return written.day(date.fromisoformat(made))
        return written.customer(made) if re.fullmatch(r"\d{8}", made) else made

    def _instead(self, label: str, said: str) -> str:
        match label:
            case "nom":
                return self._name(said)
            case "adresse":
                return TOWNS[self._place(said, len(TOWNS))]
            case "courriel":
                return "adresse arobase exemple point fr"
            case _:
                return self._shape(said)

    def _name(self, said: str) -> str:
        words = {word.casefold() for word in _WORD.findall(said)}
        if words & set(written.MONTHS):
            return "le"  # « je suis née le premier avril »: the date follows
        if words & self.known_names:
            return self.cast.last_name
        return SURNAMES[self._place(said, len(SURNAMES))]

    def _place(self, said: str, among: int) -> int:
        key = f"name:{said.casefold()}"
        if key not in self._given:
            self._given[key] = str(self.chance.randrange(among))
        return int(self._given[key])

    def _shape(self, said: str) -> str:
        """Every digit, number word and month another one."""

        def other(found: re.Match[str]) -> str:
            word = found.group()
            if word.isdigit():
                return "".join(self._letters[digit] for digit in word)
            return self._letters.get(word.casefold(), word)

        return _WORD.sub(other, said)


def _aligned(text: str) -> list[tuple[str, str]]:
    """``text`` in pieces: what the mask hides, with its label, and what it leaves, with none."""
    masked = mask(text)
    parts = _TOKEN.split(masked)
    kept, labels = parts[::2], parts[1::2]
    pattern = re.escape(kept[0]) + "".join(f"(.+?){re.escape(one)}" for one in kept[1:])
    found = re.fullmatch(pattern, text, re.DOTALL)
    if found is None:  # the mask rewrote more than it marked: nothing of the text is certain to be free
        return [("nombre", text)] if labels else [("", text)]
    pieces: list[tuple[str, str]] = [("", kept[0])]
    for at, label in enumerate(labels):
        pieces += [(label, found.group(at + 1)), ("", kept[at + 1])]
    return [one for one in pieces if one[1]]
