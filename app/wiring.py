"""Settings → the parts that answer the phone. The only file that knows brands.

Every choice is made once, at start, and can be read off :attr:`Agent.parts`: the terminal and the
readiness page say plainly which ear, voice and back office a call will meet.
"""

import asyncio
import logging
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from langchain_core.embeddings import Embeddings
from langgraph.checkpoint.base import BaseCheckpointSaver
from redis.asyncio import Redis

from app.archiving import archiving
from app.calls import CallBook
from app.costs import Costs
from app.events import AnnouncedCallBacks, EventJournal, announce_switches
from app.fixed_lines import fixed_sentences
from app.logs import log_breaker_news, log_provider_news
from app.monitor import Monitor, Thresholds
from app.person import Stores
from app.settings import Settings, SettingsInvalid
from app.warming import Warming
from audio.arriving import Bounds
from audio.fallback_ears import FallbackEars
from audio.fallback_voice import FallbackVoice, GuardedVoice
from audio.metered import MeteredEar, MeteredVoice
from audio.providers import ProviderUnavailable, load
from audio.providers.silero_vad import SileroVad
from audio.redis_sounds import RedisSounds
from audio.sound_cache import CachedVoice, DiskSounds, LayeredSounds, SoundCache
from audio.stt import SpeechToText
from audio.tts import TextToSpeech
from audio.word_ruler import AlignedRuler, CharacterRuler
from graph.builder import Services, build_graph
from graph.checkpoints import open_checkpoints, open_redis_checkpoints
from graph.dialogue import Dialogue
from graph.safekeeping import Safekeeping
from graph.sealed_checkpoints import sealed
from knowledge.answer_writer import AnswerWriter
from knowledge.documents import read_folder
from knowledge.embeddings import EmbeddingsUnavailable, load_embeddings
from knowledge.intents import IntentClassifier, LocalIntentClassifier
from knowledge.llm import LanguageModel
from knowledge.llm_chain import FallbackModel
from knowledge.qdrant_retriever import QdrantRetriever
from knowledge.retriever import Retriever
from knowledge.understanding import Understanding
from memory.archive import FileArchive, Kind
from memory.breaker import Breakers
from memory.breaker_link import sharing
from memory.counters import Counters, MemoryCounters, SturdyCounters
from memory.dropped_calls import DroppedCalls, MemoryDroppedCalls, RedisDroppedCalls
from memory.event_stream import STREAM, writing
from memory.events import Bus, MemoryBus
from memory.limits import Limits
from memory.lockout import CountedLockout, Lockout
from memory.provider_news import ProviderNews, Tell, nobody
from memory.redis_connection import connect, shown
from memory.redis_counters import RedisCounters
from nodes.faq import Faq
from prompts import load as load_words
from telephony.agi_server import AgiServer
from telephony.ami_client import AmiLink
from telephony.front_desk import FrontDesk
from telephony.journal import Journal, Journals
from telephony.media_server import MediaServer
from telephony.metronome import Metronome
from telephony.recording import Recordings
from telephony.standby import StandbyLines
from telephony.switchboard import Switchboard
from telephony.turned_away import WayOut
from tools.backoffice import Backoffice
from tools.backoffice_demo import DemoBackoffice
from tools.backoffice_http import HttpBackoffice
from tools.call_backs import CallBacks, FileCallBacks
from tools.gate import MIN_KEY_BYTES, Gate
from tools.opening_hours import PARIS, OpeningHours

if TYPE_CHECKING:  # imported when chosen, by the table of providers
    from audio.providers.azure_tts import AzureTts
    from audio.providers.closed_set_stt import ClosedSetStt
    from audio.providers.elevenlabs_tts import ElevenLabsTts
    from audio.providers.espeak_tts import EspeakTts
    from audio.providers.groq_stt import GroqStt
    from audio.providers.whisper_stt import WhisperStt
    from knowledge.llm_groq import GroqModel

