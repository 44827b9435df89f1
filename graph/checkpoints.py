"""Where the state of calls is kept: one file of SQLite by default, so that a restart loses nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

IN_MEMORY = ":memory:"

BUSY_TIMEOUT_MS = 300
"""How long a write waits for another process's lock; longer than any write, shorter than a pause."""


class CheckpointsUnavailable(Exception):
    """The state of calls can be neither read nor written; the message says what to do."""


@asynccontextmanager
async def open_checkpoints(path: str) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    """The saver on the file ``path`` (made with its folder if it is not there), or ``":memory:"``.

    Raises :class:`CheckpointsUnavailable` when the file cannot be used.
    """
    if path == IN_MEMORY:
        yield InMemorySaver()
        return
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        connection = await aiosqlite.connect(path)
    except (OSError, aiosqlite.Error) as exc:
        raise _unavailable(path) from exc
    try:
        try:
            # A checkpoint a turn: the write-ahead log makes that one append, and survives kill -9.
            await connection.execute("PRAGMA journal_mode=WAL")
            await connection.execute("PRAGMA synchronous=NORMAL")
            await connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
            saver = AsyncSqliteSaver(connection)
            await saver.setup()
        except aiosqlite.Error as exc:
            raise _unavailable(path) from exc
        yield saver
    finally:
        await connection.close()


def _unavailable(path: str) -> CheckpointsUnavailable:
    return CheckpointsUnavailable(
        f"the checkpoint file {path} cannot be used: is its folder writable, and is it an SQLite file? "
        f"Set CHECKPOINTS_PATH to another file, or to {IN_MEMORY} to keep nothing."
    )
