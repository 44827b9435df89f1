"""The fixed lines, and ``python -m app voices``: which voices there are, and their lines made ahead.

``voices`` says which voices would speak, in order, and what of the fixed lines (:mod:`app.fixed_lines`) each
has. ``voices warm`` makes what is missing, and says before it starts how many characters that is, for
services charge by them. It can be stopped and started again: what is kept is not made twice.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from app.settings import Settings
from app.wiring import open_voices
from audio.sound_cache import CachedVoice
from audio.tts import TtsFailed

AT_ONCE = 2
"""Sentences made at a time: the smallest plans of services allow two requests at once."""


async def show(settings: Settings) -> int:
    """Print the voices in order, and how much of the fixed lines each has."""
    async with open_voices(settings) as voices:
        print(f"Fixed sentences: {len(voices.fixed)}, {_characters(voices.fixed)} characters.")  # noqa: T201
        for place, cached in enumerate(voices.cached, start=1):
            missing = await cached.lacks(voices.fixed)
            state = f"{len(voices.fixed) - len(missing)} of {len(voices.fixed)} kept"
            print(f"{place}. {cached.name}: {state}")  # noqa: T201
        if voices.local:
            print(f"{len(voices.cached) + 1}. {voices.local}: made when needed, nothing to keep")  # noqa: T201
    return 0


async def warm(settings: Settings, name: str = "") -> int:
    """Make what the voice lacks whose name begins with ``name``; 1 when some of it failed."""
    async with open_voices(settings) as voices:
        chosen = [cached for cached in voices.cached if cached.name.startswith(name)][:1]
        if not chosen:
            print(  # noqa: T201
                "There is nothing to make ahead: "
                + (f"no voice is called {name!r}." if voices.cached else "no service's key is configured.")
            )
            return 1 if name else 0
        (cached,) = chosen
        missing = await cached.lacks(voices.fixed)
        print(  # noqa: T201
            f"{cached.name}: {len(missing)} of {len(voices.fixed)} sentences to make, "
            f"{_characters(missing)} characters."
        )
        with _progress(len(missing)) as advance:
            failed = await _made(cached, missing, advance)
        if failed:
            print(f"{len(failed)} failed, the first because {failed[0]}. Run it again to go on.")  # noqa: T201
        return 1 if failed else 0


async def _made(cached: CachedVoice, texts: Sequence[str], advance: Callable[[], None]) -> list[TtsFailed]:
    """Speak ``texts``, a few at a time; the failures. After three in a row nothing more is tried."""
    waiting = list(reversed(texts))
    failed: list[TtsFailed] = []
    in_a_row = 0

    async def work() -> None:
        nonlocal in_a_row
        while waiting and in_a_row < 3:
            try:
                async for _ in cached.speak(waiting.pop()):
                    pass
            except TtsFailed as failure:
                failed.append(failure)
                in_a_row += 1
            else:
                in_a_row = 0
            advance()

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work())
    return failed


def _characters(texts: Sequence[str]) -> int:
    return sum(map(len, texts))


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar with rich, a line every tenth without."""
    try:
        from rich.progress import Progress
    except ImportError:
        done = 0

        def told() -> None:
            nonlocal done
            done += 1
            if done == total or done % max(1, total // 10) == 0:
                print(f"{done} of {total}")  # noqa: T201

        yield told
        return
    with Progress() as bar:
        task = bar.add_task("sentences", total=total)
        yield lambda: bar.advance(task)
