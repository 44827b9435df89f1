"""Playing transcripts: what holds, what differs, and what no transcript has to ask for."""

import json
import xml.etree.ElementTree as ET
from datetime import date
from pathlib import Path

import pytest

from app.replay import report
from tests.app.replay.mind import played

HEAD = 'name: essai\nphenomenon: essai\nnow: "2026-11-20T10:00"\n'
IDENTIFIED = """
  - says: la valeur de mon assurance vie
  - keys: "10078821"
  - keys: "01041962"
"""


@pytest.mark.parametrize(
    ("turn", "what"),
    [
        ("nodes: [classify, faq]", "nodes"),
        ("lines: [authenticate.ask_birth_date]", "lines"),
        ("said: [faq.answer]", "said"),
        ("said: [authenticate.ask_number, authenticate.ask_number]", "said"),
        ("never: [authenticate.*]", "never"),
        ("state: {refusals: 1}", "state.refusals"),
        ("absent: [pending]", "state.pending"),
        ("then: {listens: date}", "then"),
        ("then: hangs_up", "then"),
        ("then: transfers", "then"),
    ],
)
async def test_each_kind_of_difference_is_told_with_its_turn_and_line(
    tmp_path: Path, turn: str, what: str
) -> None:
    one = await played(tmp_path, f"{HEAD}turns:\n  - says: la valeur de mon assurance vie\n    {turn}\n")
    (difference,) = one.differences
    assert (difference.turn, difference.line, difference.what) == (1, 5, what)
    assert difference.expected != difference.got
    assert "call.yaml" in report.told(one)
    assert "expected" in report.told(one)


async def test_only_the_first_difference_of_a_turn_is_told_and_the_call_goes_on(tmp_path: Path) -> None:
    one = await played(
        tmp_path,
        HEAD
        + "turns:\n  - says: la valeur de mon assurance vie\n    nodes: [faq]\n    then: hangs_up\n"
        + "  - keys: '10078821'\n    said: [authenticate.ask_birth_date]\n",
    )
    assert [difference.turn for difference in one.differences] == [1]
    assert len(one.turns) == 2


async def test_what_is_never_said_holds_for_the_whole_call(tmp_path: Path) -> None:
    one = await played(tmp_path, f"{HEAD}never: [contract.value]\nturns:{IDENTIFIED}")
    assert [(difference.turn, difference.what) for difference in one.differences] == [(3, "never")]


async def test_a_transfer_is_compared_by_what_people_are_told(tmp_path: Path) -> None:
    right = "then: {transfers: {queue: vie, reason: asked, customer_number: '10078821', summary: vérifiée}}"
    for then, passed in ((right, True), ("then: {transfers: {queue: sinistres}}", False)):
        text = f"{HEAD}turns:{IDENTIFIED}  - says: passez-moi un conseiller\n    {then}\n"
        assert (await played(tmp_path, text)).passed is passed


async def test_a_second_call_begins_anew_and_the_count_of_failures_stays(tmp_path: Path) -> None:
    text = f"{HEAD}turns:{IDENTIFIED}  - begins: true\n    absent: [identity]\n    said: [greet.notice]\n"
    assert (await played(tmp_path, text)).passed


async def test_the_clock_moves_when_the_transcript_says_so(tmp_path: Path) -> None:
    text = HEAD + "turns:\n  - {says: un conseiller, now: 2026-11-20T18:30, said: [transfer.closed]}\n"
    assert (await played(tmp_path, text)).passed


async def test_promised_call_backs_are_compared(tmp_path: Path) -> None:
    text = HEAD + "call_backs: [{part: morning}]\nturns:\n  - says: bonjour\n"
    (difference,) = (await played(tmp_path, text)).differences
    assert (difference.turn, difference.what, difference.got) == (0, "call_backs", "none")


async def test_what_was_not_heard_is_cut_out_of_the_history(tmp_path: Path) -> None:
    text = f"{HEAD}turns:{IDENTIFIED}  - says: attendez\n    after_hearing: Merci, Madame\n"
    assert (await played(tmp_path, text)).passed
    wrong = text.replace("Merci, Madame", "Au revoir")
    (difference,) = (await played(tmp_path, wrong)).differences
    assert difference.what == "after_hearing"


async def test_a_model_answer_that_nobody_asks_for_is_a_difference(tmp_path: Path) -> None:
    text = HEAD + "model: [{writes: Bonjour}]\nturns:\n  - says: quels sont vos horaires ?\n"
    (difference,) = (await played(tmp_path, text)).differences
    assert difference.what == "model"


async def test_other_customers_lie_beside_the_transcript(tmp_path: Path) -> None:
    customers: dict[str, list[str]] = {"customers": [], "contracts": [], "claims": []}
    (tmp_path / "nobody.json").write_text(json.dumps(customers), encoding="utf-8")
    text = f"{HEAD}customers: nobody.json\nturns:{IDENTIFIED}    said: [authenticate.refused]\n"
    assert (await played(tmp_path, text)).passed


async def test_junit_and_json_tell_the_same(tmp_path: Path) -> None:
    good = await played(tmp_path, f"{HEAD}turns:\n  - silent: true\n", "good.yaml")
    bad = await played(tmp_path, f"{HEAD}turns:\n  - silent: true\n    then: hangs_up\n", "bad.yaml")
    suite = ET.fromstring(report.as_junit([good, bad]))[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    assert [case.find("failure") is not None for case in suite] == [False, True]
    told = json.loads(report.as_json([good, bad]))
    assert (told["calls"], told["failed"]) == (2, 1)
    assert told["played"][1]["differences"][0]["what"] == "then"
    assert told["played"][0]["turns"][0]["nodes"] == ["repair"]
    assert "1 of 2 calls" in report.summary([good, bad])


async def test_the_day_of_the_transcript_is_the_day_by_which_age_is_judged(tmp_path: Path) -> None:
    minor = f"{HEAD}turns:\n  - says: la valeur de mon contrat\n  - keys: '72619305'\n  - keys: '08032012'\n"
    assert (await played(tmp_path, minor + "    absent: [identity]\n")).passed
    grown = minor.replace("phenomenon", f"today: {date(2031, 1, 1)}\nphenomenon")
    one = await played(tmp_path, grown + "    state: {identity.customer_number: '72619305'}\n")
    assert one.passed, report.told(one)


async def test_the_call_in_the_readme_goes_as_written(tmp_path: Path) -> None:
    readme = Path(__file__).parents[3].joinpath("README.md").read_text(encoding="utf-8")
    _, _, behind = readme.partition("## Replay a call")
    one = await played(tmp_path, behind.partition("```yaml\n")[2].partition("```")[0])
    assert one.passed, report.told(one)
