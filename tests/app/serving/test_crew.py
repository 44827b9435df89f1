"""The supervisor of several workers, over processes that only pretend to be some."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from app.serving.crew import Crew, Orders, Report, Rhythm
from app.serving.crew_pages import create_crew_pages, merged

HASTE = Rhythm(short_life_s=0.0, first_pause_s=0.01, longest_pause_s=0.05, looked_at_s=0.1, misses=2)
DIES_YOUNG = Rhythm(short_life_s=60, first_pause_s=0.01, longest_pause_s=0.04, looked_at_s=0.1, misses=2)

UNREADABLE = r"no orders|no worker|Expecting value"

WORKER = """
import json, os, signal, sys
orders = json.loads(sys.stdin.readline())
with open(os.path.join({folder!r}, f"{{orders['index']}}-{{os.getpid()}}"), "w") as file:
    file.write(json.dumps(orders))
{also}
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print(json.dumps({{"http_url": f"http://worker-{{orders['index']}}", "audio_port": 9092}}), flush=True)
sys.stdin.read()
sys.exit(0)
"""


def command(folder: Path, also: str = "") -> Sequence[str]:
    return (sys.executable, "-c", WORKER.format(folder=str(folder), also=also))


async def yes(url: str, within_s: float) -> bool:
    return True


@asynccontextmanager
async def crew_of(
    folder: Path, also: str = "", *, alive: Callable[..., object] = yes, rhythm: Rhythm = HASTE
) -> AsyncIterator[tuple[Crew, "asyncio.Task[bool]"]]:
    orders = [Orders(index, 4573, "k") for index in range(2)]
    crew = Crew(command(folder, also), orders, alive, 0.0, rhythm)  # type: ignore[arg-type]
    running = asyncio.create_task(crew.run())
    try:
        yield crew, running
    finally:
        crew.stop()
        await running


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - processes are waited for
        await asyncio.sleep(0.01)


async def test_every_worker_is_told_who_it_is_and_says_where_it_is(tmp_path: Path) -> None:
    async with crew_of(tmp_path) as (crew, running):
        assert await crew.all_up()
        assert dict(crew.reports()) == {at: Report(f"http://worker-{at}", 9092) for at in range(2)}
        crew.stop()
        assert await running
    assert sorted(name[0] for name in os.listdir(tmp_path)) == ["0", "1"]  # noqa: PTH208 - nothing waits here


async def test_a_worker_that_is_killed_is_started_again_and_the_other_is_left_alone(tmp_path: Path) -> None:
    async with crew_of(tmp_path) as (crew, _):
        assert await crew.all_up()
        first, other = (place.process for place in crew.places)
        assert first is not None
        first.kill()
        await until(lambda: crew.places[0].started == 2 and crew.places[0].report is not None)
        assert crew.places[1].process is other


async def test_who_dies_young_is_started_again_more_and_more_slowly(tmp_path: Path) -> None:
    async with crew_of(tmp_path, "sys.exit(1)", rhythm=DIES_YOUNG) as (crew, running):
        await until(lambda: min(place.started for place in crew.places) > 3)
        assert not running.done()


async def test_settings_that_cannot_be_used_end_the_crew_instead_of_starting_for_ever(tmp_path: Path) -> None:
    async with crew_of(tmp_path, "sys.exit(2)") as (crew, running):
        assert not await crew.all_up()
        assert not await running
        assert {place.started for place in crew.places} <= {1}


async def test_a_worker_that_is_frozen_is_killed_and_another_takes_its_place(tmp_path: Path) -> None:
    frozen: set[str] = set()

    async def alive(url: str, within_s: float) -> bool:
        return url not in frozen

    async with crew_of(tmp_path, alive=alive) as (crew, _):
        assert await crew.all_up()
        stopped = crew.places[1].process
        assert stopped is not None
        os.kill(stopped.pid, signal.SIGSTOP)
        frozen.add("http://worker-1")
        assert await stopped.wait() == -signal.SIGKILL
        frozen.clear()
        await until(lambda: crew.places[1].started == 2 and crew.places[1].report is not None)
        assert crew.places[0].started == 1


async def test_a_worker_that_will_not_go_is_killed_when_its_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.serving.crew.GRACE_S", 0.2)
    deaf = "signal.signal = lambda *_: None; import signal as s; s.pthread_sigmask(s.SIG_BLOCK, [s.SIGTERM])"
    async with crew_of(tmp_path, deaf) as (crew, running):
        assert await crew.all_up()
        crew.stop()
        assert await running


def test_orders_and_reports_are_read_back_and_nothing_else_is() -> None:
    orders, report = Orders(1, 4573, "k"), Report("http://127.0.0.1:8002", 9093)
    assert Orders.read(orders.line()) == orders
    assert Report.read(report.line().encode()) == report
    for other in ("", "{}", "null", '{"index": 1}'):
        with pytest.raises(ValueError, match=UNREADABLE):
            Orders.read(other)
        with pytest.raises(ValueError, match=UNREADABLE):
            Report.read(other.encode())


# their pages

FIGURES = """# HELP voicebot_active_calls Calls.
# TYPE voicebot_active_calls gauge
voicebot_active_calls {calls}
# HELP voicebot_calls_total Calls that ended.
# TYPE voicebot_calls_total counter
voicebot_calls_total{{outcome="hung_up"}} 2.0
"""


def test_one_scrape_holds_the_figures_of_all_workers_and_says_how_many_answered() -> None:
    text = merged({0: FIGURES.format(calls="3.0"), 2: FIGURES.format(calls="4.0")}, of=3).decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert lines == [
        'voicebot_active_calls{worker="0"} 3.0',
        'voicebot_active_calls{worker="2"} 4.0',
        'voicebot_calls_total{outcome="hung_up",worker="0"} 2.0',
        'voicebot_calls_total{outcome="hung_up",worker="2"} 2.0',
        "voicebot_workers 3.0",
        "voicebot_workers_up 2.0",
    ]
    assert text.count("# TYPE voicebot_calls_total counter") == 1


async def test_the_machine_is_ready_when_one_worker_is_and_each_says_why_it_is_not(tmp_path: Path) -> None:
    asked: list[str] = []

    def worker(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers.get("X-API-Key", ""))
        if request.url.host == "worker-0":
            return httpx.Response(503, json={"ready": False, "reasons": ["draining"]})
        if request.url.path == "/metrics":
            return httpx.Response(200, text=FIGURES.format(calls="1.0"))
        return httpx.Response(200, json={"ready": True, "reasons": []})

    async with crew_of(tmp_path) as (crew, _), httpx.AsyncClient(transport=httpx.MockTransport(worker)) as to:
        pages = httpx.ASGITransport(create_crew_pages(crew, "k", to))
        async with httpx.AsyncClient(transport=pages, base_url="http://crew") as http:
            starting = await http.get("/ready", headers={"X-API-Key": "k"})
            assert await crew.all_up()
            ready = await http.get("/ready", headers={"X-API-Key": "k"})
            metrics = await http.get("/metrics", headers={"Authorization": "Bearer k"})
            assert (await http.get("/health")).json() == {"status": "alive"}
            assert (await http.get("/ready")).status_code == 401
    assert starting.status_code == 503
    assert {reason for one in starting.json()["workers"] for reason in one["reasons"]} == {"is starting"}
    assert ready.status_code == 200
    assert [(one["ready"], one["reasons"]) for one in ready.json()["workers"]] == [
        (False, ["draining"]),
        (True, []),
    ]
    assert "voicebot_workers_up 1.0" in metrics.text
    assert set(asked) == {"k"}
