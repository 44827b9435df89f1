"""What Prometheus scrapes: counts and times of calls, under the names the owner's dashboards know.

The registry is this object's own: several agents live in one process (tests, benches) without adding
up. No label holds anything of a caller, and every label value is known in advance, so every series is
there, at 0, from the first scrape.

Providers of speech and language have series of their own; their names come from the settings, and a series
appears when its provider has something to count.
"""

import time
from collections import Counter as Counted
from collections.abc import Callable, Iterator
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from app.watching.monitor import AlarmKind, Monitor
from graph.heard import Unreached
from memory.breaker import Breakers, BreakerState
from memory.limits import Over
from memory.provider_news import (
    Answered,
    Exhausted,
    Failed,
    ProviderNews,
    Spent,
    Stage,
    Switched,
    TokensUsed,
)
from telephony import journal
from telephony.ami import AmiState
from telephony.call import CallId, OutcomeName
from telephony.channels import ChannelRow
from telephony.metronome import Metronome

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

SPEECH_BUCKETS_S = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0)
"""Close together where people notice: a gap of 0.2 s is talk, of 1 s a hesitation, of 3 s a fault."""

FRAMEWORK_BUCKETS_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
"""Our own share starts at the 20 ms of a tick."""

CALL_BUCKETS_S = (10.0, 30.0, 60.0, 120.0, 180.0, 300.0, 600.0, 1200.0, 3600.0)

LOSS_BUCKETS = (0.0, 0.001, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5)
"""Of packets: G.711 conceals 1 %, from 3 % on words are lost to people and to recognisers."""

JITTER_BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1)
"""A packet is 20 ms of sound; a usual jitter buffer holds 60."""

DIRECTIONS = ("received", "sent")

COMPONENTS = ("stt", "llm", "tts", "dialogue")
STAGES = ("endpointing", "transcription", "classification", "dialogue", "voice", "line")
"""Of a turn, in order: what :class:`telephony.journal.TurnTimes` holds. The third is part of the fourth."""


