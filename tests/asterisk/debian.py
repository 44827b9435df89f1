"""A real Asterisk 22 from Debian's own packages, in a folder of the user's cache; no root, nothing installed.

Theory of operation. A private apt (sources, lists, cache and an empty package state of its own) downloads
Asterisk and everything it stands on, down to the C library; ``dpkg-deb`` unpacks it all into one tree; and
the tree's programs are started through the tree's own loader, so that the versions of the host do not
matter. Only the host's archive address and its network settings for apt are taken over. No maintainer
script is run, and what only those would need is left out. About ten seconds with the download (70 MB),
and 175 MB afterwards.

The tree is shared by all checkouts of this user and never written to once it is complete; a lock lets one
of them make it while the others wait. To update, remove the folder.

``python -m tests.asterisk.debian`` makes the tree ahead of the tests, whose time is limited one by one.

Environment: ``ASTERISK_TEST_FOLDER`` (where trees and downloads are kept), ``ASTERISK_TEST_ARCHIVE`` (a
Debian archive other than the host's).
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SUITE = "forky"
"""The Debian whose Asterisk is new enough (22.10); stable releases carry none."""

PACKAGES = ("asterisk", "asterisk-core-sounds-en", "asterisk-core-sounds-fr", "asterisk-moh-opsound-gsm")

NOT_UNPACKED = (
    *("perl", "libperl", "python3", "libpython3", "gnupg", "gpg", "dirmngr", "debconf", "passwd_"),
    *("adduser_", "pinentry", "pci.ids"),
)
"""Packages, by the beginning of their file's name, that only maintainer scripts need."""

LEFT_OUT = ("share/doc", "share/man", "share/locale", "share/lintian", "lib/*/gconv")

ROOM_MB = 800
"""Tree, downloads and the moment in which there are two trees."""

LOADERS = {
    "amd64": ("x86_64-linux-gnu", "lib64/ld-linux-x86-64.so.2"),
    "arm64": ("aarch64-linux-gnu", "lib/ld-linux-aarch64.so.1"),
}
"""By Debian's architecture: the folder of libraries, and the program that starts programs."""

NETWORK_SETTINGS = tuple(
    f"Acquire::{name}"
    for name in (
        *("http", "https", "ftp", "Retries", "Check-Date", "Check-Valid-Until"),
        *("ForceIPv4", "ForceIPv6"),
    )
)

KEYRINGS = (
    "/usr/share/keyrings/debian-archive-keyring.pgp",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
)

DOWNLOAD_S = 240.0
UNPACK_S = 60.0


class CannotInstall(Exception):
    """There is no Asterisk and none can be had here; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Tree:
    """An unpacked Debian with Asterisk in it."""

    root: Path
    libraries: Path
    loader: Path

    def command(self, program: str, *arguments: str) -> list[str]:
        """How to start ``program`` (its path below the root) with the tree's own libraries."""
        start = [str(self.loader), "--library-path", str(self.libraries), str(self.root / program)]
        return [*start, *arguments]

    def version(self) -> str:
        """As Asterisk says it: ``Asterisk 22.10.1~dfsg+…``."""
        return _run(self.command("usr/sbin/asterisk", "-V"), UNPACK_S).strip()


def installed() -> Tree:
    """The tree, made now if it is not there. Raises :class:`CannotInstall`."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    libraries, loader = _loader()
    root = folder / SUITE / "root"
    tree = Tree(root, root / "usr/lib" / libraries, root / loader)
    complete = folder / SUITE / "packages.txt"
    with _alone(folder / "lock"):
        if not complete.is_file() or complete.read_text(encoding="utf-8").split("\n", 1)[0] != _wanted():
            _install(folder, root, complete)
    return tree


def cache_folder() -> Path:
    """Where trees and downloads are kept."""
    named = os.environ.get("ASTERISK_TEST_FOLDER")
    if named:
        return Path(named).expanduser().absolute()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "standardiste" / "asterisk"


def _wanted() -> str:
    return f"{SUITE}: {' '.join(PACKAGES)}"


def _loader() -> tuple[str, str]:
    for tool in ("apt-get", "apt-config", "dpkg", "dpkg-deb", "tar", "setpriv"):
        if shutil.which(tool) is None:
            raise CannotInstall(f"{tool} is needed: these tests run on Debian and its kin")
    architecture = _run(["dpkg", "--print-architecture"], UNPACK_S).strip()
    if architecture not in LOADERS:
        raise CannotInstall(f"architecture {architecture}: {' and '.join(LOADERS)} are known here")
    return LOADERS[architecture]


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """One process at a time; the kernel lets go when its holder dies."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _install(folder: Path, root: Path, complete: Path) -> None:
    free_mb = shutil.disk_usage(folder).free // 2**20
    if free_mb < ROOM_MB:
        raise CannotInstall(f"{free_mb} MB free in {folder}; {ROOM_MB} are needed (ASTERISK_TEST_FOLDER)")
    complete.unlink(missing_ok=True)
    apt, environment = _private_apt(folder / f"apt-{SUITE}")
    archives = apt / "cache" / "archives"
    try:
        _run(["apt-get", "-q", "update"], DOWNLOAD_S, environment)
    except CannotInstall:
        if not any((apt / "lists").glob("*_Packages*")):
            raise  # without a network the lists of last time will do, if there are any
    _run(["apt-get", "-q", "-y", "--download-only", "install", *PACKAGES], DOWNLOAD_S, environment)
    files = _named_files(apt, environment)
    fresh = root.with_name("root.new")
    shutil.rmtree(fresh, ignore_errors=True)
    for name in ("bin", "sbin", "lib", "lib64"):  # as Debian merges them
        (fresh / "usr" / name).mkdir(parents=True)
        (fresh / name).symlink_to(f"usr/{name}")
    for name in files:
        if not name.startswith(NOT_UNPACKED):
            _unpack(archives / name, fresh)
    for language in (fresh / "usr/share/asterisk/sounds").glob("??_??_*"):
        language.with_name(language.name[:2]).symlink_to(language.name)  # as update-alternatives would
    shutil.rmtree(root, ignore_errors=True)
    fresh.rename(root)
    complete.write_text("\n".join((_wanted(), *files, "")), encoding="utf-8")


