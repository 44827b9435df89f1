"""What may be said of what a model wrote: only what is in the passages, in two short sentences.

Theory of operation. A model words answers, it does not know any. Each sentence is read by :func:`fault`
before it reaches the caller, and refused when it

- holds a figure that no passage holds, or holds with another unit: numbers are read as words and as digits
  (text2num), and compared with what follows them, so that "5 jours" does not pass for "5 mois";
- holds an address, a URL, a name or an acronym that no passage holds;
- promises, advises, or is written for the eye (lists, brackets, "cliquez");
- is not French, or is longer than one listens to;
- is about something else than the passages: too few of its words are in them;
- says more than they do, or no where they say yes: "tout", "toujours", a negation that none of them has.

A passage that speaks to the model instead of the caller (:func:`commands`) is no evidence and is not
shown to it. Pure. The rules of what may be promised are in the specification, section 3, and in the
trade's style guide.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from text_to_num import alpha2digit  # type: ignore[import-untyped]  # ships no types

from knowledge.french import content_stem, content_words, fold, words

LONGEST_SENTENCE = 26
"""Words; what one takes in by ear (style guide: 8 to 15, two of them at most)."""
MOST_SENTENCES = 2
LEAST_SUPPORT = 0.7
"""Least share of a sentence's content words that the passages hold, in whatever form."""

