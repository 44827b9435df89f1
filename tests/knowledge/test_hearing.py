import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.hearing import Hearing, sounds

EAR = Hearing(
    [
        "combien de temps pour déclarer un incendie",
        "mon père est décédé",
        "la clause bénéficiaire",
        "un rachat partiel",
        "la réponse à une réclamation",
        "un dégât des eaux",
        "envoyer un constat",
        "le sinistre de la maison",
    ]
)


@pytest.mark.parametrize(
    ("word", "other"),
    [
        ("tant", "temps"),
        ("close", "clause"),
        ("contes", "comptes"),
        ("perd", "père"),
        ("cinistre", "sinistre"),
        ("orère", "horaires"),
        ("os", "eaux"),
    ],
)
def test_words_that_sound_alike_are_told_alike(word: str, other: str) -> None:
    assert sounds(word) == sounds(other) != ""


@pytest.mark.parametrize(("word", "other"), [("vol", "vélo"), ("rente", "vente"), ("contrat", "constat")])
def test_words_that_sound_otherwise_are_not(word: str, other: str) -> None:
    assert sounds(word) != sounds(other)


@pytest.mark.parametrize(
    ("heard", "written"),
    [
        ("con bien de tant pour déclaré un nain cendie", "combien de temps pour déclarer un incendie"),
        ("mon perd est des cédé", "mon père est décédé"),
        ("la close béné fissière", "la clause bénéficiaire"),
        ("un ras chat partiel", "un rachat partiel"),
        ("la raie ponce a une réclame ation", "la réponse a une réclamation"),
        ("des gâts des zo", "dégât des eaux"),
        ("le si nistre de la maison", "le sinistre de la maison"),
    ],
)
def test_what_an_ear_cut_wrongly_is_read_as_it_is_written(heard: str, written: str) -> None:
    assert EAR.read(heard) == written


@pytest.mark.parametrize("text", ["un incendie", "mon père est décédé, combien de temps ?", "", "zzz 12 345"])
def test_what_is_known_or_resembles_nothing_is_left_as_it_is(text: str) -> None:
    assert EAR.read(text) == text


def test_one_strange_word_is_never_read_as_several() -> None:
    assert Hearing(["la mort au tournant"]).read("madame Moreau") == "madame Moreau"


def test_of_two_that_sound_alike_the_commoner_is_read_whatever_their_order() -> None:
    for texts in (["le compte", "le compte", "la comte"], ["la comte", "le compte", "le compte"]):
        assert Hearing(texts).read("le komte") == "le compte"


@given(st.text(max_size=60))
def test_whatever_is_heard_is_read_without_an_error_and_twice_the_same(text: str) -> None:
    assert EAR.read(text) == EAR.read(text)
