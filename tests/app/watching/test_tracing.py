"""Traces: which spans a call leaves, when they were, and that nothing of the caller is in them."""

from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from app.watching.tracing import CallTraces, open_traces
from graph.heard import CallBegins, Keys, Words
from telephony.call import Call, CallId, HungUp, Transferred
from telephony.journal import (
    CallCameBack,
    CallEnded,
    CallerIdentified,
    CallEvent,
    CallPassedOn,
    CallStarted,
    NodePassed,
    RecordingRefused,
    StageFailed,
    TurnHeard,
    TurnInterrupted,
    TurnSaid,
    TurnTimed,
    TurnTimes,
)
from tests.simulators.otlp import OtlpSimulator
from tests.simulators.server import Fault

CALL = CallId("0b6e3f0e-5d0e-4c58-9c8e-3a1f2b4c5d6e")
TIMES = TurnTimes(700, 100, 40, 50, 10, classified_ms=30)
MS = 1_000_000
START_NS = 1_800_000_000_000 * MS

WHOLE_CALL: list[tuple[int, CallEvent]] = [
    (0, CallStarted(Call(CALL, caller="0612345678"))),
    (10, TurnHeard(CallBegins("0612345678"))),
    (12, TurnSaid("greet.notice", "Bonjour, Assurance Vie.")),
    (13, NodePassed("greet", 2.0)),
    (4000, TurnHeard(Words("je suis Jeanne Moreau", 0.9), 1500, 1700)),
    (4030, NodePassed("classify", 30.0)),
    (4040, TurnSaid("claims.status", "Madame Moreau, votre dossier…")),
    (4040, NodePassed("claims", 8.0)),
    (4100, TurnTimed(TIMES)),
    (6000, TurnInterrupted("Madame Moreau", 6000, 21.3)),
    (6500, CallerIdentified()),
    (7000, TurnHeard(Keys("10078821"))),
    (7001, StageFailed("tts", ValueError("Moreau 10078821"))),
    (7002, RecordingRefused()),
    (8000, CallPassedOn(Transferred("vie", "asked", "Madame Moreau rappelle", "10078821"))),
    (9000, CallCameBack("busy", Call(CALL, caller="0612345678"))),
    (9900, CallEnded(HungUp())),
]
SECRETS = ("Moreau", "10078821", "0612345678", "Bonjour")


def spans_of(events: Sequence[tuple[int, CallEvent]]) -> list[ReadableSpan]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    now_ns = START_NS
    traces = CallTraces(provider.get_tracer("test"), lambda: now_ns)
    for at_ms, event in events:
        now_ns = START_NS + at_ms * MS
        traces.note(CALL, event)
    return list(exporter.get_finished_spans())


def when(span: ReadableSpan) -> tuple[float, float]:
    """Beginning and end in milliseconds of the call."""
    assert span.start_time is not None
    assert span.end_time is not None
    return (span.start_time - START_NS) / MS, (span.end_time - START_NS) / MS


def test_a_call_is_one_trace_of_turns_nodes_and_stages() -> None:
    spans = spans_of(WHOLE_CALL)
    by_name: dict[str, list[ReadableSpan]] = {}
    for span in spans:
        by_name.setdefault(span.name, []).append(span)
    assert sorted(by_name) == [
        "call",
        "classification",
        "dialogue",
        "endpointing",
        "line",
        "node claims",
        "node classify",
        "node greet",
        "transcription",
        "turn",
        "voice",
    ]
    [call] = by_name["call"]
    assert len({span.context.trace_id for span in spans}) == 1
    assert [turn.parent.span_id for turn in by_name["turn"] if turn.parent] == [call.context.span_id] * 3
    [voice] = by_name["voice"]
    assert voice.parent is not None
    assert voice.parent.span_id == by_name["turn"][1].context.span_id


@pytest.mark.parametrize(
    ("name", "begun_ms", "ended_ms"),
    [
        ("endpointing", 3200, 3900),
        ("transcription", 3900, 4000),
        ("dialogue", 4000, 4040),
        ("classification", 4000, 4030),
        ("voice", 4040, 4090),
        ("line", 4090, 4100),
        ("node classify", 4000, 4030),
        ("node claims", 4032, 4040),
        ("call", 0, 9900),
    ],
)
def test_every_span_lies_where_it_happened(name: str, begun_ms: float, ended_ms: float) -> None:
    [span] = [span for span in spans_of(WHOLE_CALL) if span.name == name]
    assert when(span) == (begun_ms, ended_ms)


def test_a_turn_begins_with_the_callers_last_sound_and_tells_what_befell_it() -> None:
    greeting, question, keys = [span for span in spans_of(WHOLE_CALL) if span.name == "turn"]
    assert when(greeting) == (10, 13)
    assert when(question) == (3200, 6000)
    assert question.attributes is not None
    assert dict(question.attributes) == {
        "voicebot.heard": "words",
        "voicebot.speech_ms": 1500,
        "voicebot.lines": ("claims.status",),
        "voicebot.heard_silence_ms": 900.0,
    }
    assert [event.name for event in question.events] == ["turn.interrupted"]
    assert keys.status.status_code is StatusCode.ERROR
    [failed] = keys.events
    assert failed.attributes is not None
    assert dict(failed.attributes) == {"component": "tts", "error": "ValueError"}


def test_nothing_of_the_caller_is_in_any_span() -> None:
    told = "\n".join(span.to_json() for span in spans_of(WHOLE_CALL))
    assert not [secret for secret in SECRETS if secret in told]


def test_a_call_that_began_before_the_traces_leaves_none() -> None:
    assert spans_of([*WHOLE_CALL[1:8], WHOLE_CALL[-1]]) == []


def test_a_call_that_came_back_to_another_worker_is_a_trace_of_that_worker() -> None:
    [call] = spans_of(WHOLE_CALL[-2:])
    assert [event.name for event in call.events] == ["call.came_back"]


def test_a_failure_before_anything_was_heard_belongs_to_the_call() -> None:
    [call] = spans_of([WHOLE_CALL[0], (5, StageFailed("stt", ValueError())), WHOLE_CALL[-1]])
    assert [event.name for event in call.events] == ["stage.failed"]


def note_all(traces: CallTraces) -> None:
    for _, event in WHOLE_CALL:
        traces.note(CALL, event)


async def test_a_collector_gets_the_spans_over_the_wire() -> None:
    with OtlpSimulator() as collector:
        async with open_traces(f"{collector.url}/", {"x-tenant": "assurance"}, "agent-1") as traces:
            note_all(traces)
        assert len(collector.spans) == len(spans_of(WHOLE_CALL))
        assert collector.services == {"agent-1"}
        assert collector.requests[0]["headers"]["x-tenant"] == "assurance"
        assert not [secret for secret in SECRETS if any(secret.encode() in body for body in collector.bodies)]


async def test_a_collector_that_refuses_or_is_away_holds_nobody_up() -> None:
    with OtlpSimulator() as collector:
        collector.fail(Fault(400), Fault(400))
        async with open_traces(collector.url, {}, "agent") as traces:
            note_all(traces)
        assert collector.spans == []
    async with open_traces("http://127.0.0.1:1", {}, "agent") as traces:
        note_all(traces)
