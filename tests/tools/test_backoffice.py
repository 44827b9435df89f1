"""One behaviour suite for both back offices, and what only the one over HTTP can suffer."""

import json
import socket
from collections.abc import AsyncIterator, Iterator
from datetime import date

import httpx
import pytest

from memory.breaker import Breaker, BreakerRules, Breakers
from tests.simulators.backoffice import (
    API_KEY,
    BackofficeSimulator,
    Fault,
    cutting_server,
    running_backoffice,
)
from tools.backoffice import Backoffice, BackofficeUnavailable
from tools.backoffice_demo import DemoBackoffice, DemoData, read_demo_data
from tools.backoffice_http import HttpBackoffice
from tools.gate import Gate, Proven
from tools.identity import Identity, ProofTooWeak
from tools.models import ClaimStatus, ThirdItem, ThirdItemKind, Title

JEANNE, JEANNE_BORN, JEANNE_CLAIM = "10078821", date(1962, 4, 1), "SIN-2026-003117"
KARIM, KARIM_BORN, KARIM_CLAIM = "20451736", date(1985, 12, 15), "SIN-2026-001204"
LEA, LEA_BORN = "30619058", date(1991, 8, 30)
NADIA, NADIA_BORN = "91570283", date(2000, 2, 29)


@pytest.fixture(scope="module")
def data() -> DemoData:
    return read_demo_data()


@pytest.fixture(scope="module")
def running(data: DemoData) -> Iterator[BackofficeSimulator]:
    with running_backoffice(data) as simulator:
        yield simulator


@pytest.fixture
def api(running: BackofficeSimulator) -> Iterator[BackofficeSimulator]:
    running.requests.clear()
    yield running
    running.fault = running.answers_for = None


def patient() -> Breaker:
    """A breaker that never stands in the way: these tests are about single answers."""
    rules = BreakerRules(failures_in_a_row=999, failures_of_last=(999, 999), open_s=0, misconfigured_s=0)
    return Breakers(rules=rules).of("back office")


@pytest.fixture
async def http(api: BackofficeSimulator) -> AsyncIterator[HttpBackoffice]:
    backoffice = HttpBackoffice(api.base_url, API_KEY, timeout_ms=5_000, breaker=patient())
    yield backoffice
    await backoffice.close()


@pytest.fixture(params=["demo", "http"])
def backoffice(request: pytest.FixtureRequest, http: HttpBackoffice, data: DemoData) -> Backoffice:
    twins: dict[str, Backoffice] = {"demo": DemoBackoffice(data), "http": http}
    return twins[request.param]


async def identity_of(number: str, born: date) -> Identity:
    proof = await Gate(DemoBackoffice(), bytes(32)).prove(number, born)
    assert isinstance(proof, Proven)
    return proof.identity


async def strong_identity_of_jeanne() -> Identity:
    gate = Gate(DemoBackoffice(), bytes(32))
    weaker = await identity_of(JEANNE, JEANNE_BORN)
    proof = await gate.confirm(weaker, ThirdItem(ThirdItemKind.POSTCODE, "69003"))
    assert isinstance(proof, Proven)
    return proof.identity


# What both do


@pytest.mark.parametrize("number", [JEANNE, "VIE-0012345", JEANNE_CLAIM])
async def test_a_customer_is_found_by_any_of_her_numbers_and_her_birth_date(
    backoffice: Backoffice, number: str
) -> None:
    found = await backoffice.identify(number, JEANNE_BORN)
    assert found is not None
    assert (found.number, found.title, found.last_name) == (JEANNE, Title.MADAME, "Moreau")


@pytest.mark.parametrize(
    "number", ["99999999", "VIE-9999999", "SIN-2026-999999", "", "../customers", "é" * 9]
)
async def test_an_unknown_number_identifies_nobody(backoffice: Backoffice, number: str) -> None:
    assert await backoffice.identify(number, JEANNE_BORN) is None


@pytest.mark.parametrize("number", [JEANNE, "VIE-0012345", JEANNE_CLAIM])
async def test_a_right_number_with_somebody_elses_birth_date_identifies_nobody(
    backoffice: Backoffice, number: str
) -> None:
    assert await backoffice.identify(number, KARIM_BORN) is None


async def test_the_file_of_the_identified_customer_is_read(backoffice: Backoffice) -> None:
    customer = await backoffice.customer(await identity_of(JEANNE, JEANNE_BORN))
    assert (customer.number, customer.birth_date) == (JEANNE, JEANNE_BORN)


async def test_a_contract_has_its_value_and_the_day_of_it(backoffice: Backoffice) -> None:
    (contract,) = await backoffice.contracts(await identity_of(JEANNE, JEANNE_BORN))
    assert contract.number == "VIE-0012345"
    assert (contract.value_cents, contract.valued_on) == (4_523_018, date(2026, 10, 31))


