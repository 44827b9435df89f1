"""Which voices speak: ElevenLabs', Azure's, espeak-ng's, each kept or bounded as it needs."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from redis.asyncio import Redis

from app.fixed_lines import fixed_sentences
from app.settings import Settings
from app.wiring.providers import Providers, uncounted
from app.wiring.stores import choose_redis
from audio.arriving import Bounds
from audio.fallback_voice import FallbackVoice, GuardedVoice
from audio.metered import MeteredVoice
from audio.providers import ProviderUnavailable, load
from audio.redis_sounds import RedisSounds
from audio.sound_cache import CachedVoice, DiskSounds, LayeredSounds, SoundCache
from audio.tts import TextToSpeech
from audio.word_ruler import AlignedRuler, CharacterRuler
from memory.provider_news import nobody

if TYPE_CHECKING:  # imported when chosen, by the table of providers
    from audio.providers.azure_tts import AzureTts
    from audio.providers.elevenlabs_tts import ElevenLabsTts
    from audio.providers.espeak_tts import EspeakTts

log = logging.getLogger(__name__)


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


@asynccontextmanager
async def open_voices(settings: Settings) -> AsyncIterator[Voices]:
    """The voices alone, for the commands about them."""
    async with AsyncExitStack() as stack:
        redis = await choose_redis(settings, stack)
        yield await choose_voices(settings, Providers.watched_by(nobody), redis, stack, uncounted)


async def choose_voices(
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
