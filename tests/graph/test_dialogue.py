"""Turn by turn: what is said, what is asked next, what is remembered."""

import asyncio
from contextlib import aclosing
from datetime import date
from pathlib import Path

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver

from graph.builder import build_graph
from graph.checkpoints import CheckpointsUnavailable, open_checkpoints
from graph.dialogue import Dialogue
from graph.heard import CallBegins, Heard, Keys, Words
from graph.reply import HangUp, Listen, Say, Transfer
from graph.skill import turns_taken
from graph.state import KEPT_MESSAGES
from tests.graph.conversation import CLOSED, KEY, Conversation, services
from tools.backoffice import BackofficeUnavailable
from tools.backoffice_demo import DemoBackoffice
from tools.gate import Gate
from tools.identity import Identity
from tools.models import Contract, Customer


async def test_the_call_opens_with_the_notice_which_cannot_be_interrupted_and_a_question() -> None:
    turn = await Conversation.of().begins()
    assert turn.said == ["greet.notice", "greet.question"]
    notice, question = [reply for reply in turn.replies if isinstance(reply, Say)]
    assert not notice.interruptible
    assert question.interruptible
    assert turn.then == Listen("open")


async def test_words_typed_before_the_greeting_are_greeted_and_then_sorted() -> None:
    """As in a chat, where the caller writes first."""
    turn = await Conversation.of().says("quels sont vos horaires")
    assert turn.nodes == ["greet", "classify", "faq"]
    assert turn.said == ["greet.notice", "faq.answer", "common.anything_else"]


async def test_a_personal_request_is_kept_until_identity_is_proven_and_then_answered() -> None:
    call = Conversation.of()
    await call.begins()
    asked = await call.says("combien j'ai sur mon assurance vie")
    assert asked.nodes == ["classify", "authenticate"]
    assert asked.said == ["authenticate.ask_number"]
    assert asked.then == Listen("number")
    number = await call.says("c'est le dix zéro sept quatre-vingt-huit vingt et un")
    assert "10 07 88 21" in number.text, "the number is read back"
    assert number.then == Listen("date")
    answer = await call.says("le premier avril mille neuf cent soixante-deux")
    assert answer.nodes == ["classify", "authenticate", "contract"]
    assert answer.said[:2] == ["authenticate.welcome", "contract.value"]
    assert "45\u202f230,18" in answer.text
    assert "1962" not in answer.text, "the birth date is never read back"


async def test_once_identified_nothing_is_asked_again() -> None:
    call = await Conversation.of().identified()
    turn = await call.says("et mon sinistre numéro SIN-2026-003117, où en est-il")
    assert turn.nodes == ["classify", "authenticate", "claims"]
    assert turn.said[0] == "claims.under_review"


async def test_the_claims_number_said_before_identification_is_not_asked_again() -> None:
    call = Conversation.of()
    await call.begins()
    await call.says("où en est mon sinistre SIN-2025-008840 s'il vous plaît")
    await call.keys("10078821")
    turn = await call.keys("01041962")
    assert "claims.paid" in turn.said
    assert "480" in turn.text


async def test_a_claim_that_was_given_to_identify_is_the_one_that_is_told() -> None:
    call = Conversation.of()
    await call.begins()
    await call.says("où en est mon sinistre")
    await call.says("c'est SIN-2025-008840")
    turn = await call.says("je suis née le premier avril mille neuf cent soixante-deux")
    assert turn.said[:2] == ["authenticate.welcome", "claims.paid"]


async def test_somebody_elses_claim_is_not_found_in_the_words_of_a_claim_that_does_not_exist() -> None:
    call = await Conversation.of().identified()
    others = await call.says("mon sinistre SIN-2026-001204")
    nobodys = await call.says("mon sinistre SIN-2026-999999")
    assert others.said == nobodys.said == ["claims.not_found"]
    assert others.text == nobodys.text


@pytest.mark.parametrize(
    ("number", "born"),
    [("10078821", "02041962"), ("99999999", "01041962"), ("20451736", "01041962")],
    ids=["wrong date", "unknown number", "somebody else's number"],
)
async def test_the_same_words_whatever_was_wrong(number: str, born: str) -> None:
    call = Conversation.of()
    await call.begins()
    await call.says("combien j'ai sur mon assurance vie")
    await call.keys(number)
    turn = await call.keys(born)
    assert turn.said == ["authenticate.refused"]
    assert "clavier" in turn.text, "the keypad is offered after the first failure"


