"""Asterisk's manager interface on the loopback, which can be told to misbehave.

It answers as Asterisk 22.10.1 was seen to (``tests/recordings/ami``): the greeting, the login, and the
actions that the link uses, about the channels and queues it was given.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from telephony.ami import Headers, parse_block

SECRET = "a-secret-for-tests"


def block(*lines: str) -> bytes:
    """A message of these lines, as it goes over the wire."""
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def channel_lines(name: str, uniqueid: str, state: str = "Up") -> tuple[str, ...]:
    """What every event on a channel carries."""
    return (
        f"Channel: {name}",
        f"ChannelStateDesc: {state}",
        "CallerIDNum: 0612345678",
        "Context: from-trunk",
        "Exten: s",
        f"Uniqueid: {uniqueid}",
        f"Linkedid: {uniqueid}",
    )


@dataclass
class AmiSimulator:
    """The server's memory; tests read ``actions`` and set faults."""

    channels: dict[str, str] = field(default_factory=dict)
    """``uniqueid`` by name."""
    queues: dict[str, int] = field(default_factory=dict)
    extensions: set[tuple[str, str]] = field(default_factory=set)
    forbidden: set[str] = field(default_factory=set)
    """Actions for which the user has no right."""
    silent: set[str] = field(default_factory=set)
    """Actions that are never answered."""
    actions: list[Headers] = field(default_factory=list)
    """Everything asked, logins and pings included."""
    connections: int = 0
    port: int = 0
    frozen: bool = False
    """Connections are taken (by the kernel, as it were) and nothing is answered."""
    shutting_down: bool = False
    """It waits for the last call to end."""
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _serving: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; on the same port as before."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self, *, clean: bool = True) -> None:
        """As an Asterisk that shuts down, or one that is killed."""
        assert self._server is not None
        self._server.close()
        if clean:
            self.tell("Event: Shutdown", "Shutdown: Cleanly", "Restart: False")
        for writer in tuple(self._writers):
            writer.close() if clean else writer.transport.abort()
        await self._server.wait_closed()
        await asyncio.gather(*self._serving)

    def tell(self, *lines: str) -> None:
        """An event, to everybody."""
        self.write(block(*lines))

    def write(self, raw: bytes) -> None:
        """Bytes, to everybody."""
        for writer in self._writers:
            writer.write(raw)

    def asked(self, name: str) -> list[Headers]:
        """The actions of that name."""
        return [one for one in self.actions if one["action"] == name]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.frozen:
            writer.write(b"Asterisk Call Manager/11.0.0\r\n")
        try:
            while True:
                action = parse_block((await reader.readuntil(b"\r\n\r\n")).decode())
                self.actions.append(action)
                if self._answers(action):
                    writer.write(self._answer(action))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    def _answers(self, action: Headers) -> bool:
        return not self.frozen and action["action"] not in self.silent

    def _answer(self, action: Headers) -> bytes:
        asked = action["action"]
        if self.shutting_down:
            return self._no(action, "Asterisk is shutting down")
        if asked in self.forbidden:
            return self._no(action, "Permission denied")
        match asked:
            case "Login":
                known = action["secret"] == SECRET
                return self._yes(action) if known else self._no(action, "Authentication failed")
            case "Ping":
                return self._yes(action, "Ping: Pong")
            case "Status":
                entries = [
                    (
                        "Event: Status",
                        *channel_lines(name, uniqueid),
                        "Nativeformats: (alaw)",
                        "Seconds: 7",
                    )
                    for name, uniqueid in self.channels.items()
                ]
                return self._list(action, entries, "StatusComplete")
            case "QueueStatus":
                queues = [
                    ("Event: QueueParams", f"Queue: {queue}", f"Calls: {n}")
                    for queue, n in self.queues.items()
                ]
                return self._list(action, queues, "QueueStatusComplete")
            case "DeviceStateList":
                states = [("Event: DeviceStateChange", "Device: PJSIP/trunk", "State: UNAVAILABLE")]
                return self._list(action, states, "DeviceStateListComplete")
            case "PJSIPShowRegistrationsOutbound":
                return self._no(action, "No outbound registrations found")
            case "ShowDialPlan":
                place = (action["context"], action["extension"])
                if place not in self.extensions:
                    return self._no(action, f"Did not find extension {place[1]}@{place[0]}")
                return self._list(action, [("Event: ListDialplan", "Priority: 1")], "ShowDialPlanComplete")
            case "Redirect" | "Setvar" if action["channel"] in self.channels:
                return self._yes(action)
            case "Setvar":
                return self._no(action, "No such channel")
            case "Redirect":
                return self._no(action, f"Channel does not exist: {action['channel']}")
            case "Hangup" if action["channel"] in self.channels:
                return self._yes(action)
            case "Hangup":
                return self._no(action, "No such channel")
            case _:
                return self._no(action, f"Invalid/unknown command: {asked}")

    def _yes(self, action: Headers, *more: str) -> bytes:
        return block("Response: Success", f"ActionID: {action['actionid']}", *more)

    def _no(self, action: Headers, message: str) -> bytes:
        return block("Response: Error", f"ActionID: {action['actionid']}", f"Message: {message}")

    def _list(self, action: Headers, entries: Sequence[tuple[str, ...]], ended: str) -> bytes:
        mark = f"ActionID: {action['actionid']}"
        told = [self._yes(action, "EventList: start", "Message: will follow")]
        told += [block(first, mark, *rest) for first, *rest in entries]
        return b"".join([*told, block(f"Event: {ended}", mark, "EventList: Complete")])


@asynccontextmanager
async def running_ami(simulator: AmiSimulator | None = None) -> AsyncIterator[AmiSimulator]:
    """The server, for the length of the block."""
    simulator = simulator or AmiSimulator()
    await simulator.start()
    try:
        yield simulator
    finally:
        await simulator.stop(clean=False)
