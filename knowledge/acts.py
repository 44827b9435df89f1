"""What a caller does with his words, whatever they are about: asks to repeat, grieves, insults, waits.

An intent says which part of the agent answers; an act says what lies under it, and some acts must be met
at once and for certain: a fire, a death, a wish that the law grants. They are therefore recognised by
phrase, on words without accents, hyphens and apostrophes, so that it does not matter what a transcription
did with those.

Theory of operation. Acts are tried in the order of their weight: an emergency goes before an insult in the
same sentence. The phrases are in ``acts.toml``: those that show an act, and those that only look like it
(« si mon mari meurt » is a question, « je vous répète mon numéro » asks for nothing, « mon versement n'est
pas enregistré » refuses no recording). An act that is only likely is left to the classifier
(:mod:`knowledge.intents`), which learns acts as well.

Pure once the phrases are read. Sources of what must be met: CNIL (recording), GDPR art. 12 to 22 in plain
French, AI Act art. 50 (are you a robot), ACPR 2024-R-02 (any dissatisfaction, even oral, is a complaint),
3114 (the national line against suicide).
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from knowledge.french import fold, lines, plain, words

FIRST_NAMES_FILE = Path(__file__).parent / "first_names.txt"
"""First names a caller may have."""
NO_NAMES_FILE = Path(__file__).parent / "no_names.txt"
"""Words that no name of a caller holds."""
ACTS_FILE = Path(__file__).parent / "acts.toml"
"""The phrases; edited by whoever designs the dialogue."""

_NUMBER = re.compile(
    r"\b(?:[0-9]+|zero|deux|trois|quatre|cinq|six|sept|huit|neuf|dix|onze|douze|treize|quatorze|quinze|seize"
    r"|vingt|trente|quarante|cinquante|soixante|septante|huitante|octante|nonante|cents?|mille)\b"
)
_SHORT_WHILE = re.compile(
    r"\b(?:deux|trois|cinq|dix|trente|[0-9]+) (?:petites? )?(?:minutes?|secondes?|instants?)\b"
)
"""« deux secondes »: a number that is none."""


class Act(StrEnum):
    """What lies under an intent. The names are stable: they are in the state of calls and in tables."""

    EMERGENCY = "emergency"
    """Fire, injury, gas: now."""
    DISTRESS = "distress"
    """The caller may harm himself."""
    BEREAVEMENT = "bereavement"
    """Somebody died; not a question about deaths in general."""
    INJECTION = "injection"
    """Words meant for a language model, not for a person."""
    STOP_RECORDING = "stop_recording"
    LANGUAGE = "language"
    """Speaks, or asks for, another language."""
    ROBOT = "robot"
    """Asks whether this is a machine. Who only wants a person has no act: that is the intent ``transfer``."""
    LOUDER = "louder"
    SLOWER = "slower"
    REPEAT = "repeat"
    MY_DATA = "my_data"
    """Access, rectification, erasure, objection; the data protection officer."""
    CALL_BACK = "call_back"
    THIRD_PARTY = "third_party"
    """Calls for, or about, somebody else: relatives, notaries, guardians, brokers, minors."""
    COMPLAINT = "complaint"
    """Is dissatisfied, and says so; not « comment faire une réclamation »."""
    DECLARE_CLAIM = "declare_claim"
    """Something has happened and has not been declared yet."""
    INSULT = "insult"
    HOLD_ON = "hold_on"
    """Wants a moment: papers, the door, a pen."""


INTENTS_OF: Mapping[Act, tuple[str, str]] = {
    Act.EMERGENCY: ("transfer", "faq"),
    Act.DISTRESS: ("transfer", "other"),
    Act.BEREAVEMENT: ("transfer", "faq"),
    Act.INJECTION: ("other", "other"),
    Act.STOP_RECORDING: ("faq", "other"),
    Act.LANGUAGE: ("other", "faq"),
    Act.ROBOT: ("faq", "other"),
    Act.LOUDER: ("other", "other"),
    Act.SLOWER: ("other", "other"),
    Act.REPEAT: ("other", "other"),
    Act.MY_DATA: ("faq", "other"),
    Act.CALL_BACK: ("transfer", "other"),
    Act.THIRD_PARTY: ("transfer", "contract_inquiry"),
    Act.COMPLAINT: ("transfer", "faq"),
    Act.DECLARE_CLAIM: ("faq", "claims_status"),
    Act.INSULT: ("other", "transfer"),
    Act.HOLD_ON: ("other", "authentication"),
}
"""The intent that serves an act when no node of its own does, and the one that comes next."""


class ActsFileError(Exception):
    """The phrases cannot be used; the message names the file, the act and the phrase."""


@dataclass(frozen=True, slots=True)
class _Signs:
    """By what an act is known; patterns are for :func:`~knowledge.french.plain` words."""

    shown_by: re.Pattern[str]
    not_when: re.Pattern[str] | None
    at_most_words: int | None
    """In a longer sentence the words are about something else."""
    without_numbers: bool
    """A sentence that holds a number gives something; it does not ask to wait."""


def act(text: str) -> Act | None:
    """The act that the words show for certain, the weightiest first; None when they show none."""
    said = plain(text)
    return next((one for one in Act if _shows(said, _SIGNS[one])), None)


def acts(text: str) -> frozenset[Act]:
    """Every act that the words show."""
    said = plain(text)
    return frozenset(one for one in Act if _shows(said, _SIGNS[one]))


def wants_person(text: str) -> bool:
    """Whether the caller asks for a human being, and not how or when he could have one."""
    return _shows(plain(text), _SIGNS[_WANTS_PERSON])


def asks_in_general(text: str) -> bool:
    """Whether it is a question about how things are for everybody (« quel est le délai »)."""
    return _shows(plain(text), _SIGNS[_IN_GENERAL])


def is_elsewhere(text: str) -> bool:
    """Whether the words belong to another line than an insurer's: a wrong number, the television."""
    return _shows(plain(text), _SIGNS[_ELSEWHERE])


