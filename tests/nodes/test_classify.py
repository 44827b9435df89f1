"""Who takes the turn: a key, an answer, or what the words are about, in this order."""

from dataclasses import replace

import pytest

from graph.builder import open_skills, personal_skills
from graph.state import Awaiting, CallUpdate
from knowledge.acts import Act
from knowledge.intents import Guess
from knowledge.llm import Asked, LanguageModel, LlmFailed, ScriptedModel
from knowledge.llm_groq import GroqModel
from nodes.authenticate import Authenticate
from nodes.classify import SURE, SURE_ENOUGH_TO_CHANGE, Classify, Intent, Sorted
from tests.graph.conversation import services
from tests.nodes.stage import state
from tests.simulators.groq import KEY, ChatReply, GroqSimulator
from tests.simulators.server import Fault

NUMBER = Awaiting(by="authenticate", what="number", form="number")
OFFER = Awaiting(by="transfer", what="offer", form="yes_no")
MORE = Awaiting(by="goodbye", what="more", form="open")
CLAIM_NUMBER = Awaiting(by="claims", what="number", form="number")


class Believes:
    """A classifier with one opinion."""

    def __init__(self, intent: str, confidence: float) -> None:
        self._guess = Guess(intent, confidence, "other", confidence)

    @property
    def intents(self) -> tuple[str, ...]:
        return (self._guess.intent,)

    def classify(self, text: str) -> Guess:
        return self._guess


def sorter(intent: str = "other", confidence: float = 0.0) -> Classify:
    given = services()
    authenticate = Authenticate(given.gate, given.backoffice, given.today)
    personal = personal_skills(given)
    menu = (authenticate, *personal, *open_skills(given))
    return Classify(
        Believes(intent, confidence), given.retriever, menu, frozenset(skill.name for skill in personal)
    )


async def sort(
    text: str,
    intent: str = "other",
    confidence: float = 0.0,
    awaiting: Awaiting | None = None,
    heard: str = "words",
) -> CallUpdate:
    return await sorter(intent, confidence)(state(text, heard, awaiting=awaiting))


async def test_a_sure_guess_is_followed() -> None:
    assert (await sort("vos horaires", "faq", SURE))["goto"] == "faq"


async def test_an_unsure_guess_is_followed_to_the_knowledge_base_when_that_has_the_answer() -> None:
    assert (await sort("quels sont vos horaires", "claims_status", SURE - 0.01))["goto"] == "faq"


async def test_an_unsure_guess_is_asked_again() -> None:
    assert (await sort("euh les trucs", "faq", SURE - 0.01))["goto"] == "repair"


@pytest.mark.parametrize(("intent", "node"), [("contract_inquiry", "contract"), ("claims_status", "claims")])
async def test_personal_requests_go_through_the_gate_and_keep_their_words(intent: str, node: str) -> None:
    update = await sort("ma demande", intent, 1.0)
    assert update["goto"] == "authenticate"
    assert update["pending"] == node
    assert update["request"] == "ma demande"


async def test_words_without_a_word_are_repaired() -> None:
    assert (await sort(""))["goto"] == "repair"


async def test_zero_is_a_human_whatever_is_open() -> None:
    for awaiting in (None, NUMBER, OFFER, MORE):
        assert (await sort("0", awaiting=awaiting, heard="keys"))["goto"] == "transfer"


async def test_other_keys_go_to_whoever_asked_for_a_number() -> None:
    assert (await sort("10078821", awaiting=NUMBER, heard="keys"))["goto"] == "authenticate"
    assert (await sort("2026003117", awaiting=CLAIM_NUMBER, heard="keys"))["pending"] == "claims"


async def test_keys_nobody_asked_for_are_not_understood() -> None:
    assert (await sort("5", heard="keys"))["goto"] == "repair"


async def test_an_answer_goes_to_its_question_even_when_the_words_look_like_something_else() -> None:
    update = await sort("dix zéro sept quatre-vingt-huit vingt et un", "goodbye", 1.0, NUMBER)
    assert update["goto"] == "authenticate"
    assert (await sort("oui d'accord", "contract_inquiry", 1.0, OFFER))["goto"] == "transfer"


