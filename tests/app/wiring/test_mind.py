"""The dialogue alone."""

from app.settings import Settings
from app.wiring import open_mind
from graph.heard import CallBegins


async def test_the_dialogue_alone_needs_no_voice_and_no_port(settings: Settings) -> None:
    async with open_mind(settings) as mind:
        replies = [reply async for reply in mind.dialogue.turn("c", CallBegins())]
    assert replies