log = logging.getLogger(__name__)

CALL_BACKS = "callbacks.jsonl"
"""In the data folder: promised call-backs."""

REHEARSAL_LINES = Path(__file__).parent / "rehearsal" / "lines.txt"
"""What the keyless ear knows when nothing else is configured: the caller's part of the demonstration."""

GROQ_LEAST_BILLED_MS = 10_000
"""Of an utterance; shorter ones are charged as that (Groq's price list)."""

REHEARSAL_VOICE = "fr+f2"
"""espeak-ng's voice in which the keyless ear's lines are recorded, and in which the scripted caller speaks:
that ear compares sound, so it only knows the speaker it was made with. The agent has another voice."""


@dataclass(frozen=True, slots=True)
class Agent:
    """Everything that answers the phone, ready; the two servers are listening."""

    settings: Settings
    dialogue: Dialogue
    knowledge: Retriever
    ears: SpeechToText
    voice: TextToSpeech
    calls: CallBook
    journal: Journal
    switchboard: Switchboard
    metronome: Metronome
    agi: AgiServer
    media: MediaServer
    monitor: Monitor
    parts: dict[str, str]
    """What was chosen, by port: ear, voice, language model, back office, knowledge, checkpoints."""
    breakers: Breakers = field(default_factory=Breakers)
    """Of all providers of speech and language."""


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


class CloudVoice(TextToSpeech, Protocol):
    """A voice behind a connection."""

    async def warm(self) -> None:
        """Open it ahead."""

    async def close(self) -> None:
        """Close it."""


@dataclass(frozen=True, slots=True)
class Voices:
    """Who speaks."""

    voice: TextToSpeech
    """All of them as one."""
    cached: tuple[CachedVoice, ...]
    """The cloud voices, in order, each with its fixed lines."""
    fixed: tuple[str, ...]
    """The fixed sentences, as they are given to a voice."""
    local: str
    """Name of the local voice when it is one of them."""
    warm: dict[str, Callable[[], Awaitable[None]]]
    """How to open a cloud voice's connection ahead, by name."""