class Metrics:
    """A journal that counts; see :class:`telephony.journal.Journal`."""

    content_type = CONTENT_TYPE
    """Of :meth:`text`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` gives seconds."""
        self._clock = clock
        self._started_s: dict[CallId, float] = {}
        self._passed_on_s: dict[CallId, float] = {}
        """Of those, the ones that people are rung for, or talk with."""
        self._registry = registry = CollectorRegistry()

        def histogram(name: str, told: str, buckets: tuple[float, ...] = SPEECH_BUCKETS_S) -> Histogram:
            return Histogram(f"voicebot_{name}_seconds", told, buckets=buckets, registry=registry)

        def counter(name: str, told: str, labels: tuple[str, ...] = ()) -> Counter:
            return Counter(f"voicebot_{name}", told, labels, registry=registry)

        self._calls = counter("calls", "Calls that ended, by outcome; text calls count too.", ("outcome",))
        for outcome in get_args(OutcomeName):
            self._calls.labels(outcome)
        self._errors = counter("errors", "Failures of a part, by part.", ("component",))
        for component in COMPONENTS:
            self._errors.labels(component)
        self._interruptions = counter("interruptions", "Times a caller spoke while the agent did.")
        self._talked_through = counter(
            "talked_through", "Times the voice paused for a caller and went on, by why.", ("why",)
        )
        for why in ("noise", "listening"):
            self._talked_through.labels(why)
        self._speculations_dropped = counter(
            "speculations_dropped", "Answers prepared in a pause and thrown away, by stage.", ("reached",)
        )
        for reached in ("transcribing", "thinking", "speaking"):
            self._speculations_dropped.labels(reached)
        self._not_taken = counter("not_taken", "Callers passed on whom nobody took, by why.", ("why",))
        for why in get_args(Unreached):
            self._not_taken.labels(why)
        self._limits = counter("limits_reached", "Calls given to people over a limit, by which.", ("which",))
        for over in Over:
            self._limits.labels(over)
        active = Gauge("voicebot_active_calls", "Calls that the agent is talking on.", registry=registry)
        active.set_function(lambda: len(self._started_s) - len(self._passed_on_s))
        self._duration = histogram("call_duration", "From audio leg to the end of our part.", CALL_BUCKETS_S)
        self._stt = histogram("stt_latency", "From the end of a turn to its transcript.")
        self._llm = histogram(
            "llm_latency", "From the request to a model's form, or its first piece of text."
        )
        self._stages = Histogram(
            "voicebot_turn_stage_seconds",
            "Where the silence before an answer went, from the end of speech to the first frame.",
            ("stage",),
            buckets=tuple(sorted({*FRAMEWORK_BUCKETS_S, *SPEECH_BUCKETS_S})),
            registry=registry,
        )
        for stage in STAGES:
            self._stages.labels(stage)
        self._tts = histogram("tts_latency", "From the first sentence to its first sound.")
        self._ear = histogram("ear_latency", "What a transcription took by itself, felt or not.")
        self._prepared = histogram(
            "prepared",
            "For how long an answer was being prepared before the turn was over: waited so much less.",
        )
        provider = ("stage", "provider")
        self._answers = Histogram(
            "voicebot_provider_latency_seconds",
            "Until a provider's transcript, form, first text or first sound.",
            provider,
            buckets=SPEECH_BUCKETS_S,
            registry=registry,
        )
        self._provider_failures = counter(
            "provider_failures", "Attempts at a provider that failed.", provider
        )
        self._switches = counter(
            "provider_switches",
            "Requests that went on to another provider; taken is none when there was none left.",
            ("stage", "left", "taken", "why"),
        )
        self._tokens = counter("llm_tokens", "Tokens of language models, as they count.", ("model", "kind"))
        self._cost = counter("cost_cents", "What hosted providers cost, by the prices set.", ("stage",))
        for one in Stage:
            self._cost.labels(one)
        self._heard_silence = histogram("heard_silence", "From the last word to the answer's sound.")
        self._framework = histogram(
            "framework_latency",
            "Of that silence, neither patience nor providers.",
            FRAMEWORK_BUCKETS_S,
        )
        self._loss = Histogram(
            "voicebot_rtp_loss_ratio",
            "Packets lost on a caller's leg, of those expected: received by Asterisk, or sent by it.",
            ("direction",),
            buckets=LOSS_BUCKETS,
            registry=registry,
        )
        self._jitter = Histogram(
            "voicebot_rtp_jitter_seconds",
            "Jitter on a caller's leg: of what Asterisk received, or of what it sent.",
            ("direction",),
            buckets=JITTER_BUCKETS_S,
            registry=registry,
        )
        for direction in DIRECTIONS:
            self._loss.labels(direction)
            self._jitter.labels(direction)

    def watch(self, metronome: Metronome) -> None:
        """Report the ticks that ``metronome`` missed, as they stand at each scrape."""
        self._registry.register(_LateTicks(metronome))

    def watch_asterisk(self, monitor: Monitor) -> None:
        """Report what ``monitor`` knows of Asterisk, as it stands at each scrape."""
        self._registry.register(_Asterisk(monitor))
        monitor.legs_ended(self._leg_ended)

    def watch_breakers(self, breakers: Breakers) -> None:
        """Report where the breakers stand, as they do at each scrape."""
        self._registry.register(_Breakers(breakers))

    def told(self, news: ProviderNews) -> None:
        """What a provider did; see :data:`memory.provider_news.Tell`."""
        match news:
            case Answered(stage, name, took_ms):
                self._answers.labels(stage, name).observe(took_ms / 1000)
                if stage is Stage.LLM:
                    self._llm.observe(took_ms / 1000)
            case Failed(stage, name):
                self._provider_failures.labels(stage, name).inc()
            case Switched(stage, left, taken, why):
                self._switches.labels(stage, left, taken or "none", why).inc()
            case Exhausted(stage):
                # The session counts an utterance nobody heard, and a sentence nobody spoke, for their calls.
                if stage is Stage.LLM:
                    self._errors.labels(stage).inc()
            case Spent(stage, cents):
                self._cost.labels(stage).inc(cents)
            case TokensUsed(model, prompt, completion):
                self._tokens.labels(model, "prompt").inc(prompt)
                self._tokens.labels(model, "completion").inc(completion)

    def text(self) -> bytes:
        """All of it as Prometheus reads it (:data:`CONTENT_TYPE`)."""
        return generate_latest(self._registry)

    def value(self, name: str, **labels: str) -> float | None:
        """One sample as the scrape would show it, ``voicebot_calls_total``; None when there is none."""
        return self._registry.get_sample_value(name, labels)

    def note(self, call_id: CallId, event: journal.CallEvent) -> None:
        """See :class:`telephony.journal.Journal`."""
        match event:
            case journal.CallStarted():
                self._started_s[call_id] = self._clock()
            case journal.CallPassedOn():
                self._passed_on_s[call_id] = self._clock()
            case journal.CallCameBack(why):
                self._passed_on_s.pop(call_id, None)
                self._started_s.setdefault(call_id, self._clock())  # another process had passed him on
                self._not_taken.labels(why).inc()
            case journal.TurnTimed(times):
                self._observe(times)
            case journal.TurnInterrupted():
                self._interruptions.inc()
            case journal.StageFailed(component):
                self._errors.labels(component).inc()
            case journal.CallEnded(outcome):
                self._calls.labels(outcome.name).inc()
                started_s = self._started_s.pop(call_id, None)
                ended_s = self._passed_on_s.pop(call_id, self._clock())
                if started_s is not None:
                    self._duration.observe(ended_s - started_s)
            case journal.SpeculationDropped(reached):
                self._speculations_dropped.labels(reached).inc()
            case journal.LimitReached(which):
                self._limits.labels(which).inc()
            case journal.TalkedThrough(why):
                self._talked_through.labels(why).inc()
            case (
                journal.TurnHeard()
                | journal.TurnSaid()
                | journal.NodePassed()
                | journal.RecordingRefused()
                | journal.CallerIdentified()
            ):
                pass

    def _leg_ended(self, leg: ChannelRow) -> None:
        for direction, figures in zip(DIRECTIONS, (leg.received, leg.sent), strict=True):
            if figures is not None:
                self._loss.labels(direction).observe(figures.whole.loss_ratio)
                self._jitter.labels(direction).observe(figures.whole.jitter_s)

    def _observe(self, times: journal.TurnTimes) -> None:
        self._stt.observe(times.transcription_ms / 1000)
        self._tts.observe(times.voice_ms / 1000)
        self._ear.observe(times.ear_ms / 1000)
        self._prepared.observe(times.prepared_ms / 1000)
        self._heard_silence.observe(times.heard_silence_ms / 1000)
        self._framework.observe(times.framework_ms / 1000)
        self._stages.labels("endpointing").observe(times.endpointing_ms / 1000)
        self._stages.labels("transcription").observe(times.transcription_ms / 1000)
        if times.classified_ms:
            self._stages.labels("classification").observe(times.classified_ms / 1000)
        self._stages.labels("dialogue").observe(times.dialogue_ms / 1000)
        self._stages.labels("voice").observe(times.voice_ms / 1000)
        self._stages.labels("line").observe(times.line_ms / 1000)


