"""How often numbers, dates and answers are read right: right, refused, or silently wrong, and the failures.

Columns: ``text``, ``form`` and ``expected``. An empty ``expected`` means that the agent must ask again. The
forms are those of :class:`tools.spoken.ValueForm`, also by their usual names (``client``, ``date``, ``iban``
is none). What is expected may be written as people write it: ``10 07 88 21``, ``01/04/1962``, ``1 234,50 €``.

- right: the value meant; or nothing, where nothing was to be understood;
- refused: nothing, where something was meant: the agent asks again;
- silently wrong: any other value. The worst there is.
"""

import json
import statistics
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path

from app.evaluation import BELOW, GOOD
from app.evaluation.tables import Column, Row, TableInvalid, read
from knowledge.french import plain
from tools.spoken import ValueForm, value, written_value

COLUMNS = (
    Column("text", ("utterance", "said", "phrase", "spoken", "transcript", "input", "texte", "words")),
    Column(
        "form", ("kind", "type", "field", "slot", "value form", "value type", "category", "forme", "entity")
    ),
    Column("expected", ("value", "meant", "expected value", "result", "output", "valeur", "attendu", "gold")),
)
GOAL_RIGHT_PERCENT = 98.0
GOAL_WRONG_PERCENT = 1.0

_FORMS = {
    "client": ValueForm.CUSTOMER,
    "customernumber": ValueForm.CUSTOMER,
    "clientnumber": ValueForm.CUSTOMER,
    "customerid": ValueForm.CUSTOMER,
    "contractnumber": ValueForm.CONTRACT,
    "policy": ValueForm.CONTRACT,
    "policynumber": ValueForm.CONTRACT,
    "claimnumber": ValueForm.CLAIM,
    "claimid": ValueForm.CLAIM,
    "sinistre": ValueForm.CLAIM,
    "date": ValueForm.BIRTH_DATE,
    "birthday": ValueForm.BIRTH_DATE,
    "dateofbirth": ValueForm.BIRTH_DATE,
    "dob": ValueForm.BIRTH_DATE,
    "zip": ValueForm.POST_CODE,
    "zipcode": ValueForm.POST_CODE,
    "codepostal": ValueForm.POST_CODE,
    "postalcode": ValueForm.POST_CODE,
    "phonenumber": ValueForm.PHONE,
    "telephone": ValueForm.PHONE,
    "telephonenumber": ValueForm.PHONE,
    "montant": ValueForm.AMOUNT,
    "money": ValueForm.AMOUNT,
    "euros": ValueForm.AMOUNT,
    "boolean": ValueForm.YES_NO,
    "bool": ValueForm.YES_NO,
    "confirmation": ValueForm.YES_NO,
    "ouinon": ValueForm.YES_NO,
    **{form.value.replace("_", ""): form for form in ValueForm},
}
_NOTHING = frozenset({"", "none", "null", "refuse", "refused", "ask again", "unsure", "rien", "n a"})


class Verdict(StrEnum):
    """How a value was read."""

    RIGHT = "right"
    REFUSED = "refused"
    WRONG = "silently wrong"


@dataclass(frozen=True, slots=True)
class Judged:
    """One spoken value, what was meant and what was read; None is "ask again"."""

    row: Row
    form: ValueForm
    meant: str | None
    read: str | None
    took_ms: float

    @property
    def verdict(self) -> Verdict:
        """See the module."""
        if self.read == self.meant:
            return Verdict.RIGHT
        return Verdict.REFUSED if self.read is None else Verdict.WRONG


@dataclass(frozen=True, slots=True)
class ValueReport:
    """The figures of a table."""

    judged: Sequence[Judged]

    def percent(self, verdict: Verdict, form: ValueForm | None = None) -> float:
        """The share of ``verdict`` among all values, or those of one form."""
        asked = [one for one in self.judged if form in {None, one.form}]
        return 100 * sum(one.verdict is verdict for one in asked) / len(asked)

    @property
    def median_ms(self) -> float:
        """What reading one value took."""
        return statistics.median(one.took_ms for one in self.judged)

    @property
    def good(self) -> bool:
        """Whether the project's aims are reached."""
        return (
            self.percent(Verdict.RIGHT) >= GOAL_RIGHT_PERCENT
            and self.percent(Verdict.WRONG) <= GOAL_WRONG_PERCENT
        )


