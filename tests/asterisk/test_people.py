"""The agent passes callers on to real telephones: taken, refused, not answered, and outside opening hours.

A caller presses zero, which is a human in every language, so that no ear is in question here.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

import pytest

from app.rehearsal.caller import line
from audio.pcm import BYTES_PER_MS
from audio.tts import TextToSpeech
from telephony.call import CallerLeft, Transferred
from tests.asterisk import agent as agents
from tests.asterisk.advisers import adviser_at_work
from tests.asterisk.agent import Agent
from tests.asterisk.conftest import A_TUESDAY, PARIS, told_to
from tests.asterisk.host import TRUNK, Asterisk
from tests.asterisk.phone import Call, EndedBy, Phone
from tests.telephony.waiting import until

pytestmark = pytest.mark.asterisk

A_SUNDAY = datetime(2026, 11, 22, 10, 30, tzinfo=PARIS)
QUESTION = "Bonjour, que puis-je pour vous ?"
WITHIN_MS = 30_000
SYLLABLE_MS = 500
ATTENDED = {"mode": "attended", "extensions": "conseillers=201"}


@asynccontextmanager
async def answering(
    asterisk: Asterisk,
    folder: Path,
    handover: Mapping[str, str | int] = MappingProxyType({}),
    now: datetime = A_TUESDAY,
) -> AsyncIterator[Agent]:
    """The agent, with Asterisk pointed at it."""
    async with agents.in_process(folder, now, {"wait_s": 6, **handover}, words_per_minute=300) as agent:
        told_to(asterisk, "AGENTS", agent.address)
        yield agent


async def asks_for_people(phone: Phone, asterisk: Asterisk) -> Call:
    """A caller who presses zero as soon as he may."""
    call = await phone.dial("0123456789", asterisk.sip_address)
    await call.hear_speech(0)
    await call.press("0")
    return call


async def rung(adviser: Phone) -> Call:
    async with asyncio.timeout(WITHIN_MS / 1000):
        call = await adviser.incoming.get()
        await call.connected()
    return call


async def said(agent: Agent, *keys: str) -> None:
    """Wait until the agent has said these lines, one after the other, after the greeting."""
    expected = ["greet.notice", "greet.question", *keys]
    async with asyncio.timeout(WITHIN_MS / 1000):
        while agent.transcripts.only.said()[: len(expected)] != expected:  # noqa: ASYNC110  # a list
            await asyncio.sleep(0.02)


async def each_hears_the_other(caller: Call, adviser: Call, words: bytes) -> None:
    """A syllable each way: ``words`` is cut short."""
    syllable = words[: SYLLABLE_MS * BYTES_PER_MS]
    from_caller = await caller.say(syllable)
    assert adviser.first_speech_ms() is not None
    await caller.hear_silence(300)
    await adviser.say(syllable)
    assert caller.first_speech_ms(after_ms=from_caller.ended_ms) is not None


@pytest.mark.parametrize("handover", [{}, {"extensions": "conseillers=201"}], ids=["queue", "extension"])
async def test_blind_the_adviser_talks_with_the_caller_and_has_all_on_his_screen(
    asterisk: Asterisk, tmp_path: Path, voice: TextToSpeech, handover: dict[str, str | int]
) -> None:
    words = await line(QUESTION, voice)
    async with (
        answering(asterisk, tmp_path, {"adviser_leg": "told^s^1", **handover}) as agent,
        adviser_at_work(asterisk) as adviser,
        Phone.at(TRUNK) as phone,
    ):
        call = await asks_for_people(phone, asterisk)
        talk = await rung(adviser)
        await each_hears_the_other(call, talk, words)
        talk.hang_up()
        assert await call.over(WITHIN_MS) is EndedBy.THEM
        await until(lambda: agent.transcripts.only.outcome is not None)
    assert isinstance(agent.transcripts.only.outcome, Transferred)
    assert talk.invitation is not None
    assert talk.invitation.first("X-Voicebot-Reason") == "asked"
    assert "Demande un conseiller" in talk.invitation.first("X-Voicebot-Summary")
    assert talk.invitation.first("X-Voicebot-Call") == agent.transcripts.only.call_id


async def test_attended_the_adviser_hears_the_summary_presses_one_and_has_the_caller(
    asterisk: Asterisk, tmp_path: Path, voice: TextToSpeech
) -> None:
    words = await line(QUESTION, voice)
    async with (
        answering(asterisk, tmp_path, ATTENDED) as agent,
        adviser_at_work(asterisk) as adviser,
        Phone.at(TRUNK) as phone,
    ):
        call = await asks_for_people(phone, asterisk)
        talk = await rung(adviser)
        told = await talk.hear_out(quiet_ms=1500)
        assert told.ended_ms - told.started_ms > 2500, "a summary, and which keys to press"
        await talk.press("1")
        await talk.hear_out(quiet_ms=900)
        await each_hears_the_other(call, talk, words)
        call.hang_up()
        assert await talk.over(WITHIN_MS) is EndedBy.THEM
        await until(lambda: agent.transcripts.only.outcome is not None)
    assert isinstance(agent.transcripts.only.outcome, Transferred)


@pytest.mark.parametrize(
    ("does", "line_said"),
    [("refuses", "transfer.busy"), ("hangs up", "transfer.busy"), ("lets it ring", "transfer.no_answer")],
)
async def test_attended_an_adviser_who_does_not_take_him_gives_the_caller_back_to_his_choice(
    asterisk: Asterisk, tmp_path: Path, does: str, line_said: str
) -> None:
    async with (
        answering(asterisk, tmp_path, {**ATTENDED, "wait_s": 3}) as agent,
        adviser_at_work(asterisk) as adviser,
        Phone.at(TRUNK) as phone,
    ):
        if does == "lets it ring":
            adviser.answers_after_s = None
        call = await asks_for_people(phone, asterisk)
        if does != "lets it ring":
            talk = await rung(adviser)
            await talk.hear_speech()
            if does == "refuses":
                await talk.press("2")
            else:
                talk.hang_up()
        await said(agent, "transfer.advisers", line_said, "transfer.choice")
        await call.hear_speech()
        call.hang_up()
        await until(lambda: agent.transcripts.only.outcome == CallerLeft())


async def test_a_caller_who_waits_once_more_is_taken_by_the_adviser_who_was_busy(
    asterisk: Asterisk, tmp_path: Path, voice: TextToSpeech
) -> None:
    words = await line(QUESTION, voice)
    async with (
        answering(asterisk, tmp_path, {"extensions": "conseillers=201"}) as agent,
        adviser_at_work(asterisk) as adviser,
        Phone.at(TRUNK) as phone,
    ):
        adviser.refuses_with = 486
        call = await asks_for_people(phone, asterisk)
        await said(agent, "transfer.advisers", "transfer.busy", "transfer.choice")
        await call.hear_speech()
        adviser.refuses_with = 0
        await call.press("1")
        talk = await rung(adviser)
        await each_hears_the_other(call, talk, words)
        talk.hang_up()
        assert await call.over(WITHIN_MS) is EndedBy.THEM


async def test_a_desk_without_anybody_gives_the_caller_back(asterisk: Asterisk, tmp_path: Path) -> None:
    async with answering(asterisk, tmp_path) as agent, Phone.at(TRUNK) as phone:
        call = await asks_for_people(phone, asterisk)
        await said(agent, "transfer.advisers", "transfer.busy", "transfer.choice")
        call.hang_up()


async def keys(call: Call, agent: Agent, presses: Sequence[str]) -> None:
    """Press each of these as soon as the agent has begun to ask."""
    for pressed in presses:
        turns = len(agent.transcripts.only.turns)
        await call.press(pressed)
        await until(lambda: len(agent.transcripts.only.turns) > turns)  # noqa: B023  # awaited within the loop
        await until(lambda: bool(agent.transcripts.only.turns[-1].lines))
        await call.hear_speech()


async def test_outside_opening_hours_nobody_is_rung_and_a_call_back_is_written_down(
    asterisk: Asterisk, tmp_path: Path
) -> None:
    async with (
        answering(asterisk, tmp_path, now=A_SUNDAY) as agent,
        adviser_at_work(asterisk) as adviser,
        Phone.at(TRUNK) as phone,
    ):
        call = await asks_for_people(phone, asterisk)
        await said(agent, "transfer.closed")
        await call.hear_speech()
        await keys(call, agent, ["1", "2", "0142121314#", "1", "1"])
        assert agent.transcripts.only.said()[-2] == "transfer.noted"
        assert adviser.incoming.empty()
        call.hang_up()
    [promise] = (tmp_path / "var" / "callbacks.jsonl").read_text(encoding="utf-8").splitlines()
    kept = json.loads(promise)
    assert (kept["number"], kept["on"], kept["part"]) == ("0142121314", "2026-11-23", "morning")
