"""The dialogue with all it stands on, without a line: for calls by text, and for the agent."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from redis.asyncio import Redis

from app.settings import Settings
from app.watching.events import AnnouncedCallBacks, announce_switches
from app.wiring.backoffice import choose_backoffice
from app.wiring.faculties import Faculties, choose_model, open_faculties
from app.wiring.providers import Providers
from app.wiring.stores import (
    CALL_BACKS,
    choose_checkpoints,
    choose_counters,
    choose_dropped_calls,
    choose_redis,
    identity_key,
)
from graph.builder import Services, build_graph
from graph.dialogue import Dialogue
from graph.safekeeping import Safekeeping
from knowledge.llm import LanguageModel
from knowledge.retriever import Retriever
from memory.breaker_link import sharing
from memory.dropped_calls import DroppedCalls, MemoryDroppedCalls
from memory.event_stream import STREAM, writing
from memory.events import Bus, MemoryBus
from memory.limits import Limits
from memory.lockout import CountedLockout, Lockout
from tools.backoffice import Backoffice
from tools.call_backs import CallBacks, FileCallBacks
from tools.gate import Gate
from tools.opening_hours import PARIS, OpeningHours


def this_moment() -> datetime:
    """Now, with its time zone."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Mind:
    """The dialogue with what it stands on, without a line."""

    dialogue: Dialogue
    knowledge: Retriever
    parts: dict[str, str]
    """What was chosen, by port."""
    limits: Limits
    """Which calls may be taken, over all workers."""
    dropped: DroppedCalls
    """Calls that broke off a few minutes ago."""
    bus: Bus = field(default_factory=MemoryBus)
    """Where events for other systems go."""
    takes_calls: Callable[[], bool] = lambda: True
    """Whether new calls can be kept: not while the store of calls is away."""
    redis: Redis | None = None
    """What the workers share, if they do."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a mind meets besides callers: systems, memory, time. Replays bring their own."""

    backoffice: Backoffice
    lockout: Lockout
    identity_key: bytes
    call_backs: CallBacks
    hours: OpeningHours
    now: Callable[[], datetime]
    model: LanguageModel | None = None
    dropped: DroppedCalls = field(default_factory=MemoryDroppedCalls)


def services_of(faculties: Faculties, around: Surroundings, day: date | None = None) -> Services:
    """What the graph stands on, put together in the one way that answers the phone.

    ``day`` is today's date when it is not that of ``around.now``.
    """

    def today() -> date:
        return day or around.now().astimezone(PARIS).date()  # the day on the caller's calendar

    return Services(
        backoffice=around.backoffice,
        gate=Gate(around.backoffice, around.identity_key, around.lockout, today),
        retriever=faculties.knowledge,
        classifier=faculties.classifier,
        model=around.model,
        call_backs=around.call_backs,
        dropped=around.dropped,
        hours=around.hours,
        today=today,
        now=around.now,
    )


@asynccontextmanager
async def open_mind(
    settings: Settings,
    now: Callable[[], datetime] = this_moment,
    providers: Providers | None = None,
    model: LanguageModel | None = None,
) -> AsyncIterator[Mind]:
    """The dialogue alone: for the text chat, and within :func:`open_agent`.

    ``now`` decides whether people are there; replays fix it. ``providers`` None: watched by the log only.
    ``model`` takes the place of the one that the settings name, for measurements.
    """
    providers = providers or Providers.watched_by()
    async with AsyncExitStack() as stack:
        model = model or await choose_model(settings, providers, stack)
        backoffice = await choose_backoffice(settings, providers, stack)
        faculties = await stack.enter_async_context(open_faculties(settings))
        redis = await choose_redis(settings, stack)
        checkpointer, kept_in = await choose_checkpoints(settings, redis, stack)
        key = identity_key(settings)
        counters = choose_counters(redis)
        call_backs = settings.application.data_folder / CALL_BACKS
        bus: Bus = MemoryBus() if redis is None else await stack.enter_async_context(writing(redis))
        providers.listeners.append(announce_switches(bus, now))
        if redis is not None:
            await stack.enter_async_context(sharing(providers.breakers, redis))
        dropped = choose_dropped_calls(settings, redis, key)
        around = Surroundings(
            backoffice=backoffice,
            lockout=CountedLockout(counters),
            identity_key=key,
            call_backs=AnnouncedCallBacks(FileCallBacks(call_backs), bus),
            dropped=dropped,
            hours=settings.opening.hours(),
            now=now,
            model=model,
        )
        services = services_of(faculties, around)
        dialogue = Dialogue(build_graph(services), checkpointer)
        kept = checkpointer if isinstance(checkpointer, Safekeeping) else None
        host = settings.knowledge.host
        parts = {
            "back office": settings.insurance.api_base_url or "fictional customers",
            "knowledge": f"Qdrant at {host}" if host else "Qdrant inside",
            "language model": model.name if model is not None else "none",
            "checkpoints": kept_in,
            "call-backs": str(call_backs),
        }
        parts["events"] = "nowhere (no Redis)" if redis is None else STREAM
        limits = Limits(counters, settings.limits.rules(settings.asterisk_manager.longest_call_s), key)
        yield Mind(
            dialogue=dialogue,
            knowledge=faculties.knowledge,
            parts=parts,
            limits=limits,
            dropped=dropped,
            bus=bus,
            takes_calls=lambda: kept is None or kept.present,
            redis=redis,
        )
