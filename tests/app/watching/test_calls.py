"""The book of calls: what it knows of each, and how far back."""

import pytest

from app.watching.calls import LONGEST_BOOK, CallBook
from graph.heard import CallBegins, Words
from telephony.call import Call, CallerLeft, CallId, HungUp, NoAudio, Outcome, Transferred
from telephony.journal import (
    CallCameBack,
    CallEnded,
    CallerIdentified,
    CallPassedOn,
    CallStarted,
    NodePassed,
    RecordingRefused,
    StageFailed,
    TurnHeard,
    TurnInterrupted,
    TurnSaid,
    TurnTimed,
    TurnTimes,
)
from tests.app.office import Clock

CALL = CallId("0b6e3f0e-5d0e-4c58-9c8e-3a1f2b4c5d6e")


def started(book: CallBook, call_id: CallId = CALL) -> None:
    book.note(call_id, CallStarted(Call(call_id)))


def test_a_call_that_nobody_announced_is_not_known() -> None:
    assert CallBook().status(CALL) is None


def test_announcing_a_call_twice_changes_nothing() -> None:
    book = CallBook()
    assert book.announce(CALL).phase == "announced"
    started(book)
    assert book.announce(CALL).phase == "live"
    assert len(book.live()) == 1


def test_a_call_that_was_not_announced_is_written_down_when_it_starts() -> None:
    book = CallBook()
    started(book)
    assert [status.call_id for status in book.live()] == [CALL]


def test_a_call_lasts_from_its_start_and_not_from_its_announcement() -> None:
    clock = Clock()
    book = CallBook(clock)
    status = book.announce(CALL)
    clock.now_s += 20
    started(book)
    clock.now_s += 5
    assert book.seconds(status) == 5
    book.note(CALL, CallEnded(HungUp()))
    clock.now_s += 100
    assert book.seconds(status) == 5


def test_the_nodes_are_those_of_the_last_turn() -> None:
    book = CallBook()
    started(book)
    book.note(CALL, TurnHeard(CallBegins()))
    book.note(CALL, NodePassed("greet", 1.0))
    book.note(CALL, TurnHeard(Words("mon sinistre")))
    book.note(CALL, NodePassed("classify", 1.0))
    book.note(CALL, NodePassed("claims", 1.0))
    status = book.status(CALL)
    assert status is not None
    assert (status.turns, status.nodes) == (2, ["classify", "claims"])


def test_what_the_caller_waited_for_the_last_answer_is_kept() -> None:
    book = CallBook()
    started(book)
    book.note(CALL, TurnTimed(TurnTimes(700, 100, 20, 50, 10)))
    book.note(CALL, TurnTimed(TurnTimes(700, 200, 20, 50, 10)))
    status = book.status(CALL)
    assert status is not None
    assert status.heard_silence_ms == 980


def test_failures_are_counted() -> None:
    book = CallBook()
    started(book)
    book.note(CALL, StageFailed("stt", RuntimeError()))
    book.note(CALL, StageFailed("tts", RuntimeError()))
    status = book.status(CALL)
    assert status is not None
    assert status.failures == 2


@pytest.mark.parametrize(
    ("outcome", "phase"),
    [
        (HungUp(), "hung_up"),
        (Transferred("conseillers", "asked", ""), "transferred"),
        (CallerLeft(), "caller_left"),
        (NoAudio(), "no_audio"),
    ],
)
def test_the_phase_of_an_ended_call_tells_how_it_ended(outcome: Outcome, phase: str) -> None:
    book = CallBook()
    started(book)
    book.note(CALL, CallEnded(outcome))
    status = book.status(CALL)
    assert status is not None
    assert status.phase == phase
    assert book.live() == []


def test_the_channel_of_a_call_is_kept_and_whether_the_caller_is_identified() -> None:
    book = CallBook()
    book.note(CALL, CallStarted(Call(CALL, caller="0612345678", channel="PJSIP/trunk-1")))
    status = book.status(CALL)
    assert status is not None
    assert (status.channel, status.identified) == ("PJSIP/trunk-1", False)
    book.note(CALL, CallerIdentified())
    assert status.identified
    assert "0612345678" not in repr(status)


def test_what_was_said_is_not_kept() -> None:
    book = CallBook()
    started(book)
    book.note(CALL, TurnHeard(Words("je suis Jeanne Moreau")))
    book.note(CALL, TurnSaid("authenticate.welcome", "Merci, Madame Moreau."))
    book.note(CALL, TurnInterrupted("Merci, Madame", 100, 20.0))
    book.note(CALL, RecordingRefused())
    assert "Moreau" not in repr(book.status(CALL))


def test_the_oldest_calls_are_forgotten_and_live_ones_are_not() -> None:
    book = CallBook()
    started(book)
    for number in range(LONGEST_BOOK + 5):
        book.announce(CallId(f"announced-{number}"))
    assert [status.call_id for status in book.live()] == [CALL]
    assert book.status(CallId("announced-5")) is None
    assert book.status(CallId("announced-6")) is not None


def test_a_book_full_of_live_calls_forgets_none() -> None:
    book = CallBook()
    for number in range(LONGEST_BOOK + 1):
        started(book, CallId(f"live-{number}"))
    assert len(book.live()) == LONGEST_BOOK + 1


def test_a_call_that_begins_again_lasts_from_there() -> None:
    clock = Clock()
    book = CallBook(clock)
    started(book)
    book.note(CALL, CallEnded(CallerLeft()))
    clock.now_s += 100
    started(book)  # a text call that was left, and taken up
    clock.now_s += 5
    status = book.status(CALL)
    assert status is not None
    assert (status.phase, book.seconds(status)) == ("live", 5)


def test_a_caller_who_is_passed_on_is_no_live_call_until_he_comes_back() -> None:
    clock = Clock()
    book = CallBook(clock)
    to = Transferred("vie", "asked", "")
    started(book)
    clock.now_s += 10
    book.note(CALL, CallPassedOn(to))
    assert book.live() == []
    clock.now_s += 30
    book.note(CALL, CallCameBack("no_answer", Call(CALL, channel="PJSIP/trunk-1")))
    [status] = book.live()
    assert book.seconds(status) == 40
    clock.now_s += 5
    book.note(CALL, CallPassedOn(to))
    clock.now_s += 600
    book.note(CALL, CallEnded(to))
    assert (status.phase, book.seconds(status)) == ("transferred", 45), "the talk with people is not ours"
