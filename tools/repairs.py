"""What a speaker takes back, or leaves open: « le quatre, non pardon, le cinq mai », « le 4 ou le 5 ». Pure.

A correction may name its place: « non, 69 à la fin », « ça finit par 36 ».
"""

from tools.numerals import HESITATIONS, Run, Word, is_number

_MARKERS = tuple(
    tuple(phrase.split())
    for phrase in (
        "non",
        "nan",
        "pardon",
        "excusez moi",
        "excuse moi",
        "je m excuse",
        "je me trompe",
        "je me suis trompe",
        "je me suis trompee",
        "me suis trompe",
        "je voulais dire",
        "je veux dire",
        "je corrige",
        "je rectifie",
        "correction",
        "erreur",
        "plutot",
        "ou plutot",
        "enfin",
        "oups",
        "mince",
        "zut",
        "desole",
        "desolee",
    )
)

_OPENINGS = tuple(
    tuple(phrase.split())
    for phrase in (
        "ca finit par",
        "ca finis par",
        "ca se finit par",
        "ca termine par",
        "ca se termine par",
        "il finit par",
        "il se termine par",
        "le dernier c est",
        "le dernier chiffre c est",
        "les deux derniers c est",
        "les deux derniers chiffres c est",
        "les derniers c est",
        "les derniers chiffres c est",
        "la fin c est",
        "a la fin c est",
    )
)
"""What begins a correction of the end, and says so."""
_OF_THE_END = frozenset(["fin", "finit", "finis", "termine", "dernier", "derniers", "derniere", "dernieres"])
_VAGUE_AFTER = frozenset({"quelque", "quelques", "poussieres", "poussiere"})
_BETWEEN_CHOICES = frozenset(
    [
        "le",
        "la",
        "les",
        "au",
        "en",
        "du",
        "c",
        "est",
        "bien",
        "alors",
        "peut",
        "etre",
        "euh",
        "d",
        "de",
        "des",
    ]
)

_NO_NEGATION_BEFORE_PAS = frozenset(
    ["sais", "suis", "vois", "comprends", "trouve", "retrouve", "rappelle", "ai"]
)


def takes(text: list[Word]) -> list[list[Word]]:
    """The text cut at the words by which the speaker corrects himself; empty parts left out.

    A correction with nothing after it leaves an empty last take: what was said was taken back
    and nothing put in its place.
    """
    parts: list[list[Word]] = [[]]
    at = 0
    while at < len(text):
        length = _marker_at(text, at)
        if length:
            parts.append([])
            at += length
        elif parts[-1] and _begins(text, at, _OPENINGS):
            parts.append([text[at]])
            at += 1
        else:
            parts[-1].append(text[at])
            at += 1
    return [part for part in parts[:-1] if part] + parts[-1:]


def is_denied(text: list[Word], at: int) -> bool:
    """Is what begins at ``at`` named only to be excluded (« ce n'est pas le … », « et non … »)?"""
    before = at - 1
    while before >= 0 and (text[before].text in HESITATIONS or text[before].text in {"le", "la", "du", "de"}):
        if text[before].parted:
            return False
        before -= 1
    if before < 0 or text[before + 1].parted:
        return False
    if text[before].text == "non" and before > 0:
        return text[before - 1].text == "et"
    return text[before].text == "pas" and not (
        before > 0 and text[before - 1].text in _NO_NEGATION_BEFORE_PAS
    )


def is_of_the_end(take: list[Word]) -> bool:
    """Does this correction say that it is meant for the end (« 6 9 à la fin », « ça finit par 36 »)?"""
    return any(word.text in _OF_THE_END for word in take)


def is_left_open(text: list[Word], run: Run) -> bool:
    """Is the number vague, or one of a choice (« le 4 ou le 5 »)?"""
    return is_vague(text, run) or _is_or(text, run.end) or _is_or_before(text, run.start - 1)


def is_vague(text: list[Word], run: Run) -> bool:
    """Has the number no end (« soixante et quelque chose »)?"""
    after = run.end
    while after < len(text) and text[after].text in {"et", "des"}:
        after += 1
    return after < len(text) and text[after].text in _VAGUE_AFTER


def _is_or(text: list[Word], at: int) -> bool:
    """« ou », and another number behind it."""
    if at >= len(text) or text[at].text != "ou":
        return False
    at += 1
    while at < len(text) and text[at].text in _BETWEEN_CHOICES:
        at += 1
    return at < len(text) and is_number(text[at])


def _is_or_before(text: list[Word], at: int) -> bool:
    while at >= 0 and text[at].text in _BETWEEN_CHOICES:
        at -= 1
    return at > 0 and text[at].text == "ou" and is_number(text[at - 1])


def _marker_at(text: list[Word], at: int) -> int:
    """How many words the correction that begins here has; 0 when none does."""
    if text[at].text == "non" and at > 0 and text[at - 1].text == "et":
        return 0
    return _begins(text, at, _MARKERS)


def _begins(text: list[Word], at: int, phrases: tuple[tuple[str, ...], ...]) -> int:
    """How many words the longest of these phrases that begins here has; 0 when none does."""
    said = tuple(word.text for word in text[at : at + _LONGEST_PHRASE])
    return max((len(phrase) for phrase in phrases if said[: len(phrase)] == phrase), default=0)


_LONGEST_PHRASE = max(map(len, (*_MARKERS, *_OPENINGS)))
