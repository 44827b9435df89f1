"""The metrics: names that dashboards know, counts that add up, nothing of any caller."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from app.watching.calls import CallBook
from app.watching.metrics import SPEECH_BUCKETS_S, Metrics
from app.watching.monitor import Monitor
from graph.heard import Words
from memory.breaker import Breakers, Fault, FaultKind
from memory.limits import Over
from memory.provider_news import Answered, Exhausted, Failed, Stage, Switched, TokensUsed, Why
from telephony.call import Call, CallerLeft, CallId, HungUp, NoAudio, Outcome, Transferred
from telephony.journal import (
    CallCameBack,
    CallEnded,
    CallPassedOn,
    CallStarted,
    LimitReached,
    NodePassed,
    RecordingRefused,
    StageFailed,
    TurnHeard,
    TurnInterrupted,
    TurnSaid,
    TurnTimed,
    TurnTimes,
)
from telephony.metronome import Metronome
from tests.app.office import Clock

CALL = CallId("0b6e3f0e-5d0e-4c58-9c8e-3a1f2b4c5d6e")
OTHER = CallId("11111111-5d0e-4c58-9c8e-3a1f2b4c5d6e")

TIMES = TurnTimes(endpointing_ms=720, transcription_ms=180, dialogue_ms=12, voice_ms=60, line_ms=8)


def started(metrics: Metrics, call_id: CallId = CALL) -> None:
    metrics.note(call_id, CallStarted(Call(call_id, caller="0612345678")))


@pytest.mark.parametrize(
    "line",
    [
        "# TYPE voicebot_calls_total counter",
        "# TYPE voicebot_call_duration_seconds histogram",
        "# TYPE voicebot_active_calls gauge",
        "# TYPE voicebot_stt_latency_seconds histogram",
        "# TYPE voicebot_llm_latency_seconds histogram",
        "# TYPE voicebot_tts_latency_seconds histogram",
        "# TYPE voicebot_errors_total counter",
        "# TYPE voicebot_heard_silence_seconds histogram",
        "# TYPE voicebot_framework_latency_seconds histogram",
        "# TYPE voicebot_interruptions_total counter",
        "# TYPE voicebot_late_ticks_total counter",
        'voicebot_calls_total{outcome="no_audio"} 0.0',
        'voicebot_errors_total{component="tts"} 0.0',
        "voicebot_llm_latency_seconds_count 0.0",
        "voicebot_late_ticks_total 0.0",
        'voicebot_not_taken_total{why="no_answer"} 0.0',
    ],
)
def test_every_series_is_there_from_the_first_scrape(line: str) -> None:
    metrics = Metrics()
    metrics.watch(Metronome())
    assert line in metrics.text().decode().splitlines()


@pytest.mark.parametrize(
    ("outcome", "label"),
    [
        (HungUp(), "hung_up"),
        (Transferred("conseillers", "asked", "", "10078821"), "transferred"),
        (CallerLeft(), "caller_left"),
        (NoAudio(), "no_audio"),
    ],
)
def test_calls_are_counted_by_outcome(outcome: Outcome, label: str) -> None:
    metrics = Metrics()
    started(metrics)
    metrics.note(CALL, CallEnded(outcome))
    assert metrics.value("voicebot_calls_total", outcome=label) == 1
    total = sum(metrics.value("voicebot_calls_total", outcome=one) or 0 for one in (label, "hung_up"))
    assert total == (2 if label == "hung_up" else 1)


def test_active_calls_are_those_that_started_and_did_not_end() -> None:
    metrics = Metrics()
    started(metrics)
    started(metrics)  # told twice
    started(metrics, OTHER)
    assert metrics.value("voicebot_active_calls") == 2
    metrics.note(CALL, CallEnded(HungUp()))
    assert metrics.value("voicebot_active_calls") == 1


def test_the_duration_of_a_call_is_observed_when_it_ends() -> None:
    clock = Clock()
    metrics = Metrics(clock)
    started(metrics)
    clock.now_s += 90
    assert metrics.value("voicebot_call_duration_seconds_count") == 0
    metrics.note(CALL, CallEnded(HungUp()))
    assert metrics.value("voicebot_call_duration_seconds_sum") == 90
    assert metrics.value("voicebot_call_duration_seconds_bucket", le="60.0") == 0
    assert metrics.value("voicebot_call_duration_seconds_bucket", le="120.0") == 1


def test_a_call_whose_start_was_not_seen_has_no_duration() -> None:
    metrics = Metrics()
    metrics.note(CALL, CallEnded(HungUp()))
    assert metrics.value("voicebot_calls_total", outcome="hung_up") == 1
    assert metrics.value("voicebot_call_duration_seconds_count") == 0


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("voicebot_stt_latency_seconds", 0.18),
        ("voicebot_tts_latency_seconds", 0.06),
        ("voicebot_heard_silence_seconds", 0.98),
        ("voicebot_framework_latency_seconds", 0.02),
    ],
)
def test_a_turns_times_go_to_their_own_series_in_seconds(name: str, seconds: float) -> None:
    metrics = Metrics()
    metrics.note(CALL, TurnTimed(TIMES))
    assert metrics.value(f"{name}_count") == 1
    assert metrics.value(f"{name}_sum") == pytest.approx(seconds)


def test_buckets_go_from_50_milliseconds_to_5_seconds() -> None:
    assert (min(SPEECH_BUCKETS_S), max(SPEECH_BUCKETS_S)) == (0.05, 5.0)
    assert list(SPEECH_BUCKETS_S) == sorted(set(SPEECH_BUCKETS_S))
    metrics = Metrics()
    metrics.note(CALL, TurnTimed(TIMES))
    assert metrics.value("voicebot_heard_silence_seconds_bucket", le="0.8") == 0
    assert metrics.value("voicebot_heard_silence_seconds_bucket", le="1.0") == 1


def test_failures_are_counted_by_component() -> None:
    metrics = Metrics()
    metrics.note(CALL, StageFailed("stt", RuntimeError()))
    metrics.note(CALL, StageFailed("stt", RuntimeError()))
    assert metrics.value("voicebot_errors_total", component="stt") == 2
    assert metrics.value("voicebot_errors_total", component="dialogue") == 0


def test_interruptions_are_counted() -> None:
    metrics = Metrics()
    metrics.note(CALL, TurnInterrupted("Votre contrat", 1000, 20.0))
    assert metrics.value("voicebot_interruptions_total") == 1


def test_late_ticks_are_the_metronomes_own_count_at_the_scrape() -> None:
    metrics, metronome = Metrics(), Metronome()
    metrics.watch(metronome)
    metronome.late_ticks = 7
    assert "voicebot_late_ticks_total 7.0" in metrics.text().decode()


def test_two_agents_in_one_process_do_not_add_up() -> None:
    one, other = Metrics(), Metrics()
    started(one)
    one.note(CALL, CallEnded(HungUp()))
    assert one.value("voicebot_calls_total", outcome="hung_up") == 1
    assert other.value("voicebot_calls_total", outcome="hung_up") == 0


def test_nothing_of_a_caller_is_in_the_metrics() -> None:
    metrics = Metrics()
    started(metrics)
    metrics.note(CALL, TurnHeard(Words("je suis Jeanne Moreau")))
    metrics.note(CALL, NodePassed("authenticate", 1.0))
    metrics.note(CALL, TurnSaid("authenticate.welcome", "Merci, Madame Moreau."))
    metrics.note(CALL, RecordingRefused())
    metrics.note(CALL, CallEnded(Transferred("vie", "asked", "Madame Moreau", "10078821")))
    text = metrics.text().decode()
    for secret in ("Moreau", "10078821", "0612345678", CALL):
        assert secret not in text


def test_a_caller_who_is_with_people_is_not_counted_as_ours_and_ends_once() -> None:
    clock = Clock()
    metrics = Metrics(clock)
    to = Transferred("vie", "asked", "")
    started(metrics)
    clock.now_s += 20
    metrics.note(CALL, CallPassedOn(to))
    assert metrics.value("voicebot_active_calls") == 0
    clock.now_s += 40
    metrics.note(CALL, CallCameBack("busy", Call(CALL)))
    assert metrics.value("voicebot_active_calls") == 1
    assert metrics.value("voicebot_not_taken_total", why="busy") == 1
    metrics.note(CALL, CallPassedOn(to))
    clock.now_s += 600
    metrics.note(CALL, CallEnded(to))
    assert metrics.value("voicebot_active_calls") == 0
    assert metrics.value("voicebot_calls_total", outcome="transferred") == 1
    assert metrics.value("voicebot_call_duration_seconds_sum") == 60


@pytest.mark.parametrize(
    ("stage", "seconds"),
    [
        ("endpointing", 0.72),
        ("transcription", 0.18),
        ("classification", 0.004),
        ("dialogue", 0.012),
        ("voice", 0.06),
        ("line", 0.008),
    ],
)
def test_every_stage_of_a_turn_has_its_own_series(stage: str, seconds: float) -> None:
    metrics = Metrics()
    metrics.note(CALL, TurnTimed(replace(TIMES, classified_ms=4)))
    assert metrics.value("voicebot_turn_stage_seconds_sum", stage=stage) == pytest.approx(seconds)


def test_a_turn_without_anything_to_classify_is_not_counted_as_quickly_classified() -> None:
    metrics = Metrics()
    metrics.note(CALL, TurnTimed(TIMES))
    assert metrics.value("voicebot_turn_stage_seconds_count", stage="classification") == 0


def test_switches_are_counted_by_who_was_left_for_whom_and_why() -> None:
    metrics = Metrics()
    metrics.told(Switched(Stage.STT, "groq:w", "whisper:small", Why.SLOW, "too slow"))
    metrics.told(Switched(Stage.LLM, "groq:b", "", Why.FAILED, "HTTP 503"))
    count = "voicebot_provider_switches_total"
    assert metrics.value(count, stage="stt", left="groq:w", taken="whisper:small", why="slow") == 1
    assert metrics.value(count, stage="llm", left="groq:b", taken="none", why="failed") == 1


def test_a_request_that_no_model_answers_is_one_error() -> None:
    metrics = Metrics()
    metrics.told(Failed(Stage.LLM, "groq:a", "HTTP 503"))
    metrics.told(Failed(Stage.LLM, "groq:b", "HTTP 503"))
    metrics.told(Exhausted(Stage.LLM))
    metrics.told(Exhausted(Stage.STT))
    assert metrics.value("voicebot_errors_total", component="llm") == 1
    assert metrics.value("voicebot_errors_total", component="stt") == 0, "the session notes that one"
    assert metrics.value("voicebot_provider_failures_total", stage="llm", provider="groq:b") == 1


def test_models_are_timed_and_their_tokens_counted() -> None:
    metrics = Metrics()
    metrics.told(Answered(Stage.LLM, "groq:openai/gpt-oss-120b", 230.0))
    metrics.told(Answered(Stage.STT, "groq:whisper-large-v3-turbo", 180.0))
    metrics.told(TokensUsed("openai/gpt-oss-120b", 120, 12))
    assert metrics.value("voicebot_llm_latency_seconds_sum") == pytest.approx(0.23)
    tokens = "voicebot_llm_tokens_total"
    assert metrics.value(tokens, model="openai/gpt-oss-120b", kind="prompt") == 120
    assert metrics.value(tokens, model="openai/gpt-oss-120b", kind="completion") == 12
    seconds = "voicebot_provider_latency_seconds_sum"
    assert metrics.value(seconds, stage="stt", provider="groq:whisper-large-v3-turbo") == pytest.approx(0.18)


def test_breakers_are_shown_by_the_state_they_are_in_at_the_scrape() -> None:
    metrics, breakers = Metrics(), Breakers()
    metrics.watch_breakers(breakers)
    breakers.of("groq:w").attempt_failed(Fault(FaultKind.BUSY, "HTTP 429"))
    assert metrics.value("voicebot_breaker", provider="groq:w", state="open") == 1
    assert metrics.value("voicebot_breaker", provider="groq:w", state="closed") == 0


def test_what_an_ear_took_and_what_preparation_saved_are_measured_apart_from_the_wait() -> None:
    metrics = Metrics()
    metrics.note(CALL, TurnTimed(replace(TIMES, transcription_ms=0, ear_ms=300, prepared_ms=540)))
    assert metrics.value("voicebot_ear_latency_seconds_sum") == pytest.approx(0.3)
    assert metrics.value("voicebot_prepared_seconds_sum") == pytest.approx(0.54)
    assert metrics.value("voicebot_stt_latency_seconds_sum") == 0, "nobody waited for it"


def test_every_metric_is_in_the_operations_chapter() -> None:
    readme = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    metrics = Metrics()
    metrics.watch(Metronome(20))
    metrics.watch_breakers(Breakers())
    metrics.watch_asterisk(Monitor(None, CallBook()))
    told = re.findall(r"^# TYPE (voicebot_\w+) (\w+)", metrics.text().decode(), re.MULTILINE)
    names = {name for name, kind in told if not name.endswith("_created")}
    assert len(names) > 20
    assert [name for name in sorted(names) if f"`{name}`" not in readme and f"`{name}{{" not in readme] == []


@pytest.mark.parametrize("which", list(Over))
def test_limits_are_counted_by_which_and_from_zero(which: Over) -> None:
    metrics = Metrics()
    assert metrics.value("voicebot_limits_reached_total", which=which) == 0
    metrics.note(CALL, LimitReached(which))
    assert metrics.value("voicebot_limits_reached_total", which=which) == 1