async def test_two_contracts_come_oldest_first(backoffice: Backoffice) -> None:
    contracts = await backoffice.contracts(await identity_of(KARIM, KARIM_BORN))
    assert [contract.number for contract in contracts] == ["VIE-0023871", "VIE-0031906"]


async def test_a_customer_without_contract_or_claim_has_none(backoffice: Backoffice) -> None:
    nadia = await identity_of(NADIA, NADIA_BORN)
    assert await backoffice.contracts(nadia) == ()
    assert await backoffice.claims(nadia) == ()


async def test_claims_come_newest_first(backoffice: Backoffice) -> None:
    claims = await backoffice.claims(await identity_of(JEANNE, JEANNE_BORN))
    assert [claim.number for claim in claims] == [JEANNE_CLAIM, "SIN-2025-008840"]


async def test_a_claim_is_found_by_its_number(backoffice: Backoffice) -> None:
    claim = await backoffice.claim(await identity_of(JEANNE, JEANNE_BORN), JEANNE_CLAIM)
    assert claim is not None
    assert (claim.kind, claim.status) == ("dégât des eaux", ClaimStatus.UNDER_REVIEW)


async def test_missing_documents_come_with_the_claim(backoffice: Backoffice) -> None:
    (claim,) = await backoffice.claims(await identity_of("52730614", date(1978, 11, 11)))
    assert claim.missing_documents == ("le devis de réparation", "des photos des dommages")


@pytest.mark.parametrize("number", [JEANNE, "VIE-0012345", JEANNE_CLAIM])
async def test_the_holder_of_any_number_is_found(backoffice: Backoffice, number: str) -> None:
    assert await backoffice.holder(number) == JEANNE


@pytest.mark.parametrize("number", ["99999999", "VIE-9999999", "SIN-2026-999999", "../customers"])
async def test_a_number_of_nobody_has_no_holder(backoffice: Backoffice, number: str) -> None:
    assert await backoffice.holder(number) is None


@pytest.mark.parametrize(
    ("kind", "value", "right"),
    [
        (ThirdItemKind.POSTCODE, "69003", True),
        (ThirdItemKind.POSTCODE, "31000", False),
        (ThirdItemKind.LAST_FOUR, "4172", True),
        (ThirdItemKind.LAST_FOUR, "6189", True),
        (ThirdItemKind.LAST_FOUR, "0955", False),
    ],
)
async def test_a_third_item_is_confirmed_for_its_own_customer_only(
    backoffice: Backoffice, kind: ThirdItemKind, value: str, right: bool
) -> None:
    identity = await identity_of(JEANNE, JEANNE_BORN)
    assert await backoffice.confirms(identity, ThirdItem(kind, value)) is right


async def test_beneficiaries_are_told_to_a_stronger_proof_and_refused_to_a_weaker(
    backoffice: Backoffice,
) -> None:
    identity = await identity_of(JEANNE, JEANNE_BORN)
    with pytest.raises(ProofTooWeak):
        await backoffice.beneficiaries(identity)
    (clause,) = await backoffice.beneficiaries(await strong_identity_of_jeanne())
    assert (clause.contract_number, clause.customer_number) == ("VIE-0012345", JEANNE)


async def test_another_customers_claim_is_not_found(backoffice: Backoffice) -> None:
    assert await backoffice.claim(await identity_of(JEANNE, JEANNE_BORN), KARIM_CLAIM) is None


@pytest.mark.parametrize("number", ["SIN-2026-999999", "", "..", "SIN-2026-003117/", JEANNE])
async def test_a_number_that_is_no_claim_of_hers_finds_nothing(backoffice: Backoffice, number: str) -> None:
    assert await backoffice.claim(await identity_of(JEANNE, JEANNE_BORN), number) is None


async def test_an_identity_whose_file_is_gone_is_an_outage_not_an_empty_customer() -> None:
    empty = DemoBackoffice(DemoData(customers=(), contracts=(), claims=()))
    with pytest.raises(BackofficeUnavailable) as raised:
        await empty.customer(await identity_of(JEANNE, JEANNE_BORN))
    assert isinstance(raised.value.__cause__, KeyError)


# What only the one over HTTP can suffer


