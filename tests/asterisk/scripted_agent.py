"""An agent that only leaves an outcome and goes: what the dialplan does then is what is tested."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from telephony import agi


class ScriptedAgent:
    """Takes each call of the dialplan by the next of its outcomes; "" breaks off without one."""

    def __init__(self, outcomes: Sequence[str]) -> None:
        self.visits: list[str] = []
        """The call's id at each visit."""
        self._outcomes = deque(outcomes)
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        """Where the dialplan finds it."""
        assert self._server is not None
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One visit."""
        environment = agi.parse_environment(await reader.readuntil(b"\n\n"))
        self.visits.append(environment["agi_arg_1"])
        outcome = self._outcomes.popleft() if self._outcomes else ""
        if outcome:
            writer.write(f"{agi.set_variable('VOICEBOT_OUTCOME', outcome)}\n".encode())
            await reader.readline()
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
async def leaving(*outcomes: str) -> AsyncIterator[ScriptedAgent]:
    """Such an agent, listening."""
    agent = ScriptedAgent(outcomes)
    await agent.listen()
    try:
        yield agent
    finally:
        await agent.close()
