"""The files that put the agent on a machine agree with the agent and with each other.

There is no container engine in the tests: what can be read is checked, against the Compose specification's
own key names and against what the project says elsewhere.
"""

import configparser
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from app import settings

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PORTS = {"4573", "9092", "8000"}
START = ["python", "-m", "app", "serve"]

# From https://github.com/compose-spec/compose-spec; the keys in use here and their neighbours.
SERVICE_KEYS = {
    *(
        "image",
        "build",
        "command",
        "entrypoint",
        "env_file",
        "environment",
        "ports",
        "expose",
        "volumes",
        "networks",
    ),
    *(
        "profiles",
        "depends_on",
        "restart",
        "healthcheck",
        "read_only",
        "tmpfs",
        "cap_drop",
        "cap_add",
        "user",
    ),
    *(
        "security_opt",
        "init",
        "stop_grace_period",
        "stop_signal",
        "logging",
        "deploy",
        "secrets",
        "configs",
        "labels",
        "extra_hosts",
        "network_mode",
    ),
}
HEALTHCHECK_KEYS = {"test", "interval", "timeout", "start_period", "start_interval", "retries", "disable"}
BUILD_KEYS = {"context", "dockerfile", "args", "target", "cache_from", "labels"}


def compose() -> dict[str, dict[str, dict[str, object]]]:
    """The Compose file, parsed."""
    parsed = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    assert isinstance(parsed, dict)
    return parsed


def dockerfile(path: str = "deploy/Dockerfile") -> list[tuple[str, str]]:
    """A Dockerfile's instructions and their arguments, lines joined and comments left out."""
    text = (ROOT / path).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    whole = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in whole.splitlines())]


def arguments(instruction: str, path: str = "deploy/Dockerfile") -> list[str]:
    """What follows each use of an instruction in a Dockerfile."""
    return [rest for word, rest in dockerfile(path) if word == instruction]


def systemd_unit() -> configparser.ConfigParser:
    """The systemd unit, parsed."""
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys keep their capitals
    parser.read_string((ROOT / "deploy" / "standardiste.service").read_text(encoding="utf-8"))
    return parser


def test_compose_uses_only_keys_that_compose_knows() -> None:
    file = compose()
    assert file.keys() <= {"name", "services", "volumes", "networks", "secrets", "configs", "x-hardened"}
    for service in file["services"].values():
        assert service.keys() <= SERVICE_KEYS
        for key, known in (("healthcheck", HEALTHCHECK_KEYS), ("build", BUILD_KEYS)):
            part = service.get(key, {})
            assert isinstance(part, dict)
            assert part.keys() <= known


def test_compose_starts_everything_a_call_needs_and_what_watches_it_when_asked() -> None:
    services = compose()["services"]
    started = {name for name, service in services.items() if not service.get("profiles")}
    assert started == {"agent", "index", "backoffice", "redis", "qdrant", "asterisk"}
    assert {name for name, service in services.items() if service.get("profiles") == ["ops"]} == {
        "prometheus",
        "grafana",
    }


def test_compose_declares_every_volume_and_secret_that_it_mounts() -> None:
    file = compose()
    for service in file["services"].values():
        for mount in listed(service, "volumes"):
            source = str(mount).split(":")[0]
            assert source in file["volumes"] or (ROOT / source).exists(), source
            assert source in file["volumes"] or str(mount).endswith(":ro")
        for secret in listed(service, "secrets"):
            assert (secret["source"] if isinstance(secret, dict) else secret) in file["secrets"]


