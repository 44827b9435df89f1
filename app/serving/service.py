"""The agent with its HTTP pages, in the event loop of whoever runs it.

The ports are tried before anything is loaded: a second agent on the same machine is told at once, and
which setting to change. uvicorn leaves signals to the caller, and writes no access log: its lines would
hold the names of calls.
"""

import asyncio
import logging
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime

import uvicorn
from fastapi import FastAPI

from app.pages.routes import create_app
from app.settings import Settings, SettingsInvalid
from app.watching.metrics import Metrics
from app.wiring import Agent, open_agent, this_moment
from telephony.journal import Journal

log = logging.getLogger(__name__)

KEY_BYTES = 24
"""Of a key that is made at start: 192 bits, 32 characters."""

FAREWELL_S = 2
"""How long requests under way may take when the service stops."""

CONNECTIONS_AT_ONCE = 200
"""More are answered 503: the pages must never take the event loop from the calls."""


class PortUnavailable(OSError):
    """An address cannot be listened on; the message names it and the settings that choose it."""


@dataclass(frozen=True, slots=True)
class Running:
    """An agent that answers the phone and HTTP."""

    agent: Agent
    http_url: str
    """``http://127.0.0.1:8000``, without a slash at the end."""
    api_key: str
    metrics: Metrics


@asynccontextmanager
async def running(
    settings: Settings,
    journals: Sequence[Journal] = (),
    tick_ms: float = 20.0,
    now: Callable[[], datetime] = this_moment,
    *,
    shares_agi_port: bool = False,
) -> AsyncIterator[Running]:
    """The whole service, until the block is left. Port 0 takes a free one.

    The other arguments are those of :func:`app.wiring.open_agent`, whose errors are raised as well. Raises
    :class:`PortUnavailable`, and ``SettingsInvalid`` for a key that no header could carry.
    """
    api_key = api_key_of(settings)
    metrics = Metrics()
    line = settings.asterisk
    with closing(listening(settings.application.host, settings.application.port, "APP")) as listener:
        for host, port, setting, shared in (
            (line.agi_host, line.agi_port, "ASTERISK_AGI", shares_agi_port),
            (line.audio_host, line.audio_port, "ASTERISK_AUDIO", False),
        ):
            # Free: its own server takes it in a moment.
            reserved(host, port, setting, shared=shared).close()
        opened = open_agent(
            settings,
            (metrics, *journals),
            tick_ms,
            now,
            metrics.told,
            shares_agi_port=shares_agi_port,
        )
        async with opened as agent:
            metrics.watch(agent.metronome)
            metrics.watch_asterisk(agent.monitor)
            metrics.watch_breakers(agent.breakers)
            app = create_app(agent, api_key, metrics)
            async with served(app, listener):
                url = url_of(settings.application.host, listener)
                log.info("http.ready", extra={"url": url})
                yield Running(agent, url, api_key, metrics)


class _Server(uvicorn.Server):
    """uvicorn as a guest: it says when it accepts, and leaves the process's signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.accepting = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepting.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def served(app: FastAPI, listener: socket.socket) -> AsyncIterator[None]:
    """``app`` on ``listener``; when the block is left, what is under way is answered first."""
    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS_AT_ONCE,
        timeout_graceful_shutdown=FAREWELL_S,
    )
    server = _Server(config)
    # Not a TaskGroup: it would wrap what the block raises. Both tasks end before this function does.
    serving = asyncio.create_task(server.serve([listener]), name="HTTP")
    accepting = asyncio.create_task(server.accepting.wait(), name="HTTP accepts")
    try:
        await asyncio.wait((serving, accepting), return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()  # raises what went wrong
        yield
    finally:
        accepting.cancel()
        server.should_exit = True
        await serving


def api_key_of(settings: Settings) -> str:
    """The key of the HTTP pages: the one that is set, or a fresh one. Raises ``SettingsInvalid``."""
    configured = settings.application.api_key.get_secret_value()
    if not configured:
        return secrets.token_urlsafe(KEY_BYTES)
    if not configured.isascii() or not configured.isprintable() or " " in configured:
        raise SettingsInvalid("APP_API_KEY: use printable ASCII without spaces; it travels in a header")
    return configured


def listening(host: str, port: int, setting: str) -> socket.socket:
    """A socket that listens there. Raises :class:`PortUnavailable`, which names ``setting``."""
    listener = reserved(host, port, setting)
    try:
        listener.listen()
        listener.setblocking(False)
    except OSError as exc:
        listener.close()
        raise _unavailable(host, port, setting, exc) from exc
    return listener


def reserved(host: str, port: int, setting: str, *, shared: bool = False) -> socket.socket:
    """A socket that holds ``host``:``port`` without listening; ``shared`` with others who say so too.

    Raises :class:`PortUnavailable`, which names ``setting``.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        held = socket.socket(family, kind, protocol)
    except OSError as exc:
        raise _unavailable(host, port, setting, exc) from exc
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a restart must not wait a minute
        if shared:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(address)
    except OSError as exc:
        held.close()
        raise _unavailable(host, port, setting, exc) from exc
    return held


def _unavailable(host: str, port: int, setting: str, cause: OSError) -> PortUnavailable:
    return PortUnavailable(
        f"cannot listen on port {port} of {host} ({cause.strerror}); is another agent running? "
        f"Set {setting}_PORT to another port (0 takes a free one), or {setting}_HOST"
    )


def url_of(host: str, listener: socket.socket) -> str:
    """Where a browser on this machine finds ``listener``."""
    named = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    port = listener.getsockname()[1]
    return f"http://[{named}]:{port}" if ":" in named else f"http://{named}:{port}"
