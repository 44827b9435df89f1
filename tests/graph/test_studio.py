"""The graph in LangGraph Studio: the development server starts it with no key and no network."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[2]
START_S = 60
"""Bound on the server's start; two to ten seconds on an idle machine."""


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """``langgraph dev`` on langgraph.json, from a folder of its own (it writes where it stands)."""
    port = free_port()
    log = tmp_path_factory.mktemp("studio") / "server.log"
    secrets = ("GROQ", "LANGSMITH", "LANGCHAIN", "ELEVENLABS", "AZURE")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(secrets)}
    # Whatever would leave this machine runs into a closed door.
    environment |= {
        "LANGSMITH_TRACING": "false",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1",
    }
    command = [
        str(Path(sys.executable).with_name("langgraph")),
        *("dev", "--no-browser", "--no-reload", "--host", "127.0.0.1", "--port", str(port)),
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False)
    try:
        give_up_at = time.monotonic() + START_S
        while True:
            with contextlib.suppress(httpx.TransportError):
                if client.get("/ok").is_success:
                    break
            if process.poll() is not None or time.monotonic() > give_up_at:
                pytest.fail(f"langgraph dev did not start:\n{log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.2)
        yield client
    finally:
        client.close()
        process.terminate()
        process.wait(20)


def turn(server: httpx.Client, thread: str, text: str) -> dict[str, Any]:
    """One turn, as Studio's chat sends it; the state afterwards."""
    answer = server.post(
        f"/threads/{thread}/runs/wait",
        json={
            "assistant_id": "standardiste",
            "input": {"messages": [{"role": "user", "content": text}]},
            "durability": "exit",
        },
    )
    answer.raise_for_status()
    state: dict[str, Any] = answer.json()
    return state


def said(state: dict[str, Any]) -> list[str]:
    return [one["additional_kwargs"]["key"] for one in state["messages"] if one["type"] == "ai"]


def test_three_turns_of_a_call_run_in_the_studio_server(server: httpx.Client) -> None:
    thread = server.post("/threads", json={}).json()["thread_id"]
    greeted = turn(server, thread, "Bonjour, combien j'ai sur mon assurance vie ?")
    assert said(greeted) == ["greet.notice", "authenticate.ask_number"]
    numbered = turn(server, thread, "Le dix zéro sept quatre-vingt-huit vingt et un.")
    assert said(numbered)[-1] == "authenticate.ask_birth_date"
    answered = turn(server, thread, "Je suis née le premier avril mille neuf cent soixante-deux.")
    assert "contract.value" in said(answered)
    assert "45\u202f230,18" in " ".join(str(one["content"]) for one in answered["messages"])


def test_the_studio_server_draws_the_graph(server: httpx.Client) -> None:
    [assistant] = server.post("/assistants/search", json={"graph_id": "standardiste"}).json()
    drawing = server.get(f"/assistants/{assistant['assistant_id']}/graph").json()
    nodes = {node["id"] for node in drawing["nodes"]}
    assert {"greet", "authenticate", "classify", "contract", "claims", "faq", "transfer", "goodbye"} <= nodes
    into_contract = {edge["source"] for edge in drawing["edges"] if edge["target"] == "contract"}
    assert into_contract == {"authenticate"}


def test_the_studio_server_knows_the_form_of_the_input(server: httpx.Client) -> None:
    [assistant] = server.post("/assistants/search", json={"graph_id": "standardiste"}).json()
    schemas = server.get(f"/assistants/{assistant['assistant_id']}/schemas")
    assert schemas.status_code == httpx.codes.OK
    assert "messages" in schemas.json()["input_schema"]["properties"]
