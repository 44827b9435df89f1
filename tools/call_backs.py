"""Call-backs that were promised: written down, for the people who keep the promise.

The adapter here is a file of JSON lines, one promise each, which every worker on the machine appends
to; a call centre with its own system writes another adapter. A turn that is taken again after a crash
may record its promise twice: the line that was written last for a call counts.
"""

import asyncio
import json
import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from tools.call_back_times import CallBackTime


class CallBacksUnavailable(Exception):
    """The promise could not be written down; nothing was promised. Its text holds no personal data."""


@dataclass(frozen=True, slots=True)
class CallBack:
    """One promise."""

    call_id: str
    number: str
    """Whom to ring: ten digits, national form."""
    when: CallBackTime
    queue: str
    """The desk that rings."""
    reason: str
    """Why the caller is to speak with people, as in a transfer."""
    summary: str
    """One line for the adviser, in French."""
    customer_number: str
    """Empty unless identity was proven in the call. Who answers at ``number`` has proven nothing."""
    asked_at: datetime
    """With its time zone."""


class CallBacks(Protocol):
    """Where promises are kept."""

    async def record(self, call_back: CallBack) -> None:
        """Write it down. Returns when it is safe; raises :class:`CallBacksUnavailable`."""


@dataclass(slots=True)
class MemoryCallBacks:
    """The twin: keeps them in order."""

    recorded: list[CallBack] = field(default_factory=list)

    async def record(self, call_back: CallBack) -> None:
        """See :class:`CallBacks`."""
        self.recorded.append(call_back)


@dataclass(frozen=True, slots=True)
class FileCallBacks:
    """Appends to a file that its owner alone may read."""

    path: Path

    async def record(self, call_back: CallBack) -> None:
        """See :class:`CallBacks`. The file is made when the first promise is."""
        try:
            await asyncio.to_thread(self._append, f"{_line(call_back)}\n".encode())
        except OSError as exc:
            raise CallBacksUnavailable(
                f"{self.path} cannot be written ({exc.strerror}); is the disk full, or the folder read-only?"
            ) from exc

    def _append(self, line: bytes) -> None:
        """In one write, so that workers do not write into each other's lines, and onto the disk."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            written = os.write(file, line)
            if written < len(line):
                os.write(file, b"\n")  # the disk is full: the next line must not grow onto this piece
                raise OSError(0, "only a part was written")
            os.fsync(file)
        finally:
            os.close(file)


def _line(call_back: CallBack) -> str:
    return json.dumps(
        {
            "call_id": call_back.call_id,
            "number": call_back.number,
            "on": call_back.when.on.isoformat(),
            "part": call_back.when.part.value,
            "queue": call_back.queue,
            "reason": call_back.reason,
            "summary": call_back.summary,
            "customer_number": call_back.customer_number,
            "asked_at": call_back.asked_at.isoformat(timespec="seconds"),
        },
        ensure_ascii=False,
    )
