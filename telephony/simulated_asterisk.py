"""Asterisk's part of a call, on both wires: the twin that ``make call``, benches and tests ring with.

It connects to the AGI server, says who rings, obeys the commands and answers them as Asterisk 22.10
does (measured); ``EXEC AudioSocket`` makes it dial the media server with a
:class:`telephony.simulated_caller.Handset`, and blocks the AGI leg until the sound has ended::

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
EXEC Queue                                    an adviser answers, they talk, the caller hangs up
an application it does not have               ``200 result=-2``
============================================  =====================================================
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum

from audio.pcm import FRAME_MS
from telephony import agi
from telephony.call import CallId
from telephony.simulated_caller import Background, Handset, Heard, LegEnd, Said

DEAD_CHANNEL = "511 Command Not Permitted on a dead channel or intercept routine"
NO_SUCH_COMMAND = "510 Invalid or unknown command"

CLOSING_S = 5.0
"""How long a call that is left may take to end before its sockets are cut."""


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


class SimulatedAsterisk:
    """Rings an agent. Any number of calls at the same time."""

    def __init__(
        self, agi_address: tuple[str, int], *, script: str = "agent", tick_ms: float = FRAME_MS
    ) -> None:
        """``tick_ms`` is the real time of one 20 ms frame: less plays all calls faster than life."""
        self._agi_address = agi_address
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
    ) -> AsyncIterator["SimulatedCall"]:
        """A call, ringing; leaving the block hangs up and closes everything.

        ``call_id`` is passed as the dialplan does, in ``AGI(…,id)``. Raises OSError when nobody listens.
        """
        self._calls += 1
        environment = self._environment(caller, caller_name, called, call_id)
        reader, writer = await asyncio.open_connection(*self._agi_address)
        call = SimulatedCall(reader, writer, Handset(self._tick_ms, background))
        writer.write(agi.encode_environment(environment, encoding))
        # Not a TaskGroup: it would wrap what the block raises. This one task is awaited below.
        leg = asyncio.create_task(call.obey(), name="simulated AGI leg")
        try:
            yield call
        finally:
            call.hang_up()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(leg, CLOSING_S)

    def _environment(
        self, caller: str, caller_name: str, called: str, call_id: CallId | None
    ) -> dict[str, str]:
        host, port = self._agi_address
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

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, phone: Handset) -> None:
        self.phone = phone
        """The audio leg: recording, arrival times, silence suppression."""
        self.ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self.commands: list[str] = []
        self.variables: dict[str, str] = {}
        self.queue: str | None = None
        self.call_id: CallId | None = None
        """Known from EXEC AudioSocket on."""
        self._reader = reader
        self._writer = writer
        self._gone: EndedBy | None = None
        self._executing = False

    # what the caller does: see Handset

    async def connected(self) -> None:
        """Wait until there is sound. See :meth:`Handset.connected`."""
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
            self.phone.hang_up()
            if not self._executing:
                self._hang_up_line()

    # what Asterisk does

    async def obey(self) -> None:
        """Answer the agent's commands until it closes the AGI leg."""
        try:
            while line := await self._reader.readline():
                command = line.decode().rstrip("\n")
                self.commands.append(command)
                self._writer.write(f"{await self._answer(agi.parse_command(command))}\n".encode())
        except ConnectionError:
            pass  # the agent's process died: the dialplan goes on, as below
        finally:
            self.phone.hang_up()
            self._writer.close()
            by = self._gone or EndedBy.DIALPLAN
            self._gone = by
            if not self.ended.done():  # whoever waited for it may have been cancelled
                self.ended.set_result(Ending(by, tuple(self.commands), dict(self.variables), self.queue))

    async def _answer(self, command: list[str]) -> str:
        if self._gone is not None:
            return DEAD_CHANNEL
        match command:
            case ["ANSWER"]:
                return "200 result=0"
            case ["CHANNEL", "STATUS"]:
                return "200 result=6"
            case ["SET", "VARIABLE", name, value]:
                self.variables[name] = value
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

    async def _execute(self, application: str, arguments: list[str]) -> str:
        match application, arguments:
            case "AudioSocket", [call_id, address]:
                return await self._connect_sound(CallId(call_id), address)
            case "Queue", [queue, *_]:
                self.queue = queue
                return self._leave(EndedBy.QUEUE, "200 result=-1")
            case _:
                return "200 result=-2"

    async def _connect_sound(self, call_id: CallId, address: str) -> str:
        host, _, port = address.rpartition(":")
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

    def _leave(self, by: EndedBy, answer: str) -> str:
        """The caller is gone: the answer, then the line that says so."""
        self._gone = by
        return f"{answer}\nHANGUP"

    def _hang_up_line(self) -> None:
        if not self._writer.is_closing():
            self._writer.write(b"HANGUP\n")