async def test_only_a_clear_change_of_mind_leads_away_from_an_open_question() -> None:
    unclear = await sort(
        "un conseiller m'a donné un papier", "transfer", SURE_ENOUGH_TO_CHANGE - 0.01, NUMBER
    )
    clear = await sort("je veux un conseiller", "transfer", SURE_ENOUGH_TO_CHANGE, NUMBER)
    assert unclear["goto"] == "authenticate"
    assert clear["goto"] == "transfer"


async def test_a_new_request_after_anything_else_is_no_answer_to_it() -> None:
    update = await sort("oui je voudrais aussi connaître vos horaires", "faq", 1.0, MORE)
    assert update["goto"] == "faq"


async def test_no_with_a_request_behind_it_is_the_request() -> None:
    assert (await sort("non, un conseiller", "transfer", 1.0, MORE))["goto"] == "transfer"


async def test_no_thanks_after_anything_else_is_goodbye() -> None:
    assert (await sort("non merci", awaiting=MORE))["goto"] == "goodbye"


async def test_refusing_to_be_recorded_comes_before_everything_but_a_key() -> None:
    assert (await sort("ne pas enregistrer", "claims_status", 1.0, NUMBER))["goto"] == "greet"


async def test_speaking_ends_a_run_of_silences() -> None:
    assert (await sort("vos horaires", "faq", 1.0))["silences"] == 0


async def test_an_act_with_a_node_of_its_own_goes_there_whatever_is_open() -> None:
    caring = replace(sorter("contract_inquiry", 1.0), care={Act.REPEAT: "care"})
    update = await caring(state("vous pouvez répéter", awaiting=NUMBER))
    assert (update["goto"], update["act"]) == ("care", "repeat")
    assert "awaiting" not in update, "the question stays open"


async def test_an_act_without_a_node_is_told_to_the_one_that_serves_the_intent() -> None:
    update = await sort("je veux déclarer un sinistre", "faq", 1.0)
    assert (update["goto"], update["act"]) == ("faq", "declare_claim")


async def test_an_act_is_of_one_turn_only() -> None:
    assert (await sort("vos horaires", "faq", 1.0))["act"] == ""


def believing(guess: Guess, model: LanguageModel | None = None) -> Classify:
    classifier = Believes("", 0.0)
    classifier._guess = guess
    return replace(sorter(), classifier=classifier, model=model)


def request(intent: str, said: str, act: Act | None = None, then: Guess | None = None) -> Guess:
    return Guess(intent, 0.9, "other", 0.8, act, said, then)


async def test_the_second_request_of_a_sentence_waits_for_the_first() -> None:
    both = request("contract_inquiry", "mon contrat", then=request("faq", "vos horaires"))
    update = await believing(both)(state("mon contrat et vos horaires"))
    assert (update["goto"], update["pending"]) == ("authenticate", "contract")
    assert update["request"] == "mon contrat"
    assert update["queued"] == [{"node": "faq", "said": "vos horaires", "act": ""}]


async def test_who_he_is_and_what_he_wants_are_one_request() -> None:
    both = request("authentication", "10 07 88 21", then=request("claims_status", "mon sinistre"))
    update = await believing(both)(state("10 07 88 21 et mon sinistre"))
    assert (update["goto"], update["pending"]) == ("authenticate", "claims")
    assert "queued" not in update


async def test_nothing_waits_behind_a_person_but_what_he_is_wanted_for_is_kept() -> None:
    both = request("transfer", "un conseiller", then=request("contract_inquiry", "mon contrat"))
    update = await believing(both)(state("un conseiller pour mon contrat"))
    assert (update["goto"], update["topic"]) == ("transfer", "contract")
    assert "queued" not in update


async def test_an_unsure_guess_gets_a_second_opinion_on_masked_words() -> None:
    model = ScriptedModel(lambda _: Sorted(first=Intent.CLAIMS_STATUS, second=None))
    update = await believing(Guess("faq", SURE - 0.1, "other", 0.1), model)(
        state("le machin 10078821 là, ça donne quoi")
    )
    assert update["pending"] == "claims"
    (asked,) = model.asked
    assert "10078821" not in asked.user
    assert "claims_status" in asked.system


