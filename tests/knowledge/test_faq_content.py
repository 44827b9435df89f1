import re

import pytest

from knowledge.documents import read_folder
from knowledge.retriever import SOURCE_LABEL, Passage

PASSAGES = {one.question: one for one in read_folder()}
EACH = pytest.mark.parametrize("passage", PASSAGES.values(), ids=PASSAGES.keys())


def sentences(text: str) -> list[str]:
    return [one for one in re.split(r"(?<=[.?!])\s+", text) if one]


def test_the_agent_knows_at_least_forty_five_answers() -> None:
    assert len(PASSAGES) >= 45


@EACH
def test_an_answer_is_at_most_two_short_sentences(passage: Passage) -> None:
    said = sentences(passage.answer)
    assert 1 <= len(said) <= 2
    assert all(len(one.split()) <= 24 for one in said)


@EACH
def test_an_answer_can_be_spoken_as_it_stands(passage: Passage) -> None:
    assert not re.search(r"[0-9()\[\]*_#|/%€&<>]", passage.answer)
    assert not re.search(r"\b(?:ci-dessous|cliquez|n'hésitez pas|tu|ton|ta)\b", passage.answer, re.IGNORECASE)


@EACH
def test_a_passage_ends_with_its_dated_source(passage: Passage) -> None:
    last = passage.details.split("\n\n")[-1]
    assert last.startswith(SOURCE_LABEL)
    assert re.search(r"\(vérifié en octobre 2026\)\.$", last) or "applicable depuis" in last


@EACH
def test_only_known_contact_details_are_given(passage: Passage) -> None:
    numbers = re.findall(r"\b0\d(?: \d\d){4}\b", passage.details)
    assert set(numbers) <= {"01 23 45 67 89"}
    assert not re.search(r"@|https?:|www\.", passage.details + passage.answer)


def test_no_question_is_asked_twice() -> None:
    asked = [text.casefold() for one in PASSAGES.values() for text in (one.question, *one.variants)]
    assert sorted(asked) == sorted(set(asked))


@pytest.mark.parametrize(
    ("question", "said", "never"),
    [
        ("Quel est le délai pour déclarer un sinistre ?", "deux jours pour un vol", ""),
        ("Quel est le délai pour déclarer un vol ?", "deux jours ouvrés", "cinq"),
        (
            "Quel est le délai pour déclarer une catastrophe naturelle ?",
            "trente jours après la publication",
            "",
        ),
        ("Puis-je changer de bénéficiaire ?", "il faut son accord", ""),
        ("L'argent est-il bloqué pendant huit ans ?", "vous pouvez retirer votre argent à tout moment", ""),
        ("Combien de temps faut-il pour traiter un sinistre ?", "C'est une moyenne, pas un engagement", ""),
        ("L'assurance vie est-elle hors succession ?", "dans certaines limites", ""),
        ("Puis-je renoncer à mon contrat après la signature ?", "trente jours calendaires", ""),
        ("Sous combien de temps reçoit-on l'argent d'un retrait ?", "au plus deux mois", ""),
        ("Quand le bénéficiaire est-il payé après un décès ?", "un mois après réception de tous", ""),
        ("Sous quel délai répondez-vous à une réclamation ?", "dix jours ouvrables", ""),
        ("Comment faire effacer mes données ?", "par écrit à notre délégué", "effacées"),
        ("Êtes-vous un robot ?", "Oui, je suis une assistante automatique", ""),
        ("Quels sont vos horaires d'ouverture ?", "de neuf heures à dix-huit heures", ""),
        ("Comment déclarer le décès d'un assuré ?", "toutes mes condoléances", "identité"),
    ],
)
def test_what_is_often_told_wrongly_is_told_right(question: str, said: str, never: str) -> None:
    answer = PASSAGES[question].answer
    assert said in answer
    assert not never or never not in answer


def test_the_limits_at_death_are_given_with_their_age() -> None:
    details = PASSAGES["L'assurance vie est-elle hors succession ?"].details
    assert "avant 70 ans : 152 500 euros exonérés par bénéficiaire" in details
    assert "après 70 ans : 30 500 euros exonérés au total" in details
