"""The HTTP pages, asked as a client asks them: key first, then what each page promises."""

import base64
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from uuid import uuid4

import httpx
import pytest
from langgraph.checkpoint.memory import InMemorySaver

from app.pages.door import LONGEST_BODY_BYTES
from app.pages.routes import create_app
from app.pages.schemas import LONGEST_TEXT
from app.text_calls import PREFIX
from app.watching.metrics import Metrics
from graph.builder import build_graph
from graph.dialogue import Dialogue
from graph.heard import CallBegins, Words
from graph.state import CallState
from knowledge.retriever import KnowledgeUnavailable, ListRetriever, Passage, Retriever
from memory.breaker import Fault, FaultKind
from telephony.call import Call, CallId, HungUp
from telephony.journal import CallEnded, CallStarted, NodePassed, StageFailed, TurnHeard
from tests.app.office import MADAME_MOREAU, REFUSAL, Office, dialogue_of, opened
from tests.graph.conversation import HOURS, services

KEY = "the-key-of-the-test"
NAME = str(uuid4())
SECRET_WORDS = "mon code secret est perroquet"

PAGES = [
    ("GET", "/ready"),
    ("GET", "/metrics"),
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
    ("POST", "/api/call/init"),
    ("GET", f"/api/call/{NAME}/status"),
    ("GET", "/api/live-calls"),
    ("GET", "/api/alarms"),
    ("POST", f"/api/live-calls/{NAME}/hang-up"),
    ("POST", f"/api/live-calls/{NAME}/transfer"),
    ("POST", f"/api/live-calls/{NAME}/queue"),
    ("POST", "/api/text-calls"),
    ("POST", f"/api/text-calls/{PREFIX}{NAME}/turns"),
    ("GET", f"/api/text-calls/{PREFIX}{NAME}"),
    ("DELETE", f"/api/text-calls/{PREFIX}{NAME}"),
    ("GET", "/no/such/page"),
]

WITHOUT_THE_KEY: list[dict[str, str]] = [
    {},
    {"X-API-Key": ""},
    {"X-API-Key": KEY[:-1]},
    {"X-API-Key": KEY + "x"},
    {"Authorization": "Bearer"},
    {"Authorization": "Bearer wrong"},
    {"Authorization": KEY},
    {"Authorization": "Basic !!"},
]


class BrokenRetriever:
    """Fails as nobody expects, with the caller's words in its message."""

    async def search(self, question: str, limit: int = 3) -> list[Passage]:
        raise RuntimeError(f"no idea of {question}")


class AwayRetriever:
    """Its server does not answer the phone."""

    async def search(self, question: str, limit: int = 3) -> list[Passage]:
        raise KnowledgeUnavailable("the server at 10.0.0.7 is away")


class FullDisk(Dialogue):
    """Its checkpoint store fails."""

    async def state(self, call_id: str) -> CallState:
        raise OSError("no space left on /var/lib/agent")


@dataclass
class Pages:
    """A client with the key, and what it talks to."""

    http: httpx.AsyncClient
    office: Office
    metrics: Metrics

    async def begin(self) -> str:
        answer = await self.http.post("/api/text-calls")
        assert answer.status_code == 201
        return str(answer.json()["call_id"])

    async def turn(self, call_id: str, **given: object) -> httpx.Response:
        return await self.http.post(f"/api/text-calls/{call_id}/turns", json=given)


@asynccontextmanager
async def opened_pages(
    dialogue: Dialogue | None = None, knowledge: Retriever | None = None
) -> AsyncIterator[Pages]:
    metrics = Metrics()
    async with opened(dialogue, (metrics,), knowledge) as office:
        app = create_app(office.agent, KEY, metrics)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://agent", headers={"X-API-Key": KEY}
        ) as http:
            yield Pages(http, office, metrics)


@pytest.fixture
async def pages() -> AsyncIterator[Pages]:
    async with opened_pages() as opened_ones:
        yield opened_ones


# the key


async def test_health_is_open_and_says_nothing_else(pages: Pages) -> None:
    del pages.http.headers["X-API-Key"]
    answer = await pages.http.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


