"""French words as this project compares them: cut, stemmed, folded. Pure apart from one lock.

Shared by the search (:mod:`knowledge.sparse`, :mod:`knowledge.relevance`) and by the intent
classifier, so that all three agree on what a word is.

Order matters: the Snowball stemmer wants its accents, so folding comes after stemming; a word
that a transcription stripped of its accents then often meets its neighbour again.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock

import Stemmer  # type: ignore[import-not-found]

_ELIDED = re.compile(r"\b(?:jusqu|lorsqu|puisqu|quoiqu|presqu|qu|[cdjlmnst])'(?=\w)")
_WORD = re.compile(r"[^\W_]+")
_GLUED = re.compile(
    r"\b(?:(?=jai|javais|jaurais|jaimerais|jatten|jetais|jen\b|jy\b|jappel|jenvoi|jespere|jhabite)(j)"
    r"|(?=cest|cetait)(c)"
    r"|(?=lexp|lassu|largent|laccident|ladresse|lattest|lindemn|linond|lincend|lespace|lappli|lheure|limpot)(l)"
    r"|(?=dassu|dun\b|dune\b|davoir|dargent|dattest|dexpert|daccord|daccident|deau\b|dautre|dhabitude)(d)"
    r"|(?=mappel|mavez|mavait|maviez|mont\b)(m)"
    r"|(?=nai\b|nest\b|navez|navait|nont\b|nen\b|narrive)(n)"
    r"|(?=quil\b|quils\b|quon\b|quest\b|quun\b|quune\b)(qu)|(?=sil\b|sest\b|sappel)(s))(?=[a-z])"
)
"""Words whose apostrophe a transcription lost: « jai », « cest », « lexpert »."""

_PLAIN_WORD = re.compile(r"[a-z0-9]+")
_APOSTROPHES = str.maketrans({"’": "'", "ʼ": "'", "`": "'", "´": "'"})

STOP_WORDS_FILE = Path(__file__).parent / "stop_words.txt"
"""Words the search does not compare, without accents."""
SYNONYMS_FILE = Path(__file__).parent / "synonyms.txt"
"""Groups of words the search takes for one; edited by whoever writes the questions."""

# PyStemmer keeps a buffer in the object: two threads in one Stemmer corrupt each other.
_STEMMER = Stemmer.Stemmer("french")
_STEMMER_LOCK = Lock()


_FOLDED = {
    ord(letter): "".join(c for c in unicodedata.normalize("NFD", letter) if not unicodedata.combining(c))
    for letter in "àâäáãçéèêëíìîïñóòôöõúùûüýÿÀÂÄÁÃÇÉÈÊËÍÌÎÏÑÓÒÔÖÕÚÙÛÜÝŸ"
} | str.maketrans({"œ": "oe", "Œ": "Oe", "æ": "ae", "Æ": "Ae"})


def fold(text: str) -> str:
    """``text`` without accents, ligatures opened: ``Décès, sœur`` gives ``Deces, soeur``."""
    plainer = text if text.isascii() else text.translate(_FOLDED)
    if plainer.isascii():
        return plainer  # nearly always, and five times as fast: every word of a turn comes here
    return "".join(c for c in unicodedata.normalize("NFD", plainer) if not unicodedata.combining(c))


def plain(text: str) -> str:
    """``text`` as phrases are looked for in it: ``C'est l’été !`` gives ``c est l ete``.

    Lower case, without accents; whatever is neither letter nor figure parts words, as a single space.
    """
    return unglued(" ".join(_PLAIN_WORD.findall(fold(text).lower())))


def unglued(text: str) -> str:
    """``text``, lower case, its elided words apart where a transcription glued them (« jai »: « j ai »)."""
    return _GLUED.sub(lambda found: f"{found[0]} ", text)


def words(text: str) -> list[str]:
    """The words of ``text`` in order: lower case, accents kept, elided articles and hyphens cut."""
    flat = unicodedata.normalize("NFC", text).lower().translate(_APOSTROPHES)
    return _WORD.findall(_ELIDED.sub(" ", flat))


_SAYS_NOTHING = frozenset(
    [
        "euh",
        "heu",
        "euhm",
        "hum",
        "hem",
        "hmm",
        "mmh",
        "ben",
        "bah",
        "beh",
        "eh",
        "hein",
        "quoi",
        "voila",
        "alors",
        "donc",
        "bon",
        "enfin",
        "bonjour",
        "bonsoir",
        "madame",
        "monsieur",
        "mademoiselle",
        "svp",
        "dites",
        "disons",
        "genre",
        "ouais",
        "la",
    ]
)
"""Words that only fill, and greet. « non », « oui » and « merci » say something."""
_SAYS_NOTHING_AS_A_WHOLE = re.compile(
    r"\b(?:s'?il (?:vous|te) pla[iî]t|si vous (?:voulez|pouvez) bien|je vous (?:en )?prie|en fait|du coup"
    r"|tu vois"
    r"|excuse[zr](?:[- ]moi)?(?: de vous d[eé]ranger)?|pardonne[zr][- ]moi|comment dire|vous savez|vous voyez"
    r"|(?:mon|ma|le|la|un|une|votre|mes|des) (?:[a-zéèç]+ (?:de (?:chez vous|l'agence) )?)"
    r"(?:m'a|m’a|m a|m'avait|nous a|m'ont|me) (?:dit|dis|conseill[eé]|expliqu[eé]|indiqu[eé]|racont[eé])"
    r"(?: (?:de|d'|que|qu'))?)(?=\W|$)",
    re.IGNORECASE,
)
_FIGURES = re.compile(r"^[0-9]+$")
_SHORT_FIGURES = 4
"""Which figures they are says nothing; that they are many says that it is somebody's number."""
_LETS_GIST_PASS = 2
"""So many words must be left; « merci madame » stays as it is."""


