"""Who takes over next: pure functions of the state.

Nodes name the next node in ``goto``; what they may name is checked here against the edges that are
drawn. Personal skills are behind ``authenticate`` and nowhere else: no other router can name them.
"""

from collections.abc import Callable, Collection, Sequence

from langgraph.graph import END

from graph.skill import LAST_TURN, MAX_TURNS, caller_turn, has_taken_a_turn, heard_as, turns_taken
from graph.state import CallState


class WrongTurn(Exception):
    """A node named a successor that no edge of the graph leads to. A fault of the code, not of the caller."""


def entry(state: CallState) -> str:
    """Where a turn begins: a call that was not greeted is greeted; silence is repaired; words are sorted.

    A call that is taken up again begins where it broke off. None of these is a personal skill: what was
    to be answered behind ``authenticate`` is asked for again, and goes through it again.
    """
    if not state.get("greeted"):
        return "greet"
    taken = turns_taken(state)
    if taken >= LAST_TURN:
        return "goodbye"
    match heard_as(state):
        case "resumed":
            return _where_it_broke_off(state)
        case "not_reached":
            return "transfer"
    caller = caller_turn(state)
    if caller is None or caller.quiet or taken == MAX_TURNS:
        return "repair"
    return "classify"


def _where_it_broke_off(state: CallState) -> str:
    if not has_taken_a_turn(state):
        return "greet"  # it may have been in the middle of the notice, which is to be heard whole
    match state.get("ended", ""):
        case "transfer":
            return "transfer"
        case "goodbye":
            return "goodbye"
        case _:
            return "repair"


def leaving(
    node: str, successors: Sequence[str], behind_gate: Collection[str] = ()
) -> Callable[[CallState], str]:
    """The router behind ``node``: where ``goto`` says, if an edge leads there; without it the turn ends.

    What lies ``behind_gate`` is reached through ``authenticate``, whoever names it.
    """

    def follow(state: CallState) -> str:
        target = state.get("goto") or END
        if target in behind_gate:
            target = "authenticate"
        if target not in successors:
            raise WrongTurn(f"{node} named {target!r}; it can only lead to {', '.join(successors)}")
        return target

    return follow
