"""The shape of the graph: personal data lies behind one door, whichever way one walks."""

import ast
from collections.abc import Iterator
from pathlib import Path

from langgraph.checkpoint.memory import InMemorySaver

import graph.builder as builder_module
from graph.builder import build_graph, open_skills, personal_skills
from graph.dialogue import Dialogue
from tests.graph.conversation import services

NODES = {
    "greet",
    "authenticate",
    "classify",
    "contract",
    "claims",
    "faq",
    "transfer",
    "goodbye",
    "repair",
    "care",
}


def edges() -> list[tuple[str, str]]:
    """The edges of the compiled graph, as LangGraph draws them."""
    return Dialogue(build_graph(services()), InMemorySaver()).edges()


def paths(start: str, goal: str) -> Iterator[list[str]]:
    """Every path from ``start`` to ``goal`` that passes no node twice."""
    leads_to: dict[str, list[str]] = {}
    for source, target in edges():
        leads_to.setdefault(source, []).append(target)

    def walk(path: list[str]) -> Iterator[list[str]]:
        if path[-1] == goal:
            yield path
            return
        for following in leads_to.get(path[-1], []):
            if following not in path:
                yield from walk([*path, following])

    yield from walk([start])


def test_the_graph_has_the_owners_eight_nodes_and_two_for_repair_and_care() -> None:
    named = {name for edge in edges() for name in edge} - {"__start__", "__end__"}
    assert named == NODES


def test_every_path_to_personal_data_passes_authenticate() -> None:
    personal = [skill.name for skill in personal_skills(services())]
    assert personal == ["contract", "claims"]
    for name in personal:
        ways = list(paths("__start__", name))
        assert ways, f"{name} cannot be reached at all"
        assert all("authenticate" in way for way in ways), ways


def test_a_call_may_begin_anew_go_on_or_come_back_but_never_behind_the_gate() -> None:
    entries = {target for source, target in edges() if source == "__start__"}
    assert entries == {"greet", "classify", "repair", "transfer", "goodbye"}


def test_the_edges_into_personal_skills_come_from_authenticate_alone() -> None:
    sources = {source for source, target in edges() if target in {"contract", "claims"}}
    assert sources == {"authenticate"}


def test_every_node_can_be_reached_and_left() -> None:
    for name in NODES:
        assert any(paths("__start__", name)), name
        assert any(paths(name, "__end__")), name


def test_the_back_office_is_given_to_no_skill_outside_the_gate() -> None:
    """Nodes that hold the back office are the personal ones and authenticate; nobody else can ask it."""
    holders = {
        path.stem
        for path in Path(builder_module.__file__).parent.parent.joinpath("nodes").glob("*.py")
        if any(
            isinstance(node, ast.ImportFrom) and node.module == "tools.backoffice"
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        )
    }
    assert holders == {"authenticate", "contract", "claims"}


def test_names_and_intents_of_skills_are_unique() -> None:
    skills = [*personal_skills(services()), *open_skills(services())]
    assert len({skill.name for skill in skills}) == len(skills)
    assert len({skill.intent for skill in skills}) == len(skills)
