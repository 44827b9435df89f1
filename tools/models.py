"""What the insurer knows: customers, contracts, claims. Depends on nothing.

Values are checked where they are made, so a :class:`Claim` that says *paid* always has an
amount and a day, and a node that speaks of it needs no second look. Error messages never
repeat the value: they end up in logs, and the values are personal data.

Money is in integer cents of euro; days are dates without time (the insurer's own calendar).
"""

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

CUSTOMER_NUMBER = re.compile(r"[0-9]{8}")
CONTRACT_NUMBER = re.compile(r"VIE-[0-9]{7}")
CLAIM_NUMBER = re.compile(r"SIN-20[0-9]{2}-[0-9]{6}")
POSTCODE = re.compile(r"[0-9]{5}")
LAST_FOUR = re.compile(r"[0-9]{4}")


class Title(StrEnum):
    """How the customer is addressed."""

    MADAME = "Madame"
    MONSIEUR = "Monsieur"


class ContractStatus(StrEnum):
    """Where a contract stands."""

    PENDING = "pending"
    """Signed, not in force yet (first payment or withdrawal period under way)."""
    ACTIVE = "active"
    CLOSED = "closed"


class ClaimStatus(StrEnum):
    """Where a claim stands, in the order it usually goes."""

    DECLARED = "declared"
    DOCUMENTS_MISSING = "documents_missing"
    EXPERT_VISIT = "expert_visit"
    UNDER_REVIEW = "under_review"
    ACCEPTED = "accepted"
    """The insurer pays; the money has not left yet."""
    PAID = "paid"
    REFUSED = "refused"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Customer:
    """A person the insurer has a file on."""

    number: str
    """8 digits, without spaces."""
    title: Title
    first_name: str
    last_name: str
    birth_date: date
    needs_adviser: bool = False
    """Only a human may speak with this person's callers (minor, protected adult, disputed file)."""

    def __post_init__(self) -> None:
        _check_form(CUSTOMER_NUMBER, self.number, "a customer number has 8 digits")


@dataclass(frozen=True, slots=True)
class Contract:
    """A life insurance contract."""

    number: str
    """``VIE-`` and 7 digits."""
    customer_number: str
    product: str
    """Its commercial name, in French."""
    status: ContractStatus
    value_cents: int
    valued_on: date
    opened_on: date
    monthly_payment_cents: int | None = None
    """The regular payment; None when the customer pays when he likes."""
    last_payment_cents: int | None = None
    """The payment received last, and its day; both or neither."""
    last_payment_on: date | None = None
    next_payment_on: date | None = None
    """When the next regular payment is due."""

    def __post_init__(self) -> None:
        _check_form(CONTRACT_NUMBER, self.number, "a contract number is VIE- and 7 digits")
        _check_form(CUSTOMER_NUMBER, self.customer_number, "a customer number has 8 digits")
        if (self.last_payment_cents is None) != (self.last_payment_on is None):
            raise ValueError("last_payment_cents and last_payment_on go together")


@dataclass(frozen=True, slots=True)
class Beneficiaries:
    """Who receives a contract's capital. Told to a caller of level 2 only."""

    contract_number: str
    customer_number: str
    clause: str
    """As it follows « la clause désigne »: ``votre conjoint, à défaut vos enfants``."""

    def __post_init__(self) -> None:
        _check_form(CONTRACT_NUMBER, self.contract_number, "a contract number is VIE- and 7 digits")
        _check_form(CUSTOMER_NUMBER, self.customer_number, "a customer number has 8 digits")


class ThirdItemKind(StrEnum):
    """What a caller may give as third item."""

    POSTCODE = "postcode"
    """Of the address on file: 5 digits."""
    LAST_FOUR = "last_four"
    """The last four digits of the telephone number or of the IBAN on file."""


@dataclass(frozen=True, slots=True)
class ThirdItem:
    """What a caller gives to prove more; compared by the back office, which never tells it."""

    kind: ThirdItemKind
    value: str

    def __post_init__(self) -> None:
        form = POSTCODE if self.kind is ThirdItemKind.POSTCODE else LAST_FOUR
        _check_form(form, self.value, "a postcode has 5 digits, the end of a number 4")


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim (*sinistre*) and its next step."""

    number: str
    """``SIN-``, the year, ``-`` and 6 digits."""
    customer_number: str
    kind: str
    """What happened, in French and without article: ``dégât des eaux``."""
    status: ClaimStatus
    declared_on: date
    updated_on: date
    missing_documents: tuple[str, ...] = ()
    """What the customer still has to send, in French with its article: ``le devis de réparation``."""
    visit_on: date | None = None
    """The expert's visit; None when there is none or its day is not fixed yet."""
    paid_cents: int | None = None
    paid_on: date | None = None

    def __post_init__(self) -> None:
        _check_form(CLAIM_NUMBER, self.number, "a claim number is SIN-, a year, and 6 digits")
        _check_form(CUSTOMER_NUMBER, self.customer_number, "a customer number has 8 digits")
        if (self.status is ClaimStatus.DOCUMENTS_MISSING) != bool(self.missing_documents):
            raise ValueError("missing_documents go with the status documents_missing, and only with it")
        if self.status is ClaimStatus.PAID and (self.paid_cents is None or self.paid_on is None):
            raise ValueError("a paid claim has paid_cents and paid_on")


def _check_form(form: re.Pattern[str], value: str, rule: str) -> None:
    if not form.fullmatch(value):
        raise ValueError(rule)
