"""The pages for operations: live calls, alarms, and what an operator may do."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from app.pages.routes import create_app
from app.watching.metrics import Metrics
from telephony.ami import AmiState, RtpReported
from telephony.call import Call, CallId
from telephony.journal import CallerIdentified, CallStarted, NodePassed
from telephony.simulated.ami import SimulatedAmi
from tests.app.office import Office, opened

KEY = "the-key-of-the-test"
CALL = CallId("0b6e3f0e-5d0e-4c58-9c8e-3a1f2b4c5d6e")
CALLER = "0612345678"
CHANNEL = "PJSIP/trunk-1"


@asynccontextmanager
async def pages_of(ami: SimulatedAmi | None) -> AsyncIterator[tuple[httpx.AsyncClient, Office]]:
    metrics = Metrics()
    async with opened(ami=ami) as office:
        app = create_app(office.agent, KEY, metrics)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://agent", headers={"X-API-Key": KEY}
        ) as http:
            yield http, office


@pytest.fixture
def asterisk() -> SimulatedAmi:
    return SimulatedAmi(
        extensions={("operator", "201"), ("operator", "sinistres")}, waiting={"sinistres": []}
    )


@pytest.fixture
async def pages(asterisk: SimulatedAmi) -> AsyncIterator[tuple[httpx.AsyncClient, Office]]:
    """A caller who is with the agent."""
    async with pages_of(asterisk) as (http, office):
        uniqueid = asterisk.ring(CHANNEL, caller=CALLER)
        office.agent.calls.note(CALL, CallStarted(Call(CALL, CALLER, "600", CHANNEL)))
        asterisk.carry_sound(uniqueid, CALL, f"127.0.0.1:{office.agent.media.port}")
        await office.agent.monitor.refresh()
        yield http, office


Pages = tuple[httpx.AsyncClient, Office]


async def test_a_live_call_is_shown_from_both_sides(pages: Pages, asterisk: SimulatedAmi) -> None:
    http, office = pages
    uniqueid = next(iter(asterisk.live))
    asterisk.tell(RtpReported(uniqueid, received=True, loss_ratio=0.125, jitter_ticks=16))
    office.agent.calls.note(CALL, NodePassed("claims", 1.0))
    office.agent.calls.note(CALL, CallerIdentified())
    answer = await http.get("/api/live-calls")
    assert answer.headers["cache-control"] == "no-store"
    shown = answer.json()
    (call,) = shown["calls"]
    assert call.pop("seconds") >= 0
    assert shown["link"] == "up"
    assert call == {
        "name": CALL,
        "asterisk": {
            "channel": CHANNEL,
            "uniqueid": uniqueid,
            "caller": CALLER,
            "state": "up",
            "context": "from-trunk",
            "extension": "600",
            "application": "AudioSocket",
            "queue": "",
            "codec": "alaw",
            "bridged_with": [],
            "received": {
                "loss_ratio": 0.125,
                "jitter_ms": 2.0,
                "whole_loss_ratio": 0.125,
                "whole_jitter_ms": 2.0,
            },
            "sent": None,
        },
        "agent": {
            "call_id": CALL,
            "node": "claims",
            "turns": 0,
            "identified": True,
            "heard_silence_ms": None,
            "failures": 0,
        },
    }


async def test_without_a_link_the_pages_say_so_and_show_what_the_agent_knows(
    pages: Pages, asterisk: SimulatedAmi
) -> None:
    http, _ = pages
    asterisk.become(AmiState.AWAY)
    shown = (await http.get("/api/live-calls")).json()
    assert shown["link"] == "away"
    assert [(call["name"], call["asterisk"]) for call in shown["calls"]] == [(CALL, None)]
    asterisk.become(AmiState.REFUSED)
    alarms = (await http.get("/api/alarms")).json()
    assert alarms["link"] == "refused"
    assert [alarm["kind"] for alarm in alarms["alarms"]] == ["ami_refused"]


async def test_without_a_configuration_the_pages_say_so() -> None:
    async with pages_of(None) as (http, _):
        assert (await http.get("/api/live-calls")).json() == {"link": "none", "calls": []}
        assert (await http.get("/api/alarms")).json() == {"link": "none", "alarms": []}
        answer = await http.post(f"/api/live-calls/{CALL}/hang-up")
    assert answer.status_code == 503
    assert "ASTERISK_AMI_SECRET" in answer.json()["detail"]


async def test_a_call_is_hung_up(pages: Pages, asterisk: SimulatedAmi) -> None:
    http, _ = pages
    answer = await http.post(f"/api/live-calls/{CALL}/hang-up")
    assert (answer.status_code, answer.content) == (204, b"")
    assert asterisk.live == {}


async def test_a_call_is_transferred(pages: Pages, asterisk: SimulatedAmi) -> None:
    http, _ = pages
    answer = await http.post(f"/api/live-calls/{CALL}/transfer", json={"extension": "201"})
    assert answer.status_code == 204
    assert next(iter(asterisk.live.values())).channel.exten == "201"


async def test_a_call_is_sent_to_a_queue(pages: Pages, asterisk: SimulatedAmi) -> None:
    http, _ = pages
    answer = await http.post(f"/api/live-calls/{CALL}/queue", json={"queue": "sinistres"})
    assert answer.status_code == 204
    assert next(iter(asterisk.live.values())).channel.exten == "sinistres"


ACTIONS: list[tuple[str, dict[str, str] | None]] = [
    ("hang-up", None),
    ("transfer", {"extension": "201"}),
    ("queue", {"queue": "sinistres"}),
]


@pytest.mark.parametrize(("action", "given"), ACTIONS)
@pytest.mark.parametrize("name", ["x", "11111111-5d0e-4c58-9c8e-3a1f2b4c5d6e", "%0D%0AAction"])
async def test_no_action_on_a_call_that_nobody_knows(
    pages: Pages, action: str, given: dict[str, str] | None, name: str
) -> None:
    answer = await pages[0].post(f"/api/live-calls/{name}/{action}", json=given)
    assert (answer.status_code, answer.json()["detail"]) == (404, "there is no such live call")


@pytest.mark.parametrize(("action", "given"), ACTIONS)
async def test_no_action_on_a_call_whose_channel_has_gone(
    pages: Pages, asterisk: SimulatedAmi, action: str, given: dict[str, str] | None
) -> None:
    http, _ = pages
    unseen = dict(asterisk.live)
    asterisk.live.clear()  # Asterisk knows, we do not yet
    answer = await http.post(f"/api/live-calls/{CALL}/{action}", json=given)
    assert (answer.status_code, answer.json()["detail"]) == (409, "No such channel")
    asterisk.live |= unseen
    asterisk.leave(next(iter(unseen)))
    answer = await http.post(f"/api/live-calls/{CALL}/{action}", json=given)
    assert answer.status_code == 409


@pytest.mark.parametrize(("action", "given"), ACTIONS)
async def test_no_action_without_the_link(
    pages: Pages, asterisk: SimulatedAmi, action: str, given: dict[str, str] | None
) -> None:
    asterisk.become(AmiState.AWAY)
    answer = await pages[0].post(f"/api/live-calls/{CALL}/{action}", json=given)
    assert answer.status_code == 503
    assert "away" in answer.json()["detail"]


async def test_a_place_that_the_dialplan_does_not_have_is_not_found(
    pages: Pages, asterisk: SimulatedAmi
) -> None:
    http, _ = pages
    before = dict(asterisk.live)
    for action, given in (("transfer", {"extension": "999"}), ("queue", {"queue": "none"})):
        answer = await http.post(f"/api/live-calls/{CALL}/{action}", json=given)
        assert answer.status_code == 404
        assert next(iter(given.values())) in answer.json()["detail"]
    assert asterisk.live == before


@pytest.mark.parametrize(
    "extension", ["", "h", "t", "i", "_X.", "201,1", "20 1", "2\r\n1", "é", "s@other", "x" * 65, "-1"]
)
async def test_what_is_no_extension_does_not_reach_asterisk(pages: Pages, extension: str) -> None:
    http, _ = pages
    for action, given in (("transfer", {"extension": extension}), ("queue", {"queue": extension})):
        answer = await http.post(f"/api/live-calls/{CALL}/{action}", json=given)
        assert answer.status_code == 422


@pytest.mark.parametrize("extension", ["0", "*", "#", "201", "+33100000000", "conseillers", "file_vie-2"])
async def test_what_an_extension_may_be(pages: Pages, asterisk: SimulatedAmi, extension: str) -> None:
    asterisk.extensions.add(("operator", extension))
    answer = await pages[0].post(f"/api/live-calls/{CALL}/transfer", json={"extension": extension})
    assert answer.status_code == 204


async def test_the_callers_number_is_on_the_page_and_nowhere_else(
    pages: Pages, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="app")
    caplog.set_level(logging.DEBUG, logger="telephony")
    http, office = pages
    assert CALLER in (await http.get("/api/live-calls")).text
    for page in ("/api/alarms", "/metrics", f"/api/call/{CALL}/status", "/ready"):
        assert CALLER not in (await http.get(page)).text
    await http.post(f"/api/live-calls/{CALL}/transfer", json={"extension": "999"})
    await http.post(f"/api/live-calls/{CALL}/hang-up")
    await office.agent.monitor.refresh()
    assert CALLER not in caplog.text


async def test_an_agent_whose_asterisk_is_away_can_take_calls(pages: Pages, asterisk: SimulatedAmi) -> None:
    asterisk.become(AmiState.AWAY)
    assert (await pages[0].get("/ready")).status_code == 200
