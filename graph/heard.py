"""What came from the line in one turn: from the caller, or about him. Depends on nothing."""

from dataclasses import dataclass
from typing import Literal

Unreached = Literal["no_answer", "busy", "refused", "unavailable"]
"""Why nobody took a caller who was passed on: it rang out, was engaged, was declined, or nobody is there."""


@dataclass(frozen=True, slots=True)
class CallBegins:
    """The line is open and nobody has spoken."""

    caller: str = ""
    """The number shown by the network; a convenience to ring him back, never a proof of who he is."""


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


@dataclass(frozen=True, slots=True)
class Resumed:
    """The line is open again: it broke off in the middle of this call, and the caller has waited."""


@dataclass(frozen=True, slots=True)
class NotReached:
    """The caller is back: nobody took him when he was passed on."""

    why: Unreached


Heard = CallBegins | Words | Keys | Quiet | Resumed | NotReached