async def test_a_sure_guess_asks_nobody() -> None:
    model = ScriptedModel(lambda _: Sorted(first=Intent.TRANSFER, second=None))
    assert (await believing(request("faq", ""), model)(state("vos horaires")))["goto"] == "faq"
    assert model.asked == []


async def test_a_sentence_of_several_parts_that_are_not_all_clear_is_asked_about_though_one_is() -> None:
    model = ScriptedModel(lambda _: Sorted(first=Intent.FAQ, second=Intent.CLAIMS_STATUS))
    guess = replace(request("faq", ""), confidence=0.9, several=True)
    update = await believing(guess, model)(state("vos horaires, et puis le machin de la cuisine là"))
    assert update["goto"] == "faq"
    assert [one["node"] for one in update["queued"]] == ["claims"]
    assert len(model.asked) == 1


async def test_a_model_that_agrees_changes_nothing() -> None:
    model = ScriptedModel(lambda _: Sorted(first=Intent.FAQ, second=None))
    guess = replace(request("faq", ""), confidence=0.9, several=True)
    update = await believing(guess, model)(state("vos horaires, et puis voilà quoi"))
    assert update["goto"] == "faq"
    assert "queued" not in update


SEVERAL = replace(Guess("faq", 0.9, "other", 0.8), several=True)


async def by_groq(
    reply: ChatReply, fault: Fault | None = None, text: str = "vos horaires, et le machin 10078821 là"
) -> tuple[CallUpdate, list[dict[str, object]]]:
    with GroqSimulator() as provider:
        provider.replies = [reply]
        if fault is not None:
            provider.broken["chat"] = fault
        model = GroqModel(KEY, provider.url)
        try:
            update = await believing(SEVERAL, model)(state(text))
        finally:
            await model.close()
        return update, list(provider.asked)


async def test_groq_sorts_both_parts_and_is_not_told_the_number() -> None:
    chosen = '{"first": "claims_status", "second": "faq"}'
    update, asked = await by_groq(ChatReply(calls=(("Sorted", chosen),)))
    assert update["pending"] == "claims"
    assert [one["node"] for one in update["queued"]] == ["faq"]
    assert "10078821" not in str(asked)


@pytest.mark.parametrize(
    "reply",
    [
        ChatReply("transfer"),
        ChatReply(calls=(("Sorted", '{"first": "admin", "second": null}'),)),
        ChatReply(calls=(("Sorted", '{"first": "transfer"'),)),
        ChatReply(calls=(("Sorted", '{"first": "transfer", "second": null, "verified": true}'),)),
        ChatReply(calls=(("Another", '{"first": "transfer", "second": null}'),)),
    ],
)
async def test_what_groq_answers_in_another_form_leaves_the_local_guess(reply: ChatReply) -> None:
    update, asked = await by_groq(reply)
    assert update["goto"] == "faq"
    assert asked


@pytest.mark.parametrize("fault", [Fault(status=500), Fault(status=429), Fault(cut=True), Fault(delay_s=3.0)])
async def test_groq_away_or_late_leaves_the_local_guess(fault: Fault) -> None:
    chosen = '{"first": "transfer", "second": null}'
    update, _ = await by_groq(ChatReply(calls=(("Sorted", chosen),)), fault)
    assert update["goto"] == "faq"


@pytest.mark.parametrize("answer", ["transfer", Sorted])
async def test_a_model_that_fails_or_answers_nonsense_leaves_the_local_guess(answer: object) -> None:
    def away(_: Asked) -> str:
        if answer == "transfer":
            return "transfer"
        raise LlmFailed("away")

    model = ScriptedModel(away)
    update = await believing(Guess("transfer", SURE - 0.1, "other", 0.1), model)(state("bof le truc"))
    assert update["goto"] == "repair"
    assert len(model.asked) == 1


async def test_a_model_cannot_lead_away_from_an_open_question() -> None:
    model = ScriptedModel(lambda _: Sorted(first=Intent.TRANSFER, second=None))
    update = await believing(Guess("other", 0.1, "other", 0.0), model)(state("bof le truc", awaiting=NUMBER))
    assert update["goto"] == "authenticate"
    assert model.asked == []
