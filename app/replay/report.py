"""What replays showed: for the terminal, for a machine (JSON), for a CI server (JUnit)."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import asdict

from app.replay.player import Difference, Played

SAID_AT_MOST = 300
"""Characters of what was got, on the terminal; the JSON has it whole."""


def told(played: Played) -> str:
    """A transcript that differs, for a person: the first difference of each turn."""
    lines = [f"✗ {played.script.file}  {played.script.name}"]
    for difference in played.differences:
        lines += [f"    {line}" for line in _difference(difference)]
    return "\n".join(lines)


def summary(all_played: Sequence[Played]) -> str:
    """One line over all."""
    wrong = sum(not one.passed for one in all_played)
    turns = sum(len(one.turns) for one in all_played)
    seconds = sum(one.took_ms for one in all_played) / 1000
    calls = f"{len(all_played)} call{'s' if len(all_played) > 1 else ''}, {turns} turns, {seconds:.1f} s"
    return f"✗ {wrong} of {calls}: not as written" if wrong else f"✓ {calls}: all as written"


def as_json(all_played: Sequence[Played]) -> str:
    """Everything, the turns as played included."""
    calls = [
        {
            "file": str(one.script.file),
            "name": one.script.name,
            "phenomenon": one.script.phenomenon,
            "passed": one.passed,
            "took_ms": round(one.took_ms, 1),
            "differences": [asdict(difference) for difference in one.differences],
            "turns": [asdict(turn) for turn in one.turns],
        }
        for one in all_played
    ]
    failed = sum(not one.passed for one in all_played)
    return json.dumps({"calls": len(calls), "failed": failed, "played": calls}, ensure_ascii=False, indent=2)


def as_junit(all_played: Sequence[Played]) -> bytes:
    """JUnit's XML: one suite, one case a transcript, classed by phenomenon."""
    failed = sum(not one.passed for one in all_played)
    seconds = sum(one.took_ms for one in all_played) / 1000
    counted = {
        "tests": str(len(all_played)),
        "failures": str(failed),
        "errors": "0",
        "time": f"{seconds:.3f}",
    }
    root = ET.Element("testsuites", counted)
    suite = ET.SubElement(root, "testsuite", {"name": "replay", "skipped": "0", **counted})
    for one in all_played:
        about = {
            "classname": f"replay.{one.script.phenomenon}",
            "name": one.script.file.stem,
            "file": str(one.script.file),
            "time": f"{one.took_ms / 1000:.3f}",
        }
        case = ET.SubElement(suite, "testcase", about)
        if not one.passed:
            first = one.differences[0]
            failure = ET.SubElement(
                case, "failure", {"message": f"turn {first.turn}: {first.what}", "type": "difference"}
            )
            failure.text = _xml_text(told(one))
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _difference(difference: Difference) -> list[str]:
    where = f"turn {difference.turn}, " if difference.turn else ""
    return [
        f"{where}line {difference.line}: {difference.happened}",
        f"  {difference.what}",
        f"    expected  {difference.expected}",
        f"    got       {_short(difference.got)}",
    ]


def _short(text: str) -> str:
    return text if len(text) <= SAID_AT_MOST else f"{text[:SAID_AT_MOST]}…"


def _xml_text(text: str) -> str:
    """``text`` without the characters that XML 1.0 cannot hold."""
    return "".join(one for one in text if one in "\n\t" or ord(one) >= 0x20)
