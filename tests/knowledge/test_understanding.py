"""Whole sentences: what is shown by phrase, what is taken back, and two requests at once."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.evaluation.intents import COLUMNS, judge
from app.evaluation.tables import read
from knowledge.acts import Act
from knowledge.french import words
from knowledge.intents import LocalIntentClassifier, read_utterances
from knowledge.understanding import Understanding

HEARD = Understanding(LocalIntentClassifier.train())
TABLES = Path(__file__).parents[1] / "understanding" / "intents"


# Reached when these floors were set: 97.9 and 92.0 (the half that was not looked at while tuning).
@pytest.mark.parametrize(("half", "floor"), [("tuning", 96.0), ("kept_apart", 91.0)])
def test_most_callers_are_understood_and_both_requests_kept(half: str, floor: float) -> None:
    report = judge(read([TABLES / half], COLUMNS), HEARD)
    assert report.tolerant_percent >= floor
    assert (report.both_percent or 0.0) >= 80.0
    assert (report.acts_percent or 0.0) >= 90.0


# Written by somebody who had not seen the utterances learnt.
@pytest.mark.parametrize(("half", "floor"), [("tuning", 96.0), ("kept_apart", 93.0)])
def test_strangers_are_understood(half: str, floor: float) -> None:
    report = judge(read([TABLES / "strangers" / half], COLUMNS), HEARD)
    assert len(report.judged) >= 140
    assert report.tolerant_percent >= floor


# Written by outsiders who had seen neither utterances nor phrases; failures of the second half were not
# looked at. Reached when these floors were set: 98.1, 84.8, 100.0 and 96.9, 100.0, 97.3.
@pytest.mark.parametrize(
    ("half", "tolerant", "both", "acts"), [("tuning", 97.0, 80.0, 97.0), ("kept_apart", 95.0, 90.0, 93.0)]
)
def test_outsiders_are_understood_both_their_requests_kept_and_their_acts_known(
    half: str, tolerant: float, both: float, acts: float
) -> None:
    report = judge(read([TABLES / "blind" / half], COLUMNS), HEARD)
    assert len(report.judged) >= 160
    assert report.tolerant_percent >= tolerant
    assert (report.both_percent or 0.0) >= both
    assert (report.acts_percent or 0.0) >= acts


def test_the_last_outsider_is_understood_as_at_first_sight() -> None:
    report = judge(read([TABLES / "blind" / "last"], COLUMNS), HEARD)  # 98.0, both 86.7, acts 100
    assert report.tolerant_percent >= 97
    assert (report.both_percent or 0.0) >= 80
    assert (report.acts_percent or 0.0) >= 97


@pytest.mark.parametrize(
    "asks",
    [
        "le papier pour les impôts, l'attestation de mes versements, où je la trouve ?",
        "mon attestation elle se trouve où",
        "où est-ce que je trouve mon relevé",
    ],
)
def test_where_a_paper_is_found_is_a_question_for_everybody_and_one(asks: str) -> None:
    guess = HEARD.classify(asks)
    assert (guess.intent, guess.then) == ("faq", None)


def test_no_utterance_of_the_tables_was_learnt() -> None:
    learnt = {tuple(words(text)) for texts in read_utterances().values() for text in texts}
    # A stranger's « mon remboursement » may well be one that was learnt: his tables are as he wrote them.
    rows = read([TABLES / half for half in ("tuning", "kept_apart", "last")], COLUMNS)
    assert len(rows) >= 500
    assert not [row["text"] for row in rows if tuple(words(row["text"])) in learnt]


@pytest.mark.parametrize(
    ("said", "first", "second"),
    [
        ("je voudrais la valeur de mon contrat et aussi vos horaires", "contract_inquiry", "faq"),
        ("où en est mon sinistre et combien j'ai sur mon assurance vie", "claims_status", "contract_inquiry"),
        ("je voudrais parler à un conseiller pour mon contrat", "transfer", "contract_inquiry"),
        (
            "combien j'ai sur mon contrat et tant que je vous tiens où en est mon sinistre",
            "contract_inquiry",
            "claims_status",
        ),
        (
            "deux choses, mon sinistre il en est où et je veux changer d'adresse",
            "claims_status",
            "contract_inquiry",
        ),
        ("où en est mon dossier et rappelez-moi demain", "claims_status", "transfer"),
        ("un rachat ça prend combien de temps, et le mien, il est parti", "faq", "contract_inquiry"),
    ],
)
def test_two_requests_are_kept_in_their_order(said: str, first: str, second: str) -> None:
    guess = HEARD.classify(said)
    assert guess.intent == first
    assert guess.then is not None
    assert guess.then.intent == second


@pytest.mark.parametrize(
    ("said", "intent"),
    [
        ("je voudrais mon sinistre, non pardon, mon contrat, savoir combien j'ai", "contract_inquiry"),
        ("pas le contrat, le sinistre", "claims_status"),
        ("laissez tomber, passez-moi un conseiller", "transfer"),
    ],
)
def test_what_is_taken_back_does_not_count(said: str, intent: str) -> None:
    assert HEARD.classify(said).intent == intent


# What is said about people, papers and pauses inside another request.
@pytest.mark.parametrize(
    ("said", "intent", "act"),
    [
        ("pas besoin d'un conseiller, juste vos horaires", "faq", None),
        ("vous ne pouvez pas me passer un conseiller", "transfer", None),
        ("non attendez finalement dites-moi vos horaires", "faq", None),
        ("attendez, je voulais savoir où en est mon sinistre", "claims_status", None),
        ("deux secondes, je cherche mes lunettes", "other", Act.HOLD_ON),
        ("je ne comprends rien à ce que vous dites", "other", Act.REPEAT),
        ("je ne comprends rien à mon contrat", "contract_inquiry", None),
        ("laissez tomber le sinistre, parlons du contrat", "contract_inquiry", None),
        ("j'ai déclaré un accident et j'ai pas de nouvelles", "claims_status", None),
        ("c'est Lucette Bourgeois", "authentication", None),
        ("Jean-Pierre Marchand", "authentication", None),
        ("je suis la fille de Sylvie", "transfer", Act.THIRD_PARTY),
        ("je suis bien chez Assurance Vie", "other", None),
        ("pouvez-vous me rappeler le montant de ma cotisation", "contract_inquiry", None),
        ("passez-moi quelqu'un, ça ira plus vite", "transfer", None),
        ("merci, à une autre fois", "goodbye", None),
        ("je dois raccrocher on sonne", "goodbye", None),
        ("je vous laisse, on sonne à la porte, au revoir", "goodbye", None),
        ("attendez, on sonne à la porte", "other", Act.HOLD_ON),
        ("c'est pour ma mère elle entend plus bien", "transfer", Act.THIRD_PARTY),
        ("pas client chez vous, c'est combien le minimum pour ouvrir une assurance vie", "faq", None),
        (
            "j'avais mis cent euros par mois, je peux plus suivre, baissez mon versement",
            "contract_inquiry",
            None,
        ),
        ("ça veut dire quoi valeur de rachat sur mon relevé", "faq", None),
        ("c'est pour ma facture Orange", "other", None),
        ("le sinistre numéro 2 2 4 7 1 8 il est toujours à l'étude", "claims_status", None),
        ("mon mari est mort il y a dix ans, je voudrais changer le bénéficiaire", "contract_inquiry", None),
        ("papa est mort il y a deux ans, j'ai tout envoyé, vous payez quand", "claims_status", None),
        ("mon mari est mort hier, je voudrais changer le bénéficiaire", "transfer", Act.BEREAVEMENT),
        ("ma cave a été inondée en mars, vous avez pris une décision", "claims_status", None),
    ],
)
def test_words_inside_another_request_do_not_take_it_over(said: str, intent: str, act: Act | None) -> None:
    guess = HEARD.classify(said)
    assert (guess.intent, guess.act) == (intent, act)


@pytest.mark.parametrize(
    ("said", "several"),
    [
        ("quels sont vos horaires, et puis zorgler le blimp du fond", True),
        ("quels sont vos horaires", False),
        ("bonjour. quels sont vos horaires", False),
        ("quels sont vos horaires, et puis où en est mon sinistre", False),
    ],
)
def test_a_part_that_is_not_clear_beside_another_is_told(said: str, several: bool) -> None:
    assert HEARD.classify(said).several is several


def test_a_danger_goes_before_every_other_request_and_nothing_waits_behind_it() -> None:
    guess = HEARD.classify("il y a le feu chez moi et je voudrais aussi vos horaires")
    assert (guess.act, guess.then) == (Act.EMERGENCY, None)


def test_an_insult_does_not_hide_the_request_beside_it() -> None:
    guess = HEARD.classify("bande d'abrutis, passez-moi un conseiller")
    assert guess.intent == "transfer"


@given(st.text(max_size=200))
def test_any_text_is_read_without_an_error(text: str) -> None:
    guess = HEARD.classify(text)
    assert guess.intent in HEARD.intents
    assert guess.then is None or guess.then.intent in HEARD.intents


@pytest.mark.parametrize(
    "said",
    [
        "vous me conseillez de placer mon argent en actions ou en fonds euros ?",
        "est-ce que je devrais retirer mon épargne maintenant",
        "que me recommandez-vous pour mon contrat",
    ],
)
def test_whose_advice_is_asked_is_not_asking_for_his_file(said: str) -> None:
    assert HEARD.classify(said).intent == "faq"


def test_who_he_is_and_what_he_wants_are_parted_without_a_comma() -> None:
    guess = HEARD.classify(
        "bonjour je suis madame Moreau numéro client 10 07 88 21 je voudrais la valeur de mon assurance vie"
    )
    assert {guess.intent, guess.then.intent if guess.then else ""} == {"authentication", "contract_inquiry"}


def test_what_he_does_not_mean_is_no_second_request() -> None:
    said = "la toiture c'est pas un sinistre, elle est vieille, je veux sortir dix mille euros de mon contrat"
    guess = HEARD.classify(said)
    assert (guess.intent, guess.then) == ("contract_inquiry", None)
