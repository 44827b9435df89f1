"""The insurer's API over HTTPS.

=============================================  ============================================================
``POST /identity``                             ``{"number", "birth_date"}`` → customer, 404
``POST /holder``                               ``{"number"}`` → ``{"customer_number"}``, 404
``POST /customers/{customer_id}/confirmation`` ``{"kind", "value"}`` → ``{…, "confirmed"}``, 404
``GET /customers/{customer_id}``               customer
``GET /customers/{customer_id}/claims``        list of claims
``GET /contracts/{customer_id}``               list of contracts, [] or 404 when there is none
``GET /contracts/{customer_id}/beneficiaries`` list of clauses, [] or 404 when there is none
``GET /claims/{claim_id}``                     claim, 404
=============================================  ============================================================

``python -m app backoffice`` serves it, with its OpenAPI description, for fictional customers.

Answers are JSON with the fields of ``tools.models`` (dates as ``YYYY-MM-DD``, money in cents);
fields we do not know are passed over, so that the API may grow. Everything else (status,
type, form) is checked at this door: what comes out is a model or :class:`BackofficeUnavailable`.
Ownership is checked again here: an API that answers for the wrong customer gives nothing away.

The birth date travels in a body, never in a URL, which proxies log. For the same reason no
error text holds a URL or a value of the answer.

Every question only reads, so it may be asked again: once, when the connection was refused or cut or
a gateway answered in the server's place (502, 503, 504). ``timeout_ms`` covers the whole, repetition
included: it is the caller's patience that is being spent. A breaker in front of it answers at once
while the API is known to be down.
"""

import asyncio
import json
from dataclasses import dataclass
from datetime import date
from typing import TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

from memory.breaker import Attempt, Breaker, Breakers, Fault, FaultKind
from tools.backoffice import BackofficeUnavailable
from tools.identity import Identity, IdentityLevel, require
from tools.models import (
    CLAIM_NUMBER,
    CUSTOMER_NUMBER,
    Beneficiaries,
    Claim,
    Contract,
    Customer,
    ThirdItem,
)

MAX_CONNECTIONS = 20
"""Open connections to the API per process; beyond it requests wait within their time."""

ASKED_AGAIN = frozenset({502, 503, 504})
"""A gateway's answers, not the API's own: the next attempt may reach another server behind it."""

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class _Holder:
    customer_number: str


@dataclass(frozen=True, slots=True)
class _Confirmation:
    customer_number: str
    confirmed: bool


_CUSTOMER = TypeAdapter(Customer)
_CONTRACTS = TypeAdapter(tuple[Contract, ...])
_CLAIM = TypeAdapter(Claim)
_CLAIMS = TypeAdapter(tuple[Claim, ...])
_BENEFICIARIES = TypeAdapter(tuple[Beneficiaries, ...])
_HOLDER = TypeAdapter(_Holder)
_CONFIRMATION = TypeAdapter(_Confirmation)


class _Malformed(ValueError):
    """Which fields of an answer were wrong, without their values."""


