"""For tests: what a voice detector and an ear tell, as lists."""

from collections.abc import Callable, Iterable
from typing import Any

from audio.ear import Ear
from audio.endpointing import EarEvent
from audio.pcm import frames
from audio.vad import VoiceDetector


class Stream:
    """A call's stream that keeps what its windows were judged to be."""

    def __init__(self, detector: VoiceDetector[Any]) -> None:
        self.judged: list[float] = []
        self._stream = detector.open(self.judged.append)

    def hear(self, pcm: bytes) -> list[float]:
        """The probabilities that are told while ``pcm`` is heard."""
        before = len(self.judged)
        self._stream.hear(pcm)
        return self.judged[before:]

    def reset(self) -> None:
        self._stream.reset()


def told(listener: Ear, during: Callable[[], object]) -> list[EarEvent]:
    """What ``listener`` tells while ``during`` runs."""
    events: list[EarEvent] = []
    listener.tell = events.append
    during()
    return events


def hear(listener: Ear, sound: bytes | Iterable[bytes]) -> list[EarEvent]:
    """What it tells of ``sound``; bytes come in frames of 20 ms."""
    cut = frames(sound) if isinstance(sound, bytes) else sound

    def during() -> None:
        for frame in cut:
            listener.hear(frame)

    return told(listener, during)


def pass_time(listener: Ear, ms: int) -> list[EarEvent]:
    """What it tells while ``ms`` go by in which nothing comes."""
    return told(listener, lambda: listener.pass_time(ms))
