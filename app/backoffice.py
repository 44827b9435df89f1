"""A demonstration of the insurer's back office: its HTTP API, over fictional customers.

``python -m app backoffice`` serves it, docker-compose starts it beside the agent, and the contract tests ask
it what they ask the in-memory one. It is what an insurer's own team would write in front of its systems; the
agent's side is :mod:`tools.backoffice_http`, which trusts none of its answers unseen.

Every page under ``/v1`` wants the bearer key, compared in constant time. ``/`` is the OpenAPI description as
a page that needs no script and nothing from the internet; ``/openapi.json`` is the same for machines. Birth
dates and third items travel in bodies, never in paths, which logs keep.
"""

import hmac
import html
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, TypeVar

import uvicorn
from fastapi import APIRouter, Body, Depends, FastAPI, HTTPException, status
from fastapi import Path as InPath
from fastapi.responses import HTMLResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from app.settings import Settings
from tools.backoffice_demo import SHIPPED_DATA, DemoData, read_demo_data
from tools.models import Beneficiaries, Claim, Contract, Customer, ThirdItem, ThirdItemKind

Thing = TypeVar("Thing")

HOST = "127.0.0.1"
PORT = 8090

KEY_BYTES = 24
"""Of a key made for one run: 192 bits."""

DESCRIPTION = (
    "The back office of a fictional insurer. Money is in cents, days are YYYY-MM-DD. Whoever holds the "
    "key may ask for any customer: the telephone agent has it, and asks for callers it has identified."
)

CustomerId = Annotated[str, InPath(pattern=r"^[0-9]{8}$", examples=["10078821"])]
ClaimId = Annotated[str, InPath(max_length=32, examples=["SIN-2026-003117"])]


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid")


class IdentityGiven(_Given):
    """What a caller gave to be identified."""

    number: str = Field(
        max_length=32, description="customer, contract or claim number", examples=["10078821"]
    )
    birth_date: date = Field(examples=["1962-04-01"])


class HolderAsked(_Given):
    """Any number of a customer."""

    number: str = Field(max_length=32, examples=["VIE-0012345"])


class ItemGiven(_Given):
    """A third item."""

    kind: ThirdItemKind = Field(description="postcode: 5 digits; last_four: of the telephone or the IBAN")
    value: str = Field(pattern=r"^[0-9]{4,5}$", examples=["69003"])


class Holder(BaseModel):
    """Whose number it is."""

    customer_number: str


class Confirmation(BaseModel):
    """Whether the item is the customer's; nothing else is told."""

    customer_number: str
    confirmed: bool


@dataclass(frozen=True, slots=True)
class Ledger:
    """The questions, answered from the data."""

    data: DemoData

    def customer(self, number: str) -> Customer | None:
        """The customer of that number."""
        return next((one for one in self.data.customers if one.number == number), None)

    def holder(self, number: str) -> Customer | None:
        """The customer whose number, contract or claim it is."""
        held = next((one.customer_number for one in self.data.held if one.number == number), number)
        return self.customer(held)

    def confirms(self, customer: Customer, item: ThirdItem) -> bool:
        """Whether the item is his."""
        return any(
            one.confirm(item) for one in self.data.third_items if one.customer_number == customer.number
        )


def create_backoffice(data: DemoData, api_key: str) -> FastAPI:
    """The API over ``data``. Raises ``ValueError`` for an empty key: it would let everybody in."""
    if not api_key:
        raise ValueError("the demonstration back office needs a key")
    app = FastAPI(title="Back office", version="1", description=DESCRIPTION, docs_url=None, redoc_url=None)
    app.include_router(_api(Ledger(data)), prefix="/v1", dependencies=[Depends(_Key(api_key))])

    @app.get("/", include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(described(app.openapi()))

    @app.get("/health", summary="The process lives", tags=["operations"])
    async def health() -> dict[str, str]:
        """Open to anybody."""
        return {"status": "ok"}

    return app


class _Key:
    """The bearer key, wanted of every question."""

    def __init__(self, api_key: str) -> None:
        self._expected = api_key.encode()

    async def __call__(
        self, given: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]
    ) -> None:
        if given is None or not hmac.compare_digest(given.credentials.encode(), self._expected):
            raise HTTPException(
                status.HTTP_401_UNAUTHORIZED,
                "give the key as Authorization: Bearer",
                headers={"WWW-Authenticate": "Bearer"},
            )


