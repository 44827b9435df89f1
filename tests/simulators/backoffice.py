"""The insurer's API: the demonstration server itself on the loopback, which can be told to misbehave.

``simulator.fault = Fault(...)`` holds until it is set back to None; ``answers_for`` makes the server answer
every question with one customer's data, as a buggy one might, so that the client's own checks are put to the
test.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import anyio
import uvicorn
from pydantic import TypeAdapter
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.backoffice import create_backoffice
from tools.backoffice_demo import DemoData
from tools.models import CUSTOMER_NUMBER, Customer

API_KEY = "a-key-for-tests"


@dataclass(frozen=True, slots=True)
class Fault:
    """What the server does instead of answering: wait, then this status and body."""

    status: int = 200
    body: bytes = b""
    stall_seconds: float = 0.0


@dataclass
class BackofficeSimulator:
    """Stands in front of the server; tests read ``requests`` and set ``fault``."""

    data: DemoData
    fault: Fault | None = None
    answers_for: str | None = None
    """Answer every question as if it were about this customer."""
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Method and raw path of everything asked."""
    base_url: str = ""

    def __post_init__(self) -> None:
        self._server: ASGIApp = create_backoffice(self.data, API_KEY)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Misbehave, or let the server answer."""
        self.requests.append((scope["method"], scope["raw_path"].decode()))
        if self.fault is not None:
            await anyio.sleep(self.fault.stall_seconds)
            answer = Response(self.fault.body, self.fault.status, media_type="application/json")
            await answer(scope, receive, send)
            return
        if self.answers_for is not None:
            if scope["path"] == "/v1/identity":
                await self._file(self.answers_for)(scope, receive, send)
                return
            parts = [
                self.answers_for if CUSTOMER_NUMBER.fullmatch(p) else p for p in scope["path"].split("/")
            ]
            scope = {**scope, "path": "/".join(parts)}
        await self._server(scope, receive, send)

    def _file(self, number: str) -> Response:
        found = next(one for one in self.data.customers if one.number == number)
        return Response(TypeAdapter(Customer).dump_json(found), media_type="application/json")


@contextlib.contextmanager
def running_backoffice(data: DemoData) -> Iterator[BackofficeSimulator]:
    """The server on a free loopback port, in a thread of its own, for the length of the block."""
    simulator = BackofficeSimulator(data)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        simulator.base_url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        server = uvicorn.Server(uvicorn.Config(simulator, log_level="critical", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        try:
            yield simulator
        finally:
            server.should_exit = True
            server.force_exit = True
            thread.join()


@contextlib.contextmanager
def cutting_server(answers: list[bytes]) -> Iterator[str]:
    """Accepts connections; each gets the next of ``answers``, raw, and is closed. Gives the base address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for answer in answers:
                connection, _ = listening.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        thread.join(timeout=5)
