"""The keyless voice: espeak-ng in this process, through ctypes.

The library comes with the PyPI package ``espeakng-loader`` (the ``local`` extra) or from the
system (``libespeak-ng.so.1``). espeak-ng is GPL-3.0, which is why it is never a base dependency.

How it works. libespeak-ng has one global state per process and is not re-entrant, so every use of
it happens under one lock, and syntheses queue on one worker thread instead of filling the event
loop's pool. It is some 1500 times faster than speech: first sound after 5 ms for a sentence of 4 s and
after 18 ms for one of 7 s, half of it and more for resampling (median, 2 cores). A sentence is therefore
made whole, resampled whole (no filter state, so no clicks at chunk borders), and handed out in
chunks; a streaming resampler would save a few milliseconds of first audio and cost its own
complexity. Closing the iterator, or cancelling the task that waits for it, makes the library's
callback answer "stop".
"""

import asyncio
import ctypes
import os
import tempfile
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np

from audio.pcm import FRAME_BYTES, SAMPLE_RATE_HZ, resample
from audio.providers import ProviderUnavailable
from audio.tts import Pace, TtsFailed
from audio.word_ruler import TimedSpeech, WordAt

CHUNK_BYTES = 5 * FRAME_BYTES
"""100 ms: few wake-ups of the event loop, and small enough to drop at once."""

SPEECH_LEVEL_DBFS = -23.0
"""Level of active speech on the line, RMS below full scale: within the -26 to -20 dBFS of healthy
telephone speech (ITU-T P.56 measures it, -26 is nominal), with room above for espeak-ng's peaks, which
are 17 dB over its RMS (measured)."""

SLOWEST_WPM = 80
"""espeak-ng's own lower bound; 450 is the upper one."""

_CALIBRATION = "Bonjour, je suis l'assistante vocale."
_SAFE_PATH_BYTES = 120
"""espeak-ng keeps its data path in 160 bytes and appends file names to it (its speech.h, N_PATH_HOME)."""

# From espeak-ng's speak_lib.h.
_OUTPUT_SYNCHRONOUS = 2
_OPTION_DONT_EXIT = 0x8000
_POSITION_CHARACTER = 1
_TEXT_UTF8 = 1
_PARAMETER_RATE = 1
_EVENT_LIST_TERMINATED = 0
_EVENT_WORD = 1