def _api(ledger: Ledger) -> APIRouter:
    router = APIRouter(responses={401: {"description": "The bearer key is missing or wrong."}})
    nothing: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such thing."}}

    @router.post(
        "/identity", tags=["identity"], summary="Who has this number and birth date", responses=nothing
    )
    async def identity(given: Annotated[IdentityGiven, Body()]) -> Customer:
        """The same 404 for a number that does not exist and for another birth date."""
        found = ledger.holder(given.number)
        return _found(found if found is not None and found.birth_date == given.birth_date else None)

    @router.post("/holder", tags=["identity"], summary="Whose number this is", responses=nothing)
    async def holder(given: Annotated[HolderAsked, Body()]) -> Holder:
        """So that failed attempts are counted per customer, whichever of his numbers was tried."""
        return Holder(customer_number=_found(ledger.holder(given.number)).number)

    @router.post(
        "/customers/{customer_id}/confirmation",
        tags=["identity"],
        summary="Whether a third item is this customer's",
        responses=nothing,
    )
    async def confirmation(customer_id: CustomerId, given: Annotated[ItemGiven, Body()]) -> Confirmation:
        """The items themselves are never told."""
        customer = _found(ledger.customer(customer_id))
        try:
            item = ThirdItem(given.kind, given.value)
        except ValueError as exc:
            raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, str(exc)) from exc
        confirmed = ledger.confirms(customer, item)
        return Confirmation(customer_number=customer.number, confirmed=confirmed)

    @router.get("/customers/{customer_id}", tags=["customers"], summary="A customer", responses=nothing)
    async def customer(customer_id: CustomerId) -> Customer:
        """His file, without what proves more of him."""
        return _found(ledger.customer(customer_id))

    @router.get("/customers/{customer_id}/claims", tags=["claims"], summary="A customer's claims")
    async def claims(customer_id: CustomerId) -> list[Claim]:
        """In no particular order; empty when there is none."""
        return [one for one in ledger.data.claims if one.customer_number == customer_id]

    @router.get("/contracts/{customer_id}", tags=["contracts"], summary="A customer's contracts")
    async def contracts(customer_id: CustomerId) -> list[Contract]:
        """In no particular order; empty when there is none."""
        return [one for one in ledger.data.contracts if one.customer_number == customer_id]

    @router.get(
        "/contracts/{customer_id}/beneficiaries", tags=["contracts"], summary="Clauses of his contracts"
    )
    async def beneficiaries(customer_id: CustomerId) -> list[Beneficiaries]:
        """The agent asks for them only when the caller has given a third item."""
        return [one for one in ledger.data.beneficiaries if one.customer_number == customer_id]

    @router.get("/claims/{claim_id}", tags=["claims"], summary="A claim by its number", responses=nothing)
    async def claim(claim_id: ClaimId) -> Claim:
        """Whoever it belongs to: the agent checks that it is the caller's."""
        return _found(next((one for one in ledger.data.claims if one.number == claim_id), None))

    return router


def _found(thing: Thing | None) -> Thing:
    if thing is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "there is no such thing")
    return thing


def described(openapi: dict[str, Any]) -> str:
    """An OpenAPI document as one page of HTML that loads nothing."""
    info = openapi["info"]
    parts = [
        f"<h1>{html.escape(info['title'])} {html.escape(info['version'])}</h1>",
        f"<p>{html.escape(info.get('description', ''))}</p>",
        "<p>Machine-readable: <a href='openapi.json'>openapi.json</a></p>",
        *_operations(openapi),
        "<h2>Forms</h2>",
        *_forms(openapi),
    ]
    style = "body{font:16px/1.5 system-ui;max-width:56rem;margin:2rem auto}td{padding:0 1rem 0 0}"
    head = f"<meta charset='utf-8'><title>{html.escape(info['title'])}</title><style>{style}</style>"
    return f"<!doctype html><html lang='en'><head>{head}</head><body>{''.join(parts)}</body></html>"


def _operations(openapi: dict[str, Any]) -> Iterator[str]:
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            yield f"<h3><code>{method.upper()} {html.escape(path)}</code></h3>"
            about = f"{operation.get('summary', '')}. {operation.get('description', '')}"
            yield f"<p>{html.escape(about)}</p>"
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            if content:
                yield f"<p>Takes {_form(content['schema'])}</p>"
            for code, answer in operation["responses"].items():
                schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
                yield f"<p><code>{code}</code> {html.escape(answer['description'])} {_form(schema)}</p>"


def _forms(openapi: dict[str, Any]) -> Iterator[str]:
    for name, schema in openapi["components"]["schemas"].items():
        about = html.escape(schema.get("description", ""))
        yield f"<h3 id='{html.escape(name)}'>{html.escape(name)}</h3><p>{about}</p>"
        rows = (
            f"<tr><td><code>{html.escape(field)}</code></td><td>{_form(form)}</td></tr>"
            for field, form in schema.get("properties", {}).items()
        )
        yield f"<table>{''.join(rows)}</table>"


def _form(schema: dict[str, Any]) -> str:
    """What a value looks like, in a few characters."""
    match schema:
        case {"$ref": str(reference)}:
            name = html.escape(reference.rpartition("/")[2])
            return f"<a href='#{name}'>{name}</a>"
        case {"type": "array", "items": dict(items)}:
            return f"list of {_form(items)}"
        case {"anyOf": list(forms)}:
            return " or ".join(_form(form) for form in forms)
        case {"type": str(kind)}:
            return html.escape(f"{kind} {schema.get('format', '')} {schema.get('description', '')}".strip())
        case _:
            return ""


async def serve_backoffice(settings: Settings, host: str, port: int, customers: Path | None) -> int:
    """Serve until stopped; 0, as an exit status.

    ``customers`` None: those of ``INSURANCE_DEMO_CUSTOMERS_FILE``, or those that ship with the agent. Raises
    ``DemoDataInvalid`` for a file that cannot be used, and OSError when the port is taken.
    """
    data = read_demo_data(customers or settings.insurance.demo_customers_file or SHIPPED_DATA)
    configured = settings.insurance.api_key.get_secret_value()
    api_key = configured or secrets.token_urlsafe(KEY_BYTES)
    config = uvicorn.Config(
        create_backoffice(data, api_key),
        host,
        port,
        log_level="warning",
        access_log=False,
        server_header=False,
    )
    print(welcome(host, port, "" if configured else api_key, len(data.customers)))  # noqa: T201
    await uvicorn.Server(config).serve()
    return 0


def welcome(host: str, port: int, made_key: str, customers: int) -> str:
    """What the person at the terminal needs; the key only when it was made just now."""
    url = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"
    key = f"INSURANCE_API_KEY={made_key}" if made_key else "INSURANCE_API_KEY as set"
    return f"""The demonstration back office serves {customers} fictional customers. Stop it with Ctrl-C.

  {url}/             the API, described
  For the agent: INSURANCE_API_BASE_URL={url}/v1 {key}
"""
