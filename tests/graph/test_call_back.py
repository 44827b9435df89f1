"""People who are not there, and the promise to ring back: turn by turn, on the real graph."""

from datetime import date, datetime

import pytest

from graph.heard import Unreached
from graph.reply import Listen, Transfer
from tests.graph.conversation import CLOSED, OPEN, Conversation, Turn, services
from tools.call_back_times import CallBackTime, DayPart
from tools.call_backs import CallBack, CallBacksUnavailable, MemoryCallBacks
from tools.opening_hours import PARIS

MONDAY_MORNING = CallBackTime(date(2026, 11, 23), DayPart.MORNING)


def at(now: datetime) -> tuple[Conversation, MemoryCallBacks]:
    """A call at that moment, and where its promises are kept."""
    promises = MemoryCallBacks()
    return Conversation.of(services(now=now, call_backs=promises)), promises


async def passed_on() -> tuple[Conversation, MemoryCallBacks]:
    """A caller who is being passed on in opening hours."""
    call, promises = at(OPEN)
    await call.begins()
    await call.says("un conseiller")
    return call, promises


# Outside opening hours


async def test_outside_opening_hours_a_call_back_is_offered_and_nobody_is_transferred() -> None:
    call, _ = at(CLOSED)
    await call.begins()
    turn = await call.says("un conseiller s'il vous plaît")
    assert turn.said == ["transfer.closed"]
    assert "du lundi au vendredi, de 9 heures à 18 heures" in turn.text
    assert "vous passe" not in turn.text
    assert turn.then == Listen("yes_no")


@pytest.mark.parametrize(
    ("moment", "open_"),
    [
        (datetime(2026, 11, 20, 17, 59, tzinfo=PARIS), True),
        (datetime(2026, 11, 20, 18, 0, tzinfo=PARIS), False),
        (datetime(2026, 11, 11, 10, 0, tzinfo=PARIS), False),
        (datetime(2026, 5, 25, 10, 0, tzinfo=PARIS), False),
    ],
    ids=["a minute before six", "six", "11 November", "Whit Monday"],
)
async def test_the_calendar_decides_between_people_and_a_call_back(moment: datetime, open_: bool) -> None:
    call, _ = at(moment)
    await call.begins()
    assert isinstance((await call.says("un conseiller")).then, Transfer) is open_


async def test_a_call_back_to_the_callers_own_number_is_arranged_in_three_answers() -> None:
    call, promises = at(CLOSED)
    await call.begins("+33612345678")
    await call.says("un conseiller")
    number = await call.says("oui volontiers")
    when = await call.says("oui")
    noted = await call.says("lundi matin")
    assert (number.said, when.said) == (["transfer.same_number"], ["transfer.when"])
    assert noted.said == ["transfer.noted", "common.anything_else"]
    assert "lundi 23 novembre, dans la matinée" in noted.text
    [promise] = promises.recorded
    assert (promise.number, promise.when, promise.queue) == ("0612345678", MONDAY_MORNING, "conseillers")
    assert promise.asked_at == CLOSED
    assert promise.call_id == call.call_id


async def test_the_callers_own_number_is_offered_without_being_read_out() -> None:
    call, _ = at(CLOSED)
    await call.begins("0612345678")
    await call.says("un conseiller")
    await call.says("oui")
    await call.says("oui")
    await call.says("peu importe")
    spoken = " ".join(turn.text for turn in call.turns).replace(" ", "")
    assert "78" in spoken
    assert "345678" not in spoken


@pytest.mark.parametrize("caller", ["", "anonymous", "+4930123456", "0899000000"])
async def test_without_a_number_that_can_be_rung_the_caller_is_asked_for_one(caller: str) -> None:
    call, _ = at(CLOSED)
    await call.begins(caller)
    await call.says("un conseiller")
    turn = await call.says("oui")
    assert turn.said == ["transfer.ask_number"]
    assert turn.then == Listen("number")


async def test_another_number_is_spoken_read_back_and_corrected() -> None:
    call, promises = at(CLOSED)
    await call.begins()
    await call.says("un conseiller")
    await call.says("oui")
    await call.says("non")
    first = await call.says("zéro un quarante-deux douze treize quinze")
    corrected = await call.says("non, c'est le zéro un quarante-deux douze treize quatorze")
    assert first.said == corrected.said == ["transfer.check_number"]
    assert "01 42 12 13 14" in corrected.text
    await call.says("c'est ça")
    await call.says("l'après-midi")
    [promise] = promises.recorded
    assert promise.number == "0142121314"


async def test_everything_can_be_keyed() -> None:
    call, promises = at(CLOSED)
    await call.begins(caller="")
    await call.says("un conseiller")
    for keys in ("1", "0142121314", "1", "1"):
        await call.keys(keys)
    [promise] = promises.recorded
    assert (promise.number, promise.when) == ("0142121314", MONDAY_MORNING)


