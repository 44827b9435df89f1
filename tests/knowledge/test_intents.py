import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.acts import Act
from knowledge.french import words
from knowledge.intents import (
    Guess,
    IntentFilesError,
    KeywordClassifier,
    Kind,
    LocalIntentClassifier,
    read_utterances,
)
from tests.knowledge.tables import HALVES, rows

TRAINED = LocalIntentClassifier.train()
INTENTS = ("authentication", "claims_status", "contract_inquiry", "faq", "goodbye", "other", "transfer")


def write(folder: Path, **utterances: str) -> Path:
    for intent, text in utterances.items():
        (folder / f"{intent}.txt").write_text(text, encoding="utf-8")
    return folder


def test_every_intent_has_enough_utterances() -> None:
    examples = {kind.intent: texts for kind, texts in read_utterances().items() if kind.act is None}
    assert tuple(examples) == INTENTS == TRAINED.intents
    assert all(len(texts) >= 60 for texts in examples.values())


def test_held_out_utterances_are_many_and_none_was_learnt() -> None:
    learnt = {tuple(words(text)) for texts in read_utterances().values() for text in texts}
    held_out = [text for half in HALVES for text, _ in labelled(half)]
    assert len(held_out) >= 150
    assert not [text for text in held_out if tuple(words(text)) in learnt]


def labelled(half: str) -> list[tuple[str, str]]:
    return [(text, intent) for intent, text in rows("intents_held_out", half)]


# By the classifier alone; tests/knowledge/test_understanding.py measures it with what is around it.
@pytest.mark.parametrize(("half", "floor"), [("tuning", 0.94), ("kept_apart", 0.92)])
def test_intents_are_right_on_utterances_never_learnt(half: str, floor: float) -> None:
    cases = labelled(half)
    assert sum(TRAINED.classify(text).intent == intent for text, intent in cases) / len(cases) >= floor


@pytest.mark.parametrize("half", HALVES)
def test_right_guesses_are_surer_than_wrong_ones(half: str) -> None:
    guesses = [(TRAINED.classify(text), intent) for text, intent in labelled(half)]
    right = [guess.confidence for guess, intent in guesses if guess.intent == intent]
    wrong = [guess.confidence for guess, intent in guesses if guess.intent != intent]
    assert sum(right) / len(right) > 0.8
    assert sum(one > 0.8 for one in wrong) <= 1


@pytest.mark.parametrize("half", HALVES)
def test_confidence_says_how_often_a_guess_is_right(half: str) -> None:
    guesses = [(TRAINED.classify(text), intent) for text, intent in labelled(half)]
    sure = [guess.intent == intent for guess, intent in guesses if guess.confidence >= 0.7]
    assert len(sure) / len(guesses) >= 0.7
    assert sum(sure) / len(sure) >= 0.95


@pytest.mark.parametrize("half", HALVES)
def test_most_questions_the_knowledge_answers_are_routed_to_it(half: str) -> None:
    asked = [text for text, wanted in rows("questions", half) if wanted != "-"]
    guesses = [TRAINED.classify(text) for text in asked]
    assert sum("faq" in (one.intent, one.runner_up) for one in guesses) / len(asked) >= 0.85


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("mon conseiller m'a dit de déclarer en ligne, comment on fait", "faq"),
        ("je voudrais parler du sinistre", "claims_status"),
        ("mon contrat", "contract_inquiry"),
        ("MON CONTRAT !!!", "contract_inquiry"),
        ("un conseiller", "transfer"),
        ("au revoir", "goodbye"),
    ],
)
def test_misleading_and_very_short_utterances_are_understood(text: str, intent: str) -> None:
    assert TRAINED.classify(text).intent == intent


@pytest.mark.parametrize(
    "noise",
    ["xqz wkj brr", "asdf ghjk", "zorglub", "blorp flim", "les algues bleues photosynthétisent"],
)
def test_gibberish_and_the_far_away_leave_it_unsure(noise: str) -> None:
    assert TRAINED.classify(noise).confidence < 0.5


