"""French spoken values: what a caller says or keys, as numbers, dates, amounts, yes and no. Pure.

The door to the modules that do it: ``references`` (customer, contract and claim numbers), ``birth_dates``,
``post_codes``, ``phone_numbers``, ``amounts``, ``yes_no``; they share ``numerals`` (every reading of French
number words) and ``repairs`` (what the speaker takes back). All keep one promise: never a wrong value in
silence. When what was said can be read in two ways, the answer is None and the agent asks again.
"""

import re
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from tools.amounts import amount
from tools.birth_dates import birth_date, keyed_date
from tools.models import CLAIM_NUMBER, CONTRACT_NUMBER, CUSTOMER_NUMBER
from tools.phone_numbers import phone_number, shown_phone_number
from tools.post_codes import post_code
from tools.references import (
    Reference,
    ReferenceKind,
    any_reference,
    claim_number,
    contract_number,
    customer_number,
    keyed_reference,
)
from tools.yes_no import yes_no

__all__ = [
    "Reference",
    "ReferenceKind",
    "ValueForm",
    "amount",
    "any_reference",
    "birth_date",
    "claim_number",
    "contract_number",
    "customer_number",
    "keyed_date",
    "keyed_reference",
    "phone_number",
    "post_code",
    "value",
    "written_value",
    "yes_no",
]


class ValueForm(StrEnum):
    """What is expected of the caller; it decides between readings of the same words."""

    CUSTOMER = "customer"
    CONTRACT = "contract"
    CLAIM = "claim"
    BIRTH_DATE = "birth_date"
    POST_CODE = "post_code"
    PHONE = "phone"
    AMOUNT = "amount"
    YES_NO = "yes_no"


def value(text: str, form: ValueForm, today: date) -> str | None:
    """The value of that form in what was said, written in one way; None when there is none or it is unsure.

    ``10078821``, ``VIE-0012345``, ``SIN-2026-003117``, ``1962-04-01``, ``75011``, ``0612345678``, euros as
    ``45230.18``, ``yes`` or ``no``. ``today`` bounds birth dates.
    """
    match form:
        case ValueForm.CUSTOMER:
            return customer_number(text)
        case ValueForm.CONTRACT:
            return contract_number(text)
        case ValueForm.CLAIM:
            return claim_number(text, today.year)
        case ValueForm.BIRTH_DATE:
            born = birth_date(text, today)
            return born.isoformat() if born else None
        case ValueForm.POST_CODE:
            return post_code(text)
        case ValueForm.PHONE:
            return phone_number(text)
        case ValueForm.AMOUNT:
            cents = amount(text)
            return None if cents is None else _euros(cents)
        case ValueForm.YES_NO:
            return {True: "yes", False: "no", None: None}[yes_no(text)]


_YES = frozenset({"yes", "oui", "true", "vrai", "1", "y", "o"})
_NO = frozenset({"no", "non", "false", "faux", "0", "n"})
_DATE = re.compile(r"(?P<day>\d{1,2})[/.\- ](?P<month>\d{1,2})[/.\- ](?P<year>\d{4})", re.ASCII)


def written_value(text: str, form: ValueForm) -> str | None:
    """A value as people write it (``10 07 88 21``, ``01/04/1962``, ``1 234,50 €``), as :func:`value` has it.

    None when it cannot be one of that form.
    """
    written = text.strip()
    digits = re.sub(r"\D", "", written)
    match form:
        case ValueForm.CUSTOMER:
            return digits if CUSTOMER_NUMBER.fullmatch(digits) else None
        case ValueForm.CONTRACT:
            number = f"VIE-{digits}"
            return number if CONTRACT_NUMBER.fullmatch(number) else None
        case ValueForm.CLAIM:
            number = f"SIN-{digits[:4]}-{digits[4:]}"
            return number if CLAIM_NUMBER.fullmatch(number) else None
        case ValueForm.BIRTH_DATE:
            return _written_date(written)
        case ValueForm.POST_CODE:
            return digits if len(digits) == 5 else None
        case ValueForm.PHONE:
            return shown_phone_number(written)
        case ValueForm.AMOUNT:
            return _written_amount(written)
        case ValueForm.YES_NO:
            said = written.lower()
            return "yes" if said in _YES else "no" if said in _NO else None


def _euros(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _written_date(written: str) -> str | None:
    by_day = _DATE.fullmatch(written)
    year_first = (
        f"{by_day['year']}-{int(by_day['month']):02d}-{int(by_day['day']):02d}" if by_day else written
    )
    try:
        return date.fromisoformat(year_first).isoformat()
    except ValueError:
        return None


def _written_amount(written: str) -> str | None:
    bare = re.sub(r"(?i)eur(?:os?)?|[€\s\u00a0\u202f]", "", written)
    bare = bare.replace(".", "").replace(",", ".") if "," in bare else bare
    try:
        return f"{Decimal(bare):.2f}"
    except InvalidOperation:
        return None
