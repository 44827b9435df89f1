"""What operations read: one line per event, ``time level event key=value…``, on stderr.

Code logs an event's dotted name and its facts as ``extra``; :class:`EventFormatter` writes both. Rules:

- No words, names or numbers of callers from INFO upwards. So an exception is told by its type and the
  place it came from, never by its message, which may quote what the caller said; DEBUG adds the
  traceback below the line, for a developer's own machine.
- Our own packages are heard from ``LOG_LEVEL`` on, everything else from WARNING on: httpx, for one,
  writes the addresses of its requests at INFO, and those hold claim numbers.
- A value cannot forge a line: what is not plain and printable is quoted and escaped.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from graph.heard import CallBegins, Heard, Keys, NotReached, Quiet, Resumed, Words
from memory.breaker import BreakerNews, Closed, Opened, Probing
from memory.provider_news import Answered, Exhausted, Failed, ProviderNews, Spent, Switched, TokensUsed, Why
from telephony import journal
from telephony.call import CallId

PACKAGES = ("app", "audio", "graph", "knowledge", "memory", "nodes", "prompts", "telephony", "tools")
"""Whose events are wanted; a test compares them with the folders."""

ROOT = Path(__file__).resolve().parents[2]

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}
"""What every record has; the rest of its attributes came as ``extra`` (``color_message``: uvicorn's)."""

_WORDED_BY_US = frozenset({"stt", "tts"})
"""Components whose errors our adapters word, from the provider's answer and nothing the caller said."""


class EventFormatter(logging.Formatter):
    """Writes a record as one line; with ``tracebacks`` an exception's own lines follow, indented."""

    def __init__(self, *, tracebacks: bool = False) -> None:
        super().__init__()
        self._tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        """See :class:`logging.Formatter`."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        facts = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            facts |= {"error": type(error).__name__, "at": place(error)}
        event = _plain(record.getMessage())
        told = [when.replace("+00:00", "Z"), record.levelname, event]
        told += [f"{key}={_value(value)}" for key, value in facts.items()]
        line = " ".join(told)
        if error is not None and self._tracebacks:
            text = "".join(traceback.format_exception(error)).rstrip()
            line += "".join(f"\n    {_plain(one)}" for one in text.splitlines())
        return line


class LogJournal:
    """Writes what happens on calls to the log; see :class:`telephony.journal.Journal`."""

    def __init__(self, log: logging.Logger | None = None) -> None:
        """``log`` is the module's own unless a test brings another."""
        self._log = log or logging.getLogger(__name__)

    def note(self, call_id: CallId, event: journal.CallEvent) -> None:
        """Write ``event`` without what the caller said: of words their number, of digits how many."""
        match event:
            case journal.CallStarted():  # not the caller's number
                self._info("call.started", call_id)
            case journal.TurnHeard(heard, speech_ms, at_ms):
                kind, length = _measured(heard)
                self._info("turn.heard", call_id, kind=kind, length=length, speech_ms=speech_ms, at_ms=at_ms)
            case journal.NodePassed(node, took_ms):
                facts = {"call_id": call_id, "node": node, "took_ms": round(took_ms, 1)}
                self._log.debug("node.passed", extra=facts)
            case journal.TurnSaid(key):  # not the text: it may hold the caller's name and figures
                self._info("turn.said", call_id, key=key)
            case journal.TurnInterrupted(_, at_ms, stopped_after_ms):
                self._info(
                    "turn.interrupted", call_id, at_ms=at_ms, stopped_after_ms=round(stopped_after_ms, 1)
                )
            case journal.TurnTimed(times):
                self._info(
                    "turn.timed",
                    call_id,
                    heard_silence_ms=round(times.heard_silence_ms, 1),
                    endpointing_ms=round(times.endpointing_ms, 1),
                    transcription_ms=round(times.transcription_ms, 1),
                    classified_ms=round(times.classified_ms, 1),
                    dialogue_ms=round(times.dialogue_ms, 1),
                    voice_ms=round(times.voice_ms, 1),
                    line_ms=round(times.line_ms, 1),
                    ear_ms=round(times.ear_ms, 1),
                    prepared_ms=round(times.prepared_ms, 1),
                )
            case journal.TalkedThrough(why):
                self._info("talked.through", call_id, why=why)
            case journal.SpeculationDropped(reached):
                self._log.debug("speculation.dropped", extra={"call_id": call_id, "reached": reached})
            case journal.RecordingRefused():
                self._info("recording.refused", call_id)
            case journal.CallerIdentified():  # not as whom
                self._info("caller.identified", call_id)
            case journal.LimitReached(which):
                self._log.warning("limit.reached", extra={"call_id": call_id, "which": str(which)})
            case journal.StageFailed(component, error):
                self._log.warning("stage.failed", extra={"call_id": call_id, **_failure(component, error)})
            case journal.CallPassedOn(to):  # not the summary
                self._info("call.passed_on", call_id, queue=to.queue, reason=to.reason)
            case journal.CallCameBack(why):
                self._info("call.came_back", call_id, why=why)
            case journal.CallEnded(outcome):
                self._info("call.ended", call_id, outcome=outcome.name)

    def _info(self, name: str, call_id: CallId, **facts: object) -> None:
        self._log.info(name, extra={"call_id": call_id, **facts})


def log_provider_news(news: ProviderNews) -> None:
    """Write what a provider did, when another one had to be asked; nothing of any caller is in it."""
    match news:
        case Switched(stage, left, taken, why, reason):
            # One line a turn while a provider is down: worth a warning only when it was tried.
            level = logging.INFO if why is Why.BARRED and taken else logging.WARNING
            facts = {"stage": str(stage), "left": left, "taken": taken, "why": str(why), "reason": reason}
            logging.getLogger(__name__).log(level, "provider.switched", extra=facts)
        case Failed() | Exhausted() | Answered() | TokensUsed() | Spent():
            pass  # counted; a failure is told by the switch that follows


def log_breaker_news(news: BreakerNews) -> None:
    """Write that a breaker opened or closed."""
    log = logging.getLogger(__name__)
    match news:
        case Opened(name, for_s, fault):
            facts = {"provider": name, "for_s": for_s, "kind": str(fault.kind), "reason": fault.reason}
            log.warning("breaker.opened", extra=facts)
        case Probing(name):
            log.info("breaker.probing", extra={"provider": name})
        case Closed(name):
            log.info("breaker.closed", extra={"provider": name})


def configure(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Log to ``stream`` (stderr) from ``level`` on; replaces what was configured before.

    Raises ``ValueError`` for a level that logging does not know.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(EventFormatter(tracebacks=level == "DEBUG"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in PACKAGES:
        logging.getLogger(name).setLevel(level)


def place(error: BaseException) -> str:
    """Where ``error`` was raised, ``nodes/claims.py:88``: the innermost line of ours, else the innermost."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    ours = [frame for frame in frames if _is_ours(frame.filename)]
    frame = (ours or frames)[-1]
    path = Path(frame.filename)
    name = path.relative_to(ROOT).as_posix() if _is_ours(frame.filename) else path.name
    return f"{name}:{frame.lineno}"


def _is_ours(filename: str) -> bool:
    path = Path(filename)
    return path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in PACKAGES


def _failure(component: str, error: BaseException) -> dict[str, object]:
    facts: dict[str, object] = {
        "component": component,
        "error": type(error).__name__,
        "at": place(error),
    }
    if error.__cause__ is not None:
        facts["cause"] = type(error.__cause__).__name__
    if component in _WORDED_BY_US:
        facts["reason"] = str(error)
    return facts


def _measured(heard: Heard) -> tuple[str, int]:
    match heard:
        case CallBegins():
            return "call_begins", 0
        case Words(text):
            return "words", len(text.split())
        case Keys(digits):
            return "keys", len(digits)
        case Quiet():
            return "quiet", 0
        case Resumed():
            return "resumed", 0
        case NotReached(why):
            return f"not_reached_{why}", 0


def _value(value: object) -> str:
    if isinstance(value, str):
        bare = value.isprintable() and not set(value) & set(' "=')
        return value if value and bare else _quoted(value)
    if isinstance(value, dict | list | tuple):
        return _quoted(value)
    return _plain(str(value))


def _quoted(value: object) -> str:
    """JSON; with escapes when a character could be taken for the end of the line."""
    shown = json.dumps(value, ensure_ascii=False, default=str)
    return shown if shown.isprintable() else json.dumps(value, default=str)


def _plain(text: str) -> str:
    """``text`` on one line, every control character escaped."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)
