"""Whisper in this process, with faster-whisper: no key and nothing leaves the machine, for a model on disk.

The model is loaded once, at start-up, and never fetched: a download of hundreds of megabytes within a
call would be a dead line, so a model that is not there is an error with the command that brings it.
On a CPU only ``small`` and smaller are bearable (2 to 3 s for an utterance of 4 s on 1 or 2 threads with
int8, whatever its length: Whisper always works through a window of 30 s); ``large-v3-turbo`` wants a GPU.

Transcriptions run in threads of the ear's own, as many as it may do at a time. A thread cannot be stopped:
what was begun and is no longer wanted ends by itself. So the line before them is short, and who finds it full
is refused at once rather than served when the caller has given up.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import faster_whisper  # type: ignore[import-untyped]  # ships no types
import numpy as np

from audio.endpointing import Expecting, Utterance
from audio.pcm import SAMPLE_RATE_HZ, resample
from audio.providers import ProviderUnavailable
from audio.stt import SttFailed, Transcript
from audio.whisper import HINTS, Segment, transcript_of
from memory.breaker import Fault, FaultKind

_MODEL_RATE_HZ = 16_000
WAITING_PER_THREAD = 2
"""Utterances that may wait for each transcription under way."""

_NEEDED = ("model.bin", "config.json", "tokenizer.json")


class WhisperStt:
    """Transcribes with a Whisper model in CTranslate2's format. Several calls may use it at once."""

    def __init__(
        self,
        model: str,
        *,
        device: str = "cpu",
        compute_type: str = "int8",
        threads: int = 2,
        parallel: int = 1,
    ) -> None:
        """Load ``model``, a folder or the name of one fetched before (``small``).

        It takes seconds; :meth:`of` does it off the event loop.
        ``threads`` per transcription; ``parallel`` transcriptions at a time, the others wait.
        Raises :class:`audio.providers.ProviderUnavailable` when there is no such model, or it is damaged.
        """
        _check(model)
        self._name = Path(model).name
        self._threads = ThreadPoolExecutor(parallel, thread_name_prefix="whisper")
        self._most = parallel * (1 + WAITING_PER_THREAD)
        self._room = self._most
        try:
            self._model = faster_whisper.WhisperModel(
                model,
                device=device,
                compute_type=compute_type,
                cpu_threads=threads,
                num_workers=parallel,
                local_files_only=True,
            )
        except (OSError, RuntimeError, ValueError) as error:
            raise ProviderUnavailable(
                f"the Whisper model {model!r} cannot be loaded ({error}). Fetch it at leisure with: "
                f"python -c \"import faster_whisper as f; f.download_model('small', 'var/whisper-small')\""
            ) from error

    @classmethod
    async def of(cls, model: str, *, threads: int = 2, parallel: int = 1) -> Self:
        """Load ``model`` off the event loop, and let it hear a second of silence: its first time is slow."""
        ear = await asyncio.to_thread(cls, model, threads=threads, parallel=parallel)
        await ear.transcribe(Utterance(bytes(SAMPLE_RATE_HZ * 2), 0, 1000), Expecting.OPEN)
        return ear

    @property
    def name(self) -> str:
        """``whisper:small``."""
        return f"whisper:{self._name}"

    @property
    def busy(self) -> int:
        """Utterances being transcribed, or waiting."""
        return self._most - self._room

    async def transcribe(self, utterance: Utterance, expecting: Expecting) -> Transcript:
        """See :class:`audio.stt.SpeechToText`. Cancelling leaves the model to finish in its thread."""
        hint = HINTS[expecting]
        if not utterance.pcm:
            return Transcript("", 0.0)
        if self._room <= 0:
            fault = Fault(FaultKind.REQUEST, "too many utterances at once")
            raise SttFailed(f"{self.name} has too many utterances to transcribe; give it more threads", fault)
        self._room -= 1
        working = self._threads.submit(self._segments, utterance.pcm, hint)
        loop = asyncio.get_running_loop()
        working.add_done_callback(lambda _: loop.call_soon_threadsafe(self._make_room))
        try:
            segments = await asyncio.wrap_future(working)
        except (OSError, RuntimeError, ValueError) as error:
            reason = type(error).__name__
            raise SttFailed(f"{self.name} gave no transcript: {reason}", Fault(reason=reason)) from error
        return transcript_of(segments, hint, utterance.duration_ms)

    def _make_room(self) -> None:
        self._room += 1

    async def close(self) -> None:
        """Let go of the threads; what they are at is finished first, what waits is not begun."""
        await asyncio.to_thread(self._threads.shutdown, wait=True, cancel_futures=True)

    def _segments(self, pcm: bytes, hint: str) -> list[Segment]:
        sound = np.frombuffer(resample(pcm, SAMPLE_RATE_HZ, _MODEL_RATE_HZ), "<i2").astype(np.float32) / 32768
        segments, _ = self._model.transcribe(
            sound,
            language="fr",
            beam_size=1,
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=True,
            initial_prompt=hint,
        )
        # A lazy generator: the work is done in this loop.
        return [
            Segment(
                segment.text,
                segment.end - segment.start,
                segment.avg_logprob,
                segment.no_speech_prob,
                segment.compression_ratio,
            )
            for segment in segments
        ]


def _check(model: str) -> None:
    """Say what is wrong with a path; faster-whisper would take it for the name of a model on a hub."""
    folder = Path(model)
    if folder.is_dir():
        if missing := [name for name in _NEEDED if not (folder / name).is_file()]:
            raise ProviderUnavailable(f"{folder} is no Whisper model: it lacks {', '.join(missing)}")
    elif len(folder.parts) > 1 or model.startswith((".", "~")):
        raise ProviderUnavailable(f"there is no Whisper model folder {folder}")