def this_moment() -> datetime:
    """Now, with its time zone."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Providers:
    """What the adapters of speech and language share: breakers, and who is told of switches and tokens."""

    listeners: list[Tell]
    """Whom :meth:`tell` tells; more may come."""
    breakers: Breakers
    warming: Warming

    @classmethod
    def watched_by(cls, *listeners: Tell) -> Self:
        """Fresh ones; ``listeners`` are told besides the log."""
        breakers = Breakers(tell=log_breaker_news)
        return cls([log_provider_news, *listeners], breakers, Warming(breakers))

    def tell(self, news: ProviderNews) -> None:
        """``news`` to everybody who wants them."""
        for listener in self.listeners:
            listener(news)


@dataclass(frozen=True, slots=True)
class Faculties:
    """What takes long to make and keeps nothing of any call: one does for many minds."""

    classifier: IntentClassifier
    knowledge: Retriever


@asynccontextmanager
async def open_faculties(settings: Settings) -> AsyncIterator[Faculties]:
    """The classifier, trained, and the search over the knowledge base."""
    async with AsyncExitStack() as stack:
        knowledge = await _knowledge(settings, stack)
        learnt = settings.application.data_folder / "intents.npz"
        local = await asyncio.to_thread(LocalIntentClassifier.train, kept_in=learnt)
        yield Faculties(Understanding(local), knowledge)


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
        model = model or await _model(settings, providers, stack)
        backoffice = await _backoffice(settings, providers, stack)
        faculties = await stack.enter_async_context(open_faculties(settings))
        redis = await _redis(settings, stack)
        checkpointer, kept_in = await _checkpoints(settings, redis, stack)
        key = identity_key(settings)
        counters = _counters(redis)
        call_backs = settings.application.data_folder / CALL_BACKS
        bus: Bus = MemoryBus() if redis is None else await stack.enter_async_context(writing(redis))
        providers.listeners.append(announce_switches(bus, now))
        if redis is not None:
            await stack.enter_async_context(sharing(providers.breakers, redis))
        dropped = _dropped_calls(settings, redis, key)
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


@asynccontextmanager
async def open_faq(settings: Settings) -> AsyncIterator[Faq]:
    """The part that answers general questions, alone, with the model there is: for measuring it."""
    async with AsyncExitStack() as stack:
        model = await _model(settings, Providers.watched_by(nobody), stack)
        knowledge = await _knowledge(settings, stack)
        yield Faq(knowledge, None if model is None else AnswerWriter(model, load_words("faq").system))


@asynccontextmanager
async def open_agent(
    settings: Settings,
    journals: Sequence[Journal] = (),
    tick_ms: float = 20.0,
    now: Callable[[], datetime] = this_moment,
    tell: Tell = nobody,
    *,
    shares_agi_port: bool = False,
) -> AsyncIterator[Agent]:
    """The whole agent, listening for Asterisk until the block is left.

    ``journals`` are told what happens on every call. ``tick_ms`` below 20 lets calls run faster than
    life, ``now`` decides whether people are there (both for tests and replays). ``tell`` is told what
    providers of speech and language do. ``shares_agi_port``: other workers listen on it as well. Raises what
    the parts raise when they cannot be set up, and OSError when a port is taken.
    """
    async with AsyncExitStack() as stack:
        providers = Providers.watched_by(tell)
        stack.push_async_callback(providers.warming.close)
        mind = await stack.enter_async_context(open_mind(settings, now, providers))
        costs = Costs(mind.limits, settings.limits.prices(), providers.tell)
        providers.listeners.append(costs.told)
        voices = await _voices(settings, providers, mind.redis, stack, costs.said)
        voice = voices.voice
        for name, warm in voices.warm.items():
            providers.warming.add(name, warm)
        ears = await _ears(settings, providers, stack, costs.heard)
        calls = CallBook()
        parts = {"ear": ears.name, "voice": voice.name, **mind.parts}
        traces = await _traces(settings, stack)
        own: list[Journal] = [calls, costs, providers.warming, EventJournal(mind.bus, now), *traces]
        privacy = settings.privacy
        days = {Kind.TRANSCRIPT: privacy.transcript_days, Kind.AUDIO: privacy.audio_days}
        archive = archive_of(settings)
        if kept := await stack.enter_async_context(archiving(archive, parts, days, now)):
            own.append(kept)
        recordings = Recordings(archive, now) if privacy.audio_days else None
        if recordings is not None:
            own.append(recordings)
            stack.push_async_callback(recordings.close)
        journal = Journals((*own, *journals))
        switchboard, metronome = Switchboard(), Metronome(tick_ms)
        detector = await asyncio.to_thread(SileroVad)
        detector.gather_with(metronome.soon)
        turns = settings.turn_taking
        timing = settings.voice_activity.timing(turns)
        way_out = WayOut(settings.opening.hours(), now)
        standby = StandbyLines(voice, way_out.texts())
        await standby.make()
        desk = FrontDesk(
            mind.dialogue,
            ears,
            voice,
            detector,
            timing,
            journal,
            budgets=turns.budgets(),
            standby=standby,
            limits=mind.limits,
            way_out=way_out,
            may_go_on=costs.may_go_on,
            dropped=mind.dropped,
            recordings=recordings,
        )
        line = settings.asterisk
        media = MediaServer(line.audio_host, line.audio_port, switchboard, metronome)
        await media.start()
        stack.push_async_callback(media.close)
        audio_address = (line.audio_address or _reachable(line.audio_host), media.port)
        plan = settings.handover.plan()
        agi = AgiServer(
            line.agi_host,
            line.agi_port,
            switchboard,
            desk,
            audio_address,
            plan=plan,
            takes_calls=mind.takes_calls,
            shares_port=shares_agi_port,
        )
        await agi.start()
        stack.push_async_callback(agi.close)
        monitor = await _monitor(settings, stack, calls, "{}:{}".format(*audio_address), agi)
        providers.warming.begin()
        log.info("agent.ready", extra={"parts": parts, "agi_port": agi.port, "audio_port": media.port})
        yield Agent(
            settings=settings,
            dialogue=mind.dialogue,
            knowledge=mind.knowledge,
            ears=ears,
            voice=voice,
            calls=calls,
            journal=journal,
            switchboard=switchboard,
            metronome=metronome,
            agi=agi,
            media=media,
            monitor=monitor,
            parts=parts,
            breakers=providers.breakers,
        )


async def _monitor(
    settings: Settings, stack: AsyncExitStack, calls: CallBook, audio_address: str, agi: AgiServer
) -> Monitor:
    """Live calls, with AMI or without; neither waits for Asterisk."""
    given = settings.asterisk_manager
    link: AmiLink | None = None
    if given.configured:
        link = AmiLink(given.host, given.port, given.username, given.secret.get_secret_value())
        stack.push_async_callback(link.close)
    monitor = Monitor(
        link,
        calls,
        audio_address,
        given.endpoints(),
        given.handover_context,
        Thresholds(given.longest_call_s, given.longest_queue),
        taking_away=agi.taking_away,
    )
    await monitor.start()
    stack.push_async_callback(monitor.close)
    if link is not None:
        await link.start()
    return monitor


async def _redis(settings: Settings, stack: AsyncExitStack) -> Redis | None:
    """What the workers share; None for a worker on its own."""
    given = settings.redis
    if not given.address:
        return None
    return await stack.enter_async_context(connect(given.address, given.password.get_secret_value()))


async def _checkpoints(
    settings: Settings, redis: Redis | None, stack: AsyncExitStack
) -> tuple[BaseCheckpointSaver[Any], str]:
    """Where calls are kept, and how that is called."""
    ring, ttl_s = settings.privacy.ring(), settings.redis.session_ttl
    serde = sealed(ring) if ring is not None else None
    if redis is None:
        path = settings.checkpoints.path or str(settings.application.data_folder / "checkpoints.sqlite")
        return await stack.enter_async_context(open_checkpoints(path, serde, ttl_s)), path
    form = settings.checkpoints.redis
    opened = open_redis_checkpoints(redis, form, ttl_s, serde)
    return await stack.enter_async_context(opened), f"{shown(settings.redis.address)} ({form})"


def _counters(redis: Redis | None) -> Counters:
    """What is counted across calls; across workers too when there is a Redis."""
    own = MemoryCounters()
    return own if redis is None else SturdyCounters(RedisCounters(redis), own)


def _dropped_calls(settings: Settings, redis: Redis | None, key: bytes) -> DroppedCalls:
    """Calls that broke off: of this worker, or of all."""
    return MemoryDroppedCalls() if redis is None else RedisDroppedCalls(redis, key, settings.privacy.ring())


def archive_of(settings: Settings) -> FileArchive:
    """Where calls that are over are kept."""
    return FileArchive(settings.application.data_folder / "archive", settings.privacy.ring())


@asynccontextmanager
async def open_stores(settings: Settings) -> AsyncIterator[Stores]:
    """Everything that keeps something of calls, for who looks for a person in it.

    Raises what the stores raise when they cannot be reached.
    """
    async with AsyncExitStack() as stack:
        redis = await _redis(settings, stack)
        calls, _ = await _checkpoints(settings, redis, stack)
        key = identity_key(settings)
        counters: Counters = MemoryCounters() if redis is None else RedisCounters(redis)
        yield Stores(
            archive=archive_of(settings),
            calls=calls,
            call_backs=settings.application.data_folder / CALL_BACKS,
            counters=counters,
            limits=Limits(counters, settings.limits.rules(settings.asterisk_manager.longest_call_s), key),
            dropped=_dropped_calls(settings, redis, key),
            gate=Gate(await _backoffice(settings, Providers.watched_by(), stack), key),
            redis=redis,
        )


async def _traces(settings: Settings, stack: AsyncExitStack) -> list[Journal]:
    """What makes traces of calls; nothing without a collector."""
    given = settings.tracing
    if not given.exporter_otlp_endpoint:
        return []
    try:
        tracing = import_module("app.tracing")
    except ModuleNotFoundError as exc:
        raise SettingsInvalid(
            f"OTEL_EXPORTER_OTLP_ENDPOINT: traces need the Python package {exc.name!r}, which is not "
            "installed; pip install '.[traces]' brings it"
        ) from exc
    opened = tracing.open_traces(given.exporter_otlp_endpoint, given.headers(), given.service_name)
    return [await stack.enter_async_context(opened)]


@asynccontextmanager
async def open_voices(settings: Settings) -> AsyncIterator[Voices]:
    """The voices alone, for the commands about them."""
    async with AsyncExitStack() as stack:
        redis = await _redis(settings, stack)
        yield await _voices(settings, Providers.watched_by(nobody), redis, stack, _free)


async def _voices(
    settings: Settings,
    providers: Providers,
    redis: Redis | None,
    stack: AsyncExitStack,
    said: Callable[[int], None],
) -> Voices:
    """Those that have a key, in the order that is set; espeak-ng needs none.

    ``said`` is told how many characters a hosted one was given.
    Raises :class:`audio.providers.ProviderUnavailable` when there is none at all.
    """
    local = _local_voice(settings)
    ruler = CharacterRuler() if local is None else AlignedRuler(local)
    fixed = await asyncio.to_thread(fixed_sentences)
    sounds = _sounds(settings, redis)
    cloud: CloudVoice
    chain: list[TextToSpeech] = []
    kept: list[CachedVoice] = []
    warm: dict[str, Callable[[], Awaitable[None]]] = {}
    for name in settings.voices.order.split(","):
        match name:
            case "elevenlabs" if settings.elevenlabs.api_key.get_secret_value():
                cloud, sound = _elevenlabs(settings)
            case "azure" if settings.azure.speech_key.get_secret_value():
                cloud, sound = _azure(settings)
            case "espeak" if local is not None:
                chain.append(local)
                continue
            case _:
                continue
        stack.push_async_callback(cloud.close)
        warm[cloud.name] = cloud.warm
        metered = MeteredVoice(cloud, said)
        guarded = GuardedVoice(metered, providers.breakers.of(cloud.name), ruler, providers.tell)
        kept.append(CachedVoice(guarded, sounds, frozenset(fixed), sound))
        chain.append(kept[-1])
    if not chain:
        raise ProviderUnavailable(
            "no voice: give ELEVENLABS_API_KEY or AZURE_SPEECH_KEY, or install espeak-ng (the extra 'local')"
        )
    voice = chain[0] if chain == [local] else FallbackVoice(chain, ruler, providers.tell)
    return Voices(voice, tuple(kept), fixed, "" if local is None or local not in chain else local.name, warm)


def _local_voice(settings: Settings) -> "EspeakTts | None":
    """espeak-ng, which measures the others too; None where it is not installed and not the only one."""
    try:
        voice: type[EspeakTts] = load("espeak")
        return voice(settings.speech.voice, settings.speech.words_per_minute)
    except ProviderUnavailable:
        if settings.elevenlabs.api_key.get_secret_value() or settings.azure.speech_key.get_secret_value():
            log.warning("voice.no_last_resort", extra={"missing": "espeak-ng", "extra": "local"})
            return None
        raise


def _elevenlabs(settings: Settings) -> "tuple[ElevenLabsTts, str]":
    """The voice, and what changes its sound besides its name."""
    module = import_module("audio.providers.elevenlabs_tts")
    voice: type[ElevenLabsTts] = load("elevenlabs")
    given = settings.elevenlabs
    options = module.ElevenLabsOptions(
        given.model,
        module.SoundFormat(given.sound_format),
        keeps_nothing=given.zero_retention,
        bounds=_bounds(settings),
    )
    theirs = module.EU_ADDRESS if given.eu_residency else module.ADDRESS
    address = given.base_url or theirs
    return voice(given.api_key.get_secret_value(), given.voice_id, address, options), given.sound_format


def _azure(settings: Settings) -> "tuple[AzureTts, str]":
    voice: type[AzureTts] = load("azure")
    given = settings.azure
    key = given.speech_key.get_secret_value()
    made = voice(key, given.speech_region, given.speech_endpoint, given.voice_name, _bounds(settings))
    return made, ""


def _bounds(settings: Settings) -> Bounds:
    return Bounds(settings.voices.first_audio_ms, settings.voices.gap_ms)


def _sounds(settings: Settings, redis: Redis | None) -> SoundCache:
    """Where fixed lines are kept: in the data folder, then in Redis when there is one."""
    layers: list[SoundCache] = []
    if settings.voices.cache_mb:
        folder = settings.application.data_folder / "sounds"
        layers.append(DiskSounds(folder, settings.voices.cache_mb * 1_000_000))
    if redis is not None:
        layers.append(RedisSounds(redis))
    return LayeredSounds(*layers)


def _free(_: int) -> None:
    """Nobody counts what this costs."""


async def _ears(
    settings: Settings,
    providers: Providers,
    stack: AsyncExitStack,
    heard: Callable[[int], None] = _free,
) -> SpeechToText:
    """Groq's with a key, then Whisper here with a model; the closed list alone, or behind them if wanted.

    ``heard`` is told how many milliseconds of speech a hosted one was given.
    """
    chain: list[SpeechToText] = []
    groq, whisper, hearing = settings.groq, settings.whisper, settings.hearing
    if key := groq.api_key.get_secret_value():
        hosted: type[GroqStt] = load("groq")
        cloud = hosted(key, groq.base_url, groq.stt_model, groq.stt_timeout_ms)
        stack.push_async_callback(cloud.close)
        providers.warming.add(cloud.name, cloud.warm)
        chain.append(MeteredEar(cloud, heard, GROQ_LEAST_BILLED_MS))
    if whisper.model:
        local: type[WhisperStt] = load("whisper")
        here = await local.of(whisper.model, threads=whisper.threads, parallel=whisper.parallel)
        stack.push_async_callback(here.close)
        chain.append(here)
    if not chain or hearing.closed_set:
        listed: type[ClosedSetStt] = load("closed-set")
        speaker: type[EspeakTts] = load("espeak")
        chain.append(await listed.of(known_lines(settings), speaker(REHEARSAL_VOICE)))
    if len(chain) == 1 and not key:
        return chain[0]  # nothing to switch to, and nobody to be protected from
    return FallbackEars(
        chain,
        providers.breakers,
        budget_ms=hearing.budget_ms,
        hedge_ms=hearing.hedge_ms,
        tell=providers.tell,
    )


async def _model(settings: Settings, providers: Providers, stack: AsyncExitStack) -> LanguageModel | None:
    """Groq's, one behind the other, with a key; else none."""
    groq = settings.groq
    key = groq.api_key.get_secret_value()
    names = list(dict.fromkeys(filter(None, (groq.llm_model, groq.llm_fallback_model))))
    if not key or not groq.llm_model:
        return None
    # Imported when chosen, and in a thread: langchain-groq takes seconds.
    hosted: type[GroqModel] = (await asyncio.to_thread(import_module, "knowledge.llm_groq")).GroqModel
    models = [hosted(key, groq.base_url, name, providers.tell) for name in names]
    for model in models:
        stack.push_async_callback(model.close)
        providers.warming.add(model.name, model.warm)
    return FallbackModel(models, providers.breakers, tell=providers.tell)