def is_of_another_company(text: str) -> bool:
    """Whether it is about a company of another trade: « le contrat que j'ai chez Orange »."""
    return _shows(plain(text), _SIGNS[_COMPANY])


def only_takes_leave(text: str) -> bool:
    """Whether there is nothing in the words but thanks and leave-taking."""
    said = plain(text)
    return _shows(said, _SIGNS[_TAKES_LEAVE]) and _LEAVE.search(said) is not None


def only_gives_name(text: str) -> bool:
    """Whether the caller just says who he is: « c'est Lucette Bourgeois », « Martin, Jean-Paul »."""
    names = words(_PARTICLE.sub(" ", _WHO_SPEAKS.sub("", text.strip())))
    if not 1 <= len(names) <= _LONGEST_NAME:
        return False
    return any(fold(name) in _FIRST_NAMES for name in names) and not any(
        fold(name) in _NO_NAME for name in names
    )


def may_be_name(text: str) -> bool:
    """Whether there is nothing but one or two words with capitals: « Leblanc. »."""
    names = [word.strip(" .,!?") for word in _WHO_SPEAKS.sub("", text.strip()).split()]
    return 1 <= len(names) <= _SHORT_NAME and all(
        len(name) > 2 and name[0].isupper() and fold(name).lower() not in _NO_NAME for name in names
    )


def may_say_name(text: str) -> bool:
    """Whether a short sentence holds a first name, or spells a name: « Poulain, comme le chocolat »."""
    said = words(text)
    if not 1 <= len(said) <= _SPOKEN_NAME:
        return False
    names = [fold(word) for word in said]
    return any(name in _FIRST_NAMES and name not in _NO_NAME for name in names) or (
        _SPELLS_NAME.search(plain(text)) is not None
    )


def has_declared(text: str) -> bool:
    """Whether the caller speaks of a declaration that he has made, and not of making one."""
    return _HAS_DECLARED.search(plain(text)) is not None


def only_gives_numbers(text: str) -> bool:
    """Whether the caller just dictates a number or a date, with the little words around it."""
    said = plain(text)
    rest = _AROUND_NUMBERS.sub("", _NUMBER.sub("", said))
    return len(_NUMBER.findall(said)) >= _DICTATED and not rest.strip()


def _shows(said: str, signs: _Signs) -> bool:
    if not signs.shown_by.search(said) or (signs.not_when and signs.not_when.search(said)):
        return False
    if signs.at_most_words is not None and len(said.split()) > signs.at_most_words:
        return False
    return not (signs.without_numbers and _NUMBER.search(_SHORT_WHILE.sub(" ", said)))


def _read(file: Path) -> dict[str, _Signs]:
    """The table: a part in angle brackets stands for one of the file's ``[parts]``, which may hold others."""
    document = tomllib.loads(file.read_text(encoding="utf-8"))
    parts: dict[str, str] = {}
    for name, pattern in document.pop("parts").items():
        parts[name] = _filled(pattern, parts)
    missing = {*Act, *_CUES} ^ document.keys()
    if missing:
        raise ActsFileError(f"{file}: {', '.join(sorted(missing))}: no such act, or an act without phrases")
    return {name: _signs(file, name, table, parts) for name, table in document.items()}


