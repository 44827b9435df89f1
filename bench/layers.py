"""Where the processor time of a process goes: a sample every few milliseconds of it, by layer.

The operating system interrupts the process after every ``every_ms`` of processor time (SIGPROF); the
innermost frame on the stack that belongs to a layer takes the sample. Time within C (a send, an inference) is
the Python line's that called it. Idle time is not sampled.
"""

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

LAYERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("ear", ("audio/ear.py", "audio/vad.py", "audio/endpointing.py", "audio/providers/silero_vad.py")),
    ("wire", ("telephony/media_server.py", "telephony/audiosocket.py", "telephony/metronome.py")),
    ("line", ("telephony/line.py", "audio/playback.py")),
    ("dialogue", ("graph/", "nodes/", "tools/", "knowledge/", "langgraph/", "langchain_core/", "aiosqlite/")),
    ("session", ("telephony/session.py", "telephony/front_desk.py", "telephony/agi_server.py")),
    ("providers", ("bench/delays.py", "audio/scripted.py")),
)
REST = "rest"
"""The event loop itself, and whatever belongs to none of the layers."""

EVERY_MS = 2.0


@contextmanager
def sampled(every_ms: float = EVERY_MS) -> Iterator[Counter[str]]:
    """Counts samples by layer while the block runs; for the main thread."""
    counts: Counter[str] = Counter()

    def sample(_signal: int, frame: FrameType | None) -> None:
        counts[_layer(frame)] += 1

    before = signal.signal(signal.SIGPROF, sample)
    signal.setitimer(signal.ITIMER_PROF, every_ms / 1000, every_ms / 1000)
    try:
        yield counts
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


_known: dict[str, str | None] = {}


def _layer(frame: FrameType | None) -> str:
    while frame is not None:
        path = frame.f_code.co_filename
        if path not in _known:
            _known[path] = next((name for name, parts in LAYERS if any(part in path for part in parts)), None)
        if (layer := _known[path]) is not None:
            return layer
        frame = frame.f_back
    return REST
