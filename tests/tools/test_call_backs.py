"""Promises are kept in a file of lines that nobody else may read, or are not made."""

import asyncio
import json
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pytest

from tools.call_back_times import CallBackTime, DayPart
from tools.call_backs import CallBack, CallBacksUnavailable, FileCallBacks
from tools.opening_hours import PARIS

PROMISE = CallBack(
    call_id="b6b1c0de-0000-4000-8000-000000000001",
    number="0612345678",
    when=CallBackTime(date(2026, 11, 23), DayPart.MORNING),
    queue="sinistres",
    reason="asked",
    summary="Demande un conseiller ; au sujet d'un sinistre ; identité vérifiée.",
    customer_number="10078821",
    asked_at=datetime(2026, 11, 21, 11, 0, tzinfo=PARIS),
)


async def test_a_promise_is_one_line_of_json_with_all_that_people_need(tmp_path: Path) -> None:
    path = tmp_path / "var" / "callbacks.jsonl"
    await FileCallBacks(path).record(PROMISE)
    [line] = path.read_text(encoding="utf-8").splitlines()
    assert json.loads(line) == {
        "call_id": "b6b1c0de-0000-4000-8000-000000000001",
        "number": "0612345678",
        "on": "2026-11-23",
        "part": "morning",
        "queue": "sinistres",
        "reason": "asked",
        "summary": "Demande un conseiller ; au sujet d'un sinistre ; identité vérifiée.",
        "customer_number": "10078821",
        "asked_at": "2026-11-21T11:00:00+01:00",
    }
    assert "identité" in line, "readable as it stands"


async def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "callbacks.jsonl"
    await FileCallBacks(path).record(PROMISE)
    assert path.stat().st_mode & 0o777 == 0o600


async def test_promises_made_at_once_by_several_workers_are_whole_lines(tmp_path: Path) -> None:
    workers = [FileCallBacks(tmp_path / "callbacks.jsonl") for _ in range(4)]
    promises = [replace(PROMISE, call_id=str(n), summary="é" * 500) for n in range(40)]
    await asyncio.gather(*(workers[n % 4].record(promise) for n, promise in enumerate(promises)))
    lines = (tmp_path / "callbacks.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["call_id"] for line in lines} == {str(n) for n in range(40)}


async def test_a_summary_with_a_line_break_stays_one_line(tmp_path: Path) -> None:
    path = tmp_path / "callbacks.jsonl"
    await FileCallBacks(path).record(replace(PROMISE, summary="un\ndeux\u2028trois"))
    assert len(path.read_text(encoding="utf-8").split("\n")) == 2


async def test_a_file_that_cannot_be_written_is_told_with_the_cure_and_without_the_number(
    tmp_path: Path,
) -> None:
    path = tmp_path / "callbacks.jsonl"
    path.mkdir()
    with pytest.raises(CallBacksUnavailable, match="read-only") as caught:
        await FileCallBacks(path).record(PROMISE)
    assert "0612345678" not in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)