def _signs(file: Path, name: str, table: Mapping[str, object], parts: Mapping[str, str]) -> _Signs:
    def compiled(key: str) -> re.Pattern[str] | None:
        phrases = table.get(key, [])
        if not isinstance(phrases, list):
            raise ActsFileError(f"{file}: [{name}] {key}: wants a list of phrases in brackets")
        return _any_of(file, name, [_filled(str(phrase), parts) for phrase in phrases]) if phrases else None

    shown_by, longest = compiled("shown_by"), table.get("at_most_words")
    if shown_by is None:
        raise ActsFileError(f"{file}: [{name}] has no shown_by: write at least one phrase")
    return _Signs(
        shown_by,
        compiled("not_when"),
        longest if isinstance(longest, int) else None,
        bool(table.get("without_numbers", False)),
    )


def _filled(pattern: str, parts: Mapping[str, str]) -> str:
    for name, part in parts.items():
        pattern = pattern.replace(f"<{name}>", part)
    return pattern


def _any_of(file: Path, name: str, phrases: Sequence[str]) -> re.Pattern[str]:
    for phrase in phrases:
        try:
            re.compile(phrase)
        except re.error as exc:
            raise ActsFileError(f"{file}: [{name}] {phrase}: {exc}") from exc
    return re.compile("|".join(rf"\b(?:{phrase})\b" for phrase in phrases))


_WANTS_PERSON, _IN_GENERAL, _ELSEWHERE, _COMPANY, _TAKES_LEAVE = _CUES = (
    "wants_person",
    "asks_in_general",
    "elsewhere",
    "another_company",
    "takes_leave",
)
"""Of the file's tables, those that show no act but help to tell intents apart."""
_LEAVE = re.compile(
    r"\b(?:merci\w*|mer [sc]i|remercie|revoirs?|orvoir|bye|ciao|tchao|salut|adieu|bonne|belle|bientot"
    r"|prochaine|revoyure|tantot|c est (?:tout|bon|parfait)|s est tout|sera tout|sa ira|ca ira|plus tard"
    r"|raccroche\w*|laisse|rien|plus|fini|termine|suffit|week ?end|continuation|parfait|nickel|impeccable"
    r"|kenavo|entendu|top|super)\b"
)
_WHO_SPEAKS = re.compile(
    r"^(?:(?:oui|alors|euh|ben|bonjour|all[oô]|voil[aà]),? )*"
    r"(?:moi,? c['’]est |c['’]est |ici |je suis |je me nomme |je m['’]appelle "
    r"|mon nom(?: de famille)? (?:c['’]est|est) |au nom de |c['’]est au nom de |je me pr[ée]sente,? )?"
    r"(?:monsieur |madame |mademoiselle |m\.? |mme )?|(?: [aà] l['’]appareil)[ .]*$",
    re.IGNORECASE,
)
_PARTICLE = re.compile(
    r"(?<=\w )(?:[LD][eu]s?|[dl]es?|du|[Ll]a|[Dd]e [Ll]a|[Vv]an|[Dd]er|[Dd]en|[Dd]a|[Dd]os|El|Ben)"
    r" (?=[A-ZÉÈÀ])"
)
"""« Sandrine Le Goff »: a little word before another capital belongs to the name."""
_LONGEST_NAME = 4
_SPOKEN_NAME = 9
_SPELLS_NAME = re.compile(
    r"\bavec (?:un|une|deux) [a-z]\b|\b[a-z]{3,} comme (?:le|la|les|l|un|une) [a-z]+"
    r"|\b(?:m|ma|je ma) ?ap+el+e?s?\b"
    r"|\b(?:mon|le) no[mn] (?:de famille |de jeune fille )?(?:c )?(?:est|et|cest)\b"
)
"""How people help with a name that is hard to write."""
_SHORT_NAME = 2
_NO_NAME = frozenset(lines(NO_NAMES_FILE))
"""Words that make more than a name of it."""
_HAS_DECLARED = re.compile(
    r"\b(?:j ai|j avais|on a|on avait|nous avons|ai|avait|avais) (?:deja |bien |tout )*"
    r"(?:declaree?s?|signalee?s?|fait (?:une|ma|la|notre) declaration)\b"
    r"|\b(?:deja declare|en est ou|ou en est|pris (?:une|votre) decision|toujours (?:rien|pas)"
    r"|pas de nouvelles|l expert|avance t il|dossier avance)\b"
)
_DICTATED = 3
_AROUND_NUMBERS = re.compile(
    r"\b(?:un|une|et|le|la|c|est|euh|heu|alors|voila|puis|mon|ma|numero|client|cliente|identifiant|merci|double"
    r"|triple|fois|tiret|ne|nee|je|suis|du|de|en|oui|non|pardon|janvier|fevrier|mars|avril|mai|juin|juillet|aout"
    r"|septembre|octobre|novembre|decembre|premier|millions?|contrat|vie|v|i|e|donc|attendez|[a-z])\b"
)
_FIRST_NAMES = frozenset(name for line in lines(FIRST_NAMES_FILE) for name in line.split())
_SIGNS = _read(ACTS_FILE)
