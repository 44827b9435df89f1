"""How often the agent understands what a caller wants: accuracy, who is taken for whom, and the failures.

Columns: ``text`` and ``intent``; optionally ``second``, the other request of the sentence (or both in
``intent``, parted by ``|``, ``+`` or ``,``), and ``act``, what lies under the intent. A label is an intent,
or an act (``repeat``, ``bereavement``…), which counts as right when the act is recognised.

- strict: what the agent acts upon is the caller's first request;
- tolerant: it is his first or his second request;
- both: of sentences with two requests, how often both are kept.
"""

import json
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.evaluation import BELOW, GOOD
from app.evaluation.tables import Column, Row, TableInvalid, read
from knowledge.acts import Act
from knowledge.french import plain
from knowledge.intents import Guess, IntentClassifier, LocalIntentClassifier
from knowledge.understanding import Understanding

COLUMNS = (
    Column("text", ("utterance", "said", "phrase", "sentence", "transcript", "input", "texte", "words")),
    Column("intent", ("label", "expected", "first", "intents", "labels", "meant", "intention", "category")),
    Column(
        "second", ("second intent", "intent2", "also", "then", "expected second", "secondary"), needed=False
    ),
    Column("act", ("finer", "detail", "sub intent"), needed=False),
)
GOAL_PERCENT = 95.0
"""Tolerant; the project's aim."""

_SYNONYMS = {
    "contract": "contract_inquiry",
    "contracts": "contract_inquiry",
    "claim": "claims_status",
    "claims": "claims_status",
    "claim_status": "claims_status",
    "question": "faq",
    "authenticate": "authentication",
    "identification": "authentication",
    "human": "transfer",
    "adviser": "transfer",
    "bye": "goodbye",
    "unknown": "other",
    "none": "other",
    "callback": "call_back",
    "are_you_a_robot": "robot",
    "declare": "declare_claim",
    "declare_a_claim": "declare_claim",
    "declaration": "declare_claim",
    "data": "my_data",
    "gdpr": "my_data",
    "wait": "hold_on",
    "slow": "slower",
    "death": "bereavement",
    "recording": "stop_recording",
}


@dataclass(frozen=True, slots=True)
class Judged:
    """One utterance, what was wanted, and what was understood."""

    row: Row
    wanted: tuple[str, ...]
    guess: Guess
    took_ms: float

    @property
    def strict(self) -> bool:
        """What is acted upon is the first request."""
        return _is(self.guess, self.wanted[0])

    @property
    def tolerant(self) -> bool:
        """What is acted upon is one of his requests."""
        return any(_is(self.guess, one) for one in self.wanted)

    @property
    def act(self) -> bool:
        """The act wanted is the one recognised."""
        return self.guess.act == self.row["act"]

    @property
    def both(self) -> bool:
        """Both requests are kept, in whichever order."""
        kept = [self.guess, *([self.guess.then] if self.guess.then else [])]
        return all(any(_is(one, wanted) for one in kept) for wanted in self.wanted)


@dataclass(frozen=True, slots=True)
class IntentReport:
    """The figures of a table."""

    judged: Sequence[Judged]
    confusion: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def strict_percent(self) -> float:
        """See the module."""
        return _percent([one.strict for one in self.judged])

    @property
    def tolerant_percent(self) -> float:
        """See the module."""
        return _percent([one.tolerant for one in self.judged])

    @property
    def both_percent(self) -> float | None:
        """None when no sentence has two requests."""
        doubles = [one.both for one in self.judged if len(one.wanted) > 1]
        return _percent(doubles) if doubles else None

    @property
    def acts_percent(self) -> float | None:
        """None when the table names no act."""
        named = [one.act for one in self.judged if one.row["act"]]
        return _percent(named) if named else None

    @property
    def median_ms(self) -> float:
        """What understanding one utterance took."""
        return statistics.median(one.took_ms for one in self.judged)


def evaluate(paths: Sequence[Path], *, as_json: bool) -> int:
    """Print the figures of the tables; the exit status (:mod:`app.evaluation`). Raises ``TableInvalid``."""
    report = judge(read(paths, COLUMNS), Understanding(LocalIntentClassifier.train()))
    print(_as_json(report) if as_json else _as_text(report))  # noqa: T201 - the terminal is the interface
    return GOOD if report.tolerant_percent >= GOAL_PERCENT else BELOW


def judge(rows: Iterable[Row], classifier: IntentClassifier) -> IntentReport:
    """Run the classifier over the rows. Raises ``TableInvalid`` on a label that nobody knows."""
    judged: list[Judged] = []
    confusion: Counter[tuple[str, str]] = Counter()
    for row in rows:
        wanted = _labels(row, classifier.intents)
        started = time.perf_counter()
        guess = classifier.classify(row["text"])
        judged.append(Judged(row, wanted, guess, (time.perf_counter() - started) * 1000))
        confusion[wanted[0], _name(guess, wanted[0])] += 1
    return IntentReport(judged, confusion)


