"""The command line as a person meets it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.__main__ import COMMANDS, Command, main

ROOT = Path(__file__).parents[2]


def run(*arguments: str, typed: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        input=typed,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_explains_itself_with_an_example(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    name = command.name
    with pytest.raises(SystemExit) as done:
        main([name, "--help"])
    assert done.value.code == 0
    shown = capsys.readouterr().out
    assert "example:" in shown
    assert f"python -m app {name}" in shown


def test_a_typed_call_shows_words_nodes_and_state(tmp_path: Path) -> None:
    typed = "quels sont vos horaires ?\n\nnon merci, au revoir\n"
    done = run("chat", typed=typed, APP_DATA_FOLDER=str(tmp_path), CHECKPOINTS_PATH=":memory:")
    assert done.returncode == 0, done.stderr
    assert "assistante vocale automatique" in done.stdout
    assert "classify" in done.stdout
    assert "faq" in done.stdout
    assert "Je ne vous entends plus" in done.stdout, "an empty line is silence"
    assert '"awaiting"' in done.stdout
    assert "Au revoir" in done.stdout or "au revoir" in done.stdout


def test_keys_may_be_typed(tmp_path: Path) -> None:
    done = run("chat", "--no-state", typed="#0\n", APP_DATA_FOLDER=str(tmp_path), CHECKPOINTS_PATH=":memory:")
    assert "→ transfer " in done.stdout, "zero is a human, in or outside opening hours"
    assert '"awaiting"' not in done.stdout


def test_an_unreadable_env_file_is_named_and_no_traceback_shown(tmp_path: Path) -> None:
    broken = tmp_path / "agent.env"
    broken.write_bytes(b"\xff\xfe\x00")
    done = run("--env-file", str(broken), "chat")
    assert done.returncode == 2
    assert "agent.env" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_setting_is_named_as_in_the_environment() -> None:
    done = run("serve", VAD_THRESHOLD="loud", ASTERISK_AGI_PORT="70000")
    assert done.returncode == 2
    assert "VAD_THRESHOLD" in done.stderr
    assert "ASTERISK_AGI_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_customer_file_is_named(tmp_path: Path) -> None:
    done = run("chat", INSURANCE_DEMO_CUSTOMERS_FILE=str(tmp_path / "clients.json"))
    assert done.returncode == 2
    assert "clients.json" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_graph_is_drawn_without_any_network(tmp_path: Path) -> None:
    done = run("graph", "--folder", str(tmp_path), HTTPS_PROXY="http://127.0.0.1:9")
    assert done.returncode == 0, done.stderr
    assert "authenticate -.-> contract" in (tmp_path / "graph.mmd").read_text(encoding="utf-8")
    assert (tmp_path / "graph.png").read_bytes().startswith(b"\x89PNG")
    drawn = (tmp_path / "graph.svg").read_text(encoding="utf-8")
    assert drawn.lstrip().startswith("<?xml")


def test_indexing_without_a_server_says_that_it_is_not_needed() -> None:
    done = run("index", QDRANT_HOST="")
    assert done.returncode == 2
    assert "QDRANT_HOST" in done.stderr