async def test_three_failed_identifications_lead_to_a_human() -> None:
    call = Conversation.of()
    await call.begins()
    await call.says("combien j'ai sur mon assurance vie")
    for _ in range(3):
        await call.keys("10078821")
        turn = await call.keys("02041962")
    assert turn.nodes[-1] == "transfer"
    assert isinstance(turn.then, Transfer)
    assert turn.then.customer_number == ""
    assert turn.then.reason == "not_identified"


async def test_a_protected_adult_reaches_a_human_even_with_the_right_items() -> None:
    call = Conversation.of()
    await call.begins()
    await call.says("combien j'ai sur mon assurance vie")
    await call.keys("74105862")
    turn = await call.keys("21091938")
    assert turn.said == ["transfer.adviser_needed"]
    assert "81" not in turn.text
    assert isinstance(turn.then, Transfer)


async def test_a_number_that_was_misheard_is_corrected_before_the_birth_date() -> None:
    call = Conversation.of()
    await call.begins()
    await call.says("combien j'ai sur mon assurance vie")
    await call.says("dix zéro sept quatre-vingt-huit vingt-deux")
    corrected = await call.says("non, c'est le dix zéro sept quatre-vingt-huit vingt et un")
    assert corrected.said == ["authenticate.corrected_number"]
    assert "10 07 88 21" in corrected.text
    answer = await call.keys("01041962")
    assert "contract.value" in answer.said


async def test_a_number_that_is_not_understood_three_times_leads_to_a_human() -> None:
    call = Conversation.of()
    await call.begins()
    await call.says("combien j'ai sur mon assurance vie")
    said = [(await call.says("euh comment dire")).said for _ in range(3)]
    assert said == [
        ["authenticate.number_missed"],
        ["authenticate.number_missed"],
        ["transfer.not_identified"],
    ]


async def test_a_change_of_mind_in_the_middle_of_identification_is_followed() -> None:
    call = Conversation.of()
    await call.begins()
    await call.says("combien j'ai sur mon assurance vie")
    turn = await call.says("non, je préfère parler à un conseiller")
    assert isinstance(turn.then, Transfer)
    assert turn.then.queue == "vie", "people are told what it was about"


async def test_a_caller_may_take_leave_in_the_middle_of_identification() -> None:
    call = Conversation.of()
    await call.begins()
    await call.says("combien j'ai sur mon assurance vie")
    await call.says("dix zéro sept quatre-vingt-huit vingt et un")
    assert (await call.says("non merci, au revoir")).then == HangUp()


async def test_zero_is_a_human_at_any_time() -> None:
    call = Conversation.of()
    await call.begins()
    await call.says("combien j'ai sur mon assurance vie")
    turn = await call.keys("0")
    assert isinstance(turn.then, Transfer)


async def test_a_question_without_an_answer_is_admitted_and_a_human_offered() -> None:
    call = Conversation.of()
    await call.begins()
    unknown = await call.says("la recette de la tarte aux pommes")
    assert unknown.said == ["faq.unknown"]
    assert unknown.then == Listen("yes_no")
    turn = await call.says("oui s'il vous plaît")
    assert isinstance(turn.then, Transfer)


async def test_a_human_who_was_offered_may_be_declined() -> None:
    call = Conversation.of()
    await call.begins()
    await call.says("la recette de la tarte aux pommes")
    turn = await call.says("non merci")
    assert turn.said == ["transfer.declined"]
    assert turn.then == Listen("open")


async def test_more_is_asked_for_once_and_no_thanks_ends_the_call() -> None:
    call = Conversation.of()
    await call.begins()
    first = await call.says("quels sont vos horaires")
    second = await call.says("vos horaires le samedi")
    assert first.said[-1] == "common.anything_else"
    assert "common.anything_else" not in second.said
    turn = await call.says("non merci")
    assert turn.said == ["goodbye.farewell"]
    assert turn.then == HangUp()


