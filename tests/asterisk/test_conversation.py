"""Keys, interruptions and thrifty telephones, on the real Asterisk."""

from statistics import median

import pytest

from app.rehearsal.caller import line
from app.rehearsal.telephone import LineNoise
from audio.pcm import FRAME_BYTES, FRAME_MS
from audio.tts import TextToSpeech
from graph.heard import Keys
from telephony.simulated.handset import is_loud
from tests.app.office import MADAME_MOREAU
from tests.asterisk.agent import Agent
from tests.asterisk.conftest import Measure
from tests.asterisk.host import TRUNK, Asterisk
from tests.asterisk.phone import Call, Phone
from tests.telephony.waiting import until

pytestmark = pytest.mark.asterisk

MY_CONTRACT = "Oui bonjour, je voudrais savoir… combien j'ai sur mon assurance vie."
A_LONG_ANSWER = "Et quels sont les impôts, si je retire de l'argent après huit ans ?"
ANOTHER_QUESTION = "Attendez, attendez… et si je retire avant huit ans, combien je paie ?"
GOODBYE = "Non merci, au revoir."

STOPS_WITHIN_MS = 300
"""From the caller's first packet of speech to the agent's last one: what people take for being heard."""

CUT_IN_AFTER_MS = 2200
NO_LONGER_MS = 1500
"""After this there must be nothing of the interrupted sentence."""


def without_quiet_beginning(pcm: bytes) -> bytes:
    """``pcm`` from its first loud frame on, so that the first packet is speech."""
    starts = range(0, len(pcm), FRAME_BYTES)
    return pcm[next(at for at in starts if is_loud(pcm[at : at + FRAME_BYTES])) :]


async def heard_out(call: Call) -> None:
    """Wait until the agent has finished; it draws breath between sentences."""
    await call.hear_out(quiet_ms=900)


async def test_the_keypad_identifies_a_caller_who_does_not_hear_the_questions_out(
    asterisk: Asterisk, brisk_agent: Agent, voice: TextToSpeech
) -> None:
    agent, (number, birth_date) = brisk_agent, MADAME_MOREAU
    async with Phone.at(TRUNK) as phone:
        call = await phone.dial("0123456789", asterisk.sip_address)
        await heard_out(call)
        await call.say(await line(MY_CONTRACT, voice))
        for asked, digits in (("ask_number", number), ("ask_birth_date", birth_date)):
            await until(lambda: f"authenticate.{asked}" in agent.transcripts.only.said())  # noqa: B023  # awaited
            await call.hear_speech()
            await call.press(f"{digits}#")
        await call.hear_speech()
        await until(lambda: "contract.value" in agent.transcripts.only.said())
        call.hang_up()
    transcript = agent.transcripts.only
    keyed = [turn.text for turn in transcript.turns if turn.how == "keys"]
    assert keyed == [Keys(number).digits, Keys(birth_date).digits]
    assert "contract.value" in transcript.said()
    assert any(
        "45 230,18" in (said.text or "").replace("\u202f", " ").replace("\xa0", " ")
        for turn in transcript.turns
        for said in turn.lines
    )


async def test_the_voice_stops_when_the_caller_speaks(
    asterisk: Asterisk, agent: Agent, voice: TextToSpeech, measured: Measure
) -> None:
    question = without_quiet_beginning(await line(ANOTHER_QUESTION, voice))
    stopped_after_ms: list[float] = []
    async with Phone.at(TRUNK) as phone:
        call = await phone.dial("0123456789", asterisk.sip_address)
        call.background = LineNoise()
        await heard_out(call)
        await call.say(await line(A_LONG_ANSWER, voice))
        for _ in range(3):
            await call.hear_speech()
            await call.pause(CUT_IN_AFTER_MS)
            cut_in = await call.say(question)
            over_it = call.speech_between(cut_in.started_ms, cut_in.started_ms + NO_LONGER_MS)
            assert over_it, "the agent was not speaking when the caller cut in"
            stopped_after_ms.append(over_it[-1] + FRAME_MS - cut_in.started_ms)
        await call.hear_speech()  # until his last words are a turn, the voice has only paused
        call.hang_up()
    told = ", ".join(f"{ms:.0f} ms" for ms in stopped_after_ms)
    measured("the voice stops after the caller's first packet of speech", told)
    interruptions = [turn.interruption for turn in agent.transcripts.only.turns if turn.interruption]
    assert len(interruptions) == len(stopped_after_ms)
    # The kernel times the packets, and the middle one of three counts: one pause of the machine is no fault.
    assert median(stopped_after_ms) < STOPS_WITHIN_MS


async def test_a_telephone_that_sends_nothing_in_silence_is_understood(
    asterisk: Asterisk, brisk_agent: Agent, voice: TextToSpeech
) -> None:
    agent = brisk_agent
    async with Phone.at(TRUNK) as phone:
        call = await phone.dial("0123456789", asterisk.sip_address)
        call.suppresses_silence = True
        await heard_out(call)
        await call.say(await line(GOODBYE, voice))
        await call.over(15_000)
    assert agent.transcripts.only.turns[-1].text == GOODBYE
    assert "goodbye.farewell" in agent.transcripts.only.said()