class _Event(ctypes.Structure):
    """espeak_EVENT: something that happened at a place of the sound; a list of them ends with type 0."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_SAMPLES_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class _Library:
    """libespeak-ng, initialised. One per process; every method takes the lock."""

    def __init__(self, library_path: str, data_path: Path | None) -> None:
        self.worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="espeak-ng")
        self._lock = threading.Lock()
        self._blocks: list[bytes] = []
        self._words: list[WordAt] = []
        self._stop = threading.Event()
        try:
            self._c = ctypes.CDLL(library_path)
        except OSError as error:
            raise ProviderUnavailable(
                f"the espeak-ng library {library_path} cannot be loaded: pip install '.[local]', "
                "or install your system's espeak-ng"
            ) from error
        self._c.espeak_Initialize.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
        self._c.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
        self._c.espeak_SetParameter.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int]
        self._c.espeak_Synth.argtypes = [
            ctypes.c_char_p,
            ctypes.c_size_t,
            ctypes.c_uint,
            ctypes.c_int,
            ctypes.c_uint,
            ctypes.c_uint,
            ctypes.c_void_p,
            ctypes.c_void_p,
        ]
        self._callback = _SAMPLES_CALLBACK(self._take)  # C holds the pointer, so we hold the object
        self._shortcut: tempfile.TemporaryDirectory[str] | None = None
        path = None if data_path is None else os.fsencode(self._short(data_path))
        self.rate_hz: int = self._c.espeak_Initialize(_OUTPUT_SYNCHRONOUS, 0, path, _OPTION_DONT_EXIT)
        if self.rate_hz <= 0:
            raise ProviderUnavailable(
                f"espeak-ng finds no voice data in {data_path or 'its default folder'}: "
                "reinstall it with pip install --force-reinstall '.[local]'"
            )

    def _short(self, data_path: Path) -> Path:
        """``data_path``, or a symbolic link to it when it is longer than espeak-ng can hold."""
        if len(os.fsencode(data_path)) <= _SAFE_PATH_BYTES:
            return data_path
        self._shortcut = tempfile.TemporaryDirectory(prefix="espeak-")  # lives as long as the library
        link = Path(self._shortcut.name, "espeak-ng-data")
        try:
            link.symlink_to(data_path, target_is_directory=True)
        except OSError as error:
            raise ProviderUnavailable(
                f"the path of espeak-ng's data is too long for it ({data_path}) and cannot be linked: "
                "install in a folder with a shorter path"
            ) from error
        return link

    def check_voice(self, voice: str) -> None:
        """Raises :class:`ProviderUnavailable` when there is no such voice."""
        with self._lock:
            if self._c.espeak_SetVoiceByName(voice.encode()) != 0:
                raise ProviderUnavailable(
                    f"espeak-ng has no voice {voice!r} (French ones: fr, fr-be, fr-ch, fr+f2…)"
                )

    def synthesise(
        self, text: str, voice: str, words_per_minute: int, stop: threading.Event
    ) -> tuple[bytes, list[WordAt]]:
        """Sound of ``text``, s16le mono at ``rate_hz``, and its words; cut short once ``stop`` is set.

        Raises :class:`audio.tts.TtsFailed`.
        """
        # A NUL would end the text for C; a lone surrogate cannot be encoded.
        raw = text.replace("\0", " ").encode(errors="replace") + b"\0"
        with self._lock:
            if stop.is_set():
                return b"", []
            self._blocks, self._words, self._stop = [], [], stop
            self._c.espeak_SetSynthCallback(self._callback)
            self._c.espeak_SetVoiceByName(voice.encode())
            self._c.espeak_SetParameter(_PARAMETER_RATE, words_per_minute, 0)
            code = self._c.espeak_Synth(raw, len(raw), 0, _POSITION_CHARACTER, 0, _TEXT_UTF8, None, None)
            sound, words = b"".join(self._blocks), self._words
        if code != 0:
            raise TtsFailed(f"espeak-ng could not speak a sentence of {len(text)} characters (code {code})")
        return sound, words

    def _take(
        self, samples: "ctypes._Pointer[ctypes.c_short]", count: int, events: "ctypes._Pointer[_Event]"
    ) -> int:
        """Called by C with each block of sound; 1 stops the synthesis."""
        place = 0
        while events and events[place].type != _EVENT_LIST_TERMINATED:  # type: ignore[truthy-bool]  # may be NULL
            if events[place].type == _EVENT_WORD:  # its places in the text count from 1
                self._words.append(WordAt(events[place].text_position - 1, events[place].audio_position))
            place += 1
        if count > 0:  # at the end of a text C gives no samples, and no count
            self._blocks.append(ctypes.string_at(samples, 2 * count))
        return int(self._stop.is_set())


@cache
def _library(library_path: str, data_path: Path | None) -> _Library:
    return _Library(library_path, data_path)


def _installed() -> tuple[str, Path | None]:
    """Where the library and its data are: the wheel's, else the system's."""
    try:
        import espeakng_loader  # type: ignore[import-untyped]  # only when this voice is chosen
    except ModuleNotFoundError:
        return "libespeak-ng.so.1", None
    return str(espeakng_loader.get_library_path()), Path(espeakng_loader.get_data_path())


class EspeakTts:
    """A robotic, instant and free French voice."""

    def __init__(
        self,
        voice: str = "fr",
        words_per_minute: int = 165,
        *,
        library_path: str | None = None,
        data_path: Path | None = None,
    ) -> None:
        """``voice`` is espeak-ng's name, with a variant if wanted (``fr+f2``); ``words_per_minute`` 80-450.

        ``library_path`` and ``data_path`` name another installation than the wheel's or the system's.
        Raises :class:`audio.providers.ProviderUnavailable` when espeak-ng, its data or the voice is missing.
        """
        if not SLOWEST_WPM <= words_per_minute <= 450:  # espeak-ng's own range
            raise ValueError(f"espeak-ng speaks 80 to 450 words per minute, not {words_per_minute}")
        self._voice = voice
        self._words_per_minute = words_per_minute
        paths = _installed() if library_path is None else (library_path, data_path)
        self._library = _library(*paths)
        self._library.check_voice(voice)
        # One gain per voice, not per sentence: a short "Oui." is not to be as loud as a long sentence.
        self._gain = 1.0
        self._gain = _gain_to(
            SPEECH_LEVEL_DBFS, self._sound(_CALIBRATION, words_per_minute, threading.Event())
        )

    @property
    def name(self) -> str:
        """``espeak-ng:fr``."""
        return f"espeak-ng:{self._voice}"

    async def speak(self, text: str, pace: Pace = Pace.NORMAL) -> AsyncGenerator[bytes, None]:
        """See :class:`audio.tts.TextToSpeech`: chunks of at most 100 ms."""
        stop = threading.Event()
        loop = asyncio.get_running_loop()
        try:
            sound = await loop.run_in_executor(
                self._library.worker, self._sound, text, self._rate(pace), stop
            )
        finally:
            stop.set()
        for start in range(0, len(sound), CHUNK_BYTES):
            yield sound[start : start + CHUNK_BYTES]

    async def timed(self, text: str, pace: Pace = Pace.NORMAL) -> TimedSpeech:
        """See :class:`audio.word_ruler.TimedVoice`."""
        stop = threading.Event()
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._library.worker, self._timed, text, self._rate(pace), stop)
        finally:
            stop.set()

    def _rate(self, pace: Pace) -> int:
        return max(SLOWEST_WPM, round(self._words_per_minute * pace.speed))

    def _sound(self, text: str, words_per_minute: int, stop: threading.Event) -> bytes:
        return self._timed(text, words_per_minute, stop).sound

    def _timed(self, text: str, words_per_minute: int, stop: threading.Event) -> TimedSpeech:
        raw, words = self._library.synthesise(text, self._voice, words_per_minute, stop)
        if not raw or stop.is_set():
            return TimedSpeech(b"", ())
        samples = np.frombuffer(resample(raw, self._library.rate_hz, SAMPLE_RATE_HZ), "<i2") * self._gain
        return TimedSpeech(np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes(), tuple(words))


def _gain_to(level_dbfs: float, pcm: bytes) -> float:
    """The factor that brings the active speech in ``pcm`` (8 kHz) to ``level_dbfs``."""
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    whole = len(samples) // 160 * 160
    if whole == 0:
        raise ProviderUnavailable("espeak-ng makes no sound: its voice data are damaged")
    power = np.mean(samples[:whole].reshape(-1, 160) ** 2, axis=1)
    active = power[power > power.max() * 1e-4]  # within 40 dB of the loudest 20 ms
    if power.max() == 0:
        raise ProviderUnavailable("espeak-ng makes only silence: its voice data are damaged")
    rms = float(np.sqrt(active.mean())) / 32768
    return float(10 ** (level_dbfs / 20) / rms)
