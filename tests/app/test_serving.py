"""What the terminal says when the agent is up, and how it goes down."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]


def test_the_agent_says_where_it_is_answers_there_and_stops_when_told(tmp_path: Path) -> None:
    free = {"APP_PORT": "0", "ASTERISK_AGI_PORT": "0", "ASTERISK_AUDIO_PORT": "0"}
    environment = {**os.environ, **free, "APP_DATA_FOLDER": str(tmp_path), "GROQ_API_KEY": ""}
    agent = subprocess.Popen(
        [sys.executable, "-m", "app", "serve"],
        cwd=ROOT,
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    bound = threading.Timer(60, agent.kill)
    bound.start()
    try:
        assert agent.stdout is not None
        shown = ""
        while "/health" not in shown:
            line = agent.stdout.readline()
            assert line, f"it ended early, after:\n{shown}"
            shown += line
        assert re.search(r"AGI\(agi://127\.0\.0\.1:\d+/agent\)", shown)
        assert "no speech recognition" in shown, "the keyless ear does not pretend"
        [key] = re.findall(r"key \(this run\): (\S+)", shown)
        [url] = re.findall(r"(http://\S+)/health", shown)
        assert httpx.get(f"{url}/ready", headers={"X-API-Key": key}, trust_env=False).status_code == 200
        assert httpx.get(f"{url}/ready", trust_env=False).status_code == 401
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(20) == 0
    finally:
        bound.cancel()
        agent.kill()
        agent.wait()
        if agent.stdout is not None:
            agent.stdout.close()
