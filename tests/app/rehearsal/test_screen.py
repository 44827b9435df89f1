import io
from pathlib import Path

import pytest
from rich.console import Console

from app.rehearsal.screen import Piece, PlainPage, RichPage, Screen, clock, page_for
from graph.heard import Keys, Words
from telephony.call import CallId
from telephony.journal import RecordingRefused, StageFailed, TurnHeard, TurnInterrupted, TurnSaid
from tests.app.rehearsal.staged import ANSWER, CALL, QUESTION, Staged, staged


class MemoryPage:
    """Keeps what is printed."""

    def __init__(self, width: int = 100) -> None:
        self.width = width
        self.lines: list[str] = []

    def line(self, *pieces: Piece) -> None:
        self.lines.append("".join(text for text, _ in pieces).rstrip())

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def shown(call: Staged, page: MemoryPage) -> Screen:
    """``call``, played to a screen as it was lived."""
    transcript = call.transcript
    screen = Screen(page, transcript, lambda: 6760.0, 1.0)
    for _, event in call.events:
        screen.note(CALL, event)
        if isinstance(event, TurnSaid) and event.key == "greet.notice":
            screen.caller_speaks(call.played[1].cue)
    screen.caller_hears(call.played[1])
    return screen


def test_who_says_what_is_printed_as_it_happens() -> None:
    page = MemoryPage()
    shown(staged(), page)
    told = [line.strip() for line in page.lines if line.strip()]
    assert told == [
        "0:06.7  agent    Bonjour, Assurance Vie.",
        f"0:06.7  caller   {QUESTION}",
        "greet 0.5 ms",
        "understood word for word (confidence 0.90)",
        "classify 1.0 ms",
        f"0:06.7  agent    {ANSWER}",
        "claims 2.0 ms",
        "waited 800 ms: endpointing 710 · transcription 40 · dialogue 10 · voice 20 · line 20",
    ]


def test_what_goes_wrong_is_printed_too() -> None:
    page = MemoryPage()
    screen = shown(staged(), page)
    screen.note(CALL, TurnHeard(Words("")))
    screen.note(CALL, TurnHeard(Words("Où en est mon contrat ?", 0.6)))
    screen.note(CALL, TurnHeard(Keys("0")))
    screen.note(CALL, TurnInterrupted("Votre dossier", 0, 0))
    screen.note(CALL, StageFailed("stt", TimeoutError("no answer")))
    screen.note(CALL, RecordingRefused())
    for words in (
        "understood nothing",
        "understood « Où en est mon contrat ? »",
        "keys",
        "✂ the voice stops; heard of it: « Votre dossier »",
        "stt failed: no answer",
        "refuses to be recorded",
    ):
        assert words in page.text


def test_other_calls_are_not_shown() -> None:
    page = MemoryPage()
    shown(staged(), page).note(CallId("other"), TurnSaid("x.y", "secret"))
    assert "secret" not in page.text


@pytest.mark.parametrize("width", [80, 100, 110])
def test_nothing_is_wider_than_the_page(width: int) -> None:
    page, call = MemoryPage(width), staged()
    screen = shown(call, page)
    screen.opening([("ear", "closed-set recogniser: " + "it compares sound; " * 10)])
    verdict = call.hearing(Words("Où en est mon contrat d'assurance vie ?", 0.7)).verdict()
    screen.verdict(verdict, call.recording, "closed set")
    assert max(map(len, page.lines)) <= width


def test_the_tables_show_every_turn_and_every_stage() -> None:
    page, call = MemoryPage(110), staged()
    screen = shown(call, page)
    screen.verdict(call.verdict(), call.recording, "closed set")
    rows = {line[:18].strip(): line.split() for line in page.lines}
    assert rows["sinistre"][-7:] == ["710", "40", "10", "20", "20", "800", "30"]
    assert rows["median"][1:] == rows["sinistre"][1:]
    assert any(line.startswith("2  sinistre") and line.endswith("✓") for line in page.lines)
    assert "the same (0.90)" in page.text


def test_a_fault_is_named_with_its_turn() -> None:
    page, call = MemoryPage(110), staged().hearing(Words("", 0))
    screen = shown(call, page)
    screen.verdict(call.verdict(), call.recording, "closed set")
    screen.closing(call.verdict(), Path("var/calls/x"), [("call.wav", "9 s")])
    assert "✗ turn 2, sinistre: said « Où en est mon dossier ? », but no words were recognised" in page.text
    assert page.lines[-1] == "✗ 1 of 2 turns happened as expected."


def test_the_end_says_where_things_are_and_that_all_went_well() -> None:
    page, call = MemoryPage(), staged()
    shown(call, page).closing(call.verdict(), Path("var/calls/x"), [("call.wav", "9 s")])
    assert page.lines[-4:] == [
        "Saved in var/calls/x",
        "  call.wav        9 s",
        "",
        "✓ All 2 turns happened as expected.",
    ]


def test_without_a_terminal_the_page_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    page = page_for(None)
    assert isinstance(page, PlainPage)
    page.line(("✓ ", "green"), ("done", ""))
    assert capsys.readouterr().out == "✓ done\n"


def test_rich_prints_the_same_text_in_colour() -> None:
    out = io.StringIO()
    page = RichPage(Console(file=out, width=90, force_terminal=True, color_system="standard"))
    assert page.width == 90
    page.line(("[caller] ", "cyan"), ("« 12 »", ""))
    assert "[caller] " in out.getvalue()
    assert "\x1b[36m" in out.getvalue()


@pytest.mark.parametrize(
    ("at_ms", "shown_as"), [(0, "0:00.0"), (6760, "0:06.7"), (62_300, "1:02.3"), (600_000, "10:00.0")]
)
def test_times_are_minutes_and_tenths_of_seconds(at_ms: float, shown_as: str) -> None:
    assert clock(at_ms) == shown_as
