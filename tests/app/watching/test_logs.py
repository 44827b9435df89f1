"""The log: one line per event, nothing of what callers said, and no way to forge a line."""

import ast
import io
import logging
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.watching.logs import (
    PACKAGES,
    ROOT,
    EventFormatter,
    LogJournal,
    configure,
    log_breaker_news,
    log_provider_news,
    place,
)
from audio.stt import SttFailed
from graph.heard import CallBegins, Keys, NotReached, Quiet, Resumed, Words
from memory.breaker import BreakerNews, Closed, Fault, FaultKind, Opened, Probing
from memory.limits import Over
from memory.provider_news import Answered, Failed, Stage, Switched, TokensUsed, Why
from telephony.call import Call, CallId, HungUp, Transferred
from telephony.journal import (
    CallCameBack,
    CallEnded,
    CallerIdentified,
    CallEvent,
    CallPassedOn,
    CallStarted,
    LimitReached,
    NodePassed,
    RecordingRefused,
    StageFailed,
    TalkedThrough,
    TurnHeard,
    TurnInterrupted,
    TurnSaid,
    TurnTimed,
    TurnTimes,
)

CALL = CallId("0b6e3f0e-5d0e-4c58-9c8e-3a1f2b4c5d6e")
SECRETS = ("Moreau", "0612345678", "10078821")


def formatted(message: str, tracebacks: bool = False, **extra: object) -> str:
    record = logging.makeLogRecord({"msg": message, "levelname": "INFO", "created": 1763841474.1234, **extra})
    return EventFormatter(tracebacks=tracebacks).format(record)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the log says, as configured; the test process's own logging is put back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in PACKAGES}
    stream = io.StringIO()
    try:
        configure("INFO", stream)
        yield stream
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        for name, before in levels.items():
            logging.getLogger(name).setLevel(before)


def test_an_event_is_one_line_of_time_level_name_and_facts() -> None:
    line = formatted("call.ended", call_id=CALL, outcome="HungUp", seconds=12.5)
    assert line == f"2025-11-22T19:57:54.123Z INFO call.ended call_id={CALL} outcome=HungUp seconds=12.5"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "plain"),
        ("", '""'),
        ("two words", '"two words"'),
        ("a=b", '"a=b"'),
        ('say "no"', '"say \\"no\\""'),
        ("é", "é"),
        ("a\nINFO call.ended", '"a\\nINFO call.ended"'),
        ("a\u2028b", '"a\\u2028b"'),
        ("\x1b[2J", '"\\u001b[2J"'),
        (None, "None"),
        (3, "3"),
        ({"ear": "none"}, '{"ear": "none"}'),
        ({"path": Path("var")}, '{"path": "var"}'),
    ],
)
def test_a_value_is_bare_when_it_is_plain_and_quoted_when_it_is_not(value: object, written: str) -> None:
    assert formatted("event", fact=value).endswith(f" fact={written}")


@given(st.text(), st.text())
def test_no_text_whatever_makes_a_second_line(message: str, value: str) -> None:
    line = formatted("%s", args=(message,), fact=value)
    assert len(line.splitlines()) == 1
    assert line.isprintable()


def raised() -> BaseException:
    with pytest.raises(ValueError, match="Moreau") as caught:
        raise ValueError("je suis Jeanne Moreau")
    return caught.value


def test_an_error_is_told_by_its_type_and_place_and_not_by_its_message() -> None:
    error = raised()
    line = formatted("dialogue.failed", exc_info=(type(error), error, error.__traceback__), call_id=CALL)
    assert f"call_id={CALL} error=ValueError at=test_logs.py:" in line
    assert "Moreau" not in line


def test_a_traceback_follows_when_it_is_asked_for() -> None:
    error = raised()
    exc_info = (type(error), error, error.__traceback__)
    first, *more = formatted("dialogue.failed", tracebacks=True, exc_info=exc_info).splitlines()
    assert "error=ValueError" in first
    assert all(line.startswith("    ") for line in more)
    assert more[-1].endswith("ValueError: je suis Jeanne Moreau")


