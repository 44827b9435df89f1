"""Calls by text: apart from phone calls, noted like them, and forgotten when asked."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from app.text_calls import ABANDONED_AFTER_S, PREFIX, TextCallEnded, TextCalls, TextTurn, UnknownTextCall
from app.watching.calls import CallBook
from graph.builder import build_graph
from graph.checkpoints import open_checkpoints
from graph.dialogue import Dialogue
from graph.heard import CallBegins, Heard, Keys, Quiet, Words
from graph.reply import Transfer
from knowledge.retriever import Passage
from telephony.call import CallerLeft, CallId, HungUp, Transferred
from telephony.journal import (
    CallEnded,
    CallerIdentified,
    CallStarted,
    Journals,
    MemoryJournal,
    RecordingRefused,
    StageFailed,
    TurnHeard,
)
from tests.app.office import MADAME_MOREAU, REFUSAL, Clock, dialogue_of
from tests.graph.conversation import services


class BrokenRetriever:
    """Fails as nobody expects."""

    async def search(self, question: str, limit: int = 3) -> list[Passage]:
        raise RuntimeError(question)


class SlowRetriever:
    """Lets a test hold a turn in the middle."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()

    async def search(self, question: str, limit: int = 3) -> list[Passage]:
        self.asked.set()
        await self.go_on.wait()
        return []


def calls_of(dialogue: Dialogue | None = None) -> tuple[TextCalls, MemoryJournal]:
    journal = MemoryJournal()
    return TextCalls(dialogue or dialogue_of(), journal), journal


async def hold(calls: TextCalls, heard: Sequence[Heard]) -> list[TextTurn]:
    turns = [await calls.start()]
    for one in heard:
        turns.append(await calls.turn(turns[0].call_id, one))
    return turns


async def identified(calls: TextCalls) -> CallId:
    number, born = MADAME_MOREAU
    turns = await hold(calls, [Words("je voudrais m'identifier"), Keys(number), Keys(born)])
    return turns[0].call_id


def outcomes(journal: MemoryJournal) -> list[object]:
    return [event.outcome for event in journal.events if isinstance(event, CallEnded)]


async def test_a_text_call_begins_with_the_greeting() -> None:
    calls, _ = calls_of()
    turn = await calls.start()
    assert [said.key for said in turn.said] == ["greet.notice", "greet.question"]
    assert [ran.node for ran in turn.nodes] == ["greet"]
    assert turn.nodes[0].took_ms >= 0
    assert (turn.next, turn.listening, turn.ended) == ("listening", "open", False)


async def test_a_text_call_answers_a_question_and_says_goodbye() -> None:
    calls, journal = calls_of()
    turns = await hold(calls, [Words("quels sont vos horaires"), Words("non merci")])
    assert [said.key for said in turns[1].said] == ["faq.answer", "common.anything_else"]
    assert [ran.node for ran in turns[1].nodes] == ["classify", "faq"]
    assert (turns[2].next, turns[2].listening, turns[2].ended) == ("hangup", None, True)
    assert outcomes(journal) == [HungUp()]


async def test_a_question_tells_what_kind_of_answer_it_waits_for() -> None:
    calls, _ = calls_of()
    turns = await hold(calls, [Words("où en est mon sinistre")])
    assert turns[1].listening == "number"


async def test_a_transfer_shows_to_whom_and_why() -> None:
    calls, journal = calls_of()
    turns = await hold(calls, [Words("je veux parler à un conseiller")])
    assert turns[1].next == "transfer"
    handover = turns[1].handover
    assert isinstance(handover, Transfer)
    assert (handover.queue, handover.reason) == ("conseillers", "asked")
    assert handover.summary
    assert outcomes(journal) == [Transferred("conseillers", "asked", handover.summary)]


async def test_keys_and_silence_are_turns_too() -> None:
    calls, journal = calls_of()
    turns = await hold(calls, [Quiet(), Keys("0")])
    assert turns[1].said[0].key == "repair.quiet"
    assert turns[2].next == "transfer"
    heard = [event.heard for event in journal.events if isinstance(event, TurnHeard)]
    assert heard == [CallBegins(), Quiet(), Keys("0")]


async def test_the_journal_is_told_as_of_a_phone_call() -> None:
    calls, journal = calls_of()
    await hold(calls, [Words("au revoir")])
    kinds = [type(event).__name__ for event in journal.events]
    said = ["TurnSaid", "TurnSaid"]
    assert kinds[:5] == ["CallStarted", "TurnHeard", *said, "NodePassed"]
    assert kinds[-1] == "CallEnded"
    started = journal.events[0]
    assert isinstance(started, CallStarted)
    assert (started.call.caller, started.call.channel) == ("", "text")


async def test_proven_identity_is_noted_once_as_of_a_phone_call() -> None:
    calls, journal = calls_of()
    call_id = await identified(calls)
    assert journal.events.count(CallerIdentified("10078821")) == 1
    await calls.turn(call_id, Words("combien j'ai sur mon assurance vie"))
    assert journal.events.count(CallerIdentified("10078821")) == 1
    await hold(calls, [Words("quels sont vos horaires")])
    assert journal.events.count(CallerIdentified("10078821")) == 1, "another call has proven nothing"


