import statistics

from knowledge.documents import read_folder
from knowledge.french import content_stems
from knowledge.sparse import AVERAGE_STEMS, SATURATION, FrenchBm25, stem_id

BM25 = FrenchBm25()


def weight(word: str, text: str) -> float:
    (vector,) = BM25.embed_documents([text])
    return dict(zip(vector.indices, vector.values, strict=True)).get(stem_id(content_stems(word)[0]), 0.0)


def test_ids_are_the_same_everywhere_and_fit_31_bits() -> None:
    assert stem_id("sinistr") == 1503495657
    assert all(0 <= stem_id(f"mot{n}") < 2**31 for n in range(1000))


def test_a_question_and_a_document_share_the_index_of_a_word_family() -> None:
    (document,) = BM25.embed_documents(["Déclarez vos sinistres"])
    query = BM25.embed_query("déclaration de sinistre")
    assert set(query.indices) == set(document.indices)


def test_a_query_has_a_one_for_each_different_stem() -> None:
    query = BM25.embed_query("sinistre, sinistres et attestation")
    assert query.values == [1.0, 1.0]
    assert query.indices == sorted(set(query.indices))


def test_small_words_only_make_an_empty_query() -> None:
    assert BM25.embed_query("et vous alors").indices == []


def test_an_empty_document_makes_an_empty_vector() -> None:
    (vector,) = BM25.embed_documents([""])
    assert (vector.indices, vector.values) == ([], [])


def test_repeating_a_word_helps_less_and_less_up_to_a_bound() -> None:
    filler = " ".join(f"zorg{n}" for n in range(30))
    weights = [weight("sinistre", f"{'sinistre ' * times} {filler}") for times in (1, 2, 3, 200)]
    assert weights == sorted(weights)
    assert weights[1] - weights[0] > weights[2] - weights[1]
    assert weights[-1] < SATURATION + 1


def test_a_word_weighs_less_in_a_longer_document() -> None:
    assert weight("sinistre", "sinistre") > weight(
        "sinistre", "sinistre " + " ".join(f"x{n}" for n in range(99))
    )


def test_the_average_length_is_that_of_the_shipped_passages() -> None:
    lengths = [
        len(content_stems("\n".join((*one.wording.questions, one.wording.body)))) for one in read_folder()
    ]
    assert abs(statistics.mean(lengths) / AVERAGE_STEMS - 1) < 0.15, "the search hardly feels less"
