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
_APOSTROPHES = str.maketrans({"’": "'", "ʼ": "'", "`": "'", "´": "'"})

SYNONYMS_FILE = Path(__file__).parent / "synonyms.txt"
"""Groups of words the search takes for one; edited by whoever writes the questions."""
_LONGEST_PHRASE = 4

# PyStemmer keeps a buffer in the object: two threads in one Stemmer corrupt each other.
_STEMMER = Stemmer.Stemmer("french")
_STEMMER_LOCK = Lock()


def fold(text: str) -> str:
    """``text`` without accents, ligatures opened: ``Décès, sœur`` gives ``Deces, soeur``."""
    opened = text.replace("œ", "oe").replace("Œ", "Oe").replace("æ", "ae").replace("Æ", "Ae")
    return "".join(c for c in unicodedata.normalize("NFD", opened) if not unicodedata.combining(c))


def words(text: str) -> list[str]:
    """The words of ``text`` in order: lower case, accents kept, elided articles and hyphens cut."""
    flat = unicodedata.normalize("NFC", text).lower().translate(_APOSTROPHES)
    return _WORD.findall(_ELIDED.sub(" ", flat))


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
    heard = words(text)
    kept: list[str] = []
    position = 0
    while position < len(heard):
        for length in range(min(_LONGEST_PHRASE, len(heard) - position), 1, -1):
            standing = phrases.get(tuple(fold(word) for word in heard[position : position + length]))
            if standing is not None:
                kept.append(standing)
                position += length
                break
        else:
            if fold(heard[position]) not in STOP_WORDS:
                kept.append(heard[position])
            position += 1
    return kept


def content_stems(text: str) -> list[str]:
    """The stems of :func:`content_words`, synonyms brought to one."""
    return [content_stem(word) for word in content_words(text)]


def content_stem(word: str) -> str:
    """The stem that stands for one content word, synonyms brought to one."""
    return _synonyms()[1].get(stem(word), stem(word))


@cache
def _synonyms() -> tuple[dict[tuple[str, ...], str], dict[str, str]]:
    """Expressions (folded words) → the word that stands for them; stems → the stem that stands for them."""
    phrases: dict[tuple[str, ...], str] = {}
    standing: dict[str, str] = {}
    for line in SYNONYMS_FILE.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        group = [words(entry) for entry in line.split(",")]
        first = "".join(group[0])
        for entry in group:
            if len(entry) > 1:
                phrases[tuple(map(fold, entry))] = first
            else:
                standing[stem(entry[0])] = stem(first)
    return phrases, standing


def ngrams(items: Sequence[str], length: int) -> Iterable[tuple[str, ...]]:
    """Every run of ``length`` neighbours of ``items``."""
    return zip(*(items[start:] for start in range(length)), strict=False)


# Two kinds: the grammar's small words, and the padding of people on the phone (politeness, hesitation,
# "je voudrais savoir si"). Question words that change the answer stay: combien, quand, pourquoi, avant, après.
STOP_WORDS = frozenset(
    """
    a ai aie aient ait as au aux avec avez aviez avoir avais avait avons ayant c ca car ce ceci cela celle celui ces cet
    cette ceux chez comme d dans de des donc dont du elle elles en entre es est et etait etaient etais etant ete
    etes etre eu eux furent fut hui il ils j je l la laquelle le lequel les lesquels leur leurs lui m ma mais me
    meme memes mes moi mon n ne ni nos notre nous on ont or ou par parce pas plus pour puis qu que quel quelle quelles
    quels qui quoi s sa sans se sera serai serait seront ses si soi soient sois soit sommes son sont sous suis sur
    t ta te tel telle tes toi ton tous tout toute toutes tu un une vers vos votre vous y
    aurait auriez aura aurai aurais peut peux pouvez pouvoir pourrais pourrait pourriez puisse puis-je
    veut veux voulez vouloir voudrais voudrait voulais voulait souhaite souhaiterais aimerais aimerait
    dois doit doivent devez devrait devrais devra devrai faut faudrait fais fait faites faire font vais va vas vont
    aller allez allons viens vient venez
    sais sait savez savoir dire dis dit dites donne donnez expliquer expliquez peut-etre
    bonjour bonsoir allo madame monsieur mademoiselle merci plait svp pardon excusez excuse
    euh heu ben bah bon alors voila voici hein ah oh oui non ok accord enfin bref juste exactement vraiment
    la-dessus dessus la ici ca-y-est aussi encore tres trop bien deja toujours jamais autre autres
    besoin possible arrive arriver moment mois quand
    question questions petite petit renseignement renseignements comment chose truc quelque quelqu
    aujourd parle parler parlez appelle appelez s'il truc genre jour sur-le-champ au-juste
    """.split()
)