def _private_apt(apt: Path) -> tuple[Path, Mapping[str, str]]:
    """A folder for apt, and the environment that makes apt use it and nothing of the host's."""
    keyring = next((path for path in KEYRINGS if Path(path).is_file()), None)
    if keyring is None:
        raise CannotInstall("no keyring of the Debian archive; install the package debian-archive-keyring")
    for part in ("lists/partial", "cache/archives/partial", "empty/partial", "log"):
        (apt / part).mkdir(parents=True, exist_ok=True)
    (apt / "status").write_text("", encoding="utf-8")
    source = f"deb [signed-by={keyring}] {_archive()} {SUITE} main\n"
    (apt / "sources.list").write_text(source, encoding="utf-8")
    architecture = _run(["dpkg", "--print-architecture"], UNPACK_S).strip()
    settings = {
        "Dir::Etc::main": "/dev/null",
        "Dir::Etc::parts": "/dev/null",
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State": apt,
        "Dir::State::lists": apt / "lists",
        "Dir::State::status": apt / "status",
        "Dir::Cache": apt / "cache",
        "Dir::Cache::archives": apt / "cache/archives",
        "Dir::Log": apt / "log",
        "APT::Architecture": architecture,
        "APT::Architectures": architecture,
        "APT::Sandbox::User": "",
        "APT::Install-Recommends": "false",
        "APT::Keep-Downloaded-Packages": "true",
        "Acquire::Languages": "none",
    }
    of_the_host = _run(["apt-config", "dump"], UNPACK_S).splitlines()
    lines = [f'{name} "{value}";' for name, value in settings.items()]
    lines += [line for line in of_the_host if line.startswith(NETWORK_SETTINGS)]
    (apt / "apt.conf").write_text("\n".join((*lines, "")), encoding="utf-8")
    return apt, {**os.environ, "APT_CONFIG": str(apt / "apt.conf")}


def _archive() -> str:
    """The Debian archive that the host uses."""
    named = os.environ.get("ASTERISK_TEST_ARCHIVE")
    if named:
        return named.rstrip("/")
    known = _run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Identifier: Packages"], UNPACK_S)
    for address in known.split():
        if address.rstrip("/").endswith("/debian"):  # not debian-security
            return address.rstrip("/")
    raise CannotInstall("no Debian archive among the host's apt sources; set ASTERISK_TEST_ARCHIVE to one")


def _named_files(apt: Path, environment: Mapping[str, str]) -> list[str]:
    """The files of this very set, whatever else the cache holds: apt is asked as if it had none."""
    ask = ["apt-get", "-q", "-y", "--print-uris", "-o", f"Dir::Cache::archives={apt / 'empty'}"]
    answer = _run([*ask, "install", *PACKAGES], DOWNLOAD_S, environment)
    files = [line.split()[1] for line in answer.splitlines() if line.startswith("'")]
    if not files:
        raise CannotInstall("apt names no packages for Asterisk")
    return files


def _unpack(package: Path, root: Path) -> None:
    excluded = [f"--exclude=./usr/{name}/*" for name in LEFT_OUT]
    take = ["tar", "-x", "-C", str(root), "--no-same-owner", "--keep-directory-symlink", *excluded]
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as contents:
        ended = subprocess.run(
            take, stdin=contents.stdout, capture_output=True, timeout=UNPACK_S, check=False
        )
    if contents.returncode or ended.returncode:
        raise CannotInstall(f"{package.name} cannot be unpacked: {ended.stderr.decode(errors='replace')}")


def _run(command: Sequence[str], within_s: float, environment: Mapping[str, str] | None = None) -> str:
    """What ``command`` prints. Raises :class:`CannotInstall` with the end of its complaints."""
    try:
        ended = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=within_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise CannotInstall(f"{' '.join(command[:3])}: {exc}") from exc
    if ended.returncode:
        raise CannotInstall(f"{' '.join(command[:3])} failed: {(ended.stderr or ended.stdout)[-2000:]}")
    return ended.stdout


if __name__ == "__main__":
    print(f"{installed().version()}, in {cache_folder()}")  # noqa: T201 - said to whoever waits for it
