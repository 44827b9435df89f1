"""Transcripts as QA writes them, and what is told of those that cannot be read."""

from datetime import timedelta
from pathlib import Path

import pytest

from app.replay.script import LinePattern, ScriptInvalid, Turn, find, line_keys, read

HEAD = 'name: essai\nphenomenon: essai\nnow: "2026-11-20T10:00"\n'


def refused(folder: Path, text: str) -> str:
    file = folder / "call.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ScriptInvalid) as told:
        read(file)
    return str(told.value).replace(str(folder), "")


def test_a_bare_text_is_a_key_when_it_looks_like_one_and_words_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "call.yaml"
    file.write_text(HEAD + "turns:\n  - says: oui\n    said: [faq.answer, neuf heures]\n", encoding="utf-8")
    key, words = read(file).turns[0].said
    assert key.fits("faq.answer", "n'importe quoi")
    assert words.fits("claims.paid", "De Neuf heures à midi")
    assert not words.fits("claims.paid", "à midi")


def test_spaces_of_amounts_and_curly_apostrophes_do_not_matter() -> None:
    line = LinePattern(contains=("45 230,18 €", "l'assurance"))
    assert line.fits("contract.value", "L’assurance vaut 45\u202f230,18\u00a0€.")


def test_all_that_is_given_of_a_line_must_hold() -> None:
    line = LinePattern(key="claims.*", contains=("expert",), matches=r"\d+ novembre")
    assert line.fits("claims.expert_visit", "L'expert passe le 3 novembre.")
    assert not line.fits("contract.value", "L'expert passe le 3 novembre.")
    assert not line.fits("claims.expert_visit", "L'expert passe bientôt.")


def test_an_unknown_field_is_told_with_its_line_and_what_is_allowed(tmp_path: Path) -> None:
    told = refused(tmp_path, HEAD + "turns:\n  - says: oui\n  - says: non\n    node: [faq]\n")
    assert "/call.yaml:7: node is not known in turns" in told
    assert "nodes" in told.partition("allowed are")[2]


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    told = refused(tmp_path, HEAD + "callr: a\nturns:\n  - says: oui\n    then: {listens: loudly}\n")
    assert "callr" in told
    assert "listens" in told


@pytest.mark.parametrize(
    ("turn", "says"),
    [
        ("- {says: oui, keys: '1'}", "a turn is one of"),
        ("- {said: [faq.answer]}", "a turn is one of"),
        ("- {keys: 10078821}", "put digits in quotes"),
        ("- {says: oui, never: [faq.anser]}", "no line is called faq.anser"),
        ("- {says: oui, lines: [faq.anser]}", "no line is called faq.anser"),
        ("- {says: oui, said: [{matches: '('}]}", "not a regular expression"),
        ("- {says: oui, said: [{}]}", "give key, contains or matches"),
        ("- {says: oui, state: {identty.level: 1}}", "the state has no identty"),
        ("- {silent: true, after_hearing: Bonjour}", "he interrupted"),
        ("- {says: oui, then: {listens: open, hangs_up: true}}", "give one of"),
    ],
)
def test_a_check_that_could_never_fail_is_refused(tmp_path: Path, turn: str, says: str) -> None:
    told = refused(tmp_path, f"{HEAD}turns:\n  {turn}\n")
    assert says in told
    assert "/call.yaml:5" in told


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a transcript"),
        ("turns: [", "call.yaml:1: not YAML"),
        (HEAD + "turns: []\n", "turns"),
        (HEAD + "name: encore\nturns:\n  - says: oui\n", "call.yaml:4: name is given twice"),
        (HEAD + "call_backs: [{on: 2026-11-20}]\nturns:\n  - says: oui\n", "put it in quotes"),
        (HEAD + "model: [{writes: a, fills: {}}]\nturns:\n  - says: oui\n", "an answer is one of"),
        (HEAD + "opening: {opens: '18:00', closes: '09:00'}\nturns:\n  - says: oui\n", "opens at 18:00"),
        (HEAD + "turns:\n  - hangs_up: true\n  - says: oui\n", "after hangs_up"),
    ],
)
def test_what_is_wrong_is_told_with_a_remedy(tmp_path: Path, text: str, says: str) -> None:
    assert says in refused(tmp_path, text)


def test_a_file_that_is_no_utf_8_is_told(tmp_path: Path) -> None:
    file = tmp_path / "call.yaml"
    file.write_bytes("name: é".encode("latin-1"))
    with pytest.raises(ScriptInvalid, match="UTF-8"):
        read(file)


def test_several_breaths_are_one_turn() -> None:
    assert Turn.model_validate({"says": ["je voudrais", "la valeur"]}).says == "je voudrais la valeur"


def test_the_clock_is_that_of_paris_and_the_id_always_the_same(tmp_path: Path) -> None:
    file = tmp_path / "call.yaml"
    file.write_text(HEAD + "turns:\n  - says: oui\n", encoding="utf-8")
    first, second = read(file), read(file)
    assert first.begins_at.utcoffset() == timedelta(hours=1)
    assert first.id_of_call(0) == second.id_of_call(0) != first.id_of_call(1)


def test_folders_are_searched_and_empty_ones_told(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    with pytest.raises(ScriptInvalid, match="no transcript in it"):
        find([tmp_path])
    (tmp_path / "deep" / "er" / "b.yml").touch()
    (tmp_path / "a.yaml").touch()
    (tmp_path / "notes.txt").touch()
    assert [file.name for file in find([tmp_path])] == ["a.yaml", "b.yml"]
    with pytest.raises(ScriptInvalid, match="no such file"):
        find([tmp_path / "absent.yaml"])


def test_the_keys_of_lines_are_those_of_the_prompts() -> None:
    assert {"greet.notice", "contract.value", "care.question"} <= line_keys()
