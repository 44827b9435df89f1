"""What one call costs on the frame path: CPU per call-second, and how late frames are.

    python -m bench.frame_path [--calls 100] [--seconds 10] [--uvloop]

The servers run in this process with lines that have neither ear nor voice, so the figure is the wire's own:
sockets, decoder, metronome, one frame in and one out every 20 ms per call. The callers are
:class:`telephony.simulated.asterisk.SimulatedAsterisk`, in a process of their own so that their CPU is not
counted.
"""

import argparse
import asyncio
import multiprocessing
import resource
import statistics
import sys
from collections.abc import Callable, Coroutine
from itertools import pairwise
from multiprocessing.connection import Connection

from audio.pcm import FRAME_MS, SILENCE_FRAME
from graph.heard import Heard
from telephony.agi_server import AgiServer
from telephony.call import Call, CallerLeft, Outcome
from telephony.line import Line, Wire
from telephony.media_server import MediaServer
from telephony.metronome import Metronome
from telephony.simulated.asterisk import SimulatedAsterisk
from telephony.switchboard import Switchboard

WARM_UP_S = 1.0


class QuietLine(Line):
    """A line without ear and voice."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        self.frames_in = 0

    def attach(self, wire: Wire) -> None:
        self.wire = wire

    def audio_in(self, frame: bytes) -> None:
        self.frames_in += 1

    def next_frame(self) -> bytes:
        return SILENCE_FRAME

    def closed(self, why: str) -> None:
        self.over.set()

    def hang_up(self) -> None:
        self.over.set()


class QuietReception:
    """Listens to every call until it ends."""

    def __init__(self) -> None:
        self.lines: list[QuietLine] = []

    def open(self, call: Call) -> Line:
        self.lines.append(QuietLine())
        return self.lines[-1]

    async def run(self, call: Call, line: Line, first: Heard) -> Outcome:
        if not isinstance(line, QuietLine):
            raise TypeError(f"not opened here: {line!r}")
        await line.over.wait()
        return CallerLeft()

    async def whisper(self, line: Line, summary: str, customer_number: str) -> bool:
        return False

    async def close(self, call: Call, outcome: Outcome) -> None:
        pass


async def ring(port: int, calls: int, seconds: float, results: Connection) -> None:
    """The callers: all for as long, started evenly over a second; sends the gaps between frames in ms."""
    asterisk = SimulatedAsterisk(("127.0.0.1", port))
    gaps_ms: list[float] = []

    async def one(number: int) -> None:
        await asyncio.sleep(number / calls)
        async with asterisk.call() as call:
            await call.connected()
            await call.pause((seconds + 2 * WARM_UP_S) * 1000)
            arrivals = call.phone.arrivals_ms
            gaps_ms.extend(after - before for before, after in pairwise(arrivals))

    async with asyncio.TaskGroup() as group:
        for number in range(calls):
            group.create_task(one(number))
    results.send(gaps_ms)


async def serve(calls: int, seconds: float) -> None:
    """Serve ``calls`` for ``seconds``, and print what it cost."""
    reception, metronome, switchboard = QuietReception(), Metronome(), Switchboard()
    media = MediaServer("127.0.0.1", 0, switchboard, metronome)
    await media.start()
    agi = AgiServer("127.0.0.1", 0, switchboard, reception, ("127.0.0.1", media.port))
    await agi.start()
    ours, theirs = multiprocessing.Pipe()
    callers = multiprocessing.get_context("spawn").Process(
        target=_ring_in_process, args=(agi.port, calls, seconds, theirs)
    )
    callers.start()
    while sum(connection.joined for connection in switchboard.live()) < calls:  # noqa: ASYNC110  # a bench
        await asyncio.sleep(0.05)
    await asyncio.sleep(WARM_UP_S)
    frames_before, cpu_before, late_before = _frames(reception), _cpu_s(), metronome.late_ticks
    began_s = asyncio.get_running_loop().time()
    await asyncio.sleep(seconds)
    took_s = asyncio.get_running_loop().time() - began_s
    cpu_s, frames = _cpu_s() - cpu_before, _frames(reception) - frames_before
    late = metronome.late_ticks - late_before
    gaps_ms = await asyncio.to_thread(ours.recv)
    callers.join()
    await agi.close()
    await media.close()
    percentiles = statistics.quantiles(gaps_ms, n=1000)
    sys.stdout.write(
        f"{calls} calls, {took_s:.1f} s: {cpu_s / took_s * 100:.1f} % of a core, "
        f"{cpu_s / took_s / calls * 1000:.2f} ms of CPU per call-second, "
        f"{frames / calls / took_s:.1f} frames/s heard per call, {late} ticks skipped\n"
        f"gaps between frames at the caller: median {percentiles[499]:.1f} ms, "
        f"p99 {percentiles[989]:.1f} ms, longest {max(gaps_ms):.1f} ms (nominal {FRAME_MS})\n"
    )


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _frames(reception: QuietReception) -> int:
    return sum(line.frames_in for line in reception.lines)


def _ring_in_process(port: int, calls: int, seconds: float, results: Connection) -> None:
    asyncio.run(ring(port, calls, seconds, results))


def _runner(*, with_uvloop: bool) -> Callable[[Coroutine[None, None, None]], None]:
    if with_uvloop:
        import uvloop  # not on every system

        return uvloop.run
    return asyncio.run


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="CPU per call-second of the frame path.")
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--uvloop", action="store_true")
    arguments = parser.parse_args()
    _runner(with_uvloop=arguments.uvloop)(serve(arguments.calls, arguments.seconds))
