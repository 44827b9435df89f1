"""The call on the terminal: live, then as two tables.

A journal beside the others, and the caller's audience: what the agent notes and what the caller does is
printed as it happens, one line at a time, so that it can be piped, quoted and read in a build's log. With
rich (the ``console`` extra) and a terminal there is colour; without, the same text.
"""

import importlib.util
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Protocol

from app.rehearsal.caller import Spoken
from app.rehearsal.script import Cue
from app.rehearsal.typeset import wrapped
from app.rehearsal.verdict import Recording, Scene, Verdict, Wait, voice_stops_ms, wait_for_answer
from app.watching.transcript import Transcript
from graph.heard import CallBegins, Words
from telephony import journal
from telephony.call import CallId

if TYPE_CHECKING:
    from rich.console import Console

Piece = tuple[str, str]
"""Some text, and its style in rich's words; "" is plain."""

CALLER, AGENT, QUIET, GOOD, BAD, CUT, STRONG = "cyan", "yellow", "dim", "green", "bold red", "magenta", "bold"

WIDEST = 110
"""Longer lines are hard to read, and to quote."""

_INDENT = 19
"""Where spoken words begin: behind the time and the name."""

_ASIDE = 10
"""Where everything else that happens begins."""


class Page(Protocol):
    """Where lines are printed."""

    @property
    def width(self) -> int:
        """How many characters fit on a line."""

    def line(self, *pieces: Piece) -> None:
        """Print one line, now."""


class PlainPage:
    """Standard output, no colour."""

    @property
    def width(self) -> int:
        """That of the terminal, or what a build's log holds."""
        return min(WIDEST, shutil.get_terminal_size((100, 24)).columns)

    def line(self, *pieces: Piece) -> None:
        """See :class:`Page`."""
        sys.stdout.write("".join(text for text, _ in pieces).rstrip() + "\n")
        sys.stdout.flush()


class RichPage:
    """rich's console."""

    def __init__(self, console: "Console") -> None:
        self._console = console

    @property
    def width(self) -> int:
        """The console's."""
        return min(WIDEST, self._console.width)

    def line(self, *pieces: Piece) -> None:
        """See :class:`Page`."""
        from rich.text import Text

        self._console.print(Text.assemble(*pieces), soft_wrap=True)


def page_for(console: "Console | None") -> Page:
    """A page on ``console``, else on standard output, coloured on a terminal where rich is there."""
    if console is not None:
        return RichPage(console)
    if sys.stdout.isatty() and importlib.util.find_spec("rich"):
        from rich.console import Console

        return RichPage(Console(highlight=False))
    return PlainPage()


