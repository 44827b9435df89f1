"""Has the caller said all he meant to? Read from the words of his first short pause. Pure.

Theory of operation. Silence alone cannot tell a breath from an end: people breathe between the pairs of a
number for longer than they wait after "oui". The words can. :func:`judge` holds them against what was asked:

- *complete*: a customer number with all its digits, a birth date with its year, a yes or a no. The turn is
  over.
- *unfinished*: the last word asks for another ("mon numéro c'est le", "je voudrais", "euh"). He is given
  time.
- *unsure*: everything else. The pause decides.

In doubt never complete: an answer cut short costs more than half a second. « Vingt » may become « vingt et
un », « soixante » « soixante-deux »; eight digits that begin like a telephone number may be one.

And while the agent speaks, :func:`over_the_agent` tells whether words are the caller's turn, or only say that
he listens ("d'accord", "hm"). A yes is an answer when a question is being asked that a yes can answer.
"""

import re
from datetime import date
from enum import StrEnum

from audio.endpointing import Expecting
from knowledge.acts import Act, acts
from tools import spoken


class Verdict(StrEnum):
    """What the words of a pause say about the end of the turn."""

    COMPLETE = "complete"
    UNFINISHED = "unfinished"
    UNSURE = "unsure"


class Overheard(StrEnum):
    """What was said while the agent spoke."""

    NOTHING = "nothing"
    """No words, or words that only say: go on, I am listening."""
    A_TURN = "a_turn"


_HANGING_WORDS = """
    a à ah alors ainsi apres après au aupres auprès aussi aux avec bah ben car ce ces cet cette chez
    comme concernant d dans de depuis des donc du elle en enfin entre est et etait était euh euhm hein
    heu hum il ils j je jusque l la le les leur leurs lorsque m ma mais mes moi mon n ne nos notre nous
    on ou où par parce pendant pour pourquoi pourrais pourriez pouvez pouvais puis puisque qu quand que
    quel quelle quels quelles qui s sa sans savoir se ses si son sous souhaite souhaiterais sur t ta tes
    ton un une vais vers veux voudrais vos votre vous y
"""
_HANGING = frozenset(_HANGING_WORDS.split())
"""Words after which a French sentence goes on, and sounds of somebody who thinks. Without accents as well:
recognisers write both."""

_MAY_END = frozenset({"moi", "aussi", "ou", "où", "vous", "nous", "ici"})
"""Of those, the ones that a sentence of one or two words may end with ("et moi")."""

_INTRODUCES = re.compile(
    r"\b(?:num[eé]ro|r[eé]f[eé]rence|code|naissance|contrat|dossier|client|t[eé]l[eé]phone|nom)"
    r"(?: (?:de|du|client|contrat|dossier|sinistre|t[eé]l[eé]phone))*(?: (?:c est|est|alors|donc))*$"
)
"""« mon numéro de client » with nothing behind it, when a number or a date was asked for."""

_ENDS = re.compile(
    r"\b(?:s il vous pla[iî]t|au revoir|bonne (?:journ[eé]e|soir[eé]e)|ce sera tout|c est tout)$"
)
"""Nobody goes on after these, whatever was asked."""

_TENS_WORDS = """
    vingt trente quarante cinquante soixante septante huitante octante nonante cent cents mille
    quatre-vingt quatre-vingts
"""
_TENS = frozenset(_TENS_WORDS.split())
"""Numbers that the next word may make larger."""

_OPEN_FIGURES = re.compile(r"(?:[2-9]0|00)$")
"""The same in figures: 1960 on its way to 1962."""

_CONTINUING_WORDS = """
    oui ouais ouaip ok okay daccord dac mm mmh mhm mmm hm hmm hum humm ah oh eh bien entendu voila voilà
    parfait super exact exactement exactement sûr bon entendu compris tres très je vois vois c est ca ça
    noté note merci d accord absolument effectivement tout a à fait madame monsieur bah ben et euh
"""
_CONTINUERS = frozenset(_CONTINUING_WORDS.split())
"""Words of which a sign of listening is made; one that is made of nothing else is one."""

_OBJECTS = re.compile(
    r"\b(?:non|nan|mais|attend\w*|stop|arr[eê]te\w*|pardon|comment|quoi|r[eé]p[eé]te\w*|allo)\b"
)
_NOT_YET_A_LISTENER = frozenset({"et", "euh", "ben", "bah"})

_ECHO_WORDS = 3
"""So many words in a row of what the agent is just saying are its own voice, come back over the line."""

