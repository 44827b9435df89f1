"""What may leave for a language model: the caller's words without what tells who he is.

Everything that goes to a model outside passes through :func:`mask` first. It errs on the side of hiding too
much: a model that reads "[nombre] ans" still sorts a request, a number that got out does not come back.

Theory of operation. The text is cut into words, and each may get a label:

- *nombre*: every word with a digit in it; every number word from ``zéro`` to ``milliard``, even alone, and
  ``un`` when it is near another one. Runs are joined over hesitations and the words that numbers are misheard
  as ("sept euh cet huit"), with the letters of a reference ("V I E zéro zéro");
- *date*, *montant*: a run with a month in or beside it, or with a currency or per cent after it;
- *lettres*: letters one by one, also as "M comme Marcel";
- *nom*: what follows "je m'appelle", "au nom de", "Madame"...; capitalised words that the knowledge base does
  not hold; and an answer of one to three words of which half are unknown ("moreau jacqueline");
- *adresse*: a street with what follows, a town after "j'habite à";
- *courriel*: with ``@`` or ``arobase``.

Neighbours of one label become one token in brackets. Pure, but for the knowledge files read once.
What is sent where is told in docs/privacy-llm.md.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from knowledge.documents import read_folder
from knowledge.french import STOP_WORDS_FILE, fold, lines, words
from knowledge.intents import INTENTS_FOLDER
from knowledge.relevance import unanswerable_questions

LONGEST_NAME = 4
"""Words of a name after what introduces it: "Marie-Claude de Saint"."""

WORDS_FILE = Path(__file__).parent / "masking.toml"
"""Number words, months, what introduces a name: lists that need no code to grow."""

_WORDS: dict[str, str] = tomllib.loads(WORDS_FILE.read_text(encoding="utf-8"))


def _listed(name: str) -> frozenset[str]:
    return frozenset(_WORDS[name].split())


_PIECE = re.compile(r"\[[^\W\d_]+\]|[^\W_]+|\s+|[^\w\s]|_")
_WRITTEN_EMAIL = re.compile(r"\S+@\S+")

_NUMBERS = _listed("numbers")
_BESIDE_NUMBERS = _listed("beside_numbers")
"""Numbers only with another one near."""
_GLUED = ("soixante", "septante", "quatrevingt", "huitante", "nonante", "vingt", "trente", "quarante")
"""A number whose hyphens and spaces were lost begins like this ("soixantequinze")."""
_BETWEEN = _listed("between_numbers")
"""What stands between two numbers of one run: hesitations, and how numbers are misheard."""
_MONTHS = _listed("months")
_UNITS = _listed("units")
_NOT_SPELLED = frozenset({"a", "y"})
_STREETS = _listed("streets")
_STREETS_AFTER_A_NUMBER = _listed("streets_after_a_number")
_PARTICLES = _listed("particles")
_INTRODUCTIONS = tuple(tuple(line.split()) for line in _WORDS["introductions"].split("\n") if line)
_PRESENTING = (("je", "suis"), ("c", "est"))
"""Two unknown words after these are a name, capitals or not."""
_LIVES = tuple(tuple(line.split()) for line in _WORDS["lives"].split("\n") if line)
_ENDS_A_NAME = _listed("not_names")
_BEFORE_A_NAME = _listed("before_names")


@dataclass(slots=True)
class _Word:
    """A word of the text, what is before it, and the label it gets."""

    before: str
    """Spaces and punctuation since the last word."""
    text: str
    folded: str
    starts: bool
    """Whether a sentence begins here: a capital letter then says nothing."""
    label: str = ""

    @property
    def capitalised(self) -> bool:
        return self.text[:1].isupper()


def mask(text: str) -> str:
    """``text`` with numbers, dates, amounts, names, addresses and spelled letters as neutral tokens.

    Such as "je m'appelle [nom], numéro [nombre]". What is left of it is in the caller's own words.
    """
    heard, tail = _cut(_WRITTEN_EMAIL.sub("[courriel]", text))
    _emails(heard)
    _numbers(heard)
    _letters(heard)
    _join(heard)
    _addresses(heard)
    _introduced_names(heard)
    _strangers(heard)
    return _written(heard) + tail


def _cut(text: str) -> tuple[list[_Word], str]:
    heard: list[_Word] = []
    before = ""
    for piece in _PIECE.findall(text):
        starts = not heard or any(mark in before for mark in ".?!")
        if piece[0] == "[" and len(piece) > 2:
            heard.append(_Word(before, piece, "", starts, label=piece[1:-1]))
        elif piece[0].isalnum():
            heard.append(_Word(before, piece, fold(piece).lower(), starts))
        else:
            before += piece
            continue
        before = ""
    return heard, before


def _emails(heard: list[_Word]) -> None:
    for at, word in enumerate(heard):
        if word.folded not in {"arobase", "arobas", "arrobase"}:
            continue
        first = at
        while first and at - first < 4 and heard[first - 1].folded not in _ENDS_A_NAME:
            first -= 1
        last = at
        while last + 1 < len(heard) and (last == at or heard[last + 1].folded in {"point", "tiret"}):
            last = min(last + (1 if last == at else 2), len(heard) - 1)
        for one in heard[first : last + 1]:
            one.label = "courriel"


def _is_number(word: _Word) -> bool:
    return (
        word.folded in _NUMBERS
        or any(map(str.isdigit, word.text))
        or any(map(str.isnumeric, word.text))
        or (word.folded.startswith(_GLUED) and word.folded not in _NUMBERS and len(word.folded) > 6)
    )


def _numbers(heard: list[_Word]) -> None:
    for word in heard:
        if not word.label and _is_number(word):
            word.label = "nombre"
    for at, word in enumerate(heard):
        # "un", "double": when another number, or another "un", is near.
        if not word.label and word.folded in _BESIDE_NUMBERS and _near(heard, at):
            word.label = "nombre"
    for word, following in pairwise(heard):
        # The letters of a reference, where they touch its digits: SIN-2026.
        if not word.label and following.label == "nombre" and following.before == "-" and word.text.isupper():
            word.label = "nombre"
    for at, word in enumerate(heard):
        if word.folded == "premier" and at + 1 < len(heard) and heard[at + 1].folded in _MONTHS:
            word.label = "nombre"


def _near(heard: list[_Word], at: int) -> bool:
    for step in (-1, 1):
        other = at + step
        while 0 <= other < len(heard) and not heard[other].label and heard[other].folded in _BETWEEN:
            other += step
        if 0 <= other < len(heard):
            one = heard[other]
            if one.label == "nombre" or (one.folded in _BESIDE_NUMBERS and heard[at].folded == one.folded):
                return True
    return False


def _letters(heard: list[_Word]) -> None:
    spelled = [
        len(word.text) == 1
        and word.text.isalpha()
        and word.folded not in _NOT_SPELLED
        and not (at + 1 < len(heard) and heard[at + 1].before[:1] in {"'", "’"})
        for at, word in enumerate(heard)
    ]
    for at, word in enumerate(heard):
        if not spelled[at] or word.label:
            continue
        following = at + 1 < len(heard)
        if following and heard[at + 1].folded == "comme":
            for one in heard[at : at + 3]:
                one.label = one.label or "lettres"
        elif (
            (following and (spelled[at + 1] or heard[at + 1].label in {"nombre", "lettres"}))
            or (at and (spelled[at - 1] or heard[at - 1].label in {"nombre", "lettres"}))
            or (
                following and heard[at + 1].folded in _NOT_SPELLED and at and heard[at - 1].label == "lettres"
            )
        ):
            word.label = "lettres"
    for at, word in enumerate(heard):  # an "a" or a "y" in the midst of letters is one of them
        if word.folded in _NOT_SPELLED and not word.label:
            beside = [heard[other].label for other in (at - 1, at + 1) if 0 <= other < len(heard)]
            if "lettres" in beside:
                word.label = "lettres"


def _join(heard: list[_Word]) -> None:
    """One run over what stands between its parts; then dates and amounts by what is beside."""
    last = -1
    for at, word in enumerate(heard):
        if word.label not in {"nombre", "lettres"}:
            continue
        between = heard[last + 1 : at]
        if last >= 0 and len(between) <= 3 and all(one.folded in _BETWEEN for one in between):
            for one in between:
                one.label = "nombre"
        last = at
    for at, word in enumerate(heard):
        beside = [heard[other].label for other in (at - 1, at + 1) if 0 <= other < len(heard)]
        if word.folded in _MONTHS and {"nombre", "date"} & set(beside):
            word.label = "date"
            _relabel(heard, at, "date")
        elif word.folded in _UNITS and beside and heard[at - 1].label == "nombre":
            word.label = "montant"
            _relabel(heard, at, "montant")


def _relabel(heard: list[_Word], at: int, label: str) -> None:
    for step in (-1, 1):
        other = at + step
        while 0 <= other < len(heard) and heard[other].label == "nombre":
            heard[other].label = label
            other += step


def _addresses(heard: list[_Word]) -> None:
    for at, word in enumerate(heard):
        after_a_number = at > 0 and heard[at - 1].label in {"nombre", "adresse"}
        if word.folded in _STREETS or (word.folded in _STREETS_AFTER_A_NUMBER and after_a_number):
            taken = _take(heard, at + 1, 5)
            if taken > at + 1:
                first = at - 1 if after_a_number else at
                for one in heard[first:taken]:
                    one.label = "adresse"
    for at in range(len(heard)):
        for lives in _LIVES:
            if _begins(heard, at, lives):
                start = at + len(lives)
                for one in heard[start : _take(heard, start, 3)]:
                    one.label = "adresse"


def _take(heard: list[_Word], start: int, most: int) -> int:
    """Where what begins at ``start`` ends: ``most`` words, particles apart."""
    end, counted = start, 0
    while end < len(heard) and counted < most and not any(mark in heard[end].before for mark in ".?!"):
        folded = heard[end].folded
        if folded in _ENDS_A_NAME and folded not in _PARTICLES:
            break
        counted += folded not in _PARTICLES
        end += 1
    while end > start and heard[end - 1].folded in _PARTICLES:
        end -= 1
    return end


def _begins(heard: list[_Word], at: int, these: tuple[str, ...]) -> bool:
    return tuple(word.folded for word in heard[at : at + len(these)]) == these


def _introduced_names(heard: list[_Word]) -> None:
    for at in range(len(heard)):
        for introduction in _INTRODUCTIONS:
            if not _begins(heard, at, introduction):
                continue
            start = at + len(introduction)
            while start < len(heard) and heard[start].folded in _BEFORE_A_NAME:
                start += 1
            for one in heard[start : _take(heard, start, LONGEST_NAME)]:
                one.label = one.label or "nom"


def _strangers(heard: list[_Word]) -> None:
    """Capitalised words that are in no answer, and short utterances that hold nothing else."""
    known = _vocabulary()
    plain = [word for word in heard if not word.label and word.folded not in _ENDS_A_NAME]
    unknown = [word for word in plain if word.folded not in known]
    if len(plain) <= 3 and len(heard) - len(plain) <= 1 and len(plain) <= 2 * len(unknown):
        for word in plain:
            word.label = "nom"
    for word in unknown:
        if word.capitalised and not word.starts:
            word.label = "nom"
    for word, following in pairwise(heard):
        both = (word, following)
        if all(one.capitalised and one.folded not in _ENDS_A_NAME for one in both) and any(
            one.label == "nom" or one.folded not in known for one in both
        ):
            for one in both:
                one.label = one.label or "nom"
    for at in range(len(heard)):
        pair = heard[at + 2 : at + 4]
        if any(_begins(heard, at, presenting) for presenting in _PRESENTING) and (
            len(pair) == 2 and all(not one.label and one.folded not in known for one in pair)
        ):
            for one in pair:
                one.label = "nom"


@cache
def _vocabulary() -> frozenset[str]:
    """Every word of the knowledge files, the utterances and the search's lists: no names."""
    texts = [*lines(STOP_WORDS_FILE), *unanswerable_questions()]
    for passage in read_folder():
        texts += [passage.question, *passage.variants, passage.answer, passage.details]
    for file in sorted(INTENTS_FOLDER.glob("*.txt")):
        # Utterances of callers: their capitals may be names.
        texts += [word for line in lines(file) for word in line.split() if not word[:1].isupper()]
    return frozenset(fold(word).lower() for text in texts for word in words(text)) | _ENDS_A_NAME


def _written(heard: list[_Word]) -> str:
    out: list[str] = []
    last = ""
    for word in heard:
        if not word.label:
            out.append(word.before + word.text)
        elif word.label != last:
            out.append(f"{word.before}[{word.label}]")
        last = word.label
    return "".join(out)