@pytest.mark.parametrize(("method", "path"), PAGES)
async def test_no_page_opens_without_the_key(pages: Pages, method: str, path: str) -> None:
    del pages.http.headers["X-API-Key"]
    for headers in WITHOUT_THE_KEY:
        answer = await pages.http.request(method, path, headers=headers)
        assert answer.status_code == 401, headers
        assert "X-API-Key" in answer.json()["detail"]
        assert answer.headers["www-authenticate"]
    assert pages.office.journal.events == []


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": KEY},
        {"Authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer {KEY}"},
        {"X-API-Key": "wrong", "Authorization": f"Bearer {KEY}"},
    ],
)
async def test_the_key_opens_by_either_header(pages: Pages, headers: dict[str, str]) -> None:
    del pages.http.headers["X-API-Key"]
    answer = await pages.http.get("/ready", headers=headers)
    assert answer.status_code == 200


async def test_a_browser_opens_the_documentation_with_the_key_as_password_and_nothing_else(
    pages: Pages,
) -> None:
    del pages.http.headers["X-API-Key"]
    basic = {"Authorization": "Basic " + base64.b64encode(f"me:{KEY}".encode()).decode()}
    assert (await pages.http.get("/docs", headers=basic)).status_code == 200
    assert (await pages.http.get("/openapi.json", headers=basic)).status_code == 200
    assert (await pages.http.post("/api/text-calls", headers=basic)).status_code == 401
    asked = await pages.http.get("/docs")
    assert asked.headers["www-authenticate"].startswith("Basic ")


async def test_a_header_that_is_no_ascii_opens_nothing(pages: Pages) -> None:
    del pages.http.headers["X-API-Key"]
    answer = await pages.http.get("/ready", headers=[(b"X-API-Key", "clé".encode("latin-1"))])
    assert answer.status_code == 401


# limits


async def test_a_body_beyond_the_limit_is_refused(pages: Pages) -> None:
    call_id = await pages.begin()
    answer = await pages.http.post(
        f"/api/text-calls/{call_id}/turns", content=b"x" * (LONGEST_BODY_BYTES + 1)
    )
    assert answer.status_code == 413
    assert str(LONGEST_BODY_BYTES) in answer.json()["detail"]


async def test_a_body_that_does_not_say_its_length_is_counted(pages: Pages) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1000

    answer = await pages.http.post("/api/call/init", content=endless())
    assert answer.status_code == 413


async def test_every_length_of_text_up_to_the_limit_fits_the_body(pages: Pages) -> None:
    call_id = await pages.begin()
    escaped = json.dumps({"text": "\U0001f600" * LONGEST_TEXT})  # 12 bytes each
    longest = await pages.http.post(
        f"/api/text-calls/{call_id}/turns", content=escaped, headers={"content-type": "application/json"}
    )
    assert longest.status_code == 200
    assert (await pages.turn(call_id, text="a" * (LONGEST_TEXT + 1))).status_code == 422


# unexpected errors


async def test_an_unexpected_error_is_told_without_its_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with opened_pages(dialogue_of(replace(services(), retriever=BrokenRetriever()))) as pages:
        call_id = await pages.begin()
        answer = await pages.turn(call_id, text=f"vos horaires, {SECRET_WORDS}")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/json"
    assert SECRET_WORDS not in answer.text
    assert SECRET_WORDS not in caplog.text
    (record,) = [record for record in caplog.records if record.getMessage() == "http.failed"]
    assert vars(record)["call_id"] == call_id
    assert vars(record)["error"] == "RuntimeError"
    assert pages.metrics.value("voicebot_errors_total", component="dialogue") == 1


# operations


async def test_an_agent_that_can_take_calls_says_so_and_with_what() -> None:
    async with opened_pages(knowledge=ListRetriever([HOURS])) as pages:
        answer = await pages.http.get("/ready")
    assert answer.status_code == 200
    assert answer.json() == {
        "ready": True,
        "parts": {"ear": "none", "voice": "none"},
        "reasons": [],
        "providers": [],
        "configuration_faults": [],
    }


async def test_a_checkpoint_store_that_fails_is_a_reason_not_to_take_calls() -> None:
    async with opened_pages(FullDisk(build_graph(services()), InMemorySaver())) as pages:
        answer = await pages.http.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["checkpoints: OSError"]


async def test_knowledge_that_is_away_is_a_reason_not_to_take_calls() -> None:
    async with opened_pages(knowledge=AwayRetriever()) as pages:
        answer = await pages.http.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["knowledge: KnowledgeUnavailable"]


