"""The HTTP pages: for the dialplan, for operations, and for tools that talk by text.

Every refusal is JSON with one sentence, ``{"detail": …}``; what was sent is never sent back, it may be
somebody's words. :mod:`app.pages.door` stands before all of them: key, size, unexpected errors.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Form, HTTPException, Path, Query, Request, Response, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import APIKeyHeader, HTTPBearer

from app.pages import schemas
from app.pages.door import Door
from app.pages.readiness import configuration_faults, faults
from app.text_calls import TextCallEnded, TextCalls, UnknownTextCall
from app.watching.metrics import Metrics
from app.watching.monitor import Monitor, NotOnTheLine, UnknownLiveCall, UnknownQueue
from app.wiring import Agent
from telephony.ami import AmiAway, AmiRefused, NoSuchExtension
from telephony.call import CallId

DESCRIPTION = """
The voice agent of an insurer's call centre, by HTTP.

**Key.** Everything but `/health` needs it: header `X-API-Key`, or `Authorization: Bearer`. A browser
that opens this page may give any name and the key as password.

**Dialplan.** Asterisk announces a call before `AGI()`; numbers are neither kept nor logged:

    same => n,Set(CURLOPT(httpheader)=X-API-Key: ${KEY})
    same => n,Set(SAID=${CURL(http://agent:8000/api/call/init,call_id=${ID}&caller=${CALLERID(num)})})

**Text calls** are talked to by the same dialogue as phone calls, and are kept apart from them by their
name (`text-` and a UUID): no text call can reach what was said on the phone.
"""

TAGS = [
    {"name": "operations", "description": "Is it up, can it take calls, how does it do."},
    {"name": "phone calls", "description": "What the dialplan announces and operations look up."},
    {"name": "live calls", "description": "What Asterisk and the agent know of callers now, and what to do."},
    {"name": "text calls", "description": "The same dialogue without a line."},
]

Responses = dict[int | str, dict[str, Any]]


def _problems(**told: str) -> Responses:
    """OpenAPI's part on refusals: ``_404="…"``."""
    return {
        int(code.lstrip("_")): {"model": schemas.Problem, "description": why} for code, why in told.items()
    }


KEY_MISSING = _problems(_401="The API key is missing or wrong.")
INVALID = _problems(_422="What was sent cannot be used; the detail says why.")
NO_CALL = _problems(_404="There is no such call.")

CallName = Annotated[
    str,
    Path(max_length=64, description="the call's name", examples=[schemas.A_TEXT_CALL]),
]


def create_app(agent: Agent, api_key: str, metrics: Metrics) -> FastAPI:
    """The pages of ``agent``.

    Raises ``ValueError`` for an empty ``api_key``.
    """
    app = FastAPI(
        title="Standardiste",
        version="1",
        description=DESCRIPTION,
        openapi_tags=TAGS,
        redoc_url=None,
    )
    texts = TextCalls(agent.dialogue, agent.journal)
    app.include_router(_health())
    behind_the_key = [
        Security(APIKeyHeader(name="X-API-Key", auto_error=False)),  # the door checks; this is for OpenAPI
        Security(HTTPBearer(auto_error=False)),
    ]
    for router in (
        _operations(agent, metrics, texts),
        _phone_calls(agent),
        _live_calls(agent.monitor),
        _text_calls(texts),
    ):
        app.include_router(router, dependencies=behind_the_key, responses=KEY_MISSING)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(Door, api_key=api_key)
    return app


def _health() -> APIRouter:
    router = APIRouter(tags=["operations"])

    @router.get("/health", summary="The process lives")
    async def health() -> schemas.Health:
        """Open to anybody, and tells nobody anything else."""
        return schemas.Health()

    return router


def _operations(agent: Agent, metrics: Metrics, texts: TextCalls) -> APIRouter:
    router = APIRouter(tags=["operations"])

    @router.get(
        "/ready",
        summary="Calls can be taken",
        responses={503: {"model": schemas.Readiness, "description": "They cannot; the reasons say why."}},
    )
    async def ready(response: Response) -> schemas.Readiness:
        """Parts are chosen, both ports listen, the checkpoint store and the knowledge base answer in time.

        A provider of speech or language that is down, or that refuses its settings, is named, and does not
        make the agent unready: the next one in its chain serves, and callers go to people without any.
        """
        reasons = await faults(agent)
        response.status_code = 503 if reasons else 200
        return schemas.Readiness(
            ready=not reasons,
            parts=agent.parts,
            reasons=reasons,
            providers=[
                schemas.Provider(
                    name=status.name,
                    state=status.state,
                    last_fault=status.last_fault.reason if status.last_fault is not None else "",
                    retry_in_s=round(status.retry_in_s, 1),
                )
                for status in agent.breakers.statuses()
            ],
            configuration_faults=configuration_faults(agent.breakers),
        )

    @router.get(
        "/metrics",
        summary="Counts and times, for Prometheus",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"example": "voicebot_active_calls 2.0\n"}}}},
    )
    async def scrape() -> Response:
        """Prometheus' text format; nothing of any single call."""
        await texts.sweep()
        return Response(metrics.text(), media_type=metrics.content_type)

    return router


