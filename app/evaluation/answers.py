"""How often general questions are answered with the right facts, or left to people where they must be.

Columns: ``question``, ``required`` and ``forbidden``; optionally ``answerable`` (yes or no). Facts are parted
by ``;`` and all of them must be told (``trente jours;lettre recommandée``); ``|`` parts the wordings of one
fact (``9 200|neuf mille deux cents``). Numbers count in words and in digits. ``-`` as the required fact means
that the agent must say that it does not know.

Every question goes through the node that answers callers, with the knowledge and the model that the
settings name: a language model words answers when it has a key.

- answered: all required facts are told, and no forbidden one (tolerant: at least half, none forbidden);
- refused: the agent says that it does not know and offers a human (tolerant: what it says has no figure and
  no forbidden fact, and sends the caller to a person).
"""

import json
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from langchain_core.messages import HumanMessage

from app.evaluation import BELOW, GOOD
from app.evaluation.tables import Column, Row, TableInvalid, read
from app.settings import Settings
from app.wiring import open_faq
from graph.skill import Skill
from knowledge.answers import figures, holds
from knowledge.french import plain
from prompts import Line

COLUMNS = (
    Column("question", ("text", "utterance", "said", "phrase", "asked", "query", "input", "texte")),
    Column(
        "required",
        ("facts", "required facts", "must include", "must contain", "expected", "faits", "expected facts"),
        needed=False,
        joined=";",
    ),
    Column(
        "forbidden",
        ("forbidden facts", "must not include", "must not contain", "never", "wrong", "interdits"),
        needed=False,
        joined=";",
    ),
    Column("answerable", ("known", "repondable", "kind", "type", "label"), needed=False),
)
GOAL_PERCENT = 95.0
"""Of the answerable answered, and of the others refused; the project's aim."""

_REFUSE = frozenset({"", "refuse", "refused", "refusal", "refus", "unknown", "inconnu", "none", "aucun"})
"""What testers write as the required fact of a question that must be refused."""
_NO = frozenset(
    {"no", "non", "false", "0", "unanswerable", "unknown", "refuse", "out of scope", "out_of_scope"}
)


@dataclass(frozen=True, slots=True)
class Case:
    """A question, and what has to be told or not told."""

    row: Row
    required: tuple[tuple[str, ...], ...]
    """Facts, each by its wordings; empty when it must be refused."""
    forbidden: tuple[str, ...]
    answerable: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """What was said to a question, and how good that was."""

    case: Case
    said: str
    refused: bool
    """The agent said that it does not know, and offered a human."""
    missing: tuple[str, ...]
    told: tuple[str, ...]
    """The forbidden facts that were told."""
    took_ms: float

    @property
    def strict(self) -> bool:
        """See the module."""
        if not self.case.answerable:
            return self.refused
        return not self.refused and not self.missing and not self.told

    @property
    def tolerant(self) -> bool:
        """See the module."""
        if self.strict:
            return True
        if self.told:
            return False
        if not self.case.answerable:
            return not figures(self.said) and holds(self.said, "conseiller")
        return not self.refused and 2 * len(self.missing) <= len(self.case.required)


@dataclass(frozen=True, slots=True)
class AnswerReport:
    """The figures of a table."""

    judged: Sequence[Judged]

    def of(self, *, answerable: bool) -> list[Judged]:
        """Those that have an answer, or those that must be refused."""
        return [one for one in self.judged if one.case.answerable is answerable]

    @property
    def good(self) -> bool:
        """Both goals are reached; a kind that the table does not have counts as reached."""
        kinds = (self.of(answerable=True), self.of(answerable=False))
        return all(_percent([one.strict for one in kind]) >= GOAL_PERCENT for kind in kinds if kind)

    @property
    def median_ms(self) -> float:
        """What one answer took, to its end."""
        return statistics.median(one.took_ms for one in self.judged)


async def evaluate(paths: Sequence[Path], settings: Settings, *, as_json: bool) -> int:
    """Print the figures of the tables; the exit status (:mod:`app.evaluation`).

    Raises ``TableInvalid``, and what the parts raise that the settings name.
    """
    rows = read(paths, COLUMNS)
    async with open_faq(settings) as faq:
        report = await judge(map(case, rows), faq)
    print(_as_json(report) if as_json else _as_text(report))  # noqa: T201 - the terminal is the interface
    return GOOD if report.good else BELOW


