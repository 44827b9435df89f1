"""What docs/events.md promises other systems is what the agent does."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from memory.event_stream import STREAM
from memory.events import Event, read
from memory.webhook import DEAD_LETTERS, signature

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text(encoding="utf-8")
AT = datetime(2026, 11, 20, 9, tzinfo=UTC)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_catalogue_holds_every_event_with_every_field() -> None:
    [catalogue] = blocks("json")
    kinds = {}
    for line in catalogue.splitlines():
        told = json.loads(line)
        filled = {**told, "at": AT.isoformat(), "id": "x", "call_id": told["call_id"] or ""}
        event = read(json.dumps(filled))
        assert told.keys() == event.model_dump().keys()
        kinds[event.kind] = event
    known = {kind.model_fields["kind"].default for kind in get_args(get_args(Event)[0])}
    assert kinds.keys() == known


def test_the_receivers_check_accepts_what_we_sign_and_nothing_else() -> None:
    [check] = [block for block in blocks("python") if "is_ours" in block]
    scope: dict[str, Any] = {}
    exec(check, scope)
    is_ours = scope["is_ours"]
    header = signature("s3cret", AT, b"{}")
    now_s = AT.timestamp()
    assert is_ours(header, b"{}", "s3cret", now_s)
    assert not is_ours(header, b"{ }", "s3cret", now_s)
    assert not is_ours(header, b"{}", "another", now_s)
    assert not is_ours(header, b"{}", "s3cret", now_s + 301)


def test_the_names_of_the_streams_are_right_and_the_examples_are_python() -> None:
    assert f"`{STREAM}`" in PAGE
    assert f"`{DEAD_LETTERS}`" in PAGE
    for block in blocks("python"):
        compile(block, "docs/events.md", "exec")
