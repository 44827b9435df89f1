"""Whether the words of a pause are all that the caller meant to say, case by case."""

from datetime import date

import pytest

from audio.endpointing import Expecting
from telephony.completeness import Overheard, Verdict, judge, over_the_agent

TODAY = date(2026, 11, 20)
OPEN, YES_NO, NUMBER, DATE = Expecting.OPEN, Expecting.YES_NO, Expecting.NUMBER, Expecting.DATE


@pytest.mark.parametrize(
    ("expecting", "text"),
    [
        (YES_NO, "oui"),
        (YES_NO, "Oui."),
        (YES_NO, "non merci"),
        (YES_NO, "oui c'est ça"),
        (YES_NO, "tout à fait"),
        (NUMBER, "dix zéro sept quatre-vingt-huit vingt et un"),
        (NUMBER, "Alors, c'est le dix, zéro sept, quatre-vingt-huit, vingt et un."),
        (NUMBER, "10 07 88 21"),
        (NUMBER, "10078821."),
        (NUMBER, "SIN-2026-003117"),
        (NUMBER, "S I N deux mille vingt-six zéro zéro trois un un sept"),
        (NUMBER, "06 12 34 56 78"),
        (DATE, "le premier avril mille neuf cent soixante-deux"),
        (DATE, "je suis né le 1er avril 1962."),
        (DATE, "01/04/1962"),
        (OPEN, "un conseiller s'il vous plaît"),
        (OPEN, "non merci, au revoir"),
        (NUMBER, "un conseiller s'il vous plaît"),
    ],
)
def test_a_whole_answer_is_not_waited_on(expecting: Expecting, text: str) -> None:
    assert judge(text, expecting, TODAY) is Verdict.COMPLETE


@pytest.mark.parametrize(
    ("expecting", "text"),
    [
        (NUMBER, "mon numéro c'est le"),
        (NUMBER, "Mon numéro, c'est le…"),
        (NUMBER, "mon numéro de client"),
        (NUMBER, "alors le numéro c'est"),
        (NUMBER, "dix zéro sept et"),
        (NUMBER, "euh"),
        (DATE, "ma date de naissance"),
        (DATE, "je suis né le"),
        (DATE, "le premier avril de"),
        (YES_NO, "oui mais"),
        (YES_NO, "euh"),
        (OPEN, "je voudrais"),
        (OPEN, "je voudrais parler à un"),
        (OPEN, "c'est pour mon"),
        (OPEN, "j'ai eu un dégât des eaux et"),
        (OPEN, "bonjour, je vous appelle pour..."),
    ],
)
def test_who_stops_in_the_middle_of_a_sentence_is_given_time(expecting: Expecting, text: str) -> None:
    assert judge(text, expecting, TODAY) is Verdict.UNFINISHED


@pytest.mark.parametrize(
    ("expecting", "text"),
    [
        (OPEN, ""),
        (OPEN, "…"),
        (OPEN, "quels sont vos horaires"),
        (OPEN, "oui"),
        (OPEN, "et moi"),
        (OPEN, "dix zéro sept quatre-vingt-huit vingt et un"),
        (YES_NO, "je ne sais pas"),
        (YES_NO, "oui alors j'ai aussi une autre question"),
        (NUMBER, "dix zéro sept"),
        (NUMBER, "oui"),
        (DATE, "le premier avril"),
    ],
)
def test_everything_else_is_left_to_the_pause(expecting: Expecting, text: str) -> None:
    assert judge(text, expecting, TODAY) is Verdict.UNSURE


@pytest.mark.parametrize(
    ("expecting", "text"),
    [
        (NUMBER, "dix zéro sept quatre-vingt-huit vingt"),
        (NUMBER, "10 07 88 20"),
        (NUMBER, "06 12 34 56"),
        (NUMBER, "zéro six douze trente-quatre cinquante-six"),
        (DATE, "le premier avril mille neuf cent"),
        (DATE, "le premier avril mille neuf cent soixante"),
        (DATE, "le premier avril 1960"),
        (DATE, "le premier avril mille neuf cent quatre-vingt"),
    ],
)
def test_a_number_that_the_next_word_could_change_is_never_complete(expecting: Expecting, text: str) -> None:
    assert judge(text, expecting, TODAY) is Verdict.UNSURE


STATEMENT = "Nos conseillers sont là du lundi au vendredi, de neuf heures à dix-huit heures."
OFFER = "Voulez-vous parler à un conseiller ?"
ASKS_NUMBER = "Quel est votre numéro client ?"
ASKS_OPENLY = "Que puis-je faire pour vous ?"

SIGNS_OF_LISTENING = [
    "oui",
    "Oui, oui.",
    "d'accord",
    "Hm.",
    "mm-hmm",
    "ok",
    "je vois",
    "très bien",
    "Ah d'accord, très bien.",
    "c'est ça",
    "tout à fait",
    "merci",
    "entendu",
    "bien sûr",
]


@pytest.mark.parametrize("text", [*SIGNS_OF_LISTENING, "", "euh", "…"])
def test_a_sign_of_listening_or_a_cough_is_talked_through(text: str) -> None:
    assert over_the_agent(text, STATEMENT, OPEN) is Overheard.NOTHING


@pytest.mark.parametrize("sentence", [ASKS_NUMBER, ASKS_OPENLY])
@pytest.mark.parametrize("text", ["oui", "d'accord"])
def test_a_question_that_a_yes_does_not_answer_is_asked_to_its_end(sentence: str, text: str) -> None:
    expecting = NUMBER if sentence == ASKS_NUMBER else OPEN
    assert over_the_agent(text, sentence, expecting) is Overheard.NOTHING


@pytest.mark.parametrize("text", ["oui", "d'accord", "tout à fait", "non", "oui s'il vous plaît"])
def test_a_yes_to_a_question_that_is_being_asked_is_an_answer(text: str) -> None:
    assert over_the_agent(text, OFFER, YES_NO) is Overheard.A_TURN


@pytest.mark.parametrize("text", ["hm", "merci", "euh"])
def test_even_then_a_murmur_is_none(text: str) -> None:
    assert over_the_agent(text, OFFER, YES_NO) is Overheard.NOTHING


@pytest.mark.parametrize(
    "text",
    [
        "oui mais",
        "non",
        "attendez",
        "stop",
        "pardon ?",
        "un conseiller",
        "allô",
        "oui et mes impôts",
        "au revoir",
    ],
)
@pytest.mark.parametrize("sentence", [STATEMENT, OFFER, ASKS_NUMBER])
def test_whoever_objects_or_says_something_takes_the_turn(text: str, sentence: str) -> None:
    assert over_the_agent(text, sentence, OPEN) is Overheard.A_TURN


def test_the_agents_own_words_come_back_over_the_line_are_no_turn() -> None:
    assert over_the_agent("du lundi au vendredi", STATEMENT, OPEN) is Overheard.NOTHING
    assert over_the_agent("du lundi au vendredi ?", STATEMENT, OPEN) is Overheard.A_TURN, "he makes sure"


def test_who_looks_for_his_contract_is_not_in_the_middle_of_a_number() -> None:
    assert judge("attendez, je cherche mon contrat", NUMBER, TODAY) is Verdict.UNSURE
