"""``deploy/asterisk/render``: settings of the environment into Asterisk's files. Needs no Asterisk."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.asterisk.host import DEPLOY

SETTINGS = {
    "SERVER_ADDRESS": "192.0.2.10",
    "TRUNK_HOST": "sip.operator.example",
    "TRUNK_ADDRESSES": "198.51.100.0/28",
    "TRUNK_USER": "0033123456789",
    "TRUNK_PASSWORD": "of-the-trunk",
    "ADVISER_201_PASSWORD": "of-201",
    "ADVISER_202_PASSWORD": "of-202",
    "AMI_SECRET": "of-ami",
}
"""All that a machine in service has to set."""

DIRECTORIES = """[directories](!)
astetcdir => /etc/asterisk
astlogdir => /var/log/asterisk
; astrundir => /tmp
[options]
verbose = 3
"""


@pytest.fixture
def directories(tmp_path: Path) -> Path:
    file = tmp_path / "package.conf"
    file.write_text(DIRECTORIES, encoding="utf-8")
    return file


def run(folder: Path, directories: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(DEPLOY / "render"), str(folder), str(directories)],
        env={"PATH": os.environ["PATH"], **settings},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def rendered(folder: Path, directories: Path, **settings: str) -> dict[str, str]:
    """The files by name, with :data:`SETTINGS` and these."""
    ended = run(folder, directories, **{**SETTINGS, **settings})
    assert ended.returncode == 0, ended.stderr
    return {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.conf")}


def test_every_setting_is_filled_in_and_no_marker_stays(tmp_path: Path, directories: Path) -> None:
    files = rendered(tmp_path / "etc", directories)
    assert "password = of-the-trunk" in files["pjsip.conf"]
    assert "client_uri = sip:0033123456789@sip.operator.example" in files["trunk-registered.conf"]
    assert "AGENTS = 127.0.0.1:4573" in files["extensions.conf"]
    assert f"SOUNDS = {tmp_path}/etc/sounds" in files["extensions.conf"]
    assert not [name for name, text in files.items() if re.search(r"@[A-Z][A-Z0-9_]*(=[^@]*)?@", text)]


@pytest.mark.parametrize("name", SETTINGS)
def test_a_missing_setting_is_named_and_nothing_is_written(
    tmp_path: Path, directories: Path, name: str
) -> None:
    without = {key: value for key, value in SETTINGS.items() if key != name}
    ended = run(tmp_path / "etc", directories, **without)
    assert ended.returncode == 1
    assert f"{name} is not set" in ended.stderr
    assert not list((tmp_path / "etc").iterdir())


def test_an_empty_setting_counts_as_missing(tmp_path: Path, directories: Path) -> None:
    assert (
        "AMI_SECRET is not set" in run(tmp_path / "etc", directories, **SETTINGS | {"AMI_SECRET": ""}).stderr
    )


def test_a_value_cannot_add_a_line(tmp_path: Path, directories: Path) -> None:
    forged = SETTINGS | {"AMI_SECRET": "x\nwrite = all"}
    ended = run(tmp_path / "etc", directories, **forged)
    assert ended.returncode == 1
    assert "AMI_SECRET holds a line break" in ended.stderr


@pytest.mark.parametrize(
    ("secret", "written"),
    [("a;b", r"a\;b"), ("a&b", "a&b"), ("a\\b", "a\\b"), ("@NAT@", "@NAT@"), ("${X}", "${X}"), ("é", "é")],
)
def test_a_secret_may_hold_any_sign(tmp_path: Path, directories: Path, secret: str, written: str) -> None:
    files = rendered(tmp_path / "etc", directories, AMI_SECRET=secret)
    assert f"\nsecret = {written}\n" in files["manager.conf"]


def test_the_files_of_what_was_not_chosen_ask_for_nothing_and_are_not_written(
    tmp_path: Path, directories: Path
) -> None:
    files = rendered(tmp_path / "etc", directories, TRUNK_KIND="by-address")
    assert "trunk-by-address.conf" in files
    assert "trunk-registered.conf" not in files
    assert "nat-yes.conf" not in files
    behind_nat = run(tmp_path / "nat", directories, **SETTINGS, NAT="yes")
    assert "PUBLIC_ADDRESS is not set" in behind_nat.stderr


def test_a_choice_that_does_not_exist_is_refused(tmp_path: Path, directories: Path) -> None:
    ended = run(tmp_path / "etc", directories, **SETTINGS, NAT="perhaps")
    assert ended.returncode == 1
    assert "there is no nat-perhaps.conf" in ended.stderr


def test_only_the_owner_may_read_what_was_written(tmp_path: Path, directories: Path) -> None:
    rendered(tmp_path / "etc", directories)
    written = [tmp_path / "etc", *(tmp_path / "etc").rglob("*")]
    assert not [path for path in written if path.stat().st_mode & 0o077]


def test_asterisk_keeps_the_packages_directories_and_reads_ours(tmp_path: Path, directories: Path) -> None:
    text = rendered(tmp_path / "etc", directories)["asterisk.conf"]
    assert "astlogdir => /var/log/asterisk" in text
    assert f"astetcdir => {tmp_path}/etc" in text
    assert "/etc/asterisk\n" not in text
    assert "astrundir" not in text
    assert "verbose = 3" not in text


def test_the_sources_cannot_be_overwritten(directories: Path) -> None:
    ended = run(DEPLOY, directories, **SETTINGS)
    assert ended.returncode == 2
    assert "another folder" in ended.stderr


def test_rendering_again_changes_nothing(tmp_path: Path, directories: Path) -> None:
    assert rendered(tmp_path / "etc", directories) == rendered(tmp_path / "etc", directories)


def test_no_secret_stands_in_the_repository() -> None:
    secret = re.compile(r"^\s*(password|secret)\s*=(?! @[A-Z0-9_]+@$)", re.MULTILINE)
    assert not [
        path.name for path in DEPLOY.glob("*.conf") if secret.search(path.read_text(encoding="utf-8"))
    ]


def test_every_setting_is_explained_with_its_default() -> None:
    readme = (DEPLOY / "README.md").read_text(encoding="utf-8")
    explained = dict(re.findall(r"^\| `([A-Z0-9_]+)` \| ([^|]*?) \|", readme, re.MULTILINE))
    used: dict[str, str] = {}
    for path in DEPLOY.glob("*.conf"):
        for name, default in re.findall(
            r"@([A-Z][A-Z0-9_]*)(?:=([^@]*))?@", path.read_text(encoding="utf-8")
        ):
            used[name] = f"`{default}`" if default else "required"
    del used["HERE"]
    assert explained == used
