"""Which of a few things is meant, and when that is not sure."""

from datetime import date

import pytest

from tools import choices

PRODUCTS = ["Horizon Sérénité", "Horizon Dynamique", "Patrimoine Liberté"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("le premier", 0),
        ("la première s'il vous plaît", 0),
        ("le deuxième", 1),
        ("le second", 1),
        ("numéro trois", 2),
        ("le quatrième", None),
        ("le premier ou le deuxième", None),
        ("le premier avril", None),
        ("euh", None),
    ],
)
def test_places_are_counted_in_the_order_they_were_said(text: str, place: int | None) -> None:
    assert choices.ordinal(text, 3) == place


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("sérénité", [0]),
        ("le contrat horizon dynamique", [1]),
        ("patrimoine", [2]),
        ("horizon", [0, 1]),
        ("un autre", []),
        ("sérénité et dynamique", [0, 1]),
    ],
)
def test_only_the_words_that_tell_things_apart_count(text: str, places: list[int]) -> None:
    assert choices.named(text, PRODUCTS) == places


def test_things_of_one_name_are_all_meant() -> None:
    assert choices.named("le dégât des eaux", ["dégât des eaux", "dégât des eaux"]) == [0, 1]


@pytest.mark.parametrize(
    ("text", "places"),
    [("celui de mai", [1]), ("en 2025", [0]), ("octobre 2026", []), ("celui-là", [])],
)
def test_a_month_and_a_year_tell_things_apart(text: str, places: list[int]) -> None:
    assert choices.dated(text, [date(2025, 10, 1), date(2026, 5, 20)]) == places


@pytest.mark.parametrize(
    ("text", "newest"),
    [("le dernier", True), ("le plus récent", True), ("le dernier versement", False), ("le premier", False)],
)
def test_the_last_one_is_not_the_last_payment(text: str, newest: bool) -> None:
    assert choices.means_newest(text) is newest


def test_another_one_is_not_another_question() -> None:
    assert choices.means_other("et l'autre")
    assert not choices.means_other("j'ai une autre question")


def test_a_word_that_was_said_before_points_at_it() -> None:
    said = "Vous avez 2 dossiers de sinistre : dégât des eaux et bris de glace."
    assert choices.shares_name("et le bris de glace", said)
    assert not choices.shares_name("votre dossier", said)
    assert not choices.shares_name("merci beaucoup", said)


@pytest.mark.parametrize(
    ("text", "every"),
    [
        ("tous", True),
        ("tous mes contrats", True),
        ("combien je verse tous les mois", False),
        ("toutes les semaines", False),
        ("tous les ans, sur les deux", True),
    ],
)
def test_every_month_is_not_every_contract(text: str, every: bool) -> None:
    assert choices.means_all(text) is every


@pytest.mark.parametrize(
    "text", ["et le bris de glace ?", "alors et mon dégât des eaux", "et pour la voiture volée"]
)
def test_a_question_without_its_verb_goes_on_with_the_one_before(text: str) -> None:
    assert choices.goes_on(text)


@pytest.mark.parametrize("text", ["le bris de glace", "et combien j'ai", "et au revoir", "et"])
def test_what_has_a_verb_or_no_and_does_not(text: str) -> None:
    assert not choices.goes_on(text)
