from collections.abc import Iterator
from dataclasses import replace

import pytest

from knowledge.documents import passage_id, read_folder
from knowledge.french import words
from knowledge.qdrant_retriever import QdrantRetriever
from knowledge.relevance import unanswerable_questions
from knowledge.retriever import ANSWERABLE, ListRetriever, Passage, Retriever
from tests.knowledge.tables import HALVES, rows


@pytest.fixture(params=["list", "qdrant"], scope="module")
def retriever(request: pytest.FixtureRequest) -> Iterator[Retriever]:
    if request.param == "list":
        yield ListRetriever(read_folder())
        return
    qdrant = QdrantRetriever.open()
    qdrant.index(read_folder())
    yield qdrant
    qdrant.close()


def answerable(half: str) -> list[tuple[str, list[str]]]:
    return [(asked, wanted.split("|")) for asked, wanted in rows("questions", half) if wanted != "-"]


def test_the_labelled_questions_are_many_and_name_existing_passages() -> None:
    headings = {one.question for one in read_folder()}
    assert sum(len(answerable(half)) for half in HALVES) >= 60
    assert sum(wanted == "-" for half in HALVES for _, wanted in rows("questions", half)) >= 25
    assert all(set(wanted) <= headings for half in HALVES for _, wanted in answerable(half))


def test_no_labelled_question_is_written_in_the_knowledge_base() -> None:
    written = {tuple(words(text)) for one in read_folder() for text in (one.question, *one.variants)}
    written |= {tuple(words(text)) for text in unanswerable_questions()}
    labelled = [text for half in HALVES for text, _ in rows("questions", half)]
    assert not [text for text in labelled if tuple(words(text)) in written]


# Floors are a little below what was reached when they were set, tuning / kept apart: right passage first
# 0.97 / 0.93, among three 0.99 / 1.00; answered rightly 0.97 / 0.90; refused 0.93 / 0.91.
@pytest.mark.parametrize(("half", "first", "in_three"), [("tuning", 0.93, 0.96), ("kept_apart", 0.9, 0.96)])
async def test_paraphrases_find_their_passage(
    retriever: Retriever, half: str, first: float, in_three: float
) -> None:
    asked = answerable(half)
    found = [[one.question for one in await retriever.search(text, limit=3)] for text, _ in asked]
    hits = [(got[:1], got, wanted) for got, (_, wanted) in zip(found, asked, strict=True)]
    assert sum(bool(set(top) & set(wanted)) for top, _, wanted in hits) / len(asked) >= first
    assert sum(bool(set(got) & set(wanted)) for _, got, wanted in hits) / len(asked) >= in_three


@pytest.mark.parametrize(("half", "floor"), [("tuning", 0.93), ("kept_apart", 0.86)])
async def test_what_is_known_is_answered_above_the_threshold(
    retriever: Retriever, half: str, floor: float
) -> None:
    asked = answerable(half)
    right = 0
    for text, wanted in asked:
        best = (await retriever.search(text))[:1]
        right += any(one.score >= ANSWERABLE and one.question in wanted for one in best)
    assert right / len(asked) >= floor


@pytest.mark.parametrize(("half", "floor"), [("tuning", 0.9), ("kept_apart", 0.88)])
async def test_what_is_not_known_stays_under_the_threshold(
    retriever: Retriever, half: str, floor: float
) -> None:
    asked = [text for text, wanted in rows("questions", half) if wanted == "-"]
    refused = 0
    for text in asked:
        refused += all(one.score < ANSWERABLE for one in await retriever.search(text))
    assert refused / len(asked) >= floor


async def test_every_heading_and_variant_finds_its_own_passage(retriever: Retriever) -> None:
    # Thousands: all of them for the twin, some of each passage for the slower one, which scores alike.
    some = None if isinstance(retriever, ListRetriever) else 2
    for passage in read_folder():
        for text in (passage.question, *passage.variants)[:some]:
            found = await retriever.search(text)
            same = [one for one in found if one.score == found[0].score]
            assert passage.id in {one.id for one in same}, text
            assert found[0].score >= ANSWERABLE, text


async def test_passages_come_best_first_and_no_more_than_asked(retriever: Retriever) -> None:
    found = await retriever.search("combien de temps pour un sinistre", limit=5)
    assert len(found) == 5
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert len(await retriever.search("combien de temps pour un sinistre", limit=1)) == 1


@pytest.mark.parametrize("noise", ["", "   ", "?!…", "xqzt wkjp", "\x00", "😀"])
async def test_noise_finds_nothing(retriever: Retriever, noise: str) -> None:
    assert await retriever.search(noise) == []


async def test_a_very_long_question_is_searched_like_another(retriever: Retriever) -> None:
    found = await retriever.search("les horaires " * 2000)
    assert found[0].question == "Quels sont vos horaires d'ouverture ?"


STORY = (
    "bonjour voilà mon beau-frère est passé dimanche avec ses enfants, on a mangé dehors, ma femme avait "
    "fait une tarte, après il a fallu ranger le garage parce que la porte ferme mal et là j'ai vu que la "
    "tondeuse était restée sous la pluie, enfin bref ce que je veux savoir c'est quoi une rente viagère"
)


async def test_a_story_is_answered_by_what_is_asked_at_its_end(retriever: Retriever) -> None:
    best = (await retriever.search(STORY))[0]
    assert best.question == "Qu'est-ce qu'une rente viagère ?"
    assert best.score >= ANSWERABLE


async def test_a_story_that_asks_nothing_known_is_left_to_people(retriever: Retriever) -> None:
    found = await retriever.search(STORY.rpartition("c'est quoi")[0] + "quel vin servir avec un rôti de veau")
    assert all(one.score < ANSWERABLE for one in found)


async def test_twin_and_qdrant_give_the_same_passages_and_scores() -> None:
    twin, qdrant = ListRetriever(read_folder()), QdrantRetriever.open()
    qdrant.index(read_folder())
    for half in HALVES:
        for text, _ in rows("questions", half):
            assert (await qdrant.search(text))[:1] == (await twin.search(text))[:1], text
    qdrant.close()


async def test_a_question_for_people_stays_under_the_threshold_however_near() -> None:
    passage = Passage(passage_id("f", "q"), "Combien coûte un appel ?", "Rien.", "", "f")
    retriever = ListRetriever([passage])
    (near,) = await retriever.search("combien coûte une assurance")
    (asked,) = await retriever.search("combien coûte un appel")
    assert near.score < ANSWERABLE <= asked.score


def test_the_wording_leaves_the_source_paragraph_out() -> None:
    passage = Passage("1", "Q ?", "Réponse.", "Détail.\n\nSource : procédure.", "f", variants=("autre",))
    assert passage.wording.questions == ("Q ?", "autre")
    assert passage.wording.body == "Réponse.\nDétail."
    assert replace(passage, question="", variants=()).wording.questions == ()
