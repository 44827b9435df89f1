"""Who is calling, with all the ways in which callers give, correct, refuse and forget what proves it."""

from langchain_core.runnables import RunnableConfig

from graph.reply import Listen, Transfer
from tests.graph.conversation import KEY, TODAY, Conversation, services
from tools.backoffice_demo import DemoBackoffice
from tools.gate import Gate


async def asked() -> Conversation:
    call = Conversation.of()
    await call.begins()
    await call.says("combien j'ai sur mon assurance vie")
    return call


async def test_the_birth_date_may_come_before_the_number() -> None:
    call = await asked()
    number = await call.says("je suis née le premier avril 1962")
    assert number.said == ["authenticate.ask_number_too"]
    assert "1962" not in number.text
    assert "contract.value" in (await call.says("dix zéro sept quatre-vingt-huit vingt et un")).said


async def test_a_date_is_corrected_after_the_refusal_without_the_number_again() -> None:
    call = await asked()
    await call.keys("10078821")
    assert (await call.says("le deux avril 1962")).said == ["authenticate.refused"]
    turn = await call.says("non je me suis trompée je suis née le premier avril 1962")
    assert "contract.value" in turn.said


async def test_a_date_in_figures_is_not_taken_for_a_customer_number() -> None:
    call = await asked()
    await call.keys("10078821")
    assert "contract.value" in (await call.says("01/04/1962")).said


async def test_a_number_is_corrected_in_one_breath_with_the_date() -> None:
    call = await asked()
    await call.says("c'est le 10 07 88 22")
    turn = await call.says("non c'est le 10 07 88 21 et je suis née le premier avril 1962")
    assert "contract.value" in turn.said


async def test_yes_instead_of_a_number_is_invited_once_and_then_helped() -> None:
    call = await asked()
    said = [(await call.says("oui")).said for _ in range(3)]
    assert said == [["authenticate.go_ahead"], ["authenticate.number_missed"], ["transfer.not_identified"]]


async def test_a_number_and_a_date_in_one_breath_are_told_apart() -> None:
    call = await asked()
    turn = await call.says(
        "dix zéro sept quatre-vingt-huit vingt et un premier avril mille neuf cent soixante-deux"
    )
    assert "contract.value" in turn.said


async def test_figures_of_a_claim_to_come_are_no_claim() -> None:
    call = await asked()
    turn = await call.says("vingt quarante-cinq dix-sept trente-six quinze")
    assert turn.said == ["authenticate.number_missed"]


async def test_yes_to_the_number_read_back_asks_for_the_date_and_is_no_miss() -> None:
    call = await asked()
    await call.keys("10078821")
    turn = await call.says("oui c'est ça")
    assert turn.said == ["authenticate.birth_date_again"]
    assert turn.then == Listen("date")


async def test_whoever_has_no_number_may_give_another_one_or_gets_people() -> None:
    call = await asked()
    assert (await call.says("je n'ai pas mon numéro sur moi")).said == ["authenticate.other_number"]
    assert (await call.says("VIE 0012345")).said == ["authenticate.ask_birth_date"]
    other = await asked()
    await other.says("je n'ai pas mon numéro sur moi")
    assert (await other.says("non")).said == ["authenticate.without_number"]
    assert isinstance((await other.says("oui")).then, Transfer)


async def test_whoever_will_not_say_is_offered_people_and_told_why_when_he_asks() -> None:
    call = await asked()
    assert (await call.says("pourquoi vous me demandez ça")).said == ["authenticate.why"]
    assert (await call.says("je ne veux pas vous le donner")).said == ["authenticate.unwilling"]


async def test_what_is_let_go_is_let_go() -> None:
    call = await asked()
    assert (await call.says("laissez tomber")).said == ["authenticate.left"]
    assert (await call.says("quels sont vos horaires")).said[0] == "faq.answer"


async def test_a_question_in_between_is_answered_and_the_identification_goes_on() -> None:
    call = await asked()
    await call.keys("10078821")
    turn = await call.says("quels sont vos horaires")
    assert turn.said == ["faq.answer", "common.back_to"]
    assert turn.text.endswith("quelle est votre date de naissance ?")
    assert "contract.value" in (await call.says("le premier avril 1962")).said


async def test_another_personal_request_in_between_is_no_miss() -> None:
    call = await asked()
    turn = await call.says("en fait c'est pour mon sinistre")
    assert turn.said == ["authenticate.ask_number"]
    await call.keys("10078821")
    assert "claims.ask_number" in (await call.keys("01041962")).said


async def test_after_three_failures_the_call_stays_closed_to_identification() -> None:
    call = await asked()
    for _ in range(3):
        await call.keys("10078821")
        await call.keys("02041962")
    await call.comes_back()
    await call.says("autre chose")
    turn = await call.says("combien j'ai sur mon assurance vie")
    assert "authenticate.ask_number" not in turn.said
    assert isinstance(turn.then, Transfer)


