"""What hosted providers cost is counted where they are asked, and charged to the call and the day."""

import asyncio
from dataclasses import replace

import pytest

from app.watching.costs import Costs, Prices
from app.watching.metrics import Metrics
from audio.endpointing import Expecting, Utterance
from audio.metered import MeteredEar, MeteredVoice
from audio.scripted import ScriptedStt, ScriptedTts
from audio.stt import SttFailed, Transcript
from memory.counters import MemoryCounters
from memory.limits import Limits, Over, Rules
from memory.provider_news import ProviderNews, Spent, Stage, TokensUsed
from telephony.call import Call, CallId, HungUp
from telephony.current_call import on_behalf_of
from telephony.front_desk import FrontDesk
from telephony.journal import CallCameBack, CallEnded, CallStarted, Journals
from telephony.turned_away import WayOut
from tests.graph.conversation import OPEN
from tests.telephony.scene import CALL, call

ID = CallId("b6b1c0de-0000-4000-8000-000000000001")
PRICES = Prices(stt_a_minute=6.0, tts_a_1000_characters=10.0, llm_a_1000_tokens=1.0)
CAPPED = Rules(cost_of_call_cents=2.0, cost_of_day_cents=5.0)


def limits(rules: Rules = CAPPED) -> Limits:
    return Limits(MemoryCounters(), rules, b"s" * 32)


def begun(line: Limits) -> Costs:
    costs = Costs(line, PRICES)
    costs.note(ID, CallStarted(Call(ID)))
    return costs


async def test_a_call_that_has_cost_its_share_may_not_go_on_and_others_may() -> None:
    costs = begun(limits())
    with on_behalf_of(ID):
        costs.heard(10_000)
        await costs.settled()
        assert costs.may_go_on(ID)
        costs.said(100)
        await costs.settled()
    assert not costs.may_go_on(ID)
    assert costs.may_go_on(CallId("another"))


async def test_each_stage_has_its_price_and_the_metrics_know() -> None:
    metrics = Metrics()
    costs = Costs(limits(), PRICES, metrics.told)
    costs.heard(30_000)
    costs.said(500)
    costs.told(TokensUsed("llama", 1500, 500))
    told = {stage: metrics.value("voicebot_cost_cents_total", stage=stage) for stage in Stage}
    assert told == {Stage.STT: 3.0, Stage.TTS: 5.0, Stage.LLM: 2.0}


async def test_what_is_spent_for_no_call_or_after_its_end_is_the_days() -> None:
    line = limits()
    costs = begun(line)
    with on_behalf_of(ID):
        costs.note(ID, CallEnded(HungUp()))
        costs.said(250)
    costs.said(200)
    await costs.settled()
    assert await line.admit("next", "") is None
    costs.told(TokensUsed("llama", 500, 0))
    await costs.settled()
    assert await line.admit("next", "") is Over.COST_OF_DAY
    assert costs.open_calls == 0
    assert line._spent == {}, "nothing is kept of calls that are over"


async def test_an_account_is_open_again_when_the_caller_comes_back_and_closed_at_the_end() -> None:
    costs = begun(limits())
    costs.note(ID, CallCameBack("busy", Call(ID)))
    assert costs.open_calls == 1
    with on_behalf_of(ID):
        costs.said(1000)
        await costs.settled()
    costs.note(ID, CallEnded(HungUp()))
    assert costs.may_go_on(ID), "the name may come again"


async def test_what_is_free_asks_nobody() -> None:
    told: list[ProviderNews] = []
    costs = Costs(limits(), Prices(), told.append)
    costs.heard(60_000)
    costs.said(1000)
    await costs.settled()
    assert told == []


# Where it is measured


async def test_an_ear_is_charged_for_what_it_heard_and_not_for_what_it_failed_to() -> None:
    heard: list[int] = []
    ear = MeteredEar(ScriptedStt(["bonjour", SttFailed("away"), ""]), heard.append, least_ms=10_000)
    for seconds in (2, 3, 15):
        utterance = Utterance(b"", 0, seconds * 1000)
        try:
            await ear.transcribe(utterance, Expecting.OPEN)
        except SttFailed:
            assert seconds == 3
    assert heard == [10_000, 15_000]
    assert ear.name == "scripted"


async def test_a_transcription_that_is_given_up_has_been_paid_all_the_same() -> None:
    class Endless(ScriptedStt):
        async def transcribe(self, utterance: Utterance, expecting: Expecting) -> Transcript:
            await asyncio.get_running_loop().create_future()
            raise AssertionError("it never ends")

    heard: list[int] = []
    ear = MeteredEar(Endless([]), heard.append)
    asked = asyncio.create_task(ear.transcribe(Utterance(b"", 0, 2000), Expecting.OPEN))
    await asyncio.sleep(0)
    asked.cancel()
    await asyncio.wait([asked])
    assert heard == [2000]


async def test_a_voice_is_charged_for_what_it_was_given_to_say() -> None:
    said: list[int] = []
    voice = MeteredVoice(ScriptedTts(ms_per_character=5), said.append)
    assert b"".join([chunk async for chunk in voice.speak("Bonjour.")])
    assert said == [8]
    cut = voice.speak("Au revoir.")
    await anext(cut)
    await cut.aclose()
    assert said == [8, 10]


# In a call


async def test_a_call_over_its_cap_is_handed_over_at_its_next_turn() -> None:
    line = limits(Rules(cost_of_call_cents=0.5))
    costs = Costs(line, Prices(tts_a_1000_characters=10.0))
    voice = ScriptedTts(ms_per_character=5)

    def at(desk: FrontDesk) -> FrontDesk:
        return replace(
            desk,
            voice=MeteredVoice(voice, costs.said),
            limits=line,
            may_go_on=costs.may_go_on,
            journal=Journals((desk.journal, costs)),
            way_out=WayOut(now=lambda: OPEN),
        )

    async with call(["quels sont vos horaires"], at=at) as scene:
        await scene.phone.hears_the_agent_out()
        await costs.settled()
        assert not costs.may_go_on(CALL.id), "the greeting alone is longer than that"
        await scene.says()
        await scene.outcome()
        assert scene.journal.said()[-1] == "turned_away.people"
    assert costs.open_calls == 0


def test_news_of_costs_holds_nothing_of_a_call() -> None:
    assert set(Spent.__dataclass_fields__) == {"stage", "cents"}


@pytest.mark.parametrize("stage", list(Stage))
def test_the_series_are_there_from_the_first_scrape(stage: Stage) -> None:
    assert Metrics().value("voicebot_cost_cents_total", stage=stage) == 0
