"""What replays in tests stand on, made once: the real classifier and the real search."""

from functools import cache
from pathlib import Path

from app.replay.player import Played, Player
from app.replay.script import read
from app.wiring import Faculties
from knowledge.documents import read_folder
from knowledge.intents import LocalIntentClassifier
from knowledge.qdrant_retriever import QdrantRetriever
from knowledge.understanding import Understanding

TRANSCRIPTS = Path(__file__).parents[2] / "transcripts"


@cache
def faculties() -> Faculties:
    """As :func:`app.wiring.open_faculties` makes them without any setting."""
    knowledge = QdrantRetriever.open()
    knowledge.index(read_folder())
    return Faculties(Understanding(LocalIntentClassifier.train()), knowledge)


@cache
def player() -> Player:
    """For the demonstration's customers."""
    return Player(faculties())


async def played(folder: Path, text: str, name: str = "call.yaml") -> Played:
    """A transcript of these words, played."""
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return await player().play(read(file))
