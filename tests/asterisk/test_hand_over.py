"""The dialplan's side of a hand-over: whom the agent may ring, what they are told, how he learns the end."""

import asyncio

import pytest

from telephony import agi
from telephony.agi import Command
from tests.asterisk.advisers import adviser_at_work
from tests.asterisk.conftest import told_to
from tests.asterisk.host import TRUNK, Asterisk
from tests.asterisk.phone import Call, EndedBy, Phone
from tests.asterisk.scripted_agent import ScriptedAgent, commanding
from tests.telephony.waiting import until

pytestmark = pytest.mark.asterisk

SUMMARY = "Demande un conseiller ; au sujet d'un sinistre, « dégât des eaux » ; identité vérifiée."
CUSTOMER = "10078821"
WAIT_S = "8"
DONE = agi.set_variable("VOICEBOT_OUTCOME", "transferred")

TOLD = (
    agi.set_variable("__VOICEBOT_REASON", "asked"),
    agi.set_variable("__VOICEBOT_SUMMARY", SUMMARY),
    agi.set_variable("__VOICEBOT_CUSTOMER", CUSTOMER),
    agi.set_variable("__VOICEBOT_WAIT_S", WAIT_S),
)


def dial(destination: str) -> Command:
    return agi.execute("Dial", f"Local/{destination}/n", WAIT_S, "mg")


async def ring(phone: Phone, asterisk: Asterisk, agent: ScriptedAgent) -> Call:
    told_to(asterisk, "AGENTS", agent.address)
    return await phone.dial("0123456789", asterisk.sip_address)


async def rung(adviser: Phone) -> Call:
    async with asyncio.timeout(10):
        call = await adviser.incoming.get()
        await call.connected()
    return call


@pytest.mark.parametrize("destination", ["201", "conseillers", "sinistres"])
async def test_an_adviser_is_told_what_the_agent_knows_and_the_agent_when_they_are_done(
    asterisk: Asterisk, destination: str
) -> None:
    commands = [*TOLD, dial(f"{destination}@hand-over"), agi.get_variable("DIALSTATUS"), DONE]
    async with (
        commanding(commands) as agent,
        adviser_at_work(asterisk) as adviser,
        Phone.at(TRUNK) as caller,
    ):
        call = await ring(caller, asterisk, agent)
        talk = await rung(adviser)
        talk.hang_up()
        assert await call.over() is EndedBy.THEM
    assert talk.invitation is not None
    assert talk.invitation.first("X-Voicebot-Summary") == SUMMARY
    assert talk.invitation.first("X-Voicebot-Customer") == CUSTOMER
    assert talk.invitation.first("X-Voicebot-Reason") == "asked"
    assert talk.invitation.first("X-Voicebot-Call") == agent.visits[0]
    assert agent.replies[-2].data == "ANSWER"


async def test_an_adviser_who_is_busy_gives_the_caller_back_to_the_agent(asterisk: Asterisk) -> None:
    commands = [*TOLD, dial("201@hand-over"), agi.get_variable("DIALSTATUS"), agi.channel_status()]
    async with (
        commanding(commands) as agent,
        adviser_at_work(asterisk) as adviser,
        Phone.at(TRUNK) as caller,
    ):
        adviser.refuses_with = 486
        call = await ring(caller, asterisk, agent)
        await until(lambda: len(agent.replies) == len(commands))
        call.hang_up()
    assert agent.replies[-2].data == "BUSY"
    assert agent.replies[-1].done


async def test_an_adviser_who_lets_it_ring_gives_the_caller_back_in_time(asterisk: Asterisk) -> None:
    short = agi.execute("Dial", "Local/201@hand-over/n", "2", "mg")
    async with (
        commanding([*TOLD, short, agi.get_variable("DIALSTATUS"), agi.channel_status()]) as agent,
        adviser_at_work(asterisk) as adviser,
        Phone.at(TRUNK) as caller,
    ):
        adviser.answers_after_s = None
        call = await ring(caller, asterisk, agent)
        await until(lambda: len(agent.replies) == len(TOLD) + 3)
        call.hang_up()
    assert agent.replies[-2].data == "NOANSWER"
    assert agent.replies[-1].done


async def test_a_desk_without_anybody_gives_the_caller_back_at_once(asterisk: Asterisk) -> None:
    commands = [*TOLD, agi.execute("Queue", "vie", "c", "", "", WAIT_S), agi.get_variable("QUEUESTATUS")]
    async with commanding(commands) as agent, Phone.at(TRUNK) as caller:
        call = await ring(caller, asterisk, agent)
        await until(lambda: len(agent.replies) == len(commands))
        call.hang_up()
    assert agent.replies[-1].data == "JOINEMPTY"


async def test_in_an_attended_hand_over_the_agent_speaks_to_the_adviser_before_the_caller_does(
    asterisk: Asterisk,
) -> None:
    async with (
        commanding() as whispering,
        adviser_at_work(asterisk) as adviser,
        Phone.at(TRUNK) as caller,
    ):
        whisper = agi.set_variable("__VOICEBOT_WHISPER", f"agi://{whispering.address}/whisper")
        commands = [*TOLD, whisper, dial("201@voicebot-attended"), agi.get_variable("DIALSTATUS"), DONE]
        async with commanding(commands) as agent:
            call = await ring(caller, asterisk, agent)
            talk = await rung(adviser)
            await until(lambda: whispering.scripts == ["whisper"])
            talk.hang_up()
            await call.over()
        assert agent.replies[-2].data == "ANSWER"
