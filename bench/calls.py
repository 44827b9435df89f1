"""What callers feel and what calls cost: the whole agent, rung by scripted callers over AudioSocket.

Run from the root; needs the extra ``local`` (the callers' voice)::

    python -m bench.calls                              # 1, 10, 25, 50 and 100 calls, a minute each
    python -m bench.calls --calls 1,10 --seconds 30 --json var/bench.json

The server (AGI, AudioSocket, Silero, session, the real graph with its checkpoints) has one core, the callers
another process on another core. Providers are the ports' twins with fixed delays (:mod:`bench.delays`), the
pause that ends a turn is 500 ms, whatever was asked; *sum* is that patience and the delays an answer needs.
What is measured on the callers' side is described in :mod:`bench.callers`, the layers in :mod:`bench.layers`.

Beside our figures stand those of the field (:data:`bench.report.FIELD`).
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

from app import settings as configuration
from app.serving.settling import settle
from app.wiring import open_mind
from audio.endpointing import Expecting, TurnTiming
from audio.providers.silero_vad import SileroVad
from bench.callers import Findings, recorded, ring_in_process
from bench.delays import PassageModel, PromptVoice, RecordedStt
from bench.layers import LAYERS, REST, sampled
from bench.report import DELAYS, FIELD, PATIENCE_MS, SUM_MS, Result, Spread, table
from telephony.agi_server import AgiServer
from telephony.front_desk import FrontDesk
from telephony.journal import MemoryJournal
from telephony.media_server import MediaServer
from telephony.metronome import Metronome
from telephony.switchboard import Switchboard

MS_PER_CHARACTER = 25
"""Pace of the agent's voice: brisk, so that more turns fit into a minute."""


async def _serve(
    calls: int, seconds: float, lines: Mapping[str, bytes], cores: tuple[int, int] | None
) -> Result:
    with tempfile.TemporaryDirectory(prefix="bench-calls-") as folder:
        settings = configuration.read(Path(folder, "no.env"))
        settings = _with_data_in(settings, Path(folder))
        model = PassageModel(DELAYS)
        async with open_mind(settings, model=model) as mind:
            timing = TurnTiming(patience_ms=dict.fromkeys(Expecting, PATIENCE_MS))
            detector, switchboard, metronome = SileroVad(), Switchboard(), Metronome()
            detector.gather_with(metronome.soon)
            ears = RecordedStt(lines, DELAYS.transcript_ms)
            desk = FrontDesk(
                mind.dialogue,
                ears,
                PromptVoice(DELAYS.first_sound_ms, MS_PER_CHARACTER),
                detector,
                timing,
                MemoryJournal(),
            )
            media = MediaServer("127.0.0.1", 0, switchboard, metronome)
            await media.start()
            agi = AgiServer("127.0.0.1", 0, switchboard, desk, ("127.0.0.1", media.port))
            await agi.start()
            try:
                await _called(agi.port, 1, 6.0, lines, cores)  # what is made once is not a call's
                settle()
                return await _measured(
                    agi.port, calls, seconds, lines, cores, switchboard, metronome, ears, model
                )
            finally:
                await agi.close()
                await media.close()


async def _measured(
    port: int,
    calls: int,
    seconds: float,
    lines: Mapping[str, bytes],
    cores: tuple[int, int] | None,
    switchboard: Switchboard,
    metronome: Metronome,
    ears: RecordedStt,
    model: PassageModel,
) -> Result:
    wrote_before = model.wrote
    mb_before, late_before, asked_before = _rss_mb(), metronome.late_ticks, ears.asked
    ringing = asyncio.create_task(_called(port, calls, seconds, lines, cores))
    while sum(connection.joined for connection in switchboard.live()) < calls and not ringing.done():  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    loop = asyncio.get_running_loop()
    began_s, cpu_before_s = loop.time(), _cpu_s()
    with sampled() as samples:
        await asyncio.sleep(seconds - 6.0)
    took_s, cpu_s = loop.time() - began_s, _cpu_s() - cpu_before_s
    mb = (_rss_mb() - mb_before) / calls
    skipped = metronome.late_ticks - late_before
    found = await ringing
    cpu_ms = cpu_s / took_s / calls * 1000
    whole = max(samples.total(), 1)
    found.lost.extend(_not_worded(found, model.wrote - wrote_before))
    answered = sum(len(values) for values in found.silence_ms.values())
    return Result(
        calls=calls,
        silence_ms={kind: _spread(values) for kind, values in found.silence_ms.items()},
        barge_in_ms=_spread(found.stopped_ms),
        backchannels=(sum(found.backchannels), len(found.backchannels)),
        coughs=(sum(found.coughs), len(found.coughs)),
        late_p99_ms=_percentile(found.late_ms, 99),
        late_most_ms=max(found.late_ms, default=0.0),
        skipped_ticks=skipped,
        cpu_ms=cpu_ms,
        mb_per_call=mb,
        layers_ms={name: samples[name] / whole * cpu_ms for name in (*(name for name, _ in LAYERS), REST)},
        thrown_away=(ears.asked - asked_before) / max(answered, 1),
        lost=found.lost,
    )


