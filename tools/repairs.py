"""What a speaker takes back: « le quatre, non pardon, le cinq mai », « pas le 21, le 22 ». Pure."""

from tools.numerals import HESITATIONS, Word

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


def _marker_at(text: list[Word], at: int) -> int:
    """How many words the correction that begins here has; 0 when none does."""
    if text[at].text == "non" and at > 0 and text[at - 1].text == "et":
        return 0
    said = tuple(word.text for word in text[at : at + 5])
    return max((len(marker) for marker in _MARKERS if said[: len(marker)] == marker), default=0)
