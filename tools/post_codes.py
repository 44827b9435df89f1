"""French post codes in what a caller says. Pure.

Five digits that begin with a department: 01 to 95, 97 and 98 overseas (La Poste, « hexaposte »); Corsica
is 20. Said as one number (« soixante-quinze mille onze »), as the department and the rest (« soixante-neuf,
zéro zéro six », « zéro six cent »), or figure by figure. « six mille deux cents » is 06200: the zero of the
first nine departments is often left out of a number said whole, and never of one said figure by figure.
"""

from tools.numerals import Reading, Run, Word
from tools.references import Form, is_a_date_or_phone, number_in

DIGITS = 5
_DEPARTMENTS = frozenset(f"{number:02d}" for number in (*range(1, 96), 97, 98))


def post_code(text: str) -> str | None:
    """The post code said (``75011``); None when there is none, or more than one is possible."""
    return number_in(text, _POST_CODE)


def _value(digits: str) -> str | None:
    return digits if len(digits) == DIGITS and digits[:2] in _DEPARTMENTS else None


def _may_be(take: list[Word], run: Run) -> bool:
    return not is_a_date_or_phone(take, run)


def _padded(row: Reading) -> str | None:
    whole = len(row) == 1 and row[0].spelled and len(row[0].digits) == DIGITS - 1
    return f"0{row[0].digits}" if whole else None


_POST_CODE = Form(DIGITS, _value, _may_be, _padded, seams=frozenset({2}))
