"""A provider played by a small server on a free loopback port, so that its real SDK can be driven.

The server runs its own event loop in its own thread: synchronous, asynchronous and native clients all
work. Failures are queued per endpoint and used once each, in order; every request is kept.
"""

import asyncio
import collections
import socket
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette


@dataclass(frozen=True, slots=True)
class Fault:
    """One failure.

    ``status`` answers it, with a body in the provider's shape unless ``raw`` is given; ``delay_s`` waits
    first; ``raw`` sends these bytes, whatever they are; ``cut`` drops the connection within the answer.
    With ``after_chunks`` a good answer begins, and it happens after so many of its pieces: a stall, a cut,
    or an error in the stream.
    """

    status: int = 0
    delay_s: float = 0.0
    raw: bytes | None = None
    cut: bool = False
    after_chunks: int | None = None
    headers: dict[str, str] = field(default_factory=dict)


class SimulatedProvider:
    """Serves ``app`` within a ``with`` block."""

    def __init__(self, app: Starlette) -> None:
        self.requests: list[dict[str, Any]] = []
        """What the clients sent, in order."""
        self._arrived = threading.Semaphore(0)
        self._faults: dict[str, collections.deque[Fault]] = collections.defaultdict(collections.deque)
        self.broken: dict[str, Fault] = {}
        """Endpoints that fail like this until they are mended; ``""`` is the only one of most providers."""
        # asyncio takes Nagle's delay (40 ms an answer) off connections whose socket says that it is TCP.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._server = uvicorn.Server(
            uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
        )
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def fail(self, *faults: Fault, at: str = "") -> None:
        """The next requests to endpoint ``at`` fail like this, one after the other."""
        self._faults[at].extend(faults)

    def record(self, request: dict[str, Any]) -> None:
        """Keep what a client sent."""
        self.requests.append(request)
        self._arrived.release()

    def wait_for_request(self, timeout_s: float = 10) -> None:
        """Block until a request has come that nobody waited for yet. Raises TimeoutError."""
        if not self._arrived.acquire(timeout=timeout_s):
            raise TimeoutError("no request came")

    def take_fault(self, at: str = "") -> Fault | None:
        """The failure that is due at endpoint ``at``, if any."""
        return self._faults[at].popleft() if self._faults[at] else self.broken.get(at)

    @property
    def url(self) -> str:
        """The server's origin."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._socket.bind(("127.0.0.1", 0))
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))
