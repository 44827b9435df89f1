"""Several worker processes on one machine, kept alive: started, watched, started again, stopped together.

Each worker is the whole agent in a process of its own, ``python -m app serve --worker``. It is told who it is
on standard input (:class:`Orders`, one line of JSON) and says on standard output where its pages are
(:class:`Report`, one line) once it takes calls. Standard input stays open as long as the crew lives: a worker
that reads its end lost its crew and drains, so that no orphan holds the ports.

What the crew sees, and what it does:

==============================================  ============================================================
a worker ends, killed or by itself              another takes its place at once; if it lived for less than
                                                ten seconds, after a pause that doubles up to thirty
the first one ends before it takes calls, with  all are stopped: a setting is wrong, and starting again
status 2                                        would not cure it
a worker does not answer ``/health`` three      it is killed: frozen, it would swallow its share of the new
times running                                   calls (they are spread by the system, not by us)
told to stop                                    so are all workers; each drains. Told again: they stop at
                                                once. Whoever is still there after the draining is killed
==============================================  ============================================================

Calls on a worker that died are entered again by the dialplan and reach another one, which finds them in
Redis. A call costs the crew nothing: it takes no part in any.
"""

import asyncio
import contextlib
import json
import logging
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Self

log = logging.getLogger(__name__)

CANNOT_BE_SET_UP = 2
"""Exit status of a command whose settings cannot be used (``app.__main__``)."""

GRACE_S = 10.0
"""Beyond the time for draining: after that a worker hangs."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What a worker is told when it starts."""

    index: int
    """The first is 0: it chooses the worker's own ports."""
    agi_port: int
    """Of all workers alike; the system spreads new connections over those that listen."""
    api_key: str
    """Of the HTTP pages of all."""

    def line(self) -> str:
        """As it is sent."""
        return f"{json.dumps(asdict(self))}\n"

    @classmethod
    def read(cls, line: str) -> Self:
        """What was sent. Raises ``ValueError`` for anything else."""
        try:
            return cls(**json.loads(line))
        except TypeError as exc:
            raise ValueError(f"these are no orders for a worker: {exc}") from exc


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker tells when it takes calls."""

    http_url: str
    audio_port: int

    def line(self) -> str:
        """As it is sent."""
        return f"{json.dumps(asdict(self))}\n"

    @classmethod
    def read(cls, line: bytes) -> Self:
        """What was sent. Raises ``ValueError`` for anything else."""
        try:
            return cls(**json.loads(line))
        except TypeError as exc:
            raise ValueError(f"this is no worker's report: {exc}") from exc


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How patient the crew is."""

    short_life_s: float = 10.0
    """Who dies younger is started again after a pause."""
    first_pause_s: float = 0.5
    longest_pause_s: float = 30.0
    looked_at_s: float = 5.0
    """Between two looks at a worker; also how long it may take to answer one."""
    misses: int = 3
    """Looks in a row without an answer after which it is killed."""


RHYTHM = Rhythm()

Alive = Callable[[str, float], Awaitable[bool]]
"""Whether the pages at a URL answer within so many seconds."""


@dataclass(slots=True)
class Place:
    """One worker's place in the crew; whoever fills it has the same index and ports."""

    index: int
    process: asyncio.subprocess.Process | None = None
    report: Report | None = None
    """None while it starts."""
    started: int = 0
    """How often."""


