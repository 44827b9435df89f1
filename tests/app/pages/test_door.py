"""The door by itself: what it does with clients that bring nothing, too late, or break what is behind it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest
from starlette.types import Message, Receive, Scope, Send

from app.pages.door import Door

KEY = "the-key-of-the-test"
SECRET_WORDS = "mon code secret est perroquet"


class Client:
    """Sends ``messages`` and then nothing more; keeps what it is sent."""

    def __init__(self, *messages: Message) -> None:
        self.sent: list[Message] = []
        self._messages = list(messages)

    async def receive(self) -> Message:
        if not self._messages:
            await asyncio.Event().wait()
        return self._messages.pop(0)

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])


def request(key: str = KEY, path: str = "/ready", *headers: tuple[bytes, bytes]) -> Scope:
    return {"type": "http", "path": path, "headers": [(b"x-api-key", key.encode()), *headers]}


async def nothing_behind(scope: Scope, receive: Receive, send: Send) -> None:
    raise AssertionError("the request went on")


def kept(bodies: list[bytes]) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """An application that keeps the body it is given."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        assert not message["more_body"]
        bodies.append(message["body"])
        bodies.append((await receive())["type"].encode())

    return app


def test_an_empty_key_is_no_key() -> None:
    with pytest.raises(ValueError, match="empty"):
        Door(nothing_behind, "")


async def test_a_body_that_never_comes_is_not_waited_for() -> None:
    client = Client()
    await Door(nothing_behind, KEY, body_s=0.01)(request(), client.receive, client.send)
    assert client.status == 408


async def test_a_client_that_leaves_before_its_body_is_there_is_not_answered() -> None:
    client = Client({"type": "http.disconnect"})
    await Door(nothing_behind, KEY)(request(), client.receive, client.send)
    assert client.sent == []


async def test_a_body_in_pieces_is_given_whole_and_what_follows_is_passed_on() -> None:
    bodies: list[bytes] = []
    client = Client(
        {"type": "http.request", "body": b"mon ", "more_body": True},
        {"type": "http.request", "more_body": True},
        {"type": "http.request", "body": b"sinistre"},
        {"type": "http.disconnect"},
    )
    await Door(kept(bodies), KEY)(request(), client.receive, client.send)
    assert bodies == [b"mon sinistre", b"http.disconnect"]


@pytest.mark.parametrize("length", [0, 1, 9, 10])
async def test_a_body_up_to_the_limit_is_taken(length: int) -> None:
    bodies: list[bytes] = []
    client = Client({"type": "http.request", "body": b"x" * length}, {"type": "http.disconnect"})
    await Door(kept(bodies), KEY, body_bytes=10)(request(), client.receive, client.send)
    assert bodies[0] == b"x" * length


async def test_a_body_beyond_the_limit_is_refused_before_it_is_read_when_its_length_is_told() -> None:
    client = Client()
    for told in (b"11", b"9" * 400):
        scope = request(KEY, "/ready", (b"content-length", told))
        await Door(nothing_behind, KEY, body_bytes=10)(scope, client.receive, client.send)
        assert client.status == 413


async def test_without_the_key_the_body_is_not_even_read() -> None:
    client = Client()  # reading would wait for ever
    await Door(nothing_behind, KEY)(request("wrong"), client.receive, client.send)
    assert client.status == 401


@pytest.mark.parametrize("path", ["/health/", "//health", "/HEALTH", "/health/../ready", "", "/healthy"])
async def test_only_the_very_address_of_health_is_open(path: str) -> None:
    client = Client()
    await Door(nothing_behind, KEY)(request("", path), client.receive, client.send)
    assert client.status == 401


async def test_an_error_after_the_answer_began_is_logged_and_not_answered_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError(SECRET_WORDS)

    client = Client({"type": "http.request", "body": b""})
    await Door(app, KEY)(request(), client.receive, client.send)
    assert [message.get("status") for message in client.sent] == [200]
    assert [record.getMessage() for record in caplog.records] == ["http.failed"]
    assert SECRET_WORDS not in caplog.text


async def test_a_cancelled_request_is_cancelled() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise asyncio.CancelledError

    client = Client({"type": "http.request", "body": b""})
    with pytest.raises(asyncio.CancelledError):
        await Door(app, KEY)(request(), client.receive, client.send)
    assert client.sent == []
