"""Operations during real calls, through the agent's pages: table, alarms, actions; an Asterisk that dies."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import httpx
import pytest
from pydantic import SecretStr

from app.rehearsal.caller import line
from audio.tts import TextToSpeech
from telephony.call import CallerLeft
from tests.app.office import MADAME_MOREAU
from tests.asterisk import agent as agents
from tests.asterisk.advisers import adviser_at_work
from tests.asterisk.agent import Agent, manager_of
from tests.asterisk.conftest import A_TUESDAY, Measure, told_to
from tests.asterisk.debian import installed
from tests.asterisk.host import TRUNK, Asterisk, fresh_environment, running
from tests.asterisk.phone import Call, EndedBy, Phone
from tests.telephony.waiting import until

pytestmark = pytest.mark.asterisk

MY_CONTRACT = "Oui bonjour, je voudrais savoir… combien j'ai sur mon assurance vie."
CALLER = "0612345678"
WITHIN_S = 20.0
WORDS_PER_MINUTE = 300
Shown = dict[str, Any]
Seen = TypeVar("Seen")


@dataclass
class Pages:
    """The agent's pages, as operations use them."""

    agent: Agent
    http: httpx.AsyncClient

    async def get(self, page: str) -> Shown:
        answer = await self.http.get(page)
        answer.raise_for_status()
        found: Shown = answer.json()
        return found

    async def act(self, call: str, action: str, **given: str) -> int:
        answer = await self.http.post(f"/api/live-calls/{call}/{action}", json=given or None)
        return answer.status_code

    async def calls(self) -> list[Shown]:
        found: list[Shown] = (await self.get("/api/live-calls"))["calls"]
        return found

    async def alarms(self) -> set[tuple[str, str]]:
        return {(one["kind"], one["subject"]) for one in (await self.get("/api/alarms"))["alarms"]}

    async def shows(self, holds: Callable[[Shown], object]) -> Shown:
        """The first call for which ``holds``, once there is one."""
        async for calls in self._looks(self.calls):
            if found := [one for one in calls if one["asterisk"] and holds(one)]:
                return found[0]
        raise AssertionError("it never ends by itself")

    async def raises(self, kind: str) -> set[str]:
        """The subjects of an alarm, once it is raised."""
        async for alarms in self._looks(self.alarms):
            if raised := {subject for one, subject in alarms if one == kind}:
                return raised
        raise AssertionError("it never ends by itself")

    async def clears(self, *alarms: tuple[str, str]) -> None:
        """Wait until none of these is raised any more."""
        async for raised in self._looks(self.alarms):
            if not raised & set(alarms):
                return

    async def link(self, state: str) -> float:
        """Wait until the link stands so; how long it took, in seconds."""
        began_s = time.monotonic()
        async for page in self._looks(lambda: self.get("/api/alarms")):
            if page["link"] == state:
                break
        return time.monotonic() - began_s

    async def _looks(self, at: Callable[[], Awaitable[Seen]]) -> AsyncIterator[Seen]:
        """Look again and again, as somebody at a screen does; raises TimeoutError in the end."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                yield await at()
                await asyncio.sleep(0.1)

    def metric(self, name: str, **labels: str) -> float | None:
        return self.agent.service.metrics.value(name, **labels)


@asynccontextmanager
async def operated(asterisk: Asterisk, folder: Path, **manager: object) -> AsyncIterator[Pages]:
    """An agent that answers and that operations look at."""
    async with (
        agents.in_process(
            folder,
            A_TUESDAY,
            words_per_minute=WORDS_PER_MINUTE,
            manager={**manager_of(asterisk), **manager},
        ) as agent,
        httpx.AsyncClient(
            base_url=agent.service.http_url, headers={"X-API-Key": agent.service.api_key}
        ) as http,
    ):
        told_to(asterisk, "AGENTS", agent.address)
        yield Pages(agent, http)


async def identifies_himself(call: Call, agent: Agent, voice: TextToSpeech) -> None:
    """Asks for his contract by voice, and proves who he is by keys."""
    number, birth_date = MADAME_MOREAU
    transcript = agent.transcripts
    await call.hear_out(quiet_ms=900)
    await call.say(await line(MY_CONTRACT, voice))
    for asked, keyed in (("ask_number", number), ("ask_birth_date", birth_date)):
        await until(lambda: f"authenticate.{asked}" in transcript.only.said())  # noqa: B023  # awaited here
        await call.hear_speech()
        await call.press(f"{keyed}#")
    await until(lambda: "contract.value" in transcript.only.said())


async def test_a_call_is_shown_from_both_sides_and_an_operator_gives_it_to_an_adviser(
    asterisk: Asterisk, tmp_path: Path, voice: TextToSpeech
) -> None:
    async with (
        operated(asterisk, tmp_path, longest_call_s=8) as pages,
        adviser_at_work(asterisk) as adviser,
        Phone.at(TRUNK, CALLER) as phone,
    ):
        call = await phone.dial("0123456789", asterisk.sip_address)
        await identifies_himself(call, pages.agent, voice)
        shown = await pages.shows(lambda one: one["asterisk"]["received"] and one["asterisk"]["codec"])
        leg, side, name = shown["asterisk"], shown["agent"], shown["name"]
        assert name == pages.agent.transcripts.only.call_id
        assert leg["channel"].startswith("PJSIP/trunk-")
        assert (leg["caller"], leg["state"], leg["codec"]) == (CALLER, "up", "alaw")
        assert (leg["application"], leg["queue"], leg["bridged_with"]) == ("AudioSocket", "", [])
        assert leg["received"]["loss_ratio"] == 0
        assert 0 <= leg["received"]["jitter_ms"] < 1000
        assert (side["identified"], side["node"], side["failures"]) == (True, "contract", 0)
        assert side["turns"] >= 4
        assert side["heard_silence_ms"] > 0

        assert await pages.raises("long_call") == {name}

        assert await pages.act(name, "transfer", extension="9999") == 404
        assert await pages.act(name, "transfer", extension="201") == 204
        async with asyncio.timeout(WITHIN_S):
            talk = await adviser.incoming.get()
            await talk.connected()
        told = talk.invitation
        assert told is not None
        assert told.first("X-Voicebot-Reason") == "operator"
        assert told.first("X-Voicebot-Customer") == MADAME_MOREAU[0]
        assert told.first("X-Voicebot-Summary").startswith("Envoyé par le superviseur")
        assert told.first("X-Voicebot-Call") == name
        await until(lambda: pages.agent.transcripts.only.outcome is not None)
        bridged = await pages.shows(lambda one: one["asterisk"]["bridged_with"])
        assert bridged["asterisk"]["caller"] == CALLER
        talk.hang_up()
        assert await call.over() is EndedBy.THEM
        assert pages.metric("voicebot_calls_total", outcome="transferred") == 1
        assert pages.metric("voicebot_calls_total", outcome="caller_left") == 0
        assert (await pages.get(f"/api/call/{name}/status"))["phase"] == "transferred"
        assert pages.metric("voicebot_rtp_loss_ratio_count", direction="received") == 1


async def test_an_operator_sends_a_caller_to_a_queue_whom_nobody_takes_there_and_hangs_up(
    asterisk: Asterisk, tmp_path: Path
) -> None:
    async with (
        operated(asterisk, tmp_path, longest_queue=0) as pages,
        adviser_at_work(asterisk) as adviser,
        Phone.at(TRUNK, CALLER) as phone,
    ):
        adviser.answers_after_s = None  # it rings
        told_to(asterisk, "QUEUE_PATIENCE_S", "4")
        call = await phone.dial("0123456789", asterisk.sip_address)
        await call.hear_speech(0)
        name = (await pages.shows(lambda one: one["agent"]))["name"]
        await pages.link("up")
        assert await pages.act(name, "queue", queue="no_such_queue") == 404
        assert await pages.act(name, "queue", queue="sinistres") == 204
        waiting = await pages.shows(lambda one: one["asterisk"]["queue"])
        assert waiting["asterisk"]["queue"] == "sinistres"
        assert await pages.raises("long_queue") == {"sinistres"}
        assert pages.metric("voicebot_queue_length", queue="sinistres") == 1
        # Nobody takes him: he is back with the agent, and may choose.
        await until(lambda: "transfer.choice" in pages.agent.transcripts.only.said())
        assert "transfer.no_answer" in pages.agent.transcripts.only.said()
        back = await pages.shows(lambda one: one["asterisk"]["application"] == "AudioSocket")
        assert back["name"] == name, "the same call"
        assert pages.metric("voicebot_active_calls") == 1
        assert "sinistres" not in {subject for _, subject in await pages.alarms()}
        assert await pages.act(name, "hang-up") == 204
        assert await call.over() is EndedBy.THEM
        await until(lambda: pages.agent.transcripts.only.outcome == CallerLeft())
    told_to(asterisk, "QUEUE_PATIENCE_S", "300")


@asynccontextmanager
async def a_frozen_agent() -> AsyncIterator[tuple[str, set[asyncio.StreamWriter]]]:
    """AGI is answered, and no command comes; its address, and the calls that it has."""
    took: set[asyncio.StreamWriter] = set()

    async def take(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        took.add(writer)

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", took
    finally:
        server.close()
        for writer in took:
            writer.close()


async def test_a_caller_with_whom_nobody_talks_is_an_orphan_until_he_is_let_go(
    asterisk: Asterisk, tmp_path: Path
) -> None:
    async with (
        a_frozen_agent() as (address, frozen),
        operated(asterisk, tmp_path) as pages,
        Phone.at(TRUNK, CALLER) as phone,
    ):
        told_to(asterisk, "AGENTS", address)
        call = await phone.dial("0123456789", asterisk.sip_address)
        (orphan,) = await pages.raises("orphan_channel")
        assert pages.metric("voicebot_alarms", kind="orphan_channel") == 1
        assert await pages.act(orphan, "hang-up") == 204
        for line_to_it in frozen:  # Asterisk hangs up when AGI lets go of the channel
            line_to_it.close()
        assert await call.over() is EndedBy.THEM
        await pages.clears(("orphan_channel", orphan))


async def test_a_trunk_that_does_not_answer_is_an_alarm_until_it_does(
    asterisk: Asterisk, tmp_path: Path
) -> None:
    async with operated(asterisk, tmp_path) as pages:
        asterisk.cli("pjsip qualify trunk")  # by itself it looks every half a minute
        assert await pages.raises("trunk_down") == {"trunk"}
        assert pages.metric("voicebot_alarms", kind="trunk_down") == 1
        async with Phone.at(TRUNK, port=int(asterisk.environment["TRUNK_HOST"].split(":")[1])):
            asterisk.cli("pjsip qualify trunk")
            await pages.clears(("trunk_down", "trunk"))


async def test_asterisk_dies_and_comes_back_and_the_agent_with_it(tmp_path: Path, measured: Measure) -> None:
    environment = fresh_environment("127.0.0.1:9")
    with TemporaryDirectory(prefix="asterisk-") as folder:
        first = running(installed(), Path(folder) / "a", environment)
        asterisk = first.__enter__()
        try:
            async with operated(asterisk, tmp_path) as pages, Phone.at(TRUNK, CALLER) as phone:
                call = await phone.dial("0123456789", asterisk.sip_address)
                await call.hear_speech(0)
                await pages.link("up")
                asterisk.process.kill()
                noticed_s = await pages.link("away")
                await until(lambda: pages.agent.transcripts.only.outcome == CallerLeft())
                assert (await pages.get("/api/live-calls"))["calls"] == []
                assert not pages.agent.service.agent.switchboard.live()
                call.hang_up()
                assert await pages.raises("ami_away") == {""}
                assert pages.metric("voicebot_asterisk_up") == 0
                asterisk.process.wait(10)
                with running(installed(), Path(folder) / "b", environment) as again:
                    back_s = await pages.link("up")
                    told_to(again, "AGENTS", pages.agent.address)
                    call = await phone.dial("0123456789", again.sip_address)
                    await call.hear_speech(0)
                    shown = await pages.shows(lambda one: one["agent"])
                    assert shown["asterisk"]["caller"] == CALLER
                    assert ("ami_away", "") not in await pages.alarms()
                    assert pages.metric("voicebot_asterisk_up") == 1
                    call.hang_up()
                    await until(lambda: not pages.agent.service.agent.switchboard.live())
                    await until(lambda: pages.metric("voicebot_calls_total", outcome="caller_left") == 2)
        finally:
            first.__exit__(None, None, None)
    measured(
        "a killed Asterisk is noticed; it is back, and so is the link", f"{noticed_s:.1f} s, {back_s:.1f} s"
    )


async def test_with_a_wrong_secret_or_no_ami_at_all_calls_go_on(asterisk: Asterisk, tmp_path: Path) -> None:
    nobody = socket.socket()
    nobody.bind(("127.0.0.1", 0))  # and does not listen
    for number, (manager, state, kind) in enumerate(
        (
            ({"secret": SecretStr("a guess")}, "refused", "ami_refused"),
            ({"port": nobody.getsockname()[1]}, "away", "ami_away"),
        )
    ):
        async with (
            operated(asterisk, tmp_path / str(number), **manager) as pages,
            Phone.at(TRUNK, CALLER) as phone,
        ):
            call = await phone.dial("0123456789", asterisk.sip_address)
            await call.hear_speech(0)
            await pages.link(state)
            name = pages.agent.transcripts.only.call_id
            assert [one["name"] for one in await pages.calls()] == [name]
            assert await pages.act(name, "hang-up") == 503
            await call.press("0")  # the dialogue goes on
            await until(lambda: "transfer.advisers" in pages.agent.transcripts.only.said())
            if kind == "ami_refused":
                assert await pages.raises(kind) == {""}
            call.hang_up()
            await until(lambda: pages.agent.transcripts.only.outcome is not None)
    nobody.close()
