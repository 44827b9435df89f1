import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.relevance import Relevance, Wording, unanswerable_questions

HOURS = Wording(
    ("Quels sont vos horaires ?", "à quelle heure ouvrez-vous"), "De neuf heures à dix-huit heures."
)
THEFT = Wording(("Quel est le délai pour un vol ?",), "Deux jours ouvrés, et une plainte au commissariat.")
SKILLS = Wording(("Que pouvez-vous faire ?",), "Suivre un sinistre.")
PIECE = Wording((), "La garantie tempête couvre les volets et la toiture.")
ALL = Relevance([HOURS, THEFT, SKILLS, PIECE], unanswerable=["combien coûte une assurance"])


def score(asked: str, wording: Wording) -> float:
    return ALL.score(ALL.read(asked), wording)


def refusal(asked: str) -> float:
    return ALL.refusal(ALL.read(asked))


def test_a_question_asked_word_for_word_scores_one() -> None:
    assert score("Quel est le délai pour un vol ?", THEFT) == pytest.approx(1.0)


def test_politeness_around_a_question_changes_nothing() -> None:
    asked = "bonjour madame je voudrais savoir quel est le délai pour un vol s'il vous plaît"
    assert score(asked, THEFT) == pytest.approx(1.0)


def test_a_word_of_the_answer_counts_less_than_one_of_the_question() -> None:
    assert 0 < score("le commissariat", THEFT) < score("le vol", THEFT)


def test_a_word_nobody_wrote_lowers_the_score() -> None:
    assert score("délai pour un vol de bétail", THEFT) < score("délai pour un vol", THEFT)


def test_nothing_in_common_scores_nothing() -> None:
    assert score("délai pour un vol", HOURS) == 0.0


def test_a_question_of_small_words_finds_a_passage_asked_in_small_words() -> None:
    assert score("vous pouvez faire quoi", SKILLS) > 0.5
    assert score("vous pouvez faire quoi", THEFT) == 0.0


def test_an_empty_question_scores_nothing() -> None:
    assert score("", SKILLS) == 0.0
    assert score("", THEFT) == 0.0
    assert refusal("") == 0.0


def test_a_piece_of_a_plain_document_is_scored_by_what_it_covers() -> None:
    assert score("tempête toiture volets", PIECE) == pytest.approx(0.5)


def test_a_passage_it_was_not_built_with_is_scored_too() -> None:
    assert score("le vol", Wording(("un vol",), "")) == pytest.approx(1.0)


def test_a_misspelt_word_is_read_as_the_nearest_known_one() -> None:
    assert ALL.repair("le bommissariat et le commisariat") == "bommissariat commissariat"


@pytest.mark.parametrize(
    ("heard", "written"),
    [("komissaria", "commissariat"), ("orère", "horaires"), ("tampète", "tempête")],
)
def test_a_word_that_sounds_like_a_known_one_is_read_as_that(heard: str, written: str) -> None:
    assert ALL.repair(heard) == written


def test_what_is_out_of_scope_is_answered_only_by_a_passage_asked_with_it() -> None:
    tariff = Wording(("Quel est le tarif d'un vol ?",), "Rien.")
    relevance = Relevance([THEFT, tariff], unanswerable=[])
    asked = relevance.read("quel tarif pour un vol")
    assert relevance.out_of_scope(asked, THEFT)
    assert not relevance.out_of_scope(asked, tariff)
    assert not relevance.out_of_scope(relevance.read("quel délai pour un vol"), THEFT)


def test_a_lone_word_is_not_enough_unless_it_is_asked_alone() -> None:
    parking = Wording(("un accrochage avec un camion sur le parking",), "")
    alone = Wording(("le parking",), "")
    relevance = Relevance([parking, alone, HOURS], unanswerable=[])
    asked = relevance.read("vous avez un parking")
    assert relevance.score(asked, parking) < 0.5
    assert relevance.score(asked, alone) == pytest.approx(1.0)


def test_a_short_or_a_known_word_is_left_as_it_is() -> None:
    assert ALL.repair("vols volent heure") == "vols volent heure"


def test_a_question_of_small_words_is_repaired_to_itself() -> None:
    assert ALL.repair("que faire") == "que faire"


def test_repair_does_not_depend_on_the_order_of_passages() -> None:
    backwards = Relevance([PIECE, SKILLS, THEFT, HOURS], unanswerable=["combien coûte une assurance"])
    for asked in ("comissariat", "tenpête", "garanti toitur"):
        assert backwards.repair(asked) == ALL.repair(asked)


