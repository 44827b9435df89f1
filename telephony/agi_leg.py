"""One connection of FastAGI: its header, then commands out and replies in, one at a time.

panoramisk 1.4 serves, with :class:`Request` and :class:`Application` around it. They cure: a port
check that froze the event loop; a lost connection seen as a ValueError; HANGUP taken for an answer, and
a usage error's text for the next one, after which every answer belonged to the command before; a header
in Latin-1; cancellation swallowed; a variable that holds "hangup" (replies are read by
:mod:`telephony.agi`). What stays: an idle leg learns that the caller left with its next command only.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable

from panoramisk import fast_agi  # type: ignore[import-untyped]  # it has no types

from telephony import agi
from telephony.agi import Command, Environment, Reply
from telephony.switchboard import DuplicateCall

log = logging.getLogger(__name__)

LONGEST_HEAD_BYTES = 16_384
"""An environment is about one kilobyte; also the bound of one reply line."""


class NoHeader(Exception):
    """A connection that did not say what it wants: a port check, or no Asterisk at all."""


class Request(fast_agi.Request):  # type: ignore[misc]  # the base is untyped
    """One AGI leg: commands out, replies in, one at a time."""

    def __init__(
        self,
        app: fast_agi.Application,
        headers: Environment,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        super().__init__(app, headers, reader, writer)
        self.environment = headers

    async def send_command(self, command: Command) -> Reply:
        """Send ``command`` and wait for its reply, for as long as it takes.

        Raises ConnectionError when the leg is lost, or says what AGI does not know.
        """
        await self._write(f"{command}\n".encode())
        while True:
            line = await self._line()
            if line == "HANGUP":  # answers nothing; CHANNEL STATUS will say the same
                continue
            if line.startswith("520-"):  # usage text, up to "520 End of proper usage."
                while not (await self._line()).startswith("520 "):
                    pass
                return Reply(520)
            reply = self._parsed(line)
            if reply.code != 100:  # "100 result=0 Trying...": the answer is still to come
                return reply

    async def _write(self, line: bytes) -> None:
        if self.writer.is_closing():
            raise self._lost("the AGI leg is closed")
        try:
            self.writer.write(line)
            await self.writer.drain()
        except OSError as error:
            raise self._lost(str(error)) from error

    async def _line(self) -> str:
        try:
            raw: bytes = await self.reader.readline()
        except ValueError as error:
            raise self._lost("a reply line without end") from error
        except OSError as error:  # a dead host is a TimeoutError, which is no ConnectionError
            raise self._lost(str(error)) from error
        if not raw.endswith(b"\n"):
            raise self._lost("Asterisk closed the AGI leg")
        return raw.decode("utf-8", "replace").rstrip("\r\n")

    def _parsed(self, line: str) -> Reply:
        try:
            return agi.parse_reply(line)
        except agi.ProtocolError as error:
            raise self._lost(str(error)) from error

    def _lost(self, why: str) -> ConnectionError:
        """After such a line no reply could be told from the next one: the leg is closed."""
        self.writer.close()
        return ConnectionResetError(why)


class Application(fast_agi.Application):  # type: ignore[misc]  # the base is untyped
    """Routes connections by script name; whatever one does, the others go on."""

    def __init__(self, header_s: float) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self._header_s = header_s

    async def handler(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, from its first byte to its close."""
        try:
            _keep_alive(writer)
            environment = await self._environment(reader)
            route: Callable[[Request], Awaitable[None]] | None
            route = self._route.get(environment.get("agi_network_script"))
            if route is None:
                log.warning("agi.unknown_script")
            else:
                await route(Request(self, environment, reader, writer))
        except NoHeader as error:
            log.info("agi.no_header", extra={"reason": str(error)})
        except DuplicateCall as error:
            log.warning("agi.refused", extra={"reason": str(error)})
        except ConnectionError as error:
            log.info("agi.lost", extra={"reason": str(error)})
        except (
            Exception
        ):  # a fault in one call must not reach the others; the dialplan's Queue takes the caller
            log.exception("agi.failed")
        finally:
            writer.close()

    async def _environment(self, reader: asyncio.StreamReader) -> Environment:
        try:
            async with asyncio.timeout(self._header_s):
                return agi.parse_environment(await reader.readuntil(b"\n\n"))
        except asyncio.IncompleteReadError as error:
            how = "within the header" if error.partial else "without a word"
            raise NoHeader(f"closed {how}") from error
        except TimeoutError as error:
            raise NoHeader(f"the header did not end within {self._header_s} s") from error
        except asyncio.LimitOverrunError as error:
            raise NoHeader("the header is too long") from error


def _keep_alive(writer: asyncio.StreamWriter) -> None:
    """A leg is silent while the caller talks, for minutes: let the kernel notice a dead Asterisk."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, seconds in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):  # not on every system
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), seconds)
