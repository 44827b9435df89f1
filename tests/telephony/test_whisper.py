"""What an adviser hears before he is given a caller, and how he takes or refuses him."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from audio.endpointing import TurnTiming
from audio.pcm import FRAME_MS, SILENCE_FRAME
from audio.scripted import ScriptedTts
from audio.speakable import speakable
from telephony.whisper import Whisper
from tests.telephony.phone import Phone

SUMMARY = "Demande un conseiller ; au sujet d'un sinistre ; identité vérifiée."


@asynccontextmanager
async def told(
    voice: ScriptedTts | None = None, customer: str = "10078821", *, connected: bool = True
) -> AsyncIterator[tuple[Phone, "asyncio.Task[bool]", ScriptedTts]]:
    """An adviser with the phone at his ear."""
    voice = voice or ScriptedTts(ms_per_character=20)
    phone = Phone(TurnTiming(silence_ms=2000))
    if connected:
        phone.connect()
    before = asyncio.all_tasks()
    taken = asyncio.create_task(Whisper(phone.line, voice).run(SUMMARY, customer))
    try:
        yield phone, taken, voice
    finally:
        phone.line.closed("the test is over")
        await asyncio.wait_for(taken, 5)
        assert asyncio.all_tasks() == before


async def test_the_adviser_hears_why_and_who_and_which_keys_to_press() -> None:
    async with told() as (phone, taken, voice):
        await phone.hears_the_agent_out()
        assert not taken.done(), "he has not chosen yet"
    heard = " ".join(voice.finished)
    assert "Demande un conseiller" in heard
    assert "dix, zéro sept" in heard
    assert "tapez un" in heard


async def test_of_a_caller_who_was_not_identified_no_number_is_told() -> None:
    async with told(customer="") as (phone, _, voice):
        await phone.hears_the_agent_out()
    assert not any("Numéro client" in sentence for sentence in voice.asked)


@pytest.mark.parametrize(("key", "takes", "answer"), [("1", True, "ligne"), ("2", False, "noté")])
async def test_one_takes_the_call_and_two_refuses_it_and_either_is_confirmed(
    key: str, takes: bool, answer: str
) -> None:
    async with told() as (phone, taken, voice):
        await phone.hears_the_agent_out()
        phone.line.digit_in(key)
        await phone.waits_until(taken.done)
        assert await taken is takes
        assert phone.wire.closed
    assert answer in voice.finished[-1]


async def test_a_key_in_the_middle_of_the_summary_is_enough() -> None:
    async with told() as (phone, taken, voice):
        await phone.hears_the_agent()
        phone.line.digit_in("1")
        await phone.waits_until(taken.done)
        assert await taken is True
    heard_ms = sum(frame != SILENCE_FRAME for frame in phone.heard) * FRAME_MS
    assert heard_ms < voice.duration_ms(speakable(SUMMARY)), "he was not made to hear it all"


async def test_other_keys_are_no_choice() -> None:
    async with told() as (phone, taken, _):
        await phone.hears_the_agent_out()
        phone.line.digit_in("5")
        phone.line.digit_in("#")
        await phone.waits(500)
        assert not taken.done()


async def test_who_presses_nothing_is_told_once_more_and_has_then_refused() -> None:
    async with told() as (phone, taken, voice):
        await phone.waits_until(taken.done)
        assert await taken is False
    assert sum("Pour prendre" in sentence for sentence in voice.finished) == 2
    assert sum("Demande" in sentence for sentence in voice.finished) == 1


@pytest.mark.parametrize("moment", ["before there is sound", "while he is told", "after it"])
async def test_an_adviser_who_hangs_up_has_refused(moment: str) -> None:
    async with told(connected=moment != "before there is sound") as (phone, taken, _):
        match moment:
            case "while he is told":
                await phone.hears_the_agent()
            case "after it":
                await phone.hears_the_agent_out()
        phone.line.closed("he hung up")
        assert await asyncio.wait_for(taken, 5) is False


async def test_a_voice_that_fails_does_not_keep_the_two_apart() -> None:
    async with told(ScriptedTts(fails_after_chunks=1)) as (phone, taken, _):
        await phone.waits_until(taken.done)
        assert await taken is True
