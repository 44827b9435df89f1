"""The demonstration server: behind its key, described without a network, and telling no more than asked."""

import httpx
import pytest

from app.backoffice import create_backoffice, welcome
from tools.backoffice_demo import read_demo_data

KEY = "a-key"


def client(key: str = KEY) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    transport = httpx.ASGITransport(create_backoffice(read_demo_data(), KEY))
    return httpx.AsyncClient(transport=transport, base_url="http://backoffice", headers=headers)


@pytest.mark.parametrize("key", ["", "another", "é".encode().decode("latin-1")])
async def test_every_question_wants_the_key(key: str) -> None:
    async with client("" if not key.isascii() else key) as http:
        paths = ["/v1/customers/10078821", "/v1/contracts/10078821", "/v1/claims/SIN-2026-003117"]
        assert [(await http.get(path)).status_code for path in paths] == [401, 401, 401]
        given = {"number": "10078821", "birth_date": "1962-04-01"}
        assert (await http.post("/v1/identity", json=given)).status_code == 401


async def test_without_a_key_of_its_own_it_does_not_start() -> None:
    with pytest.raises(ValueError, match="key"):
        create_backoffice(read_demo_data(), "")


async def test_the_specifications_two_questions_are_answered() -> None:
    async with client() as http:
        (contract,) = (await http.get("/v1/contracts/10078821")).json()
        claim = (await http.get("/v1/claims/SIN-2026-003117")).json()
    assert (contract["status"], contract["value_cents"]) == ("active", 4523018)
    assert (claim["status"], claim["declared_on"]) == ("under_review", "2026-09-22")


async def test_an_unknown_number_and_a_wrong_birth_date_are_answered_alike() -> None:
    async with client() as http:
        answers = [
            await http.post("/v1/identity", json={"number": number, "birth_date": born})
            for number, born in (("99999999", "1962-04-01"), ("10078821", "1962-04-02"))
        ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content


async def test_no_answer_holds_a_third_item() -> None:
    async with client() as http:
        told = (await http.get("/v1/customers/10078821")).text
        item = {"kind": "postcode", "value": "69003"}
        confirmed = await http.post("/v1/customers/10078821/confirmation", json=item)
    assert "69003" not in told + confirmed.text
    assert confirmed.json() == {"customer_number": "10078821", "confirmed": True}


@pytest.mark.parametrize(
    "given",
    [{"kind": "postcode", "value": "6900"}, {"kind": "iban", "value": "6900"}, {"value": "69003"}, []],
)
async def test_what_is_no_third_item_is_refused(given: object) -> None:
    async with client() as http:
        assert (await http.post("/v1/customers/10078821/confirmation", json=given)).status_code == 422


async def test_the_description_is_a_page_that_loads_nothing() -> None:
    async with client("") as http:
        page = (await http.get("/")).text
        described = (await http.get("/openapi.json")).json()
    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page
    for path in described["paths"]:
        assert path in page
    for field in ("missing_documents", "visit_on", "birth_date", "clause"):
        assert field in page


def test_the_terminal_is_told_the_key_only_when_it_was_made_for_this_run() -> None:
    assert "INSURANCE_API_KEY=made" in welcome("127.0.0.1", 8090, "made", 16)
    assert "as set" in welcome("0.0.0.0", 8090, "", 16)
    assert "http://127.0.0.1:8090/v1" in welcome("0.0.0.0", 8090, "", 16)