@pytest.mark.parametrize("empty", ["", "   ", "…", "?!", "\n"])
def test_no_word_is_other_without_confidence(empty: str) -> None:
    assert TRAINED.classify(empty) == Guess("other", 0.0, "other", 0.0)


def test_two_requests_in_a_sentence_are_its_first_two_intents() -> None:
    guess = TRAINED.classify("je veux un conseiller pour mon contrat")
    assert {guess.intent, guess.runner_up} == {"transfer", "contract_inquiry"}


@given(st.text(max_size=200))
def test_any_text_gets_a_known_intent_and_numbers_between_zero_and_one(text: str) -> None:
    guess = TRAINED.classify(text)
    assert guess.intent in INTENTS
    assert guess.runner_up in INTENTS
    assert 0.0 <= guess.margin <= guess.confidence <= 1.0


def test_training_twice_gives_the_same_guesses() -> None:
    again = LocalIntentClassifier.train()
    assert all(again.classify(text) == TRAINED.classify(text) for text, _ in labelled("tuning"))


def test_threads_get_the_guesses_one_thread_gets() -> None:
    texts = [text for text, _ in labelled("tuning")]
    expected = [TRAINED.classify(text) for text in texts]
    found: list[list[Guess]] = []
    threads = [
        threading.Thread(target=lambda: found.append([TRAINED.classify(text) for text in texts]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


def test_a_new_intent_needs_a_file_and_nothing_else(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        payment="# payer\nje veux payer ma facture\nrégler une échéance\npayer par carte\n",
        other="bla bla\nallô\nquel temps fait-il\n",
    )
    trained = LocalIntentClassifier.train(folder)
    assert trained.intents == ("other", "payment")
    assert trained.classify("je voudrais payer").intent == "payment"


SMALL = {"payment": "je veux payer ma facture\nrégler une échéance\n", "other": "allô\nquel temps fait-il\n"}


def test_what_was_learnt_is_kept_for_the_next_start(tmp_path: Path) -> None:
    folder, kept_in = write(tmp_path, **SMALL), tmp_path / "data" / "intents.npz"
    first = LocalIntentClassifier.train(folder, kept_in=kept_in)
    written = kept_in.stat().st_mtime_ns
    again = LocalIntentClassifier.train(folder, kept_in=kept_in)
    assert kept_in.stat().st_mtime_ns == written
    for said in ("payer", "allô", "une échéance à régler", "zorglub"):
        assert (
            again.classify(said) == first.classify(said) == LocalIntentClassifier.train(folder).classify(said)
        )
    assert [file.name for file in kept_in.parent.iterdir()] == ["intents.npz"]


def test_a_changed_utterance_is_learnt_though_another_was_kept(tmp_path: Path) -> None:
    kept_in = tmp_path / "intents.npz"
    LocalIntentClassifier.train(write(tmp_path, **SMALL), kept_in=kept_in)
    folder = write(tmp_path, **SMALL, weather="il pleut\n")
    assert "weather" in LocalIntentClassifier.train(folder, kept_in=kept_in).intents


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 half of one"])
def test_a_kept_file_that_cannot_be_read_is_learnt_again_and_written_anew(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    kept_in = tmp_path / "intents.npz"
    kept_in.write_bytes(content)
    folder = write(tmp_path, **SMALL)
    assert LocalIntentClassifier.train(folder, kept_in=kept_in).classify("payer").intent == "payment"
    assert "intents.kept_unreadable" in caplog.text
    caplog.clear()
    LocalIntentClassifier.train(folder, kept_in=kept_in)
    assert not caplog.text


def test_a_folder_that_cannot_be_written_costs_only_the_next_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    kept_in = tmp_path / "file" / "intents.npz"
    trained = LocalIntentClassifier.train(write(tmp_path, **SMALL), kept_in=kept_in)
    assert trained.classify("payer").intent == "payment"
    assert "intents.not_kept" in caplog.text


def test_a_file_named_after_an_act_teaches_it_too(tmp_path: Path) -> None:
    write(tmp_path, faq="les horaires\n", other="bla bla\nallô\n")
    (tmp_path / "other.repeat.txt").write_text("répétez\npouvez-vous répéter\nredites-moi\n", "utf-8")
    trained = LocalIntentClassifier.train(tmp_path, questions=[])
    assert trained.intents == ("faq", "other")
    assert trained.classify("pouvez-vous répéter").intent == "other"
    assert TRAINED.classify("vous pouvez répéter").act is Act.REPEAT


def test_a_file_named_after_no_act_is_told(tmp_path: Path) -> None:
    write(tmp_path, faq="les horaires\n", other="bla bla\n")
    (tmp_path / "other.dance.txt").write_text("dansez\n", "utf-8")
    with pytest.raises(IntentFilesError, match="'dance' is no act"):
        read_utterances(tmp_path)


def test_the_questions_of_the_knowledge_are_learnt_as_faq(tmp_path: Path) -> None:
    folder = write(tmp_path, faq="les horaires\n", other="bla bla\nallô\n", transfer="un conseiller\n")
    asked = "combien de kangourous"
    assert LocalIntentClassifier.train(folder, questions=[]).classify(asked).confidence < 0.5
    assert (
        LocalIntentClassifier.train(folder, questions=["Combien de kangourous ?"]).classify(asked).intent
        == "faq"
    )


def test_a_question_that_another_intent_claims_is_left_to_it(tmp_path: Path) -> None:
    folder = write(
        tmp_path, faq="les horaires\n", other="bla bla\n", transfer="Comment joindre un conseiller\n"
    )
    trained = LocalIntentClassifier.train(folder, questions=["Comment joindre un conseiller ?"])
    assert trained.classify("comment joindre un conseiller").intent == "transfer"


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(IntentFilesError, match="does not exist"):
        LocalIntentClassifier.train(tmp_path / "absent")


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(IntentFilesError, match=r"faq\.txt: no utterance in this file"):
        read_utterances(write(tmp_path, faq="# rien\n\n", other="bla\n"))


@pytest.mark.parametrize("alone", ["faq", "other"])
def test_a_folder_needs_other_and_one_more_intent(tmp_path: Path, alone: str) -> None:
    with pytest.raises(IntentFilesError, match=r"needs other\.txt and at least one more intent"):
        read_utterances(write(tmp_path, **{alone: "bla bla\n"}))


def test_a_latin1_file_is_told_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, other="bla\n")
    (tmp_path / "faq.txt").write_bytes("les horaires\nle délai\n".encode("latin-1"))
    with pytest.raises(IntentFilesError, match=r"faq\.txt, line 2: not UTF-8"):
        read_utterances(tmp_path)


def test_an_utterance_without_a_word_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(IntentFilesError, match=r"faq\.txt, line 3: an utterance without a word: \.\.\."):
        read_utterances(write(tmp_path, faq="les horaires\n\n...\n", other="bla\n"))


def test_an_utterance_claimed_by_two_intents_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        IntentFilesError, match=r"other\.txt, line 1: already an utterance of faq: Les horaires !"
    ):
        read_utterances(write(tmp_path, faq="les horaires\n", other="Les horaires !\n"))


def test_a_byte_order_mark_is_no_part_of_an_utterance(tmp_path: Path) -> None:
    assert read_utterances(write(tmp_path, faq="\ufeffles horaires\n", other="bla\n"))[Kind("faq")] == [
        "les horaires"
    ]


def test_the_twin_follows_its_keywords_in_order() -> None:
    twin = KeywordClassifier({"sinistre": "claims_status", "conseiller": "transfer"})
    assert twin.classify("Un CONSEILLER") == Guess("transfer", 1.0, "other", 1.0)
    assert twin.classify("un conseiller pour mon sinistre") == Guess("claims_status", 1.0, "transfer", 0.0)
    assert twin.classify("autre chose") == Guess("other", 0.0, "other", 0.0)


def test_the_twin_does_not_mind_accents() -> None:
    assert KeywordClassifier({"décès": "transfer"}).classify("un deces").intent == "transfer"