class HttpBackoffice:
    """``Backoffice`` over the insurer's HTTP API. One per process; close it at the end."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        timeout_ms: int = 10_000,
        client: httpx.AsyncClient | None = None,
        breaker: Breaker | None = None,
    ) -> None:
        """``base_url`` such as ``https://api.example/v1``; ``api_key`` is sent as bearer token.

        ``timeout_ms`` is the time for one question (10 s in the specification; a call wants far
        less). ``client`` replaces the pooled client (proxies, private certificates); it is
        closed with the rest. ``breaker`` None: one of its own.
        Raises ValueError on an address or a key that cannot be used.
        """
        if not _is_web_address(base_url):
            raise ValueError(f"the address of the insurance API must be http(s)://host…, not {base_url!r}")
        if not api_key or not api_key.isascii() or not api_key.isprintable():
            raise ValueError("the key of the insurance API is empty or holds characters no header can carry")
        self._base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}", "Accept": "application/json"}
        self._timeout_ms = timeout_ms
        self._breaker = breaker or Breakers().of("back office")
        self._client = client or httpx.AsyncClient(
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS), timeout=timeout_ms / 1000
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def identify(self, number: str, birth_date: date) -> Customer | None:
        """See ``Backoffice``."""
        given = {"number": number, "birth_date": birth_date.isoformat()}
        body = await self._ask("POST", "/identity", given=given)
        return None if body is None else _read(_CUSTOMER, body, "POST /identity")

    async def holder(self, number: str) -> str | None:
        """See ``Backoffice``."""
        question = "POST /holder"
        body = await self._ask("POST", "/holder", given={"number": number})
        if body is None:
            return None
        holder = _read(_HOLDER, body, question).customer_number
        if not CUSTOMER_NUMBER.fullmatch(holder):
            raise BackofficeUnavailable(f"{question}: malformed answer")
        return holder

    async def confirms(self, identity: Identity, item: ThirdItem) -> bool:
        """See ``Backoffice``."""
        route = "/customers/{}/confirmation"
        given = {"kind": item.kind.value, "value": item.value}
        body = await self._ask("POST", route, identity.customer_number, given=given)
        if body is None:
            return False
        answer = _read(_CONFIRMATION, body, f"POST {route}")
        return answer.confirmed and answer.customer_number == identity.customer_number

    async def customer(self, identity: Identity) -> Customer:
        """See ``Backoffice``."""
        route = "/customers/{}"
        body = await self._ask("GET", route, identity.customer_number)
        if body is None:
            raise BackofficeUnavailable(
                f"GET {route}: an identified customer is unknown to the insurance API"
            )
        customer = _read(_CUSTOMER, body, f"GET {route}")
        if customer.number != identity.customer_number:
            raise BackofficeUnavailable(f"GET {route}: the insurance API answered for another customer")
        return customer

    async def contracts(self, identity: Identity) -> tuple[Contract, ...]:
        """See ``Backoffice``."""
        route = "/contracts/{}"
        body = await self._ask("GET", route, identity.customer_number)
        contracts = () if body is None else _read(_CONTRACTS, body, f"GET {route}")
        own = (held for held in contracts if held.customer_number == identity.customer_number)
        return tuple(sorted(own, key=lambda contract: (contract.opened_on, contract.number)))

    async def beneficiaries(self, identity: Identity) -> tuple[Beneficiaries, ...]:
        """See ``Backoffice``."""
        require(identity, IdentityLevel.THIRD_ITEM)
        route = "/contracts/{}/beneficiaries"
        body = await self._ask("GET", route, identity.customer_number)
        clauses = () if body is None else _read(_BENEFICIARIES, body, f"GET {route}")
        return tuple(one for one in clauses if one.customer_number == identity.customer_number)

    async def claims(self, identity: Identity) -> tuple[Claim, ...]:
        """See ``Backoffice``."""
        route = "/customers/{}/claims"
        body = await self._ask("GET", route, identity.customer_number)
        claims = () if body is None else _read(_CLAIMS, body, f"GET {route}")
        own = (held for held in claims if held.customer_number == identity.customer_number)
        return tuple(sorted(own, key=lambda claim: (claim.declared_on, claim.number), reverse=True))

    async def claim(self, identity: Identity, number: str) -> Claim | None:
        """See ``Backoffice``."""
        if not CLAIM_NUMBER.fullmatch(number):
            return None
        route = "/claims/{}"
        body = await self._ask("GET", route, number)
        claim = None if body is None else _read(_CLAIM, body, f"GET {route}")
        if claim is None or (claim.number, claim.customer_number) != (number, identity.customer_number):
            return None
        return claim

    async def _ask(
        self, method: str, route: str, *ids: str, given: dict[str, str] | None = None
    ) -> bytes | None:
        """The body of a 200, None for a 404; anything else raises BackofficeUnavailable."""
        url = self._base_url + route.format(*(quote(part, safe="") for part in ids))
        request = self._client.build_request(method, url, headers=self._headers, json=given)
        attempt = self._breaker.attempt()
        if attempt is None:
            known = BackofficeUnavailable("known to be down, not asked")
            raise BackofficeUnavailable(f"{method} {route}: the insurance API is down") from known
        try:
            async with asyncio.timeout(self._timeout_ms / 1000):
                response = await self._send(request)
        except TimeoutError as exc:
            attempt.failed(Fault(reason="no answer in time"))
            raise BackofficeUnavailable(f"{method} {route}: no answer within {self._timeout_ms} ms") from exc
        except httpx.HTTPError as exc:
            attempt.failed(Fault(reason=type(exc).__name__))
            raise BackofficeUnavailable(f"{method} {route}: {type(exc).__name__}") from exc
        except asyncio.CancelledError:
            attempt.dropped()  # the caller hung up or spoke on
            raise
        self._learn(attempt, response.status_code)
        match response.status_code:
            case httpx.codes.OK:
                return response.content
            case httpx.codes.NOT_FOUND:
                return None
            case status:
                # Not raise_for_status(): its text holds the URL, hence the customer's number.
                refusal = httpx.HTTPStatusError(f"HTTP {status}", request=request, response=response)
                raise BackofficeUnavailable(f"{method} {route}: HTTP {status}") from refusal

    def _learn(self, attempt: Attempt, code: int) -> None:
        """Tell the breaker what the answer says about the API; a 404 is an answer like another."""
        match code:
            case 401 | 403:
                attempt.failed(Fault(FaultKind.CONFIGURATION, f"HTTP {code}"))
            case 429:
                attempt.failed(Fault(FaultKind.BUSY, f"HTTP {code}"))
            case _ if code >= httpx.codes.INTERNAL_SERVER_ERROR:
                attempt.failed(Fault(reason=f"HTTP {code}"))
            case _:
                attempt.succeeded()

    async def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            response = await self._client.send(request)
        except (httpx.ConnectError, httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            return await self._client.send(request)
        return await self._client.send(request) if response.status_code in ASKED_AGAIN else response


def _is_web_address(text: str) -> bool:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        return False
    return url.scheme in {"http", "https"} and bool(url.host)


def _read(form: TypeAdapter[_Answer], body: bytes, question: str) -> _Answer:
    try:
        return form.validate_json(body, strict=True)
    except ValidationError as exc:
        faults = exc.errors(include_url=False, include_context=False, include_input=False)
    text = json.dumps([[".".join(map(str, fault["loc"])), fault["msg"]] for fault in faults[:3]])
    # pydantic's own error shows the values it read, so it is not chained: they are personal data.
    raise BackofficeUnavailable(f"{question}: malformed answer") from _Malformed(text)