async def test_okay_and_goodbye_is_goodbye() -> None:
    call = Conversation.of()
    await call.begins()
    await call.says("quels sont vos horaires")
    assert (await call.says("d'accord merci beaucoup au revoir")).then == HangUp()


async def test_yes_to_more_is_an_invitation_to_go_on() -> None:
    call = Conversation.of()
    await call.begins()
    await call.says("quels sont vos horaires")
    turn = await call.says("oui")
    assert turn.said == ["goodbye.go_on"]


async def test_a_caller_who_interrupts_the_farewell_is_listened_to() -> None:
    call = Conversation.of()
    await call.begins()
    await call.says("au revoir")
    turn = await call.says("ah si, quels sont vos horaires")
    assert turn.said[0] == "faq.answer"
    assert isinstance(turn.then, Listen)


async def test_noise_is_repaired_twice_and_then_a_human_takes_over() -> None:
    call = Conversation.of()
    await call.begins()
    turns = [await call.says("") for _ in range(3)]
    assert [turn.said for turn in turns] == [
        ["repair.missed"],
        ["repair.missed"],
        ["transfer.not_understood"],
    ]
    assert turns[0].text != turns[1].text
    assert isinstance(turns[2].then, Transfer)


async def test_a_caller_who_never_speaks_is_asked_twice_and_offered_people_and_then_let_go() -> None:
    call = Conversation.of()
    await call.begins()
    turns = [await call.silence() for _ in range(4)]
    assert [turn.said for turn in turns] == [
        ["repair.quiet"],
        ["repair.quiet"],
        ["repair.quiet_offer"],
        ["goodbye.nobody"],
    ]
    assert len({turn.text for turn in turns}) == 4
    assert turns[2].then == Listen("yes_no")
    assert turns[3].then == HangUp()


@pytest.mark.parametrize("agrees", [Words("oui"), Keys("1"), Keys("0")])
async def test_people_who_were_offered_in_silence_are_one_word_or_key_away(agrees: Heard) -> None:
    call = Conversation.of()
    await call.begins()
    for _ in range(3):
        await call.silence()
    turn = await call.turn(agrees)
    assert isinstance(turn.then, Transfer)
    assert turn.then.reason == "asked"


async def test_in_silence_out_of_hours_a_call_back_is_offered() -> None:
    call = Conversation.of(services(now=CLOSED))
    await call.begins()
    turns = [await call.silence() for _ in range(3)]
    assert turns[2].said == ["repair.quiet_offer_closed"]
    assert (await call.keys("1")).said == ["transfer.same_number"]


async def test_who_finds_his_number_while_people_are_offered_gives_it_to_the_question_that_was_open() -> None:
    call = Conversation.of()
    await call.begins()
    await call.says("combien j'ai sur mon assurance vie")
    for _ in range(3):
        await call.silence()
    assert (await call.says("dix zéro sept quatre-vingt-huit vingt et un")).said == [
        "authenticate.ask_birth_date"
    ]


async def test_who_was_offered_people_already_and_says_nothing_is_not_offered_them_again() -> None:
    call = Conversation.of()
    await call.begins()
    await call.says("quelle est la recette de la tarte")
    turns = [await call.silence() for _ in range(3)]
    assert [turn.said for turn in turns] == [["repair.quiet"], ["repair.quiet"], ["goodbye.nobody"]]


async def test_silence_leaves_the_open_question_open() -> None:
    call = Conversation.of()
    await call.begins()
    await call.says("combien j'ai sur mon assurance vie")
    quiet = await call.silence()
    assert quiet.then == Listen("number")
    number = await call.says("dix zéro sept quatre-vingt-huit vingt et un")
    assert number.said == ["authenticate.ask_birth_date"]


async def test_recording_is_refused_at_any_moment_and_the_call_goes_on_where_it_was() -> None:
    call = Conversation.of()
    await call.begins()
    await call.says("combien j'ai sur mon assurance vie")
    turn = await call.says("je ne veux pas être enregistré")
    assert turn.said == ["greet.not_recorded"]
    assert turn.then == Listen("number")
    assert (await call.dialogue.state(call.call_id)).get("recording") == "refused"