async def test_ports_that_nobody_listens_on_are_reasons_not_to_take_calls(pages: Pages) -> None:
    await pages.office.agent.agi.close()
    await pages.office.agent.media.close()
    answer = await pages.http.get("/ready")
    assert answer.status_code == 503
    reasons = answer.json()["reasons"]
    assert [reason.split(":")[0] for reason in reasons] == ["AGI", "AudioSocket"]


async def test_a_part_that_was_not_chosen_is_a_reason_not_to_take_calls(pages: Pages) -> None:
    pages.office.agent.parts["voice"] = ""
    answer = await pages.http.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["voice: none was chosen"]


async def test_providers_that_are_down_or_refuse_their_settings_are_named_and_calls_are_taken(
    pages: Pages,
) -> None:
    breakers = pages.office.agent.breakers
    breakers.of("groq:gone").attempt_failed(Fault(FaultKind.CONFIGURATION, "HTTP 404 model_not_found"))
    breakers.of("groq:whisper").attempt_failed(Fault(FaultKind.BUSY, "HTTP 429", 1e9))
    answer = await pages.http.get("/ready")
    assert answer.status_code == 200
    gone, busy = answer.json()["providers"]
    assert (gone["name"], gone["state"]) == ("groq:gone", "misconfigured")
    assert (busy["name"], busy["state"], busy["last_fault"]) == ("groq:whisper", "open", "HTTP 429")
    assert 0 < busy["retry_in_s"] <= 60
    [fault] = answer.json()["configuration_faults"]
    assert fault.startswith("groq:gone: HTTP 404 model_not_found; ")


async def test_prometheus_reads_the_metrics_and_text_calls_are_in_them(pages: Pages) -> None:
    call_id = await pages.begin()
    assert "voicebot_active_calls 1.0" in (await pages.http.get("/metrics")).text
    await pages.turn(call_id, text="au revoir")
    answer = await pages.http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'voicebot_calls_total{outcome="hung_up"} 1.0' in answer.text
    assert call_id not in answer.text


# phone calls


async def test_the_dialplan_announces_a_call_by_form(pages: Pages) -> None:
    answer = await pages.http.post("/api/call/init", data={"call_id": NAME, "caller": "0612345678"})
    assert (answer.status_code, answer.json()) == (200, {"call_id": NAME, "status": "announced"})
    assert (await pages.http.get(f"/api/call/{NAME}/status")).json()["phase"] == "announced"


async def test_the_dialplan_announces_a_call_by_query(pages: Pages) -> None:
    answer = await pages.http.post(f"/api/call/init?call_id={NAME.upper()}&caller=%2B33612345678")
    assert (answer.status_code, answer.json()["call_id"]) == (200, NAME)


async def test_announcing_a_call_again_tells_how_it_stands(pages: Pages) -> None:
    await pages.http.post("/api/call/init", data={"call_id": NAME})
    pages.office.agent.journal.note(CallId(NAME), CallStarted(Call(CallId(NAME))))
    answer = await pages.http.post("/api/call/init", data={"call_id": NAME}, params={"call_id": NAME})
    assert (answer.status_code, answer.json()["status"]) == (200, "live")


@pytest.mark.parametrize(
    ("form", "query", "why"),
    [
        ({}, {}, "missing"),
        ({"caller": "0612345678"}, {}, "missing"),
        ({"call_id": "1763841474.12"}, {}, "UUID"),
        ({}, {"call_id": "pas un identifiant"}, "UUID"),
        ({"call_id": NAME}, {"call_id": str(uuid4())}, "two different calls"),
        ({"call_id": NAME, "caler": "06"}, {}, "caler"),
        ({}, {"call_id": NAME, "x": "1"}, "x: Extra"),
        ({"call_id": NAME, "caller": "0" * 65}, {}, "caller"),
    ],
)
async def test_an_announcement_that_cannot_be_used_is_refused_in_one_sentence(
    pages: Pages, form: dict[str, str], query: dict[str, str], why: str
) -> None:
    answer = await pages.http.post("/api/call/init", data=form, params=query)
    assert answer.status_code == 422
    assert why in answer.json()["detail"]
    assert "\n" not in answer.json()["detail"]


