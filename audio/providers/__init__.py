"""Voices and ears by name: one file per provider, one line per provider below.

A provider is imported only when it is chosen, so that none of them is needed to run the others:
faster-whisper, espeak-ng and the vendors' SDKs are optional, slow to import, or both. To add one,
write ``audio/providers/<name>.py`` and its line here; nothing else in this folder changes, and
providers never import each other.
"""

from importlib import import_module
from typing import Final

PROVIDERS: Final = {
    # ears
    "closed-set": "audio.providers.closed_set_stt:ClosedSetStt",
    "groq": "audio.providers.groq_stt:GroqStt",
    "whisper": "audio.providers.whisper_stt:WhisperStt",
    # voices
    "azure": "audio.providers.azure_tts:AzureTts",
    "elevenlabs": "audio.providers.elevenlabs_tts:ElevenLabsTts",
    "espeak": "audio.providers.espeak_tts:EspeakTts",
}
"""Provider name, as written in the settings, to ``module:Class``."""


class ProviderUnavailable(Exception):
    """A provider that was chosen cannot be set up here; the message says what is missing and what to do.

    Raised while a provider is constructed, so at start-up and never within a call.
    """


def load(name: str) -> type:
    """The class of provider ``name``, imported now.

    Raises :class:`ProviderUnavailable` for a name that is not in the table (the known ones are
    listed) and for one whose package is not installed (the cause is chained).
    """
    try:
        module_name, class_name = PROVIDERS[name].split(":")
    except KeyError as error:
        known = ", ".join(sorted(PROVIDERS))
        raise ProviderUnavailable(f"no provider is called {name!r}; known: {known}") from error
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        raise ProviderUnavailable(
            f"provider {name!r} needs the Python package {error.name!r}, which is not installed; "
            "see the extras in pyproject.toml (pip install '.[full]' brings them all)"
        ) from error
    provider = getattr(module, class_name)
    if not isinstance(provider, type):
        raise TypeError(f"{PROVIDERS[name]} is not a class")
    return provider
