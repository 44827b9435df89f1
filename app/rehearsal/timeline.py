"""The picture of a call: both voices above each other, who said what when, and how long anybody waited.

Rows read like lines of text and share one scale. The caller is above the middle, the agent below. In the
middle, between them, stands what happened between one's last word and the other's first: the wait, and
the nodes of the graph that ran. Rows break where the caller takes a turn, so nothing is torn apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from app.rehearsal.typeset import wrapped
from app.rehearsal.verdict import Recording, Scene, Verdict, voice_stops_ms
from audio.pcm import SAMPLE_RATE_HZ

PAPER, INK, FAINT, HAIR = "#fcfbf8", "#22252b", "#8a8f98", "#e4e1da"
CALLER, AGENT, WAIT, CUT, FAULT = "#1b6b93", "#c2571a", "#f1e2bd", "#a4133c", "#d00000"

WIDTH_PX: Final = 1600
DPI: Final = 100
_ROW_INCHES: Final = 2.6
_HEAD_INCHES: Final = 1.0
_FOOT_INCHES: Final = 0.4
_LEFT, _RIGHT = 0.055, 0.985

LONGEST_ROW_MS: Final = 30_000
"""At 1600 px, 50 px a second: room for "1 020 ms" in a wait."""

_INSET_INCHES = 0.25
"""From where somebody begins to speak to his words, past the number of the turn."""

_SHARE_OF_INCH = 0.066
"""Width of an average character of 8.5 points, in inches."""

_CALLER_AT, _AGENT_AT, _HEIGHT = 1.25, -1.25, 0.78
_ENVELOPE_MS = 10


@dataclass(frozen=True, slots=True)
class _Row:
    from_ms: float
    to_ms: float
    scenes: tuple[tuple[int, Scene], ...]


def draw(
    path: Path, recording: Recording, verdict: Verdict, began_at: datetime, parts: dict[str, str]
) -> None:
    """Write the picture of a call as PNG, 1600 px wide."""
    rows = _rows(verdict, recording.duration_ms)
    # A call without sound has a picture too.
    span_ms = max(1000.0, *(row.to_ms - row.from_ms for row in rows))
    inches = _HEAD_INCHES + _ROW_INCHES * len(rows) + _FOOT_INCHES
    with mpl.rc_context({"font.family": "DejaVu Sans", "text.color": INK}):
        figure = Figure(figsize=(WIDTH_PX / DPI, inches), dpi=DPI, facecolor=PAPER)
        FigureCanvasAgg(figure)
        _head(figure, inches, verdict, recording, began_at, parts)
        for number, row in enumerate(rows):
            bottom = (inches - _HEAD_INCHES - _ROW_INCHES * (number + 1) + 0.22) / inches
            axes = figure.add_axes((_LEFT, bottom, _RIGHT - _LEFT, (_ROW_INCHES - 0.25) / inches))
            _row(axes, row, span_ms, recording)
        _foot(figure, verdict)
        figure.savefig(path, dpi=DPI, facecolor=PAPER)


# --- layout -----------------------------------------------------------------------------------------


def _rows(verdict: Verdict, duration_ms: float) -> list[_Row]:
    """Rows that begin where the caller begins to speak, as even as they can be."""
    starts = [(0.0, [(1, verdict.scenes[0])])] if verdict.scenes else [(0.0, [])]
    for number, scene in enumerate(verdict.scenes[1:], 2):
        said = scene.spoken.said
        if said is None:
            continue
        if scene.cue.interrupts_after_ms is not None:  # it overlaps the answer before it
            starts[-1][1].append((number, scene))
        else:
            starts.append((said.started_ms - 350, [(number, scene)]))
    ends = [start for start, _ in starts[1:]] + [duration_ms]
    pieces = [_Row(start, end, tuple(scenes)) for (start, scenes), end in zip(starts, ends, strict=True)]
    count = max(1, round(duration_ms / LONGEST_ROW_MS + 0.35))
    limit_ms = max(piece.to_ms - piece.from_ms for piece in pieces)
    while len(rows := _filled(pieces, limit_ms)) > count:
        limit_ms += 500
    return rows


def _filled(pieces: Sequence[_Row], limit_ms: float) -> list[_Row]:
    """Rows as full as ``limit_ms`` allows."""
    rows: list[_Row] = []
    for piece in pieces:
        if rows and piece.to_ms - rows[-1].from_ms <= limit_ms:
            last = rows.pop()
            rows.append(_Row(last.from_ms, piece.to_ms, last.scenes + piece.scenes))
        else:
            rows.append(piece)
    return rows


# --- head and foot ----------------------------------------------------------------------------------


def _head(
    figure: Figure,
    inches: float,
    verdict: Verdict,
    recording: Recording,
    began_at: datetime,
    parts: dict[str, str],
) -> None:
    minutes, seconds = divmod(round(recording.duration_ms / 1000), 60)
    at = 1 - 0.36 / inches
    figure.text(_LEFT, at, "Un appel, de bout en bout", size=17, weight="bold", va="center")
    facts = (
        f"{began_at:%d/%m/%Y %H:%M}",
        f"{minutes} min {seconds:02d} s",
        f"oreille : {parts.get('ear', '')}",
        f"voix : {parts.get('voice', '')}",
    )
    figure.text(_LEFT, 1 - 0.68 / inches, "   ·   ".join(facts), size=9.5, color=FAINT, va="center")
    good = sum(not scene.faults for scene in verdict.scenes)
    mark = f"{good} tours sur {len(verdict.scenes)} comme prévu"
    figure.text(_RIGHT, at, mark, size=11, ha="right", va="center", color=INK if verdict.passed else FAULT)
    right_px = _RIGHT * WIDTH_PX
    for label, colour in (
        ("attente", "#b08a2e"),
        ("l'assistante (droite)", AGENT),
        ("l'appelante (gauche)", CALLER),
    ):
        place = (right_px / WIDTH_PX, 1 - 0.68 / inches)
        legend = figure.text(*place, f"■ {label}", size=9.5, ha="right", va="center", color=colour)
        right_px = legend.get_window_extent().x0 - 18


def _foot(figure: Figure, verdict: Verdict) -> None:
    waits = [scene.wait for scene in verdict.scenes if scene.wait is not None]
    if not waits:
        return
    heard = float(np.median([wait.heard_ms for wait in waits]))
    ours = float(np.median([wait.framework_ms for wait in waits]))
    text = (
        f"Attente médiane, de la fin de la parole au premier son entendu : {_figure(heard)} ms, "
        f"dont {_figure(ours)} ms pour le logiciel (le reste : silence de fin de tour, oreille, voix)."
    )
    figure.text(_LEFT, 0.012, text, size=9, color=FAINT, va="bottom")


# --- one row ----------------------------------------------------------------------------------------


def _row(axes: Axes, row: _Row, span_ms: float, recording: Recording) -> None:
    axes.set_xlim(row.from_ms, row.from_ms + span_ms)
    axes.set_ylim(-3.3, 2.95)
    axes.set_facecolor(PAPER)
    axes.set_yticks([])
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(HAIR)
    axes.spines["bottom"].set_bounds(row.from_ms, row.to_ms)
    first, last = int(np.ceil(row.from_ms / 1000)), int(row.to_ms / 1000)
    ticks = [second for second in range(first, last + 1) if second % 2 == 0]
    axes.set_xticks([second * 1000 for second in ticks])
    axes.set_xticklabels([f"{second // 60}:{second % 60:02d}" for second in ticks])
    axes.tick_params(axis="x", colors=FAINT, labelsize=7.5, length=2.5, color=HAIR, pad=2)
    for second in ticks:
        axes.axvline(second * 1000, color=HAIR, linewidth=0.6, zorder=0)

    inches = WIDTH_PX / DPI * (_RIGHT - _LEFT)
    _voice(axes, recording.caller, row, _CALLER_AT, CALLER)
    _voice(axes, recording.agent, row, _AGENT_AT, AGENT)
    edge_ms = row.from_ms + span_ms
    following = [scene for _, scene in row.scenes[1:]]
    for (number, scene), after in zip(row.scenes, [*following, None], strict=True):
        says_until = after.spoken.said.started_ms - 200 if after and after.spoken.said else edge_ms
        answers_until = after.answer.started_ms - 300 if after and after.answer else edge_ms
        waits_at = after.spoken.said.speech_ended_ms if after and after.spoken.said else edge_ms
        room = _Room(span_ms / inches, says_until, answers_until, waits_at)
        _scene(axes, number, scene, recording, room)


@dataclass(frozen=True, slots=True)
class _Room:
    """Up to where a scene may write, above, below and in the middle."""

    ms_per_inch: float
    says_until_ms: float
    answers_until_ms: float
    waits_at_ms: float

    def characters(self, from_ms: float, to_ms: float) -> int:
        """How many fit between two positions."""
        return max(12, int((to_ms - from_ms) / self.ms_per_inch / _SHARE_OF_INCH))


def _voice(axes: Axes, track: bytes, row: _Row, middle: float, colour: str) -> None:
    """The envelope of one voice: the highest and the lowest sample of every 10 ms."""
    high, low = _envelope(track)
    at_ms = np.arange(len(high)) * float(_ENVELOPE_MS)
    shown = (at_ms >= row.from_ms) & (at_ms <= row.to_ms)
    axes.hlines(middle, row.from_ms, row.to_ms, color=colour, linewidth=0.5, alpha=0.35)
    axes.fill_between(
        at_ms[shown],
        middle + _HEIGHT * low[shown],
        middle + _HEIGHT * high[shown],
        color=colour,
        linewidth=0,
        alpha=0.9,
    )


def _envelope(track: bytes) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    samples = np.frombuffer(track, "<i2").astype(np.float64)
    size = SAMPLE_RATE_HZ * _ENVELOPE_MS // 1000
    whole = samples[: len(samples) // size * size].reshape(-1, size)
    if not whole.size:
        return np.zeros(0), np.zeros(0)
    loudest = max(
        float(np.percentile(np.abs(whole).max(axis=1), 99.5)), 1000.0
    )  # a click must not shrink all
    return np.clip(whole.max(axis=1) / loudest, 0, 1), np.clip(whole.min(axis=1) / loudest, -1, 0)


def _scene(axes: Axes, number: int, scene: Scene, recording: Recording, room: _Room) -> None:
    said, answer = scene.spoken.said, scene.answer
    begins_ms = said.started_ms if said is not None else 0.0
    colour = FAULT if scene.faults else CALLER if said is not None else AGENT
    inset_ms = _INSET_INCHES * room.ms_per_inch
    _badge(axes, begins_ms + inset_ms / 2.7, 2.36 if said is not None else -2.36, number, colour)
    if said is not None:
        fits = room.characters(begins_ms + inset_ms, room.says_until_ms)
        text = _shortened(scene.cue.says, fits, 2)
        axes.text(begins_ms + inset_ms, 2.16, text, size=8.5, color=CALLER, va="bottom", linespacing=1.15)
    if answer is None:
        if said is not None:
            axes.text(said.ended_ms + 200, _AGENT_AT, "pas de réponse", size=9, color=FAULT, va="center")
        return
    if said is not None:
        _wait(axes, said.speech_ended_ms, answer.started_ms)
    _nodes(axes, scene, answer.started_ms + 150, room)
    left = answer.started_ms + (inset_ms if said is None else 0)
    text = _shortened(_heard(scene), room.characters(left, room.answers_until_ms), 3)
    axes.text(left, -2.16, text, size=8.5, color=AGENT, va="top", linespacing=1.15)
    if scene.cue.interrupts_after_ms is not None and said is not None:
        _cut(axes, said.started_ms, voice_stops_ms(recording, said.started_ms))


def _heard(scene: Scene) -> str:
    """The answer; of one that was interrupted, what was heard of it."""
    cut = [turn.interruption.heard for turn in scene.turns if turn.interruption is not None]
    return f"{cut[-1]} –" if cut and cut[-1] else scene.said


def _nodes(axes: Axes, scene: Scene, at_ms: float, room: _Room) -> None:
    """The nodes that ran, beside each other or, where there is no room, below each other."""
    beside = " → ".join(scene.nodes)
    fits = len(beside) <= (room.waits_at_ms - at_ms) / room.ms_per_inch / _SHARE_OF_INCH
    axes.text(
        at_ms,
        0,
        beside if fits else "\n".join(scene.nodes),
        size=7.6,
        color=FAINT,
        va="center",
        family="DejaVu Sans Mono",
        linespacing=1.1,
        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1},
    )


def _wait(axes: Axes, from_ms: float, to_ms: float) -> None:
    axes.axvspan(
        from_ms,
        to_ms,
        ymin=(3.3 - 2.05) / 6.25,
        ymax=(3.3 + 2.05) / 6.25,
        color=WAIT,
        linewidth=0,
        zorder=0.5,
    )
    axes.text(
        (from_ms + to_ms) / 2,
        0.12,
        _figure(to_ms - from_ms),
        size=8.5,
        ha="center",
        va="bottom",
        weight="bold",
    )
    axes.text((from_ms + to_ms) / 2, 0.02, "ms", size=7.5, ha="center", va="top", color=FAINT)


def _cut(axes: Axes, began_ms: float, stops_ms: float | None) -> None:
    axes.vlines(began_ms, -2.05, 2.05, color=CUT, linewidth=1.3, linestyle=(0, (4, 2)))
    if stops_ms is None:
        return
    text = f"interruption : la voix\ns'arrête après {_figure(stops_ms - began_ms)} ms"
    axes.annotate(
        text,
        (stops_ms, _AGENT_AT),
        (stops_ms + 420, _AGENT_AT),
        size=8.2,
        color=CUT,
        va="center",
        linespacing=1.15,
        arrowprops={"arrowstyle": "->", "color": CUT, "linewidth": 1},
    )


def _badge(axes: Axes, at_ms: float, height: float, number: int, colour: str) -> None:
    axes.text(
        at_ms,
        height,
        str(number),
        size=8.5,
        weight="bold",
        color="white",
        ha="center",
        va="center",
        bbox={"boxstyle": "circle,pad=0.28", "facecolor": colour, "edgecolor": "none"},
    )


def _shortened(text: str, room: int, lines: int) -> str:
    """``text`` in at most ``lines`` lines of ``room`` characters."""
    return "\n".join(wrapped(text, room, lines))


def _figure(value: float) -> str:
    """``1 020``, as French writes thousands."""
    return f"{value:,.0f}".replace(",", " ")