async def test_the_callers_number_is_neither_logged_nor_told(
    pages: Pages, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for given in ({"call_id": NAME, "caller": "0612345678"}, {"call_id": "?", "caller": "0612345678"}):
        answer = await pages.http.post("/api/call/init", data=given)
        assert "0612345678" not in answer.text
    told = [
        record.getMessage() for record in caplog.records if record.name.split(".")[0] in ("app", "telephony")
    ]
    assert not [line for line in told if "0612345678" in line]
    assert "0612345678" not in (await pages.http.get(f"/api/call/{NAME}/status")).text


async def test_the_status_of_a_call_tells_how_it_goes_and_nothing_of_the_caller(pages: Pages) -> None:
    call_id, note = CallId(NAME), pages.office.agent.journal.note
    note(call_id, CallStarted(Call(call_id, caller="0612345678")))
    note(call_id, TurnHeard(Words(SECRET_WORDS)))
    note(call_id, NodePassed("classify", 1.0))
    note(call_id, StageFailed("stt", RuntimeError(SECRET_WORDS)))
    answer = await pages.http.get(f"/api/call/{NAME}/status")
    status = answer.json()
    assert status.pop("seconds") >= 0
    assert status == {
        "call_id": NAME,
        "phase": "live",
        "turns": 1,
        "nodes": ["classify"],
        "heard_silence_ms": None,
        "failures": 1,
    }
    note(call_id, CallEnded(HungUp()))
    assert (await pages.http.get(f"/api/call/{NAME}/status")).json()["phase"] == "hung_up"


@pytest.mark.parametrize("name", [NAME, "x", "..", "%00", "é"])
async def test_the_status_of_a_call_that_nobody_knows_is_not_found(pages: Pages, name: str) -> None:
    assert (await pages.http.get(f"/api/call/{name}/status")).status_code == 404


# text calls


async def test_a_text_call_from_the_greeting_to_the_goodbye(pages: Pages) -> None:
    begun = (await pages.http.post("/api/text-calls")).json()
    assert begun["call_id"].startswith(PREFIX)
    assert [said["key"] for said in begun["said"]] == ["greet.notice", "greet.question"]
    assert all(said["text"] for said in begun["said"])
    assert (begun["next"], begun["listening"], begun["handover"]) == ("listening", "open", None)
    assert begun["nodes"][0]["node"] == "greet"
    number, born = MADAME_MOREAU
    asked = (await pages.turn(begun["call_id"], text="combien j'ai sur mon assurance vie")).json()
    assert asked["listening"] == "number"
    assert (await pages.turn(begun["call_id"], digits=f"{number}#")).json()["listening"] == "date"
    answered = (await pages.turn(begun["call_id"], digits=born)).json()
    assert [ran["node"] for ran in answered["nodes"]] == ["classify", "authenticate", "contract"]
    ended = (await pages.turn(begun["call_id"], text="au revoir")).json()
    assert (ended["next"], ended["listening"], ended["handover"]) == ("hangup", None, None)


async def test_silence_is_a_turn(pages: Pages) -> None:
    call_id = await pages.begin()
    answer = await pages.turn(call_id, silence=True)
    assert [said["key"] for said in answer.json()["said"]] == ["repair.quiet"]


async def test_a_text_call_that_is_handed_over_shows_to_whom(pages: Pages) -> None:
    call_id = await pages.begin()
    answer = (await pages.turn(call_id, text="un conseiller")).json()
    assert answer["next"] == "transfer"
    assert (answer["handover"]["queue"], answer["handover"]["customer_number"]) == ("conseillers", "")
    assert (await pages.turn(call_id, text="allô")).status_code == 409


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "exactly one"),
        ({"text": "bonjour", "digits": "1"}, "exactly one"),
        ({"text": None}, "exactly one"),
        ({"digits": "12a"}, "digits"),
        ({"digits": ""}, "digits"),
        ({"digits": "#"}, "digits"),
        ({"digits": "1" * 34}, "digits"),
        ({"digits": "١٢٣"}, "digits"),
        ({"digits": 1234}, "digits"),
        ({"silence": False}, "silence"),
        ({"text": 5}, "text"),
        ({"text": ["bonjour"]}, "text"),
        ({"text": "bonjour", "call_id": "x"}, "call_id: Extra"),
        ([], "dict"),
        ("bonjour", "dict"),
    ],
)
async def test_a_turn_that_is_not_one_of_the_three_is_refused(pages: Pages, given: object, why: str) -> None:
    call_id = await pages.begin()
    answer = await pages.http.post(f"/api/text-calls/{call_id}/turns", json=given)
    assert answer.status_code == 422
    assert why in answer.json()["detail"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b'{"text": "\\ud800"}', 422),
        (b'{"\\ud800": "bonjour"}', 422),
        (b'{"text": "\xff"}', 400),
        (b"[" * 10_000, 400),
        (b'{"digits": ' + b"9" * 5000 + b"}", 400),
    ],
)
async def test_a_broken_body_is_a_clients_fault(pages: Pages, content: bytes, status: int) -> None:
    call_id = await pages.begin()
    answer = await pages.http.post(
        f"/api/text-calls/{call_id}/turns", content=content, headers={"content-type": "application/json"}
    )
    assert answer.status_code == status
    assert answer.json()["detail"]


