"""What came from the caller in one turn. Depends on nothing."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CallBegins:
    """The line is open and nobody has spoken."""


@dataclass(frozen=True, slots=True)
class Words:
    """Speech, transcribed; ``text`` is empty when no words were recognised in it."""

    text: str
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Keys:
    """Digits keyed on the phone, without the closing ``#``."""

    digits: str


@dataclass(frozen=True, slots=True)
class Quiet:
    """Nobody spoke for as long as the line was ready to wait."""


Heard = CallBegins | Words | Keys | Quiet
