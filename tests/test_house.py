"""The import contracts of pyproject.toml bite: each is broken on purpose in a copy of the tree.

One forbidden line is planted at a time, lint-imports runs on the copy, and the contract that is meant to
catch the line must be the one that reports it.
"""

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES: list[str] = PYPROJECT["tool"]["importlinter"]["root_packages"]
CONTRACTS: list[str] = [contract["name"] for contract in PYPROJECT["tool"]["importlinter"]["contracts"]]

DOWNWARDS = "The call flows downwards"
APP_FLOORS = "The app has floors of its own"
NODES_APART = "Nodes do not know each other"
NODES_PLAIN = "Nodes are plain functions of the state"
IDENTITY = "Only authenticate proves identity"
PROVIDERS_APART = "Providers do not know each other"
PURE = "Wire formats, sound and rules do no I/O and know no clock"
VENDORS = "Vendors stay in their adapter"
SOUND = "Sound knows nothing of the dialogue"
WIRING = "Only wiring picks an adapter"
REHEARSED = "Only rehearsals ring with a simulated Asterisk"


@dataclass(frozen=True, slots=True)
class Violation:
    """One line that must not stand in one file, and the contract that says so."""

    contract: str
    module: str
    line: str

    def __str__(self) -> str:
        return f"{self.module}: {self.line}"


VIOLATIONS = [
    Violation(DOWNWARDS, "tools.models", "import graph.state"),
    Violation(DOWNWARDS, "graph.skill", "import nodes.greet"),
    Violation(DOWNWARDS, "graph.dialogue", "import telephony.call"),
    Violation(DOWNWARDS, "knowledge.retriever", "import prompts"),
    Violation(DOWNWARDS, "telephony.call", "import app.settings"),
    Violation(APP_FLOORS, "app.watching.metrics", "import app.settings"),
    Violation(APP_FLOORS, "app.wiring.ears", "import app.pages.routes"),
    Violation(NODES_APART, "nodes.claims", "import nodes.contract"),
    Violation(NODES_PLAIN, "nodes.faq", "from langgraph.types import interrupt"),
    Violation(IDENTITY, "nodes.contract", "import tools.gate"),
    Violation(PROVIDERS_APART, "audio.providers.espeak_tts", "import audio.providers.silero_vad"),
    Violation(PURE, "audio.endpointing", "import time"),
    Violation(PURE, "telephony.agi", "import asyncio"),
    Violation(PURE, "tools.identity", "import httpx"),
    Violation(VENDORS, "telephony.call", "from redis import Redis"),
    Violation(VENDORS, "nodes.classify", "from groq import AsyncGroq"),
    Violation(SOUND, "audio.stt", "import prompts"),
    Violation(WIRING, "nodes.contract", "import tools.backoffice_demo"),
    Violation(WIRING, "app.pages.routes", "from audio.providers import load"),
    Violation(REHEARSED, "telephony.session", "import telephony.simulated.handset"),
]


def lint_imports(tree: Path) -> subprocess.CompletedProcess[str]:
    """Run lint-imports on a tree; the modules it reads are the tree's own, found from its working folder."""
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())",
        ],
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def planted(tree: Path, violation: Violation) -> Iterator[None]:
    """Put the line at the end of its module while the block runs."""
    file = tree.joinpath(*violation.module.split(".")).with_suffix(".py")
    before = file.read_text(encoding="utf-8")
    file.write_text(f"{before}\n{violation.line}\n", encoding="utf-8")
    try:
        yield
    finally:
        file.write_text(before, encoding="utf-8")


@pytest.fixture(scope="module")
def copy_of_the_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hand over a copy of our packages and their contracts."""
    tree = tmp_path_factory.mktemp("house")
    shutil.copy(ROOT / "pyproject.toml", tree)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tree / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tree


def test_the_tree_as_it_stands_keeps_every_contract(copy_of_the_tree: Path) -> None:
    ended = lint_imports(copy_of_the_tree)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in ended.stdout


@pytest.mark.parametrize("violation", VIOLATIONS, ids=str)
def test_a_forbidden_import_breaks_the_contract_that_forbids_it(
    copy_of_the_tree: Path, violation: Violation
) -> None:
    with planted(copy_of_the_tree, violation):
        ended = lint_imports(copy_of_the_tree)
    assert ended.returncode != 0
    assert f"{violation.contract} BROKEN" in ended.stdout, ended.stdout + ended.stderr


def test_every_contract_has_a_violation_here() -> None:
    assert {violation.contract for violation in VIOLATIONS} == set(CONTRACTS)


def test_the_contracts_speak_of_every_package_that_is_shipped() -> None:
    assert PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == PACKAGES
    assert PYPROJECT["tool"]["mypy"]["packages"][: len(PACKAGES)] == PACKAGES