async def test_only_nodes_with_a_voice_speak() -> None:
    call = Conversation.of()
    await call.begins()
    turn = await call.says("quels sont vos horaires")
    history = (await call.dialogue.state(call.call_id))["messages"]
    assert "classify" in turn.nodes
    assert "classify" not in {message.name for message in history if message.type == "ai"}


async def test_the_history_keeps_only_what_was_heard_of_an_interrupted_sentence() -> None:
    call = await Conversation.of().identified()
    answer = await call.says("combien j'ai sur mon assurance vie")
    value = next(
        reply for reply in answer.replies if isinstance(reply, Say) and reply.key == "contract.value"
    )
    await call.says(
        "mon sinistre SIN-2026-003117", cut={value.message_id: "Au 31 octobre 2026, votre contrat"}
    )
    history = (await call.dialogue.state(call.call_id))["messages"]
    [kept] = [message.text for message in history if message.id == value.message_id]
    assert kept == "Au 31 octobre 2026, votre contrat"
    assert not any("45\u202f230" in str(message.text) for message in history)


class AwayBackoffice(DemoBackoffice):
    """Identifies callers, then goes away."""

    async def contracts(self, identity: Identity) -> tuple[Contract, ...]:
        raise BackofficeUnavailable("the back office did not answer") from TimeoutError()


async def test_a_back_office_that_does_not_answer_is_said_and_a_human_offered() -> None:
    call = await Conversation.of(services(AwayBackoffice())).identified()
    turn = await call.says("combien j'ai sur mon assurance vie")
    assert turn.said == ["common.unavailable"]
    assert turn.then == Listen("yes_no", identified=True, customer_number="10078821")


class NobodyKnows(DemoBackoffice):
    """Cannot even identify."""

    async def identify(self, number: str, birth_date: date) -> Customer | None:
        raise BackofficeUnavailable("the back office did not answer") from TimeoutError()


async def test_identification_without_a_back_office_is_no_refusal() -> None:
    call = Conversation.of(services(NobodyKnows()))
    await call.begins()
    await call.says("combien j'ai sur mon assurance vie")
    await call.keys("10078821")
    turn = await call.keys("01041962")
    assert turn.said == ["common.unavailable"]
    assert not (await call.dialogue.state(call.call_id)).get("refusals")


async def test_a_proof_from_another_call_opens_nothing() -> None:
    """The seal is bound to its call: a state copied to another thread asks for identity again."""
    first = await Conversation.of().identified()
    stolen = (await first.dialogue.state(first.call_id))["identity"]
    second = Conversation(first.dialogue, "b6b1c0de-0000-4000-8000-000000000002")
    await second.begins()
    thread: RunnableConfig = {"configurable": {"thread_id": second.call_id}}
    await second.dialogue._compiled.aupdate_state(thread, {"identity": stolen}, as_node="greet")
    turn = await second.says("combien j'ai sur mon assurance vie")
    assert turn.said == ["authenticate.ask_number"]


async def test_two_turns_of_one_call_never_run_at_once() -> None:
    call = Conversation.of()
    await call.begins()
    await asyncio.gather(call.says("quels sont vos horaires"), call.says("vos horaires le samedi"))
    history = (await call.dialogue.state(call.call_id))["messages"]
    assert [message.type for message in history[3:]] == ["human", "ai", "ai", "human", "ai", "ai"]


async def test_calls_do_not_share_their_state() -> None:
    first = await Conversation.of().identified()
    second = Conversation(first.dialogue, "b6b1c0de-0000-4000-8000-000000000002")
    await second.begins()
    turn = await second.says("combien j'ai sur mon assurance vie")
    assert turn.said == ["authenticate.ask_number"]


async def test_a_turn_that_is_left_in_the_middle_leaves_the_next_one_intact() -> None:
    """Barge-in: the caller's new words are what is answered."""
    call = Conversation.of()
    await call.begins()
    async with aclosing(call.dialogue.turn(call.call_id, Words("quels sont vos horaires"))) as replies:
        async for reply in replies:
            if isinstance(reply, Say):
                break
    turn = await call.says("non, un conseiller")
    assert isinstance(turn.then, Transfer)


