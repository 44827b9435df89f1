"""Twins for the tests of the wire: a line that only remembers, a reception that follows orders."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from audio.pcm import SILENCE_FRAME
from graph.heard import Heard
from telephony.call import Call, CallerLeft, CallId, Outcome, Transferred
from telephony.line import Line, Wire

Session = Callable[[Call, "RecordingLine"], Awaitable[Outcome]]


class RecordingLine(Line):
    """Keeps what the wire pushed in, and speaks the frames it was given."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.digits: list[str] = []
        self.voice: deque[bytes] = deque()
        self.asked_frames = 0
        self.why_closed: str | None = None
        self.over = asyncio.Event()
        self.wire: Wire | None = None
        self._came = asyncio.Event()

    def attach(self, wire: Wire) -> None:
        self.wire = wire
        self._came.set()

    def audio_in(self, frame: bytes) -> None:
        self.heard.append(frame)

    def digit_in(self, key: str) -> None:
        self.digits.append(key)

    def next_frame(self) -> bytes:
        self.asked_frames += 1
        return self.voice.popleft() if self.voice else SILENCE_FRAME

    def closed(self, why: str) -> None:
        if self.why_closed is None:
            self.why_closed = why
            self._came.set()
            self.over.set()

    async def joined(self) -> bool:
        await self._came.wait()
        return self.wire is not None and self.why_closed is None

    def hang_up(self) -> None:
        if self.wire is not None:
            self.wire.hang_up()
        self.closed("the agent ended the audio")


async def until_closed(call: Call, line: RecordingLine) -> Outcome:
    """A session that only listens."""
    await line.over.wait()
    return CallerLeft()


class ObedientReception:
    """Runs the same session for every call, and keeps what it saw."""

    def __init__(self, session: Session = until_closed) -> None:
        self.session = session
        self.calls: list[Call] = []
        self.lines: list[RecordingLine] = []
        self.outcomes: list[Outcome] = []
        self.firsts: list[Heard] = []
        self.closed: list[Outcome] = []
        self.whispered: list[tuple[str, str]] = []
        self.takes = True
        """Whether advisers take the calls they are told of."""
        self.running = 0

    def open(self, call: Call) -> Line:
        self.calls.append(call)
        self.lines.append(RecordingLine())
        return self.lines[-1]

    async def run(self, call: Call, line: Line, first: Heard) -> Outcome:
        assert isinstance(line, RecordingLine)
        self.firsts.append(first)
        self.running += 1
        try:
            outcome = await self.session(call, line)
            self.outcomes.append(outcome)
            return outcome
        finally:
            self.running -= 1

    async def whisper(self, line: Line, summary: str, customer_number: str) -> bool:
        assert isinstance(line, RecordingLine)
        await line.joined()
        self.whispered.append((summary, customer_number))
        return self.takes

    async def hand_over(self, call: CallId, desk: str) -> Transferred:
        return Transferred(desk, "operator", "Envoyé par le superviseur", "10078821")

    async def close(self, call: Call, outcome: Outcome) -> None:
        self.closed.append(outcome)
