"""Which ear listens: Groq's, Whisper on this machine, the keyless one for a closed list of sentences."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from app.settings import Settings, SettingsInvalid
from app.wiring.providers import Providers, uncounted
from audio.fallback_ears import FallbackEars
from audio.metered import MeteredEar
from audio.providers import load
from audio.stt import SpeechToText

if TYPE_CHECKING:  # imported when chosen, by the table of providers
    from audio.providers.closed_set_stt import ClosedSetStt
    from audio.providers.espeak_tts import EspeakTts
    from audio.providers.groq_stt import GroqStt
    from audio.providers.whisper_stt import WhisperStt

REHEARSAL_LINES = Path(__file__).parents[1] / "rehearsal" / "lines.txt"
"""What the keyless ear knows when nothing else is configured: the caller's part of the demonstration."""

GROQ_LEAST_BILLED_MS = 10_000
"""Of an utterance; shorter ones are charged as that (Groq's price list)."""

REHEARSAL_VOICE = "fr+f2"
"""espeak-ng's voice in which the keyless ear's lines are recorded, and in which the scripted caller speaks:
that ear compares sound, so it only knows the speaker it was made with. The agent has another voice."""


async def choose_ears(
    settings: Settings,
    providers: Providers,
    stack: AsyncExitStack,
    heard: Callable[[int], None] = uncounted,
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
