import json
import struct
import wave
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from app.rehearsal.keepsakes import save
from app.rehearsal.timeline import WIDTH_PX
from app.rehearsal.verdict import Recording
from graph.heard import Words
from telephony.journal import RecordingRefused, TurnInterrupted
from tests.app.rehearsal.staged import ANSWER, QUESTION, Staged, sound, staged

BEGAN = datetime(2026, 11, 22, 20, 57, 10, tzinfo=UTC)
PARTS = {"ear": "closed-set (40 lines)", "voice": "espeak-ng:fr"}


def saved(call: Staged, folder: Path) -> Path:
    return save(folder, BEGAN, call.transcript, PARTS, call.recording, call.verdict()).folder


def png_size(path: Path) -> tuple[int, int]:
    head = path.read_bytes()[:24]
    assert head.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", head[16:24])
    return int(width), int(height)


def test_the_folder_is_named_by_the_time_and_the_call(tmp_path: Path) -> None:
    place = saved(staged(), tmp_path)
    assert place.name == "2026-11-22-205710-0b6e3f0e"
    assert sorted(file.name for file in place.iterdir()) == ["call.wav", "timeline.png", "transcript.json"]


def test_the_recording_has_the_caller_left_and_the_agent_right(tmp_path: Path) -> None:
    with wave.open(str(saved(staged(), tmp_path) / "call.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 8000)
        both = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    left, right = np.abs(both[:, 0]), np.abs(both[:, 1])
    assert left[4000 * 8 : 6000 * 8].mean() > 1000
    assert left[: 4000 * 8].max() == left[6000 * 8 :].max() == 0
    assert right[20 * 8 : 3000 * 8].mean() > 1000
    assert right[3000 * 8 : 6800 * 8].max() == 0


def test_the_transcript_holds_the_call_and_how_it_compares_with_the_script(tmp_path: Path) -> None:
    kept = json.loads((saved(staged(), tmp_path) / "transcript.json").read_text(encoding="utf-8"))
    assert kept["parts"] == PARTS
    assert [turn["text"] for turn in kept["turns"]] == ["", QUESTION]
    rehearsal = kept["rehearsal"]
    assert (rehearsal["passed"], rehearsal["median_heard_ms"], rehearsal["median_framework_ms"]) == (
        True,
        800,
        30,
    )
    question = rehearsal["scenes"][1]
    assert (question["title"], question["said"]) == ("sinistre", QUESTION)
    assert (question["spoke_from_ms"], question["spoke_to_ms"]) == (4000, 6000)
    assert (question["answer_from_ms"], question["answer_to_ms"]) == (6800, 9000)
    stages = ("endpointing_ms", "transcription_ms", "dialogue_ms", "voice_ms", "line_ms")
    assert sum(question["wait"][stage] for stage in stages) == pytest.approx(question["wait"]["heard_ms"])


def test_of_a_caller_who_refused_neither_sound_nor_words_are_kept(tmp_path: Path) -> None:
    call = staged().plus((6751, RecordingRefused()))
    place = saved(call, tmp_path)
    assert [file.name for file in place.iterdir()] == ["transcript.json"]
    kept = (place / "transcript.json").read_text(encoding="utf-8")
    for words in (QUESTION, ANSWER, "Bonjour"):
        assert words not in kept
    assert json.loads(kept)["recording_refused"] is True


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "calls").write_text("a file", encoding="utf-8")
    with pytest.raises(OSError, match="calls"):
        saved(staged(), tmp_path / "calls")


def test_the_picture_is_as_wide_as_a_page_and_grows_with_the_call(tmp_path: Path) -> None:
    width, height = png_size(saved(staged(), tmp_path) / "timeline.png")
    assert width == WIDTH_PX
    assert 300 < height < 600


UNFINISHED = staged().hearing(Words("", 0)).without(TurnInterrupted)


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(UNFINISHED, id="a turn that failed"),
        pytest.param(
            Staged(
                staged().script,
                tuple(type(one)(one.cue, trouble="the agent never took the call") for one in staged().played),
                (),
                Recording(b"", b"", ()),
            ),
            id="a call without sound",
        ),
        pytest.param(
            Staged(
                staged().script, staged().played, staged().events, Recording(sound(90_000), sound(90_000), ())
            ),
            id="a silent minute and a half",
        ),
    ],
)
def test_a_call_that_went_wrong_can_be_looked_at_too(tmp_path: Path, call: Staged) -> None:
    place = saved(call, tmp_path)
    assert png_size(place / "timeline.png")[0] == WIDTH_PX
    assert json.loads((place / "transcript.json").read_text(encoding="utf-8"))["rehearsal"]["passed"] is False