def listed(service: dict[str, object], key: str) -> list[object]:
    found = service.get(key, [])
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("name", sorted(compose()["services"]))
def test_no_service_runs_as_root_writes_to_its_own_disk_or_has_rights(name: str) -> None:
    service = compose()["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    image = str(service["image"])
    # Ours say USER in their Dockerfiles; Qdrant's "unprivileged" image does; the others are told here.
    ours = image.startswith("standardiste")
    assert ours or image.endswith("-unprivileged") or service["user"] not in {"root", "0"}


@pytest.mark.parametrize("name", sorted(set(compose()["services"]) - {"index"}))
def test_every_service_that_stays_is_asked_for_its_health_and_comes_back(name: str) -> None:
    service = compose()["services"][name]
    assert service["healthcheck"]
    assert service["restart"] == "unless-stopped"


def test_no_secret_is_in_the_compose_file_and_every_one_is_a_file() -> None:
    file = compose()
    for name, secret in file["secrets"].items():
        assert secret == {"file": f"${{SECRETS:-./secrets}}/{name}"}
    secrets = {name for name, default, _ in settings.documented() if default == "" and is_secret(name)}
    for service in file["services"].values():
        environment = service.get("environment", {})
        assert isinstance(environment, dict)
        assert not environment.keys() & secrets
    assert {"secrets"} <= set((ROOT / ".dockerignore").read_text(encoding="utf-8").split())
    assert {"secrets/"} <= set((ROOT / ".gitignore").read_text(encoding="utf-8").split())


def is_secret(name: str) -> bool:
    return name.endswith(("_KEY", "_KEYS", "_SECRET", "_PASSWORD", "REDIS_URL"))


def test_the_secrets_that_are_made_are_those_that_are_mounted_and_the_agent_reads_them(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "secrets"
    for _ in range(2):
        subprocess.run([ROOT / "deploy" / "make-secrets", folder], check=True, capture_output=True)
        made = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert made.keys() == compose()["secrets"].keys()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert yaml.safe_load(made["qdrant.yaml"]) == {"service": {"api_key": made["QDRANT_API_KEY"]}}
    env_file = tmp_path / ".env"
    env_file.write_text(f"APP_SECRETS_FOLDER={folder}\n", encoding="utf-8")
    read = settings.read(env_file)
    assert read.application.api_key.get_secret_value() == made["APP_API_KEY"]
    assert read.insurance.identity_key.get_secret_value() == made["INSURANCE_IDENTITY_KEY"]
    assert read.redis.password.get_secret_value() == made["REDIS_PASSWORD"]
    assert len({made[name] for name in made if made[name]}) == len([name for name in made if made[name]])


def test_asterisk_in_its_container_is_given_its_secrets_from_files(tmp_path: Path) -> None:
    """`enter` for real, with a program in Asterisk's place that only tells how it was called."""
    for name, content in {
        "bin/asterisk": '#!/bin/sh\necho "$@"\n',
        "directories.conf": "[directories]\nastetcdir => /etc/asterisk\n",
        "secrets/ASTERISK_AMI_SECRET": "from a file\n",
        "secrets/TRUNK_PASSWORD": "a file's",
        "secrets/ADVISER_201_PASSWORD": "x",
        "secrets/ADVISER_202_PASSWORD": "y",
        "secrets/qdrant.yaml": "no setting",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
        path.chmod(0o755)
    asterisk = compose()["services"]["asterisk"]
    given = asterisk["environment"]
    assert isinstance(given, dict)
    defaults = {name: re.sub(r"\$\{\w+:-(.*)\}", r"\1", str(value)) for name, value in given.items()}
    # Where the container has Debian's /etc/asterisk/asterisk.conf, render is told of another file here.
    here = tmp_path / "here"
    shutil.copytree(ROOT / "deploy" / "asterisk", here)
    render = here / "render"
    package = "/etc/asterisk/asterisk.conf"
    render.write_text(
        render.read_text(encoding="utf-8").replace(package, str(tmp_path / "directories.conf")),
        encoding="utf-8",
    )
    done = subprocess.run(
        [here / "enter"],
        env={
            "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
            "SECRETS_FOLDER": str(tmp_path / "secrets"),
            "RUN_FOLDER": str(tmp_path / "run"),
            "TRUNK_PASSWORD": "the environment's",
            **defaults,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["-f", "-C", f"{tmp_path}/run/asterisk.conf"]
    assert "from a file" in (tmp_path / "run" / "manager.conf").read_text(encoding="utf-8")
    rendered = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "run").glob("*.conf"))
    assert "the environment's" in rendered
    assert "a file's" not in rendered


def test_docker_itself_reads_the_compose_file_where_its_client_is() -> None:
    """The client has ``compose`` only where its plug-in is; elsewhere the tests above have to do."""
    docker = shutil.which("docker")
    known = docker and subprocess.run([docker, "compose", "version"], capture_output=True, check=False)
    if docker and known and known.returncode == 0:
        checked = subprocess.run(
            [docker, "compose", "--profile", "ops", "config", "--quiet"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert checked.returncode == 0, checked.stderr


def test_every_published_port_answers_on_this_machine_only_unless_told_otherwise() -> None:
    published = compose()["services"]["agent"]["ports"]
    assert isinstance(published, list)
    for port in published:
        assert re.match(r"(127\.0\.0\.1|\$\{AGENT_BIND:-127\.0\.0\.1\}):", port), port
    assert {port.rsplit(":", 1)[1] for port in published} == PORTS


def test_a_missing_env_file_does_not_stop_compose() -> None:
    assert compose()["services"]["agent"]["env_file"] == [{"path": ".env", "required": False}]


def test_compose_and_image_write_to_one_volume_only() -> None:
    agent = compose()["services"]["agent"]
    (work_folder,) = arguments("WORKDIR")
    assert agent["read_only"] is True
    assert agent["volumes"] == [f"agent-var:{work_folder}/var"]
    assert arguments("VOLUME") == [f"{work_folder}/var"]


def test_every_image_is_named_by_an_exact_tag() -> None:
    images = [
        *arguments("FROM"),
        *arguments("FROM", "deploy/asterisk/Dockerfile"),
        *(str(service["image"]) for service in compose()["services"].values()),
    ]
    for image in images:
        assert re.search(r":(v?\d+\.\d+\.\d+|forky-\d{8})", image), image


def test_the_image_runs_on_a_python_that_the_project_supports() -> None:
    (image,) = arguments("FROM")
    version = re.match(r"python:(\d+\.\d+)\.", image)
    assert version
    assert f"Programming Language :: Python :: {version[1]}" in PYPROJECT["project"]["classifiers"]


def test_the_image_installs_from_the_lock_and_only_what_the_project_names() -> None:
    (install,) = [run for run in arguments("RUN") if "pip install" in run]
    assert "--constraint constraints.txt" in install
    assert "PIP_BUILD_CONSTRAINT=constraints.txt" in install
    extra, *_ = [rest.split("=")[1] for rest in arguments("ARG") if rest.startswith("EXTRAS=")]
    assert extra in PYPROJECT["project"]["optional-dependencies"]


def test_what_the_image_copies_first_is_all_that_the_build_needs() -> None:
    first, *_ = arguments("COPY")
    copied = set(first.split()[:-1])
    named = {PYPROJECT["project"]["readme"], *PYPROJECT["project"]["license-files"]}
    assert copied == named | {"pyproject.toml", "constraints.txt"}
    assert all((ROOT / name).is_file() for name in copied)


@pytest.mark.parametrize(
    ("path", "starts"), [("deploy/Dockerfile", "CMD"), ("deploy/asterisk/Dockerfile", "ENTRYPOINT")]
)
def test_no_image_of_ours_runs_as_root(path: str, starts: str) -> None:
    instructions = [word for word, _ in dockerfile(path)]
    (user,) = arguments("USER", path)
    assert user not in {"root", "0"}
    assert instructions.index("USER") < instructions.index(starts)
    assert "USER" not in instructions[: instructions.index("RUN")]


def test_the_image_offers_the_three_ports_and_asks_for_its_health() -> None:
    (exposed,) = arguments("EXPOSE")
    assert set(exposed.split()) == PORTS
    (health,) = arguments("HEALTHCHECK")
    assert "http://127.0.0.1:8000/health" in health


def test_the_image_is_given_no_secret_and_no_history() -> None:
    ignored = set((ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines())
    assert {".env", ".git", ".venv", "var"} <= ignored


def test_image_and_systemd_start_the_agent_by_the_same_command() -> None:
    (command,) = arguments("CMD")
    assert yaml.safe_load(command) == START
    started = systemd_unit()["Service"]["ExecStart"].split()
    assert started[0].endswith(".venv/bin/python")
    assert started[1:] == START[1:]


def test_the_agent_in_a_container_listens_where_the_ports_are_published_whatever_the_env_file_says() -> None:
    listens = {"APP_HOST": "0.0.0.0", "ASTERISK_AGI_HOST": "0.0.0.0", "ASTERISK_AUDIO_HOST": "0.0.0.0"}
    by_itself = dict(part.split("=", 1) for part in " ".join(arguments("ENV")).split())
    under_compose = compose()["services"]["agent"]["environment"]
    assert isinstance(under_compose, dict)
    assert listens.items() <= by_itself.items()
    assert listens.items() <= under_compose.items()
    names = {"APP_PORT", "ASTERISK_AGI_PORT", "ASTERISK_AUDIO_PORT"}
    assert {under_compose[name] for name in names} == PORTS


def test_what_compose_and_image_set_are_settings_of_the_agent() -> None:
    known = {name for name, _, _ in settings.documented()}
    of_python = {"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "MPLCONFIGDIR"}
    by_image = {part.split("=", 1)[0] for part in " ".join(arguments("ENV")).split()}
    by_compose = compose()["services"]["agent"]["environment"]
    assert isinstance(by_compose, dict)
    assert by_image - of_python <= known
    assert by_compose.keys() <= known


def test_systemd_restarts_the_agent_without_rights_to_anything_but_var() -> None:
    service = systemd_unit()["Service"]
    assert service["Restart"] == "always"
    assert service["User"] not in {"", "root"}
    assert service["ProtectSystem"] == "strict"
    assert service["ReadWritePaths"] == f"{service['WorkingDirectory']}/var"
    assert service["NoNewPrivileges"] == "true"
    assert service["CapabilityBoundingSet"] == ""


def test_pre_commit_fetches_nothing() -> None:
    parsed = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert {repository["repo"] for repository in parsed["repos"]} == {"local"}
    hooks = [hook for repository in parsed["repos"] for hook in repository["hooks"]]
    assert {hook["id"] for hook in hooks} == {"ruff", "ruff-format", "mypy", "lint-imports"}
    assert {hook["language"] for hook in hooks} == {"system"}


def test_the_machine_waits_for_a_draining_agent_longer_than_the_agent_waits_for_its_calls() -> None:
    drains_within_s = settings.Application.model_fields["drain_timeout_s"].default
    agent = compose()["services"]["agent"]
    assert int(str(agent["stop_grace_period"]).removesuffix("s")) > drains_within_s
    assert int(systemd_unit()["Service"]["TimeoutStopSec"]) > drains_within_s
