"""The insurer's API over HTTPS.

======================================  ==================================================
``POST /identity``                      ``{"number", "birth_date"}`` → customer, 404
``GET /customers/{customer_id}``        customer
``GET /customers/{customer_id}/claims`` list of claims
``GET /contracts/{customer_id}``        list of contracts, [] or 404 when there is none
``GET /claims/{claim_id}``              claim, 404
======================================  ==================================================

Answers are JSON with the fields of ``tools.models`` (dates as ``YYYY-MM-DD``, money in cents);
fields we do not know are passed over, so that the API may grow. Everything else (status,
type, form) is checked at this door: what comes out is a model or :class:`BackofficeUnavailable`.
Ownership is checked again here: an API that answers for the wrong customer gives nothing away.

The birth date travels in a body, never in a URL, which proxies log. For the same reason no
error text holds a URL or a value of the answer. One repetition, on a refused connection
only: nothing had been sent then. ``timeout_ms`` covers the whole, repetition included.
"""

import asyncio
import json
from datetime import date
from typing import TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

from tools.backoffice import BackofficeUnavailable
from tools.identity import Identity
from tools.models import CLAIM_NUMBER, Claim, Contract, Customer

MAX_CONNECTIONS = 20
"""Open connections to the API per process; beyond it requests wait within their time."""

_Answer = TypeVar("_Answer")

_CUSTOMER = TypeAdapter(Customer)
_CONTRACTS = TypeAdapter(tuple[Contract, ...])
_CLAIM = TypeAdapter(Claim)
_CLAIMS = TypeAdapter(tuple[Claim, ...])


class _Malformed(ValueError):
    """Which fields of an answer were wrong, without their values."""


class HttpBackoffice:
    """``Backoffice`` over the insurer's HTTP API. One per process; close it at the end."""

    def __init__(
        self, base_url: str, api_key: str, timeout_ms: int = 10_000, client: httpx.AsyncClient | None = None
    ) -> None:
        """``base_url`` such as ``https://api.example/v1``; ``api_key`` is sent as bearer token.

        ``timeout_ms`` is the time for one question (10 s in the specification; a call wants far
        less). ``client`` replaces the pooled client (proxies, private certificates); it is
        closed with the rest. Raises ValueError on an address or a key that cannot be used.
        """
        if not _is_web_address(base_url):
            raise ValueError(f"the address of the insurance API must be http(s)://host…, not {base_url!r}")
        if not api_key or not api_key.isascii() or not api_key.isprintable():
            raise ValueError("the key of the insurance API is empty or holds characters no header can carry")
        self._base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}", "Accept": "application/json"}
        self._timeout_ms = timeout_ms
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
        try:
            async with asyncio.timeout(self._timeout_ms / 1000):
                response = await self._send(request)
        except TimeoutError as exc:
            raise BackofficeUnavailable(f"{method} {route}: no answer within {self._timeout_ms} ms") from exc
        except httpx.HTTPError as exc:
            raise BackofficeUnavailable(f"{method} {route}: {type(exc).__name__}") from exc
        match response.status_code:
            case httpx.codes.OK:
                return response.content
            case httpx.codes.NOT_FOUND:
                return None
            case status:
                # Not raise_for_status(): its text holds the URL, hence the customer's number.
                refusal = httpx.HTTPStatusError(f"HTTP {status}", request=request, response=response)
                raise BackofficeUnavailable(f"{method} {route}: HTTP {status}") from refusal

    async def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._client.send(request)
        except httpx.ConnectError:
            return await self._client.send(request)


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
