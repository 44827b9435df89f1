"""Asterisk as the production configuration makes it: what is loaded, who is there, no complaint."""

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.asterisk.conftest import NOBODY
from tests.asterisk.debian import installed
from tests.asterisk.host import DEPLOY, TRUNK, Asterisk, fresh_environment, running
from tests.asterisk.test_operations import ami

pytestmark = pytest.mark.asterisk

ACTIONS = {
    *("Ping", "Status", "QueueStatus", "DeviceStateList", "PJSIPShowRegistrationsOutbound"),
    *("ShowDialPlan", "Setvar", "Redirect", "Hangup"),
}
"""What ``telephony.ami_client`` asks; some come with a module of their own."""

DESKS = {"conseillers": {"201", "202"}, "sinistres": {"201"}, "vie": {"202"}}
"""As ``deploy/asterisk/README.md`` and ``graph`` name them."""


def configured_modules() -> list[str]:
    text = (DEPLOY / "modules.conf").read_text(encoding="utf-8")
    return re.findall(r"^load = (\S+)", text, re.MULTILINE)


def sections(file: str) -> list[str]:
    text = (DEPLOY / file).read_text(encoding="utf-8")
    return re.findall(r"^\[([^]]+)\]", text, re.MULTILINE)


def test_every_module_is_there_and_runs_and_no_other_is_loaded(asterisk: Asterisk) -> None:
    shown = asterisk.cli("module show")
    running_now = set(re.findall(r"^(\S+\.so) .* Running ", shown, re.MULTILINE))
    configured = configured_modules()
    assert len(configured) == len(set(configured))
    assert running_now == set(configured)


def test_every_module_is_in_the_package(asterisk: Asterisk) -> None:
    folder = asterisk.tree.libraries / "asterisk" / "modules"
    assert [name for name in configured_modules() if not (folder / name).is_file()] == []


async def test_ami_has_every_action_that_the_agent_asks_for_and_the_agent_the_right_to_it(
    asterisk: Asterisk,
) -> None:
    known = re.findall(r"^ +(\w+) +", asterisk.cli("manager show commands"), re.MULTILINE)
    assert set(known) >= ACTIONS
    async with ami(asterisk) as session:
        await session.ask("Login", Username="agent", Secret=asterisk.environment["AMI_SECRET"])
        for action in ACTIONS - {"Ping"}:
            answer = await session.ask(action, Channel="PJSIP/nobody-1", Variable="A", Value="b")
            assert "permission" not in answer.get("Message", "").lower(), action


@pytest.mark.parametrize("kind", ["by-address", "registered"])
@pytest.mark.parametrize("nat", ["no", "yes"])
def test_it_starts_without_an_error_or_a_warning(kind: str, nat: str) -> None:
    environment = fresh_environment(NOBODY) | {
        "TRUNK_KIND": kind,
        "NAT": nat,
        "PUBLIC_ADDRESS": "203.0.113.7",
        "LOCAL_NETWORK": "127.0.0.1/32",
    }
    with (
        TemporaryDirectory(prefix="asterisk-") as folder,
        running(installed(), Path(folder) / "a", environment) as asterisk,  # raises when there was any
    ):
        assert asterisk.troubles() == []
        assert f"Match: {TRUNK}/32" in asterisk.cli("pjsip show identifies")


def test_the_dialplan_has_every_context_of_the_file_and_what_the_agent_names(asterisk: Asterisk) -> None:
    shown = asterisk.cli("dialplan show")
    contexts = set(re.findall(r"^\[ Context '([^']+)' created by 'pbx_config' \]", shown, re.MULTILINE))
    assert contexts == set(sections("extensions.conf")) - {"globals"}
    for place in ("201@hand-over", "vie@hand-over", "201@operator", "vie@operator", "201@voicebot-attended"):
        assert "-= " in asterisk.cli(f"dialplan show {place}"), place
        assert "There is no existence" not in asterisk.cli(f"dialplan show {place}"), place
    assert "There is no existence" in asterisk.cli("dialplan show 0900123456@from-adviser"), "no calls abroad"


def test_no_context_jumps_to_a_place_that_is_not_there(asterisk: Asterisk) -> None:
    shown = asterisk.cli("dialplan show")
    for context, exten in re.findall(r"Go(?:to|sub)\(([a-z-]+),(\w+),", shown):
        assert "There is no existence" not in asterisk.cli(f"dialplan show {exten}@{context}"), context


def test_the_endpoints_are_the_trunk_and_the_advisers(asterisk: Asterisk) -> None:
    shown = asterisk.cli("pjsip show endpoints")
    assert set(re.findall(r"^ Endpoint:  ([\w-]+)", shown, re.MULTILINE)) == {"201", "202", "trunk"}
    assert re.findall(r"Match: (\S+)", shown) == [f"{TRUNK}/32"]
    endpoints = re.split(r"^ Endpoint:  ", shown, flags=re.MULTILINE)[2:]  # the legend is the first
    without_password = [one.split()[0] for one in endpoints if "InAuth:" not in one]
    assert without_password == ["trunk"], "it is known by its address"


def test_the_queues_are_the_desks_and_their_members_the_advisers(asterisk: Asterisk) -> None:
    shown = asterisk.cli("queue show")
    queues = re.split(r"^(?=\w+ has \d+ calls)", shown, flags=re.MULTILINE)
    members = {
        one.split(" ", 1)[0]: set(re.findall(r"from PJSIP/(\d+)", one)) for one in queues if one.strip()
    }
    assert members == DESKS
    assert "'rrmemory' strategy" in shown
    assert shown.count("(Unavailable)") == 4, "nobody has registered; the README says so"


def test_the_manager_user_may_do_what_the_files_say_and_no_more(asterisk: Asterisk) -> None:
    shown = asterisk.cli("manager show user agent")
    assert re.search(r"read perm: system,call,agent,user,reporting$", shown, re.MULTILINE)
    assert re.search(r"write perm: call,reporting$", shown, re.MULTILINE)
    assert "deny - 0.0.0.0/0.0.0.0" in shown
    assert "secret: <Set>" in shown
    assert asterisk.environment["AMI_SECRET"] not in shown
    assert "1 manager users configured" in asterisk.cli("manager show users")
