"""The door of the HTTP pages: who may come in, how much he may bring, and what he is told when we fail.

Wrapped around every page, so that a page added later is behind it too:

- Everything but ``/health`` needs the API key, compared in constant time, before anything of the
  request is read. The pages for people (``/docs``, ``/openapi.json``) also take it as the password of
  HTTP Basic, which is all a browser can send of its own accord; the others do not, because a browser
  would then send it along with whatever another site makes it post here.
- A body is read here, within bounds of size and time; the longest we ask for is a sentence.
- An error that nobody expected is answered without its message, which may hold a caller's words.
"""

import asyncio
import base64
import binascii
import hmac
import json
import logging
from collections.abc import Mapping
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.watching.logs import place

log = logging.getLogger(__name__)

OPEN = frozenset({"/health"})
FOR_PEOPLE = frozenset({"/docs", "/openapi.json"})

LONGEST_BODY_BYTES = 16_384
"""1000 characters of JSON escapes are 12 kB at most."""

BODY_WITHIN_S = 5.0
"""A client in the same building needs milliseconds; one that drips would hold a connection for ever."""

_KEY_WANTED = (
    "this page needs the API key (APP_API_KEY; or the one shown at start) in the header X-API-Key, "
    "or as Authorization: Bearer"
)


class _Turned(Exception):
    """The request goes no further; says why."""

    def __init__(self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}


class Door:
    """ASGI middleware."""

    def __init__(
        self, app: ASGIApp, api_key: str, body_bytes: int = LONGEST_BODY_BYTES, body_s: float = BODY_WITHIN_S
    ) -> None:
        """Raises ``ValueError`` for an empty key: it would let everybody in."""
        if not api_key:
            raise ValueError("the API key is empty")
        self._app = app
        self._key = api_key.encode()
        self._body_bytes = body_bytes
        self._body_s = body_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = False

        async def sending(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        try:
            self._admit(scope)
            body = await self._read(scope, receive)
            if body is not None:
                await self._app(scope, _replayed(body, receive), sending)
        except _Turned as turned:
            await _answer(send, turned.status, turned.detail, turned.headers)
        except Exception as error:  # a server loop: what one request broke must not reach the others
            facts = {"error": type(error).__name__, "at": place(error)}
            log.error("http.failed", extra={**_call_of(scope), **facts})  # noqa: TRY400 - not its message
            log.debug("http.traceback", exc_info=error)
            if not began:
                detail = "something went wrong here; the log says what"
                await _answer(send, HTTPStatus.INTERNAL_SERVER_ERROR, detail)

    def _admit(self, scope: Scope) -> None:
        path = scope["path"]
        if path in OPEN:
            return
        for_people = path in FOR_PEOPLE
        shown = [key for key in _keys(scope["headers"], basic=for_people) if key]
        if not any(hmac.compare_digest(key, self._key) for key in shown):
            scheme = 'Basic realm="any name, and the API key as password"' if for_people else "Bearer"
            raise _Turned(HTTPStatus.UNAUTHORIZED, _KEY_WANTED, {"www-authenticate": scheme})

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """The whole body; None when the client has left."""
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared[:18]) > self._body_bytes:
            raise self._too_large()
        body = bytearray()
        try:
            async with asyncio.timeout(self._body_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    body += message.get("body", b"")
                    if len(body) > self._body_bytes:
                        raise self._too_large()
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError as exc:
            detail = f"the body did not come within {self._body_s:g} s"
            raise _Turned(HTTPStatus.REQUEST_TIMEOUT, detail, {"connection": "close"}) from exc

    def _too_large(self) -> _Turned:
        detail = f"the body is larger than {self._body_bytes} bytes"
        return _Turned(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, {"connection": "close"})


def _keys(headers: list[tuple[bytes, bytes]], *, basic: bool) -> list[bytes]:
    """Every key that the request shows."""
    keys: list[bytes] = []
    for name, value in headers:
        if name == b"x-api-key":
            keys.append(value.strip())
        elif name == b"authorization":
            scheme, _, rest = value.strip().partition(b" ")
            if scheme.lower() == b"bearer":
                keys.append(rest.strip())
            elif basic and scheme.lower() == b"basic":
                keys.append(_password(rest.strip()))
    return keys


def _password(credentials: bytes) -> bytes:
    try:
        return base64.b64decode(credentials, validate=True).partition(b":")[2]
    except binascii.Error:
        return b""


def _replayed(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives ``body``, then what else comes."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _call_of(scope: Scope) -> dict[str, str]:
    """The call that the page's address names."""
    call_id = scope.get("path_params", {}).get("call_id")
    return {"call_id": str(call_id)} if call_id else {}


async def _answer(
    send: Send, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None
) -> None:
    body = json.dumps({"detail": detail}).encode()
    told = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
    pairs = [(name.encode(), value.encode()) for name, value in told.items()]
    await send({"type": "http.response.start", "status": int(status), "headers": pairs})
    await send({"type": "http.response.body", "body": body})