def _labels(row: Row, intents: Sequence[str]) -> tuple[str, ...]:
    given = "|".join((row["intent"], row["second"])).replace("+", "|").replace(",", "|").replace(";", "|")
    names = [plain(one).replace(" ", "_") for one in given.split("|") if one.strip()]
    labels = tuple(dict.fromkeys(_SYNONYMS.get(name, name) for name in names))
    if not labels:
        raise TableInvalid(f"{row.file}, {row.number}: no label; write what the caller wants")
    for label in labels:
        if label not in intents and label not in set(Act):
            raise TableInvalid(
                f"{row.file}, {row.number}: {label!r} is no intent ({', '.join(intents)}) "
                f"and no act ({', '.join(Act)})"
            )
    return labels


def _is(guess: Guess, label: str) -> bool:
    return label in {guess.intent, guess.act}


def _name(guess: Guess, label: str) -> str:
    """What was understood, in the label's own terms."""
    return label if _is(guess, label) else guess.intent


def _percent(right: Sequence[bool]) -> float:
    return 100 * sum(right) / len(right)


def _as_text(report: IntentReport) -> str:
    both, acts = report.both_percent, report.acts_percent
    lines = [
        f"{len(report.judged)} utterances",
        f"strict    {report.strict_percent:5.1f} %   the first request is acted upon",
        f"tolerant  {report.tolerant_percent:5.1f} %   either request is (goal: {GOAL_PERCENT:.0f} %)",
        *_when(both, "both", "of two requests in a sentence, both are kept"),
        *_when(acts, "acts", "of the acts named are recognised"),
        f"median    {report.median_ms:5.1f} ms  per utterance",
        "",
        *_matrix(report.confusion),
        "",
        *_failures(report),
    ]
    return "\n".join(lines)


def _when(percent: float | None, name: str, meaning: str) -> list[str]:
    return [] if percent is None else [f"{name:<9} {percent:5.1f} %   {meaning}"]


def _matrix(confusion: Counter[tuple[str, str]]) -> list[str]:
    """Wanted down, understood across."""
    wanted = sorted({one for one, _ in confusion})
    understood = sorted({one for _, one in confusion})
    width = max(map(len, (*wanted, "wanted \\ understood")))
    head = [f"{number}={name}" for number, name in enumerate(understood, start=1)]
    lines = [
        "confusion: " + "  ".join(head),
        " ".join([f"{'wanted':<{width}}", *(f"{number:>4}" for number in range(1, len(understood) + 1))]),
    ]
    for row in wanted:
        counts = [confusion[row, column] for column in understood]
        lines.append(" ".join([f"{row:<{width}}", *(f"{count or '.':>4}" for count in counts)]))
    return lines


def _failures(report: IntentReport) -> list[str]:
    wrong = [one for one in report.judged if not one.strict]
    lines = (
        [f"failures ({len(wrong)}; ~ the second request was acted upon first):"] if wrong else ["no failure"]
    )
    for one in wrong:
        understood = f"{one.guess.intent}{f'/{one.guess.act}' if one.guess.act else ''}"
        mark = "~" if one.tolerant else "✗"
        lines.append(
            f"  {mark} {one.row.place}  wanted {'+'.join(one.wanted)}, understood {understood} "
            f"({one.guess.confidence:.2f}): {one.row['text']}"
        )
    missed = [one for one in report.judged if one.row["act"] and not one.act]
    lines += ["", f"acts not recognised ({len(missed)}):"] if missed else []
    lines += [
        f"  {one.row.place}  wanted {one.row['act']}, found {one.guess.act or 'none'}: {one.row['text']}"
        for one in missed
    ]
    return lines


def _as_json(report: IntentReport) -> str:
    document = {
        "cases": len(report.judged),
        "strict_percent": round(report.strict_percent, 2),
        "tolerant_percent": round(report.tolerant_percent, 2),
        "both_percent": None if report.both_percent is None else round(report.both_percent, 2),
        "acts_percent": None if report.acts_percent is None else round(report.acts_percent, 2),
        "median_ms": round(report.median_ms, 3),
        "confusion": [
            {"wanted": wanted, "understood": understood, "count": count}
            for (wanted, understood), count in sorted(report.confusion.items())
        ],
        "failures": [
            {
                "place": one.row.place,
                "text": one.row["text"],
                "wanted": list(one.wanted),
                "understood": one.guess.intent,
                "act": one.guess.act,
                "then": one.guess.then.intent if one.guess.then else None,
                "confidence": round(one.guess.confidence, 3),
                "tolerated": one.tolerant,
            }
            for one in report.judged
            if not one.strict
        ],
    }
    return json.dumps(document, ensure_ascii=False, indent=2)
