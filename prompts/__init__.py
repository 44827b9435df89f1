"""Every word the agent says, by node: ``prompts/<node>.toml``.

A file holds an optional ``system`` text (for a language model) and a table ``[say]``:

    [say]
    found  = "Votre contrat {product} vaut {value}."
    missed = ["Pardon, je n'ai pas bien saisi.", "Je n'ai toujours pas compris."]
    notice = { text = "Cet appel peut être enregistré.", interruptible = false }

A list holds the wordings for the first, second, … time (the last one stays). What is written is
plain French as one would print it; the voice's own writer turns figures into words.
"""

import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent


class PromptInvalid(Exception):
    """A file of words that cannot be used; the message names the file, the line and the cure."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to say. ``key`` names it whatever its wording: ``claims.status``."""

    key: str
    text: str
    interruptible: bool = True


@dataclass(frozen=True, slots=True)
class Wordings:
    """The wordings of one line, as written in the file."""

    texts: tuple[str, ...]
    interruptible: bool = True

    @property
    def fields(self) -> frozenset[str]:
        """The values its wordings ask for."""
        formatter = string.Formatter()
        return frozenset(
            name for text in self.texts for _, name, _, _ in formatter.parse(text) if name is not None
        )


@dataclass(frozen=True, slots=True)
class Prompt:
    """The words of one node."""

    node: str
    system: str
    lines: Mapping[str, Wordings]

    def say(self, key: str, /, *, nth: int = 0, **values: str) -> Line:
        """The line ``key`` with its values filled in; ``nth`` picks the wording (0 is the first).

        Raises :class:`PromptInvalid` for an unknown key or a missing value.
        """
        wordings = self.lines.get(key)
        if wordings is None:
            raise PromptInvalid(f"prompts/{self.node}.toml has no line {key!r} under [say]")
        missing = wordings.fields - values.keys()
        if missing:
            raise PromptInvalid(f"{self.node}.{key} needs a value for {', '.join(sorted(missing))}")
        text = wordings.texts[min(nth, len(wordings.texts) - 1)]
        return Line(f"{self.node}.{key}", text.format(**values), wordings.interruptible)


@cache
def load(node: str) -> Prompt:
    """The words of ``node``, read once. Raises :class:`PromptInvalid`."""
    return read(FOLDER / f"{node}.toml")


def read(path: Path) -> Prompt:
    """The words in ``path``. Raises :class:`PromptInvalid` with what is wrong and where."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise PromptInvalid(f"{path.name}: no such file in prompts/; every node has one") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise PromptInvalid(f"{path.name}: not readable as UTF-8 TOML: {exc}") from exc
    say = content.get("say", {})
    if not isinstance(say, dict):
        raise PromptInvalid(f"{path.name}: [say] must be a table of lines")
    lines = {key: _wordings(path, key, value) for key, value in say.items()}
    return Prompt(path.stem, str(content.get("system", "")), lines)


def _wordings(path: Path, key: str, value: object) -> Wordings:
    match value:
        case str():
            texts, interruptible = (value,), True
        case list() if value and all(isinstance(text, str) for text in value):
            texts, interruptible = tuple(value), True
        case {"text": str(text), "interruptible": bool(flag), **rest} if not rest:
            texts, interruptible = (text,), flag
        case _:
            raise PromptInvalid(
                f'{path.name}: {key} must be a sentence, a list of sentences, or {{ text = "…", '
                f"interruptible = false }}"
            )
    if any(not text.strip() for text in texts):
        raise PromptInvalid(f"{path.name}: {key} has an empty wording")
    return Wordings(texts, interruptible)