async def test_a_refusal_does_not_send_back_what_was_sent(pages: Pages) -> None:
    call_id = await pages.begin()
    for given in ({"text": SECRET_WORDS * 50}, {"digits": SECRET_WORDS}, {"silence": SECRET_WORDS}):
        answer = await pages.turn(call_id, **given)
        assert answer.status_code == 422
        assert "perroquet" not in answer.text


async def test_beginning_asks_for_nothing(pages: Pages) -> None:
    assert (await pages.http.post("/api/text-calls", json={})).status_code == 201
    assert (await pages.http.post("/api/text-calls", json={"text": "bonjour"})).status_code == 422


async def test_the_state_of_a_text_call_shows_no_seal(pages: Pages) -> None:
    call_id = await pages.begin()
    for given in ({"text": "je voudrais m'identifier"}, *({"digits": keys} for keys in MADAME_MOREAU)):
        await pages.turn(call_id, **given)
    answer = await pages.http.get(f"/api/text-calls/{call_id}")
    state = answer.json()
    assert (state["identified"], state["level"], state["ended"]) == (True, 1, "")
    assert "signature" not in answer.text
    sealed = (await pages.office.agent.dialogue.state(call_id))["identity"]
    assert sealed
    assert str(sealed["signature"]) not in answer.text
    assert state["messages"][0]["key"] == "greet.notice"


async def test_the_words_of_who_refuses_recording_are_not_shown(pages: Pages) -> None:
    call_id = await pages.begin()
    assert (await pages.turn(call_id, text=REFUSAL)).json()["recording_refused"] is True
    state = (await pages.http.get(f"/api/text-calls/{call_id}")).json()
    assert (state["recording"], state["messages"]) == ("refused", [])


async def test_a_forgotten_text_call_is_not_found(pages: Pages) -> None:
    call_id = await pages.begin()
    answer = await pages.http.delete(f"/api/text-calls/{call_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await pages.http.get(f"/api/text-calls/{call_id}")).status_code == 404
    assert (await pages.turn(call_id, text="bonjour")).status_code == 404
    assert (await pages.http.delete(f"/api/text-calls/{call_id}")).status_code == 404


async def test_the_text_pages_cannot_reach_a_phone_call(pages: Pages) -> None:
    dialogue = pages.office.agent.dialogue
    _ = [reply async for reply in dialogue.turn(NAME, CallBegins())]
    before = await dialogue.state(NAME)
    assert before
    assert (await pages.http.get(f"/api/text-calls/{NAME}")).status_code == 404
    assert (await pages.turn(NAME, text="au revoir")).status_code == 404
    assert (await pages.http.delete(f"/api/text-calls/{NAME}")).status_code == 404
    assert await dialogue.state(NAME) == before


# the description


async def test_every_page_is_described(pages: Pages) -> None:
    document = (await pages.http.get("/openapi.json")).json()
    operations = {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert operations.keys() == {
        "GET /health",
        "GET /ready",
        "GET /metrics",
        "POST /api/call/init",
        "GET /api/call/{call_id}/status",
        "GET /api/live-calls",
        "GET /api/alarms",
        "POST /api/live-calls/{call_id}/hang-up",
        "POST /api/live-calls/{call_id}/transfer",
        "POST /api/live-calls/{call_id}/queue",
        "POST /api/text-calls",
        "POST /api/text-calls/{call_id}/turns",
        "GET /api/text-calls/{call_id}",
        "DELETE /api/text-calls/{call_id}",
    }
    for name, operation in operations.items():
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["tags"], name
        assert bool(operation.get("security")) is (name != "GET /health"), name
        answers = operation["responses"]
        assert ("401" in answers) is (name != "GET /health"), name
        if "422" in answers:
            schema = answers["422"]["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Problem"}, name
    assert "API key" in document["info"]["description"] or "X-API-Key" in document["info"]["description"]
    assert json.dumps(document).count("examples") > 10
