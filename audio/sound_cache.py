"""Fixed lines are made once: the sound of sentences that every caller hears alike, kept for the next call.

:class:`CachedVoice` wraps one voice. It is told the set of fixed sentences when it is made, and keeps nothing
else: what holds a value of a caller (a name, a balance) is never in that set, so it can reach neither disk
nor Redis. A fixed sentence is played from the cache when it is there, whatever the state of its provider;
otherwise it is spoken, and kept when it was spoken whole.

A cache is keyed by a hash of everything that changes the sound (:func:`sound_key`): voice, its settings,
pace, text, and the version of this format. :class:`DiskSounds` keeps one file per sentence: written beside
and renamed, so that a crash leaves no half file; with a checksum, so that a damaged one is dropped and made
again; the least recently used go when the bound is reached. :class:`LayeredSounds` asks one cache after the
other: disk, then :class:`audio.redis_sounds.RedisSounds` for what other workers made. None of them ever fails
a call: a cache that cannot read or write is logged, and the voice speaks.
"""

import asyncio
import hashlib
import logging
import os
import tempfile
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from pathlib import Path
from threading import Lock
from typing import Final, Protocol

from audio.pcm import FRAME_BYTES
from audio.tts import Pace, TextToSpeech

log = logging.getLogger(__name__)

CHUNK_BYTES: Final = 10 * FRAME_BYTES
"""200 ms a piece: few wake-ups of the event loop."""

_FORMAT: Final = b"voix1\n"
_SUFFIX: Final = ".sound"


class SoundCache(Protocol):
    """Sounds by key (:func:`sound_key`); signed 16-bit mono at 8 kHz. Never raises for trouble of its own."""

    async def get(self, key: str) -> bytes | None:
        """The sound, or None when it is not there (any more)."""

    async def put(self, key: str, sound: bytes) -> None:
        """Keep ``sound``; others may have to go for it."""

    async def holds(self, key: str) -> bool:
        """Whether :meth:`get` would find it, without reading it."""


def sound_key(voice: str, settings: str, pace: Pace, text: str) -> str:
    """The name of a sound: 64 hexadecimal digits that hold nothing of the text."""
    parts = (_FORMAT.decode(), voice, settings, pace.value, text)
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()


class MemorySounds:
    """In this process only: the twin for tests, and for machines without a disk to write on."""

    def __init__(self, max_bytes: int = 32_000_000) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._sounds: OrderedDict[str, bytes] = OrderedDict()

    async def get(self, key: str) -> bytes | None:
        """See :class:`SoundCache`."""
        if key in self._sounds:
            self._sounds.move_to_end(key)
        return self._sounds.get(key)

    async def put(self, key: str, sound: bytes) -> None:
        """See :class:`SoundCache`."""
        if len(sound) > self._max_bytes:
            return
        self._bytes -= len(self._sounds.pop(key, b""))
        self._sounds[key] = sound
        self._bytes += len(sound)
        while self._bytes > self._max_bytes:
            self._bytes -= len(self._sounds.popitem(last=False)[1])

    async def holds(self, key: str) -> bool:
        """See :class:`SoundCache`."""
        return key in self._sounds