def _phone_calls(agent: Agent) -> APIRouter:
    router = APIRouter(prefix="/api/call", tags=["phone calls"])

    @router.post("/init", summary="A call is coming", responses=INVALID)
    async def announce(
        form: Annotated[schemas.CallInit, Form()], query: Annotated[schemas.CallInit, Query()]
    ) -> schemas.CallAnnounced:
        """Said by the dialplan before `AGI()`, as form fields (`CURL()` posts those) or in the query.

        Saying it again changes nothing; the answer then tells how the call stands.
        """
        if form.call_id and query.call_id and form.call_id != query.call_id:
            raise HTTPException(422, "call_id: the form and the query name two different calls")
        call_id = form.call_id or query.call_id
        if call_id is None:
            raise HTTPException(422, "call_id: missing; give the call's UUID as form field or in the query")
        status = agent.calls.announce(CallId(str(call_id)))
        return schemas.CallAnnounced(call_id=status.call_id, status=status.phase)

    @router.get("/{call_id}/status", summary="How a call stands", responses={**NO_CALL, **INVALID})
    async def status(call_id: CallName) -> schemas.CallStatus:
        """Live calls and those that ended lately, text calls too. Nothing of the caller."""
        known = agent.calls.status(CallId(call_id))
        if known is None:
            raise HTTPException(404, "this call is not known: it was never announced, or it ended long ago")
        return schemas.CallStatus(
            call_id=known.call_id,
            phase=known.phase,
            seconds=round(agent.calls.seconds(known), 3),
            turns=known.turns,
            nodes=known.nodes,
            heard_silence_ms=known.heard_silence_ms,
            failures=known.failures,
        )

    return router


def _live_calls(monitor: Monitor) -> APIRouter:
    router = APIRouter(prefix="/api", tags=["live calls"])
    refused = {
        **NO_CALL,
        **INVALID,
        **_problems(_409="The caller has left, or Asterisk refused.", _503="Asterisk cannot be asked."),
    }

    @router.get("/live-calls", summary="Callers now")
    async def live_calls(response: Response) -> schemas.LiveCalls:
        """Longest first. Without a link to Asterisk: what the agent alone knows.

        Holds callers' numbers: for operations' eyes, never for a log.
        """
        response.headers["cache-control"] = "no-store"
        found = [schemas.LiveCall.of(call) for call in monitor.live_calls()]
        return schemas.LiveCalls(link=_link(monitor), calls=found)

    @router.get("/alarms", summary="What is wrong now")
    async def alarms() -> schemas.Alarms:
        """Nothing of any caller. What is true for a moment in any healthy call is left out."""
        found = [schemas.Alarm.model_validate(alarm) for alarm in monitor.alarms()]
        return schemas.Alarms(link=_link(monitor), alarms=found)

    @router.post("/live-calls/{call_id}/hang-up", summary="End a call", status_code=204, responses=refused)
    async def hang_up(call_id: CallName) -> None:
        """At once, in the middle of a word."""
        async with _operators_refusals():
            await monitor.hang_up(call_id)

    @router.post(
        "/live-calls/{call_id}/transfer", summary="To an extension", status_code=204, responses=refused
    )
    async def transfer(call_id: CallName, to: schemas.TransferGiven) -> None:
        """Away from the agent, at once. 404 as well when the dialplan has no such extension."""
        async with _operators_refusals():
            await monitor.transfer(call_id, to.extension)

    @router.post("/live-calls/{call_id}/queue", summary="To a queue", status_code=204, responses=refused)
    async def send_to_queue(call_id: CallName, to: schemas.QueueGiven) -> None:
        """Away from the agent, at once. 404 as well when Asterisk has no such queue."""
        async with _operators_refusals():
            await monitor.send_to_queue(call_id, to.queue)

    return router