def known_lines(settings: Settings) -> list[str]:
    """The sentences that the keyless ear knows. Raises :class:`app.settings.SettingsInvalid`."""
    path = settings.speech.lines_file or REHEARSAL_LINES
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsInvalid(
            f"SPEECH_LINES_FILE: {path} cannot be read ({exc}); it holds one sentence a line, in UTF-8"
        ) from exc
    return [line for line in lines if line and not line.startswith("#")]


async def _backoffice(settings: Settings, providers: Providers, stack: AsyncExitStack) -> Backoffice:
    insurance = settings.insurance
    if insurance.api_base_url:
        remote = HttpBackoffice(
            insurance.api_base_url,
            insurance.api_key.get_secret_value(),
            insurance.api_timeout_ms,
            breaker=providers.breakers.of("back office"),
        )
        stack.push_async_callback(remote.close)
        return remote
    if insurance.demo_customers_file:
        return await asyncio.to_thread(DemoBackoffice.load, insurance.demo_customers_file)
    return DemoBackoffice()


async def _knowledge(settings: Settings, stack: AsyncExitStack) -> QdrantRetriever:
    """The search over the FAQ; filled here when it lives in the agent, else by the command ``index``."""
    retriever = await asyncio.to_thread(open_knowledge, settings)
    stack.callback(retriever.close)
    if not settings.knowledge.host:
        await asyncio.to_thread(retriever.index, read_folder())
    return retriever


