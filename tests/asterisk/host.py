"""One running Asterisk with the configuration of ``deploy/asterisk``, for the tests.

The files are the production's own, put in place by the production's own ``render``; only the environment
differs: ports that the system says are free, loopback addresses, secrets made for this run, and short
patience. So several checkouts may run at once, and what the tests show is what a machine in service does.

Loopback has many addresses, and PJSIP tells its peers apart by theirs: the trunk rings from
:data:`TRUNK`, the advisers' phones are at :data:`ADVISERS`, Asterisk is at :data:`SERVER`.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

from tests.asterisk.debian import Tree

DEPLOY = Path(__file__).resolve().parents[2] / "deploy" / "asterisk"

SERVER, TRUNK, ADVISERS = "127.0.0.1", "127.0.0.2", "127.0.0.3"

UP_WITHIN_S = 30.0
DOWN_WITHIN_S = 10.0
CLI_WITHIN_S = 10.0
RENDERED_WITHIN_S = 20.0

LONGEST_SOCKET_PATH = 104
"""Asterisk's control socket has to fit in a ``sockaddr_un``."""

RTP_PORTS = 600
"""Two a call, for 30 calls, their advisers and those that linger."""

LOG_LINES_SHOWN = 60

DIES_WITH_US = ("setpriv", "--pdeathsig", "TERM", "--")
"""In front of a command: the kernel ends it when the test process is gone, however that went (util-linux)."""

Environment = Mapping[str, str]


class AsteriskFailed(Exception):
    """Asterisk did not start, or did not do what it was told; the message ends with its own words."""


def render(folder: Path, environment: Environment, directories: Path) -> None:
    """The production configuration in ``folder``. Raises :class:`AsteriskFailed`."""
    ended = subprocess.run(
        [str(DEPLOY / "render"), str(folder), str(directories)],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=RENDERED_WITHIN_S,
        check=False,
    )
    if ended.returncode:
        raise AsteriskFailed(f"render: {ended.stderr}")


def fresh_environment(agents: str) -> dict[str, str]:
    """What a machine in service has in its environment, for a test of its own."""
    first_rtp_port = SystemRandom().randrange(10_000, 32_000, 2)  # below what the kernel hands out itself
    return {
        "SERVER_ADDRESS": SERVER,
        "SIP_PORT": str(free_port(socket.SOCK_DGRAM)),
        "RTP_FIRST": str(first_rtp_port),
        "RTP_LAST": str(first_rtp_port + RTP_PORTS),
        "RTP_TIMEOUT_S": "12",
        "TRUNK_KIND": "by-address",
        "TRUNK_HOST": f"{TRUNK}:{free_port(socket.SOCK_DGRAM)}",
        "TRUNK_ADDRESSES": TRUNK,
        "TRUNK_USER": "0033123456789",
        "TRUNK_PASSWORD": secrets.token_urlsafe(12),
        "ADVISER_201_PASSWORD": secrets.token_urlsafe(12),
        "ADVISER_202_PASSWORD": secrets.token_urlsafe(12),
        "AMI_PORT": str(free_port(socket.SOCK_STREAM)),
        "AMI_SECRET": secrets.token_urlsafe(12),
        "AGENTS": agents,
        "RETURN_S": "30",  # until a killed agent has loaded its models again, on a busy machine
    }


