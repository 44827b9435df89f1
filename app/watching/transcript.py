"""The transcript of one call, written as it happens, and the form in which it is kept.

:class:`Transcript` is a journal. It puts what the session notes into turns, each stamped on the call's
audio clock, so that a line of text can be found in the recording. Once the caller has refused to be
recorded, no word of the call is in it any more, nor comes into it; what remains is which nodes ran,
which lines were said by key, and the times.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, assert_never

from typing_extensions import TypedDict  # pydantic asks for this one before 3.12, to read the records again

from graph.heard import CallBegins, Heard, Keys, NotReached, Quiet, Resumed, Words
from telephony import journal
from telephony.call import CallId, Outcome, OutcomeName, Transferred

HowHeard = Literal["call_begins", "words", "keys", "quiet", "resumed", "not_reached"]


@dataclass(frozen=True, slots=True)
class SaidLine:
    """A line given to the voice. ``text`` is None when it must not be kept."""

    key: str
    text: str | None


@dataclass(frozen=True, slots=True)
class PassedNode:
    """A node that ran."""

    node: str
    took_ms: float


@dataclass(frozen=True, slots=True)
class Interruption:
    """The caller spoke and the voice stopped; ``heard`` of it till then, None when it must not be kept."""

    at_ms: float
    heard: str | None
    stopped_after_ms: float


@dataclass(slots=True)
class Turn:
    """One turn as the agent lived it: something heard, nodes, lines."""

    noted_ms: float
    """When it was clear what had been heard, on the call's audio clock; so are all ``…_ms`` with "at"."""
    how: HowHeard
    text: str | None
    """Words recognised or digits keyed; "" when nothing was understood, None when it must not be kept."""
    confidence: float
    speech_at_ms: int
    speech_ms: int
    nodes: list[PassedNode] = field(default_factory=list)
    lines: list[SaidLine] = field(default_factory=list)
    times: journal.TurnTimes | None = None
    answered_at_ms: float | None = None
    """The first frame of the answer left; known for turns that answer speech."""
    interruption: Interruption | None = None
    talked_through: int = 0
    """Sounds of the caller for which the voice paused in this turn and then went on."""
    preparations_dropped: int = 0
    """Answers that were being prepared after this turn and thrown away: the caller had not finished."""
    failures: list[str] = field(default_factory=list)


class Transcript:
    """Collects one call."""

    def __init__(self, call_id: CallId, clock_ms: Callable[[], float]) -> None:
        """``clock_ms`` tells the position on the call's audio clock."""
        self.call_id = call_id
        self.turns: list[Turn] = []
        self.outcome: Outcome | None = None
        """None while the call lasts."""
        self.recording_refused = False
        self._clock_ms = clock_ms

    def note(self, call_id: CallId, event: journal.CallEvent) -> None:
        """See :class:`telephony.journal.Journal`; what other calls do is not for this transcript."""
        if call_id != self.call_id:
            return
        match event:
            case journal.TurnHeard(heard, speech_ms, at_ms):
                self._begin(heard, speech_ms, at_ms)
            case journal.RecordingRefused():
                self._drop_words()
            case journal.CallEnded(outcome):
                self.outcome = outcome
            case (
                journal.CallStarted()
                | journal.CallPassedOn()
                | journal.CallCameBack()
                | journal.CallerIdentified()
                | journal.LimitReached()
            ):
                pass
            case journal.TalkedThrough():
                if self.turns:
                    self.turns[-1].talked_through += 1
            case journal.SpeculationDropped():
                if self.turns:
                    self.turns[-1].preparations_dropped += 1
            case _ if not self.turns:
                if isinstance(event, journal.StageFailed):  # the ear failed before anything was heard
                    self._begin(CallBegins(), 0, 0)
                    self.turns[-1].failures.append(_failure(event))
            case _:
                self._add(self.turns[-1], event)

    def said(self) -> list[str]:
        """The keys of all lines, in order."""
        return [line.key for turn in self.turns for line in turn.lines]

    def _begin(self, heard: Heard, speech_ms: int, at_ms: int) -> None:
        how, text, confidence = _heard(heard)
        self.turns.append(Turn(self._clock_ms(), how, self._kept(text), confidence, at_ms, speech_ms))

    def _add(
        self,
        turn: Turn,
        event: journal.NodePassed
        | journal.TurnSaid
        | journal.TurnInterrupted
        | journal.TurnTimed
        | journal.StageFailed,
    ) -> None:
        match event:
            case journal.NodePassed(node, took_ms):
                turn.nodes.append(PassedNode(node, took_ms))
            case journal.TurnSaid(key, text):
                turn.lines.append(SaidLine(key, self._kept(text)))
            case journal.TurnTimed(times):
                turn.times, turn.answered_at_ms = times, self._clock_ms()
            case journal.TurnInterrupted(heard, _, stopped_after_ms):
                turn.interruption = Interruption(self._clock_ms(), self._kept(heard), stopped_after_ms)
            case journal.StageFailed():
                turn.failures.append(_failure(event))
            case _:
                assert_never(event)

    def _kept(self, text: str) -> str | None:
        return None if self.recording_refused else text

    def _drop_words(self) -> None:
        self.recording_refused = True
        for turn in self.turns:
            turn.text = None
            turn.lines = [SaidLine(line.key, None) for line in turn.lines]
            if turn.interruption is not None:
                turn.interruption = Interruption(
                    turn.interruption.at_ms, None, turn.interruption.stopped_after_ms
                )


