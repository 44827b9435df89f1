"""The figures of a table of utterances are what they say they are."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.__main__ import main
from app.evaluation.intents import COLUMNS, judge
from app.evaluation.tables import Row, TableInvalid, read
from knowledge.acts import Act
from knowledge.intents import Guess


def guess(intent: str, act: Act | None = None, then: Guess | None = None) -> Guess:
    return Guess(intent, 0.9, "other", 0.8, act, then=then)


@dataclass(frozen=True)
class Told:
    """A classifier that answers what it is told to."""

    answers: Mapping[str, Guess]
    intents: tuple[str, ...] = ("faq", "other", "transfer")

    def classify(self, text: str) -> Guess:
        return self.answers[text]


def rows(folder: Path, text: str) -> list[Row]:
    file = folder / "table.tsv"
    file.write_text(text, encoding="utf-8")
    return read([file], COLUMNS)


def test_strict_is_the_first_request_tolerant_either_and_both_is_both(tmp_path: Path) -> None:
    classifier = Told(
        {
            "a": guess("faq"),
            "b": guess("transfer"),
            "c": guess("faq", then=guess("transfer")),
            "d": guess("other"),
        }
    )
    cases = "text\tintent\tsecond\na\tfaq\t\nb\tfaq\ttransfer\nc\tfaq+transfer\t\nd\ttransfer\t\n"
    report = judge(rows(tmp_path, cases), classifier)
    assert report.strict_percent == 50.0
    assert report.tolerant_percent == 75.0
    assert report.both_percent == 50.0
    assert report.acts_percent is None
    assert report.confusion["transfer", "other"] == 1
    assert report.confusion["faq", "transfer"] == 1


def test_a_label_may_be_an_act_and_acts_are_counted_apart(tmp_path: Path) -> None:
    classifier = Told({"a": guess("other", Act.REPEAT), "b": guess("other")})
    report = judge(rows(tmp_path, "text\tlabel\tact\na\trepeat\trepeat\nb\tother\tlouder\n"), classifier)
    assert report.strict_percent == 100.0
    assert report.acts_percent == 50.0


@pytest.mark.parametrize(
    ("cases", "complaint"),
    [
        ("text\tintent\na\tweather\n", r"'weather' is no intent \(faq, other, transfer\) and no act"),
        ("text\tintent\na\t\n", "no label; write what the caller wants"),
    ],
)
def test_a_label_nobody_knows_is_told(tmp_path: Path, cases: str, complaint: str) -> None:
    with pytest.raises(TableInvalid, match=complaint):
        judge(rows(tmp_path, cases), Told({"a": guess("faq")}))


def test_the_command_prints_figures_matrix_and_failures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "t.tsv"
    file.write_text("text\tintent\nquels sont vos horaires\tfaq\nun conseiller\tgoodbye\n", encoding="utf-8")
    assert main(["evaluate", "intents", str(file)]) == 1
    shown = capsys.readouterr().out
    assert "strict     50.0 %" in shown
    assert "confusion: 1=faq  2=transfer" in shown
    assert "✗ t.tsv:3  wanted goodbye, understood transfer" in shown


def test_the_command_speaks_to_machines_and_says_when_the_goal_is_reached(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "t.jsonl"
    file.write_text('{"utterance": "au revoir", "intent": "goodbye"}\n', encoding="utf-8")
    assert main(["evaluate", "intents", str(file), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["tolerant_percent"] == 100.0
    assert document["failures"] == []


def test_a_table_that_cannot_be_read_ends_with_two_and_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "intents", str(tmp_path / "absent.tsv")]) == 2
    assert "no such file" in capsys.readouterr().err