async def judge(cases: Iterable[Case], faq: Skill) -> AnswerReport:
    """Ask ``faq`` every question, each as the first of a call."""
    judged: list[Judged] = []
    for one in cases:
        lines: list[Line] = []
        started = time.perf_counter()
        asked = HumanMessage(one.row["question"], additional_kwargs={"heard": "words"})
        await faq({"call_id": "evaluation", "messages": [asked]}, lines.append)
        took_ms = (time.perf_counter() - started) * 1000
        # "Anything else?" is no part of the answer.
        said = " ".join(line.text for line in lines if line.key.startswith(f"{faq.name}."))
        refused = any(line.key.startswith(f"{faq.name}.unknown") for line in lines)
        missing = tuple("|".join(fact) for fact in one.required if not any(holds(said, way) for way in fact))
        told = tuple(fact for fact in one.forbidden if holds(said, fact))
        judged.append(Judged(one, said, refused, missing, told, took_ms))
    return AnswerReport(judged)


def case(row: Row) -> Case:
    """A row of the table. Raises ``TableInvalid`` when it is told to be answerable and has no fact."""
    cells = [one.strip() for one in row["required"].replace("\n", ";").split(";")]
    required = tuple(
        tuple(way.strip() for way in one.split("|") if way.strip())
        for one in cells
        if plain(one) not in _REFUSE and any(map(str.isalnum, one))
    )
    forbidden = tuple(
        way.strip()
        for one in row["forbidden"].replace("\n", ";").split(";")
        for way in one.split("|")
        if any(map(str.isalnum, way))
    )
    told_no = plain(row["answerable"]) in {plain(one) for one in _NO}
    if not told_no and not required and plain(row["answerable"]) in {"yes", "oui", "true", "answerable"}:
        raise TableInvalid(f"{row.file}, {row.number}: answerable, and no required fact; write one")
    answerable = bool(required) and not told_no
    return Case(row, required if answerable else (), forbidden, answerable)


def _percent(right: Sequence[bool]) -> float:
    return 100 * sum(right) / len(right)


def _line(name: str, judged: Sequence[Judged], told: str) -> str:
    if not judged:
        return f"{name:<9} none in the table"
    strict = _percent([one.strict for one in judged])
    tolerant = _percent([one.tolerant for one in judged])
    return (
        f"{name:<9} {strict:5.1f} %   {told} ({len(judged)} questions; tolerant {tolerant:.1f} %; "
        f"goal: {GOAL_PERCENT:.0f} %)"
    )


def _as_text(report: AnswerReport) -> str:
    wrong = [one for one in report.judged if not one.strict]
    lines = [
        f"{len(report.judged)} questions",
        _line("answered", report.of(answerable=True), "all required facts, none forbidden"),
        _line("refused", report.of(answerable=False), "left to people"),
        f"median    {report.median_ms:5.1f} ms  per question",
        "",
        f"failures ({len(wrong)}; ~ tolerated):" if wrong else "no failure",
    ]
    for one in wrong:
        lines.append(f"  {'~' if one.tolerant else '✗'} {one.case.row.place}  {one.case.row['question']}")
        lines.append(f"      {_fault(one)}; said: {one.said}")
    return "\n".join(lines)


def _fault(one: Judged) -> str:
    if not one.case.answerable:
        return "not refused"
    if one.refused:
        return "refused"
    parts = [f"missing {' and '.join(one.missing)}"] if one.missing else []
    return ", ".join([*parts, *([f"told {' and '.join(one.told)}"] if one.told else [])])


def _as_json(report: AnswerReport) -> str:
    def figures_of(judged: Sequence[Judged]) -> dict[str, object]:
        return {
            "cases": len(judged),
            "strict_percent": round(_percent([one.strict for one in judged]), 2) if judged else None,
            "tolerant_percent": round(_percent([one.tolerant for one in judged]), 2) if judged else None,
        }

    document = {
        "answerable": figures_of(report.of(answerable=True)),
        "unanswerable": figures_of(report.of(answerable=False)),
        "median_ms": round(report.median_ms, 3),
        "failures": [
            {
                "place": one.case.row.place,
                "question": one.case.row["question"],
                "fault": _fault(one),
                "said": one.said,
                "tolerated": one.tolerant,
            }
            for one in report.judged
            if not one.strict
        ],
    }
    return json.dumps(document, ensure_ascii=False, indent=2)
