"""Asterisk's part of a call, on both wires: the twin that ``make call``, benches and tests ring with.

It connects to the AGI server, says who rings, obeys the commands and answers them as Asterisk 22.10
does (measured); ``EXEC AudioSocket`` makes it dial the media server with a
:class:`telephony.simulated.handset.Handset`, and blocks the AGI leg until the sound has ended::

    async with SimulatedAsterisk(("127.0.0.1", agi_port)).call(caller="0612345678") as call:
        greeting = await call.hear_out()
        said = await call.say(question_pcm)
        answer_at_ms = await call.hear_speech(after_ms=said.speech_ended_ms)
        call.hang_up()
        ending = await call.ended

============================================  =====================================================
what happened                                 it answers
============================================  =====================================================
the server ended the sound (END, or a close)  ``200 result=0``
reset, bad frame, mute, refused               ``200 result=-1``; the caller is still there
the caller hung up                            ``200 result=-1``, a line ``HANGUP``; then 511 to all
EXEC Queue, EXEC Dial                         what :class:`Adviser` does; QUEUESTATUS, DIALSTATUS
an application it does not have               ``200 result=-2``
============================================  =====================================================

``Dial`` to the context ``voicebot-attended`` rings the agent with a leg of the adviser's own, as the dialplan
of :mod:`telephony.agi_server` does, and obeys what that leg says of him. When the agent breaks off without
an outcome the call enters it again, as often as it is told (``reentries``). When nobody answers then, it
tries every second for ``RETURN_S``, which counts as one: a process that is killed loses its calls before its
port, so the first to enter again may still knock at the dead one's door.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum

from audio.pcm import FRAME_MS
from telephony import agi
from telephony.call import CallId
from telephony.handover import ATTENDED_CONTEXT
from telephony.simulated.handset import Background, CallEnded, Handset, Heard, LegEnd, Said

DEAD_CHANNEL = "511 Command Not Permitted on a dead channel or intercept routine"
NO_SUCH_COMMAND = "510 Invalid or unknown command"

CLOSING_S = 5.0
"""How long a call that is left may take to end before its sockets are cut."""


RETURN_S = 20.0
"""How long an agent that broke off may take to be there again (the dialplan's setting, its default)."""

TRIED_AGAIN_S = 1.0
"""Between two attempts to enter it (the dialplan's)."""

INHERITED = "__"
"""Prefix of a variable that the channels dialled from this one get as well."""

_QUEUE_STATUS = {"ANSWER": "CONTINUE", "NOANSWER": "TIMEOUT", "BUSY": "FULL", "CHANUNAVAIL": "JOINEMPTY"}


class Rings(StrEnum):
    """What becomes of ringing an adviser, in Dial's words."""

    ANSWER = "ANSWER"
    NOANSWER = "NOANSWER"
    BUSY = "BUSY"
    CHANUNAVAIL = "CHANUNAVAIL"
    FOR_EVER = "FOREVER"
    """Until the caller hangs up."""


@dataclass(frozen=True, slots=True)
class Adviser:
    """Who is at the desk when it is rung."""

    rings: Rings = Rings.ANSWER
    presses: str = "1"
    """When he hears the summary; empty: he hangs up instead."""
    hangs_up_first: bool = False
    """After the talk; else the caller does."""


class EndedBy(StrEnum):
    """Who ended a call."""

    AGENT = "agent"
    """By the command HANGUP."""
    CALLER = "caller"
    QUEUE = "queue"
    """The caller was put through to people, and hung up with them."""
    DIALPLAN = "dialplan"
    """The AGI leg closed with the caller still there: the dialplan goes on, to its fall-back."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What became of a call."""

    by: EndedBy
    commands: tuple[str, ...]
    """All commands of the AGI leg, as received."""
    variables: Mapping[str, str]
    """Channel variables as they are at the end."""
    queue: str | None
    """Where the caller was put through to."""
    entered: int = 1
    """How often the dialplan entered the agent."""


class SimulatedAsterisk:
    """Rings an agent. Any number of calls at the same time."""

    def __init__(
        self, agi_address: tuple[str, int], *, script: str = "agent", tick_ms: float = FRAME_MS
    ) -> None:
        """``tick_ms`` is the real time of one 20 ms frame: less plays all calls faster than life."""
        self.agi_address = agi_address
        """Where the next leg goes; may be changed, as a dialplan goes to the next worker."""
        self._script = script
        self._tick_ms = tick_ms
        self._calls = 0

    @asynccontextmanager
    async def call(
        self,
        *,
        caller: str = "0612345678",
        called: str = "0123456789",
        caller_name: str = "",
        call_id: CallId | None = None,
        background: Background | None = None,
        encoding: str = "utf-8",
        advisers: Iterable[Adviser] = (),
        reentries: int = 0,
    ) -> AsyncIterator["SimulatedCall"]:
        """A call, ringing; leaving the block hangs up and closes everything.

        ``call_id`` is passed as the dialplan does, in ``AGI(…,id)``. ``advisers`` are rung one after the
        other, the last one again and again. Raises OSError when nobody listens.
        """
        self._calls += 1
        environment = self._environment(caller, caller_name, called, call_id)
        call = SimulatedCall(self, environment, encoding, background, advisers, reentries)
        await call.enter()
        # Not a TaskGroup: it would wrap what the block raises. This one task is awaited below.
        leg = asyncio.create_task(call.live(), name="simulated AGI leg")
        try:
            yield call
        finally:
            call.hang_up()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(leg, CLOSING_S)

    @property
    def speed(self) -> float:
        """How many times faster than life its calls are."""
        return FRAME_MS / self._tick_ms

    def handset(self, background: Background | None) -> Handset:
        """A phone for one audio leg."""
        return Handset(self._tick_ms, background)

    def _environment(
        self, caller: str, caller_name: str, called: str, call_id: CallId | None
    ) -> dict[str, str]:
        host, port = self.agi_address
        environment = {
            "agi_network": "yes",
            "agi_network_script": self._script,
            "agi_request": f"agi://{host}:{port}/{self._script}",
            "agi_channel": f"PJSIP/caller-{self._calls:08x}",
            "agi_language": "fr",
            "agi_type": "PJSIP",
            "agi_uniqueid": f"1700000000.{self._calls}",
            "agi_version": "22.10.1",
            "agi_callerid": caller or "unknown",
            "agi_calleridname": caller_name or "unknown",
            "agi_callingpres": "0",
            "agi_callingani2": "0",
            "agi_callington": "0",
            "agi_callingtns": "0",
            "agi_dnid": called or "unknown",
            "agi_rdnis": "unknown",
            "agi_context": "from-trunk",
            "agi_extension": called or "s",
            "agi_priority": "2",
            "agi_enhanced": "0.0",
            "agi_accountcode": "",
            "agi_threadid": "139872034551488",
        }
        return environment if call_id is None else {**environment, "agi_arg_1": call_id}


class SimulatedCall:
    """One call: its AGI leg, and the caller's phone."""

    def __init__(
        self,
        asterisk: SimulatedAsterisk,
        environment: Mapping[str, str],
        encoding: str = "utf-8",
        background: Background | None = None,
        advisers: Iterable[Adviser] = (),
        reentries: int = 0,
        caller: "SimulatedCall | None" = None,
    ) -> None:
        """``caller`` is whose call this leg is dialled for: an adviser's."""
        self.phone = asterisk.handset(background)
        """The audio leg under way or the last one: recording, arrival times, silence suppression."""
        self.phones: list[Handset] = []
        """All audio legs so far: another one for each time that the caller came back."""
        self.ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self.commands: list[str] = []
        self.variables: dict[str, str] = {}
        self.queue: str | None = None
        self.call_id: CallId | None = None
        """Known from EXEC AudioSocket on."""
        self.adviser: SimulatedCall | None = None
        """The leg of the adviser who was last told about this caller."""
        self.before_ringing: Callable[[], Awaitable[None]] | None = None
        """What happens just when people are about to be rung."""
        self._asterisk = asterisk
        self._environment = environment
        self._encoding = encoding
        self._background = background
        self._advisers = deque(advisers or [Adviser()])
        self._reentries = reentries
        self._entered = 0
        self._caller = caller
        self._inherited: set[str] = set()
        self._gone: EndedBy | None = None
        self._left = asyncio.Event()
        self._connected = asyncio.Event()
        self._executing = False

    # what the caller does: see Handset

    async def connected(self) -> None:
        """Wait until there is sound. See :meth:`Handset.connected`."""
        await self.phone.connected()

    async def comes_back(self, since: Handset | None = None) -> None:
        """Wait until there is sound on another audio leg. Raises :class:`CallEnded` if there never is.

        ``since`` is the leg that the caller was on, for who may be late to ask; else the one under way.
        """
        before = since or self.phone
        while self.phone is before:
            self._connected.clear()
            if self.ended.done():
                raise CallEnded("the caller did not come back")
            await self._connected.wait()
        await self.phone.connected()

    async def say(self, pcm: bytes) -> Said:
        """Speak; returns when the last frame has left. See :meth:`Handset.say`."""
        return await self.phone.say(pcm)

    async def press(self, keys: str) -> None:
        """Press keys, one after the other. See :meth:`Handset.press`."""
        await self.phone.press(keys)

    async def pause(self, for_ms: float) -> None:
        """Say nothing for a while. See :meth:`Handset.pause`."""
        await self.phone.pause(for_ms)

    async def hear_speech(self, after_ms: float | None = None, within_ms: float = 30_000) -> float:
        """Wait until the agent speaks. See :meth:`Handset.hear_speech`."""
        return await self.phone.hear_speech(after_ms, within_ms)

    async def hear_silence(self, for_ms: float, within_ms: float = 30_000) -> None:
        """Wait until the agent has been quiet for a while. See :meth:`Handset.hear_silence`."""
        await self.phone.hear_silence(for_ms, within_ms)

    async def hear_out(
        self, quiet_ms: float = 600, after_ms: float | None = None, within_ms: float = 30_000
    ) -> Heard:
        """Wait until the agent has spoken and then been quiet. See :meth:`Handset.hear_out`."""
        return await self.phone.hear_out(quiet_ms, after_ms, within_ms)

    def hang_up(self) -> None:
        """The caller hangs up; again changes nothing."""
        if self._gone is None:
            self._gone = EndedBy.CALLER
            self._left.set()
            self.phone.hang_up()
            if not self._executing:
                self._hang_up_line()

    # what Asterisk does

    async def enter(self) -> None:
        """``AGI()``: connect, and say who rings. Raises OSError when nobody listens."""
        self._reader, self._writer = await asyncio.open_connection(*self._asterisk.agi_address)
        self._writer.write(agi.encode_environment(self._environment, self._encoding))
        self._entered += 1

    async def live(self) -> None:
        """Go through the dialplan: enter the agent, and again when it broke off without an outcome."""
        try:
            await self._obey()
            while self._gone is None and self._reentries and self._broke_off:
                self._reentries -= 1
                if await self._entered_again():
                    await self._obey()
        finally:
            self.phone.hang_up()
            by = self._gone or EndedBy.DIALPLAN
            self._gone = by
            if not self.ended.done():  # whoever waited for it may have been cancelled
                self._connected.set()
                ending = Ending(by, tuple(self.commands), dict(self.variables), self.queue, self._entered)
                self.ended.set_result(ending)

    async def _entered_again(self) -> bool:
        """Enter the agent, which may still have to start; whether that was so before the caller left."""
        loop, speed = asyncio.get_running_loop(), self._asterisk.speed
        until_s = loop.time() + RETURN_S / speed
        while self._gone is None and loop.time() < until_s:
            try:
                await self.enter()
            except OSError:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._left.wait(), TRIED_AGAIN_S / speed)
            else:
                return True
        return False

    @property
    def _broke_off(self) -> bool:
        """The agent died, while it talked or while people were rung."""
        outcome = self.variables.get("VOICEBOT_OUTCOME", "")
        reached = {self.variables.get("DIALSTATUS"), self.variables.get("QUEUESTATUS")} & {
            "ANSWER",
            "CONTINUE",
        }
        return not outcome or (outcome == "transfer" and not reached)

    async def _obey(self) -> None:
        """Answer the agent's commands until it closes the AGI leg."""
        try:
            while line := await self._reader.readline():
                command = line.decode().rstrip("\n")
                self.commands.append(command)
                self._writer.write(f"{await self._answer(agi.parse_command(command))}\n".encode())
        except ConnectionError:
            pass  # the agent's process died: the dialplan goes on
        finally:
            self._writer.close()

    async def _answer(self, command: list[str]) -> str:
        if self._gone is not None:
            return DEAD_CHANNEL
        match command:
            case ["ANSWER"]:
                return "200 result=0"
            case ["CHANNEL", "STATUS"]:
                return "200 result=6"
            case ["SET", "VARIABLE", name, value]:
                self._set(name, value)
                return "200 result=1"
            case ["GET", "VARIABLE", name]:
                known = name in self.variables
                return f"200 result=1 ({self.variables[name]})" if known else "200 result=0"
            case ["HANGUP"]:
                return self._leave(EndedBy.AGENT, "200 result=1")
            case ["EXEC", application, *arguments]:
                return await self._execute(application, arguments[0].split(",") if arguments else [])
            case _:
                return NO_SUCH_COMMAND

    def _set(self, name: str, value: str) -> None:
        bare = name.lstrip("_")
        self.variables[bare] = value
        if name.startswith(INHERITED):
            self._inherited.add(bare)

    async def _execute(self, application: str, arguments: list[str]) -> str:
        match application, arguments:
            case "AudioSocket", [call_id, address]:
                return await self._connect_sound(CallId(call_id), address)
            case "Queue", [queue, *_]:
                return await self._ring_queue(queue)
            case "Dial", [target, *_] if target.startswith("Local/"):
                extension, _, context = target.removeprefix("Local/").removesuffix("/n").partition("@")
                return await self._dial(extension, attended=context == ATTENDED_CONTEXT)
            case "Set", [assignment]:
                name, _, value = assignment.partition("=")
                if name.startswith("MASTER_CHANNEL(") and self._caller is not None:
                    self._caller._set(name.removeprefix("MASTER_CHANNEL(").removesuffix(")"), value)  # noqa: SLF001
                else:
                    self._set(name, value)
                return "200 result=0"
            case _:
                return "200 result=-2"

    async def _connect_sound(self, call_id: CallId, address: str) -> str:
        host, _, port = address.rpartition(":")
        if self.phones:
            self.phone = self._asterisk.handset(self._background)
        self.phones.append(self.phone)
        self._connected.set()
        self.call_id, self._executing = call_id, True
        try:
            end = await self.phone.dial(call_id, host, int(port))
        finally:
            self._executing = False
        match end:
            case LegEnd.PROPER:
                return "200 result=0"
            case LegEnd.FAILED:
                return "200 result=-1"
            case LegEnd.HUNG_UP:
                return self._leave(EndedBy.CALLER, "200 result=-1")

    # people

    async def _ring_queue(self, queue: str) -> str:
        adviser = await self._next_adviser()
        if adviser.rings is Rings.FOR_EVER:
            return await self._wait_in_vain()
        self.variables["QUEUESTATUS"] = _QUEUE_STATUS[adviser.rings]
        return self._talk(queue, adviser) if adviser.rings is Rings.ANSWER else "200 result=0"

    async def _dial(self, extension: str, *, attended: bool) -> str:
        adviser = await self._next_adviser()
        if adviser.rings is Rings.FOR_EVER:
            return await self._wait_in_vain()
        status: Rings = adviser.rings
        if status is Rings.ANSWER and attended:
            status = await self._tell(adviser)
        self.variables["DIALSTATUS"] = status
        taken = status is Rings.ANSWER and not (attended and not adviser.presses)
        return self._talk(extension, adviser) if taken else "200 result=0"

    async def _next_adviser(self) -> Adviser:
        if self.before_ringing is not None:
            await self.before_ringing()
        return self._advisers.popleft() if len(self._advisers) > 1 else self._advisers[0]

    def _talk(self, desk: str, adviser: Adviser) -> str:
        self.queue = desk
        return "200 result=0" if adviser.hangs_up_first else self._leave(EndedBy.QUEUE, "200 result=-1")

    async def _wait_in_vain(self) -> str:
        self._executing = True
        await self._left.wait()
        return self._leave(EndedBy.CALLER, "200 result=-1")

    async def _tell(self, adviser: Adviser) -> Rings:
        """The adviser's leg: he hears the summary, and presses a key or hangs up."""
        script = self.variables["VOICEBOT_WHISPER"].rpartition("/")[2]
        channel = {"agi_network_script": script, "agi_channel": "Local/adviser@hand-over;1"}
        leg = SimulatedCall(self._asterisk, {**self._environment, **channel}, caller=self)
        leg.variables |= {name: self.variables[name] for name in self._inherited}
        self.adviser = leg
        await leg.enter()
        living = asyncio.create_task(leg.live(), name="simulated adviser")
        try:
            with contextlib.suppress(CallEnded):  # the agent let him go, whatever he wanted
                await leg.hear_speech(after_ms=0)
                if adviser.presses:
                    await leg.press(adviser.presses)
                else:
                    leg.hang_up()
            await living
        finally:
            leg.hang_up()
            living.cancel()
        return Rings(leg.variables.get("GOSUB_RESULT") or Rings.ANSWER)

    def _leave(self, by: EndedBy, answer: str) -> str:
        """The caller is gone: the answer, then the line that says so."""
        self._gone = by
        self._left.set()
        return f"{answer}\nHANGUP"

    def _hang_up_line(self) -> None:
        if not self._writer.is_closing():
            self._writer.write(b"HANGUP\n")
