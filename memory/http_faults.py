"""What the HTTP status of a provider says about it, for the breakers. Pure.

The codes are those that providers of speech and language were seen to send; a code weighs more than its
status, for "quota exceeded" comes as 401 in one place and as 429 in another. Wording is never read.
"""

from memory.breaker import Fault, FaultKind

_CONFIGURATION_CODES = frozenset(
    [
        "invalid_api_key",
        "model_not_found",
        "model_decommissioned",
        "voice_not_found",
        "insufficient_permissions",
    ]
)
_BUSY_CODES = frozenset(
    [
        "capacity_exceeded",
        "concurrent_limit_exceeded",
        "quota_exceeded",
        "system_busy",
        "too_many_concurrent_requests",
    ]
)


def fault_of_status(status: int, code: str = "", retry_after: str = "") -> Fault:
    """The fault behind an answer that is no success.

    ``code`` is the provider's own word, if it gave one; ``retry_after`` the header of that name, in seconds
    (a date, which HTTP allows as well, counts as not given).
    """
    reason = f"HTTP {status}" + (f" {code}" if code else "")
    return Fault(_kind(status, code), reason, _seconds(retry_after))


def _kind(status: int, code: str) -> FaultKind:
    if code in _CONFIGURATION_CODES:
        return FaultKind.CONFIGURATION
    if code in _BUSY_CODES:
        return FaultKind.BUSY
    match status:
        case 401 | 402 | 403 | 404:
            return FaultKind.CONFIGURATION
        case 429 | 498:
            return FaultKind.BUSY
        case 408 | 409:
            return FaultKind.AWAY
        case _ if 400 <= status < 500:
            return FaultKind.REQUEST
        case _:
            return FaultKind.AWAY


def _seconds(retry_after: str) -> float | None:
    try:
        seconds = float(retry_after)
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None
