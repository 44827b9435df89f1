"""Passing on: what rings whom, and which of Asterisk's words mean that nobody took the caller."""

import pytest

from graph.heard import Unreached
from telephony.agi import ProtocolError
from telephony.call import Transferred
from telephony.handover import HandoverPlan, Statuses, unreached

TO = Transferred("sinistres", "asked", "Demande un conseiller.", "10078821")


def test_a_desk_is_a_queue_of_its_name_unless_the_plan_says_otherwise() -> None:
    assert HandoverPlan(wait_s=45).command("sinistres") == "EXEC Queue sinistres,c,,,45"


def test_a_queue_may_run_a_subroutine_on_the_advisers_channel() -> None:
    plan = HandoverPlan(adviser_leg="adviser-leg^s^1")
    assert plan.command("vie") == 'EXEC Queue "vie,cb(adviser-leg^s^1),,,60"'


def test_a_desk_with_an_extension_is_dialled_in_the_dialplans_context() -> None:
    plan = HandoverPlan(extensions={"vie": "201"}, context="people")
    assert plan.command("vie") == "EXEC Dial Local/201@people/n,60,mg"
    assert plan.command("sinistres").startswith("EXEC Queue")


def test_attended_goes_by_the_context_that_has_the_adviser_told_first() -> None:
    plan = HandoverPlan(attended=True, extensions={"vie": "201"})
    assert plan.command("vie") == "EXEC Dial Local/201@voicebot-attended/n,120,mg"
    assert plan.command("sinistres") == "EXEC Dial Local/sinistres@voicebot-attended/n,120,mg"


@pytest.mark.parametrize("desk", ["", "a,b", "a&b", "a@b", "a/n", "vie)U(x", "${EVAL}", "a b", "x" * 65])
@pytest.mark.parametrize("attended", [False, True])
def test_what_is_no_name_rings_nobody(desk: str, attended: bool) -> None:
    with pytest.raises(ProtocolError):
        HandoverPlan(attended=attended).command(desk)


@pytest.mark.parametrize("extensions", [{"vie": "201&0033"}, {"vie@x": "201"}, {"vie": ""}])
def test_a_plan_with_an_extension_that_would_ring_somebody_else_is_refused(
    extensions: dict[str, str],
) -> None:
    with pytest.raises(ValueError, match="not the name"):
        HandoverPlan(extensions=extensions)
    with pytest.raises(ValueError, match="second"):
        HandoverPlan(wait_s=0)


def test_people_are_told_who_calls_why_and_about_what() -> None:
    plan = HandoverPlan(extensions={"sinistres": "202"})
    assert plan.variables(TO, "agi://here/whisper") == {
        "QUEUE": "sinistres",
        "EXTENSION": "202",
        "REASON": "asked",
        "SUMMARY": "Demande un conseiller.",
        "CUSTOMER": "10078821",
    }


def test_attended_the_dialplan_is_told_where_the_summary_is_spoken() -> None:
    told = HandoverPlan(attended=True, wait_s=30).variables(TO, "agi://here/whisper")
    assert (told["WHISPER"], told["WAIT_S"]) == ("agi://here/whisper", "30")


@pytest.mark.parametrize(
    ("statuses", "why"),
    [
        (Statuses(queue="CONTINUE"), None),
        (Statuses(queue="TIMEOUT"), "no_answer"),
        (Statuses(queue="FULL"), "busy"),
        (Statuses(queue="JOINEMPTY"), "unavailable"),
        (Statuses(queue="LEAVEEMPTY"), "unavailable"),
        (Statuses(queue="JOINUNAVAIL"), "unavailable"),
        (Statuses(queue="LEAVEUNAVAIL"), "unavailable"),
        (Statuses(queue="UNKNOWN"), "unavailable"),
        (Statuses(dial="ANSWER"), None),
        (Statuses(dial="ANSWER", adviser="accepted"), None),
        (Statuses(dial="ANSWER", adviser="listening"), "refused"),
        (Statuses(dial="BUSY", adviser="refused"), "refused"),
        (Statuses(dial="NOANSWER"), "no_answer"),
        (Statuses(dial="CANCEL"), "no_answer"),
        (Statuses(dial="BUSY"), "busy"),
        (Statuses(dial="CHANUNAVAIL"), "unavailable"),
        (Statuses(dial="CONGESTION"), "unavailable"),
        (Statuses(), "unavailable"),
    ],
)
def test_whether_somebody_took_the_caller_is_read_from_what_asterisk_says(
    statuses: Statuses, why: Unreached | None
) -> None:
    assert unreached(statuses) == why
