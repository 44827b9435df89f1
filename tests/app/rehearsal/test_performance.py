"""Whole calls on the wires, four times faster than life: real sound, real ear, real dialogue."""

import io
import json
import wave
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr
from rich.console import Console

from app import settings as configuration
from app.rehearsal import rehearse
from app.rehearsal.script import Cue, Script, read_script
from app.settings import Settings

TICK_MS = 5.0
"""Four times as fast as life: what two busy cores can still hear and answer in time."""

SHIPPED = read_script()
ACCUEIL, DEMANDE, NUMERO = SHIPPED.turns[:3]
AU_REVOIR = SHIPPED.turns[-1]


@dataclass
class Rehearsed:
    """What is left of a call."""

    passed: bool
    shown: str
    folder: Path

    @property
    def transcript(self) -> dict[str, Any]:
        kept: dict[str, Any] = json.loads((self.folder / "transcript.json").read_text(encoding="utf-8"))
        return kept

    def faults(self) -> dict[str, list[str]]:
        """By the title of the turn."""
        scenes = self.transcript["rehearsal"]["scenes"]
        return {scene["title"]: scene["faults"] for scene in scenes if scene["faults"]}


Play = Callable[[Script], Coroutine[Any, Any, Rehearsed]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The agent as shipped, whatever this machine's environment says, with its files in the test's folder."""
    read = configuration.read(tmp_path / "no-such.env")
    return replace(
        read,
        application=read.application.model_copy(update={"data_folder": tmp_path / "var"}),
        groq=read.groq.model_copy(update={"api_key": SecretStr("")}),
        whisper=read.whisper.model_copy(update={"model": ""}),
        insurance=read.insurance.model_copy(update={"api_base_url": "", "demo_customers_file": None}),
        knowledge=read.knowledge.model_copy(update={"host": ""}),
        checkpoints=read.checkpoints.model_copy(update={"path": ":memory:"}),
    )


@pytest.fixture
def play(settings: Settings, tmp_path: Path) -> Play:
    async def playing(script: Script) -> Rehearsed:
        out = io.StringIO()
        console = Console(file=out, width=100)
        passed = await rehearse(settings, tmp_path / "calls", tick_ms=TICK_MS, console=console, script=script)
        (folder,) = (tmp_path / "calls").iterdir()
        return Rehearsed(passed, out.getvalue(), folder)

    return playing


def voiced(track: np.ndarray[Any, Any], from_ms: float, to_ms: float) -> float:
    """The share of 20 ms pieces that are louder than the line's noise."""
    pieces = track[int(from_ms * 8) : int(to_ms * 8)]
    pieces = pieces[: len(pieces) // 160 * 160].reshape(-1, 160)
    return float((np.abs(pieces).max(axis=1) > 1000).mean())


async def test_the_whole_call_happens_as_written(play: Play) -> None:
    call = await play(SHIPPED)
    assert call.passed, call.shown

    kept = call.transcript
    assert kept["outcome"] == "hung_up"
    assert [turn["text"] for turn in kept["turns"][1:]] == [cue.says for cue in SHIPPED.turns[1:]]
    cut = [turn["interruption"] for turn in kept["turns"] if turn["interruption"]]
    assert len(cut) == 1
    assert cut[0]["heard"].startswith("Après huit ans")
    assert "jamais les sommes" not in cut[0]["heard"]

    with wave.open(str(call.folder / "call.wav")) as file:
        both = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    for scene in kept["rehearsal"]["scenes"]:
        assert voiced(both[:, 1], scene["answer_from_ms"], scene["answer_to_ms"]) > 0.5
        if scene["said"]:
            assert voiced(both[:, 0], scene["spoke_from_ms"], scene["spoke_to_ms"]) > 0.3
            assert voiced(both[:, 0], scene["spoke_to_ms"] + 60, scene["answer_from_ms"]) == 0
    assert (call.folder / "timeline.png").stat().st_size > 10_000

    assert "it is not speech recognition" in " ".join(call.shown.split())
    assert call.shown.count("✓") == len(SHIPPED.turns) + 1
    assert str(call.folder) in call.shown


async def test_a_line_swapped_for_its_twin_is_recognised_as_the_twin(play: Play) -> None:
    # Another customer's number in the very place where the script has Jeanne Moreau's.
    twin = "Alors, c'est le dix, zéro neuf, quatre-vingt-huit, vingt et un."
    swapped = replace(NUMERO, says=twin, hangs_up_after_ms=3000)
    call = await play(Script(SHIPPED.caller, "caller_left", (ACCUEIL, DEMANDE, swapped)))
    assert not call.passed
    assert call.transcript["turns"][2]["text"] == twin
    (faults,) = call.faults().values()
    assert faults == [
        "expected « 10 07 88 21 » in « J'ai noté le 10 09 88 21. Quelle est votre date de naissance ? »"
    ]
    assert "✗ turn 3, numéro client: expected « 10 07 88 21 »" in call.shown


async def test_a_sentence_the_ear_does_not_know_is_understood_as_nothing(play: Play) -> None:
    unknown = Cue("inconnu", "Il fait beau aujourd'hui à Paris.", hangs_up_after_ms=1500)
    call = await play(Script(SHIPPED.caller, "caller_left", (ACCUEIL, unknown)))
    assert not call.passed
    assert call.transcript["turns"][1]["text"] == ""
    assert [node["node"] for node in call.transcript["turns"][1]["nodes"]] == ["classify", "repair"]
    assert list(call.faults()) == ["inconnu"]


async def test_a_call_that_ends_too_early_says_which_turns_never_came(play: Play) -> None:
    call = await play(Script(SHIPPED.caller, "hung_up", (ACCUEIL, AU_REVOIR, DEMANDE)))
    assert not call.passed
    assert call.faults() == {
        "au revoir": ["the call ended here"],
        "demande": [f"the caller never came to say « {DEMANDE.says} »", *call.faults()["demande"][1:]],
    }
    assert (call.folder / "timeline.png").exists()


async def test_a_caller_who_hangs_up_in_the_middle_of_an_answer_leaves_a_complete_record(play: Play) -> None:
    leaving = replace(DEMANDE, hangs_up_after_ms=800)
    call = await play(Script(SHIPPED.caller, "caller_left", (ACCUEIL, leaving)))
    assert call.passed, call.shown
    assert call.transcript["outcome"] == "caller_left"
    assert {file.name for file in call.folder.iterdir()} == {"call.wav", "transcript.json", "timeline.png"}
