"""The words of the agent: readable by designers, checked before a caller hears them."""

import ast
import re
from pathlib import Path

import pytest

import prompts
from prompts import Line, PromptInvalid, load, read

FILES = sorted(prompts.FOLDER.glob("*.toml"))
PIECES = ("because", "about", "identified", "not_identified_yet", "today", "morning", "afternoon", "any")
"""Lines of ``transfer`` that are parts of a sentence."""

SOURCES = [
    path
    for folder in ("nodes", "graph", "telephony")
    for path in Path(prompts.FOLDER.parent, folder).glob("*.py")
]


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "essai.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_line_is_filled_with_its_values(tmp_path: Path) -> None:
    words = read(written(tmp_path, '[say]\nvalue = "Il vaut {value}."'))
    assert words.say("value", value="12 €") == Line("essai.value", "Il vaut 12 €.")


def test_the_second_time_has_its_own_wording_and_the_last_one_stays(tmp_path: Path) -> None:
    words = read(written(tmp_path, '[say]\nmissed = ["Pardon ?", "Encore ?"]'))
    assert [words.say("missed", nth=nth).text for nth in range(4)] == [
        "Pardon ?",
        "Encore ?",
        "Encore ?",
        "Encore ?",
    ]


def test_a_line_may_forbid_interruption(tmp_path: Path) -> None:
    words = read(written(tmp_path, '[say]\nnotice = { text = "Écoutez.", interruptible = false }'))
    assert words.say("notice").interruptible is False


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("[say]\na = 3", "a must be a sentence"),
        ("[say]\na = []", "a must be a sentence"),
        ('[say]\na = ["x", 1]', "a must be a sentence"),
        ('[say]\na = "  "', "a has an empty wording"),
        ('[say]\na = { text = "x", interruptible = false, loud = true }', "a must be a sentence"),
        ('say = "x"', r"\[say\] must be a table"),
        ("[say", "not readable as UTF-8 TOML"),
    ],
)
def test_a_file_that_cannot_be_used_says_what_is_wrong(tmp_path: Path, content: str, complaint: str) -> None:
    with pytest.raises(PromptInvalid, match=complaint):
        read(written(tmp_path, content))


def test_a_file_in_another_encoding_says_so(tmp_path: Path) -> None:
    path = tmp_path / "essai.toml"
    path.write_bytes('[say]\na = "été"'.encode("latin-1"))
    with pytest.raises(PromptInvalid, match="UTF-8"):
        read(path)


def test_a_missing_file_an_unknown_line_and_a_missing_value_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(PromptInvalid, match="no such file"):
        read(tmp_path / "absent.toml")
    words = read(written(tmp_path, '[say]\nvalue = "Il vaut {value}."'))
    with pytest.raises(PromptInvalid, match="no line 'price'"):
        words.say("price")
    with pytest.raises(PromptInvalid, match="needs a value for value"):
        words.say("value")


def lines_named_in_the_code() -> set[tuple[str, str]]:
    """(file, key) of every ``say("key", …)`` written out in the source."""
    named = set()
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for call in ast.walk(tree):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
                continue
            if call.func.attr == "say" and call.args and isinstance(call.args[0], ast.Constant):
                named.add((path.stem, str(call.args[0].value)))
    return named


def test_every_line_named_in_the_code_is_written() -> None:
    named = lines_named_in_the_code()
    assert len(named) > 30
    known = {path.stem: load(path.stem).lines for path in FILES}
    missing = {
        (stem, key) for stem, key in named if key not in known.get(stem, {}) and key not in known["common"]
    }
    assert not missing


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_is_said_is_spoken_french(path: Path) -> None:
    """No list, bracket, markdown or "cliquez"; the notice is the only line that cannot be interrupted."""
    for key, wordings in load(path.stem).lines.items():
        assert wordings.interruptible or (path.stem, key) == ("greet", "notice")
        for text in wordings.texts:
            spoken = re.sub(r"\{\w+\}", "", text)
            assert not re.search(r"[*_#\[\]()]|cliquez|ci-dessous", spoken, re.IGNORECASE), (key, text)
            if path.stem != "transfer" or not key.startswith(PIECES):
                assert text[-1] in ".?!}", (key, text)


def test_the_greeting_says_that_it_is_a_machine_and_that_the_call_may_be_recorded() -> None:
    """AI Act art. 50 (at the first interaction, clearly); CNIL (purpose, and how to refuse)."""
    notice = load("greet").say("notice").text
    assert "assistante vocale automatique" in notice
    assert "enregistré pour améliorer notre service" in notice
    assert "ne pas enregistrer" in notice


OFFERS = [("claims", "none"), ("claims", "explain"), ("contract", "none"), ("faq", "unknown")]


@pytest.mark.parametrize(("node", "key"), [*OFFERS, ("common", "unavailable")])
def test_where_an_adviser_is_offered_a_call_back_is_offered_when_nobody_is_there(node: str, key: str) -> None:
    offer, closed = load(node).lines[key], load(node).lines[f"{key}_closed"]
    assert all("conseiller" in text and text.endswith("?") for text in offer.texts)
    assert all("rappelé" in text and text.endswith("?") for text in closed.texts)
    assert offer.fields == closed.fields


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_question_that_may_be_asked_again_after_a_cut_holds_nothing_from_a_file(path: Path) -> None:
    """What ``repair`` repeats is a question and the help behind it; its values are the caller's own."""
    said_by_the_caller = {"number", "digits"}
    for key, wordings in load(path.stem).lines.items():
        for text in wordings.texts:
            asked = re.search(r"[^.!?…]+\?.*", text)
            values = set(re.findall(r"\{(\w+)\}", asked[0])) if asked and key != "answer" else set()
            assert values <= said_by_the_caller | {"opens", "closes", "question"}, (key, text)


def test_the_callers_own_number_is_never_read_out() -> None:
    words = load("transfer")
    for key in ("same_number", "same_number_missed", "noted"):
        assert "number" not in words.lines[key].fields
