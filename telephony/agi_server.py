"""FastAGI: one coroutine per call, from the ringing to what became of it.

Asterisk connects, says who rings, and then takes orders. ``EXEC AudioSocket`` makes it connect the
call's sound to the media server and blocks this leg until the sound has ended; the session talks with
the caller meanwhile. Then the outcome is carried out. People who cannot be reached give the caller
back: the same leg carries sound again, and the same dialogue goes on.

**The contract with the dialplan.** ``AGI(agi://host:port/agent[,UUID])``. Behind it stands what to do by
``VOICEBOT_OUTCOME``, and people in the end. The agent clears the variable when it takes a call.

==============  =============================================  =========================================
OUTCOME         the agent                                      the dialplan behind ``AGI()``
==============  =============================================  =========================================
(empty)         broke off: its process died (AGISTATUS         says a short sentence, enters ``AGI()``
                SUCCESS), or never answered (FAILURE)          again, this worker or another; after
                                                               some times people
``draining``    takes no new calls (not answered, no sound)    the next worker, or people
``hungup``      said goodbye and hung up                       nothing
``transfer``    was passing the caller on and died             DIALSTATUS ANSWER or QUEUESTATUS CONTINUE:
                                                               people have talked with him, ``Hangup()``;
                                                               else ``AGI()`` again: he gets his choice
``transferred`` passed him on; that talk is over; hung up      nothing
``callerleft``  found the caller gone                          nothing
``noaudio``     has the caller on the line but hears nothing   ``AGI()`` again once, or people
==============  =============================================  =========================================

*Entering again.* A call is known by a UUID: the argument of ``AGI()`` if it is one, else a fresh one. The
agent leaves it in ``VOICEBOT_CALL_ID`` (inherited, for advisers' screens) and in ``VOICEBOT_TAKEN``, which
stays on the caller's channel alone. Whoever enters ``AGI()`` again on that channel, with the same argument or
none, goes on with the same dialogue, and what was verified in this call stays verified; with another UUID
it is a new call. Leave ``VOICEBOT_OUTCOME`` as it is when entering again after ``transfer``: it tells that
people were not reached.

*People.* A desk is called as in ``graph``: ``conseillers``, ``sinistres``, ``vie``. Set before they are rung,
with ``__``, so that the adviser's channel inherits them: ``VOICEBOT_QUEUE`` (the desk),
``VOICEBOT_EXTENSION`` (when the settings name one for the desk), ``VOICEBOT_REASON`` (``asked``,
``not_understood``, ``not_identified``, ``adviser_needed``, ``unavailable``, ``unknown``, ``technical``,
``operator``, ``too_long``, ``limit``),
``VOICEBOT_SUMMARY`` (one line, French), ``VOICEBOT_CUSTOMER`` (8 digits; empty unless identity was proven in
this call). How they are rung is :class:`telephony.handover.HandoverPlan`:

- a queue, blind: ``EXEC Queue <desk>,c,,,<wait>``; reached means QUEUESTATUS CONTINUE;
- an extension, blind: ``EXEC Dial Local/<extension>@<context>/n,<wait>,mg``; reached means DIALSTATUS ANSWER;
- attended: ``EXEC Dial Local/<extension or desk>@voicebot-attended/n,<wait + 60>,mg``. The adviser hears the
  summary first, and presses 1 to take the call or 2 to refuse; the caller hears music until then. The
  dialplan brings (tried on Asterisk 22.10, with a phone and with a queue in ``hand-over``)::

    [voicebot-attended]
    exten => _[a-z0-9]!,1,Set(ASKED=U(voicebot-whisper^${VOICEBOT_WHISPER}))
     same => n,Dial(Local/${EXTEN}@hand-over/n,${VOICEBOT_WAIT_S},${ASKED})
     same => n,Hangup(${IF($["${DIALSTATUS}" = "BUSY"]?17:19)})
    [voicebot-whisper]                       ; on the adviser's channel, before the two are connected
    exten => s,1,AGI(${ARG1})
     same => n,Return()

  In ``hand-over`` stands one extension per desk or phone. It must not answer by itself, nor play anything
  when nobody is there, but ``Hangup(17)`` or ``Hangup(19)``. ``VOICEBOT_WHISPER`` is ``agi://…/whisper`` at
  the worker that has the call. That leg leaves ``GOSUB_RESULT=BUSY`` on the adviser's channel when he
  refuses, and on the caller's channel ``VOICEBOT_ADVISER``: ``listening``, then ``accepted`` or
  ``refused``. When the worker is gone, ``AGI()`` fails and the two are connected without a summary.

*An operator* may take a caller away (``app.watching.monitor``) by AMI's Redirect to the context ``operator``.
His channel is given the same variables first, and ``VOICEBOT_OUTCOME`` ``transfer``: whom nobody takes is
entered again there, and gets his choice. For the agent the call has ended as transferred.

A connection is a :class:`telephony.agi_leg.Request`; an idle one learns that the caller left with its next
command only.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Protocol, TypeVar, assert_never
from uuid import uuid4

from graph.heard import CallBegins, Heard, NotReached, Resumed, Unreached
from telephony import agi
from telephony.agi import Environment
from telephony.agi_leg import LONGEST_HEAD_BYTES, Application, Request
from telephony.call import TECHNICAL, Call, CallerLeft, CallId, HungUp, NoAudio, Outcome, Transferred
from telephony.handover import AdviserMark, HandoverPlan, Statuses, unreached
from telephony.line import Line
from telephony.switchboard import DuplicateCall, Switchboard

log = logging.getLogger(__name__)

SCRIPT = "agent"
"""What the dialplan asks for: ``AGI(agi://host:port/agent)``."""

WHISPER_SCRIPT = "whisper"
"""What it asks for on an adviser's channel."""

CALL_ID = "VOICEBOT_CALL_ID"
"""Channel variable that names the call, for whoever reads it; advisers' channels have it too."""

TAKEN = "VOICEBOT_TAKEN"
"""The same on the caller's channel alone: the agent has been here, and whoever enters again goes on."""

T = TypeVar("T")


class Reception(Protocol):
    """Who takes the calls."""

    def open(self, call: Call) -> Line:
        """A line for ``call``: once for each time that it carries sound."""

    async def run(self, call: Call, line: Line, first: Heard) -> Outcome:
        """Talk with the caller until the end of this talk; begins before the audio leg is there.

        ``first`` is what opens it. Returns soon when the line is closed. Not called when the caller leaves
        before the answer; called again when he comes back from people.
        """

    async def whisper(self, line: Line, summary: str, customer_number: str) -> bool:
        """Tell an adviser about the caller he is about to be given; whether he takes him."""

    async def hand_over(self, call: CallId, desk: str) -> Transferred:
        """What people at ``desk`` are to know of a caller whom an operator sends them."""

    async def close(self, call: Call, outcome: Outcome) -> None:
        """The call is over. Told once for every call, whatever happened."""


class AgiServer:
    """Serves the AGI legs of all calls."""

    def __init__(
        self,
        host: str,
        port: int,
        switchboard: Switchboard,
        reception: Reception,
        audio_address: tuple[str, int],
        *,
        plan: HandoverPlan | None = None,
        takes_calls: Callable[[], bool] = lambda: True,
        header_s: float = 5.0,
        settle_s: float = 10.0,
        shares_port: bool = False,
    ) -> None:
        """``audio_address`` is where Asterisk finds the media server; ``plan``, how callers are passed on.

        ``takes_calls`` is asked for each new call: when it says no, the call is sent elsewhere as if the
        worker were draining. A call that broke off is taken all the same: somebody has to talk to it.
        ``header_s`` bounds the wait for the whole environment. ``settle_s`` bounds what may take the leg
        that is left when the other has ended: the session to finish, or Asterisk to answer the EXEC.
        ``shares_port``: other processes listen on the same port, and the system spreads the calls over them.
        """
        self._address = (host, port)
        self._shares_port = shares_port
        self._switchboard = switchboard
        self._reception = reception
        self._audio_address = audio_address
        self._plan = plan or HandoverPlan()
        self._takes_calls = takes_calls
        self._header_s = header_s
        self._settle_s = settle_s
        self._server: asyncio.Server | None = None
        self._owner: asyncio.Task[None] | None = None
        self._held: set[CallId] = set()
        self._taken_away: dict[CallId, Transferred] = {}
        self._talks = 0
        self._nobody_talks = asyncio.Event()
        self._nobody_talks.set()
        self._draining = False

    @property
    def draining(self) -> bool:
        """No new calls are taken."""
        return self._draining

    def drain(self) -> None:
        """Take no new calls from now on: they are sent elsewhere at once, without an answer."""
        self._draining = True

    async def drained(self) -> None:
        """Return when nobody is being talked with any more.

        Callers who are on their way to people are not waited for: Asterisk connects them without us, and
        its dialplan knows what to do with those whom nobody takes.
        """
        await self._nobody_talks.wait()

    @contextlib.asynccontextmanager
    async def taking_away(self, call_id: CallId, desk: str) -> AsyncIterator[Mapping[str, str]]:
        """Within the block an operator takes the caller away to ``desk``, by AMI's Redirect.

        Gives what his channel is to hold before he goes, by variable; nothing for a call that is not here.
        His leg then ends as transferred, unless an error leaves the block.
        """
        if call_id not in self._held:
            yield {}
            return
        to = await self._reception.hand_over(call_id, desk)
        self._taken_away[call_id] = to
        told = {f"__VOICEBOT_{name}": " ".join(value.split()) for name, value in self._plan.told(to).items()}
        try:
            yield {**told, "VOICEBOT_OUTCOME": "transfer"}
        except BaseException:
            self._taken_away.pop(call_id, None)
            raise
        if call_id not in self._held:  # his leg was over before the operator was told so
            self._taken_away.pop(call_id, None)

    @property
    def port(self) -> int:
        """The port listened on; the one chosen by the system when 0 was asked."""
        if self._server is None:
            raise RuntimeError("the AGI server is not started")
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listen. Raises OSError when the address cannot be had."""
        application = Application(self._header_s)
        application.add_route(SCRIPT, self._agent)
        application.add_route(WHISPER_SCRIPT, self._whisper)
        ready: asyncio.Future[asyncio.TaskGroup] = asyncio.get_running_loop().create_future()
        self._owner = asyncio.create_task(_own_tasks(ready), name="AGI legs")
        legs = await ready

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            legs.create_task(application.handler(reader, writer), name="AGI leg")

        host, port = self._address
        try:
            self._server = await asyncio.start_server(
                accept,
                host,
                port,
                limit=LONGEST_HEAD_BYTES,
                reuse_port=self._shares_port or None,
            )
        except OSError:
            await self._end_legs()
            raise

    async def close(self) -> None:
        """Listen no more and end every call; returns when all are over."""
        if self._server is not None:
            self._server.close()
            await self._end_legs()
            await self._server.wait_closed()
            self._server = None

    async def _end_legs(self) -> None:
        if self._owner is not None:
            self._owner.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._owner
            self._owner = None

    # one call

    async def _agent(self, request: Request) -> None:
        if self._draining:
            log.info("agi.sent_elsewhere")
            await _tell(request, OUTCOME="draining")
            return
        call, first = await _entered(request)
        if isinstance(first, CallBegins) and not self._takes_calls():
            log.warning("call.not_taken", extra={"call_id": call.id})
            await _tell(request, OUTCOME="draining")
            return
        with self._holding(call.id):
            outcome: Outcome = CallerLeft()
            try:
                await _take(request, call)
                while isinstance(outcome := await self._talk(request, call, first), Transferred):
                    if isinstance(first, NotReached) and outcome.reason == TECHNICAL:
                        log.warning("agi.given_up", extra={"call_id": call.id})
                        return  # nobody takes him and we cannot talk with him: the dialplan's turn
                    why = await self._pass_on(request, call, outcome)
                    if why is None:
                        break
                    first = NotReached(why)
                if call.id not in self._taken_away:  # else the dialplan has gone on without this leg
                    await _carry_out(request, outcome)
            finally:
                await self._reception.close(call, self._taken_away.pop(call.id, outcome))

    @contextlib.contextmanager
    def _holding(self, call_id: CallId) -> Iterator[None]:
        """One AGI leg per call. Raises :class:`DuplicateCall`."""
        if call_id in self._held:
            raise DuplicateCall(f"call {call_id} has its AGI leg")
        self._held.add(call_id)
        try:
            yield
        finally:
            self._held.discard(call_id)

    async def _talk(self, request: Request, call: Call, first: Heard) -> Outcome:
        if not (
            await request.send_command(agi.answer())
        ).done:  # also tells who hung up while he was rung out
            log.info("agi.unanswered", extra={"call_id": call.id})
            return CallerLeft()

        async def session(line: Line) -> Outcome:
            return await self._reception.run(call, line, first)

        log.info("agi.answered", extra={"call_id": call.id, "channel": call.channel})
        outcome = await self._with_sound(request, call, session)
        return await _as_asterisk_sees_it(request, NoAudio() if outcome is None else outcome)

    async def _pass_on(self, request: Request, call: Call, to: Transferred) -> Unreached | None:
        """Ring people, until their talk with the caller is over; why nobody took him, or None."""
        command = self._plan.command(to.queue)  # raises before the dialplan is told
        for name, value in self._plan.variables(to, _whisper_url(request.environment)).items():
            await request.send_command(agi.set_variable(f"__VOICEBOT_{name}", value))
        for stale in ("DIALSTATUS", "QUEUESTATUS", "VOICEBOT_ADVISER"):
            await request.send_command(agi.set_variable(stale, ""))
        await _tell(request, OUTCOME="transfer")
        await request.send_command(command)
        why = unreached(await _statuses(request))
        if why is None or not (await request.send_command(agi.channel_status())).done:
            return None  # whoever left while he was rung out, or talked, has no further wish
        log.info("agi.not_taken", extra={"call_id": call.id, "why": why})
        await _tell(request, OUTCOME="")
        return why

    # an adviser's leg

    async def _whisper(self, request: Request) -> None:
        summary = await _variable(request, "VOICEBOT_SUMMARY")
        customer = await _variable(request, "VOICEBOT_CUSTOMER")
        leg = Call(CallId(str(uuid4())), channel=request.environment.get("agi_channel", ""))
        await _mark(request, AdviserMark.LISTENING)

        async def session(line: Line) -> bool:
            return await self._reception.whisper(line, summary, customer)

        taken: bool | None = None  # a summary that cannot be told must not keep the two apart
        try:
            taken = await self._with_sound(request, leg, session)
        finally:
            log.info("adviser.told", extra={"call_id": leg.id, "taken": taken})
            if taken is False:
                await _mark(request, AdviserMark.REFUSED)
                await request.send_command(agi.set_variable("GOSUB_RESULT", "BUSY"))
            else:
                await _mark(request, AdviserMark.ACCEPTED)

    # sound

    async def _with_sound(
        self, request: Request, call: Call, session: Callable[[Line], Awaitable[T]]
    ) -> T | None:
        """``session`` beside the EXEC that carries its sound, until both have ended; None: there was none."""
        line = self._reception.open(call)
        with self._switchboard.announce(call.id, line) as connection, self._talking():
            try:
                async with asyncio.TaskGroup() as legs:
                    audio = legs.create_task(self._carry_sound(request, call, line))
                    talk = legs.create_task(_hold(session, line))
                    await asyncio.wait((audio, talk), return_when=asyncio.FIRST_COMPLETED)
                    async with asyncio.timeout(self._settle_s):
                        await asyncio.wait((audio, talk))
                return talk.result() if connection.joined else None
            finally:
                line.hang_up()  # also an audio leg that came when the session was over

    @contextlib.contextmanager
    def _talking(self) -> Iterator[None]:
        self._talks += 1
        self._nobody_talks.clear()
        try:
            yield
        finally:
            self._talks -= 1
            if not self._talks:
                self._nobody_talks.set()

    async def _carry_sound(self, request: Request, call: Call, line: Line) -> None:
        host, port = self._audio_address
        why = "the AGI server closes"
        try:
            reply = await request.send_command(agi.execute("AudioSocket", call.id, f"{host}:{port}"))
            why = f"Asterisk ended the audio: {reply.code} result={reply.result}"
        except ConnectionError as error:
            why = str(error)  # the session ends first; the next command raises it again
        finally:
            line.closed(why)


async def _hold(session: Callable[[Line], Awaitable[T]], line: Line) -> T:
    try:
        return await session(line)
    finally:
        line.hang_up()  # the EXEC answers only when the sound has ended


async def _entered(request: Request) -> tuple[Call, Heard]:
    """The call, and what opens the talk: whether the agent has been on this channel before."""
    taken = agi.uuid_of(await _variable(request, TAKEN))
    call = agi.call_of(request.environment, fresh_id=taken or CallId(str(uuid4())))
    if call.id != taken:
        return call, CallBegins(call.caller)
    if await _variable(request, "VOICEBOT_OUTCOME") == "transfer":
        return call, NotReached(unreached(await _statuses(request)) or "no_answer")
    return call, Resumed()


async def _take(request: Request, call: Call) -> None:
    """Tell the dialplan whose call this is from now on."""
    await request.send_command(agi.set_variable(f"__{CALL_ID}", call.id))
    await request.send_command(agi.set_variable(TAKEN, call.id))
    await _tell(request, OUTCOME="")


async def _as_asterisk_sees_it(request: Request, outcome: Outcome) -> Outcome:
    """EXEC's -1 means hung up, or broken sound, or refused: only the channel knows if the caller is there."""
    if not (await request.send_command(agi.channel_status())).done:
        return CallerLeft()
    return NoAudio() if isinstance(outcome, CallerLeft) else outcome


async def _carry_out(request: Request, outcome: Outcome) -> None:
    match outcome:
        case HungUp():
            await _tell(request, OUTCOME="hungup")
            await request.send_command(agi.hang_up())
        case Transferred():
            await _tell(request, OUTCOME="transferred")
            await request.send_command(agi.hang_up())
        case CallerLeft():
            await _tell(request, OUTCOME="callerleft")
        case NoAudio():
            await _tell(request, OUTCOME="noaudio")
        case _:
            assert_never(outcome)


async def _tell(request: Request, **variables: str) -> None:
    for name, value in variables.items():
        await request.send_command(agi.set_variable(f"VOICEBOT_{name}", value))


async def _variable(request: Request, name: str) -> str:
    """A channel variable; empty when it is not set, or the channel is gone."""
    return (await request.send_command(agi.get_variable(name))).data


async def _statuses(request: Request) -> Statuses:
    """What Asterisk says of a passing-on that has ended."""
    return Statuses(
        dial=await _variable(request, "DIALSTATUS"),
        queue=await _variable(request, "QUEUESTATUS"),
        adviser=await _variable(request, "VOICEBOT_ADVISER"),
    )


async def _mark(request: Request, mark: AdviserMark) -> None:
    """Say on the caller's channel how far the adviser is."""
    await request.send_command(agi.execute("Set", f"MASTER_CHANNEL(VOICEBOT_ADVISER)={mark}"))


def _whisper_url(environment: Environment) -> str:
    """Where an adviser's leg finds this worker: where Asterisk found it for the caller's."""
    asked = environment.get("agi_request", "")
    return f"{asked.rpartition('/')[0]}/{WHISPER_SCRIPT}"


async def _own_tasks(ready: asyncio.Future[asyncio.TaskGroup]) -> None:
    """Holds the group that owns one task per connection; cancelling this ends them all."""
    async with asyncio.TaskGroup() as group:
        ready.set_result(group)
        await asyncio.get_running_loop().create_future()
