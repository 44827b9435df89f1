"""What contradicts itself cannot be made, and no error repeats a value."""

from dataclasses import FrozenInstanceError, replace
from datetime import date

import pytest

from tools.models import Claim, ClaimStatus, Contract, ContractStatus, Customer, Title

CUSTOMER = Customer("12345678", Title.MADAME, "Anne", "Essai", date(1970, 1, 31))
CONTRACT = Contract(
    "VIE-0000001", "12345678", "Horizon", ContractStatus.ACTIVE, 100, date(2026, 10, 31), date(2020, 1, 1)
)
CLAIM = Claim(
    "SIN-2026-000001", "12345678", "vol", ClaimStatus.DECLARED, date(2026, 10, 1), date(2026, 10, 1)
)


@pytest.mark.parametrize(
    "number", ["", "1234567", "123456789", "12 34 56 78", "1234567x", "١٢٣٤٥٦٧٨", "12345678\n"]
)
def test_a_customer_number_has_exactly_eight_ascii_digits(number: str) -> None:
    with pytest.raises(ValueError, match="8 digits") as raised:
        replace(CUSTOMER, number=number)
    assert not number or number not in str(raised.value)
    for held in (CONTRACT, CLAIM):
        with pytest.raises(ValueError, match="8 digits"):
            replace(held, customer_number=number)


@pytest.mark.parametrize("number", ["", "0012345", "VIE-12345", "vie-0012345", "SIN-0012345"])
def test_a_contract_number_is_vie_and_seven_digits(number: str) -> None:
    with pytest.raises(ValueError, match="VIE-"):
        replace(CONTRACT, number=number)


@pytest.mark.parametrize(
    "number", ["", "SIN-2026-3117", "SIN-1926-003117", "SIN2026003117", "VIE-2026-003117"]
)
def test_a_claim_number_is_sin_a_year_and_six_digits(number: str) -> None:
    with pytest.raises(ValueError, match="SIN-"):
        replace(CLAIM, number=number)


def test_a_paid_claim_has_an_amount_and_a_day() -> None:
    with pytest.raises(ValueError, match="paid_cents"):
        replace(CLAIM, status=ClaimStatus.PAID, paid_cents=100)
    with pytest.raises(ValueError, match="paid_on"):
        replace(CLAIM, status=ClaimStatus.PAID, paid_on=date(2026, 10, 2))
    paid = replace(CLAIM, status=ClaimStatus.PAID, paid_cents=100, paid_on=date(2026, 10, 2))
    assert paid.paid_cents == 100


def test_documents_are_missing_exactly_when_the_status_says_so() -> None:
    with pytest.raises(ValueError, match="missing_documents"):
        replace(CLAIM, missing_documents=("le devis",))
    with pytest.raises(ValueError, match="missing_documents"):
        replace(CLAIM, status=ClaimStatus.DOCUMENTS_MISSING)


def test_what_the_insurer_knows_does_not_change_in_our_hands() -> None:
    for record in (CUSTOMER, CONTRACT, CLAIM):
        with pytest.raises(FrozenInstanceError):
            setattr(record, "number", "87654321")  # noqa: B010 - mypy would refuse the plain assignment
