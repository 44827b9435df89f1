"""What a status says about its provider."""

import pytest

from memory.breaker import Fault, FaultKind
from memory.http_faults import fault_of_status


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "invalid_api_key", FaultKind.CONFIGURATION),
        (403, "", FaultKind.CONFIGURATION),
        (404, "model_not_found", FaultKind.CONFIGURATION),
        (400, "model_decommissioned", FaultKind.CONFIGURATION),
        (401, "quota_exceeded", FaultKind.BUSY),
        (429, "rate_limit_exceeded", FaultKind.BUSY),
        (498, "capacity_exceeded", FaultKind.BUSY),
        (413, "rate_limit_exceeded", FaultKind.REQUEST),
        (400, "tool_use_failed", FaultKind.REQUEST),
        (422, "", FaultKind.REQUEST),
        (408, "", FaultKind.AWAY),
        (500, "", FaultKind.AWAY),
        (503, "", FaultKind.AWAY),
        (302, "", FaultKind.AWAY),
    ],
)
def test_a_status_says_who_has_to_do_what(status: int, code: str, kind: FaultKind) -> None:
    assert fault_of_status(status, code).kind is kind


def test_the_reason_is_status_and_code() -> None:
    assert fault_of_status(404, "model_not_found").reason == "HTTP 404 model_not_found"
    assert fault_of_status(503).reason == "HTTP 503"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("-3", None),
        ("inf", None),
        ("nan", None),
    ],
)
def test_retry_after_is_read_in_seconds(header: str, seconds: float | None) -> None:
    assert fault_of_status(429, retry_after=header) == Fault(FaultKind.BUSY, "HTTP 429", seconds)
