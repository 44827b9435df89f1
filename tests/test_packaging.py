"""What is installed, what is locked and what is shipped agree with one another.

The eight folders are imported under generic names (`tools`, `graph`…), so another distribution with the same
name would silently shadow or overwrite ours; the lock is one file for pip and uv; and half of what the agent
says and knows are data files that a build could forget.
"""

import importlib.metadata
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from app import settings

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
OURS: list[str] = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
CONSTRAINTS = ROOT / "constraints.txt"


def declared() -> list[Requirement]:
    """Every requirement of pyproject.toml: base, extras (ours by name left out) and build."""
    lines = [*PROJECT["dependencies"], *PYPROJECT["build-system"]["requires"]]
    lines += [line for extra in EXTRAS.values() for line in extra]
    requirements = [Requirement(line) for line in lines]
    return [requirement for requirement in requirements if requirement.name != PROJECT["name"]]


def pins() -> dict[str, list[Requirement]]:
    """The lock by normalised name; a name can have several pins, told apart by their markers."""
    locked: dict[str, list[Requirement]] = {}
    for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            requirement = Requirement(line)
            locked.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return locked


def pinned_version(pin: Requirement) -> str:
    """The version of an exact pin such as `torch==2.13.0`."""
    (specifier,) = pin.specifier
    assert specifier.operator == "==", f"{pin} is not an exact pin"
    return specifier.version


def needed_by(requirements: Iterable[Requirement]) -> set[str]:
    """Names of every installed distribution that these requirements bring here, theirs included."""
    environment = {key: str(value) for key, value in default_environment().items()}
    seen: set[tuple[str, str]] = set()

    def walk(requirement: Requirement) -> None:
        name = canonicalize_name(requirement.name)
        for extra in ("", *sorted(requirement.extras)):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            for line in importlib.metadata.requires(name) or []:
                needed = Requirement(line)
                if needed.marker is None or needed.marker.evaluate({**environment, "extra": extra}):
                    walk(needed)

    for requirement in requirements:
        if requirement.marker is None or requirement.marker.evaluate():
            walk(requirement)
    return {name for name, _ in seen}


def data_files() -> Iterator[str]:
    """Paths of what our packages hold beside Python, from the root."""
    for package in OURS:
        for file in sorted((ROOT / package).rglob("*")):
            if file.is_file() and file.suffix not in {".py", ".pyc"}:
                yield file.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Build the wheel with the hatchling that is installed, and hand over the paths in it."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=100,
    )
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return archive.namelist()


def test_no_other_distribution_owns_one_of_our_names() -> None:
    owners = importlib.metadata.packages_distributions()
    others = {name: set(owners.get(name, [])) - {PROJECT["name"]} for name in OURS}
    assert others == {name: set() for name in OURS}


def test_the_base_install_brings_no_torch() -> None:
    base = needed_by(Requirement(line) for line in PROJECT["dependencies"])
    assert {"langgraph", "langchain-core", "httpx", "anyio"} <= base, "the walk stops too early"
    assert not {name for name in base if name.startswith(("torch", "nvidia", "triton"))}


def test_the_base_install_brings_no_gpl_voice() -> None:
    assert "espeakng-loader" not in needed_by(Requirement(line) for line in PROJECT["dependencies"])


def test_the_extra_full_holds_the_other_extras_of_the_product() -> None:
    (full,) = [Requirement(line) for line in EXTRAS["full"]]
    assert full.extras == EXTRAS.keys() - {"full", "dev"}


def test_every_requirement_is_locked_within_its_range() -> None:
    locked = pins()
    for requirement in declared():
        versions = [pinned_version(pin) for pin in locked.get(canonicalize_name(requirement.name), [])]
        assert versions, f"{requirement} is not in constraints.txt: make lock"
        wrong = [version for version in versions if not requirement.specifier.contains(version)]
        assert not wrong, (
            f"constraints.txt has {requirement.name} {wrong}, pyproject.toml asks for {requirement}"
        )


def test_every_line_of_the_lock_is_an_exact_pin_for_one_python_or_another() -> None:
    for name, requirements in pins().items():
        assert all(pinned_version(pin) for pin in requirements)
        assert len(requirements) == 1 or all(pin.marker for pin in requirements), f"{name} is pinned twice"


def test_what_is_installed_here_down_to_the_last_dependency_is_what_the_lock_says() -> None:
    locked = pins()
    here = {canonicalize_name(distribution.name) for distribution in importlib.metadata.distributions()}
    installed = [requirement for requirement in declared() if canonicalize_name(requirement.name) in here]
    names = needed_by(installed)
    assert len(names) > len(installed), "the walk found nothing beyond what is declared"
    for name in sorted(names):
        version = importlib.metadata.version(name)
        pinned = [pin for pin in locked.get(name, []) if not pin.marker or pin.marker.evaluate()]
        assert len(pinned) == 1, f"{name} {version} is not in constraints.txt: make lock"
        assert pinned[0].specifier.contains(version), (
            f"{name} {version} is installed, the lock has {pinned[0]}"
        )


def test_the_lock_takes_a_cpu_build_of_torch_as_well_as_the_registrys() -> None:
    (torch,) = pins()["torch"]
    assert torch.specifier.contains("2.13.0")
    assert torch.specifier.contains("2.13.0+cpu")


def test_the_lock_names_no_registry_and_no_folder_of_the_machine_that_made_it() -> None:
    for number, line in enumerate(CONSTRAINTS.read_text(encoding="utf-8").splitlines(), start=1):
        assert not re.search(r"://| @ |(^|\s)-|(^|[\s=])/", line), f"constraints.txt:{number}: {line}"


def test_the_wheel_ships_our_packages_and_nothing_else(wheel: list[str]) -> None:
    folders = {path.split("/")[0] for path in wheel}
    assert folders == {*OURS, f"{PROJECT['name']}-{PROJECT['version']}.dist-info"}


def test_the_wheel_ships_every_word_and_every_answer(wheel: list[str]) -> None:
    data = set(data_files())
    assert {"prompts", "knowledge", "tools"} <= {path.split("/")[0] for path in data}
    assert data <= set(wheel)


def test_the_wheel_carries_its_licence(wheel: list[str]) -> None:
    licences = {path.rsplit("/", 1)[-1] for path in wheel if "/licenses/" in path}
    assert licences == {"LICENSE", "NOTICE"}


def test_the_example_of_an_env_file_names_every_setting_with_its_default_and_why() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    told = re.findall(r"^# (.*)\n#([A-Z][A-Z0-9_]*)=(.*)$", text, flags=re.MULTILINE)
    assert [(name, default, why) for why, name, default in told] == settings.documented()


def test_the_example_of_an_env_file_changes_nothing_until_it_is_edited() -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    assert all(not line or line.startswith("#") for line in lines)