async def test_a_number_that_begins_with_zero_is_no_cry_for_a_human() -> None:
    call, _ = at(CLOSED)
    await call.begins(caller="")
    await call.says("un conseiller")
    await call.says("oui")
    assert (await call.keys("0612345678")).said == ["transfer.check_number"]


async def test_zero_outside_opening_hours_offers_the_call_back_in_other_words_each_time() -> None:
    call, _ = at(CLOSED)
    await call.begins()
    first, second = await call.keys("0"), await call.keys("0")
    assert first.said == second.said == ["transfer.closed"]
    assert first.text != second.text
    assert second.then == Listen("yes_no")


async def test_a_call_back_that_is_declined_leaves_the_call_open() -> None:
    call, promises = at(CLOSED)
    await call.begins()
    await call.says("un conseiller")
    declined = await call.says("non merci")
    assert declined.said == ["transfer.no_call_back"]
    assert (await call.says("quels sont vos horaires")).said[0] == "faq.answer"
    assert promises.recorded == []


async def test_a_time_when_nobody_works_is_said_and_asked_again() -> None:
    call, promises = at(CLOSED)
    await call.begins()
    for said in ("un conseiller", "oui", "oui"):
        await call.says(said)
    turn = await call.says("dimanche matin")
    assert turn.said == ["transfer.nobody_then"]
    assert promises.recorded == []
    await call.says("mardi")
    assert promises.recorded[0].when == CallBackTime(date(2026, 11, 24), DayPart.ANY)


@pytest.mark.parametrize(
    ("answers", "what"),
    [
        ([], "call_back"),
        (["oui"], "same_number"),
        (["oui", "non"], "number"),
        (["oui", "non", "06 12 34 56 79"], "check_number"),
        (["oui", "oui"], "when"),
    ],
)
async def test_what_is_not_understood_is_asked_twice_more_and_then_given_up(
    answers: list[str], what: str
) -> None:
    call, promises = at(CLOSED)
    await call.begins()
    await call.says("un conseiller")
    for answer in answers:
        await call.says(answer)
    missed = [await call.says("euh comment dire") for _ in range(3)]
    assert [turn.said[0] for turn in missed] == [
        f"transfer.{what}_missed",
        f"transfer.{what}_missed",
        "transfer.give_up",
    ]
    assert missed[0].text != missed[1].text
    assert "tape" in missed[1].text.lower(), "the keypad is offered before giving up"
    assert missed[2].then == Listen("open")
    assert promises.recorded == []


async def test_a_caller_who_was_not_understood_is_not_told_that_he_is_passed_on() -> None:
    call, _ = at(CLOSED)
    await call.begins()
    for _ in range(3):
        turn = await call.says("")
    assert turn.said == ["transfer.not_understood_closed", "transfer.closed"]
    assert "passe" not in turn.text


async def test_the_promise_holds_what_the_adviser_needs_of_an_identified_caller() -> None:
    call, promises = at(CLOSED)
    await call.identified()
    await call.says("où en est mon sinistre SIN-2026-003117")
    for said in ("un conseiller", "oui", "oui", "lundi matin"):
        await call.says(said)
    [promise] = promises.recorded
    assert promise.customer_number == "10078821"
    assert promise.queue == "sinistres"
    assert "au sujet d'un sinistre ; identité vérifiée" in promise.summary


async def test_a_question_without_answer_offers_a_call_back_when_nobody_is_there() -> None:
    call, promises = at(CLOSED)
    await call.begins()
    turn = await call.says("la recette de la tarte aux pommes")
    assert turn.said == ["faq.unknown_closed"]
    assert "passe" not in turn.text
    for said in ("oui", "oui", "lundi matin"):
        await call.says(said)
    assert promises.recorded[0].reason == "unknown", "why people were offered is not forgotten on the way"


class NoDisk:
    """Nothing can be written."""

    async def record(self, call_back: CallBack) -> None:
        raise CallBacksUnavailable("the disk is full") from OSError()


async def test_a_promise_that_cannot_be_written_down_is_not_made() -> None:
    call = Conversation.of(services(now=CLOSED, call_backs=NoDisk()))
    await call.begins()
    for said in ("un conseiller", "oui", "oui"):
        await call.says(said)
    turn = await call.says("lundi matin")
    assert turn.said[0] == "transfer.not_noted"
    assert "rappellera" not in turn.text
    assert turn.then == Listen("open")


