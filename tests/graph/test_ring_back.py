"""A caller who was cut off and rings back may go on where he was; his number alone opens nothing."""

from dataclasses import replace

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from graph.builder import build_graph
from graph.dialogue import Dialogue
from graph.heard import CallBegins
from graph.reply import Listen, Transfer
from memory.dropped_calls import DroppedCall, MemoryDroppedCalls
from nodes.greet import left_off
from tests.graph.conversation import CALLER, Conversation, services

VALUE = "combien j'ai sur mon assurance vie"
WAS = DroppedCall("contract", VALUE)


class Line:
    """Calls from one number, one after the other, as far as the dialogue is concerned."""

    def __init__(self) -> None:
        self.dropped = MemoryDroppedCalls()
        self.dialogue = Dialogue(build_graph(replace(services(), dropped=self.dropped)), InMemorySaver())
        self._calls = 0

    def call(self) -> Conversation:
        self._calls += 1
        return Conversation(self.dialogue, f"call {self._calls}")

    async def rings_back(self, dropped: DroppedCall = WAS) -> Conversation:
        await self.dropped.keep(CALLER, dropped)
        call = self.call()
        turn = await call.begins()
        assert turn.said == ["greet.notice", "greet.take_up"]
        assert turn.then == Listen("yes_no")
        return call

    async def left(self, call: Conversation) -> DroppedCall | None:
        return left_off(await self.dialogue.state(call.call_id))


async def proves_it(call: Conversation) -> list[str]:
    assert (await call.keys("10078821")).said == ["authenticate.ask_birth_date"]
    return (await call.keys("01041962")).said


@pytest.mark.parametrize("yes", ["oui", "oui s'il vous plaît", "1"])
async def test_he_goes_on_with_his_request_once_he_has_proven_who_he_is_again(yes: str) -> None:
    call = await Line().rings_back()
    turn = await (call.keys(yes) if yes == "1" else call.says(yes))
    assert turn.said == ["authenticate.ask_number"]
    assert turn.nodes == ["classify", "greet", "authenticate"]
    assert "contract.value" in await proves_it(call)


async def test_the_question_says_nothing_of_what_it_was_about() -> None:
    call = await Line().rings_back(DroppedCall("claims", "mon dégât des eaux SIN-2026-003117"))
    said = call.turns[0].text.lower()
    assert not any(word in said for word in ("sinistre", "contrat", "dossier", "dégât", "sin-", "3117"))


@pytest.mark.parametrize("no", ["non", "non merci", "2"])
async def test_who_does_not_want_to_is_asked_what_he_wants_and_nothing_of_it_stays(no: str) -> None:
    line = Line()
    call = await line.rings_back()
    turn = await (call.keys(no) if no == "2" else call.says(no))
    assert turn.said == ["greet.question"]
    assert await line.left(call) is None
    await call.says("je voudrais m'identifier")
    assert await proves_it(call) == ["authenticate.welcome", "authenticate.ready"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("quels sont vos horaires", "faq.answer"),
        ("un conseiller", "transfer.passing"),
        ("au revoir", "goodbye.farewell"),
    ],
)
async def test_other_words_are_taken_as_in_any_call(words: str, said: str) -> None:
    call = await Line().rings_back()
    turn = await call.says(words)
    assert "greet" not in turn.nodes
    assert said.partition(".")[0] in {key.partition(".")[0] for key in turn.said}


async def test_yes_with_a_request_is_that_request() -> None:
    call = await Line().rings_back(DroppedCall("claims", "mon sinistre"))
    turn = await call.says("oui, un conseiller")
    assert isinstance(turn.then, Transfer)


async def test_silence_leaves_the_question_open() -> None:
    call = await Line().rings_back()
    assert (await call.silence()).then == Listen("yes_no")
    assert (await call.says("oui")).said == ["authenticate.ask_number"]


async def test_who_refuses_to_be_recorded_meanwhile_is_heard_and_leaves_nothing() -> None:
    line = Line()
    call = await line.rings_back()
    turn = await call.says("je ne veux pas être enregistré")
    assert turn.said == ["greet.not_recorded"]
    assert turn.then == Listen("yes_no")
    assert await line.left(call) is None


async def test_who_was_on_his_way_to_people_is_put_through() -> None:
    call = await Line().rings_back(DroppedCall("transfer", ""))
    assert isinstance((await call.says("oui")).then, Transfer)


async def test_who_was_only_being_identified_is_identified() -> None:
    call = await Line().rings_back(DroppedCall("authenticate", ""))
    assert (await call.says("oui")).said == ["authenticate.ask_number"]
    assert await proves_it(call) == ["authenticate.welcome", "authenticate.ready"]


@pytest.mark.parametrize("node", ["", "faq", "a node that is no more"])
async def test_what_cannot_be_taken_up_is_not_offered(node: str) -> None:
    line = Line()
    await line.dropped.keep(CALLER, DroppedCall(node, "…"))
    assert (await line.call().begins()).said == ["greet.notice", "greet.question"]


async def test_it_is_offered_once_to_that_number_and_never_to_a_hidden_one() -> None:
    line = Line()
    await line.dropped.keep(CALLER, WAS)
    assert (await line.call().begins("")).said == ["greet.notice", "greet.question"]
    assert (await line.call().begins("0687654321")).said == ["greet.notice", "greet.question"]
    assert (await line.call().begins()).said == ["greet.notice", "greet.take_up"]
    assert (await line.call().begins()).said == ["greet.notice", "greet.question"]


async def test_a_greeting_that_broke_off_itself_offers_it_again() -> None:
    call = await Line().rings_back()
    assert (await call.resumes()).said == ["greet.notice", "greet.take_up"]
    assert (await call.says("oui")).said == ["authenticate.ask_number"]


# What is left when a call breaks off


async def test_a_request_that_waits_for_identity_is_left() -> None:
    line = Line()
    call = line.call()
    await call.begins()
    assert await line.left(call) is None, "nothing was asked for"
    await call.says(VALUE)
    assert await line.left(call) == WAS
    await call.keys("10078821")
    await call.keys("01041962")
    assert await line.left(call) is None, "it was answered, and there was only « autre chose ? »"


async def test_an_offer_that_is_not_answered_yet_is_left_and_a_call_that_is_over_is_not() -> None:
    line = Line()
    call = line.call()
    await call.begins()
    await call.says("quelle est la recette de la tarte")
    assert await line.left(call) == DroppedCall("transfer", "")
    await call.says("oui")
    assert await line.left(call) is None


async def test_who_left_at_the_offer_is_offered_it_again() -> None:
    line = Line()
    call = await line.rings_back()
    assert await line.left(call) == WAS


async def test_who_speaks_for_another_leaves_nothing() -> None:
    line = Line()
    call = line.call()
    await call.begins()
    await call.says("c'est pour le contrat de ma mère")
    state = await line.dialogue.state(call.call_id)
    assert state.get("for_another") == "third_party"
    assert await line.left(call) is None


async def test_the_notice_comes_first_and_is_what_it_always_was() -> None:
    line = Line()
    plain = await line.call().begins()
    await line.dropped.keep(CALLER, WAS)
    turn = await line.call().turn(CallBegins(CALLER))
    assert turn.replies[0].text == plain.replies[0].text  # type: ignore[union-attr]