def open_knowledge(settings: Settings) -> QdrantRetriever:
    """The collection the settings name; blocks. Raises ``KnowledgeUnavailable``."""
    knowledge = settings.knowledge
    host = knowledge.host if "://" in knowledge.host else f"http://{knowledge.host}"
    location = f"{host}:{knowledge.port}" if knowledge.host else ":memory:"
    return QdrantRetriever.open(
        location,
        api_key=knowledge.api_key.get_secret_value(),
        dense=_embeddings(settings),
        collection=knowledge.collection_name,
    )


def _embeddings(settings: Settings) -> Embeddings | None:
    """The dense side of the search; None, and a warning, when it is wanted and cannot be had."""
    if not settings.embeddings.model:
        return None
    try:
        return load_embeddings(settings.embeddings.model)
    except EmbeddingsUnavailable as exc:
        log.warning("knowledge.words_alone", extra={"reason": str(exc)})
        return None


def identity_key(settings: Settings) -> bytes:
    """The configured key, or one that is made at the first start and kept for the next.

    Raises :class:`app.settings.SettingsInvalid`.
    """
    configured = settings.insurance.identity_key.get_secret_value().encode()
    if configured:
        if len(configured) < MIN_KEY_BYTES:
            raise SettingsInvalid(f"INSURANCE_IDENTITY_KEY: give at least {MIN_KEY_BYTES} characters")
        return configured
    if settings.checkpoints.path == ":memory:":
        return secrets.token_bytes(MIN_KEY_BYTES)  # the calls do not outlive the process either
    path = settings.application.data_folder / "identity.key"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123 - for the mode
            file.write(secrets.token_bytes(MIN_KEY_BYTES))
    except FileExistsError:
        pass
    except OSError as exc:
        raise SettingsInvalid(
            f"APP_DATA_FOLDER: {path.parent} cannot be written ({exc}); name a folder that can, or set "
            "INSURANCE_IDENTITY_KEY"
        ) from exc
    key = path.read_bytes()
    if len(key) < MIN_KEY_BYTES:
        raise SettingsInvalid(f"{path} is damaged; remove it and a new one is made (callers identify again)")
    return key


def _reachable(host: str) -> str:
    """Where Asterisk on this machine finds a port that listens on ``host``."""
    return "127.0.0.1" if host == "0.0.0.0" else host
