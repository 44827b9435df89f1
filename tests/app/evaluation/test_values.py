"""The figures of a table of values: right, refused, silently wrong."""

import json
from datetime import date
from pathlib import Path

import pytest

from app.__main__ import main
from app.evaluation.tables import TableInvalid, read
from app.evaluation.values import COLUMNS, ValueReport, Verdict, judge
from tools.spoken import ValueForm

TODAY = date(2026, 11, 15)


def judged(folder: Path, text: str) -> ValueReport:
    file = folder / "t.tsv"
    file.write_text(f"text\tform\texpected\n{text}", encoding="utf-8")
    return judge(read([file], COLUMNS), TODAY)


def test_right_refused_and_silently_wrong_are_told_apart(tmp_path: Path) -> None:
    report = judged(
        tmp_path,
        "10 07 88 21\tcustomer\t10078821\n"
        "10 07 88\tcustomer\t10078821\n"
        "10 07 88 21\tcustomer\t10078822\n"
        "10 07 88 21\tcustomer\t\n"
        "je ne sais pas\tcustomer\t\n",
    )
    assert [one.verdict for one in report.judged] == [
        Verdict.RIGHT,
        Verdict.REFUSED,
        Verdict.WRONG,
        Verdict.WRONG,
        Verdict.RIGHT,
    ]
    assert report.percent(Verdict.RIGHT) == 40.0
    assert report.percent(Verdict.WRONG, ValueForm.CUSTOMER) == 40.0
    assert not report.good


@pytest.mark.parametrize(
    "line",
    [
        "10 07 88 21\tcustomer_number\t10 07 88 21",
        "SIN 2026 003117\tclaim number\t2026003117",
        "VIE 0012345\tpolicy\t0012345",
        "1er avril 1962\tdate of birth\t01/04/1962",
        "1er avril 1962\tbirth_date\t1962-04-01",
        "75 011\tcode postal\t75011",
        "06 12 34 56 78\ttelephone\t+33 6 12 34 56 78",
        "douze euros cinquante\tmontant\t12,50 €",
        "douze euros cinquante\tamount\t12.5",
        "oui\tyes_no\ttrue",
        "non\tboolean\tnon",
        "je ne sais pas\tyes/no\tnone",
    ],
)
def test_forms_and_values_may_be_written_as_people_write_them(tmp_path: Path, line: str) -> None:
    assert judged(tmp_path, line).good


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("oui\tiban\tyes", "'iban' is no form: customer, contract"),
        ("oui\tyes_no\tperhaps", "'perhaps' cannot be a yes_no"),
        ("x\tbirth_date\t31/02/1962", "cannot be a birth_date"),
        ("x\tcustomer\t123", "cannot be a customer"),
        ("x\tpost_code\t123", "cannot be a post_code"),
        ("x\tamount\tbeaucoup", "cannot be a amount"),
    ],
)
def test_what_cannot_be_meant_is_told(tmp_path: Path, line: str, complaint: str) -> None:
    with pytest.raises(TableInvalid, match=complaint):
        judged(tmp_path, line)


def test_the_command_prints_the_silently_wrong_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "t.csv"
    file.write_text("text,form,value\nrien,customer,10078821\noui,yes_no,no\nnon,yes_no,no\n", "utf-8")
    assert main(["evaluate", "values", str(file), "--today", "2026-11-15"]) == 1
    shown = capsys.readouterr().out
    assert "right            33.3 %" in shown
    assert shown.index("silently wrong: t.csv:3") < shown.index("refused: t.csv:2")


def test_the_command_speaks_to_machines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "t.csv"
    file.write_text("text,form,value\noui,yes_no,yes\n", "utf-8")
    assert main(["evaluate", "values", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["silently_wrong_percent"] == 0.0
