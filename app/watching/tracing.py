"""Calls as OpenTelemetry traces: a span per call, turn and node, and per stage of what the caller waits for.

Theory of operation. :class:`CallTraces` is a journal. The journal tells what has happened when it has, so a
turn's spans are made at its end, with the times they had: the stages lie back to back before the first frame
of the answer, as :class:`telephony.journal.TurnTimes` measured them, and the turn begins with the caller's
last sound. Spans leave in a thread of OpenTelemetry's own; a collector that is slow or away costs no call
anything, its spans are dropped.

What a span holds of a call is its name, kinds, keys, queues and times: no words, no digits, no numbers of
callers, no message of an error. The standard variables ``OTEL_RESOURCE_ATTRIBUTES`` and
``OTEL_TRACES_SAMPLER`` are obeyed by the library itself.

Needs the extra ``traces``.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, Status, StatusCode, Tracer, set_span_in_context

from graph.heard import CallBegins, Heard, Keys, NotReached, Quiet, Resumed, Words
from telephony import journal
from telephony.call import CallId

EXPORT_TIMEOUT_S = 3.0
"""For one batch; also bounds how long a collector that is away holds up the agent's end."""

_NS_PER_MS = 1_000_000


@dataclass(slots=True)
class _Turn:
    """A turn until its spans are made."""

    kind: str
    heard_ns: int
    speech_ms: int
    last_ns: int
    first_frame_ns: int = 0
    times: journal.TurnTimes | None = None
    nodes: list[tuple[str, int, int]] = field(default_factory=list)
    """Name, beginning, end."""
    lines: list[str] = field(default_factory=list)
    happened: list[tuple[str, dict[str, str | float], int]] = field(default_factory=list)
    failed: bool = False


@dataclass(slots=True)
class _Call:
    span: Span
    turn: _Turn | None = None


class CallTraces:
    """A journal that makes spans; see :class:`telephony.journal.Journal`."""

    def __init__(self, tracer: Tracer, clock_ns: Callable[[], int] = time.time_ns) -> None:
        """``clock_ns`` is the time of day in nanoseconds since 1970, as traces have it."""
        self._tracer = tracer
        self._clock_ns = clock_ns
        self._calls: dict[CallId, _Call] = {}

    def note(self, call_id: CallId, event: journal.CallEvent) -> None:
        """See :class:`telephony.journal.Journal`."""
        now_ns = self._clock_ns()
        if isinstance(event, journal.CallStarted | journal.CallCameBack) and call_id not in self._calls:
            span = self._tracer.start_span("call", start_time=now_ns)
            span.set_attribute("voicebot.call_id", call_id)
            self._calls[call_id] = _Call(span)
        call = self._calls.get(call_id)
        if call is not None:
            self._take(call_id, call, event, now_ns)

    def _take(self, call_id: CallId, call: _Call, event: journal.CallEvent, now_ns: int) -> None:
        match event:
            case journal.CallEnded(outcome):
                del self._calls[call_id]
                self._finish_turn(call)
                call.span.set_attribute("voicebot.outcome", outcome.name)
                call.span.end(now_ns)
            case journal.TurnHeard(heard, speech_ms):
                self._finish_turn(call)
                call.turn = _Turn(_kind(heard), now_ns, speech_ms, now_ns)
            case journal.CallPassedOn(to):
                self._finish_turn(call)
                call.span.add_event("call.passed_on", {"queue": to.queue, "reason": to.reason}, now_ns)
            case journal.CallCameBack(why):
                call.span.add_event("call.came_back", {"why": why}, now_ns)
            case journal.RecordingRefused():
                call.span.add_event("recording.refused", timestamp=now_ns)
            case journal.CallerIdentified():
                call.span.add_event("caller.identified", timestamp=now_ns)
            case journal.LimitReached(which):
                call.span.add_event("limit.reached", {"which": which.value}, now_ns)
            case journal.StageFailed(component, error) if call.turn is None:
                call.span.add_event("stage.failed", _failure(component, error), now_ns)
            case _ if call.turn is not None:
                self._add(call.turn, event, now_ns)

    def _add(self, turn: _Turn, event: journal.CallEvent, now_ns: int) -> None:
        turn.last_ns = now_ns
        match event:
            case journal.NodePassed(node, took_ms):
                turn.nodes.append((node, now_ns - _ns(took_ms), now_ns))
            case journal.TurnSaid(key):
                turn.lines.append(key)
            case journal.TurnTimed(times):
                turn.times, turn.first_frame_ns = times, now_ns
            case journal.TurnInterrupted(_, _, stopped_after_ms):
                facts: dict[str, str | float] = {"stopped_after_ms": round(stopped_after_ms, 1)}
                turn.happened.append(("turn.interrupted", facts, now_ns))
            case journal.StageFailed(component, error):
                turn.failed = True
                turn.happened.append(("stage.failed", _failure(component, error), now_ns))
            case _:
                pass  # the call's own

    def _finish_turn(self, call: _Call) -> None:
        """Make the spans of the turn under way, if any."""
        turn, call.turn = call.turn, None
        if turn is None:
            return
        stages = _stages(turn.times, turn.first_frame_ns) if turn.times is not None else []
        begun_ns = min([turn.heard_ns, *(begun for _, begun, _ in stages)])
        span = self._tracer.start_span("turn", set_span_in_context(call.span), start_time=begun_ns)
        span.set_attribute("voicebot.heard", turn.kind)
        span.set_attribute("voicebot.speech_ms", turn.speech_ms)
        span.set_attribute("voicebot.lines", turn.lines)
        if turn.times is not None:
            span.set_attribute("voicebot.heard_silence_ms", round(turn.times.heard_silence_ms, 1))
        inside = set_span_in_context(span)
        nodes = [(f"node {node}", from_ns, to_ns) for node, from_ns, to_ns in turn.nodes]
        for name, from_ns, to_ns in [*stages, *nodes]:
            self._tracer.start_span(name, inside, start_time=from_ns).end(to_ns)
        for what, facts, at_ns in turn.happened:
            span.add_event(what, facts, at_ns)
        if turn.failed:
            span.set_status(Status(StatusCode.ERROR))
        span.end(turn.last_ns)