class _LateTicks(Collector):
    """Reads the metronome's own count when asked."""

    def __init__(self, metronome: Metronome) -> None:
        self._metronome = metronome

    def collect(self) -> Iterator[CounterMetricFamily]:
        yield CounterMetricFamily(
            "voicebot_late_ticks",
            "Ticks of the 20 ms clock that were skipped because the process was busy.",
            value=self._metronome.late_ticks,
        )


class _Breakers(Collector):
    """Reads the breakers when asked."""

    def __init__(self, breakers: Breakers) -> None:
        self._breakers = breakers

    def collect(self) -> Iterator[GaugeMetricFamily]:
        states = GaugeMetricFamily(
            "voicebot_breaker",
            "1 for the state that a provider's breaker is in; misconfigured: its key or model is refused.",
            labels=("provider", "state"),
        )
        for status in self._breakers.statuses():
            for state in BreakerState:
                states.add_metric((status.name, state), state is status.state)
        yield states


class _Asterisk(Collector):
    """Reads the monitor when asked. What Asterisk has not told is left out, not called 0."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor

    def collect(self) -> Iterator[GaugeMetricFamily]:
        monitor = self._monitor
        yield GaugeMetricFamily(
            "voicebot_asterisk_up",
            "Whether the manager interface answers; 0 too when none is configured.",
            value=monitor.asterisk is AmiState.UP,
        )
        yield GaugeMetricFamily("voicebot_channels", "Channels at Asterisk.", value=monitor.channels)
        queues = GaugeMetricFamily("voicebot_queue_length", "Callers who wait.", labels=("queue",))
        for queue, length in monitor.queue_lengths().items():
            queues.add_metric((queue,), length)
        yield queues
        raised = Counted(alarm.kind for alarm in monitor.alarms())
        alarms = GaugeMetricFamily("voicebot_alarms", "Alarms now, by kind.", labels=("kind",))
        for kind in AlarmKind:
            alarms.add_metric((kind,), raised[kind])
        yield alarms
