"""An agent without a voice: each time the dialplan enters it, it gives its next commands and goes."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from telephony import agi
from telephony.agi import Command, Reply


class ScriptedAgent:
    """Gives the commands of one visit after the other; with none left it breaks off without a word."""

    def __init__(self, visits: Sequence[Sequence[Command]]) -> None:
        self.visits: list[str] = []
        """The call's id at each visit."""
        self.scripts: list[str] = []
        """What each visit asked for: ``agent``, ``whisper``."""
        self.replies: list[Reply] = []
        """Asterisk's answers, in the order of the commands."""
        self._commands = deque(visits)
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        """Where the dialplan finds it."""
        assert self._server is not None
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One visit."""
        environment = agi.parse_environment(await reader.readuntil(b"\n\n"))
        self.visits.append(environment.get("agi_arg_1", ""))
        self.scripts.append(environment["agi_network_script"])
        commands = self._commands.popleft() if self._commands and self.scripts[-1] == "agent" else ()
        for command in commands:
            writer.write(f"{command}\n".encode())
            line = b"HANGUP"
            while line.startswith(b"HANGUP"):  # not an answer
                line = await reader.readline()
            if not line:
                break
            self.replies.append(agi.parse_reply(line.decode().rstrip("\n")))
        writer.close()

    async def listen(self) -> None:
        """Take a free port."""
        self._server = await asyncio.start_server(self.serve, "127.0.0.1", 0)

    async def close(self) -> None:
        """Listen no more."""
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()


@asynccontextmanager
async def commanding(*visits: Sequence[Command]) -> AsyncIterator[ScriptedAgent]:
    """An agent with these commands, listening."""
    agent = ScriptedAgent(visits)
    await agent.listen()
    try:
        yield agent
    finally:
        await agent.close()


@asynccontextmanager
async def leaving(*outcomes: str) -> AsyncIterator[ScriptedAgent]:
    """An agent that only leaves an outcome at each visit; "" breaks off without one."""
    visits = [[agi.set_variable("VOICEBOT_OUTCOME", outcome)] if outcome else [] for outcome in outcomes]
    async with commanding(*visits) as agent:
        yield agent