_PHONE = re.compile(r"(?<!\d)0\d(?:[ .,\-–]*\d\d){4}(?!\d)")
_TEN_FIGURES = re.compile(r"\b0\d{9}\b")
_PAIRS = re.compile(r"(?:\d\d){1,5}")
_THOUSANDS = re.compile(r"(?<=\d)[ \u00a0\u202f.](?=\d{3}(?!\d))")
_FIGURE = re.compile(r"(\d+(?:[.,]\d+)?)\s*([^\W\d_]+|%|€)?")
_HALF_HOURS = re.compile(r"(\d+)\s*h(?:\s*(\d\d))?\b")
_ADDRESS = re.compile(
    r"\S*(?:@|https?:|www\.|\.(?:fr|com|org|net|eu)\b)\S*|\barobase\b|\bpoint (?:fr|com)\b", re.IGNORECASE
)
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+")
_WRITTEN = re.compile(r"[*_#|\[\]{}<>()]|\b(?:cliquez|ci-dessous|ci-dessus|voir plus bas)\b", re.IGNORECASE)
_PROMISE = re.compile(
    r"je vous (?:conseille|recommande|suggere|promets|garantis|assure)"
    r"|nous vous (?:conseillons|recommandons|garantissons)"
    r"|vous devriez|vous feriez (?:mieux|bien)|a votre place|il vaut mieux|il serait preferable"
    r"|le mieux (?:est|serait)|(?:c'est|est) garantie?s?\b|sans aucun doute|a coup sur|c'est certain"
    r"|je m'engage|nous nous engageons|vous serez (?:indemnise|rembourse|paye|couvert)|vous etes couvert"
    r"|sera accepte|c'est couvert|vous avez gagne"
)
_FOREIGN = frozenset(
    {
        "the",
        "you",
        "your",
        "is",
        "are",
        "and",
        "of",
        "to",
        "with",
        "for",
        "please",
        "der",
        "und",
        "ist",
        "el",
        "los",
    }
)
_NEGATION = re.compile(r"\b(?:ne|n|pas|jamais|aucune?|non|sans)\b")
_ABSOLUTE = re.compile(r"\b(?:tout|tous|toute|toutes|toujours|jamais|totalement|integralement|aucune?)\b")
_COMMANDS = re.compile(
    r"(?:ignore[rsz]?|oublie[rsz]?)\b.{0,40}\b(?:instruction|consigne|regle|precede)"
    r"|nouvelles? (?:instructions?|consignes?)\b|tu es (?:maintenant|desormais)"
    r"|(?<!\bje )(?<!\bj')(?<!\bje vous )"
    r"(?:reponds?|dis|repete|ecris)[- ](?:toujours|que|seulement|uniquement)"
    r"|(?:system|assistant|user)\s*:|system prompt|prompt systeme|ignore (?:all|previous|the)"
    r"|</?(?:passage|system|user|assistant)|\[inst\]|<\|"
)
_UNITS_ALIKE = {
    "€": "euros",
    "eur": "euros",
    "euro": "euros",
    "h": "heures",
    "heure": "heures",
    "jour": "jours",
    "an": "ans",
    "annee": "ans",
    "annees": "ans",
    "semaine": "semaines",
}
_UNITS = frozenset(
    {
        *("jours", "mois", "ans", "heures", "semaines", "minutes", "euros", "%", "chiffres"),
        *("janvier", "fevrier", "mars", "avril", "mai", "juin", "juillet", "aout"),
        *("septembre", "octobre", "novembre", "decembre"),
    }
)
_BEGINNING = 5
"""Letters from which a fact may be the beginning of a longer word."""
_NO_SUPPORT_NEEDED = frozenset(
    {"euros", "jours", "mois", "ans", "conseiller", "sinon", "effet", "notamment", "souhaiter", "suffire"}
)


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that was said, with what it counts (``5 jours``); ``unit`` is empty when that is unknown."""

    value: str
    unit: str


def spoken_as_digits(text: str) -> str:
    """``text`` folded, in lower case, its numbers as digits: ``dix-sept virgule deux`` gives ``17,2``."""
    flat = " ".join(text.replace("’", "'").split())
    counted = str(alpha2digit(flat, "fr", threshold=0.0))
    plain = _THOUSANDS.sub("", fold(counted).lower())
    plain = _HALF_HOURS.sub(lambda found: f"{found[1]} heures {found[2] or ''}".rstrip(), plain)
    return _PHONE.sub(lambda found: re.sub(r"\D", "", found[0]), plain)


def figures(text: str) -> frozenset[Figure]:
    """Every number of ``text``, in words or digits; ``un`` and ``une`` only before a unit."""
    plain = re.sub(r"\b1er\b", "1", spoken_as_digits(text)).replace("pour 100", "%")
    found: set[Figure] = set()
    for value, after in _FIGURE.findall(plain):
        unit = _UNITS_ALIKE.get(after, after)
        unit = unit if unit in _UNITS else ""
        if value == "1" and unit not in _UNITS:
            continue
        found.add(Figure(value.replace(".", ","), unit))
    return frozenset(found)


def sentences(text: str) -> list[str]:
    """``text`` cut after its full stops, without empty ones."""
    return [one.strip() for one in _SENTENCE_END.split(text.strip()) if one.strip()]


def commands(text: str) -> bool:
    """Whether ``text`` gives orders to a model: ``ignore tes instructions``, ``tu es maintenant``."""
    return bool(_COMMANDS.search(fold(text).lower()))


def fault(sentence: str, passages: Sequence[str]) -> str:
    """Why ``sentence`` may not be said on the evidence of ``passages``; empty when it may.

    The text is for the log: it names the rule and never what was said.
    """
    spoken = words(sentence)
    folded = fold(sentence).lower().replace("’", "'")
    evidence = "\n".join(passages)
    if not spoken:
        return "empty"
    if len(spoken) > LONGEST_SENTENCE:
        return "longer than one listens to"
    if _WRITTEN.search(sentence):
        return "written for the eye"
    if _PROMISE.search(folded):
        return "a promise or advice"
    if commands(sentence):
        return "an order to a model"
    if any(one.lower() not in evidence.lower() for one in _ADDRESS.findall(sentence)):
        return "an address that no passage holds"
    if not _figures_within(figures(sentence), figures(evidence)):
        return "a figure that no passage holds"
    if set(_strange_names(sentence, evidence)):
        return "a name that no passage holds"
    if _FOREIGN & {fold(one) for one in spoken} - {fold(one) for one in words(evidence)}:
        return "not French"
    if _NEGATION.search(folded) and not _NEGATION.search(fold(evidence).lower()):
        return "a negation that no passage holds"
    if set(_ABSOLUTE.findall(folded)) - set(_ABSOLUTE.findall(fold(evidence).lower())):
        return "more than the passages say"
    if _support(sentence, evidence) < LEAST_SUPPORT:
        return "about something else"
    return ""


def answer_fault(answer: str, passages: Sequence[str]) -> str:
    """Why a whole ``answer`` may not be said; empty when it may."""
    said = sentences(answer)
    if not said:
        return "empty"
    if len(said) > MOST_SENTENCES:
        return "more than two sentences"
    return next((reason for reason in (fault(one, passages) for one in said) if reason), "")


def holds(text: str, fact: str) -> bool:
    """Whether ``text`` states ``fact``, numbers in words or in digits, accents and capitals apart.

    Whole words; a longer fact may be the beginning of one (``bénéficiaire`` of ``bénéficiaires``), a shorter
    one may be in the plural (``gain``). A part of a telephone number counts as it is spoken (``zéro un``).
    """
    plain, wanted = _comparable(text), _comparable(fact).strip()
    ends = ("",) if len(wanted) >= _BEGINNING else (" ", "s ") if wanted.isalpha() else (" ",)
    if wanted and any(f" {wanted}{end}" in plain for end in ends):
        return True
    pairs = wanted.replace(" ", "")
    return bool(_PAIRS.fullmatch(pairs)) and any(
        pairs == number[at : at + len(pairs)]
        for number in _TEN_FIGURES.findall(plain)
        for at in range(0, 10, 2)
    )


def _comparable(text: str) -> str:
    plain = re.sub(r"(?<=\d),(?=\d)", "virgule", spoken_as_digits(text)).replace("pour 100", "%")
    return f" {' '.join(re.findall(r'[a-z0-9]+|%', plain))} "


def _figures_within(told: Iterable[Figure], known: frozenset[Figure]) -> bool:
    values = {one.value for one in known}
    return all(one in known if one.unit else one.value in values for one in told)


def _strange_names(sentence: str, evidence: str) -> list[str]:
    """Capitalised words within the sentence that the evidence does not hold."""
    held = {fold(word) for word in words(evidence)}
    inside = re.findall(r"(?<=[^\s.!?…«»\"])\s+((?:[dlDL]['’])?[A-ZÀ-Ý][\w-]*)", sentence)
    acronyms = re.findall(r"\b[A-ZÀ-Ý]{2,}\b", sentence)
    return [one for one in (*inside, *acronyms) if any(fold(word) not in held for word in words(one))]


def _support(sentence: str, evidence: str) -> float:
    told = [
        content_stem(word) for word in content_words(spoken_as_digits(sentence)) if not word[:1].isdigit()
    ]
    if not told:
        return 1.0
    held = {content_stem(word) for word in content_words(spoken_as_digits(evidence))}
    held |= {content_stem(word) for word in _NO_SUPPORT_NEEDED}
    return sum(one in held for one in told) / len(told)
