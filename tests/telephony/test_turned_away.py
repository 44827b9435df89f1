"""Over a limit: callers are told why, kindly, and are given to people; a dialogue is not begun."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.checkpoint.memory import InMemorySaver

from audio.endpointing import TurnTiming
from audio.pcm import BYTES_PER_MS
from audio.scripted import ScriptedStt, ScriptedTts
from audio.tts import Pace, TtsFailed
from audio.vad import EnergyDetector
from graph.builder import build_graph
from graph.dialogue import Dialogue
from graph.heard import CallBegins, NotReached, Resumed
from graph.safekeeping import StateAway
from memory.counters import MemoryCounters
from memory.limits import Limits, Over, Rules
from prompts import load
from telephony.call import Call, CallerLeft, CallId, HungUp, NoAudio, Transferred
from telephony.front_desk import FrontDesk
from telephony.journal import CallEnded, CallPassedOn, CallStarted, LimitReached, MemoryJournal, StageFailed
from telephony.standby import StandbyLines
from telephony.turn import Budgets
from telephony.turned_away import WayOut
from tests.graph.conversation import CLOSED, OPEN, Conversation, services
from tests.telephony.phone import Phone
from tests.telephony.scene import BORN, NUMBER, SlowVoice, call

SECRET = b"s" * 32
CALLER = "0612345678"
WHO = Call(CallId("b6b1c0de-0000-4000-8000-000000000002"), CALLER)


class Broken(ScriptedTts):
    """A voice that does not speak."""

    async def speak(self, text: str, pace: Pace = Pace.NORMAL) -> AsyncGenerator[bytes, None]:
        if text:
            raise TtsFailed("gone")
        yield b""


class Nowhere(InMemorySaver):
    """A store of calls that is away, in a worker that has no copy."""

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        raise StateAway("nobody has it")


def limits(rules: Rules) -> Limits:
    return Limits(MemoryCounters(), rules, SECRET)


def behind(line: Limits, *, closed: bool = False) -> Callable[[FrontDesk], FrontDesk]:
    now = CLOSED if closed else OPEN
    return lambda desk: replace(desk, limits=line, way_out=WayOut(now=lambda: now))


async def test_when_all_lines_are_taken_the_caller_is_told_so_to_the_end_and_goes_to_people() -> None:
    line = limits(Rules(calls_at_once=1))
    await line.admit("another", "")
    async with call(who=WHO, at=behind(line)) as scene:
        await scene.phone.hears_the_agent()
        await scene.phone.speaks(600)  # whatever he says meanwhile
        outcome = await scene.outcome()
        assert outcome == Transferred(
            "conseillers", "limit", load("turned_away").say("summary_calls_at_once").text
        )
        assert scene.journal.said() == ["turned_away.calls_at_once", "turned_away.people"]
        assert scene.voice.finished == scene.voice.asked
        assert len(scene.voice.asked) == 3
        assert await scene.dialogue.state(WHO.id) == {}, "the dialogue was not opened"
        assert scene.phone.wire.closed
    kinds = [type(event) for event in scene.journal.events]
    assert kinds[:2] == [CallStarted, LimitReached]
    assert kinds[-2:] == [CallPassedOn, CallEnded]


@pytest.mark.parametrize(
    ("rules", "key"),
    [
        (Rules(calls_of_caller_an_hour=1), "turned_away.calls_of_caller"),
        (Rules(cost_of_day_cents=1), "turned_away.cost_of_day"),
    ],
)
async def test_each_limit_has_words_of_its_own(rules: Rules, key: str) -> None:
    line = limits(rules)
    await line.admit("another", CALLER)
    await line.spend("another", 2)
    async with call(who=WHO, at=behind(line)) as scene:
        assert isinstance(await scene.outcome(), Transferred)
        assert scene.journal.said()[0] == key


async def test_outside_opening_hours_he_hears_when_to_ring_instead_of_a_queue() -> None:
    line = limits(Rules(calls_at_once=1))
    await line.admit("another", "")
    async with call(who=WHO, at=behind(line, closed=True)) as scene:
        assert isinstance(await scene.outcome(), HungUp)
        assert scene.journal.said() == ["turned_away.calls_at_once", "turned_away.closed"]
        assert any("lundi au vendredi" in sentence for sentence in scene.voice.finished)


async def test_lines_that_are_ready_ask_nothing_of_the_voice() -> None:
    made_by = ScriptedTts(ms_per_character=5)
    standby = StandbyLines(made_by, WayOut().texts())
    await standby.make()
    line = limits(Rules(cost_of_day_cents=1))
    await line.spend("another", 2)
    async with call(who=WHO, at=behind(line), standby=standby) as scene:
        await scene.outcome()
        assert scene.voice.asked == []
        heard_ms = sum(any(frame) for frame in scene.phone.heard) * 20
    texts = [load("turned_away").say(key).text for key in ("cost_of_day", "people")]
    ready = b"".join(standby.sound(text, Pace.NORMAL) or b"" for text in texts)
    assert heard_ms >= len(ready) // BYTES_PER_MS > 0


async def test_without_a_voice_he_goes_to_people_unannounced() -> None:
    line = limits(Rules(cost_of_day_cents=1))
    await line.spend("another", 2)
    async with call(who=WHO, voice=Broken(), at=behind(line)) as scene:
        assert isinstance(await scene.outcome(), Transferred)


async def test_a_voice_that_does_not_come_is_not_waited_for() -> None:
    line = limits(Rules(cost_of_day_cents=1))
    await line.spend("another", 2)
    voice = SlowVoice(ms_per_character=5)
    voice.hold()
    async with call(who=WHO, voice=voice, at=behind(line), budgets=Budgets(voice_ms=20)) as scene:
        assert isinstance(await scene.outcome(), Transferred)


async def test_who_leaves_meanwhile_goes_nowhere() -> None:
    line = limits(Rules(cost_of_day_cents=1))
    await line.spend("another", 2)
    async with call(who=WHO, at=behind(line)) as scene:
        await scene.phone.hears_the_agent()
        scene.phone.line.closed("the caller hung up")
        assert isinstance(await scene.running, CallerLeft)


async def test_a_call_without_sound_is_not_sent_anywhere() -> None:
    line = limits(Rules(cost_of_day_cents=1))
    await line.spend("another", 2)
    async with call(who=WHO, at=behind(line), connected=False) as scene:
        scene.phone.line.closed("no audio")
        assert isinstance(await scene.running, NoAudio)


async def test_whom_nobody_took_waits_on_or_is_let_in_when_there_is_room_by_then() -> None:
    line = limits(Rules(calls_at_once=1))
    await line.admit("another", "")
    journal = MemoryJournal()
    dialogue = Dialogue(build_graph(services()), InMemorySaver())
    voice = ScriptedTts(ms_per_character=5)
    desk = behind(line)(FrontDesk(dialogue, ScriptedStt([]), voice, EnergyDetector(), TurnTiming(), journal))
    for first, last_words in (
        (CallBegins(CALLER), "turned_away.people"),
        (NotReached("no_answer"), "turned_away.people"),
    ):
        phone = Phone().connect()
        talking = asyncio.create_task(desk.run(WHO, phone.line, first))
        await phone.waits_until(talking.done)
        assert isinstance(await talking, Transferred)
        assert journal.said()[-1] == last_words
    assert journal.said()[-2] == "turned_away.still"
    await line.leave("another")
    phone = Phone().connect()
    talking = asyncio.create_task(desk.run(WHO, phone.line, NotReached("no_answer")))
    await phone.hears_the_agent()
    assert "greet.notice" in journal.said(), "there is room, and his talk begins as any other"
    phone.line.closed("he hung up")
    await desk.close(WHO, await talking)
    assert await line.admit("next", "") is None, "his place is free"


async def test_who_came_through_before_is_not_counted_again_when_nobody_takes_him() -> None:
    line = limits(Rules(calls_at_once=1))
    await line.admit("another", "")
    async with call(who=WHO, at=behind(line), first=NotReached("busy")) as scene:
        await scene.phone.hears_the_agent()
        assert not any(isinstance(event, LimitReached) for event in scene.journal.events)


async def test_a_call_that_broke_off_and_is_let_in_later_goes_on_where_it_was() -> None:
    line = limits(Rules(calls_at_once=1))
    await line.admit("another", "")
    dialogue = Dialogue(build_graph(services()), InMemorySaver())
    before = Conversation(dialogue, WHO.id)
    await before.begins(CALLER)
    await before.says("combien j'ai sur mon assurance vie")
    journal, voice = MemoryJournal(), ScriptedTts(ms_per_character=5)
    desk = behind(line)(FrontDesk(dialogue, ScriptedStt([]), voice, EnergyDetector(), TurnTiming(), journal))
    phone = Phone().connect()
    talking = asyncio.create_task(desk.run(WHO, phone.line, Resumed()))
    await phone.waits_until(talking.done)
    await line.leave("another")
    phone = Phone().connect()
    talking = asyncio.create_task(desk.run(WHO, phone.line, NotReached("no_answer")))
    await phone.hears_the_agent()
    assert journal.said()[-2:] == ["common.cut_off", "repair.again"]
    phone.line.closed("he hung up")
    await desk.close(WHO, await talking)


async def test_a_call_that_is_resumed_needs_its_place_here_too() -> None:
    line = limits(Rules(calls_at_once=1))
    await line.admit("another", "")
    async with call(who=WHO, at=behind(line), first=Resumed()) as scene:
        assert isinstance(await scene.outcome(), Transferred)


async def test_the_place_is_given_back_when_the_call_ends() -> None:
    line = limits(Rules(calls_at_once=1))
    async with call(["au revoir"], who=WHO, at=behind(line)) as scene:
        await scene.phone.hears_the_agent_out()
        assert await line.admit("next", "") is Over.CALLS_AT_ONCE
        await scene.says()
        await scene.outcome()
        assert await line.admit("next", "") is None


# In the middle of a talk


async def test_a_call_that_costs_too_much_is_handed_over_at_its_next_turn_with_what_is_known() -> None:
    costly = False

    def at(desk: FrontDesk) -> FrontDesk:
        return replace(desk, may_go_on=lambda _: not costly, way_out=WayOut(now=lambda: OPEN))

    words = ["combien j'ai sur mon assurance vie", NUMBER, BORN, "et mes bénéficiaires"]
    async with call(words, at=at) as scene:
        await scene.phone.hears_the_agent_out()
        for _ in range(3):
            await scene.says()
            await scene.phone.waits_until(lambda: not scene.phone.line.playback.busy)
        assert "contract.value" in scene.journal.said()
        costly = True
        await scene.says()
        outcome = await scene.outcome()
        assert scene.journal.said()[-2:] == ["turned_away.cost_of_call", "turned_away.people"]
        assert LimitReached(Over.COST_OF_CALL) in scene.journal.events
    assert isinstance(outcome, Transferred)
    assert (outcome.queue, outcome.reason, outcome.customer_number) == ("vie", "too_long", "10078821")


async def test_outside_opening_hours_such_a_call_ends_with_the_hours() -> None:
    def at(desk: FrontDesk) -> FrontDesk:
        return replace(desk, may_go_on=lambda _: False, way_out=WayOut(now=lambda: CLOSED))

    async with call(["quels sont vos horaires"], at=at) as scene:
        await scene.phone.hears_the_agent_out()
        await scene.says()
        assert isinstance(await scene.outcome(), HungUp)
        assert scene.journal.said()[-2:] == ["turned_away.cost_of_call", "turned_away.closed"]


async def test_whom_nobody_took_after_that_may_still_arrange_a_call_back() -> None:
    def at(desk: FrontDesk) -> FrontDesk:
        return replace(desk, may_go_on=lambda _: False)

    async with call(["rappelez-moi"], at=at, first=NotReached("busy")) as scene:
        await scene.phone.hears_the_agent_out()
        await scene.says()
        assert not any(isinstance(event, LimitReached) for event in scene.journal.events)


# A call whose state can be had nowhere


async def test_a_call_whose_state_is_out_of_reach_is_told_so_and_handed_over() -> None:
    async with call(first=Resumed(), saver=Nowhere()) as scene:
        outcome = await scene.outcome()
        assert scene.journal.said() == ["common.lost"]
        failures = [event for event in scene.journal.events if isinstance(event, StageFailed)]
        assert [type(failure.error) for failure in failures] == [StateAway]
    assert outcome == Transferred("conseillers", "technical", load("common").say("lost_summary").text)


def test_all_that_may_be_said_is_ready_before() -> None:
    way_out = WayOut(now=lambda: OPEN)
    closed = WayOut(now=lambda: CLOSED)
    ready = set(way_out.texts())
    for over in Over:
        for one in (way_out, closed):
            for again in (False, True):
                assert {line.text for line in one.parting(over, again=again).lines} <= ready