async def test_the_call_book_knows_text_calls() -> None:
    book = CallBook()
    calls = TextCalls(dialogue_of(), book)
    call_id = (await calls.start()).call_id
    status = book.status(call_id)
    assert status is not None
    assert status.phase == "live"
    await calls.turn(call_id, Words("au revoir"))
    assert (status.phase, status.turns) == ("hung_up", 2)


async def test_a_call_that_has_ended_takes_no_further_turn() -> None:
    calls, journal = calls_of()
    turns = await hold(calls, [Words("au revoir")])
    with pytest.raises(TextCallEnded, match="goodbye"):
        await calls.turn(turns[0].call_id, Words("allô ?"))
    assert outcomes(journal) == [HungUp()]


async def test_of_two_turns_at_once_the_second_sees_that_the_first_ended_the_call() -> None:
    calls, _ = calls_of()
    call_id = (await calls.start()).call_id
    first, second = await asyncio.gather(
        calls.turn(call_id, Words("au revoir")),
        calls.turn(call_id, Words("au revoir")),
        return_exceptions=True,
    )
    assert isinstance(first, TextTurn)
    assert isinstance(second, TextCallEnded)


@pytest.mark.parametrize(
    "name",
    [
        f"{PREFIX}{uuid4()}",
        str(uuid4()),
        "",
        "readiness",
        f"{PREFIX}{uuid4()} ",
        f"{PREFIX}{uuid4()}\n",
        f"{PREFIX}{str(uuid4()).upper()}x",
        f"text_{uuid4()}",
    ],
)
async def test_a_name_that_is_no_text_call_is_unknown_everywhere(name: str) -> None:
    calls, journal = calls_of()
    for attempt in (calls.turn(name, Words("bonjour")), calls.state(name), calls.forget(name)):
        with pytest.raises(UnknownTextCall):
            await attempt
    assert journal.events == []


async def test_a_phone_call_cannot_be_read_continued_or_forgotten_by_text() -> None:
    dialogue = dialogue_of()
    phone_id = str(uuid4())
    _ = [reply async for reply in dialogue.turn(phone_id, CallBegins())]
    before = await dialogue.state(phone_id)
    calls, _ = calls_of(dialogue)
    for attempt in (calls.turn(phone_id, Words("bonjour")), calls.state(phone_id), calls.forget(phone_id)):
        with pytest.raises(UnknownTextCall):
            await attempt
    await calls.start(phone_id)  # the same UUID, and still another call
    assert await dialogue.state(phone_id) == before


async def test_a_name_is_begun_once() -> None:
    calls, _ = calls_of()
    number = str(uuid4())
    assert (await calls.start(number)).call_id == f"{PREFIX}{number}"
    with pytest.raises(ValueError, match="already"):
        await calls.start(number)
    with pytest.raises(ValueError, match="badly formed"):
        await calls.start("bonjour")


async def test_the_state_is_json_and_holds_no_proof_of_identity() -> None:
    dialogue = dialogue_of()
    calls, _ = calls_of(dialogue)
    call_id = await identified(calls)
    state = await calls.state(call_id)
    sealed = (await dialogue.state(call_id))["identity"]
    assert sealed
    written = json.dumps(state)
    assert str(sealed["signature"]) not in written
    assert "signature" not in written
    assert "identity" not in state
    assert (state["identified"], state["level"]) == (True, 1)


async def test_nobody_is_identified_before_he_is() -> None:
    calls, _ = calls_of()
    turns = await hold(calls, [Words("où en est mon sinistre")])
    state = await calls.state(turns[0].call_id)
    assert (state["identified"], state["level"]) == (False, 0)
    assert state["pending"] == "claims"
    assert state["awaiting"] == {"by": "authenticate", "what": "number", "form": "number"}


async def test_the_state_tells_who_said_what() -> None:
    calls, _ = calls_of()
    turns = await hold(calls, [Words("quels sont vos horaires"), Quiet(), Keys("0")])
    state = await calls.state(turns[0].call_id)
    caller = [(one["heard"], one["text"]) for one in state["messages"] if one["who"] == "caller"]
    assert caller == [("words", "quels sont vos horaires"), ("quiet", ""), ("keys", "0")]
    agent = [one["key"] for one in state["messages"] if one["who"] == "agent"]
    assert agent[:3] == ["greet.notice", "greet.question", "faq.answer"]
    assert state["ended"] == "transfer"
    assert state["handover"] is not None
    assert state["handover"]["queue"] == "conseillers"


async def test_a_forgotten_call_leaves_nothing() -> None:
    dialogue = dialogue_of()
    calls, journal = calls_of(dialogue)
    call_id = (await calls.start()).call_id
    await calls.forget(call_id)
    assert await dialogue.state(call_id) == {}
    assert outcomes(journal) == [CallerLeft()]
    with pytest.raises(UnknownTextCall):
        await calls.forget(call_id)


