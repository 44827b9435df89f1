"""Wishes that must be granted at once are recognised whatever their wording."""

import pytest

from knowledge.wishes import refuses_recording, wants_call_back


@pytest.mark.parametrize(
    "text",
    [
        "ne pas enregistrer",
        "Ne pas enregistrer.",
        "je ne veux pas être enregistré",
        "je n’veux pas être enregistrée",
        "arrêtez l'enregistrement",
        "arretez l enregistrement s'il vous plaît",
        "stop l'enregistrement",
        "pas d'enregistrement",
        "je refuse l'enregistrement",
        "sans enregistrement merci",
        "l'enregistrement, non",
        "coupez l'enregistrement tout de suite",
    ],
)
def test_refusals_of_recording_are_understood(text: str) -> None:
    assert refuses_recording(text)


@pytest.mark.parametrize(
    "text",
    [
        "est-ce que cet appel est enregistré",
        "combien de temps gardez-vous les enregistrements",
        "mon sinistre est-il bien enregistré",
        "je ne connais pas mon numéro",
        "",
    ],
)
def test_other_sentences_about_recording_are_no_refusal(text: str) -> None:
    assert not refuses_recording(text)


@pytest.mark.parametrize(
    "text",
    [
        "je voudrais être rappelé",
        "Est-ce que je peux être rappelée demain ?",
        "vous pouvez me rappeler ?",
        "pouvez-vous me rappeler lundi",
        "rappelez-moi s'il vous plaît",
        "rappelez moi plus tard",
        "je voudrais qu'on me rappelle",
        "qu’un conseiller me rappelle",
        "je préfère un rappel",
        "Rappelé.",
        "oui, rappeler s'il vous plaît",
    ],
)
def test_a_wish_to_be_rung_back_is_heard_in_many_forms(text: str) -> None:
    assert wants_call_back(text)


@pytest.mark.parametrize(
    "text",
    [
        "je ne me rappelle plus de mon numéro",
        "je n'arrive pas à me rappeler mon numéro",
        "pouvez-vous me rappeler mon numéro de contrat",
        "rappelez-moi la date de l'expertise",
        "je vous rappelle demain",
        "je rappellerai plus tard",
        "un conseiller",
        "oui",
        "",
    ],
)
def test_to_remember_and_to_ring_again_oneself_is_another_thing(text: str) -> None:
    assert not wants_call_back(text)
