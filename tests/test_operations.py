"""Dashboard and alerts ask for figures that the agent has."""

import json
import re
from pathlib import Path

import pytest
import yaml

from app.serving.crew_pages import merged
from app.watching.metrics import Metrics
from tests.app.office import opened

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "standardiste.json"


@pytest.fixture
async def scrape() -> str:
    """What Prometheus reads from a supervisor."""
    metrics = Metrics()
    async with opened() as office:
        metrics.watch(office.agent.metronome)
        metrics.watch_asterisk(office.agent.monitor)
        metrics.watch_breakers(office.agent.breakers)
        return merged({0: metrics.text().decode()}, of=1).decode()


def queries() -> list[str]:
    """Everything that is asked of Prometheus."""
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    alerts = yaml.safe_load((DEPLOY / "prometheus-alerts.yml").read_text(encoding="utf-8"))
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    return asked + [rule["expr"] for group in alerts["groups"] for rule in group["rules"]]


async def test_every_figure_that_is_asked_for_exists(scrape: str) -> None:
    families = set(re.findall(r"^# TYPE (\S+) (?:counter|gauge|histogram)$", scrape, re.MULTILINE))
    parts = {f"{name}{end}" for name in families for end in ("_bucket", "_sum", "_count")}
    asked = {name for query in queries() for name in re.findall(r"voicebot_\w+", query)}
    assert asked - families - parts == set()
    assert len(asked) > 20


async def test_every_figure_of_the_agent_is_on_the_dashboard(scrape: str) -> None:
    told = set(re.findall(r"^# TYPE (voicebot_\S+) ", scrape, re.MULTILINE))
    everything = " ".join(queries())
    unseen = {name for name in told if name not in everything and not name.endswith("_created")}
    assert unseen == set()


def test_the_dashboard_is_where_grafana_looks_and_asks_the_source_it_is_given() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    mounts = dict(one.split(":")[:2] for one in compose["services"]["grafana"]["volumes"])
    provider = DEPLOY / "grafana" / "provisioning" / "dashboards" / "standardiste.yaml"
    [told] = yaml.safe_load(provider.read_text(encoding="utf-8"))["providers"]
    assert mounts["./deploy/grafana/dashboards"] == told["options"]["path"]
    source = DEPLOY / "grafana" / "provisioning" / "datasources" / "prometheus.yaml"
    [given] = yaml.safe_load(source.read_text(encoding="utf-8"))["datasources"]
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    assert {panel["datasource"]["uid"] for panel in dashboard["panels"]} == {given["uid"]}
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_prometheus_asks_the_agent_with_the_key_it_is_given() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    [job] = yaml.safe_load((DEPLOY / "prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    key = job["authorization"]["credentials_file"].rpartition("/")[2]
    assert key in compose["services"]["prometheus"]["secrets"]
    assert key in compose["services"]["agent"]["secrets"]
    [target] = job["static_configs"][0]["targets"]
    host, _, port = target.partition(":")
    assert compose["services"][host]["environment"]["APP_PORT"] == port
