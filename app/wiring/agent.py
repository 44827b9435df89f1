"""The whole agent: mind, ears and voices behind the two ports that Asterisk rings at."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module

from app.settings import Settings, SettingsInvalid
from app.watching.archiving import ArchiveJournal, archiving
from app.watching.calls import CallBook
from app.watching.costs import Costs
from app.watching.events import EventJournal
from app.watching.monitor import Monitor, Thresholds
from app.wiring.ears import choose_ears
from app.wiring.mind import open_mind, this_moment
from app.wiring.providers import Providers
from app.wiring.stores import archive_of
from app.wiring.voices import choose_voices
from audio.providers.silero_vad import SileroVad
from audio.stt import SpeechToText
from audio.tts import TextToSpeech
from graph.dialogue import Dialogue
from knowledge.retriever import Retriever
from memory.archive import Kind
from memory.breaker import Breakers
from memory.provider_news import Tell, nobody
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

log = logging.getLogger(__name__)


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
        voices = await choose_voices(settings, providers, mind.redis, stack, costs.said)
        voice = voices.voice
        for name, warm in voices.warm.items():
            providers.warming.add(name, warm)
        ears = await choose_ears(settings, providers, stack, costs.heard)
        calls = CallBook()
        parts = {"ear": ears.name, "voice": voice.name, **mind.parts}
        traces = await _traces(settings, stack)
        own: list[Journal] = [calls, costs, providers.warming, EventJournal(mind.bus, now), *traces]
        transcripts, recordings = await _keepers(settings, parts, now, stack)
        own += [keeper for keeper in (transcripts, recordings) if keeper is not None]
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


async def _keepers(
    settings: Settings, parts: Mapping[str, str], now: Callable[[], datetime], stack: AsyncExitStack
) -> tuple[ArchiveJournal | None, Recordings | None]:
    """Who keeps the words of calls, and who their sound; None for what is not to be kept."""
    privacy, archive = settings.privacy, archive_of(settings)
    days = {Kind.TRANSCRIPT: privacy.transcript_days, Kind.AUDIO: privacy.audio_days}
    transcripts = await stack.enter_async_context(archiving(archive, parts, days, now))
    recordings = Recordings(archive, now) if privacy.audio_days else None
    if recordings is not None:
        stack.push_async_callback(recordings.close)
    return transcripts, recordings


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


async def _traces(settings: Settings, stack: AsyncExitStack) -> list[Journal]:
    """What makes traces of calls; nothing without a collector."""
    given = settings.tracing
    if not given.exporter_otlp_endpoint:
        return []
    try:
        tracing = import_module("app.watching.tracing")
    except ModuleNotFoundError as exc:
        raise SettingsInvalid(
            f"OTEL_EXPORTER_OTLP_ENDPOINT: traces need the Python package {exc.name!r}, which is not "
            "installed; pip install '.[traces]' brings it"
        ) from exc
    opened = tracing.open_traces(given.exporter_otlp_endpoint, given.headers(), given.service_name)
    return [await stack.enter_async_context(opened)]


def _reachable(host: str) -> str:
    """Where Asterisk on this machine finds a port that listens on ``host``."""
    return "127.0.0.1" if host == "0.0.0.0" else host