async def test_five_failures_over_several_calls_lock_the_customer_for_the_day() -> None:
    given = services()
    for name in ("one", "two"):
        call = Conversation.of(given)
        call.call_id = name
        await call.begins()
        await call.says("combien j'ai sur mon assurance vie")
        failures = 0
        while not isinstance(call.turns[-1].then, Transfer):
            await call.keys("10078821")
            await call.keys("02041962")
            failures += 1
        assert failures == {"one": 3, "two": 2}[name]
    third = Conversation.of(given)
    third.call_id = "three"
    await third.begins()
    await third.says("combien j'ai sur mon assurance vie")
    await third.keys("10078821")
    locked = await third.keys("01041962")
    assert isinstance(locked.then, Transfer)
    assert locked.said == ["transfer.not_identified"], "the right items, and the same words"


async def beneficiaries_asked() -> Conversation:
    call = Conversation.of()
    await call.begins()
    await call.says("qui sont les bénéficiaires de mon assurance vie")
    await call.keys("10078821")
    turn = await call.says("le premier avril 1962")
    assert turn.said == ["authenticate.welcome", "authenticate.ask_third_item"]
    return call


async def test_beneficiaries_are_told_after_a_third_item_which_is_asked_once() -> None:
    call = await beneficiaries_asked()
    turn = await call.says("soixante-neuf mille trois")
    assert turn.said[0] == "contract.beneficiaries"
    assert "69003" not in turn.text
    again = await call.says("qui sont les bénéficiaires de mon assurance vie")
    assert again.said[0] == "contract.beneficiaries"


async def test_a_value_needs_no_third_item() -> None:
    call = await Conversation.of().identified()
    assert (await call.says("combien j'ai sur mon assurance vie")).said[0] == "contract.value"


async def test_three_wrong_third_items_end_the_identity_and_lead_to_people() -> None:
    call = await beneficiaries_asked()
    said = [(await call.keys("99999")).said for _ in range(3)]
    assert said[:2] == [["authenticate.third_item_refused"]] * 2
    assert said[2] == ["transfer.not_identified"]
    assert not (await call.dialogue.state(call.call_id)).get("identity")


async def test_whoever_has_no_third_item_may_still_ask_for_what_needs_none() -> None:
    call = await beneficiaries_asked()
    assert (await call.says("je ne sais pas")).said == ["authenticate.without_third_item"]
    await call.says("non")
    assert (await call.says("combien j'ai sur mon assurance vie")).said[0] == "contract.value"


async def test_a_change_of_mind_at_the_third_item_is_followed() -> None:
    call = await beneficiaries_asked()
    turn = await call.says("où en est mon sinistre SIN-2026-003117")
    assert turn.said[0] == "claims.under_review"
    assert (await call.says("combien j'ai sur mon assurance vie")).said[0] == "contract.value"


async def test_a_stronger_proof_of_another_call_opens_nothing() -> None:
    first = await beneficiaries_asked()
    await first.says("69003")
    stolen = (await first.dialogue.state(first.call_id))["identity"]
    gate = Gate(DemoBackoffice(), KEY, today=lambda: TODAY)
    assert gate.restore(stolen, first.call_id) is not None
    assert gate.restore(stolen, "another call") is None


async def test_the_callers_own_number_is_no_proof() -> None:
    call = Conversation.of()
    await call.begins("0123454172")
    assert (await call.says("combien j'ai sur mon assurance vie")).said == ["authenticate.ask_number"]


async def test_a_second_request_of_one_breath_is_taken_up_behind_the_gate() -> None:
    call = Conversation.of()
    await call.begins()
    await call.says("euh")
    waiting = {"node": "claims", "said": "où en est mon sinistre SIN-2025-008840", "act": ""}
    thread: RunnableConfig = {"configurable": {"thread_id": call.call_id}}
    await call.dialogue._compiled.aupdate_state(thread, {"queued": [waiting]}, as_node="greet")
    first = await call.says("quels sont vos horaires")
    assert first.said == ["faq.answer", "common.next_request", "authenticate.ask_number"]
    await call.keys("10078821")
    second = await call.keys("01041962")
    assert second.said[:2] == ["authenticate.welcome", "claims.paid"]
    assert not (await call.dialogue.state(call.call_id)).get("queued")


async def test_an_open_request_is_taken_up_after_a_personal_one() -> None:
    call = await Conversation.of().identified()
    waiting = {"node": "faq", "said": "quels sont vos horaires", "act": ""}
    thread: RunnableConfig = {"configurable": {"thread_id": call.call_id}}
    await call.dialogue._compiled.aupdate_state(thread, {"queued": [waiting]}, as_node="greet")
    turn = await call.says("combien j'ai sur mon assurance vie")
    assert turn.said[-3:] == ["common.next_request", "faq.answer", "common.more"]


async def test_a_number_keyed_after_the_date_was_said_is_proven_at_once() -> None:
    call = Conversation.of()
    await call.begins()
    await call.says("je voudrais m'identifier")
    await call.says("je suis née le premier avril mille neuf cent soixante-deux")
    assert "authenticate.welcome" in (await call.keys("10078821")).said


async def test_no_to_the_other_number_is_no_goodbye() -> None:
    call = Conversation.of()
    await call.begins()
    await call.says("je voudrais m'identifier")
    assert (await call.says("je ne l'ai pas sous la main")).said == ["authenticate.other_number"]
    assert (await call.says("non je n'ai rien du tout")).said == ["authenticate.without_number"]