class Crew:
    """Workers of one machine."""

    def __init__(
        self,
        command: Sequence[str],
        orders: Sequence[Orders],
        alive: Alive,
        drain_s: float,
        rhythm: Rhythm = RHYTHM,
    ) -> None:
        """``command`` starts one worker; ``orders`` holds one line for each; ``drain_s`` is how long they may
        take to finish their calls.
        """
        self._command = command
        self._orders = orders
        self._alive = alive
        self._drain_s = drain_s
        self._rhythm = rhythm
        self._stopping = asyncio.Event()
        self._unusable = False
        self.places = [Place(one.index) for one in orders]

    @property
    def agi_port(self) -> int:
        """Where Asterisk finds all of them."""
        return self._orders[0].agi_port

    @property
    def stopping(self) -> bool:
        """Whether it was told to."""
        return self._stopping.is_set()

    def reports(self) -> Iterator[tuple[int, Report | None]]:
        """Every worker's index, and where its pages are; None while it starts."""
        for place in self.places:
            yield place.index, place.report

    async def all_up(self) -> bool:
        """Wait until every worker has taken calls once; False when they never will."""
        while not all(place.report for place in self.places):
            if self.stopping:
                return False
            await asyncio.sleep(0.05)
        return True

    def stop(self) -> None:
        """Tell all to drain; told again, to stop at once."""
        self._stopping.set()
        for place in self.places:
            _signal(place.process, signal.SIGTERM)

    async def run(self) -> bool:
        """Keep all places filled until stopped; False when the workers could not be set up at all."""
        async with asyncio.TaskGroup() as group:
            for place, orders in zip(self.places, self._orders, strict=True):
                group.create_task(self._fill(place, orders), name=f"worker {place.index}")
            group.create_task(self._kill_late(), name="late workers")
        return not self._unusable

    # one place

    async def _fill(self, place: Place, orders: Orders) -> None:
        loop = asyncio.get_running_loop()
        pause_s = 0.0
        while not self.stopping:
            if pause_s and await self._stops_within(pause_s):
                return
            began_s = loop.time()
            status = await self._work(place, orders)
            was_up, place.report = place.report is not None, None
            if self.stopping:
                return
            if status == CANNOT_BE_SET_UP and not was_up and place.started == 1:
                self._unusable = True
                self.stop()
                return
            log.error("worker.died", extra={"worker": place.index, "status": status})
            if loop.time() - began_s >= self._rhythm.short_life_s:
                pause_s = 0.0
            else:
                pause_s = min(max(2 * pause_s, self._rhythm.first_pause_s), self._rhythm.longest_pause_s)

    async def _work(self, place: Place, orders: Orders) -> int:
        """One worker's life; its exit status, negative for a signal."""
        # In a session of its own: Ctrl-C at a terminal is for the crew, which tells its workers once.
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        place.process = process
        place.started += 1
        if self.stopping:
            _signal(process, signal.SIGTERM)
        try:
            assert process.stdin is not None  # noqa: S101 - asked for above
            assert process.stdout is not None  # noqa: S101
            with contextlib.suppress(ConnectionError):
                process.stdin.write(orders.line().encode())
                await process.stdin.drain()
            if line := await process.stdout.readline():
                place.report = Report.read(line)
                log.info("worker.ready", extra={"worker": place.index, "url": place.report.http_url})
                await self._watch(process, place.report)
            return await process.wait()
        finally:
            place.process = None
            _signal(process, signal.SIGKILL)

    async def _watch(self, process: asyncio.subprocess.Process, report: Report) -> None:
        """Return when the worker has ended; kill it when it hangs."""
        ended = asyncio.create_task(process.wait())
        misses = 0
        try:
            while not (await asyncio.wait({ended}, timeout=self._rhythm.looked_at_s))[0]:
                misses = 0 if await self._alive(report.http_url, self._rhythm.looked_at_s) else misses + 1
                if misses >= self._rhythm.misses:
                    log.error("worker.frozen", extra={"url": report.http_url})
                    _signal(process, signal.SIGKILL)
        finally:
            ended.cancel()

    # the end

    async def _stops_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._stopping.wait()
        except TimeoutError:
            return False

    async def _kill_late(self) -> None:
        await self._stopping.wait()
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._drain_s + GRACE_S
        while any(place.process for place in self.places):
            if loop.time() > until_s:
                for place in self.places:
                    _signal(place.process, signal.SIGKILL)
            await asyncio.sleep(0.05)


def _signal(process: asyncio.subprocess.Process | None, number: int) -> None:
    if process is not None and process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