def _heard(heard: Heard) -> tuple[HowHeard, str, float]:
    match heard:
        case CallBegins():
            return "call_begins", "", 1.0
        case Words(text, confidence):
            return "words", text, confidence
        case Keys(digits):
            return "keys", digits, 1.0
        case Quiet():
            return "quiet", "", 1.0
        case Resumed():
            return "resumed", "", 1.0
        case NotReached(why):
            return "not_reached", why, 1.0


def _failure(event: journal.StageFailed) -> str:
    return f"{event.component}: {type(event.error).__name__}: {event.error}"


# --- what is kept -----------------------------------------------------------------------------------

FORMAT = "standardiste/transcript/1"


class NodeRecord(TypedDict):
    """A node of the graph that ran, and for how long."""

    node: str
    took_ms: float


class LineRecord(TypedDict):
    """A line of the agent; ``text`` is null after a refusal of recording."""

    key: str
    text: str | None


class StagesRecord(TypedDict):
    """From the end of the caller's speech to the first frame of the answer, as the agent measured it."""

    endpointing_ms: float
    transcription_ms: float
    dialogue_ms: float
    classified_ms: float
    voice_ms: float
    line_ms: float
    ear_ms: float
    """What the transcription took by itself, felt or not."""
    prepared_ms: float
    """For how long the answer was being prepared before the turn was over: so much less was waited."""


class InterruptionRecord(TypedDict):
    """The caller spoke while the agent did."""

    at_ms: float
    heard: str | None
    """What he had heard of the answer by then."""
    stopped_after_ms: float
    """From the decision that he speaks to the last frame of the voice."""


class TurnRecord(TypedDict):
    """One turn. Positions (``…at_ms``) are milliseconds of the recording ``call.wav``."""

    noted_at_ms: float
    how: HowHeard
    text: str | None
    confidence: float
    speech_at_ms: int
    speech_ms: int
    nodes: list[NodeRecord]
    lines: list[LineRecord]
    stages: StagesRecord | None
    answered_at_ms: float | None
    interruption: InterruptionRecord | None
    talked_through: int
    preparations_dropped: int
    failures: list[str]


class CallRecord(TypedDict):
    """A whole call: the file ``transcript.json``."""

    format: str
    call_id: str
    parts: dict[str, str]
    """Which ear, voice, back office, knowledge and checkpoint store took the call."""
    recording_refused: bool
    turns: list[TurnRecord]
    outcome: OutcomeName | None
    """Null when the call was still going on."""
    queue: str | None
    """Where the caller was put through to."""


def record(transcript: Transcript, parts: dict[str, str]) -> CallRecord:
    """``transcript`` as it is kept."""
    outcome = transcript.outcome
    return {
        "format": FORMAT,
        "call_id": transcript.call_id,
        "parts": parts,
        "recording_refused": transcript.recording_refused,
        "turns": [_turn_record(turn) for turn in transcript.turns],
        "outcome": outcome.name if outcome is not None else None,
        "queue": outcome.queue if isinstance(outcome, Transferred) else None,
    }


def _turn_record(turn: Turn) -> TurnRecord:
    cut = turn.interruption
    return {
        "noted_at_ms": round(turn.noted_ms, 1),
        "how": turn.how,
        "text": turn.text,
        "confidence": turn.confidence,
        "speech_at_ms": turn.speech_at_ms,
        "speech_ms": turn.speech_ms,
        "nodes": [{"node": passed.node, "took_ms": round(passed.took_ms, 2)} for passed in turn.nodes],
        "lines": [{"key": line.key, "text": line.text} for line in turn.lines],
        "stages": _stages(turn.times) if turn.times is not None else None,
        "answered_at_ms": None if turn.answered_at_ms is None else round(turn.answered_at_ms, 1),
        "interruption": None
        if cut is None
        else {
            "at_ms": round(cut.at_ms, 1),
            "heard": cut.heard,
            "stopped_after_ms": round(cut.stopped_after_ms, 1),
        },
        "talked_through": turn.talked_through,
        "preparations_dropped": turn.preparations_dropped,
        "failures": list(turn.failures),
    }


def _stages(times: journal.TurnTimes) -> StagesRecord:
    return {
        "endpointing_ms": round(times.endpointing_ms, 1),
        "transcription_ms": round(times.transcription_ms, 1),
        "dialogue_ms": round(times.dialogue_ms, 1),
        "classified_ms": round(times.classified_ms, 1),
        "voice_ms": round(times.voice_ms, 1),
        "line_ms": round(times.line_ms, 1),
        "ear_ms": round(times.ear_ms, 1),
        "prepared_ms": round(times.prepared_ms, 1),
    }
