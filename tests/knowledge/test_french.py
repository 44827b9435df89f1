import threading

import pytest

from knowledge.french import content_stems, content_words, fold, ngrams, stem, stems, words


def test_elided_articles_are_cut_with_either_apostrophe() -> None:
    assert words("l'assurance, d’un sinistre qu'on m'a volé") == [
        "assurance",
        "un",
        "sinistre",
        "on",
        "a",
        "volé",
    ]


def test_a_hyphen_separates_words() -> None:
    assert words("est-ce que rendez-vous") == ["est", "ce", "que", "rendez", "vous"]


def test_decomposed_accents_make_the_same_word() -> None:
    assert words("de\u0301ce\u0300s") == words("décès")


def test_folding_takes_accents_away_and_opens_ligatures() -> None:
    assert fold("Décès, sœur, ça, Noël") == "Deces, soeur, ca, Noel"
    assert fold("ÇA, ŒUVRE, l’été") == "CA, OeUVRE, l’ete"


def test_accents_that_french_does_not_have_are_taken_away_as_well() -> None:
    assert fold("Škoda, Nguyễn, naïf, e\u0301te\u0301") == "Skoda, Nguyen, naif, ete"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("bénéficiaire", "bénéficiaires"),
        ("déclarer", "déclaration"),
        ("sinistre", "sinistres"),
        ("déclarer", "declarer"),
    ],
)
def test_words_of_one_family_have_one_stem(one: str, other: str) -> None:
    assert stem(one) == stem(other)


def test_stems_carry_no_accent() -> None:
    assert stem("décès") == fold(stem("décès"))


def test_politeness_and_small_words_say_nothing() -> None:
    assert content_words("Bonjour madame, je voudrais savoir s'il vous plaît") == []


def test_small_words_stay_among_all_stems() -> None:
    assert stems("mon dossier") == [stem("mon"), stem("dossier")]


def test_synonyms_have_one_stem() -> None:
    assert content_stems("rachat") == content_stems("retirer") == content_stems("débloquer")


def test_an_expression_counts_as_the_word_that_stands_for_it() -> None:
    assert content_stems("combien de temps") == content_stems("délai")


def test_an_expression_is_found_without_its_accents() -> None:
    assert content_stems("jusqu'a quand") == content_stems("délai")


def test_retirement_is_not_a_withdrawal() -> None:
    assert content_stems("ma retraite") != content_stems("un retrait")


def test_ngrams_are_the_runs_of_neighbours() -> None:
    assert list(ngrams(["a", "b", "c"], 2)) == [("a", "b"), ("b", "c")]
    assert list(ngrams(["a"], 2)) == []


def test_stemming_in_many_threads_gives_what_one_thread_gives() -> None:
    vocabulary = [
        f"{root}{end}"
        for root in ("déclar", "bénéfici", "assur", "rembours")
        for end in ("er", "ation", "ements")
    ]
    expected = [stem.__wrapped__(word) for word in vocabulary]
    found: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: found.append([stem.__wrapped__(word) for word in vocabulary * 50]))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected * 50] * 8
