"""What is kept of a rehearsed call: its sound, its transcript, and a picture of both.

One folder a call, ``<date>-<time>-<start of the call's id>``:

``call.wav``         both voices, 8 kHz, 16 bits: the caller on the left, the agent on the right
``transcript.json``  :class:`RehearsalRecord`; every position in it is a position in ``call.wav``
``timeline.png``     see :mod:`app.rehearsal.timeline`

Nothing is kept of the sound or the words of a caller who refused to be recorded.
"""

import importlib.util
import json
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import TypedDict

import numpy as np

from app.rehearsal.verdict import Recording, Scene, Verdict
from app.watching.transcript import CallRecord, Transcript, record
from audio.pcm import SAMPLE_RATE_HZ


class WaitRecord(TypedDict):
    """From the caller's last sound to the answer's first at his ear; the stages add up to ``heard_ms``."""

    heard_ms: float
    endpointing_ms: float
    transcription_ms: float
    dialogue_ms: float
    voice_ms: float
    line_ms: float
    framework_ms: float
    """``dialogue_ms + line_ms``: neither patience nor a provider."""


class SceneRecord(TypedDict):
    """One turn of the script, as the caller and the recording have it."""

    title: str
    said: str
    spoke_from_ms: float | None
    spoke_to_ms: float | None
    answer_from_ms: float | None
    answer_to_ms: float | None
    wait: WaitRecord | None
    faults: list[str]


class Rehearsed(TypedDict):
    """How the call compares with its script."""

    passed: bool
    faults: list[str]
    scenes: list[SceneRecord]
    median_heard_ms: float | None
    median_framework_ms: float | None


class RehearsalRecord(CallRecord):
    """The file ``transcript.json`` of a rehearsed call."""

    rehearsal: Rehearsed


@dataclass(frozen=True, slots=True)
class Saved:
    """Where the keepsakes are: name and description of each file."""

    folder: Path
    files: tuple[tuple[str, str], ...]


def save(
    folder: Path,
    began_at: datetime,
    transcript: Transcript,
    parts: dict[str, str],
    recording: Recording,
    verdict: Verdict,
) -> Saved:
    """Write the keepsakes into a new folder under ``folder``. Raises OSError.

    The picture needs matplotlib (the ``console`` extra); where it is missing, the entry says so.
    """
    place = folder / f"{began_at:%Y-%m-%d-%H%M%S}-{transcript.call_id[:8]}"
    place.mkdir(parents=True)
    files = []
    if not transcript.recording_refused:
        seconds = recording.duration_ms / 1000
        write_wav(place / "call.wav", recording)
        files.append(("call.wav", f"{seconds:.0f} s, the caller on the left, the agent on the right"))
    whole: RehearsalRecord = {**record(transcript, parts), "rehearsal": _rehearsed(verdict, transcript)}
    text = json.dumps(whole, ensure_ascii=False, indent=2)
    (place / "transcript.json").write_text(f"{text}\n", encoding="utf-8")
    files.append(("transcript.json", "what was said, understood, done and answered, on the same clock"))
    if transcript.recording_refused:
        files.append(("(no sound)", "the caller refused to be recorded"))
    elif importlib.util.find_spec("matplotlib"):
        from app.rehearsal.timeline import draw  # matplotlib takes half a second to import

        draw(place / "timeline.png", recording, verdict, began_at, parts)
        files.append(("timeline.png", "both voices, turns, nodes and waits"))
    else:
        files.append(("(no picture)", "timeline.png needs matplotlib: pip install '.[console]'"))
    return Saved(place, tuple(files))


def write_wav(path: Path, recording: Recording) -> None:
    """Both voices in one file: left the caller, right the agent."""
    both = np.stack([np.frombuffer(recording.caller, "<i2"), np.frombuffer(recording.agent, "<i2")], axis=1)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(both.tobytes())


def _rehearsed(verdict: Verdict, transcript: Transcript) -> Rehearsed:
    waits = [scene.wait for scene in verdict.scenes if scene.wait is not None]
    return {
        "passed": verdict.passed,
        "faults": list(verdict.faults),
        "scenes": [_scene(scene, words=not transcript.recording_refused) for scene in verdict.scenes],
        "median_heard_ms": _median([wait.heard_ms for wait in waits]),
        "median_framework_ms": _median([wait.framework_ms for wait in waits]),
    }


def _scene(scene: Scene, *, words: bool) -> SceneRecord:
    said, answer, wait = scene.spoken.said, scene.answer, scene.wait
    return {
        "title": scene.cue.title,
        "said": scene.cue.says if words else "",
        "spoke_from_ms": None if said is None else round(said.started_ms, 1),
        "spoke_to_ms": None if said is None else round(said.speech_ended_ms, 1),
        "answer_from_ms": None if answer is None else round(answer.started_ms, 1),
        "answer_to_ms": None if answer is None else round(answer.ended_ms, 1),
        "wait": None
        if wait is None
        else {
            "heard_ms": round(wait.heard_ms, 1),
            "endpointing_ms": round(wait.endpointing_ms, 1),
            "transcription_ms": round(wait.transcription_ms, 1),
            "dialogue_ms": round(wait.dialogue_ms, 1),
            "voice_ms": round(wait.voice_ms, 1),
            "line_ms": round(wait.line_ms, 1),
            "framework_ms": round(wait.framework_ms, 1),
        },
        "faults": list(scene.faults) if words else [f"{len(scene.faults)} kept back"] * bool(scene.faults),
    }


def _median(values: Sequence[float]) -> float | None:
    return round(median(values), 1) if values else None