def test_the_place_of_an_error_is_the_innermost_line_of_ours() -> None:
    with pytest.raises(ValueError, match="Unknown level") as caught:
        configure("LOUD", io.StringIO())
    # raised inside logging; the line that can be mended is in app/watching/logs.py
    assert place(caught.value).startswith("app/watching/logs.py:")
    assert place(ValueError()) == ""


EVENTS: list[tuple[CallEvent, str]] = [
    (CallStarted(Call(CALL, caller="0612345678", channel="text")), "call.started"),
    (TurnHeard(CallBegins()), "turn.heard kind=call_begins length=0 speech_ms=0 at_ms=0"),
    (
        TurnHeard(Words("je suis Jeanne Moreau"), 900, 4000),
        "turn.heard kind=words length=4 speech_ms=900 at_ms=4000",
    ),
    (TurnHeard(Keys("10078821")), "turn.heard kind=keys length=8 speech_ms=0 at_ms=0"),
    (TurnHeard(Quiet()), "turn.heard kind=quiet length=0 speech_ms=0 at_ms=0"),
    (TurnHeard(CallBegins("0612345678")), "turn.heard kind=call_begins length=0 speech_ms=0 at_ms=0"),
    (TurnHeard(Resumed()), "turn.heard kind=resumed length=0 speech_ms=0 at_ms=0"),
    (TurnHeard(NotReached("busy")), "turn.heard kind=not_reached_busy length=0 speech_ms=0 at_ms=0"),
    (
        CallPassedOn(Transferred("vie", "asked", "Madame Moreau", "10078821")),
        "call.passed_on queue=vie reason=asked",
    ),
    (CallCameBack("no_answer", Call(CALL)), "call.came_back why=no_answer"),
    (TurnSaid("authenticate.welcome", "Merci, Madame Moreau."), "turn.said key=authenticate.welcome"),
    (
        TurnInterrupted("Merci, Madame Moreau", 5000, 21.26),
        "turn.interrupted at_ms=5000 stopped_after_ms=21.3",
    ),
    (
        TurnTimed(TurnTimes(720, 180.04, 12, 60, 8, classified_ms=4)),
        (
            "turn.timed heard_silence_ms=980.0 endpointing_ms=720 transcription_ms=180.0 "
            "classified_ms=4 dialogue_ms=12 voice_ms=60 line_ms=8 ear_ms=0.0 prepared_ms=0.0"
        ),
    ),
    (TalkedThrough("noise"), "talked.through why=noise"),
    (RecordingRefused(), "recording.refused"),
    (CallerIdentified(), "caller.identified"),
    (CallEnded(HungUp()), "call.ended outcome=hung_up"),
    (CallEnded(Transferred("vie", "asked", "Madame Moreau", "10078821")), "call.ended outcome=transferred"),
]


@pytest.mark.parametrize(("event", "told"), EVENTS)
def test_a_call_is_told_without_words_names_and_numbers(
    lines: io.StringIO, event: CallEvent, told: str
) -> None:
    LogJournal().note(CALL, event)
    name, _, facts = told.partition(" ")
    line = lines.getvalue()
    assert line.endswith(f"Z INFO {name} call_id={CALL}{' ' if facts else ''}{facts}\n")
    assert not [secret for secret in SECRETS if secret in line]


def test_a_limit_that_is_reached_is_a_warning_and_says_which(lines: io.StringIO) -> None:
    LogJournal().note(CALL, LimitReached(Over.CALLS_AT_ONCE))
    assert lines.getvalue().endswith(f"WARNING limit.reached call_id={CALL} which=calls_at_once\n")


def test_nodes_are_told_to_developers_only(lines: io.StringIO) -> None:
    LogJournal().note(CALL, NodePassed("claims", 1.26))
    assert lines.getvalue() == ""
    configure("DEBUG", lines)
    LogJournal().note(CALL, NodePassed("claims", 1.26))
    assert lines.getvalue().endswith(f"DEBUG node.passed call_id={CALL} node=claims took_ms=1.3\n")


