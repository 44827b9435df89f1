"""What happened on a call, as it happens: for the log, the metrics, the terminal and the transcript.

The session notes events; whoever is interested implements :class:`Journal`. Event names in logs and
documents are those of the classes, dotted: ``turn.heard``, ``turn.said``, ``call.ended``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from graph.heard import Heard, Unreached
from memory.limits import Over
from telephony.call import Call, CallId, Outcome, Transferred


@dataclass(frozen=True, slots=True)
class TurnTimes:
    """Where the silence that the caller heard went, from his last word to the agent's first sound (ms)."""

    endpointing_ms: float
    """From the end of speech to the decision that the turn is over: patience, and the detector's tail."""
    transcription_ms: float
    """The ear's share (a provider, or the local recogniser)."""
    dialogue_ms: float
    """From the transcript to the first sentence: the graph with what it asks of others."""
    voice_ms: float
    """From the sentence to its first sound (a provider, or the local voice)."""
    line_ms: float
    """From the first sound to the tick of the line that takes it."""
    classified_ms: float = 0.0
    """Of ``dialogue_ms``, until the caller's wish was known; 0 when there was none to find out."""
    ear_ms: float = 0.0
    """What the transcription took by itself, felt or not."""
    prepared_ms: float = 0.0
    """For how long the answer was being prepared before the turn was known to be over: nobody felt that.
    The shares above begin with that decision; what was done by then counts as 0."""

    @property
    def heard_silence_ms(self) -> float:
        """All of it."""
        return self.endpointing_ms + self.framework_ms + self.transcription_ms + self.voice_ms

    @property
    def framework_ms(self) -> float:
        """Our own share: neither patience nor a provider."""
        return self.dialogue_ms + self.line_ms


@dataclass(frozen=True, slots=True)
class CallStarted:
    """The audio leg has come; the dialogue begins, or goes on in this process after another one died."""

    call: Call


@dataclass(frozen=True, slots=True)
class CallPassedOn:
    """The caller is on his way to people; the agent's part is over unless nobody takes him."""

    to: Transferred


@dataclass(frozen=True, slots=True)
class CallCameBack:
    """Nobody took him: the dialogue goes on, perhaps in another process than the one that passed him on."""

    why: Unreached
    call: Call


@dataclass(frozen=True, slots=True)
class TurnHeard:
    """What the caller said, keyed, or did not say."""

    heard: Heard
    speech_ms: int = 0
    at_ms: int = 0
    """When he began, on the call's audio clock."""


@dataclass(frozen=True, slots=True)
class NodePassed:
    """A node of the graph has run."""

    node: str
    took_ms: float


@dataclass(frozen=True, slots=True)
class TurnSaid:
    """A line was given to the voice."""

    key: str
    text: str


@dataclass(frozen=True, slots=True)
class TurnInterrupted:
    """The caller spoke while the agent did; ``heard`` is what he had heard of it."""

    heard: str
    at_ms: int
    stopped_after_ms: float
    """From the decision that the caller speaks to the last voice frame."""


@dataclass(frozen=True, slots=True)
class TalkedThrough:
    """The voice had paused for a sound of the caller and went on: it was not his turn."""

    why: Literal["noise", "listening"]
    """No words in it; or words that only say that he listens."""


@dataclass(frozen=True, slots=True)
class SpeculationDropped:
    """An answer was being prepared in a pause of the caller, and he went on: it was thrown away."""

    reached: Literal["transcribing", "thinking", "speaking"]
    """How far it had come: each stage is a round with its provider."""


@dataclass(frozen=True, slots=True)
class TurnTimed:
    """The first sound of an answer is on the wire."""

    times: TurnTimes


@dataclass(frozen=True, slots=True)
class RecordingRefused:
    """From here on nothing of this call is kept, and what was kept is dropped."""


@dataclass(frozen=True, slots=True)
class CallerIdentified:
    """Identity was proven in this call, by whichever process."""

    customer_number: str = ""
    """Whose; for who files the call, never for a log."""


@dataclass(frozen=True, slots=True)
class LimitReached:
    """The caller is not served, or no further: people take over."""

    which: Over


@dataclass(frozen=True, slots=True)
class StageFailed:
    """An ear, a voice or the dialogue failed; ``component`` is one of stt, tts, dialogue."""

    component: str
    error: BaseException


@dataclass(frozen=True, slots=True)
class CallEnded:
    """How it ended: once per call, when the agent has nothing more to do with it."""

    outcome: Outcome


CallEvent = (
    CallStarted
    | CallPassedOn
    | CallCameBack
    | TurnHeard
    | NodePassed
    | TurnSaid
    | TurnInterrupted
    | TalkedThrough
    | SpeculationDropped
    | TurnTimed
    | RecordingRefused
    | CallerIdentified
    | LimitReached
    | StageFailed
    | CallEnded
)


class Journal(Protocol):
    """Somebody who wants to know."""

    def note(self, call_id: CallId, event: CallEvent) -> None:
        """``event`` happened on ``call_id``. Quick, and never fails."""


@dataclass(frozen=True, slots=True)
class Journals:
    """Several at once."""

    members: Sequence[Journal]

    def note(self, call_id: CallId, event: CallEvent) -> None:
        """Tell each of them."""
        for journal in self.members:
            journal.note(call_id, event)


@dataclass(slots=True)
class MemoryJournal:
    """The twin: keeps everything, for tests."""

    events: list[CallEvent] = field(default_factory=list)

    def note(self, call_id: CallId, event: CallEvent) -> None:
        """Keep it."""
        self.events.append(event)

    def said(self) -> list[str]:
        """The keys of the lines that were said, in order."""
        return [event.key for event in self.events if isinstance(event, TurnSaid)]