def _link(monitor: Monitor) -> schemas.Link:
    state = monitor.asterisk
    return "none" if state is None else state.value


@asynccontextmanager
async def _operators_refusals() -> AsyncIterator[None]:
    """The monitor's refusals in HTTP's terms."""
    try:
        yield
    except (UnknownLiveCall, UnknownQueue, NoSuchExtension) as exc:
        raise HTTPException(404, str(exc)) from exc
    except (NotOnTheLine, AmiRefused) as exc:
        raise HTTPException(409, str(exc)) from exc
    except AmiAway as exc:
        raise HTTPException(503, str(exc)) from exc


def _text_calls(texts: TextCalls) -> APIRouter:
    router = APIRouter(prefix="/api/text-calls", tags=["text calls"])

    @router.post("", summary="Begin a text call", status_code=201, responses=INVALID)
    async def begin(_: schemas.TextCallInit | None = None) -> schemas.TextTurnTaken:
        """The agent greets; the answer names the call."""
        return schemas.TextTurnTaken.model_validate(await texts.start())

    @router.post(
        "/{call_id}/turns",
        summary="One turn of the caller",
        responses={**NO_CALL, **INVALID, **_problems(_409="The call has ended.")},
    )
    async def take_turn(call_id: CallName, turn: schemas.TextTurnGiven) -> schemas.TextTurnTaken:
        """Words, keys or silence. Turns of one call are taken one after the other."""
        async with _refusals():
            return schemas.TextTurnTaken.model_validate(await texts.turn(call_id, turn.heard()))

    @router.get("/{call_id}", summary="The state of a text call", responses={**NO_CALL, **INVALID})
    async def look(call_id: CallName) -> schemas.TextCallState:
        """As last written. The proof of identity itself is never shown."""
        async with _refusals():
            return schemas.TextCallState.model_validate(await texts.state(call_id))

    @router.delete(
        "/{call_id}", summary="Forget a text call", status_code=204, responses={**NO_CALL, **INVALID}
    )
    async def forget(call_id: CallName) -> None:
        """Its checkpoint is removed; a call under way is ended."""
        async with _refusals():
            await texts.forget(call_id)

    return router


@asynccontextmanager
async def _refusals() -> AsyncIterator[None]:
    """The text calls' refusals in HTTP's terms."""
    try:
        yield
    except UnknownTextCall as exc:
        raise HTTPException(404, str(exc)) from exc
    except TextCallEnded as exc:
        raise HTTPException(409, str(exc)) from exc


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    """What is wrong with a request, field by field, without what was sent."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for nothing else
    told = "; ".join(_told(fault["loc"], fault["msg"]) for fault in error.errors())
    return JSONResponse({"detail": told}, status_code=422)


def _told(location: tuple[int | str, ...], message: str) -> str:
    # Names of unknown fields are the client's own: shortened, and free of what JSON cannot carry.
    where = ".".join(str(one) for one in location[1:])[:80].encode("ascii", "backslashreplace").decode()
    what = message.removeprefix("Value error, ")
    return f"{where}: {what}" if where else what
