"""The sound of calls, both sides, for as long as the settings allow; off unless they do.

Theory of operation. A :class:`RecordedLine` puts what the caller says and what he hears on a :class:`Tape`,
tick by tick: two copies of 320 bytes, and that is all that the event loop does. Every half minute the tape is
cut: threads make the piece a stereo WAV (8 kHz, the caller left, the agent right) and file it in the archive,
which seals it when there are keys. A call is a row of pieces that each can be played, so memory is bounded
whatever a call's length, and what was filed survives its worker.

Who refuses to be recorded leaves nothing, neither of what comes nor of what was filed before; nor does a call
in which nobody spoke. A disk that does not keep up ends the recording of a call, never the call.

A service that records nothing has plain lines (:class:`telephony.line.Line`), and pays nothing.
"""

import asyncio
import io
import logging
import wave
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from audio.pcm import FRAME_BYTES, FRAME_MS, SAMPLE_RATE_HZ, SILENCE_FRAME
from graph.heard import Words
from memory.archive import About, ArchiveUnavailable, FileArchive, Kind
from memory.events import Now
from telephony.call import Call, CallId
from telephony.journal import CallEnded, CallerIdentified, CallEvent, RecordingRefused, TurnHeard
from telephony.line import Line

log = logging.getLogger(__name__)

PIECE_MS = 30_000
"""One piece: a megabyte of a call's memory, and twenty files for ten minutes."""

LATE_BYTES = 10 * FRAME_BYTES
"""The caller's sound that may wait for its tick: 200 ms, more than the jitter of a line that can be used."""

MOST_WAITING = 4
"""Pieces of one call that may wait for the disk: two minutes."""

FAREWELL_S = 5.0
"""For what is still to be filed when the service stops."""

Piece = tuple[bytes, bytes]
"""The caller's side and the agent's, of one length."""


class Tape:
    """What is on a line, both sides, since the last cut. For the event loop's thread."""

    def __init__(self, full: Callable[[], None], piece_ms: int = PIECE_MS) -> None:
        """``full`` is called when it is time to cut; it does."""
        self._full = full
        self._piece_bytes = piece_ms // FRAME_MS * FRAME_BYTES
        self._late = bytearray()
        self._caller = bytearray()
        self._agent = bytearray()
        self._running = True

    def hear(self, frame: bytes) -> None:
        """The caller's sound, as it comes: in bursts, or not at all when he is silent."""
        if self._running:
            self._late += frame
            del self._late[:-LATE_BYTES]

    def tick(self, frame: bytes) -> None:
        """20 ms have passed, in which the caller heard ``frame``."""
        if not self._running:
            return
        if len(self._late) >= FRAME_BYTES:
            self._caller += self._late[:FRAME_BYTES]
            del self._late[:FRAME_BYTES]
        else:
            self._caller += SILENCE_FRAME
        self._agent += frame
        if len(self._agent) >= self._piece_bytes:
            self._full()

    def cut(self) -> Piece:
        """What there is so far; the tape goes on empty."""
        piece = bytes(self._caller), bytes(self._agent)
        self._caller.clear()
        self._agent.clear()
        return piece

    def stop(self) -> None:
        """Forget what there is and take no more."""
        self._running = False
        for side in (self._late, self._caller, self._agent):
            side.clear()


class RecordedLine(Line):
    """A line that can have a tape."""

    tape: Tape | None = None

    def audio_in(self, frame: bytes) -> None:
        """See :class:`telephony.line.Line`."""
        super().audio_in(frame)
        if self.tape is not None:
            self.tape.hear(frame)

    def next_frame(self) -> bytes:
        """See :class:`telephony.line.Line`."""
        frame = super().next_frame()
        if self.tape is not None:
            self.tape.tick(frame)
        return frame


@dataclass(slots=True)
class _Recording:
    tape: Tape
    began_at: str
    caller: str
    customer_number: str = ""
    spoken: bool = False
    refused: bool = False
    over: bool = False
    waiting: deque[Piece] = field(default_factory=deque)
    filing: asyncio.Task[None] | None = None


