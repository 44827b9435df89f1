"""The insurer's API, played by a real server on the loopback.

Serves the demonstration's customers as ``tools.backoffice_http`` describes the API, and can be
told to misbehave: ``simulator.fault = Fault(...)`` holds until it is set back to None. It
answers by number alone, as a careless API might, so that the client's own checks are put to
the test; ``only_for`` makes it answer every question with one customer's data.
"""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import anyio
import uvicorn
from pydantic import TypeAdapter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tools.backoffice_demo import DemoData
from tools.models import Claim, Contract, Customer

API_KEY = "a-key-for-tests"

Body = Customer | Claim | list[Contract] | list[Claim]


@dataclass(frozen=True, slots=True)
class Fault:
    """What the server does instead of answering: wait, then this status and body."""

    status: int = 200
    body: bytes = b""
    stall_seconds: float = 0.0


@dataclass
class BackofficeSimulator:
    """The server's memory; tests read ``requests`` and set ``fault``."""

    data: DemoData
    fault: Fault | None = None
    answers_for: str | None = None
    """Answer every question as if it were about this customer."""
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Method and raw path of everything asked."""
    base_url: str = ""

    def app(self) -> Starlette:
        """The API."""
        return Starlette(
            routes=[
                Route("/v1/identity", self.identity, methods=["POST"]),
                Route("/v1/customers/{number}", self.customer),
                Route("/v1/customers/{number}/claims", self.claims),
                Route("/v1/contracts/{number}", self.contracts),
                Route("/v1/claims/{number}", self.claim),
            ]
        )

    async def identity(self, request: Request) -> Response:
        """Who has this number and was born that day."""
        given = await request.json()
        owner = next(
            (item.customer_number for item in self.data.held if item.number == given["number"]),
            given["number"],
        )
        born = given["birth_date"]
        found = [
            one for one in self._customers(owner) if self.answers_for or one.birth_date.isoformat() == born
        ]
        return await self._answer(request, found[0] if found else None)

    async def customer(self, request: Request) -> Response:
        """A file."""
        found = self._customers(request.path_params["number"])
        return await self._answer(request, found[0] if found else None)

    async def contracts(self, request: Request) -> Response:
        """A customer's contracts."""
        number = self.answers_for or request.path_params["number"]
        return await self._answer(
            request, [one for one in self.data.contracts if one.customer_number == number]
        )

    async def claims(self, request: Request) -> Response:
        """A customer's claims."""
        number = self.answers_for or request.path_params["number"]
        return await self._answer(request, [one for one in self.data.claims if one.customer_number == number])

    async def claim(self, request: Request) -> Response:
        """Any claim, whoever asks."""
        number = request.path_params["number"]
        return await self._answer(
            request, next((one for one in self.data.claims if one.number == number), None)
        )

    def _customers(self, number: str) -> list[Customer]:
        return [one for one in self.data.customers if one.number == (self.answers_for or number)]

    async def _answer(self, request: Request, found: Body | None) -> Response:
        self.requests.append((request.method, request.scope["raw_path"].decode()))
        if self.fault is not None:
            await anyio.sleep(self.fault.stall_seconds)
            return Response(self.fault.body, self.fault.status, media_type="application/json")
        if request.headers.get("authorization") != f"Bearer {API_KEY}":
            return Response(json.dumps({"error": "unauthorized"}), 401, media_type="application/json")
        if found is None:
            return Response(json.dumps({"error": "not found"}), 404, media_type="application/json")
        return Response(TypeAdapter(Body).dump_json(found), media_type="application/json")


@contextlib.contextmanager
def running_backoffice(data: DemoData) -> Iterator[BackofficeSimulator]:
    """The server on a free loopback port, in a thread of its own, for the length of the block."""
    simulator = BackofficeSimulator(data)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        simulator.base_url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        server = uvicorn.Server(uvicorn.Config(simulator.app(), log_level="warning", lifespan="off"))
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
