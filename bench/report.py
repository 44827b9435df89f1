"""What one run of the measured calls found, and the table it prints."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.delays import Delays
from bench.layers import LAYERS, REST

PATIENCE_MS = 500.0
"""The pause that ends a turn, whatever was asked."""

DELAYS = Delays()

SUM_MS = {
    "llm": PATIENCE_MS + DELAYS.transcript_ms + DELAYS.first_word_ms + DELAYS.first_sound_ms,
    "no llm": PATIENCE_MS + DELAYS.transcript_ms + DELAYS.first_sound_ms,
    "fixed": PATIENCE_MS + DELAYS.transcript_ms,
}
"""Patience and the delays that an answer of the kind needs, one after the other."""

MISSING = float("nan")


@dataclass(frozen=True, slots=True)
class Field:
    """What a framework did on this work in our notes, at 10 calls (medians)."""

    name: str
    silence_over_sum_ms: float
    barge_in_ms: float
    cpu_ms: float
    mb_per_call: float
    most_calls: int
    """On one core, before frames are late."""


FIELD = (
    Field("Pipecat 1.14", 148.0, 398.0, 65.7, 11.1, 15),
    Field("LiveKit Agents 1.8, same patience", 193.0, 263.0, 45.4, 2.1, 30),
    Field("LiveKit Agents 1.8, its defaults", -85.0, 538.0, 39.8, 1.8, 30),
)
"""Measured by us in November 2026 on a machine of the same kind with the same wire and the same delays, in
another run than ours: ratios, not differences, are worth reading."""

AT_CALLS = 10
"""The field's figures are for so many."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Of a number of measured times."""

    median: float
    p95: float
    count: int


@dataclass(frozen=True, slots=True)
class Result:
    """One number of calls."""

    calls: int
    silence_ms: dict[str, Spread]
    """By kind of answer, see :data:`SUM_MS`."""
    barge_in_ms: Spread
    backchannels: tuple[int, int]
    """Talked through, of how many."""
    coughs: tuple[int, int]
    late_p99_ms: float
    late_most_ms: float
    skipped_ticks: int
    cpu_ms: float
    """Of processor time per call-second."""
    mb_per_call: float
    layers_ms: dict[str, float]
    """The same processor time, by layer."""
    thrown_away: float
    """Transcripts asked for, per one that was answered."""
    lost: list[str]
    """Calls or turns that did not go on, and why."""


def table(results: Sequence[Result]) -> str:
    """All results for the terminal."""
    return "\n".join([*_silences(results), "", *_costs(results), "", *_layers(results), "", *_field(results)])


def _silences(results: Sequence[Result]) -> list[str]:
    delays = (
        f"patience {PATIENCE_MS:.0f} ms, transcript {DELAYS.transcript_ms:.0f}, a model's first word "
        f"{DELAYS.first_word_ms:.0f} and {DELAYS.word_ms:.0f} a word, first sound {DELAYS.first_sound_ms:.0f}"
    )
    head = "".join(f"{f'{kind}, sum {total:.0f}':>30}" for kind, total in SUM_MS.items())
    lines = [delays, "", "heard silence, ms: median/p95, median against the sum", f"{'calls':>6}{head}"]
    for result in results:
        cells = ""
        for kind, total in SUM_MS.items():
            one = result.silence_ms.get(kind, Spread(MISSING, MISSING, 0))
            ratio = f"{one.median - total:+.0f} x{one.median / total:.2f} n={one.count}"
            cells += f"{f'{one.median:.0f}/{one.p95:.0f} {ratio}':>30}"
        lines.append(f"{result.calls:>6}{cells}")
    return lines


def _costs(results: Sequence[Result]) -> list[str]:
    head = f"{'calls':>6}{'barge-in ms':>18}{'backchannels':>14}{'coughs':>10}{'late p99/most':>15}"
    lines = [f"{head}{'skipped':>9}{'CPU ms':>8}{'MB':>7}{'STT x':>7}{'lost':>6}"]
    for one in results:
        stop = one.barge_in_ms
        stopped = f"{stop.median:.0f}/{stop.p95:.0f} n={stop.count}"
        late = f"{one.late_p99_ms:.1f}/{one.late_most_ms:.0f}"
        through = f"{'{}/{}'.format(*one.backchannels):>14}{'{}/{}'.format(*one.coughs):>10}"
        lines.append(
            f"{one.calls:>6}{stopped:>18}{through}{late:>15}{one.skipped_ticks:>9}{one.cpu_ms:>8.2f}"
            f"{one.mb_per_call:>7.2f}{one.thrown_away:>7.2f}{len(one.lost):>6}"
        )
    return [
        "barge-in: median/p95; backchannels, coughs: talked through, of all; late: ms; skipped: clock ticks;",
        "CPU: processor ms per call-second; MB: per call; STT x: transcripts asked for per one answered",
        *lines,
    ]


def _layers(results: Sequence[Result]) -> list[str]:
    names = [*(name for name, _ in LAYERS), REST]
    rows = (f"{one.calls:>6}" + "".join(f"{one.layers_ms[name]:>11.2f}" for name in names) for one in results)
    head = f"{'calls':>6}" + "".join(f"{name:>11}" for name in names)
    return ["processor ms per call-second by layer (sampled)", head, *rows]


def _field(results: Sequence[Result]) -> list[str]:
    lines = [f"the field at {AT_CALLS} calls (our notes of November 2026, another run); x: ours / theirs"]
    ours = next((one for one in results if one.calls == AT_CALLS), None)
    for theirs in FIELD:
        stopped, cpu, memory = "", "", ""
        if ours is not None:
            stopped = f" x{ours.barge_in_ms.median / theirs.barge_in_ms:.2f}"
            cpu = f" x{ours.cpu_ms / theirs.cpu_ms:.2f}"
            memory = f" x{ours.mb_per_call / theirs.mb_per_call:.2f}"
        lines.append(
            f"  {theirs.name:<34} silence {theirs.silence_over_sum_ms:+.0f} to the sum; "
            f"barge-in {theirs.barge_in_ms:.0f} ms{stopped}; CPU {theirs.cpu_ms:.1f} ms{cpu}; "
            f"{theirs.mb_per_call:.1f} MB{memory}; late from {theirs.most_calls} calls on"
        )
    return lines
