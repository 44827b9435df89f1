"""Without an agent, with one that dies, with one that has no time: callers reach somebody all the same."""

import asyncio
import re
import socket
from datetime import datetime
from pathlib import Path

import pytest

from app.rehearsal.caller import line
from audio.pcm import FRAME_MS
from audio.tts import TextToSpeech
from tests.asterisk.advisers import adviser_at_work
from tests.asterisk.agent import Agent, OwnProcess, in_own_process
from tests.asterisk.conftest import NOBODY, PARIS, Measure, told_to
from tests.asterisk.host import ADVISERS, TRUNK, Asterisk, free_port
from tests.asterisk.phone import Call, EndedBy, NotRegistered, Phone
from tests.asterisk.scripted_agent import leaving
from tests.telephony.waiting import until

pytestmark = pytest.mark.asterisk

A_SUNDAY = datetime(2026, 11, 22, 10, 30, tzinfo=PARIS)
QUESTION = "Je voudrais parler à un conseiller, s'il vous plaît."
WITHIN_MS = 20_000
RESTARTED_WITHIN_S = 60.0


class Steps:
    """What the dialplan has done since this was made."""

    def __init__(self, asterisk: Asterisk) -> None:
        self._asterisk = asterisk
        self._from = len(asterisk.log())

    def done(self, application: str) -> list[str]:
        """The arguments with which it ran ``application``."""
        log = self._asterisk.log()[self._from :]
        return re.findall(rf'Executing \[[^]]*\] {application}\("[^"]*", "(.*)"\)', log)

    async def until(self, application: str, argument: str) -> None:
        """Wait until it has run ``application`` with an argument that contains ``argument``."""
        async with asyncio.timeout(WITHIN_MS / 1000):
            while not any(argument in arguments for arguments in self.done(application)):  # noqa: ASYNC110  # a file
                await asyncio.sleep(0.02)

    async def entered_again(self) -> None:
        """Wait until an agent carries the sound for the second time."""
        async with asyncio.timeout(RESTARTED_WITHIN_S):
            while self._asterisk.log()[self._from :].count("(AudioSocket)") < 2:  # noqa: ASYNC110  # a file
                await asyncio.sleep(0.02)


@pytest.fixture
def steps(asterisk: Asterisk) -> Steps:
    """The dialplan's steps within the test."""
    return Steps(asterisk)


async def ring(phone: Phone, asterisk: Asterisk) -> Call:
    return await phone.dial("0123456789", asterisk.sip_address)


async def test_without_an_agent_the_caller_talks_with_an_adviser(
    asterisk: Asterisk, voice: TextToSpeech
) -> None:
    words = await line(QUESTION, voice)
    async with adviser_at_work(asterisk) as adviser, Phone.at(TRUNK) as caller:
        call = await ring(caller, asterisk)
        async with asyncio.timeout(10):
            rung = await adviser.incoming.get()
            await rung.connected()
        # Both hear each other.
        said = await call.say(words)
        assert rung.speech_between(0, rung.clock_ms)
        await call.hear_silence(500)
        await rung.say(words)
        assert call.first_speech_ms(after_ms=said.ended_ms) is not None
        rung.hang_up()
        assert await call.over(WITHIN_MS) is EndedBy.THEM
    assert rung.invitation is not None
    assert rung.invitation.first("X-Voicebot-Reason") == "technical"
    assert re.fullmatch(r"[0-9a-f-]{36}", rung.invitation.first("X-Voicebot-Call"))


async def test_when_people_are_at_home_a_sentence_says_when_they_are_not(
    asterisk: Asterisk, steps: Steps
) -> None:
    told_to(asterisk, "CLOCK", str(int(A_SUNDAY.timestamp())))
    async with Phone.at(TRUNK) as caller:
        call = await ring(caller, asterisk)
        assert await call.over(WITHIN_MS) is EndedBy.THEM
    assert [path.rsplit("/", 1)[1] for path in steps.done("Playback")] == ["ferme"]
    assert len(call.speech_between(0, call.clock_ms)) * FRAME_MS > 2000
    assert not steps.done("Queue")


async def test_when_no_adviser_is_there_a_sentence_says_so_at_once(asterisk: Asterisk, steps: Steps) -> None:
    async with Phone.at(TRUNK) as caller:
        call = await ring(caller, asterisk)
        await call.hear_speech(0, within_ms=3000)
        await steps.until("Playback", "/occupes")


async def test_a_busy_adviser_is_passed_over_for_the_next(asterisk: Asterisk) -> None:
    async with (
        adviser_at_work(asterisk, "201") as busy,
        adviser_at_work(asterisk, "202") as free,
        Phone.at(TRUNK) as caller,
    ):
        busy.refuses_with = 486
        call = await ring(caller, asterisk)
        async with asyncio.timeout(20):
            rung = await free.incoming.get()
            await rung.connected()
        call.hang_up()
        assert await rung.over(5000) is EndedBy.THEM


