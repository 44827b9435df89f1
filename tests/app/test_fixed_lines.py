import re

from app.fixed_lines import fixed_sentences
from audio.speakable import speakable
from audio.tts import sentences
from prompts import FOLDER, load


def test_the_greeting_the_questions_and_the_answers_are_among_them() -> None:
    fixed = fixed_sentences()
    assert "Puis-je faire autre chose pour vous ?" in fixed
    assert speakable(sentences(load("common").say("technical").text)[0]) in fixed
    assert "En général, vous avez au moins cinq jours ouvrés, donc sans compter le week-end." in fixed
    assert len(fixed) == len(set(fixed)) > 100


def test_what_is_kept_for_the_worst_case_is_there_whole() -> None:
    assert speakable(load("common").say("technical").text) in fixed_sentences()


def test_no_sentence_with_a_place_for_a_value_is_among_them_and_none_can_be_filled_in_to_be() -> None:
    fixed = set(fixed_sentences())
    assert not any("{" in sentence or "}" in sentence for sentence in fixed)
    for file in FOLDER.glob("*.toml"):
        for wordings in load(file.stem).lines.values():
            for text in wordings.texts:
                for written in sentences(text):
                    if not re.search(r"\{\w+\}", written):
                        continue
                    filled = re.sub(r"\{\w+\}", "Moreau 12 €", written)
                    assert speakable(filled) not in fixed, written


def test_they_are_as_a_voice_is_given_them() -> None:
    for sentence in fixed_sentences():
        assert speakable(sentence) == sentence
        assert not re.search("[0-9]", sentence)
