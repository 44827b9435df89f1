"""In CI nothing is skipped: the rule of tests/conftest.py, tried on small test files of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

SKIPS = """
import pytest

def test_that_needs_something():
    pytest.skip("no such thing here")
"""
SKIPS_BY_MARK = """
import pytest

@pytest.mark.skipif(True, reason="not on this machine")
def test_that_needs_something():
    assert True
"""
SKIPS_AS_A_WHOLE = """
import pytest

pytest.importorskip("a_module_that_nobody_has")

def test_that_needs_a_module():
    assert True
"""
EXPECTED_TO_FAIL = """
import pytest

@pytest.mark.xfail(reason="known since spring")
def test_that_is_known_to_fail():
    assert False
"""
EXPECTED_TO_FAIL_BUT_PASSES = EXPECTED_TO_FAIL.replace("assert False", "assert True")
PASSES = """
def test_that_passes():
    assert True
"""


def run_pytest(folder: Path, source: str, *, ci: str) -> subprocess.CompletedProcess[str]:
    """Run one test file under the project's conftest, with the variable CI as given."""
    (folder / "test_it.py").write_text(source, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    command += ["--rootdir", str(folder), "-c", os.devnull, str(folder)]
    # Without the installed plugins pytest starts four times faster.
    environment = {**os.environ, "CI": ci, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (SKIPS, "no such thing here"),
        (SKIPS_BY_MARK, "not on this machine"),
        (SKIPS_AS_A_WHOLE, "a_module_that_nobody_has"),
        (EXPECTED_TO_FAIL, "known since spring"),
        (EXPECTED_TO_FAIL_BUT_PASSES, "known since spring"),
    ],
    ids=["skip", "mark", "whole file", "xfail", "xpass"],
)
def test_in_ci_a_test_that_did_not_count_is_a_failure_with_its_reason(
    tmp_path: Path, source: str, reason: str
) -> None:
    ended = run_pytest(tmp_path, source, ci="true")
    assert ended.returncode != 0, ended.stdout
    assert reason in ended.stdout
    assert "skipped" not in ended.stdout.splitlines()[-1]


def test_in_ci_a_test_that_passes_passes(tmp_path: Path) -> None:
    ended = run_pytest(tmp_path, PASSES, ci="true")
    assert ended.returncode == 0, ended.stdout
    assert "1 passed" in ended.stdout


@pytest.mark.parametrize("ci", ["", "false", "0"])
def test_outside_ci_a_skip_stays_a_skip(tmp_path: Path, ci: str) -> None:
    ended = run_pytest(tmp_path, SKIPS, ci=ci)
    assert ended.returncode == 0, ended.stdout
    assert "1 skipped" in ended.stdout