async def test_an_adviser_with_another_password_gets_no_calls(asterisk: Asterisk) -> None:
    async with Phone.at(ADVISERS, "201") as phone:
        with pytest.raises(NotRegistered, match="401"):
            await phone.register("a guess", asterisk.sip_address)


async def test_an_agent_that_breaks_off_is_entered_again_with_the_same_call_then_people(
    asterisk: Asterisk, steps: Steps
) -> None:
    told_to(asterisk, "CRASHES_FORGIVEN", "1")
    async with leaving("", "") as agent, Phone.at(TRUNK) as caller:
        told_to(asterisk, "AGENTS", agent.address)
        call = await ring(caller, asterisk)
        await steps.until("Queue", "conseillers")
        call.hang_up()
        assert len(agent.visits) == 2
        assert len(set(agent.visits)) == 1
    assert steps.done("Playback")[0].endswith("/un-instant")
    told_to(asterisk, "CRASHES_FORGIVEN", "3")


async def test_a_call_that_was_begun_waits_for_an_agent_to_come_back_but_not_for_ever(
    asterisk: Asterisk, steps: Steps
) -> None:
    told_to(asterisk, "RETURN_S", "3")
    async with leaving("") as agent, Phone.at(TRUNK) as caller:
        told_to(asterisk, "AGENTS", agent.address)
        call = await ring(caller, asterisk)
        await until(lambda: bool(agent.visits))
        await agent.close()
        await steps.until("Queue", "conseillers")
        call.hang_up()
    assert 2 <= len(steps.done("Wait")) <= 4
    told_to(asterisk, "RETURN_S", asterisk.environment["RETURN_S"])


async def test_an_agent_that_dies_while_it_passes_the_caller_on_is_entered_again_and_told(
    asterisk: Asterisk, steps: Steps
) -> None:
    async with leaving("transfer", "hungup") as agent, Phone.at(TRUNK) as caller:
        told_to(asterisk, "AGENTS", agent.address)
        call = await ring(caller, asterisk)
        assert await call.over(WITHIN_MS) is EndedBy.THEM
        assert len(agent.visits) == 2
    assert not [step for step in steps.done("ExecIf") if step == "0?Set(VOICEBOT_OUTCOME=)"][1:]


async def test_an_agent_that_hears_nothing_is_entered_once_more_then_people(
    asterisk: Asterisk, steps: Steps
) -> None:
    async with leaving("noaudio", "noaudio") as agent, Phone.at(TRUNK) as caller:
        told_to(asterisk, "AGENTS", agent.address)
        call = await ring(caller, asterisk)
        await steps.until("Queue", "conseillers")
        call.hang_up()
        assert len(agent.visits) == 2


@pytest.mark.parametrize("outcome", ["hungup", "transferred", "callerleft"])
async def test_when_all_is_said_the_call_is_over(asterisk: Asterisk, steps: Steps, outcome: str) -> None:
    async with leaving(outcome) as agent, Phone.at(TRUNK) as caller:
        told_to(asterisk, "AGENTS", agent.address)
        call = await ring(caller, asterisk)
        assert await call.over(WITHIN_MS) is EndedBy.THEM
    assert not steps.done("Queue")
    assert not steps.done("Playback")


async def test_an_agent_that_is_down_or_takes_no_more_calls_is_passed_over_for_the_next(
    asterisk: Asterisk, agent: Agent
) -> None:
    async with leaving("draining") as leaver, Phone.at(TRUNK) as caller:
        told_to(asterisk, "AGENTS", "&".join((NOBODY, leaver.address, agent.address)))
        call = await ring(caller, asterisk)
        await call.hear_speech(0, within_ms=5000)
        call.hang_up()
        await until(lambda: agent.transcripts.only.outcome is not None)
        assert leaver.visits == list(agent.transcripts.calls)


async def test_a_killed_agent_comes_back_to_the_same_caller(
    asterisk: Asterisk, steps: Steps, tmp_path: Path, measured: Measure
) -> None:
    async with in_own_process(tmp_path, free_port(socket.SOCK_STREAM)) as agent, Phone.at(TRUNK) as caller:
        told_to(asterisk, "AGENTS", agent.address)
        call = await ring(caller, asterisk)
        await call.hear_speech(0)
        await call.pause(2000)
        killed_ms = call.clock_ms
        agent.kill()
        restarted = asyncio.create_task(restart(agent))
        await steps.until("Playback", "/un-instant")
        await steps.entered_again()
        back_ms = await call.hear_speech(within_ms=WITHIN_MS)
        await restarted
        call.hang_up()
    calls = {arguments.split(",")[1] for arguments in steps.done("AGI")}
    assert len(calls) == 1
    measured("after kill -9 the caller hears the agent again", f"{(back_ms - killed_ms) / 1000:.1f} s")


async def restart(agent: OwnProcess) -> None:
    """As an init system does: wait for the end, pause, start."""
    await agent.stop()
    await agent.start()