class Screen:
    """Prints one call."""

    def __init__(
        self, page: Page, transcript: Transcript, clock_ms: Callable[[], float], speed: float
    ) -> None:
        """``transcript`` is the call's, and told of events before this is; ``speed`` is 1 in real time."""
        self._page = page
        self._transcript = transcript
        self._clock_ms = clock_ms
        self._speed = speed
        self._agent_named = False
        self._line_said = ""

    # before the call

    def opening(self, facts: Sequence[tuple[str, str]]) -> None:
        """What is about to ring, and what it meets."""
        self._page.line(("One phone call against the agent, both started for real.", STRONG))
        self._page.line()
        for name, fact in facts:
            self._wrapped([(f"  {name:<13}", QUIET)], fact, "", indent=15)
        self._page.line()

    # during the call

    def caller_speaks(self, cue: Cue) -> None:
        """See :class:`app.rehearsal.caller.Audience`."""
        cut = cue.interrupts_after_ms is not None
        self._agent_named, self._line_said = False, cue.says
        self._page.line()
        self._wrapped([self._now(), ("caller   ", CALLER)], f"{'✂ ' if cut else ''}{cue.says}", CALLER)

    def caller_hears(self, spoken: Spoken) -> None:
        """See :class:`app.rehearsal.caller.Audience`."""
        wait = wait_for_answer(spoken, self._transcript.turns[-1:], self._speed)
        if wait is not None:
            stages = " · ".join(f"{name} {value:.0f}" for name, value in _stages(wait))
            self._aside(f"waited {wait.heard_ms:.0f} ms: {stages}")

    def note(self, call_id: CallId, event: journal.CallEvent) -> None:
        """See :class:`telephony.journal.Journal`."""
        if call_id != self._transcript.call_id:
            return
        match event:
            case journal.TurnHeard(Words(text, confidence)):
                known = "word for word" if text == self._line_said else f"« {text} »" if text else "nothing"
                self._aside(f"understood {known} (confidence {confidence:.2f})")
            case journal.TurnHeard(CallBegins()):
                pass
            case journal.TurnHeard(heard):
                self._aside(type(heard).__name__.lower())
            case journal.NodePassed(node, took_ms):
                self._aside(f"{node} {took_ms:.1f} ms")
            case journal.TurnSaid(_, text):
                self._agent_says(text)
            case journal.TurnInterrupted(heard):
                self._wrapped(
                    [(" " * _ASIDE, "")],
                    f"✂ the voice stops; heard of it: « {heard} »",
                    CUT,
                    indent=_ASIDE + 2,
                )
            case journal.RecordingRefused():
                self._aside("the caller refuses to be recorded: nothing of this call is kept")
            case journal.TalkedThrough(why):
                self._aside(f"only {why}: the voice goes on")
            case journal.LimitReached(which):
                self._aside(f"over the limit {which}: to people")
            case journal.StageFailed(component, error):
                self._page.line((" " * _ASIDE, ""), (f"{component} failed: {error}", BAD))
            case (
                journal.CallStarted()
                | journal.CallPassedOn()
                | journal.CallCameBack()
                | journal.CallerIdentified()
                | journal.TurnTimed()
                | journal.SpeculationDropped()
                | journal.CallEnded()
            ):
                pass

    # after the call

    def verdict(self, verdict: Verdict, recording: Recording, ear: str) -> None:
        """The tables, and what went wrong."""
        self._page.line()
        self._page.line(("Turns", STRONG))
        self._table(
            ["", "turn", "the caller said", f"understood ({ear})", "nodes", "the agent said", ""],
            [_turn_row(number, scene) for number, scene in enumerate(verdict.scenes, 1)],
            [1, 13, 0, 16, 12, 0, 1],
        )
        self._cuts(verdict, recording)
        self._waits(verdict)
        for number, scene in enumerate(verdict.scenes, 1):
            for fault in scene.faults:
                self._wrapped([(f"✗ turn {number}, {scene.cue.title}: ", BAD)], fault, "")
        for fault in verdict.faults:
            self._wrapped([("✗ ", BAD)], fault, "")

    def closing(self, verdict: Verdict, folder: Path, files: Sequence[tuple[str, str]]) -> None:
        """What was kept, and how it ended."""
        self._page.line((f"Saved in {folder}", STRONG))
        for name, what in files:
            self._page.line((f"  {name:<16}", ""), (what, QUIET))
        self._page.line()
        good = sum(not scene.faults for scene in verdict.scenes)
        if verdict.passed:
            self._page.line((f"✓ All {good} turns happened as expected.", GOOD))
        else:
            self._page.line((f"✗ {good} of {len(verdict.scenes)} turns happened as expected.", BAD))

    # parts

    def _cuts(self, verdict: Verdict, recording: Recording) -> None:
        for number, scene in enumerate(verdict.scenes, 1):
            said = scene.spoken.said
            if scene.cue.interrupts_after_ms is None or said is None:
                continue
            stops_ms = voice_stops_ms(recording, said.started_ms)
            if stops_ms is not None:
                after = (
                    f"the agent's voice stopped {stops_ms - said.started_ms:.0f} ms after the caller cut in"
                )
                self._page.line((f"✂ turn {number}: ", CUT), (after, ""))
                self._page.line()

    def _waits(self, verdict: Verdict) -> None:
        waits = [(scene.cue.title, scene.wait) for scene in verdict.scenes if scene.wait is not None]
        if not waits:
            return
        self._page.line(
            ("From the end of the caller's speech to the agent's first sound in his ear ", STRONG),
            ("(ms)", QUIET),
        )
        names = [name for name, _ in _stages(waits[0][1])]
        rows = [[title, *_figures([wait])] for title, wait in waits]
        rows.append([])
        rows.append(["median", *_figures([wait for _, wait in waits])])
        self._table(
            ["turn", *names, "= heard", "framework"],
            rows,
            [max(9, min(18, self._page.width - 71)), *(len(name) for name in names), 7, 9],
            figures=True,
        )
        self._page.line(("framework = dialogue + line: what is neither patience nor a provider", QUIET))
        self._page.line()

    def _table(
        self,
        titles: Sequence[str],
        rows: Sequence[Sequence[str]],
        widths: Sequence[int],
        *,
        figures: bool = False,
    ) -> None:
        """Columns of the given widths, those of width 0 sharing what is left; cells are wrapped."""
        free = widths.count(0)
        left = self._page.width - sum(widths) - 2 * (len(widths) - 1)
        sizes = [width or max(12, left // max(free, 1)) for width in widths]
        rule = "  ".join("─" * size for size in sizes)
        self._row(titles, sizes, QUIET, figures=figures)
        self._page.line((rule, QUIET))
        for row in rows:
            if not row:
                self._page.line((rule, QUIET))
                continue
            self._row(row, sizes, GOOD if row[-1] == "✓" else BAD if row[-1] == "✗" else "", figures=figures)
        self._page.line((rule, QUIET))

    def _row(self, cells: Sequence[str], sizes: Sequence[int], style: str, *, figures: bool) -> None:
        cells_in_lines = [wrapped(cell, size) or [""] for cell, size in zip(cells, sizes, strict=True)]
        for depth in range(max(len(cell) for cell in cells_in_lines)):
            pieces: list[Piece] = []
            for column, (cell, size) in enumerate(zip(cells_in_lines, sizes, strict=True)):
                text = cell[depth] if depth < len(cell) else ""
                last = column == len(sizes) - 1
                padded = text.rjust(size) if figures and column else text.ljust(size)
                pieces.append((padded + ("" if last else "  "), style if last or style == QUIET else ""))
            self._page.line(*pieces)

    def _agent_says(self, text: str) -> None:
        """A line of the agent; the time stands before the first of an answer."""
        lead: list[Piece] = (
            [(" " * _INDENT, "")] if self._agent_named else [self._now(), ("agent    ", AGENT)]
        )
        self._agent_named = True
        self._wrapped(lead, text, AGENT)

    def _aside(self, text: str) -> None:
        self._wrapped([(" " * _ASIDE, "")], text, QUIET, indent=_ASIDE)

    def _wrapped(self, lead: list[Piece], text: str, style: str, *, indent: int | None = None) -> None:
        """``text`` behind ``lead``, going on at ``indent``, or below its beginning."""
        used = sum(len(piece) for piece, _ in lead)
        indent = used if indent is None else indent
        first, *rest = wrapped(text, self._page.width - max(used, indent)) or [""]
        self._page.line(*lead, (first, style))
        for line in rest:
            self._page.line((" " * indent, ""), (line, style))

    def _now(self) -> Piece:
        return f"{clock(self._clock_ms()):>8}  ", QUIET


def clock(at_ms: float) -> str:
    """``1:02.3``."""
    minutes, tenths = divmod(int(at_ms / 100), 600)
    return f"{minutes}:{tenths / 10:04.1f}"


def _stages(wait: Wait) -> list[tuple[str, float]]:
    return [
        ("endpointing", wait.endpointing_ms),
        ("transcription", wait.transcription_ms),
        ("dialogue", wait.dialogue_ms),
        ("voice", wait.voice_ms),
        ("line", wait.line_ms),
    ]


def _figures(waits: Sequence[Wait]) -> list[str]:
    """Medians of the stages, of the whole and of our share."""
    stages = [
        median(values) for values in zip(*([ms for _, ms in _stages(wait)] for wait in waits), strict=True)
    ]
    heard, ours = median(wait.heard_ms for wait in waits), median(wait.framework_ms for wait in waits)
    return [f"{value:.0f}" for value in (*stages, heard, ours)]


def _turn_row(number: int, scene: Scene) -> list[str]:
    said = scene.cue.says
    confidence = next((f"{turn.confidence:.2f}" for turn in scene.turns if turn.how == "words"), "")
    recognised = f"the same ({confidence})" if scene.recognised == said else scene.recognised or "nothing"
    answer = textwrap.shorten(scene.said, 60, placeholder=" …")
    return [
        str(number),
        scene.cue.title,
        said or "–",
        recognised if said else "–",
        " ".join(scene.nodes),
        answer or "nothing",
        "✗" if scene.faults else "✓",
    ]
