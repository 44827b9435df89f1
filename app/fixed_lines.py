"""The sentences that every caller hears alike, as a voice is given them: what may be made ahead and kept.

They come from ``prompts/*.toml`` (sentences without a place for a value) and from the answers in
``knowledge/faq``. That is all: no sentence that holds a caller's value can be among them, for the values are
filled in elsewhere, later.
"""

import string
from collections.abc import Iterator
from pathlib import Path

from audio.speakable import speakable
from audio.tts import sentences
from knowledge.documents import FAQ_FOLDER, read_folder
from prompts import FOLDER, load

SPOKEN_WHOLE = ("technical", "lost", "wait")
"""Common lines that are kept whole for when nothing works, besides sentence by sentence."""

ALL_SPOKEN_WHOLE = "turned_away"
"""The file all of whose lines are."""


def fixed_sentences(faq: Path = FAQ_FOLDER) -> tuple[str, ...]:
    """All of them, each once, prompts before answers. Raises ``PromptInvalid`` or ``DocumentError``."""
    return tuple(dict.fromkeys(filter(None, map(speakable, _written(faq)))))


def _written(faq: Path) -> Iterator[str]:
    for file in sorted(FOLDER.glob("*.toml")):
        for key, wordings in load(file.stem).lines.items():
            for text in wordings.texts:
                whole = file.stem == "common" and key in SPOKEN_WHOLE
                if (whole or file.stem == ALL_SPOKEN_WHOLE) and not _has_place(text):
                    yield text
                yield from (sentence.format() for sentence in sentences(text) if not _has_place(sentence))
    for passage in read_folder(faq):
        yield from sentences(passage.answer)


def _has_place(text: str) -> bool:
    """Whether ``text`` asks for a value; what cannot be told does."""
    try:
        return any(name is not None for _, name, _, _ in string.Formatter().parse(text))
    except ValueError:  # a place with a sentence's end within, cut apart
        return True