async def ask_everything(backoffice: HttpBackoffice) -> list[BackofficeUnavailable]:
    """Ask all these questions, each of which must fail; the failures."""
    jeanne = await identity_of(JEANNE, JEANNE_BORN)
    failures = []
    for question in (
        backoffice.identify(JEANNE, JEANNE_BORN),
        backoffice.customer(jeanne),
        backoffice.contracts(jeanne),
        backoffice.claims(jeanne),
        backoffice.claim(jeanne, JEANNE_CLAIM),
        backoffice.holder(JEANNE_CLAIM),
        backoffice.confirms(jeanne, ThirdItem(ThirdItemKind.POSTCODE, "69003")),
    ):
        with pytest.raises(BackofficeUnavailable) as raised:
            await question
        failures.append(raised.value)
    return failures


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=401),
        Fault(status=403),
        Fault(status=429),
        Fault(status=500),
        Fault(status=302),
        Fault(status=204),
        Fault(body=b""),
        Fault(body=b'{"number": "100788'),
        Fault(body=b"\xff\xfe"),
        Fault(body=b"null"),
        Fault(body=b'[{"number": 10078821}]'),
        Fault(body=b'{"number": "10078821", "birth_date": "1962-04-31"}'),
        Fault(body=b"[" * 5_000),
        Fault(body=b'"<html>Bad Gateway</html>"'),
    ],
    ids=lambda fault: f"{fault.status} {fault.body[:16]!r}",
)
async def test_an_answer_that_is_no_answer_is_an_outage_with_its_cause(
    api: BackofficeSimulator, http: HttpBackoffice, fault: Fault
) -> None:
    api.fault = fault
    for failure in await ask_everything(http):
        assert failure.__cause__ is not None


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("value_cents", "4523018"),
        ("value_cents", 45230.18),
        ("value_cents", None),
        ("valued_on", "31/10/2026"),
        ("status", "asleep"),
        ("number", "VIE-12345"),
        ("customer_number", 10078821),
    ],
)
async def test_a_contract_with_a_field_of_the_wrong_form_is_an_outage(
    api: BackofficeSimulator, http: HttpBackoffice, field: str, wrong: object
) -> None:
    good = {
        "number": "VIE-0012345",
        "customer_number": JEANNE,
        "product": "Horizon",
        "status": "active",
        "value_cents": 4_523_018,
        "valued_on": "2026-10-31",
        "opened_on": "2009-05-14",
    }
    jeanne = await identity_of(JEANNE, JEANNE_BORN)
    api.fault = Fault(body=json.dumps([good]).encode())
    assert len(await http.contracts(jeanne)) == 1
    api.fault = Fault(body=json.dumps([good | {field: wrong}]).encode())
    with pytest.raises(BackofficeUnavailable, match="malformed answer"):
        await http.contracts(jeanne)


async def test_a_field_the_api_has_added_is_passed_over(
    api: BackofficeSimulator, http: HttpBackoffice
) -> None:
    record = {
        "number": JEANNE,
        "title": "Madame",
        "first_name": "Jeanne",
        "last_name": "Moreau",
        "birth_date": "1962-04-01",
        "loyalty_points": 12,
    }
    api.fault = Fault(body=json.dumps(record).encode())
    customer = await http.customer(await identity_of(JEANNE, JEANNE_BORN))
    assert customer.first_name == "Jeanne"


async def test_an_error_text_and_its_causes_hold_no_personal_data(
    api: BackofficeSimulator, http: HttpBackoffice
) -> None:
    wrong = {
        "number": JEANNE,
        "title": "Docteur",
        "first_name": 7,
        "last_name": "Moreau",
        "birth_date": "1962",
    }
    for fault in (Fault(status=500), Fault(body=json.dumps(wrong).encode())):
        api.fault = fault
        for failure in await ask_everything(http):
            shown = f"{failure} {failure.__cause__} {failure.__cause__!r}"
            assert not any(secret in shown for secret in (JEANNE, "003117", "Moreau", "1962", "127.0.0.1"))


async def test_a_server_that_stalls_is_an_outage_within_the_time_given(api: BackofficeSimulator) -> None:
    hasty = HttpBackoffice(api.base_url, API_KEY, timeout_ms=50, breaker=patient())
    api.fault = Fault(body=b"{}", stall_seconds=0.2)
    for failure in await ask_everything(hasty):
        assert "no answer within 50 ms" in str(failure) or "Timeout" in str(failure)
        assert failure.__cause__ is not None
    await hasty.close()


async def test_a_wrong_key_is_an_outage(api: BackofficeSimulator) -> None:
    stranger = HttpBackoffice(api.base_url, "another-key", breaker=patient())
    assert all("HTTP 401" in str(failure) for failure in await ask_everything(stranger))
    await stranger.close()


async def test_a_refused_connection_is_tried_twice_and_then_an_outage() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    tries = 0

    class CountingTransport(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            nonlocal tries
            tries += 1
            return await super().handle_async_request(request)

    client = httpx.AsyncClient(transport=CountingTransport())
    nobody = HttpBackoffice(f"http://127.0.0.1:{port}", API_KEY, client=client)
    with pytest.raises(BackofficeUnavailable) as raised:
        await nobody.identify(JEANNE, JEANNE_BORN)
    assert isinstance(raised.value.__cause__, httpx.ConnectError)
    assert tries == 2
    await nobody.close()


CUSTOMER_JSON = (
    b'{"number":"10078821","title":"Madame","first_name":"J","last_name":"M","birth_date":"1962-04-01"}'
)
GOOD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
    % len(CUSTOMER_JSON)
) + CUSTOMER_JSON


