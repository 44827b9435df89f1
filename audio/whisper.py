"""What every ear on a Whisper model needs, wherever the model runs: hints, and a guard against inventions.

Whisper was trained on subtitles. Where nobody speaks it tends to write what subtitlers write under
silence and music ("Sous-titres réalisés par la communauté d'Amara.org"), to repeat itself, or to give
the hint back. Acting on such a line would be worse than asking the caller again, so it counts as silence.
Five signs are read, the surest first: the model's own scores; a text that repeats itself; more text than
anybody could say in that time; the hint given back; and phrases that subtitlers write and callers do not.
A short courtesy that stands alone ("Merci.") is what it writes most often under noise, and what callers
say too: it is believed only with better scores. Pure.

The phrases are those that users of Whisper report again and again for French; the list is in no standard.
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
        Expecting.OPEN: "Appel d'un assuré à Assurance Vie : contrat, sinistre, déclaration, bénéficiaire, "
        "rachat, versement, attestation, avenant, franchise, RIB, conseiller.",
        Expecting.YES_NO: "Réponse par oui ou par non.",
        Expecting.NUMBER: "Numéro épelé : 00 11 22 33 44 55 66 77 88 99, SIN-0000-000000, VIE-0000000.",
        Expecting.DATE: "Date de naissance : 31 avril 1900, 30 février 1901.",
    }
)
"""Text put before what is to be heard. It pulls the model's spelling towards these words and forms.