async def test_who_asks_to_be_rung_back_in_opening_hours_is_not_transferred() -> None:
    call, promises = at(OPEN)
    await call.begins()
    turn = await call.says("je voudrais être rappelé")
    assert turn.said == ["transfer.same_number"]
    await call.says("oui")
    noted = await call.says("cet après-midi")
    assert "aujourd'hui, dans l'après-midi" in noted.text
    assert promises.recorded[0].when == CallBackTime(date(2026, 11, 20), DayPart.AFTERNOON)


# Nobody took the caller


@pytest.mark.parametrize(
    ("why", "key"),
    [
        ("no_answer", "transfer.no_answer"),
        ("busy", "transfer.busy"),
        ("refused", "transfer.busy"),
        ("unavailable", "transfer.busy"),
    ],
)
async def test_a_caller_whom_nobody_took_is_told_and_given_a_choice(why: Unreached, key: str) -> None:
    call, _ = await passed_on()
    turn = await call.comes_back(why)
    assert turn.said == [key, "transfer.choice"]
    assert turn.then == Listen("choice")
    assert "refus" not in turn.text, "that an adviser declined is not for the caller's ears"


def last_handover(turn: Turn) -> Transfer:
    assert isinstance(turn.then, Transfer)
    return turn.then


@pytest.mark.parametrize("answer", ["je préfère patienter", "je vais attendre", "réessayez", "un conseiller"])
async def test_to_wait_is_to_be_passed_on_once_more_with_the_same_summary(answer: str) -> None:
    call, _ = await passed_on()
    before = last_handover(call.turns[-1])
    await call.comes_back()
    turn = await call.says(answer)
    assert turn.said == ["transfer.once_more"]
    assert last_handover(turn) == before


@pytest.mark.parametrize(
    "answer", ["être rappelé", "rappelez-moi plutôt", "oui, un rappel", "je ne veux pas attendre, un rappel"]
)
async def test_a_call_back_is_arranged_instead_of_waiting(answer: str) -> None:
    call, promises = await passed_on()
    await call.comes_back()
    assert (await call.says(answer)).said == ["transfer.same_number"]
    await call.says("oui")
    await call.says("lundi matin")
    assert promises.recorded[0].when == MONDAY_MORNING


@pytest.mark.parametrize("answer", ["autre chose", "j'ai une autre question", "non merci"])
async def test_something_else_is_listened_to(answer: str) -> None:
    call, _ = await passed_on()
    await call.comes_back()
    turn = await call.says(answer)
    assert turn.said == ["transfer.declined"]
    assert (await call.says("quels sont vos horaires")).said[0] == "faq.answer"


async def test_a_request_is_an_answer_to_the_choice_as_well() -> None:
    call, _ = await passed_on()
    await call.comes_back()
    assert (await call.says("quels sont vos horaires")).said[0] == "faq.answer"


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("1", "transfer.once_more"),
        ("2", "transfer.same_number"),
        ("3", "transfer.declined"),
        ("0", "transfer.advisers"),
    ],
)
async def test_the_choice_can_be_keyed_and_zero_is_still_a_human(key: str, line: str) -> None:
    call, _ = await passed_on()
    await call.comes_back()
    assert (await call.keys(key)).said == [line]


async def test_a_choice_that_is_not_understood_is_explained_for_the_keypad_and_then_given_up() -> None:
    call, _ = await passed_on()
    await call.comes_back()
    said = [(await call.says("euh")).said[0] for _ in range(3)]
    assert said == ["transfer.choice_missed", "transfer.choice_missed", "transfer.give_up"]


async def test_whoever_waited_twice_in_vain_is_offered_a_call_back_and_not_sent_round_again() -> None:
    call, _ = await passed_on()
    for _ in range(2):
        await call.comes_back()
        await call.says("je patiente")
    turn = await call.comes_back("busy")
    assert turn.said == ["transfer.busy", "transfer.call_back_instead"]
    assert turn.then == Listen("yes_no")


async def test_people_who_went_home_while_the_caller_waited_leave_him_a_call_back() -> None:
    moment = [datetime(2026, 11, 20, 17, 59, tzinfo=PARIS)]
    given = services()
    call = Conversation.of(
        type(given)(
            backoffice=given.backoffice,
            gate=given.gate,
            retriever=given.retriever,
            classifier=given.classifier,
            call_backs=given.call_backs,
            now=lambda: moment[0],
        )
    )
    await call.begins()
    assert isinstance((await call.says("un conseiller")).then, Transfer)
    moment[0] = datetime(2026, 11, 20, 18, 1, tzinfo=PARIS)
    turn = await call.comes_back()
    assert turn.said == ["transfer.no_answer", "transfer.closed"]


async def test_silence_leaves_the_choice_open() -> None:
    call, _ = await passed_on()
    await call.comes_back()
    assert (await call.silence()).then == Listen("choice")
    assert isinstance((await call.says("je patiente")).then, Transfer)