@dataclass(frozen=True, slots=True)
class Asterisk:
    """An Asterisk that runs."""

    tree: Tree
    folder: Path
    environment: Environment
    process: subprocess.Popen[bytes]

    @property
    def sip_address(self) -> tuple[str, int]:
        """Where it is rung."""
        return SERVER, int(self.environment["SIP_PORT"])

    @property
    def ami_address(self) -> tuple[str, int]:
        """Where AMI listens."""
        return SERVER, int(self.environment["AMI_PORT"])

    def cli(self, command: str) -> str:
        """What the command line answers. Raises :class:`AsteriskFailed` when it does not."""
        start = self.tree.command("usr/sbin/asterisk", "-C", str(self.folder / "etc/asterisk.conf"), "-rx")
        ended = subprocess.run(
            [*start, command], capture_output=True, text=True, timeout=CLI_WITHIN_S, check=False
        )
        if ended.returncode:
            raise AsteriskFailed(f"{command}: {ended.stdout}{ended.stderr}")
        return ended.stdout

    def channels(self) -> list[str]:
        """The channels there are."""
        lines = self.cli("core show channels concise").splitlines()
        return [line.split("!", 1)[0] for line in lines if "!" in line]

    def log(self) -> str:
        """Every step of the dialplan so far."""
        return (self.folder / "log/full").read_text(encoding="utf-8", errors="replace")

    def troubles(self) -> list[str]:
        """Warnings and errors so far."""
        return [line for line in self.log().splitlines() if " WARNING[" in line or " ERROR[" in line]


@contextmanager
def running(tree: Tree, folder: Path, environment: Environment) -> Iterator[Asterisk]:
    """Asterisk, up and without complaint until the block is left; it is stopped then, whatever happened.

    ``folder`` takes all that it writes. Raises :class:`AsteriskFailed`.
    """
    for name in ("lib/keys", "db", "spool", "log", "cache", "run"):
        (folder / name).mkdir(parents=True)
    control = folder / "run/asterisk.ctl"
    if len(str(control)) > LONGEST_SOCKET_PATH:
        raise AsteriskFailed(f"too long a path for a control socket: {control}")
    directories = folder / "directories.conf"
    directories.write_text(_directories(tree, folder), encoding="utf-8")
    render(folder / "etc", environment, directories)
    console = folder / "log/console"
    configuration = str(folder / "etc/asterisk.conf")
    command = [*DIES_WITH_US, *tree.command("usr/sbin/asterisk", "-f", "-n", "-C", configuration)]
    with console.open("wb") as output:
        # A session of its own: Ctrl-C on the tests must not reach it before its calls are over.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            start_new_session=True,
            env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        )
    asterisk = Asterisk(tree, folder, environment, process)
    try:
        _wait_until_up(asterisk, console)
        yield asterisk
    finally:
        _stop(process)


def kept_logs(asterisk: Asterisk, folder: Path) -> Path:
    """Copy the logs into ``folder``, for somebody who looks into a failure."""
    folder.mkdir(parents=True, exist_ok=True)
    for log in (asterisk.folder / "log").iterdir():
        shutil.copy(log, folder)
    return folder


def _directories(tree: Tree, folder: Path) -> str:
    data = tree.root / "usr/share/asterisk"
    places = {
        "astmoddir": tree.libraries / "asterisk/modules",
        "astvarlibdir": folder / "lib",
        "astdbdir": folder / "db",
        "astkeydir": folder / "lib",
        "astdatadir": data,
        "astagidir": data / "agi-bin",
        "astspooldir": folder / "spool",
        "astrundir": folder / "run",
        "astlogdir": folder / "log",
        "astcachedir": folder / "cache",
        "astsbindir": tree.root / "usr/sbin",
    }
    return "\n".join(("[directories]", *(f"{name} => {place}" for name, place in places.items()), ""))


def _wait_until_up(asterisk: Asterisk, console: Path) -> None:
    give_up_at = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < give_up_at and asterisk.process.poll() is None:
        try:
            if "fully booted" in asterisk.cli("core waitfullybooted"):
                break
        except AsteriskFailed:
            time.sleep(0.1)  # its control socket is not there yet
    else:
        said = console.read_text(encoding="utf-8", errors="replace").splitlines()
        raise AsteriskFailed("Asterisk did not come up:\n" + "\n".join(said[-LOG_LINES_SHOWN:]))
    if troubles := asterisk.troubles():  # it comes up even when, say, its SIP port is taken
        raise AsteriskFailed("Asterisk is up, with complaints:\n" + "\n".join(troubles[-LOG_LINES_SHOWN:]))


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(DOWN_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(DOWN_WITHIN_S)


def free_port(kind: socket.SocketKind) -> int:
    """A port of this machine that nobody has."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((SERVER, 0))
        return int(probe.getsockname()[1])
