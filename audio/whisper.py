"""What every ear on a Whisper model needs, wherever the model runs: hints, and a guard against inventions.

Whisper was trained on subtitles. Where nobody speaks it tends to write what subtitlers write under
silence and music ("Sous-titres réalisés par la communauté d'Amara.org"), to repeat itself, or to give
the hint back. Acting on such a line would be worse than asking the caller again, so it counts as not
understood. Pure.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from audio.endpointing import Expecting
from audio.stt import Transcript

HINTS: Mapping[Expecting, str] = MappingProxyType(
    {
        Expecting.OPEN: "Appel d'un assuré : contrat d'assurance vie, sinistre, bénéficiaire, rachat, RIB.",
        Expecting.YES_NO: "Réponse par oui ou par non.",
        Expecting.NUMBER: "Numéro épelé : 10 07 88 21, SIN-2026-003117, VIE-0012345.",
        Expecting.DATE: "Date de naissance : 1er avril 1962, 15 mars 1985.",
    }
)
"""Text put before what is to be heard. It pulls the model's spelling towards these words and forms."""

# OpenAI's own limits for a segment without speech, and for one that repeats itself (whisper's transcribe()).
NO_SPEECH_PROBABILITY = 0.6
LOW_LOG_PROBABILITY = -1.0
REPETITIVE_COMPRESSION = 2.4

# What subtitlers and video makers write, and no caller says; each takes the rest of its sentence with it.
_INVENTIONS = (
    r"sous-? ?titr(?:es?|age) (?:réalisés?|faits?|par|pour|de|st|société|fr)\b",
    r"(?:❤️? *)?par soustitreur\.com",
    r"(?:sous-?titr\w+ )?[^.!?…]*\bamara\.org",
    r"merci (?:à tous )?(?:d'|de nous )avoir (?:regardé|suivi)",
    r"(?:n'oubliez pas de vous abonner|abonnez-vous)",
    r"(?:on se retrouve|à bientôt|rendez-vous) (?:dans|pour) (?:une|la) (?:prochaine|nouvelle) vidéo",
)
_INVENTION = re.compile(rf"(?i:(?:{'|'.join(_INVENTIONS)})(?:[^.!?…]|\.(?=org|com))*[.!?…]*)")


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of Whisper's answer, with the scores it gives itself."""

    text: str
    seconds: float
    """How long it lasts."""
    average_log_probability: float
    """Mean natural logarithm of the tokens' probabilities: 0 is sure, -1 a guess."""
    no_speech_probability: float
    """0..1."""
    compression_ratio: float
    """Characters over compressed characters: above about 2.4 the text repeats itself."""


def transcript_of(segments: Sequence[Segment], hint: str) -> Transcript:
    """What of Whisper's answer may be believed, and how sure the model was of it.

    ``hint`` is what was given it. The confidence is the mean probability of a token.
    """
    believed = [segment for segment in segments if not _is_invented(segment, hint)]
    text = " ".join(_INVENTION.sub("", segment.text).strip() for segment in believed).strip()
    if not re.search(r"\w", text):
        return Transcript("", 0.0)
    weights = [max(segment.seconds, 0.01) for segment in believed]
    logs = [segment.average_log_probability for segment in believed]
    mean_log = sum(weight * log for weight, log in zip(weights, logs, strict=True)) / sum(weights)
    return Transcript(text, round(min(1.0, math.exp(mean_log)), 3))


def _is_invented(segment: Segment, hint: str) -> bool:
    silent = (
        segment.no_speech_probability > NO_SPEECH_PROBABILITY
        and segment.average_log_probability < LOW_LOG_PROBABILITY
    )
    return (
        silent or segment.compression_ratio > REPETITIVE_COMPRESSION or _plain(segment.text) == _plain(hint)
    )


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))
