"""Events reach a receiver signed, are tried again when that may help, and never in a form he cannot check."""

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.events import CallStarted, read
from memory.webhook import EVENT_ID, SIGNATURE, Retries, Undeliverable, Webhook

AT = datetime(2026, 11, 20, 10, tzinfo=UTC)
SECRET = "between us"
DEFAULT = Retries()
EVENT = CallStarted(at=AT, call_id="c", caller="0612345678")


@dataclass
class Receiver:
    """A receiver that answers as it is told to, in memory."""

    answers: list[int | type[httpx.HTTPError]]
    requests: list[httpx.Request] = field(default_factory=list)
    pauses_s: list[float] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if isinstance(answer, int):
            return httpx.Response(answer)
        raise answer("no")

    async def sleep(self, seconds: float) -> None:
        self.pauses_s.append(seconds)

    def webhook(self, retries: Retries = DEFAULT) -> Webhook:
        client = httpx.AsyncClient(transport=httpx.MockTransport(self))
        return Webhook(client, "http://crm/hook", SECRET, lambda: AT, retries, self.sleep)


async def test_the_receiver_can_check_who_sent_it_and_when() -> None:
    receiver = Receiver([204])
    await receiver.webhook().send(EVENT)
    (request,) = receiver.requests
    at, _, seal = request.headers[SIGNATURE].partition(",")
    signed = at.removeprefix("t=").encode() + b"." + request.content
    assert seal == "v1=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert at == f"t={int(AT.timestamp())}"
    assert read(request.content) == EVENT
    assert request.headers[EVENT_ID] == EVENT.id


@pytest.mark.parametrize("fault", [408, 425, 429, 500, 503, httpx.ConnectError, httpx.ReadTimeout])
async def test_what_may_pass_is_tried_again_later_each_time(fault: int | type[httpx.HTTPError]) -> None:
    receiver = Receiver([fault, fault, fault, 200])
    await receiver.webhook(Retries(first_s=1.0)).send(EVENT)
    assert len(receiver.requests) == 4
    first, second, third = receiver.pauses_s
    assert 0.5 <= first <= 1 <= second <= 2 <= third <= 4
    assert len({request.headers[EVENT_ID] for request in receiver.requests}) == 1


@pytest.mark.parametrize("status", [301, 400, 401, 404, 410, 422])
async def test_what_will_not_get_better_is_given_up_at_once(status: int) -> None:
    receiver = Receiver([status])
    with pytest.raises(Undeliverable, match=f"HTTP {status}"):
        await receiver.webhook().send(EVENT)
    assert len(receiver.requests) == 1


async def test_a_receiver_that_stays_away_is_given_up_in_the_end() -> None:
    receiver = Receiver([httpx.ConnectError])
    with pytest.raises(Undeliverable, match="ConnectError, 3 times"):
        await receiver.webhook(Retries(attempts=3)).send(EVENT)
    assert len(receiver.requests) == 3


@given(st.integers(1, 50), st.floats(0, 1))
def test_pauses_are_bounded(attempt: int, chance: float) -> None:
    retries = Retries()
    assert 0 < retries.pause_s(attempt, chance) <= retries.longest_s
