"""Whether the agent can take calls now: its ports listen, and what it stands on answers in time."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from app.wiring import Agent
from memory.breaker import Breakers, BreakerState

WITHIN_MS = 300
"""A store that takes longer makes every turn of every call audibly slower."""

NOBODY = "readiness"
"""A thread that no call has: reading it costs one look-up and finds nothing."""

A_QUESTION = "horaires"
"""Any word; what is found does not matter."""


async def faults(agent: Agent, within_ms: int = WITHIN_MS) -> list[str]:
    """Why the agent cannot take calls, each as a sentence; empty when it can.

    What is asked is asked at the same time, and left alone after ``within_ms``.
    """
    asked: dict[str, Coroutine[Any, Any, object]] = {
        "checkpoints": agent.dialogue.state(NOBODY),
        "knowledge": agent.knowledge.search(A_QUESTION, limit=1),
    }
    return [
        *_leaving(agent),
        *_not_chosen(agent),
        *_not_listening(agent),
        *await _not_answering(asked, within_ms),
    ]


def configuration_faults(breakers: Breakers) -> list[str]:
    """What providers refuse that somebody has to mend, each as a sentence; calls go on without them."""
    return [
        f"{status.name}: {status.last_fault.reason}; correct the key or the model's name in its settings"
        for status in breakers.statuses()
        if status.state is BreakerState.MISCONFIGURED and status.last_fault is not None
    ]


def _leaving(agent: Agent) -> list[str]:
    return ["draining: the calls under way are finished, new ones are sent elsewhere"] * agent.agi.draining


def _not_chosen(agent: Agent) -> list[str]:
    return [f"{port}: none was chosen" for port, choice in agent.parts.items() if not choice]


def _not_listening(agent: Agent) -> list[str]:
    silent: list[str] = []
    for name, server in (("AGI", agent.agi), ("AudioSocket", agent.media)):
        try:
            _ = server.port
        except RuntimeError:  # the servers' word for "not started, or closed"
            silent.append(f"{name}: the port is not listened on")
    return silent


async def _not_answering(asked: dict[str, Coroutine[Any, Any, object]], within_ms: int) -> list[str]:
    """Who does not answer, and why; an error is told by its type, its message may hold an address or a key.

    ``asyncio.wait`` rather than a TaskGroup: one failure must not hide what the others have to say.
    """
    tasks = {name: asyncio.create_task(ask, name=f"ready: {name}") for name, ask in asked.items()}
    try:
        await asyncio.wait(tasks.values(), timeout=within_ms / 1000)
        reasons: list[str] = []
        for name, task in tasks.items():
            if not task.done():
                reasons.append(f"{name}: no answer within {within_ms} ms")
            elif (error := task.exception()) is not None:
                reasons.append(f"{name}: {type(error).__name__}")
        return reasons
    finally:
        for task in tasks.values():
            task.cancel()
        await asyncio.wait(tasks.values(), timeout=within_ms / 1000)
