"""``python -m app index``: the knowledge files into the Qdrant server, with progress."""

import asyncio
import sys

from app.settings import Settings, SettingsInvalid
from app.wiring import open_knowledge
from knowledge.documents import read_folder


async def index(settings: Settings) -> int:
    """Make the server's collection hold exactly the files; prints what changed. 0, as an exit status."""
    if not settings.knowledge.host:
        raise SettingsInvalid(
            "QDRANT_HOST is not set: Qdrant then runs inside the agent, which indexes at each start by itself"
        )
    retriever = await asyncio.to_thread(open_knowledge, settings)
    try:
        report = await asyncio.to_thread(retriever.index, read_folder(), _progress)
    finally:
        retriever.close()
    print("".join(f"\n{change}" for change in report.changes))  # noqa: T201 - the terminal is the interface
    print(  # noqa: T201 - as above
        f"added {report.added}, updated {report.updated}, removed {report.removed}, "
        f"unchanged {report.unchanged}"
    )
    return 0


def _progress(done: int, total: int) -> None:
    print(f"\rindexing {done}/{total}", end="", file=sys.stderr, flush=True)  # noqa: T201 - as above
