"""The third item of an identity, as callers say and key it: a post code, or the end of a number. Pure.

A post code is said as one number (« soixante-neuf mille trois »), in two parts (« soixante-neuf, zéro
zéro trois ») or digit by digit; the end of a telephone number or of an IBAN in pairs or digit by digit.
Who gives his whole telephone number has given its end. The plainest reading counts; when two are as
plain and differ, the answer is None, and the agent asks again.
"""

import re

from tools.models import ThirdItem, ThirdItemKind
from tools.numerals import digits_of, readings, runs, words
from tools.phone_numbers import keyed_phone_number, phone_number
from tools.repairs import is_denied, takes

_POSTCODE_DIGITS = 5
_LAST_DIGITS = 4

_SAYS_POSTCODE = re.compile(r"\b(?:codes? posta\w*|j'habite|commune|d[eé]partement)\b", re.IGNORECASE)
_SAYS_LAST_FOUR = re.compile(
    r"\b(?:t[eé]l[eé]phone|portable|mobile|num[eé]ro|iban|rib|compte|derniers?|quatre chiffres)\b",
    re.IGNORECASE,
)


def third_item(text: str) -> ThirdItem | None:
    """The post code or the last four digits said; None when there is none, or it is not sure."""
    said = text.replace("’", "'")
    if phone := phone_number(said):
        return ThirdItem(ThirdItemKind.LAST_FOUR, phone[-_LAST_DIGITS:])
    if _SAYS_POSTCODE.search(said):
        lengths = {_POSTCODE_DIGITS}
    elif _SAYS_LAST_FOUR.search(said):
        lengths = {_LAST_DIGITS}
    else:
        lengths = {_POSTCODE_DIGITS, _LAST_DIGITS}
    found: str | None = None
    for take in takes(words(said)):
        groups: dict[str, int] = {}
        for run in runs(take):
            if is_denied(take, run.start):
                continue
            for row in readings(run, _POSTCODE_DIGITS):
                digits = digits_of(row)
                if len(digits) in lengths:
                    groups[digits] = min(len(row), groups.get(digits, len(row)))
        if groups:
            plainest = min(groups.values())
            values = [digits for digits, count in groups.items() if count == plainest]
            found = values[0] if len(values) == 1 else None
    return _item(found) if found else None


def keyed_third_item(digits: str) -> ThirdItem | None:
    """The same, keyed: five digits are a post code, four the end of a number."""
    keyed = digits.strip().removesuffix("#")
    if phone := keyed_phone_number(keyed):
        return ThirdItem(ThirdItemKind.LAST_FOUR, phone[-_LAST_DIGITS:])
    if not (keyed.isascii() and keyed.isdigit()) or len(keyed) not in {_LAST_DIGITS, _POSTCODE_DIGITS}:
        return None
    return _item(keyed)


def _item(digits: str) -> ThirdItem:
    kind = ThirdItemKind.POSTCODE if len(digits) == _POSTCODE_DIGITS else ThirdItemKind.LAST_FOUR
    return ThirdItem(kind, digits)
