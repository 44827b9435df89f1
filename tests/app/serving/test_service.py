"""The whole service on real sockets: up, asked, rung, and down again without a trace."""

import asyncio
import json
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from app import settings as configuration
from app.serving.service import PortUnavailable, Running, running
from app.settings import Settings, SettingsInvalid
from telephony.call import CallId
from telephony.journal import CallEnded, CallStarted, MemoryJournal
from telephony.simulated.asterisk import SimulatedAsterisk
from tests.telephony.waiting import until

TICK_MS = 4.0
"""Calls run five times as fast as life."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Free ports, and nothing written outside the test's own folder."""
    lines = tmp_path / "lines.txt"
    lines.write_text("Au revoir.\n", encoding="utf-8")
    read = configuration.read(tmp_path / "no-such.env")
    return replace(
        read,
        application=read.application.model_copy(
            update={"host": "127.0.0.1", "port": 0, "api_key": SecretStr(""), "data_folder": tmp_path}
        ),
        asterisk=read.asterisk.model_copy(
            update={"agi_host": "127.0.0.1", "agi_port": 0, "audio_host": "127.0.0.1", "audio_port": 0}
        ),
        groq=read.groq.model_copy(update={"api_key": SecretStr("")}),
        whisper=read.whisper.model_copy(update={"model": ""}),
        speech=read.speech.model_copy(update={"lines_file": lines}),
        insurance=read.insurance.model_copy(update={"api_base_url": "", "demo_customers_file": None}),
        knowledge=read.knowledge.model_copy(update={"host": ""}),
        checkpoints=read.checkpoints.model_copy(update={"path": ":memory:"}),
    )


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield int(listener.getsockname()[1])


def refuses(port: int) -> bool:
    """Whether nobody listens on ``port``."""
    with closing(socket.socket()) as client:
        return client.connect_ex(("127.0.0.1", port)) != 0


def port_of(service: Running) -> int:
    return int(service.http_url.rsplit(":", 1)[1])


async def ready(service: Running) -> httpx.Response:
    async with httpx.AsyncClient(base_url=service.http_url) as http:
        return await http.get("/ready", headers={"X-API-Key": service.api_key})


async def test_the_service_answers_http_and_the_phone_and_leaves_nothing_behind(settings: Settings) -> None:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    tasks_before = asyncio.all_tasks()
    journal, call_id = MemoryJournal(), CallId(str(uuid4()))
    async with running(settings, (journal,), TICK_MS) as service:
        assert {number: signal.getsignal(number) for number in handlers} == handlers
        answer = await ready(service)
        assert answer.status_code == 200, answer.text
        assert "server" not in answer.headers
        assert answer.json()["parts"] == service.agent.parts
        ports = (port_of(service), service.agent.agi.port, service.agent.media.port)

        key = {"X-API-Key": service.api_key}
        async with httpx.AsyncClient(base_url=service.http_url, headers=key) as http:
            announced = await http.post("/api/call/init", data={"call_id": call_id, "caller": "0612345678"})
            assert announced.json()["status"] == "announced"
            rings = SimulatedAsterisk(("127.0.0.1", service.agent.agi.port), tick_ms=TICK_MS)
            async with rings.call(call_id=call_id) as call:
                await call.hear_speech()
                status = (await http.get(f"/api/call/{call_id}/status")).json()
                assert (status["phase"], status["nodes"]) == ("live", ["greet"])
                assert "voicebot_active_calls 1.0" in (await http.get("/metrics")).text
            await until(lambda: not service.agent.calls.live())
            assert (await http.get(f"/api/call/{call_id}/status")).json()["phase"] == "caller_left"
            metrics = (await http.get("/metrics")).text
            assert 'voicebot_calls_total{outcome="caller_left"} 1.0' in metrics
            assert "voicebot_late_ticks_total" in metrics
    assert isinstance(journal.events[0], CallStarted)
    assert isinstance(journal.events[-1], CallEnded)
    assert [port for port in ports if not refuses(port)] == []
    assert asyncio.all_tasks() == tasks_before


async def test_a_key_is_made_at_each_start_unless_one_is_configured(settings: Settings) -> None:
    async with running(settings) as one, running(settings) as other:
        assert one.api_key != other.api_key
        assert len(one.api_key) >= 32
        async with httpx.AsyncClient(base_url=one.http_url) as http:
            assert (await http.get("/ready", headers={"X-API-Key": other.api_key})).status_code == 401
    configured = replace(
        settings, application=settings.application.model_copy(update={"api_key": SecretStr("k3y")})
    )
    async with running(configured) as service:
        assert service.api_key == "k3y"
        assert (await ready(service)).status_code == 200


@pytest.mark.parametrize("key", ["clé", "two words", "line\nbreak", " "])
async def test_a_key_that_no_header_can_carry_is_refused(settings: Settings, key: str) -> None:
    unfit = replace(settings, application=settings.application.model_copy(update={"api_key": SecretStr(key)}))
    with pytest.raises(SettingsInvalid, match="APP_API_KEY"):
        async with running(unfit):
            pass


@pytest.mark.parametrize("setting", ["APP", "ASTERISK_AGI", "ASTERISK_AUDIO"])
async def test_a_taken_port_is_named_with_the_setting_that_moves_it(
    settings: Settings, taken: int, setting: str
) -> None:
    concern, _, which = setting.lower().partition("_")
    name = f"{which}_port" if which else "port"
    clash = (
        replace(settings, asterisk=settings.asterisk.model_copy(update={name: taken}))
        if concern == "asterisk"
        else replace(settings, application=settings.application.model_copy(update={name: taken}))
    )
    with pytest.raises(PortUnavailable, match=rf"port {taken} of 127\.0\.0\.1 .*{setting}_PORT"):
        async with running(clash):
            pass


async def test_one_port_for_two_purposes_is_named(settings: Settings, taken: int) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = int(free.getsockname()[1])
    twice = replace(
        settings,
        application=settings.application.model_copy(update={"port": port}),
        asterisk=settings.asterisk.model_copy(update={"agi_port": port}),
    )
    with pytest.raises(PortUnavailable, match="ASTERISK_AGI_PORT"):
        async with running(twice):
            pass
    assert refuses(port)


async def test_an_address_that_is_not_ours_is_named(settings: Settings) -> None:
    elsewhere = replace(
        settings, application=settings.application.model_copy(update={"host": "192.0.2.1"})
    )  # reserved for documentation: no machine has it
    with pytest.raises(PortUnavailable, match=r"192\.0\.2\.1 .*APP_HOST"):
        async with running(elsewhere):
            pass


async def test_what_the_block_raises_comes_out_as_it_is(settings: Settings) -> None:
    with pytest.raises(KeyError, match="ours"):
        async with running(settings) as service:
            raise KeyError("ours")
    assert refuses(port_of(service))


async def test_a_request_under_way_is_answered_before_the_service_stops(settings: Settings) -> None:
    async with running(settings) as service:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(service))
        body = json.dumps({}).encode()
        head = (
            f"POST /api/text-calls HTTP/1.1\r\nHost: agent\r\nX-API-Key: {service.api_key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        await reader.readexactly(1)
    answer = await reader.read()
    assert answer.startswith(b"TTP/1.1 201")
    assert b"greet.notice" in answer
    writer.close()
