"""What a caller may ask at any moment and must get at once: recognised by phrase, not by likelihood.

A classifier may be unsure; a wish that the law grants may not depend on it. Pure.
"""

import re

_NOT_RECORDED = re.compile(
    r"\b(?:ne|n|pas|arr[eê]te[zr]?|stop\w*|sans|refuse|coupe[zr]?|d[eé]sactive[zr]?)\b.*\benregistr"
    r"|\benregistr\w*\b.*\b(?:pas|non|stop|refuse|arr[eê]t\w*)\b",
    re.IGNORECASE,
)


def refuses_recording(text: str) -> bool:
    """Whether the caller says, in his own words, that he does not want to be recorded.

    CNIL: whoever is recorded is told so at the beginning and may object; the greeting says how.
    """
    return _NOT_RECORDED.search(text.replace("’", " ").replace("'", " ")) is not None


_LEAVING = re.compile(
    r"\b(?:au revoir|bonne (?:journ[eé]e|soir[eé]e|apr[eè]s-midi)|[aà] bient[oô]t)\b"
    r"|\b(?:c'est|ce sera) (?:tout|bon)\b",
    re.IGNORECASE,
)


def takes_leave(text: str) -> bool:
    """Whether the caller is saying goodbye, even when he begins with "d'accord"."""
    return _LEAVING.search(text.replace("’", "'")) is not None


_REMEMBERS = r"(?! (?:mon|ma|mes|du|de|des|quel|quelle|ce que|le num[eé]ro|la date|les)\b)"
"""« me rappeler mon numéro » is to remember it."""

_CALL_BACK = re.compile(
    r"\b(?:[eê]tre|sois|soit|serai[st]?) rappel[eé]"
    rf"|\b(?:de|pour|faire|pouvez|pourriez|peut|veuillez|allez|vous) me rappeler\b{_REMEMBERS}"
    rf"|\b(?:on|vous|conseill[eè]re?|quelqu'un) me rappelle(?:z|ra)?\b{_REMEMBERS}"
    rf"|\brappele[zr][- ]moi\b{_REMEMBERS}"
    r"|\b(?:un|le|mon) rappel\b|\bdemande de rappel\b"
    r"|^(?:oui|alors|euh|plut[oô]t|[ ,.])*(?:le |un )?rappel(?:er|[eé]e?|ez)?(?: s'il vous pla[iî]t)?[ .!]*$",
    re.IGNORECASE,
)


def wants_call_back(text: str) -> bool:
    """Whether the caller wants to be rung back: not to remember something, and not to ring again himself."""
    return _CALL_BACK.search(text.replace("’", "'")) is not None
