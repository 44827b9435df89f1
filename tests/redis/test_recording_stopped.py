"""« Arrêtez l'enregistrement » reaches everything that keeps something of a call.

One call with all that can keep anything: transcript, sound, checkpoints, events, counters, traces, log, the
memory of dropped calls. What the caller said is looked for in every file and under every key.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from redis.asyncio import Redis

from app.watching.archiving import ArchiveJournal
from app.watching.events import EventJournal
from app.watching.logs import EventFormatter, LogJournal
from app.watching.tracing import CallTraces
from graph.checkpoints import RedisForm
from memory.archive import FileArchive
from memory.dropped_calls import RedisDroppedCalls
from memory.event_stream import on_stream, writing
from memory.events import RecordingStopped
from memory.limits import Limits, Rules
from memory.redis_connection import READER_TIMEOUT_S, connect
from memory.redis_counters import RedisCounters
from telephony.call import Call, CallerLeft, CallId, HungUp
from telephony.front_desk import FrontDesk
from telephony.journal import Journals
from telephony.recording import RecordedLine, Recordings
from tests.graph.conversation import services
from tests.redis.savers import redis as opened
from tests.redis.server import RedisServer
from tests.telephony.scene import Scene, call

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
SECRET = b"s" * 32
WHO = Call(CallId("b6b1c0de-0000-4000-8000-000000000003"), "0612345678")
WORDS = ["combien j'ai sur mon assurance vie saperlipopette", "arrêtez l'enregistrement"]
TRACES_OF_IT = ("saperlipopette", "assurance vie", "enregistrement", "RIFF")
"""Words of his, and the first letters of a WAV."""


@dataclass
class Everything:
    """All that may keep something of a call, in one folder and one Redis."""

    folder: Path
    redis: Redis
    saver: BaseCheckpointSaver[Any]

    def __post_init__(self) -> None:
        self.archive = FileArchive(self.folder / "archive")
        self.transcripts = ArchiveJournal(self.archive, {}, lambda: NOW)
        self.recordings = Recordings(self.archive, lambda: NOW, piece_ms=200)
        self.dropped = RedisDroppedCalls(self.redis, SECRET)
        self.limits = Limits(RedisCounters(self.redis), Rules(calls_at_once=5), SECRET)
        self.spans = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.spans))
        self.traces = CallTraces(provider.get_tracer("test"))

    async def hears(self, words: list[str], talk: Callable[[Scene], Awaitable[None]]) -> None:
        """A call in which ``words`` are said, up to where ``talk`` returns, and the end of it."""
        log = logging.getLogger("test.recording_stopped")
        log.setLevel(logging.INFO)
        handler = logging.FileHandler(self.folder / "log")
        handler.setFormatter(EventFormatter())
        log.addHandler(handler)
        async with writing(self.redis) as bus:
            own = (
                self.transcripts,
                self.recordings,
                EventJournal(bus, lambda: NOW),
                self.traces,
                LogJournal(log),
            )

            def at(desk: FrontDesk) -> FrontDesk:
                return replace(
                    desk,
                    journal=Journals((desk.journal, *own)),
                    limits=self.limits,
                    dropped=self.dropped,
                    recordings=self.recordings,
                )

            given = replace(services(), dropped=self.dropped)
            async with call(words, given=given, saver=self.saver, who=WHO, at=at, line=RecordedLine) as scene:
                await talk(scene)
                await scene.running
            await self.transcripts.written()
            await self.recordings.close()
        handler.close()
        log.removeHandler(handler)
        spans = [span.to_json() for span in self.spans.get_finished_spans()]
        (self.folder / "traces").write_text("\n".join(spans), encoding="utf-8")

    async def kept(self) -> str:
        """Everything, in one text."""
        files = [path.read_bytes() for path in self.folder.rglob("*") if path.is_file()]
        keys = [await _read(self.redis, key) async for key in self.redis.scan_iter()]
        return b"\n".join([*files, *keys]).decode("latin-1")


async def _read(redis: Redis, key: bytes) -> bytes:
    kind = str(await redis.type(key), "ascii")  # type: ignore[arg-type]
    value: object
    match kind:
        case "string":
            value = await redis.get(key)
        case "hash":
            value = await redis.hgetall(key)
        case "set":
            value = await redis.smembers(key)
        case "list":
            value = await redis.lrange(key, 0, -1)
        case "zset":
            value = await redis.zrange(key, 0, -1)
        case "stream":
            value = await redis.xrange(key)
        case "ReJSON-RL":
            value = await redis.execute_command("JSON.GET", key)  # type: ignore[no-untyped-call]
        case _:
            raise AssertionError(f"{key!r} is a {kind}: read that here, too")
    return key + b" " + (value if isinstance(value, bytes) else repr(value).encode("latin-1", "replace"))


def found(kept: str) -> set[str]:
    return {one for one in TRACES_OF_IT if one in kept}


@pytest.mark.parametrize("form", ["library", "core"])
@pytest.mark.parametrize("ending", ["cut off", "goodbye"])
async def test_a_caller_who_says_so_in_his_second_turn_leaves_no_word_in_any_file_or_key(
    form: RedisForm, ending: str, full_redis: RedisServer, bare_redis: RedisServer, tmp_path: Path
) -> None:
    server = full_redis if form == "library" else bare_redis
    async with connect(server.url, timeout_s=READER_TIMEOUT_S) as client, opened(server.url, form)() as saver:
        for key in [key async for key in client.scan_iter()]:
            await client.delete(key)
        everything = Everything(tmp_path, client, saver)

        async def talk(scene: Scene) -> None:
            await scene.phone.hears_the_agent_out()
            await scene.says()
            await scene.phone.waits_until(lambda: not scene.phone.line.playback.busy)
            async with asyncio.timeout(10):
                while found(await everything.kept()) < {"saperlipopette", "assurance vie", "RIFF"}:
                    await scene.phone.waits(200)  # it is kept so far, words and sound
            await scene.says()
            await scene.phone.hears_the_agent_out()
            assert "greet.not_recorded" in scene.journal.said()
            if ending == "goodbye":
                await scene.says()
                assert isinstance(await scene.outcome(), HungUp)
            else:
                scene.phone.line.closed("the line broke")
                assert isinstance(await scene.running, CallerLeft)

        await everything.hears([*WORDS, "au revoir"], talk)
        assert found(await everything.kept()) == set()
        stopped = [event async for event in on_stream(client) if isinstance(event, RecordingStopped)]
        assert [event.call_id for event in stopped] == [WHO.id], "others who keep something are told"
        assert await everything.dropped.take(WHO.caller) is None


async def test_without_it_the_call_is_kept_where_the_settings_say(redis: Redis, tmp_path: Path) -> None:
    """So that the test above finds nothing because nothing is there."""
    url = redis.connection_pool.connection_kwargs
    async with opened(f"redis://{url['host']}:{url['port']}", "core")() as saver:
        everything = Everything(tmp_path, redis, saver)

        async def talk(scene: Scene) -> None:
            await scene.phone.hears_the_agent_out()
            await scene.says()
            await scene.phone.waits_until(lambda: not scene.phone.line.playback.busy)
            scene.phone.line.closed("the line broke")
            await scene.running

        await everything.hears(WORDS[:1], talk)
        assert found(await everything.kept()) == {"saperlipopette", "assurance vie", "RIFF"}
        kinds = {filed.kind.value for filed in await everything.archive.find(caller=WHO.caller)}
        assert kinds == {"transcripts", "audio"}
        assert await everything.dropped.take(WHO.caller) is not None