Its numbers and dates are nobody's, and cannot be: what the model gives back of them proves no identity.
"""

# OpenAI's own limits for a segment without speech, and for one that repeats itself (whisper's transcribe()).
NO_SPEECH_PROBABILITY = 0.6
LOW_LOG_PROBABILITY = -1.0
REPETITIVE_COMPRESSION = 2.4

LONE_NO_SPEECH_PROBABILITY = 0.3
LONE_LOG_PROBABILITY = -0.7
"""Half way to the limits: what a courtesy that stands alone must keep under, both of them."""

MOST_CHARACTERS_PER_S = 32
"""French is spoken at 12 to 18 characters a second, read aloud at a gallop at 25."""
SPARE_CHARACTERS = 12
"""For a short word whose edges the turn detector cut: "oui d'accord" in 0.2 s."""
FEWEST_CHARACTERS_PER_S = 0.5
DENSITY_FROM_S = 6.0
"""A caller who spoke that long said more than one word; a noise that long is where one is invented."""

# What subtitlers and video makers write, and no caller says; each takes the rest of its sentence with it.
_INVENTIONS = (
    r"sous-? ?titr(?:es?|age)s? ?:",
    r"sous-? ?titr(?:es?|age)s? (?:réalisés?|faits?|effectués?|proposés?|par|para|pour|de|et)\b",
    r"sous-? ?titr(?:es?|age)s? (?:st|mfp|fr|société|collectif)\b",
    r"(?:❤️? *)?(?:par )?soustitreur\.com",
    r"(?:sous-?titr\w+ )?[^.!?…]*\bamara\.org",
    r"merci (?:à tous )?(?:d'|de nous |à vous d')avoir (?:regardé|suivis?|visionné|écoutés?)\b",
    r"(?:n'oubli\w+ pas de (?:vous |t')|n'hésit\w+ pas à (?:vous |t'))abonner",
    r"abonn\w+-(?:vous|toi)\b",
    r"cliqu\w+ sur (?:la cloche|le bouton)",
    r"(?:lik\w+ (?:la|cette) vidéo|mett\w+ un (?:pouce|like))",
    r"(?:on se retrouve|à bientôt|rendez-vous|à très vite) (?:dans|pour) (?:une|la) \w+ (?:vidéo|émission)",
    r"(?:on se retrouve|à bientôt|rendez-vous|à très vite) pour de nouvelles vidéos",
    r"(?:on se retrouve|à bientôt|rendez-vous|à très vite) (?:dans|pour) (?:un|le) \w+ épisode",
    r"(?:traduction|transcription|relecture|adaptation|synchronisation) ?(?::|(?:réalisée )?par\b)",
    r"(?:cette )?vidéo (?:réalisée|proposée|présentée) par\b",
    r"(?:le )?lien (?:est )?(?:dans|en) (?:la )?description",
    r"www\.[\w-]+\.(?:com|org|eu|fr)",
    r"thank(?:s| you)(?: so much| very much)? for (?:watching|listening|your attention)",
    r"subtitles (?:by|made)\b",
    r"untertitel(?:ung)? (?:der|des|von|im)\b",
)
_INVENTION = re.compile(rf"(?i:(?<!\w)(?:{'|'.join(_INVENTIONS)})(?:[^.!?…]|\.(?=org|com|eu|fr))*[.!?…]*)")
_SOUND_NOTE = re.compile(
    r"(?i:[\[(*][^\])*]*[\])*]|[♪♫].*"
    r"|^\W*(?:musique(?: \w+)?|applaudissements|rires|silence|bip|générique|inaudible)\W*$)"
)
"""[Musique], (rires), ♪ la la ♪: what is written about a sound is not speech."""

_LONE = frozenset(
    [
        "merci",
        "merci beaucoup",
        "merci à tous",
        "merci au revoir",
        "au revoir",
        "bonjour",
        "bonsoir",
        "bonne journée",
        "à bientôt",
        "c'est parti",
        "merci pour votre écoute",
        "merci de votre attention",
        "je vous remercie de votre attention",
        "voilà",
        "ok",
        "oh",
        "ah",
        "hum",
        "mmm",
        "thank you",
        "thanks",
        "bye",
        "you",
    ]
)
"""What it writes under noise though it is speech: believed with good scores only."""


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


def transcript_of(segments: Sequence[Segment], hint: str, sound_ms: int) -> Transcript:
    """What of Whisper's answer may be believed, and how sure the model was of it.

    ``hint`` is what was given it, ``sound_ms`` the length of what it heard. The confidence is the mean
    probability of a token, weighted by the segments' lengths; without words it is 0.
    """
    believed = [segment for segment in segments if not _is_invented(segment, hint)]
    text = " ".join(filter(None, (_speech_of(segment.text) for segment in believed)))
    if not re.search(r"\w", text) or _impossible(text, believed, sound_ms / 1000):
        return Transcript("", 0.0)
    weights = [max(segment.seconds, 0.01) for segment in believed]
    logs = [segment.average_log_probability for segment in believed]
    mean_log = sum(weight * log for weight, log in zip(weights, logs, strict=True)) / sum(weights)
    return Transcript(text, round(min(1.0, math.exp(mean_log)), 3))


def _speech_of(text: str) -> str:
    return _INVENTION.sub("", _SOUND_NOTE.sub("", text.replace("’", "'").strip())).strip()


def _is_invented(segment: Segment, hint: str) -> bool:
    silent = (
        segment.no_speech_probability > NO_SPEECH_PROBABILITY
        and segment.average_log_probability < LOW_LOG_PROBABILITY
    )
    return silent or segment.compression_ratio > REPETITIVE_COMPRESSION or _is_given_back(segment.text, hint)


def _is_given_back(text: str, hint: str) -> bool:
    """Whether ``text`` is the hint, or an unbroken half of it: fewer of its words may be the caller's own."""
    said, given = _words(text), _words(hint)
    if len(said) < max(4, len(given) / 2):
        return False
    return any(given[at : at + len(said)] == said for at in range(len(given) - len(said) + 1))


def _impossible(text: str, believed: Sequence[Segment], sound_s: float) -> bool:
    """Whether nobody says so much, or so little, in that time; or says it alone and so unsurely."""
    if len(text) > MOST_CHARACTERS_PER_S * sound_s + SPARE_CHARACTERS:
        return True
    unsure = any(
        segment.no_speech_probability > LONE_NO_SPEECH_PROBABILITY
        or segment.average_log_probability < LONE_LOG_PROBABILITY
        for segment in believed
    )
    sparse = sound_s >= DENSITY_FROM_S and len(text) < FEWEST_CHARACTERS_PER_S * sound_s
    return unsure and (sparse or " ".join(_words(text)) in _LONE)


def _words(text: str) -> list[str]:
    return re.findall(r"[\w']+", text.casefold().replace("’", "'"))
