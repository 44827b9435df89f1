"""What a caller may ask at any moment and must get at once: recognised by phrase, not by likelihood.

A classifier may be unsure; a wish that the law grants may not depend on it. Pure.
"""

import re

from knowledge.acts import Act, acts


def refuses_recording(text: str) -> bool:
    """Whether the caller says, in his own words, that he does not want to be recorded.

    CNIL: whoever is recorded is told so at the beginning and may object; the greeting says how.
    """
    return Act.STOP_RECORDING in acts(text)


_LEAVING = re.compile(
    r"\b(?:au revoir|bonne (?:journ[eé]e|soir[eé]e|apr[eè]s-midi)|[aà] bient[oô]t)\b"
    r"|\b(?:c'est|ce sera) (?:tout|bon)\b",
    re.IGNORECASE,
)


def takes_leave(text: str) -> bool:
    """Whether the caller is saying goodbye, even when he begins with "d'accord"."""
    return _LEAVING.search(text.replace("’", "'")) is not None


def wants_call_back(text: str) -> bool:
    """Whether the caller wants to be rung back: not to remember something, and not to ring again himself."""
    return Act.CALL_BACK in acts(text)