async def test_a_turn_that_is_cancelled_at_any_moment_ends_and_leaves_the_next_one_intact() -> None:
    """LangGraph itself swallows some cancellations; a caller who hangs up must not be talked to."""
    ended = False
    steps = 0
    while not ended:
        call = Conversation.of()
        await call.begins()
        turn = asyncio.create_task(call.says("quels sont vos horaires"))
        for _ in range(steps):
            await asyncio.sleep(0)
        ended = turn.done()
        turn.cancel()
        await asyncio.wait([turn])
        assert ended or turn.cancelled(), f"cancelled after {steps} steps of the event loop"
        assert isinstance((await call.says("non, un conseiller")).then, Transfer)
        steps += 1
    assert steps > 10


async def test_a_restart_loses_nothing(tmp_path: Path) -> None:
    """State in the default file: another process goes on where this one stopped."""
    path = str(tmp_path / "var" / "checkpoints.sqlite")
    async with open_checkpoints(path) as saver:
        call = Conversation(Dialogue(build_graph(services()), saver))
        await call.begins()
        await call.says("combien j'ai sur mon assurance vie")
        await call.keys("10078821")
    async with open_checkpoints(path) as saver:
        call = Conversation(Dialogue(build_graph(services()), saver))
        turn = await call.keys("01041962")
        assert "contract.value" in turn.said


async def test_the_state_of_a_long_call_stays_as_small_as_that_of_a_short_one() -> None:
    saver = InMemorySaver()
    call = Conversation(Dialogue(build_graph(services()), saver))
    await call.identified()
    sizes, turns = [], []
    for turn in range(1, 61):
        await call.says("quels sont vos horaires")
        if turn in (20, 60):
            kept = await saver.aget_tuple({"configurable": {"thread_id": call.call_id}})
            assert kept is not None
            sizes.append(len(saver.serde.dumps_typed(kept.checkpoint)[1]))
            state = await call.dialogue.state(call.call_id)
            turns.append(turns_taken(state))
            assert len(state["messages"]) == KEPT_MESSAGES
    short, long = sizes
    assert long == pytest.approx(short, rel=0.02)
    assert turns[1] - turns[0] == 40, "how long the call has been is known all the same"


async def test_what_a_caller_cut_short_is_shortened_in_a_long_call_too() -> None:
    call = await Conversation(Dialogue(build_graph(services()), InMemorySaver())).identified()
    for _ in range(20):
        turn = await call.says("quels sont vos horaires")
    last = (await call.dialogue.state(call.call_id))["messages"][-1]
    await call.dialogue.cut(call.call_id, {str(last.id): "Avez-vous…"})
    messages = (await call.dialogue.state(call.call_id))["messages"]
    assert turn.said
    assert len(messages) == KEPT_MESSAGES
    assert messages[-1].text == "Avez-vous…"


async def test_the_state_is_json_and_messages() -> None:
    call = await Conversation.of().identified()
    await call.says("combien j'ai sur mon assurance vie")
    state = dict(await call.dialogue.state(call.call_id))
    state.pop("messages")

    def json_only(value: object) -> bool:
        match value:
            case None | bool() | int() | float() | str():
                return type(value) in {type(None), bool, int, float, str}
            case list():
                return all(map(json_only, value))
            case dict():
                return all(isinstance(key, str) and json_only(one) for key, one in value.items())
            case _:
                return False

    assert json_only(state), state


async def test_a_checkpoint_file_that_cannot_be_used_says_what_to_do(tmp_path: Path) -> None:
    broken = tmp_path / "checkpoints.sqlite"
    broken.write_bytes(b"this is no database, and long enough to be read as one" * 40)
    with pytest.raises(CheckpointsUnavailable, match="CHECKPOINTS_PATH"):
        async with open_checkpoints(str(broken)):
            pass


async def test_a_forgotten_call_starts_afresh() -> None:
    call = await Conversation.of().identified()
    await call.dialogue.forget(call.call_id)
    assert await call.dialogue.state(call.call_id) == {}


async def test_ended_calls_leave_no_lock_behind() -> None:
    dialogue = Dialogue(build_graph(services()), InMemorySaver())
    async for _ in dialogue.turn("a", CallBegins()):
        pass
    dialogue.release("a")
    assert dialogue._locks == {}


async def test_the_key_that_seals_identities_is_long_enough() -> None:
    with pytest.raises(ValueError, match="32"):
        Gate(DemoBackoffice(), KEY[:16])
