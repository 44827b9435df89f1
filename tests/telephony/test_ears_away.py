"""Calls whose ears hear nothing, or are away: they end with people, soon, and at little cost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from audio.endpointing import Expecting, TurnTiming, Utterance
from audio.fallback_ears import FallbackEars
from audio.providers.groq_stt import GroqStt
from audio.scripted import ScriptedTts
from audio.stt import SpeechToText, Transcript
from audio.vad import EnergyDetector
from graph.builder import build_graph
from graph.dialogue import Dialogue
from graph.heard import CallBegins, Words
from memory.breaker import Breakers
from telephony.call import TECHNICAL, Call, CallId, Outcome, Transferred
from telephony.front_desk import FrontDesk
from telephony.journal import MemoryJournal, StageFailed, TurnHeard
from tests.graph.conversation import services
from tests.simulators.groq import KEY, GroqSimulator
from tests.simulators.server import Fault
from tests.telephony.phone import Phone

CALL = Call(CallId("b6b1c0de-0000-4000-8000-000000000002"))
TEN_MINUTES_MS = 600_000

MOST_REQUESTS = 20
"""In a call whose every sound is taken for speech, speculation included."""


class DeafEar:
    """Understands nothing, and counts how often it was asked."""

    name = "deaf"

    def __init__(self) -> None:
        self.asked = 0

    async def transcribe(self, utterance: Utterance, expecting: Expecting) -> Transcript:
        self.asked += 1
        return Transcript("", 0.0)


@asynccontextmanager
async def call(ears: SpeechToText) -> AsyncIterator[tuple[Phone, MemoryJournal, "asyncio.Task[Outcome]"]]:
    phone, journal = Phone(), MemoryJournal()
    dialogue = Dialogue(build_graph(services()), InMemorySaver())
    voice = ScriptedTts(ms_per_character=20)
    desk = FrontDesk(dialogue, ears, voice, EnergyDetector(), TurnTiming(), journal)
    phone.connect()
    running = asyncio.create_task(desk.run(CALL, phone.line, CallBegins()))
    try:
        yield phone, journal, running
    finally:
        phone.line.closed("the test is over")
        await asyncio.wait_for(running, 5)


async def test_ten_minutes_of_noise_that_sounds_like_speech_end_with_people_and_no_words() -> None:
    ears = DeafEar()
    async with call(ears) as (phone, journal, running):
        at_ms = 0
        while not running.done():
            assert at_ms < TEN_MINUTES_MS
            await phone.speaks(2000)
            await phone.waits(1500)
            at_ms += 3500
        outcome = await running
    assert isinstance(outcome, Transferred)
    assert ears.asked <= MOST_REQUESTS
    words = [event.heard for event in journal.events if isinstance(event, TurnHeard)]
    assert not [heard for heard in words if isinstance(heard, Words) and heard.text]


@pytest.mark.parametrize(
    "fault",
    [Fault(503), Fault(401), Fault(404), Fault(429), Fault(cut=True), Fault(raw=b"{"), Fault(delay_s=5)],
    ids=["5xx", "key", "model", "limit", "cut", "broken", "stalled"],
)
async def test_when_every_ear_is_away_the_caller_is_told_and_gets_people(fault: Fault) -> None:
    with GroqSimulator() as provider:
        provider.broken = {"": fault}
        cloud = GroqStt(KEY, base_url=provider.url)
        ears = FallbackEars([cloud], Breakers(), budget_ms=400)
        async with call(ears) as (phone, journal, running):
            await phone.hears_the_agent_out()
            await phone.speaks(800)
            await phone.waits_until(running.done, at_most_ms=TEN_MINUTES_MS)
            outcome = await running
        await cloud.close()
    assert isinstance(outcome, Transferred)
    assert outcome.reason == TECHNICAL
    assert journal.said()[-1] == "common.technical"
    assert [event.component for event in journal.events if isinstance(event, StageFailed)] == ["stt"]
