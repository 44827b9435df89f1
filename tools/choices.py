"""Which of a few things the caller means: « le premier », « l'autre », « celui de mars », « les deux ». Pure.

Things are offered in an order that the caller has heard; ordinals count in it. Words that name more than
one of them choose none: the agent asks again rather than speak of the wrong one.
"""

import re
from collections.abc import Sequence
from datetime import date

from tools.numerals import words as words_of
from tools.written import MONTHS

_ORDINALS: tuple[re.Pattern[str], ...] = (
    re.compile(r"\b(?:premiere?|1ere?|numero (?:un|1))\b"),
    re.compile(r"\b(?:deuxieme|seconde?|2eme|2e|numero (?:deux|2))\b"),
    re.compile(r"\b(?:troisieme|3eme|3e|numero (?:trois|3))\b"),
    re.compile(r"\b(?:quatrieme|4eme|4e|numero (?:quatre|4))\b"),
)
_LAST = re.compile(r"\bdernier[es]?\b")
_A_LAST_THING = re.compile(r"\bdernier[es]? (?:versement|paiement|prelevement|fois|releve|courrier|appel)\b")
_A_FIRST_OF = re.compile(
    r"\bpremier (?:janvier|fevrier|mars|avril|mai|juin|juillet|aout|[a-z]+mbre|octobre)\b"
)
_OTHER = re.compile(r"\b(?:l )?autre(?! (?:chose|question|demande))\b")
_ALL = re.compile(
    r"\b(?:tous(?! les (?:mois|ans|jours|trimestres))|toutes(?! les (?:semaines|annees))|les deux|les trois"
    r"|chacune?|l un et l autre|mes (?:contrats|dossiers|sinistres))\b"
)
_GOES_ON = re.compile(
    r"(?:(?:ah|euh|bon|ok|oui|d accord|alors) )*et (?:puis )?(?:pour )?"
    r"(?:le|la|l|les|mon|ma|mes) (?:\w+ ?){1,4}$"
)
_THAT_ONE = re.compile(r"\bcel(?:ui|le) (?:de|du|d|des)\b")
_OLDEST = re.compile(r"\b(?:plus ancien(?:ne)?|plus vieux|plus vieille)\b")
_NEWEST = re.compile(r"\b(?:plus recente?s?|plus nouveau|plus nouvelle)\b")
_YEAR = re.compile(r"\b(?:19|20)[0-9]{2}\b")
_WORD = re.compile(r"(?!(?:les|des|une|qui|que|pas|mon|mes|est|sur|oui|non|par|pour|avec)\b)\b[a-z]{3,}")
_TELLING_LETTERS = 5
_COMMON = re.compile(
    r"(?:votre|notre|contrats?|dossiers?|sinistres?|assurance|autre|question|encore|interesse|pouvez|aussi|lequel"
    r"|voulez|merci|bonjour|madame|monsieur|depuis|client|numero|conseiller|espace)"
)
"""Words of five letters and more that name nothing in particular."""


def plain(text: str) -> str:
    """Lower case, no accents, apostrophes and hyphens as spaces: what the patterns here are written for."""
    return " ".join(word.text for word in words_of(text))


def means_all(text: str) -> bool:
    """« les deux », « tous »."""
    return _ALL.search(plain(text)) is not None


def means_other(text: str) -> bool:
    """« l'autre »: not « autre chose »."""
    return _OTHER.search(plain(text)) is not None


def ordinal(text: str, count: int) -> int | None:
    """The place, from 0, of « le premier », « le deuxième », among ``count`` things; None when none is said.

    « Le dernier » is left to whoever knows whether it is the newest or the one said last.
    """
    said = _A_FIRST_OF.sub(" ", plain(text))
    places = [place for place, form in enumerate(_ORDINALS) if form.search(said)]
    return places[0] if len(places) == 1 and places[0] < count else None


def means_newest(text: str) -> bool:
    """« le dernier », « le plus récent »; not « le dernier versement »."""
    said = _A_LAST_THING.sub(" ", plain(text))
    return _LAST.search(said) is not None or _NEWEST.search(said) is not None


def means_oldest(text: str) -> bool:
    """« le plus ancien »."""
    return _OLDEST.search(plain(text)) is not None


def named(text: str, names: Sequence[str]) -> list[int]:
    """Places of the things whose name shares most words with the text; empty when none shares any.

    Only words that tell the things apart count: of « Horizon Sérénité » and « Horizon Dynamique »,
    « horizon » says nothing.
    """
    said = set(_WORD.findall(plain(text)))
    words = [set(_WORD.findall(plain(name))) for name in names]
    telling = [own - set.intersection(*words) if len(words) > 1 else own for own in words]
    if len({frozenset(own) for own in words}) == 1:  # all alike
        return list(range(len(names))) if words and words[0] & said else []
    shared = [len(own & said) for own in telling]
    most = max(shared, default=0)
    return [place for place, count in enumerate(shared) if count == most] if most else []


def refers(text: str) -> bool:
    """Whether the words point at one of the things that were spoken of: « et l'autre », « le premier »."""
    return (
        _THAT_ONE.search(plain(text)) is not None
        or means_other(text)
        or means_all(text)
        or means_newest(text)
        or means_oldest(text)
        or ordinal(text, len(_ORDINALS)) is not None
    )


def goes_on(text: str) -> bool:
    """Whether it is a question without its verb, which the one before it lends: « et le bris de glace ? »."""
    return _GOES_ON.match(plain(text)) is not None


def shares_name(text: str, said: str) -> bool:
    """Whether a telling word of the text was in what was said: « et le bris de glace » after a list."""
    return any(not _COMMON.fullmatch(word) for word in _telling(text) & _telling(said))


def _telling(text: str) -> set[str]:
    return {word for word in _WORD.findall(plain(text)) if len(word) >= _TELLING_LETTERS}


def dated(text: str, days: Sequence[date]) -> list[int]:
    """Places of the things whose day is in the month and year said; empty when neither is said."""
    said = plain(text)
    months = {number for number, name in enumerate(MONTHS, 1) if re.search(rf"\b{plain(name)}\b", said)}
    years = {int(year) for year in _YEAR.findall(said)}
    if not months and not years:
        return []
    return [
        place
        for place, day in enumerate(days)
        if (not months or day.month in months) and (not years or day.year in years)
    ]
