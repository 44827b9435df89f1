"""A file of fictional customers is either right or refused with its name and what to do."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tools.backoffice_demo import SHIPPED_DATA, DemoBackoffice, DemoDataInvalid, read_demo_data
from tools.models import ClaimStatus, ContractStatus

CUSTOMER = {
    "number": "12345678",
    "title": "Madame",
    "first_name": "Anne",
    "last_name": "Essai",
    "birth_date": "1970-01-31",
}
CLAIM = {
    "number": "SIN-2026-000001",
    "customer_number": "12345678",
    "kind": "vol",
    "status": "declared",
    "declared_on": "2026-10-01",
    "updated_on": "2026-10-01",
}


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "clients.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def document(**lists: list[dict[str, Any]]) -> str:
    return json.dumps({"customers": [CUSTOMER], "contracts": [], "claims": [], **lists}, indent=1)


def test_the_shipped_customers_show_every_situation_the_dialogue_knows() -> None:
    data = read_demo_data()
    owners = [contract.customer_number for contract in data.contracts]
    claimants = {claim.customer_number for claim in data.claims}
    numbers = {customer.number for customer in data.customers}
    assert len(data.customers) >= 12
    assert numbers - set(owners), "somebody without contract"
    assert any(owners.count(number) == 2 for number in numbers), "somebody with two contracts"
    assert numbers - claimants, "somebody without claim"
    assert {claim.status for claim in data.claims} == set(ClaimStatus)
    assert {contract.status for contract in data.contracts} == set(ContractStatus)
    assert any(claim.visit_on for claim in data.claims), "an expert's visit with its day"
    assert sum(customer.needs_adviser for customer in data.customers) >= 2


def test_nothing_in_the_shipped_customers_lies_after_autumn_2026_but_appointments() -> None:
    data = read_demo_data()
    days = [day for one in data.claims for day in (one.declared_on, one.updated_on, one.paid_on) if day]
    days += [day for one in data.contracts for day in (one.opened_on, one.valued_on)]
    assert max(days) <= date(2026, 11, 30)
    assert all(one.declared_on <= one.updated_on for one in data.claims)


def test_no_two_shipped_customers_share_a_birth_date() -> None:
    born = [customer.birth_date for customer in read_demo_data().customers]
    assert len(set(born)) == len(born)


async def test_a_file_of_ones_own_is_read(tmp_path: Path) -> None:
    backoffice = DemoBackoffice.load(written(tmp_path, document(claims=[CLAIM])))
    found = await backoffice.identify("SIN-2026-000001", date(1970, 1, 31))
    assert found is not None
    assert found.first_name == "Anne"


def test_the_shipped_file_is_the_default() -> None:
    assert SHIPPED_DATA.name == "demo_customers.json"
    assert read_demo_data() == read_demo_data(SHIPPED_DATA)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "line 1"),
        ('{"customers": [],\n "contracts": [],\n "claims": [}', "line 3"),
        ("é".encode("latin-1"), "not UTF-8"),
        ("[" * 100_000, "nested too deep"),
        ("[]", "the whole file"),
        ('{"customers": [], "contracts": []}', "claims"),
        (document(customers=[{**CUSTOMER, "shoe_size": 38}]), "customers.0.shoe_size is not a field we know"),
        (document(customers=[{**CUSTOMER, "number": 12345678}]), "customers.0.number"),
        (document(customers=[{**CUSTOMER, "number": "1234567"}]), "a customer number has 8 digits"),
        (document(customers=[{**CUSTOMER, "birth_date": "31/01/1970"}]), "customers.0.birth_date"),
        (document(customers=[{**CUSTOMER, "title": "Docteur"}]), "customers.0.title"),
        (document(customers=[CUSTOMER, {**CUSTOMER, "first_name": "Eve"}]), "12345678 is given twice"),
        (document(claims=[CLAIM, CLAIM]), "SIN-2026-000001 is given twice"),
        (document(claims=[{**CLAIM, "customer_number": "87654321"}]), "not among the customers"),
        (document(claims=[{**CLAIM, "status": "paid"}]), "paid_cents"),
        (document(claims=[{**CLAIM, "status": "documents_missing"}]), "missing_documents"),
        (document(claims=[{**CLAIM, "missing_documents": ["le devis"]}]), "missing_documents"),
        (document(claims=[{**CLAIM, "number": "SIN-26-1"}]), "a claim number is"),
    ],
)
def test_a_faulty_file_is_refused_with_its_name_and_the_place(
    tmp_path: Path, content: str | bytes, says: str
) -> None:
    path = written(tmp_path, content)
    with pytest.raises(DemoDataInvalid) as raised:
        DemoBackoffice.load(path)
    assert str(path) in str(raised.value)
    assert says in str(raised.value)


def test_a_missing_file_and_a_folder_are_refused_with_their_name_and_cause(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere.json", tmp_path):
        with pytest.raises(DemoDataInvalid, match=str(path)) as raised:
            read_demo_data(path)
        assert isinstance(raised.value.__cause__, OSError)