class DiskSounds:
    """One file per sound in a folder of its own; several processes may share it."""

    def __init__(self, folder: Path, max_bytes: int = 256_000_000) -> None:
        """``folder`` is made when something is kept; ``max_bytes`` bounds all files together."""
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = Lock()

    async def get(self, key: str) -> bytes | None:
        """See :class:`SoundCache`."""
        return await asyncio.to_thread(self._read, key)

    async def put(self, key: str, sound: bytes) -> None:
        """See :class:`SoundCache`."""
        await asyncio.to_thread(self._write, key, sound)

    async def holds(self, key: str) -> bool:
        """See :class:`SoundCache`."""
        return await asyncio.to_thread(self._path(key).is_file)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{_SUFFIX}"

    def _read(self, key: str) -> bytes | None:
        path = self._path(key)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning(
                "sounds.unreadable", extra={"folder": str(self._folder), "reason": type(error).__name__}
            )
            return None
        sound = unpacked(content)
        with suppress(
            OSError
        ):  # another process may have dropped it; a read-only folder can be read all the same
            if sound is None:
                log.warning("sounds.damaged", extra={"file": path.name})
                path.unlink()
            else:
                os.utime(path)  # used now: the last to go
        return sound

    def _write(self, key: str, sound: bytes) -> None:
        content = packed(sound)
        if len(content) > self._max_bytes:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._lock:
                self._make_room(len(content), self._path(key))
                with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".", delete=False) as file:
                    file.write(content)
                try:
                    Path(file.name).replace(self._path(key))
                except OSError:
                    Path(file.name).unlink(missing_ok=True)
                    raise
        except OSError as error:
            log.warning(
                "sounds.unwritable", extra={"folder": str(self._folder), "reason": type(error).__name__}
            )

    def _make_room(self, for_bytes: int, but: Path) -> None:
        """Remove the least recently used files until ``for_bytes`` more fit."""
        files: list[tuple[float, int, Path]] = []
        for path in self._folder.glob(f"*{_SUFFIX}"):
            with suppress(FileNotFoundError):  # another process dropped it
                status = path.stat()
                files.append((status.st_mtime, status.st_size, path))
        held = sum(size for _, size, path in files if path != but)
        for _, size, path in sorted(files):
            if held + for_bytes <= self._max_bytes:
                return
            if path != but:
                path.unlink(missing_ok=True)
                held -= size


class LayeredSounds:
    """Caches from near to far; what is found far is kept near."""

    def __init__(self, *caches: SoundCache) -> None:
        self._caches = caches

    async def get(self, key: str) -> bytes | None:
        """See :class:`SoundCache`."""
        for place, cache in enumerate(self._caches):
            if (sound := await cache.get(key)) is not None:
                for nearer in self._caches[:place]:
                    await nearer.put(key, sound)
                return sound
        return None

    async def put(self, key: str, sound: bytes) -> None:
        """See :class:`SoundCache`."""
        for cache in self._caches:
            await cache.put(key, sound)

    async def holds(self, key: str) -> bool:
        """See :class:`SoundCache`."""
        return any([await cache.holds(key) for cache in self._caches])


class CachedVoice:
    """A voice that makes each fixed sentence once."""

    def __init__(
        self,
        voice: TextToSpeech,
        cache: SoundCache,
        fixed: frozenset[str],
        settings: str = "",
    ) -> None:
        """``fixed`` are the sentences as they are given to :meth:`speak`; nothing else is ever kept.

        ``settings`` are those that change the voice's sound and are not in its name.
        """
        self._voice = voice
        self._cache = cache
        self._fixed = fixed
        self._settings = settings

    @property
    def name(self) -> str:
        """The voice's own."""
        return self._voice.name

    async def speak(self, text: str, pace: Pace = Pace.NORMAL) -> AsyncGenerator[bytes, None]:
        """See :class:`audio.tts.TextToSpeech`."""
        key = self._key(text, pace) if text in self._fixed else None
        if key is not None and (kept := await self._cache.get(key)) is not None:
            for start in range(0, len(kept), CHUNK_BYTES):
                yield kept[start : start + CHUNK_BYTES]
            return
        made = bytearray()
        async with aclosing(self._voice.speak(text, pace)) as sound:
            async for piece in sound:
                if key is not None:
                    made += piece
                yield piece
        if key is not None and made:
            await self._cache.put(key, bytes(made))

    async def lacks(self, texts: Sequence[str]) -> list[str]:
        """Those of ``texts`` that are fixed and not kept yet."""
        return [
            text
            for text in texts
            if text in self._fixed and not await self._cache.holds(self._key(text, Pace.NORMAL))
        ]

    def _key(self, text: str, pace: Pace) -> str:
        return sound_key(self.name, self._settings, pace, text)


def packed(sound: bytes) -> bytes:
    """``sound`` with what it takes to see that it is undamaged."""
    return _FORMAT + hashlib.sha256(sound).digest() + sound


def unpacked(content: bytes) -> bytes | None:
    """The sound in ``content``; None when that is damaged or of another format."""
    head = len(_FORMAT) + hashlib.sha256().digest_size
    checksum, sound = content[len(_FORMAT) : head], content[head:]
    if not content.startswith(_FORMAT) or hashlib.sha256(sound).digest() != checksum:
        return None
    return sound
