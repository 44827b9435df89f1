"""The Kubernetes manifests: valid by Kubernetes' own schemas, in step with the agent and each other."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from app import settings

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "deploy" / "kubernetes"
VERSIONS = ("1.30", "1.37")
"""The oldest that its makers may still mend when this is read, and the newest that is known here."""


def kustomization() -> dict[str, Any]:
    """What is put together."""
    parsed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))
    assert isinstance(parsed, dict)
    return parsed


def resources() -> list[dict[str, Any]]:
    """Every manifest, as it is written."""
    files = [FOLDER / name for name in kustomization()["resources"]]
    return [one for path in files for one in yaml.safe_load_all(path.read_text(encoding="utf-8"))]


def of_kind(kind: str) -> dict[str, Any]:
    """The only manifest of its kind."""
    [found] = [one for one in resources() if one["kind"] == kind]
    return found


def agent() -> dict[str, Any]:
    """The agent's container."""
    [container] = of_kind("Deployment")["spec"]["template"]["spec"]["containers"]
    assert isinstance(container, dict)
    return container


@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_fits_kubernetes_own_schema_with_no_key_too_many(version: str) -> None:
    for resource in resources():
        kubernetes_validate.validate(resource, version, strict=True)


def test_a_manifest_with_a_wrong_key_would_be_found() -> None:
    wrong = of_kind("Deployment")
    wrong["spec"]["template"]["spec"]["containers"][0]["liveness"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_kustomize_puts_them_together_where_it_is() -> None:
    """By ``kubectl`` where there is one; every file of the folder is named either way."""
    named = {*kustomization()["resources"], "kustomization.yaml"}
    assert named == {path.name for path in FOLDER.glob("*.yaml")}
    if kubectl := shutil.which("kubectl"):
        done = subprocess.run([kubectl, "kustomize", FOLDER], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        built = [one for one in yaml.safe_load_all(done.stdout) if one]
        assert len(built) == len(resources())
        for resource in built:
            kubernetes_validate.validate(resource, VERSIONS[-1], strict=True)


def test_pods_have_no_rights_and_write_nowhere_but_to_volumes() -> None:
    pod = of_kind("Deployment")["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    own = agent()["securityContext"]
    assert own["readOnlyRootFilesystem"] is True
    assert own["allowPrivilegeEscalation"] is False
    assert own["capabilities"] == {"drop": ["ALL"]}
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    assert f"--uid {pod['securityContext']['runAsUser']} " in dockerfile


def test_no_secret_is_in_a_file_and_the_agent_is_told_where_they_are() -> None:
    assert not [one for one in resources() if one["kind"] == "Secret"]
    given = of_kind("ConfigMap")["data"]
    secret = ("_KEY", "_KEYS", "_SECRET", "_PASSWORD", "_URL")
    assert [name for name in given if name.endswith(secret)] == ["INSURANCE_API_BASE_URL"]
    [mount] = [one for one in agent()["volumeMounts"] if one["name"] == "secrets"]
    assert mount["mountPath"] == given["APP_SECRETS_FOLDER"]
    assert mount["mountPath"] in str(agent()["readinessProbe"])


def test_what_the_pods_are_given_are_settings_and_their_ports_those_that_are_named() -> None:
    given = of_kind("ConfigMap")["data"]
    known = {name for name, _, _ in settings.documented()}
    assert {*given, *(one["name"] for one in agent()["env"])} <= known
    ports = {one["name"]: str(one["containerPort"]) for one in agent()["ports"]}
    assert ports == {
        "agi": given["ASTERISK_AGI_PORT"],
        "audio": given["ASTERISK_AUDIO_PORT"],
        "http": given["APP_PORT"],
    }


def test_the_sound_of_a_call_comes_to_the_pod_that_took_it() -> None:
    [address] = [one for one in agent()["env"] if one["name"] == "ASTERISK_AUDIO_ADDRESS"]
    assert address["valueFrom"] == {"fieldRef": {"fieldPath": "status.podIP"}}


def test_asterisk_finds_pods_by_srv_records() -> None:
    [service] = [one for one in resources() if one["metadata"]["name"] == "standardiste-agi"]
    assert service["spec"]["clusterIP"] == "None"
    assert [port["name"] for port in service["spec"]["ports"]] == ["agi"], "makes _agi._tcp.…"
    told = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert "hagi://standardiste-agi.standardiste.svc" in told
    dialplan = (ROOT / "deploy" / "asterisk" / "extensions.conf").read_text(encoding="utf-8")
    assert '"hagi://"' in dialplan


def test_a_pod_may_take_as_long_to_go_as_its_calls_and_more() -> None:
    pod = of_kind("Deployment")["spec"]["template"]["spec"]
    [_, waits_s] = agent()["lifecycle"]["preStop"]["exec"]["command"]
    drains_s = float(of_kind("ConfigMap")["data"]["APP_DRAIN_TIMEOUT_S"])
    assert pod["terminationGracePeriodSeconds"] > float(waits_s) + drains_s


def test_autoscaler_budget_services_and_policy_mean_the_agents_pods() -> None:
    labels = of_kind("Deployment")["spec"]["template"]["metadata"]["labels"]
    selectors = [
        of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        of_kind("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        *(one["spec"]["selector"] for one in resources() if one["kind"] == "Service"),
    ]
    assert all(selector.items() <= labels.items() for selector in selectors)
    target = of_kind("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert target["name"] == of_kind("Deployment")["metadata"]["name"]
    assert "replicas" not in of_kind("Deployment")["spec"], "they are the autoscaler's"


def test_only_asterisk_reaches_the_ports_without_a_password() -> None:
    rules = of_kind("NetworkPolicy")["spec"]["ingress"]
    assert all(rule.get("from") for rule in rules)
    [open_ports] = [rule for rule in rules if "agi" in str(rule["ports"])]
    assert "asterisk" in str(open_ports["from"])


def test_every_image_has_an_exact_tag() -> None:
    images = [f"{one['newName']}:{one['newTag']}" for one in kustomization()["images"]]
    assert all(re.search(r":\d+\.\d+\.\d+$", image) for image in [*images, agent()["image"]])