@pytest.mark.parametrize(
    "first",
    [b"", b"HTTP/1.1 503 Busy\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", GOOD[:-20]],
    ids=["cut before an answer", "a gateway's 503", "cut in the middle of the answer"],
)
async def test_a_connection_that_is_cut_and_a_gateway_are_asked_once_more(first: bytes) -> None:
    with cutting_server([first, GOOD]) as address:
        backoffice = HttpBackoffice(address, API_KEY)
        found = await backoffice.identify(JEANNE, JEANNE_BORN)
        await backoffice.close()
    assert found is not None


async def test_an_api_that_keeps_failing_is_left_alone_for_a_while(api: BackofficeSimulator) -> None:
    seconds = 0.0
    breaker = Breakers(clock=lambda: seconds, rules=BreakerRules(failures_in_a_row=3, open_s=5)).of("b")
    http = HttpBackoffice(api.base_url, API_KEY, breaker=breaker)
    api.fault = Fault(status=500)
    for _ in range(5):
        with pytest.raises(BackofficeUnavailable):
            await http.identify(JEANNE, JEANNE_BORN)
    assert len(api.requests) == 3, "the other two were answered at once, without asking"
    api.fault, seconds = None, 6.0
    assert await http.identify(JEANNE, JEANNE_BORN) is not None, "one probe, and it works again"
    await http.close()


async def test_nobody_found_is_no_failure_of_the_api(api: BackofficeSimulator) -> None:
    breaker = Breakers(rules=BreakerRules(failures_in_a_row=1)).of("b")
    http = HttpBackoffice(api.base_url, API_KEY, breaker=breaker)
    for _ in range(3):
        assert await http.identify("99999999", JEANNE_BORN) is None
    assert await http.identify(JEANNE, JEANNE_BORN) is not None
    await http.close()


async def test_a_failing_server_is_asked_once(api: BackofficeSimulator, http: HttpBackoffice) -> None:
    api.fault = Fault(status=500)
    with pytest.raises(BackofficeUnavailable):
        await http.identify(JEANNE, JEANNE_BORN)
    assert len(api.requests) == 1


async def test_an_api_that_answers_for_another_customer_gives_nothing_away(
    api: BackofficeSimulator, http: HttpBackoffice
) -> None:
    api.answers_for = KARIM
    jeanne = await identity_of(JEANNE, JEANNE_BORN)
    assert await http.contracts(jeanne) == ()
    assert await http.claims(jeanne) == ()
    assert await http.claim(jeanne, KARIM_CLAIM) is None
    assert await http.beneficiaries(await strong_identity_of_jeanne()) == ()
    assert not await http.confirms(jeanne, ThirdItem(ThirdItemKind.POSTCODE, "31000"))
    with pytest.raises(BackofficeUnavailable, match="another customer"):
        await http.customer(jeanne)


async def test_the_birth_date_is_in_no_url_and_paths_are_those_of_the_specification(
    api: BackofficeSimulator, http: HttpBackoffice
) -> None:
    jeanne = await identity_of(JEANNE, JEANNE_BORN)
    await http.identify(JEANNE, JEANNE_BORN)
    await http.customer(jeanne)
    await http.contracts(jeanne)
    await http.claims(jeanne)
    await http.claim(jeanne, JEANNE_CLAIM)
    await http.holder("VIE-0012345")
    await http.confirms(jeanne, ThirdItem(ThirdItemKind.POSTCODE, "69003"))
    await http.beneficiaries(await strong_identity_of_jeanne())
    assert api.requests == [
        ("POST", "/v1/identity"),
        ("GET", f"/v1/customers/{JEANNE}"),
        ("GET", f"/v1/contracts/{JEANNE}"),
        ("GET", f"/v1/customers/{JEANNE}/claims"),
        ("GET", f"/v1/claims/{JEANNE_CLAIM}"),
        ("POST", "/v1/holder"),
        ("POST", f"/v1/customers/{JEANNE}/confirmation"),
        ("GET", f"/v1/contracts/{JEANNE}/beneficiaries"),
    ]


@pytest.mark.parametrize("address", ["", "api.example", "ftp://api.example", "http://", "http://host:port"])
def test_an_address_that_is_none_is_refused_at_the_start(address: str) -> None:
    with pytest.raises(ValueError, match="address of the insurance API"):
        HttpBackoffice(address, API_KEY)


@pytest.mark.parametrize("key", ["", "clé", "a\nb"])
def test_a_key_no_header_can_carry_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(ValueError, match="key of the insurance API") as raised:
        HttpBackoffice("http://api.example", key)
    assert not key or key not in str(raised.value)
