"""What holds for every test.

On a developer's machine a test may be skipped because something is not installed. In CI (the variable `CI` is
set) everything is, so a skip means that nobody looked: there it fails, with the reason it gave. The same goes
for an expected failure, kept or not.
"""

import os
from collections.abc import Generator
from typing import TypeVar

import pytest
from hypothesis import settings

# No test asserts how long anything takes: a busy machine is no failure.
settings.register_profile("without a clock", deadline=None)
settings.load_profile("without a clock")

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def in_ci() -> bool:
    """Tell whether CI runs us, as the variable that every CI service sets says."""
    return os.environ.get("CI", "").lower() not in {"", "0", "false"}


def failed_if_unseen(report: Report) -> Report:
    """Give the report back, turned into a failure when it tells of a skip or an expected failure."""
    expected_failure: str | None = getattr(report, "wasxfail", None)
    if expected_failure is None and not report.skipped:
        return report
    if expected_failure is not None:
        reason = f"expected failure: {expected_failure or 'no reason given'}"
        del report.wasxfail  # pytest adds it, and counts a report that has it as xfailed
    elif isinstance(report.longrepr, tuple):
        reason = str(report.longrepr[2])
    else:
        reason = str(report.longrepr)
    report.outcome = "failed"
    report.longrepr = f"{report.nodeid} did not run its course, which is a failure in CI. {reason}"
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Look at each test's report after pytest's own skipping plugin has made it."""
    report = yield
    return failed_if_unseen(report) if in_ci() else report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Look at each file's report: a whole file can skip itself while it is imported."""
    report = yield
    return failed_if_unseen(report) if in_ci() else report
