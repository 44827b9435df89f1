"""Transcripts of calls, into the archive when a call is over, and out of it when their time is.

A journal like the others. What is kept of a call lies in memory until it ends and is then written by a task
of its own: no turn waits for a disk. A caller who does not want to be recorded leaves nothing, neither here
nor of earlier parts of the same call.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from app.watching.transcript import Transcript, record
from memory.archive import About, ArchiveUnavailable, FileArchive, Kind
from memory.events import Now
from telephony.call import CallId
from telephony.journal import CallEnded, CallerIdentified, CallEvent, CallStarted, RecordingRefused

log = logging.getLogger(__name__)

SWEPT_EVERY_S = 3600.0
FAREWELL_S = 5.0
"""For what is still to be written when the service stops."""


@dataclass(slots=True)
class _Call:
    transcript: Transcript
    began_at: str
    caller: str = ""
    customer_number: str = ""
    refused: bool = False


class ArchiveJournal:
    """Collects the transcripts of all calls; see :class:`telephony.journal.Journal`."""

    def __init__(
        self,
        archive: FileArchive,
        parts: Mapping[str, str],
        now: Now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``parts`` says which ear, voice and so on took the calls."""
        self._archive = archive
        self._parts = dict(parts)
        self._now = now
        self._clock = clock
        self._calls: dict[CallId, _Call] = {}
        self._writing: set[asyncio.Task[None]] = set()

    @property
    def open_calls(self) -> int:
        """Calls that are being collected."""
        return len(self._calls)

    def note(self, call_id: CallId, event: CallEvent) -> None:
        """Collect ``event``; at the end of the call, write."""
        call = self._calls.get(call_id)
        if call is None:
            if isinstance(event, CallEnded):
                return  # nothing was said
            call = self._calls[call_id] = self._begun(call_id)
        match event:
            case CallStarted(started):
                call.caller = started.caller
            case CallerIdentified(customer_number):
                call.customer_number = customer_number
            case RecordingRefused():
                call.refused = True
            case _:
                pass
        call.transcript.note(call_id, event)
        if isinstance(event, CallEnded):
            del self._calls[call_id]
            task = asyncio.create_task(self._file(call_id, call), name="transcript to the archive")
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    async def written(self) -> None:
        """Return when every call that is over is in the archive."""
        if self._writing:
            await asyncio.wait(self._writing)

    def _begun(self, call_id: CallId) -> _Call:
        began_s = self._clock()
        transcript = Transcript(call_id, lambda: (self._clock() - began_s) * 1000)
        return _Call(transcript, self._now().isoformat(timespec="seconds"))

    async def _file(self, call_id: CallId, call: _Call) -> None:
        try:
            if call.refused:
                await self._archive.remove_call(call_id)
                return
            about = About(call_id, call.began_at, call.caller, call.customer_number)
            content = json.dumps(record(call.transcript, self._parts), ensure_ascii=False)
            await self._archive.keep(Kind.TRANSCRIPT, about, content.encode())
        except (ArchiveUnavailable, OSError, ValueError) as exc:
            log.warning("transcript.not_kept", extra={"call_id": call_id, "error": type(exc).__name__})


@asynccontextmanager
async def archiving(
    archive: FileArchive, parts: Mapping[str, str], days: Mapping[Kind, int], now: Now
) -> AsyncIterator[ArchiveJournal | None]:
    """The journal that keeps transcripts, and the sweeper; None when the setting says to keep none.

    ``days`` is how long each kind is kept; 0 keeps nothing, and what there was goes at once.
    """
    sweeper = asyncio.create_task(_sweep(archive, days, now), name="archive is swept")
    journal = ArchiveJournal(archive, parts, now) if days[Kind.TRANSCRIPT] else None
    try:
        yield journal
    finally:
        sweeper.cancel()
        await asyncio.wait([sweeper])
        if journal is not None:
            try:
                async with asyncio.timeout(FAREWELL_S):
                    await journal.written()
            except TimeoutError:
                log.warning("transcripts.left_unwritten", extra={"error": "the disk is too slow"})


async def _sweep(archive: FileArchive, days: Mapping[Kind, int], now: Now) -> None:
    while True:
        try:
            if gone := await archive.sweep(now().date(), days):
                log.info("archive.swept", extra={"days": gone})
        except (OSError, ValueError) as exc:  # a folder that is not ours, a disk that is away: later again
            log.warning("archive.not_swept", extra={"error": type(exc).__name__})
        await asyncio.sleep(SWEPT_EVERY_S)
