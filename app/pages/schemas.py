"""What the HTTP pages take and give, as OpenAPI describes it."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.watching import calls, monitor
from app.watching.calls import Phase
from graph.heard import Heard, Keys, Quiet, Words
from graph.reply import Awaited
from memory.breaker import BreakerState
from telephony.channels import RtpFigures

LONGEST_TEXT = 1000
"""Characters of one turn: two minutes of speech."""

A_CALL = "0b6e3f0e-5d0e-4c58-9c8e-3a1f2b4c5d6e"
A_TEXT_CALL = f"text-{A_CALL}"


class _Given(BaseModel):
    """What a client sends: nothing that is not asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Answered(BaseModel):
    """What a client gets."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class Problem(_Answered):
    """Why it was refused."""

    detail: Annotated[str, Field(description="a sentence", examples=["there is no such call"])]


class Health(_Answered):
    """The process lives."""

    status: Literal["alive"] = "alive"


class Provider(_Answered):
    """A provider of speech or language, as calls find it now."""

    name: Annotated[str, Field(examples=["groq:openai/gpt-oss-120b"])]
    state: Annotated[
        BreakerState,
        Field(description="open: it is left alone; half_open: the next request is its trial"),
    ]
    last_fault: Annotated[
        str, Field(description="its last failure, even when it works again", examples=["HTTP 503"])
    ]
    retry_in_s: Annotated[float, Field(description="until it is tried again; 0: it is tried")]


class Readiness(_Answered):
    """Whether calls can be taken."""

    ready: bool
    parts: Annotated[
        dict[str, str],
        Field(description="what was chosen for each port", examples=[{"voice": "espeak-ng:fr"}]),
    ]
    reasons: Annotated[
        list[str],
        Field(description="why not; empty when ready", examples=[["checkpoints: no answer within 300 ms"]]),
    ]
    providers: list[Provider]
    configuration_faults: Annotated[
        list[str],
        Field(
            description="settings that a provider refuses; calls go on without it",
            examples=[["groq:llama-3.1-8b: HTTP 404 model_not_found; correct the model's name"]],
        ),
    ]


class CallInit(_Given):
    """A call that is about to come."""

    call_id: Annotated[
        UUID | None, Field(description="the UUID that AGI and AudioSocket will name", examples=[A_CALL])
    ] = None
    caller: Annotated[
        str | None,
        Field(max_length=64, description="the caller's number; taken, not kept, not logged", examples=[""]),
    ] = None


class CallAnnounced(_Answered):
    """The call is expected, or already there."""

    call_id: Annotated[str, Field(examples=[A_CALL])]
    status: Phase


class CallStatus(_Answered):
    """A call as operations may see it: nothing of who the caller is or what he said."""

    call_id: Annotated[str, Field(examples=[A_CALL])]
    phase: Phase
    seconds: Annotated[float, Field(description="how long it lasts, or lasted", examples=[42.5])]
    turns: Annotated[int, Field(description="turns so far, the greeting and silences included")]
    nodes: Annotated[
        list[str],
        Field(
            description="nodes of the last turn, in order", examples=[["classify", "authenticate", "claims"]]
        ),
    ]
    heard_silence_ms: Annotated[
        float | None,
        Field(description="how long the caller waited for the last answer; null when it was not measured"),
    ]
    failures: Annotated[int, Field(description="failures of ear, voice or dialogue")]


class TextCallInit(_Given):
    """Nothing is asked for; the body may be left out."""


class TextTurnGiven(_Given):
    """What the caller does: exactly one of the three."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"text": "Où en est mon sinistre S 12 34 56 ?"},
                {"digits": "12345678"},
                {"silence": True},
            ]
        }
    )

    text: Annotated[
        str | None,
        Field(max_length=LONGEST_TEXT, description="words; empty: speech in which no words were recognised"),
    ] = None
    digits: Annotated[
        str | None,
        Field(pattern=r"^[0-9*]{1,32}#?$", max_length=33, description="keys pressed; a closing # is dropped"),
    ] = None
    silence: Annotated[Literal[True] | None, Field(description="nobody speaks")] = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [value for value in (self.text, self.digits, self.silence) if value is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of text, digits and silence")
        return self

    def heard(self) -> Heard:
        """The same in the dialogue's words."""
        if self.text is not None:
            return Words(self.text)
        return Quiet() if self.digits is None else Keys(self.digits.removesuffix("#"))


class Said(_Answered):
    """A line of the agent."""

    key: Annotated[str, Field(description="which line of prompts/", examples=["greet.question"])]
    text: Annotated[str, Field(examples=["Que puis-je faire pour vous ?"])]


class Ran(_Answered):
    """A node of the graph."""

    node: Annotated[str, Field(examples=["greet"])]
    took_ms: Annotated[float, Field(examples=[1.3])]


class Handover(_Answered):
    """To whom the caller would be put through, and with what."""

    queue: Annotated[str, Field(examples=["sinistres"])]
    reason: Annotated[str, Field(examples=["asked"])]
    summary: Annotated[str, Field(description="for the adviser, in French")]
    customer_number: Annotated[str, Field(description="empty unless identity was proven in this call")]


class TextTurnTaken(_Answered):
    """What the agent did."""

    call_id: Annotated[str, Field(examples=[A_TEXT_CALL])]
    said: list[Said]
    nodes: list[Ran]
    next: Annotated[
        Literal["listening", "transfer", "hangup"], Field(description="anything but listening ends the call")
    ]
    listening: Annotated[
        Awaited | None, Field(description="kind of answer that is awaited; null when the call has ended")
    ]
    handover: Annotated[Handover | None, Field(description="with next = transfer")]
    recording_refused: Annotated[
        bool, Field(description="the caller refused: his words are not shown, the end forgets the call")
    ]


class Question(_Answered):
    """The question that is open."""

    by: Annotated[str, Field(description="the node that asked", examples=["authenticate"])]
    what: Annotated[str, Field(examples=["birth_date"])]
    form: Awaited


class TextMessage(_Answered):
    """One message of the history."""

    who: Literal["caller", "agent"]
    heard: Annotated[str, Field(description="of the caller: words, keys or quiet", examples=["words"])]
    key: Annotated[str, Field(description="of the agent: which line of prompts/")]
    text: str


class TextCallState(_Answered):
    """The state of a text call. Who was identified is not told, only whether somebody was."""

    call_id: Annotated[str, Field(examples=[A_TEXT_CALL])]
    awaiting: Question | None
    pending: Annotated[str, Field(description="node that waits for identification", examples=["claims"])]
    identified: bool
    level: Annotated[int, Field(description="how much was proven; 0 is nothing", examples=[1])]
    recording: Literal["", "refused"]
    ended: Literal["", "transfer", "goodbye"]
    handover: Handover | None
    messages: Annotated[list[TextMessage], Field(description="the last 30; empty when recording was refused")]


EXTENSION = r"^(?:[0-9*#]|[A-Za-z0-9+*#][A-Za-z0-9+*#_-]{1,63})$"
"""What a dialplan may hold; a single letter is one of its own (``h``: hang-up), no place for a caller."""

Link = Literal["up", "away", "refused", "none"]
"""How the link to Asterisk stands; none: it is not configured."""


class TransferGiven(_Given):
    """To whom."""

    extension: Annotated[str, Field(pattern=EXTENSION, examples=["201"])]


class QueueGiven(_Given):
    """To which queue."""

    queue: Annotated[str, Field(pattern=EXTENSION, examples=["conseillers"])]


class RtpDirection(_Answered):
    """How sound travels one way."""

    loss_ratio: Annotated[float, Field(description="of packets, last five seconds", examples=[0.004])]
    jitter_ms: Annotated[float, Field(description="last five seconds", examples=[1.2])]
    whole_loss_ratio: Annotated[float, Field(description="since the call began", examples=[0.001])]
    whole_jitter_ms: Annotated[float, Field(description="since the call began", examples=[0.9])]


class AsteriskSide(_Answered):
    """The caller's channel."""

    channel: Annotated[str, Field(examples=["PJSIP/trunk-0000002a"])]
    uniqueid: Annotated[str, Field(examples=["1795382207.12"])]
    caller: Annotated[str, Field(description="the caller's number: personal; empty when withheld")]
    state: Annotated[str, Field(examples=["up"])]
    context: Annotated[str, Field(examples=["standardiste"])]
    extension: Annotated[str, Field(examples=["s"])]
    application: Annotated[str, Field(description="what the dialplan runs", examples=["AudioSocket"])]
    queue: Annotated[str, Field(description="in which the caller waits; empty: in none")]
    codec: Annotated[str, Field(description="empty in the first second", examples=["alaw"])]
    bridged_with: Annotated[list[str], Field(description="channels of those the caller talks to")]
    received: Annotated[RtpDirection | None, Field(description="what Asterisk gets; null: not reported yet")]
    sent: Annotated[RtpDirection | None, Field(description="what the caller gets, if his phone tells")]


class AgentSide(_Answered):
    """The agent's part of the call."""

    call_id: Annotated[str, Field(examples=[A_CALL])]
    node: Annotated[str, Field(description="the last node that ran", examples=["claims"])]
    turns: int
    identified: Annotated[bool, Field(description="whether, not as whom")]
    heard_silence_ms: Annotated[float | None, Field(description="what the caller waited for the last answer")]
    failures: int


class LiveCall(_Answered):
    """One caller; null: that side does not know him."""

    name: Annotated[str, Field(description="for the actions", examples=[A_CALL])]
    seconds: Annotated[float, Field(examples=[42.5])]
    asterisk: AsteriskSide | None
    agent: AgentSide | None

    @classmethod
    def of(cls, call: monitor.LiveCall) -> Self:
        """The same as JSON."""
        return cls(
            name=call.name,
            seconds=round(call.seconds, 1),
            asterisk=_asterisk_side(call),
            agent=_agent_side(call.status) if call.status else None,
        )


class LiveCalls(_Answered):
    """All of them."""

    link: Link
    calls: Annotated[list[LiveCall], Field(description="longest first")]


class Alarm(_Answered):
    """Something is wrong."""

    kind: monitor.AlarmKind
    subject: Annotated[str, Field(description="a call's name, a queue, a trunk", examples=["conseillers"])]
    seconds: Annotated[float, Field(description="since it was first seen", examples=[12.0])]


class Alarms(_Answered):
    """All of them."""

    link: Link
    alarms: list[Alarm]


def _asterisk_side(call: monitor.LiveCall) -> AsteriskSide | None:
    row = call.channel
    if row is None:
        return None
    return AsteriskSide(
        channel=row.name,
        uniqueid=row.uniqueid,
        caller=row.caller,
        state=row.state,
        context=row.context,
        extension=row.exten,
        application=row.application,
        queue=row.queue,
        codec=row.codec,
        bridged_with=list(call.bridged_with),
        received=_direction(row.received),
        sent=_direction(row.sent),
    )


def _direction(figures: RtpFigures | None) -> RtpDirection | None:
    if figures is None:
        return None
    return RtpDirection(
        loss_ratio=round(figures.last.loss_ratio, 4),
        jitter_ms=round(figures.last.jitter_s * 1000, 2),
        whole_loss_ratio=round(figures.whole.loss_ratio, 4),
        whole_jitter_ms=round(figures.whole.jitter_s * 1000, 2),
    )


def _agent_side(status: calls.CallStatus) -> AgentSide:
    return AgentSide(
        call_id=status.call_id,
        node=status.nodes[-1] if status.nodes else "",
        turns=status.turns,
        identified=status.identified,
        heard_silence_ms=status.heard_silence_ms,
        failures=status.failures,
    )
