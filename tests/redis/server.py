"""One Redis process of a test's own, which it may stop, freeze and start again."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tests.redis.stack import Stack

READY_S = 10.0
BUS_OFFSET = 10_000


class RedisServer:
    """A Redis on a free loopback port; what it holds survives :meth:`stop` when ``keeps`` is set."""

    def __init__(
        self,
        stack: Stack,
        folder: Path,
        *,
        modules: bool = True,
        keeps: bool = False,
        also: Sequence[str] = (),
    ) -> None:
        """``also`` is what its command line holds besides."""
        self._stack = stack
        self._folder = folder
        self._modules = modules
        self._keeps = keeps
        self._also = also
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        """``redis://127.0.0.1:PORT/0``."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it and wait until it answers. Raises RuntimeError with its last words when it does not."""
        self._folder.mkdir(parents=True, exist_ok=True)
        log = self._folder / "redis.log"
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [
                    *self._stack.command(modules=self._modules),
                    *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)),
                    *("--save", "", "--appendfsync", "always"),
                    *("--appendonly", "yes" if self._keeps else "no"),
                    *self._also,
                ],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        patience = time.monotonic() + READY_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > patience:
                raise RuntimeError(f"Redis did not start:\n{log.read_text(encoding='utf-8')[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Kill it, as a machine that loses its power would."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGCONT)
                self._process.kill()
            self._process.wait(timeout=10)
            self._process = None

    def freeze(self) -> None:
        """It accepts connections and answers nothing, as a stalled machine does."""
        os.kill(self._pid(), signal.SIGSTOP)

    def thaw(self) -> None:
        """It answers again."""
        os.kill(self._pid(), signal.SIGCONT)

    def _pid(self) -> int:
        if self._process is None:
            raise RuntimeError("Redis is not running")
        return self._process.pid

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=0.5) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def free_port() -> int:
    """A loopback port that nobody listens on now, nor on the one 10,000 above: a cluster talks there."""
    while True:
        with socket.socket() as taken, socket.socket() as above:
            taken.bind(("127.0.0.1", 0))
            port = int(taken.getsockname()[1])
            with contextlib.suppress(OSError, OverflowError):
                above.bind(("127.0.0.1", port + BUS_OFFSET))
                return port
