"""A call that broke off and is taken up: by another process, at the same point, and not past the gate."""

from pathlib import Path

from langchain_core.runnables import RunnableConfig

from graph.builder import build_graph
from graph.checkpoints import open_checkpoints
from graph.dialogue import Dialogue
from graph.heard import Resumed
from graph.reply import HangUp, Listen, Transfer
from tests.graph.conversation import Conversation, services


async def test_another_process_asks_the_open_question_again_and_goes_on(tmp_path: Path) -> None:
    path = str(tmp_path / "checkpoints.sqlite")
    async with open_checkpoints(path) as saver:
        call = Conversation(Dialogue(build_graph(services()), saver))
        await call.begins()
        await call.says("combien j'ai sur mon assurance vie")
        await call.keys("10078821")
    async with open_checkpoints(path) as saver:
        call = Conversation(Dialogue(build_graph(services()), saver))
        turn = await call.resumes()
        assert turn.said == ["common.cut_off", "repair.again"]
        assert turn.text == "Excusez-moi, nous avons été coupés. Quelle est votre date de naissance ?"
        assert turn.then == Listen("date")
        answer = await call.keys("01041962")
        assert "contract.value" in answer.said, "the number was not asked for again"


async def test_what_was_verified_in_this_call_stays_verified(tmp_path: Path) -> None:
    path = str(tmp_path / "checkpoints.sqlite")
    async with open_checkpoints(path) as saver:
        await Conversation(Dialogue(build_graph(services()), saver)).identified()
    async with open_checkpoints(path) as saver:
        call = Conversation(Dialogue(build_graph(services()), saver))
        await call.resumes()
        turn = await call.says("combien j'ai sur mon assurance vie")
        assert turn.nodes == ["classify", "authenticate", "contract"], "through the gate all the same"
        assert "contract.value" in turn.said


async def test_an_answer_from_behind_the_gate_is_not_given_again_but_may_be_asked_for() -> None:
    call = await Conversation.of().identified()
    await call.says("combien j'ai sur mon assurance vie")
    turn = await call.resumes()
    assert turn.said == ["common.cut_off", "repair.answer_again"]
    assert turn.nodes == ["repair"]
    assert not any(character.isdigit() for character in turn.text)
    assert "contract.value" in (await call.says("combien j'ai sur mon assurance vie")).said


async def test_a_proof_from_another_call_opens_nothing_after_a_break() -> None:
    first = await Conversation.of().identified()
    stolen = (await first.dialogue.state(first.call_id))["identity"]
    second = Conversation(first.dialogue, "b6b1c0de-0000-4000-8000-000000000002")
    await second.begins()
    await second.says("euh")
    thread: RunnableConfig = {"configurable": {"thread_id": second.call_id}}
    await second.dialogue._compiled.aupdate_state(thread, {"identity": stolen}, as_node="greet")
    await second.resumes()
    assert (await second.says("combien j'ai sur mon assurance vie")).said == ["authenticate.ask_number"]


async def test_a_new_call_under_an_old_name_begins_anew_and_knows_nobody() -> None:
    """A dialplan that hands two callers the same id."""
    call = await Conversation.of().identified()
    greeted = await call.begins()
    assert greeted.said == ["greet.notice", "greet.question"]
    assert (await call.says("combien j'ai sur mon assurance vie")).said == ["authenticate.ask_number"]


async def test_a_break_in_the_greeting_begins_it_again_because_the_notice_is_to_be_heard_whole() -> None:
    call = Conversation.of()
    await call.begins()
    assert (await call.resumes()).said == ["greet.notice", "greet.question"]
    assert (await call.resumes()).said == ["greet.notice", "greet.question"], "and again"


async def test_a_call_of_which_nothing_is_known_is_greeted() -> None:
    call = Conversation.of()
    turn = [reply async for reply in call.dialogue.turn(call.call_id, Resumed())]
    assert "greet.notice" in str(turn)


async def test_after_a_silence_the_notice_was_heard_and_is_not_repeated() -> None:
    call = Conversation.of()
    await call.begins()
    await call.silence()
    turn = await call.resumes()
    assert turn.said == ["common.cut_off", "repair.anew"]
    assert turn.then == Listen("open")


async def test_help_that_was_given_with_the_question_is_given_again() -> None:
    call = await Conversation.of().identified()
    await call.says("où en est mon sinistre")
    turn = await call.resumes()
    assert turn.text.endswith("Vous pouvez aussi dire : le dernier.")
    assert "claims.under_review" in " ".join((await call.says("le dernier")).said)


async def test_a_question_that_was_only_half_heard_is_not_made_up() -> None:
    call = Conversation.of()
    greeted = await call.begins()
    asked = await call.says("combien j'ai sur mon assurance vie")
    cut = {
        reply.message_id: "Pour"
        for reply in [*greeted.replies, *asked.replies]
        if hasattr(reply, "message_id")
    }
    await call.dialogue.cut(call.call_id, cut)
    turn = await call.resumes()
    assert turn.said == ["common.cut_off", "repair.say_again"]
    assert turn.then == Listen("number")


async def test_an_adviser_who_was_offered_is_offered_again() -> None:
    call = Conversation.of()
    await call.begins()
    await call.says("la recette de la tarte aux pommes")
    assert (await call.resumes()).said == ["common.cut_off", "repair.offer_again"]
    assert isinstance((await call.says("oui")).then, Transfer)


async def test_a_break_in_the_middle_of_a_transfer_or_a_goodbye_ends_in_the_same() -> None:
    call = Conversation.of()
    await call.begins()
    await call.says("un conseiller")
    transfer = await call.resumes()
    assert transfer.said == ["common.cut_off", "transfer.advisers"]
    assert isinstance(transfer.then, Transfer)
    other = Conversation(call.dialogue, "b6b1c0de-0000-4000-8000-000000000002")
    await other.begins()
    await other.says("au revoir")
    goodbye = await other.resumes()
    assert goodbye.said == ["common.cut_off", "goodbye.farewell"]
    assert goodbye.then == HangUp()


async def test_a_break_is_no_turn_of_the_caller_and_counts_as_none() -> None:
    call = Conversation.of()
    await call.begins()
    await call.says("combien j'ai sur mon assurance vie")
    before = await call.dialogue.state(call.call_id)
    await call.resumes()
    after = await call.dialogue.state(call.call_id)
    for counted in ("misses", "silences", "refusals", "answered"):
        assert after.get(counted) == before.get(counted)
