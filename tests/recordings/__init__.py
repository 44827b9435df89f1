"""Recorded bytes that tests replay. The WAV files are synthetic speech: see ``make_recordings.py``."""

import wave
from pathlib import Path


def spoken(name: str) -> bytes:
    """The sound of ``<name>.wav``: signed 16-bit mono at 8 kHz."""
    with wave.open(str(Path(__file__).with_name(f"{name}.wav")), "rb") as recording:
        return recording.readframes(recording.getnframes())