class Recordings:
    """The recordings of all calls; a journal (:class:`telephony.journal.Journal`), to know when they end."""

    def __init__(self, archive: FileArchive, now: Now, piece_ms: int = PIECE_MS) -> None:
        self._archive = archive
        self._now = now
        self._piece_ms = piece_ms
        self._calls: dict[CallId, _Recording] = {}
        self._filing: set[asyncio.Task[None]] = set()

    @property
    def open_calls(self) -> int:
        """Calls that are being recorded."""
        return len(self._calls)

    def tape(self, call: Call) -> Tape:
        """The tape of ``call``: the same when the caller comes back from people."""
        if call.id not in self._calls:
            tape = Tape(lambda: self._cut(call.id), self._piece_ms)
            began_at = self._now().isoformat(timespec="seconds")
            self._calls[call.id] = _Recording(tape, began_at, call.caller)
        return self._calls[call.id].tape

    def note(self, call_id: CallId, event: CallEvent) -> None:
        """See :class:`telephony.journal.Journal`."""
        recording = self._calls.get(call_id)
        if recording is None:
            return
        match event:
            case CallerIdentified(customer_number):
                recording.customer_number = customer_number
            case TurnHeard(Words(text)) if text:
                recording.spoken = True
            case RecordingRefused():
                recording.refused = True
                self._stop(call_id, recording)
            case CallEnded():
                self._cut(call_id)
                del self._calls[call_id]
                recording.over = True
                recording.tape.stop()
                self._file_on(call_id, recording)
            case _:
                pass

    async def close(self) -> None:
        """Return when everything is filed, or the disk is too slow for that."""
        if not self._filing:
            return
        _, late = await asyncio.wait(self._filing, timeout=FAREWELL_S)
        if late:
            log.warning("recordings.left_unwritten", extra={"calls": len(late)})

    def _cut(self, call_id: CallId) -> None:
        recording = self._calls[call_id]
        piece = recording.tape.cut()
        if not piece[1]:
            return
        if len(recording.waiting) >= MOST_WAITING:
            log.warning("recording.given_up", extra={"call_id": call_id, "error": "the disk is too slow"})
            self._stop(call_id, recording)
            return
        recording.waiting.append(piece)
        self._file_on(call_id, recording)

    def _stop(self, call_id: CallId, recording: _Recording) -> None:
        recording.tape.stop()
        recording.waiting.clear()
        self._file_on(call_id, recording)

    def _file_on(self, call_id: CallId, recording: _Recording) -> None:
        """See to it that somebody files what waits, or removes what is not to be kept."""
        if recording.filing is None or recording.filing.done():
            recording.filing = asyncio.create_task(
                self._file(call_id, recording), name="sound to the archive"
            )
            self._filing.add(recording.filing)
            recording.filing.add_done_callback(self._filing.discard)

    async def _file(self, call_id: CallId, recording: _Recording) -> None:
        try:
            while recording.waiting:
                wav = await asyncio.to_thread(stereo_wav, *recording.waiting.popleft())
                about = About(call_id, recording.began_at, recording.caller, recording.customer_number)
                await self._archive.keep(Kind.AUDIO, about, wav)
            if recording.refused or (recording.over and not recording.spoken):
                await self._archive.remove_call(call_id, (Kind.AUDIO,))
        except (ArchiveUnavailable, OSError, ValueError) as exc:
            log.warning("recording.not_kept", extra={"call_id": call_id, "error": type(exc).__name__})
            recording.tape.stop()
            recording.waiting.clear()


def stereo_wav(left: bytes, right: bytes) -> bytes:
    """A WAV of two channels from two of one length: signed 16-bit mono at 8 kHz."""
    both = np.column_stack((np.frombuffer(left, "<i2"), np.frombuffer(right, "<i2")))
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(2)
        writer.setsampwidth(2)
        writer.setframerate(SAMPLE_RATE_HZ)
        writer.writeframes(both.tobytes())
    return file.getvalue()
