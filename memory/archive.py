"""What is kept of calls that are over: transcripts, and sound where that is allowed; for how long; whose.

One file a call and kind, under ``FOLDER/KIND/DAY/``, named by the call alone and readable by its owner only;
sealed when there is a key ring. The first line says whom it is about, so that a person's files can be found,
given out and removed (GDPR articles 15 and 17); the rest is the content. A day's folder goes as a whole
when its time is over.
"""

import asyncio
import json
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path

from memory.sealing import CannotOpen, KeyRing, is_sealed

_PLAIN_NAME = re.compile(r"[A-Za-z0-9._-]{1,80}")


class Kind(StrEnum):
    """Classes of what is kept, each with its own time."""

    TRANSCRIPT = "transcripts"
    AUDIO = "audio"


class ArchiveUnavailable(Exception):
    """It can be neither written nor read; the message says where and what to do."""


@dataclass(frozen=True, slots=True)
class About:
    """Whom a file is about."""

    call_id: str
    began_at: str
    """ISO 8601, with its time zone."""
    caller: str = ""
    customer_number: str = ""
    """Empty unless identity was proven in the call."""


@dataclass(frozen=True, slots=True)
class Filed:
    """A file, and whom it is about."""

    path: Path
    kind: Kind
    about: About


class FileArchive:
    """Files in a folder of this machine. The disk is left to threads: no call waits for it."""

    def __init__(self, folder: Path, ring: KeyRing | None = None) -> None:
        self._folder = folder
        self._ring = ring

    async def keep(self, kind: Kind, about: About, content: bytes) -> Path:
        """Write one file. Raises :class:`ArchiveUnavailable`; then nothing is left of it."""
        return await asyncio.to_thread(self._keep, kind, about, content)

    async def find_call(self, call_id: str) -> list[Filed]:
        """Files of one call, in order; for a command."""
        return await asyncio.to_thread(
            lambda: [filed for filed in self._all() if filed.about.call_id == call_id]
        )

    async def find(self, *, caller: str = "", customer_number: str = "") -> list[Filed]:
        """Files of calls about that caller or that customer. Opens every file: for a command, not for a call.

        A customer's call is his from its beginning: what was filed before he was identified is found as well.
        """
        return await asyncio.to_thread(self._find, caller, customer_number)

    async def read(self, filed: Filed) -> bytes:
        """Its content."""
        return await asyncio.to_thread(lambda: self._open(filed.path)[1])

    async def remove(self, filed: Filed) -> None:
        """It is gone, and its day's folder with it when that is empty."""
        await asyncio.to_thread(_remove, filed.path)

    async def remove_call(self, call_id: str, kinds: Collection[Kind] = tuple(Kind)) -> int:
        """Everything of one call, or of these kinds; how many files that were."""
        return await asyncio.to_thread(self._remove_call, call_id, kinds)

    async def sweep(self, today: date, days: Mapping[Kind, int]) -> int:
        """Remove what is older than its kind may be kept (0: nothing is kept); how many days' folders."""
        return await asyncio.to_thread(self._sweep, today, days)

    def _keep(self, kind: Kind, about: About, content: bytes) -> Path:
        if not _PLAIN_NAME.fullmatch(about.call_id):
            raise ValueError("a call's name must be plain: it becomes the name of a file")
        folder = self._folder / kind.value / datetime.fromisoformat(about.began_at).date().isoformat()
        data = json.dumps(asdict(about), ensure_ascii=False).encode() + b"\n" + content
        if self._ring is not None:
            data = self._ring.seal(data, about.call_id.encode())
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for part in range(1, 1000):  # sound comes in pieces; a call that went on has a second transcript
                path = folder / f"{about.call_id}.{part:03}"
                try:
                    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                except FileExistsError:
                    continue
                with os.fdopen(file, "wb") as out:
                    out.write(data)
                return path
        except OSError as exc:
            raise ArchiveUnavailable(
                f"{folder} cannot be written ({exc.strerror}); is the disk full, or the folder read-only?"
            ) from exc
        raise ArchiveUnavailable(f"{folder} holds too many parts of one call")

    def _open(self, path: Path) -> tuple[About, bytes]:
        data = path.read_bytes()
        if is_sealed(data):
            if self._ring is None:
                raise CannotOpen(f"{path} is sealed; set PRIVACY_KEYS to its key")
            data = self._ring.open(data, path.name.rpartition(".")[0].encode())
        head, _, content = data.partition(b"\n")
        return About(**json.loads(head)), content

    def _all(self) -> Iterator[Filed]:
        for kind in Kind:
            for path in sorted((self._folder / kind.value).glob("*/*")):
                with suppress(FileNotFoundError):  # swept meanwhile
                    yield Filed(path, kind, self._open(path)[0])

    def _find(self, caller: str, customer_number: str) -> list[Filed]:
        every = list(self._all())
        calls = {
            filed.about.call_id
            for filed in every
            if (caller and filed.about.caller == caller)
            or (customer_number and filed.about.customer_number == customer_number)
        }
        return [filed for filed in every if filed.about.call_id in calls]

    def _remove_call(self, call_id: str, kinds: Collection[Kind]) -> int:
        if not _PLAIN_NAME.fullmatch(call_id):
            return 0
        paths = [path for kind in kinds for path in (self._folder / kind.value).glob(f"*/{call_id}.*")]
        for path in paths:
            _remove(path)
        return len(paths)

    def _sweep(self, today: date, days: Mapping[Kind, int]) -> int:
        gone = 0
        for kind, kept_days in days.items():
            for folder in sorted((self._folder / kind.value).glob("*")):
                if (today - date.fromisoformat(folder.name)).days >= max(kept_days, 1) or kept_days == 0:
                    shutil.rmtree(folder)
                    gone += 1
        return gone


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    if not any(path.parent.iterdir()):
        path.parent.rmdir()