async def test_forgetting_a_call_that_has_ended_does_not_end_it_again() -> None:
    calls, journal = calls_of()
    turns = await hold(calls, [Words("au revoir")])
    await calls.forget(turns[0].call_id)
    assert outcomes(journal) == [HungUp()]


async def test_forgetting_waits_for_the_turn_under_way() -> None:
    retriever = SlowRetriever()
    dialogue = dialogue_of(replace(services(), retriever=retriever))
    calls, _ = calls_of(dialogue)
    call_id = (await calls.start()).call_id
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(calls.turn(call_id, Words("vos horaires ?")))
        await retriever.asked.wait()
        tasks.create_task(calls.forget(call_id))
        retriever.go_on.set()
    assert await dialogue.state(call_id) == {}


async def test_who_refuses_recording_is_shown_to_nobody_and_forgotten_at_the_end() -> None:
    dialogue = dialogue_of()
    calls, journal = calls_of(dialogue)
    turns = await hold(calls, [Words(REFUSAL), Words("quels sont vos horaires")])
    call_id = turns[0].call_id
    assert [turn.recording_refused for turn in turns] == [False, True, True]
    state = await calls.state(call_id)
    assert (state["recording"], state["messages"]) == ("refused", [])
    assert sum(isinstance(event, RecordingRefused) for event in journal.events) == 1
    last = await calls.turn(call_id, Words("au revoir"))
    assert (last.next, last.recording_refused) == ("hangup", True)
    assert await dialogue.state(call_id) == {}
    with pytest.raises(UnknownTextCall):
        await calls.turn(call_id, Words("allô ?"))


async def test_a_call_goes_on_after_a_restart(tmp_path: Path) -> None:
    path = str(tmp_path / "checkpoints.sqlite")
    async with open_checkpoints(path) as saver:
        calls, _ = calls_of(Dialogue(build_graph(services()), saver))
        call_id = (await calls.start()).call_id
        await calls.turn(call_id, Words("où en est mon sinistre"))
    async with open_checkpoints(path) as saver:
        calls, journal = calls_of(Dialogue(build_graph(services()), saver))
        turn = await calls.turn(call_id, Keys(MADAME_MOREAU[0]))
    assert turn.listening == "date"
    assert isinstance(journal.events[0], CallStarted)


async def test_a_refusal_of_recording_outlives_a_restart(tmp_path: Path) -> None:
    path = str(tmp_path / "checkpoints.sqlite")
    async with open_checkpoints(path) as saver:
        calls, _ = calls_of(Dialogue(build_graph(services()), saver))
        call_id = (await calls.start()).call_id
        await calls.turn(call_id, Words(REFUSAL))
    async with open_checkpoints(path) as saver:
        dialogue = Dialogue(build_graph(services()), saver)
        calls, journal = calls_of(dialogue)
        turn = await calls.turn(call_id, Words("au revoir"))
        assert turn.recording_refused
        assert await dialogue.state(call_id) == {}
        assert any(isinstance(event, RecordingRefused) for event in journal.events)


async def test_a_call_that_nobody_touches_has_been_left() -> None:
    clock, journal, book = Clock(), MemoryJournal(), CallBook()
    calls = TextCalls(dialogue_of(), Journals((journal, book)), clock)
    left = (await calls.start()).call_id
    clock.now_s += ABANDONED_AFTER_S / 2
    kept = (await calls.start()).call_id
    clock.now_s += ABANDONED_AFTER_S / 2 + 1
    await calls.sweep()
    await calls.sweep()
    assert outcomes(journal) == [CallerLeft()]
    assert [status.call_id for status in book.live()] == [kept]
    turn = await calls.turn(left, Words("quels sont vos horaires"))  # it can still be taken up
    assert turn.said[0].key == "faq.answer"


async def test_a_call_left_after_refusing_recording_is_forgotten() -> None:
    clock, dialogue = Clock(), dialogue_of()
    calls = TextCalls(dialogue, MemoryJournal(), clock)
    call_id = (await calls.start()).call_id
    await calls.turn(call_id, Words(REFUSAL))
    clock.now_s += ABANDONED_AFTER_S + 1
    await calls.sweep()
    assert await dialogue.state(call_id) == {}


async def test_a_failing_dialogue_is_noted_and_told_and_the_call_goes_on() -> None:
    calls, journal = calls_of(dialogue_of(replace(services(), retriever=BrokenRetriever())))
    call_id = (await calls.start()).call_id
    with pytest.raises(RuntimeError):
        await calls.turn(call_id, Words("vos horaires ?"))
    failed = [event for event in journal.events if isinstance(event, StageFailed)]
    assert [event.component for event in failed] == ["dialogue"]
    assert (await calls.turn(call_id, Words("au revoir"))).ended


async def test_a_cancelled_turn_is_no_failure() -> None:
    retriever = SlowRetriever()
    calls, journal = calls_of(dialogue_of(replace(services(), retriever=retriever)))
    call_id = (await calls.start()).call_id
    turn = asyncio.create_task(calls.turn(call_id, Words("vos horaires ?")))
    await retriever.asked.wait()
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    assert not [event for event in journal.events if isinstance(event, StageFailed)]
