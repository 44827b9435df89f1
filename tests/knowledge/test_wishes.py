"""Wishes that must be granted at once are recognised whatever their wording."""

import pytest

from knowledge.wishes import refuses_recording


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
