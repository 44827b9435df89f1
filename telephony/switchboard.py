"""Joins the two legs of a call by its UUID.

A call reaches us twice: as an AGI session, which knows who rings and gives the orders, and as an
AudioSocket connection, which knows nothing but a UUID. The AGI leg announces a UUID with the line
that is to carry its sound; the audio leg then asks for that line. Whoever comes with a UUID that
was not announced, or was already taken, is a stranger. Leaving the announcement frees everything.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from telephony.call import CallId
from telephony.line import Line


class SwitchboardError(Exception):
    """A leg that cannot be connected; the message names the call."""


class UnknownCall(SwitchboardError):
    """No AGI leg has announced this call, or it has ended."""


class AlreadyJoined(SwitchboardError):
    """This call's audio leg is already there."""


class DuplicateCall(SwitchboardError):
    """An AGI leg announces a call that another AGI leg holds."""


@dataclass(slots=True)
class Connection:
    """A call on the switchboard."""

    call_id: CallId
    line: Line
    joined: bool = False
    """Whether its audio leg has come; stays true when that leg has ended."""


class Switchboard:
    """All live calls of the process. For the event loop's thread."""

    def __init__(self) -> None:
        self._connections: dict[CallId, Connection] = {}

    @contextmanager
    def announce(self, call_id: CallId, line: Line) -> Iterator[Connection]:
        """Let the audio leg of ``call_id`` in, within the block. Raises :class:`DuplicateCall`."""
        if call_id in self._connections:
            raise DuplicateCall(f"call {call_id} is already on the switchboard")
        connection = Connection(call_id, line)
        self._connections[call_id] = connection
        try:
            yield connection
        finally:
            del self._connections[call_id]

    def join(self, call_id: CallId) -> Line:
        """The line of an announced call, once. Raises :class:`UnknownCall` or :class:`AlreadyJoined`."""
        connection = self._connections.get(call_id)
        if connection is None:
            raise UnknownCall(f"call {call_id} was not announced")
        if connection.joined:
            raise AlreadyJoined(f"call {call_id} has its audio leg")
        connection.joined = True
        return connection.line

    def live(self) -> tuple[Connection, ...]:
        """The calls there are now, oldest first."""
        return tuple(self._connections.values())