def evaluate(paths: Sequence[Path], today: date, *, as_json: bool) -> int:
    """Print the figures of the tables; the exit status (:mod:`app.evaluation`). Raises ``TableInvalid``."""
    report = judge(read(paths, COLUMNS), today)
    print(_as_json(report) if as_json else _as_text(report))  # noqa: T201 - the terminal is the interface
    return GOOD if report.good else BELOW


def judge(rows: Iterable[Row], today: date) -> ValueReport:
    """Read every row's words. Raises ``TableInvalid`` on a form, or a value, that cannot be."""
    judged = []
    for row in rows:
        form = _form(row)
        meant = _meant(row, form)
        started = time.perf_counter()
        found = value(row["text"], form, today)
        judged.append(Judged(row, form, meant, found, (time.perf_counter() - started) * 1000))
    return ValueReport(judged)


def _form(row: Row) -> ValueForm:
    name = plain(row["form"]).replace(" ", "")
    if name not in _FORMS:
        raise TableInvalid(f"{row.file}, {row.number}: {row['form']!r} is no form: {', '.join(ValueForm)}")
    return _FORMS[name]


def _meant(row: Row, form: ValueForm) -> str | None:
    if plain(row["expected"]) in _NOTHING:
        return None
    meant = written_value(row["expected"], form)
    if meant is None:
        raise TableInvalid(
            f"{row.file}, {row.number}: {row['expected']!r} cannot be a {form}; leave it empty when the "
            "agent must ask again"
        )
    return meant


def _as_text(report: ValueReport) -> str:
    by_form: dict[ValueForm, list[Judged]] = defaultdict(list)
    for one in report.judged:
        by_form[one.form].append(one)
    lines = [
        f"{len(report.judged)} values",
        f"right           {report.percent(Verdict.RIGHT):5.1f} %   (goal: {GOAL_RIGHT_PERCENT:.0f} %)",
        f"refused         {report.percent(Verdict.REFUSED):5.1f} %   the agent asks again",
        f"silently wrong  {report.percent(Verdict.WRONG):5.1f} %   (at most {GOAL_WRONG_PERCENT:.0f} %)",
        f"median          {report.median_ms:5.1f} ms  per value",
        "",
        f"{'form':<12} {'cases':>5} {'right':>7} {'refused':>8} {'wrong':>6}",
    ]
    for form, cases in by_form.items():
        shares = [report.percent(verdict, form) for verdict in Verdict]
        lines.append(
            f"{form:<12} {len(cases):>5} {shares[0]:>5.1f} % {shares[1]:>6.1f} % {shares[2]:>4.1f} %"
        )
    failed = [one for one in report.judged if one.verdict is not Verdict.RIGHT]
    lines += ["", f"failures ({len(failed)}):" if failed else "no failure"]
    for one in sorted(failed, key=lambda one: one.verdict is not Verdict.WRONG):
        lines.append(
            f"  {one.verdict}: {one.row.place}  {one.form}, meant {one.meant or 'nothing'}, "
            f"read {one.read or 'nothing'}: {one.row['text']}"
        )
    return "\n".join(lines)


def _as_json(report: ValueReport) -> str:
    document = {
        "cases": len(report.judged),
        "right_percent": round(report.percent(Verdict.RIGHT), 2),
        "refused_percent": round(report.percent(Verdict.REFUSED), 2),
        "silently_wrong_percent": round(report.percent(Verdict.WRONG), 2),
        "median_ms": round(report.median_ms, 3),
        "failures": [
            {
                "place": one.row.place,
                "text": one.row["text"],
                "form": one.form.value,
                "meant": one.meant,
                "read": one.read,
                "verdict": one.verdict.value,
            }
            for one in report.judged
            if one.verdict is not Verdict.RIGHT
        ],
    }
    return json.dumps(document, ensure_ascii=False, indent=2)