def gist(text: str) -> list[str]:
    """The words of ``text`` that say what the caller wants: no filling, no greeting, no stutter.

    What somebody told him (« mon conseiller m'a dit de… ») is left out too: « conseiller » is not what he
    wants. All the words when hardly one would be left.
    """
    everything = words(text)
    text = _GLUED.sub(lambda found: f"{found[0]}'", text.lower())
    said = words(_SAYS_NOTHING_AS_A_WHOLE.sub(" ", text.translate(_APOSTROPHES)))
    kept = [word for word in said if fold(word) not in _SAYS_NOTHING]
    kept = [word for at, word in enumerate(kept) if not at or word != kept[at - 1]]
    return [
        _FIGURES.sub(_of_that_length, word) for word in (kept if len(kept) >= _LETS_GIST_PASS else everything)
    ]


def _of_that_length(figures: re.Match[str]) -> str:
    return "chiffre" if len(figures[0]) <= _SHORT_FIGURES else "numéroécrit"


_SOUNDS = tuple(
    (re.compile(pattern), written)
    for pattern, written in (
        (r"[^a-z]", ""),
        (r"^h|(?<![cps])h", ""),
        (r"eaux?|aux?|os$|ots?$|ault?s?$", "o"),
        (r"ph", "f"),
        (r"qu|ck|k|q", "k"),
        (r"c(?=[eiy])|sc(?=[eiy])|ss|t(?=ion)", "s"),
        (r"c(?!h)", "k"),
        (r"g(?=[eiy])", "j"),
        (r"(?:ill|il$|y)", "i"),
        (r"(?:ain|ein|in|yn|un|im|ym)(?![aeiouyn])", "1"),
        (r"(?:en|an|em|am)(?![aeiouymn])", "2"),
        (r"(?:on|om)(?![aeiouymn])", "3"),
        (r"(?:ai|ei|et|er|ez|es|ee|est)(?:s|t|x|nt)?$|ai|ei", "e"),
        (r"oeu|eu", "e"),
        (r"ou", "u"),
        (r"x", "s"),
        (r"z", "s"),
        (r"(.)\1+", r"\1"),
        (r"(?<=..)(?:e?s|e|[tdpx])$", ""),
    )
)


@lru_cache(maxsize=20_000)
def sound(word: str) -> str:
    """Roughly how one French word sounds: ``sinistre`` meets ``cinistre``, ``conseiller`` ``conseillé``.

    Coarse on purpose; for words that a transcription wrote by ear.
    """
    heard = fold(word.lower())
    for pattern, written in _SOUNDS:
        heard = pattern.sub(written, heard) or heard
    return heard


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """The French stem of one lower-case word, without accents: ``bénéficiaires`` gives ``benefici``."""
    with _STEMMER_LOCK:
        return fold(str(_STEMMER.stemWord(word)))


def stems(text: str) -> list[str]:
    """Every stem of ``text``, small words included, in order."""
    return [stem(word) for word in words(text)]


def content_words(text: str) -> list[str]:
    """The words of ``text`` that say what it is about, in order, repetitions kept.

    An expression of ``synonyms.txt`` ("combien de temps") counts as one word, the one that stands for it.
    """
    phrases, _ = _synonyms()
    stop_words = _stop_words()
    heard = words(text)
    folded = [_fold_word(word) for word in heard]
    kept: list[str] = []
    position = 0
    while position < len(heard):
        for phrase, standing in phrases.get(folded[position], ()):
            if tuple(folded[position : position + len(phrase)]) == phrase:
                kept.append(standing)
                position += len(phrase)
                break
        else:
            if folded[position] not in stop_words:
                kept.append(heard[position])
            position += 1
    return kept


def content_stems(text: str) -> list[str]:
    """The stems of :func:`content_words`, synonyms brought to one."""
    return [content_stem(word) for word in content_words(text)]


def content_stem(word: str) -> str:
    """The stem that stands for one content word, synonyms brought to one."""
    return _synonyms()[1].get(stem(word), stem(word))


def lines(file: Path) -> list[str]:
    """The lines of one of this folder's word lists, stripped, without blank ones and ``#`` comments."""
    read = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    return [line for line in read if line and not line.startswith("#")]


@lru_cache(maxsize=20_000)
def _fold_word(word: str) -> str:
    # Words only: a cache of whole texts would keep what callers said.
    return fold(word)


@cache
def _stop_words() -> frozenset[str]:
    return frozenset(word for line in lines(STOP_WORDS_FILE) for word in line.split())


@cache
def _synonyms() -> tuple[dict[str, list[tuple[tuple[str, ...], str]]], dict[str, str]]:
    """Expressions by first folded word, longest first, with the word for each; stems → the stem for each."""
    phrases: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    standing: dict[str, str] = {}
    for line in lines(SYNONYMS_FILE):
        group = [words(entry) for entry in line.split(",")]
        first = "".join(group[0])
        for entry in group:
            if len(entry) > 1:
                phrase = tuple(map(fold, entry))
                phrases.setdefault(phrase[0], []).append((phrase, first))
            else:
                standing[stem(entry[0])] = stem(first)
    for starting_alike in phrases.values():
        starting_alike.sort(key=lambda one: -len(one[0]))
    return phrases, standing


def ngrams(items: Sequence[str], length: int) -> Iterable[tuple[str, ...]]:
    """Every run of ``length`` neighbours of ``items``."""
    return zip(*(items[start:] for start in range(length)), strict=False)