def test_a_failing_provider_is_told_with_its_adapters_words(lines: io.StringIO) -> None:
    error = SttFailed("the key was refused (401)")
    error.__cause__ = ConnectionError("10078821")
    LogJournal().note(CALL, StageFailed("stt", error))
    line = lines.getvalue()
    assert "WARNING stage.failed" in line
    assert "component=stt error=SttFailed" in line
    assert 'cause=ConnectionError reason="the key was refused (401)"' in line
    assert "10078821" not in line


@pytest.mark.parametrize(
    ("news", "told"),
    [
        (
            Switched(Stage.STT, "groq:w", "whisper:s", Why.FAILED, "HTTP 503"),
            'WARNING provider.switched stage=stt left=groq:w taken=whisper:s why=failed reason="HTTP 503"',
        ),
        (
            Switched(Stage.STT, "groq:w", "whisper:small", Why.BARRED),
            'INFO provider.switched stage=stt left=groq:w taken=whisper:small why=barred reason=""',
        ),
        (
            Switched(Stage.LLM, "groq:b", "", Why.BARRED),
            'WARNING provider.switched stage=llm left=groq:b taken="" why=barred reason=""',
        ),
        (
            Opened("groq:w", 5.0, Fault(FaultKind.AWAY, "too slow")),
            'WARNING breaker.opened provider=groq:w for_s=5.0 kind=away reason="too slow"',
        ),
        (Probing("groq:w", 10.0), "INFO breaker.probing provider=groq:w"),
        (Closed("groq:w"), "INFO breaker.closed provider=groq:w"),
    ],
)
def test_switches_and_breakers_are_told(lines: io.StringIO, news: Switched | BreakerNews, told: str) -> None:
    if isinstance(news, Switched):
        log_provider_news(news)
    else:
        log_breaker_news(news)
    assert lines.getvalue().endswith(f"Z {told}\n")


def test_answers_and_tokens_are_counted_and_not_logged(lines: io.StringIO) -> None:
    for news in (
        Answered(Stage.LLM, "groq:b", 200.0),
        TokensUsed("b", 1, 2),
        Failed(Stage.LLM, "groq:b", "x"),
    ):
        log_provider_news(news)
    assert lines.getvalue() == ""


def test_a_failing_dialogue_is_told_without_its_words(lines: io.StringIO) -> None:
    LogJournal().note(CALL, StageFailed("dialogue", raised()))
    line = lines.getvalue()
    assert "component=dialogue error=ValueError at=test_logs.py:" in line
    assert "Moreau" not in line


def test_other_libraries_are_heard_from_warning_on(lines: io.StringIO) -> None:
    logging.getLogger("httpx").info("GET https://insurer/claims/S123456")
    logging.getLogger("app.serving.service").info("http.ready")
    logging.getLogger("httpx").warning("slow")
    told = [line.split(" ", 1)[1] for line in lines.getvalue().splitlines()]
    assert told == ["INFO http.ready", "WARNING slow"]


def test_the_level_is_that_of_our_packages(lines: io.StringIO) -> None:
    configure("ERROR", lines)
    logging.getLogger("telephony.agi_server").warning("agi.refused")
    logging.getLogger("telephony.agi_server").error("agi.failed")
    assert "agi.refused" not in lines.getvalue()
    assert "agi.failed" in lines.getvalue()


def events_of(path: Path) -> Iterator[str]:
    """The names that are logged in a file: a literal given to a logger or to ``_info``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(
                ast.Attribute(ast.Name("log") | ast.Attribute(_, "_log"), _), [*_, ast.Constant(name)]
            ):
                yield str(name)
            case ast.Call(ast.Attribute(_, "_info"), [ast.Constant(name), *_]):
                yield str(name)


def test_every_event_is_logged_in_one_place_so_that_its_name_has_one_meaning() -> None:
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    names = Counter(name for path in files for name in events_of(path))
    assert {"call.ended", "agi.answered", "alarm.raised", "stage.failed"} <= names.keys()
    assert [name for name, places in names.items() if places > 1] == []
    assert [name for name in names if not re.fullmatch(r"[a-z_]+\.[a-z_%]+", name)] == []


def test_every_package_of_ours_is_heard() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert folders - {"tests", "bench"} == set(PACKAGES)