_CHOOSES = re.compile(r"^(?:que|qu|quel\w*|comment|combien|o[uù]|quand|qui|pourquoi|lequel|laquelle)\b")
"""A question that begins so is not answered by yes."""


def judge(text: str, expecting: Expecting, today: date) -> Verdict:
    """Whether ``text``, transcribed at a pause, is a whole answer to what was asked.

    ``today`` bounds birth dates.
    """
    said = _plain(text)
    if not said or Act.HOLD_ON in acts(text):  # « attendez, je cherche mon contrat »: he may still say it
        return Verdict.UNSURE
    tokens = said.split()
    if _hangs(text, tokens, expecting):
        return Verdict.UNFINISHED
    if expecting in (Expecting.NUMBER, Expecting.DATE) and _INTRODUCES.search(said):
        return Verdict.UNFINISHED
    if _ENDS.search(said):
        return Verdict.COMPLETE
    match expecting:
        case Expecting.YES_NO:
            short = len(tokens) <= 4
            return Verdict.COMPLETE if short and spoken.yes_no(text) is not None else Verdict.UNSURE
        case Expecting.NUMBER:
            return Verdict.COMPLETE if _whole_number(text, tokens) else Verdict.UNSURE
        case Expecting.DATE:
            whole = not _may_grow(text, tokens) and spoken.birth_date(text, today) is not None
            return Verdict.COMPLETE if whole else Verdict.UNSURE
        case Expecting.OPEN:
            return Verdict.UNSURE


def over_the_agent(text: str, sentence: str, expecting: Expecting) -> Overheard:
    """What ``text`` is, said while the agent spoke ``sentence``; ``expecting`` is what its turn asks for."""
    said = _plain(text).replace("-", " ")
    tokens = said.split()
    if not tokens or all(token in _NOT_YET_A_LISTENER for token in tokens):
        return Overheard.NOTHING
    if (
        len(tokens) >= _ECHO_WORDS
        and "?" not in text
        and f" {said} " in f" {_plain(sentence).replace('-', ' ')} "
    ):
        return Overheard.NOTHING
    if _OBJECTS.search(said) or not all(token in _CONTINUERS for token in tokens):
        return Overheard.A_TURN
    answers = _can_be_answered_by_yes(sentence, expecting) and spoken.yes_no(text) is not None
    return Overheard.A_TURN if answers else Overheard.NOTHING


def _can_be_answered_by_yes(sentence: str, expecting: Expecting) -> bool:
    if "?" not in sentence or expecting in (Expecting.NUMBER, Expecting.DATE):
        return False
    asked = re.split(r"[.!:…]\s+", sentence)[-1]
    return not _CHOOSES.search(_plain(asked))


def _hangs(text: str, tokens: list[str], expecting: Expecting) -> bool:
    if text.rstrip().endswith(("...", "…", ",")):
        return True
    if text.rstrip().endswith("?"):
        return False
    last = tokens[-1]
    if last in _MAY_END and len(tokens) <= 2:
        return False
    number = expecting in (Expecting.NUMBER, Expecting.DATE) or tokens[-2:-1] == ["et"]
    if last in ("un", "une") and number:
        return False  # a figure: « vingt et un »
    return last in _HANGING


def _whole_number(text: str, tokens: list[str]) -> bool:
    """All digits of a customer, contract or claim number, or of a telephone number."""
    digits = re.sub(r"\D", "", text)
    if re.fullmatch(r"[\d .\-]+", text.strip().rstrip(".")) and re.fullmatch(r"0[1-9]\d*", digits):
        return len(digits) == 10
    if _may_grow(text, tokens):
        return False
    reference = spoken.any_reference(text)
    return reference is not None and not re.match(r"0[1-9]", reference.value)


def _may_grow(text: str, tokens: list[str]) -> bool:
    """Whether the next word could still belong to the last number: « vingt » to « vingt et un »."""
    last = tokens[-1]
    pair = "-".join(tokens[-2:])
    return last in _TENS or pair in _TENS or bool(_OPEN_FIGURES.search(text.strip().rstrip(".!")))


def _plain(text: str) -> str:
    """Lower case, apostrophes and marks as spaces, hyphens inside numbers kept."""
    lowered = text.lower().replace("’", "'")
    spaced = re.sub(r"[^\w\-]+", " ", lowered)
    return re.sub(r"(?<!\w)-|-(?!\w)", " ", spaced).strip()