def test_a_question_for_people_is_recognised() -> None:
    assert refusal("combien coûte une assurance") == pytest.approx(1.0)
    assert refusal("quels sont vos horaires") == 0.0


def test_without_questions_for_people_nothing_is_refused() -> None:
    open_minded = Relevance([HOURS], unanswerable=[])
    assert open_minded.refusal(open_minded.read("combien coûte une assurance")) == 0.0


def test_the_shipped_questions_for_people_have_no_comment_and_no_blank() -> None:
    assert len(unanswerable_questions()) > 50
    assert all(one and not one.startswith("#") for one in unanswerable_questions())


@given(st.text(max_size=80))
def test_scores_stay_between_zero_and_one_whatever_is_heard(asked: str) -> None:
    for wording in (HOURS, THEFT, SKILLS, PIECE):
        assert 0.0 <= score(asked, wording) <= 1.0 + 1e-9
    assert 0.0 <= refusal(asked) <= 1.0 + 1e-9


def chance(relevance: Relevance, asked: str, wording: Wording) -> float:
    read = relevance.read(asked)
    return relevance.chance(read, wording, relevance.score(read, wording), relevance.refusal(read))


MANY = [Wording((f"la question numéro {n} du sujet {n}", f"le thème {n}"), "Rien.") for n in range(60)]


def test_a_question_asked_word_for_word_is_certain() -> None:
    relevance = Relevance([*MANY, THEFT], unanswerable=["combien coûte un vol"])
    assert chance(relevance, "quel est le délai pour un vol", THEFT) == 1.0


def test_a_line_for_people_takes_the_chance_away() -> None:
    free = Relevance([*MANY, THEFT], unanswerable=["la météo"])
    strict = Relevance([*MANY, THEFT], unanswerable=["la météo", "le vol pour Rome", "un vol d'avion"])
    assert chance(strict, "un vol pour Rome", THEFT) < chance(free, "un vol pour Rome", THEFT)


def test_of_few_passages_the_score_alone_decides() -> None:
    assert chance(ALL, "le vol", THEFT) == score("le vol", THEFT)
    assert chance(ALL, "tempête toiture volets", PIECE) == score("tempête toiture volets", PIECE)


def test_a_line_for_people_is_known_word_for_word_and_nearly() -> None:
    relevance = Relevance([*MANY, THEFT], unanswerable=["combien coûte une assurance"])
    for asked in ("combien coûte une assurance", "bonjour combien coûte une assurance madame"):
        read = relevance.read(asked)
        assert relevance.for_people(read, 0.0, relevance.refusal(read))
    read = relevance.read("délai pour un vol")
    assert not relevance.for_people(read, 1.0, relevance.refusal(read))


def test_an_expression_out_of_scope_is_not_excused_by_words_of_different_wordings() -> None:
    apart = Wording(("le taux des prélèvements", "les intérêts de retard"), "Rien.")
    relevance = Relevance([apart], unanswerable=[])
    assert relevance.out_of_scope(relevance.read("le taux d'intérêt"), apart)


@pytest.mark.parametrize(
    "asks", ["vous me conseillez quel délai pour un vol", "quel délai pour un vol selon vous"]
)
def test_advice_is_never_given_however_near_the_question_is(asks: str) -> None:
    relevance = Relevance([*MANY, THEFT], unanswerable=[])
    assert chance(relevance, "quel délai pour un vol chez vous", THEFT) > 0.5
    assert chance(relevance, asks, THEFT) < 0.5


def test_a_long_question_is_read_in_parts_and_the_nearest_part_counts() -> None:
    relevance = Relevance([*MANY, THEFT], unanswerable=["combien coûte un pain"])
    story = " ".join(f"mot{n}" for n in range(30)) + " quel est le délai pour un vol"
    read = relevance.read(story)
    whole = relevance.score(read, THEFT)
    assert read.parts
    assert not relevance.read("quel est le délai pour un vol").parts
    assert relevance.in_parts(read, THEFT, whole) > whole
    assert relevance.refusal_in_parts(relevance.read("quel délai")) == relevance.refusal(
        relevance.read("quel délai")
    )


def test_of_a_very_long_question_only_the_end_is_read_in_parts() -> None:
    read = ALL.read(" ".join(f"mot{n}" for n in range(5000)))
    assert 0 < len(read.parts) <= 12


def test_what_an_ear_cut_wrongly_is_repaired_before_it_is_compared() -> None:
    assert ALL.repair("con bien coûte une assurance") == ALL.repair("combien coûte une assurance")