def _stages(times: journal.TurnTimes, first_frame_ns: int) -> list[tuple[str, int, int]]:
    """Name, beginning and end of what lay between the caller's last sound and ``first_frame_ns``."""
    found: list[tuple[str, int, int]] = []
    to_ns = first_frame_ns
    for name, took_ms in (
        ("line", times.line_ms),
        ("voice", times.voice_ms),
        ("dialogue", times.dialogue_ms),
        ("transcription", times.transcription_ms),
        ("endpointing", times.endpointing_ms),
    ):
        from_ns = to_ns - _ns(took_ms)
        found.append((name, from_ns, to_ns))
        if name == "dialogue" and times.classified_ms:
            found.append(("classification", from_ns, from_ns + _ns(times.classified_ms)))
        to_ns = from_ns
    return found


@asynccontextmanager
async def open_traces(endpoint: str, headers: dict[str, str], service_name: str) -> AsyncIterator[CallTraces]:
    """Traces to the collector at ``endpoint`` (OTLP over HTTP: ``http://collector:4318``), for the block.

    What has not left is sent at the end, for :data:`EXPORT_TIMEOUT_S` at most.
    """
    exporter = OTLPSpanExporter(
        f"{endpoint.rstrip('/')}/v1/traces", headers=headers, timeout=EXPORT_TIMEOUT_S
    )
    provider = TracerProvider(
        resource=Resource.create({"service.name": service_name}), shutdown_on_exit=False
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        yield CallTraces(provider.get_tracer("standardiste"))
    finally:
        await asyncio.to_thread(provider.shutdown)


def _ns(ms: float) -> int:
    return int(max(0.0, ms) * _NS_PER_MS)


def _failure(component: str, error: BaseException) -> dict[str, str | float]:
    """Never the error's message: it may quote the caller."""
    return {"component": component, "error": type(error).__name__}


def _kind(heard: Heard) -> str:
    match heard:
        case CallBegins():
            return "call_begins"
        case Words():
            return "words"
        case Keys():
            return "keys"
        case Quiet():
            return "quiet"
        case Resumed():
            return "resumed"
        case NotReached():
            return "not_reached"