def _not_worded(found: Findings, wrote: int) -> list[str]:
    """Whether the knowledge base has come to answer, or refuse, by itself what the model was to answer."""
    asked = len(found.silence_ms.get("llm", []))
    return [f"{asked - wrote} of {asked} questions were not the model's to answer"] if wrote < asked else []


async def _called(
    port: int, calls: int, seconds: float, lines: Mapping[str, bytes], cores: tuple[int, int] | None
) -> Findings:
    """Let callers ring from a process of their own; what they found."""
    ours, theirs = multiprocessing.Pipe()
    callers = multiprocessing.get_context("spawn").Process(
        target=ring_in_process, args=(port, calls, seconds, lines, theirs, cores[1] if cores else None)
    )
    await asyncio.to_thread(callers.start)  # the calls under way must not wait for a process to begin or end
    theirs.close()
    found = cast("Findings", await asyncio.to_thread(ours.recv))
    await asyncio.to_thread(callers.join)
    return found


def _serve_in_process(
    calls: int, seconds: float, lines: Mapping[str, bytes], cores: tuple[int, int] | None, results: Connection
) -> None:
    """One number of calls in a fresh process, on one core."""
    if cores is not None:
        os.sched_setaffinity(0, {cores[0]})
    run = _serve(calls, seconds, lines, cores)
    try:
        import uvloop  # not on every system
    except ImportError:
        results.send(asyncio.run(run))
    else:
        results.send(uvloop.run(run))


def _with_data_in(settings: configuration.Settings, folder: Path) -> configuration.Settings:
    return replace(settings, application=settings.application.model_copy(update={"data_folder": folder}))


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


def _spread(values: Sequence[float]) -> Spread:
    return Spread(_percentile(values, 50), _percentile(values, 95), len(values))


def _percentile(values: Sequence[float], percent: int) -> float:
    if len(values) < 2:
        return values[0] if values else float("nan")
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def _run(numbers: Sequence[int], seconds: float, *, pinned: bool) -> list[Result]:
    available = sorted(os.sched_getaffinity(0))
    cores = (available[0], available[-1]) if pinned and len(available) > 1 else None
    lines = asyncio.run(recorded())
    results: list[Result] = []
    for calls in numbers:
        ours, theirs = multiprocessing.Pipe()
        server = multiprocessing.get_context("spawn").Process(
            target=_serve_in_process, args=(calls, seconds, lines, cores, theirs)
        )
        server.start()
        theirs.close()
        results.append(cast("Result", ours.recv()))
        server.join()
        sys.stderr.write(f"{calls} calls: measured\n")
        for fault in results[-1].lost[:3]:
            sys.stderr.write(f"{calls} calls: {fault}\n")
    return results


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.calls",
        description="What callers feel and what calls cost, with the whole agent and simulated providers.",
        epilog="example: python -m bench.calls --calls 1,10,100 --seconds 60 --json var/bench.json",
    )
    parser.add_argument(
        "--calls", default="1,10,25,50,100", help="numbers of calls, one run each (%(default)s)"
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="how long they talk (%(default)s)")
    parser.add_argument("--json", type=Path, help="write every figure there as well")
    parser.add_argument("--unpinned", action="store_true", help="let the system choose the cores")
    options = parser.parse_args()
    numbers = [int(number) for number in options.calls.split(",")]
    results = _run(numbers, options.seconds, pinned=not options.unpinned)
    sys.stdout.write(table(results) + "\n")
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "sum_ms": SUM_MS,
            "field": [asdict(one) for one in FIELD],
            "results": [asdict(result) for result in results],
        }
        options.json.write_text(json.dumps(content, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
