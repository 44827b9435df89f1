"""The pages of a whole machine: are its workers ready, and all their figures in one scrape.

They stand on ``APP_PORT``; worker 0 has the next port, worker 1 the one after. Everything else (live calls,
calls by text, ``/docs``) is asked of a worker: any of them will do for calls by text, the others' figures
and live calls are its own.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping

import httpx
from fastapi import FastAPI, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from pydantic import BaseModel

from app.pages.door import Door
from app.pages.schemas import Health
from app.serving.crew import Crew

ASKED_WITHIN_S = 2.0
"""For a worker's page; Prometheus itself waits ten seconds."""


class WorkerReadiness(BaseModel):
    """One worker's own words."""

    worker: int
    url: str
    """Where its pages are; empty while it starts."""
    ready: bool
    reasons: list[str]


class CrewReadiness(BaseModel):
    """Whether this machine can take calls."""

    ready: bool
    """At least one worker can; one that cannot sends new calls elsewhere."""
    workers: list[WorkerReadiness]


def create_crew_pages(crew: Crew, api_key: str, client: httpx.AsyncClient) -> FastAPI:
    """``/health``, ``/ready`` and ``/metrics`` of all workers together."""
    app = FastAPI(title="Standardiste: all workers of this machine", version="1", redoc_url=None)
    key = {"X-API-Key": api_key}

    @app.get("/health", summary="The supervisor lives")
    async def health() -> Health:
        return Health()

    @app.get("/ready", summary="Calls can be taken")
    async def ready(response: Response) -> CrewReadiness:
        workers = await asyncio.gather(*(_ready(client, key, *one) for one in _whereabouts(crew)))
        answer = CrewReadiness(ready=any(one.ready for one in workers), workers=list(workers))
        response.status_code = 200 if answer.ready else 503
        return answer

    @app.get("/metrics", summary="Prometheus", response_class=Response)
    async def metrics() -> Response:
        texts = {}
        for index, url in _whereabouts(crew):
            if url:
                answer = await _ask(client, f"{url}/metrics", key)
                if answer is not None and answer.is_success:
                    texts[index] = answer.text
        return Response(merged(texts, of=len(crew.places)), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    app.add_middleware(Door, api_key=api_key)
    return app


def merged(texts: Mapping[int, str], of: int) -> bytes:
    """The workers' figures as one scrape: every sample with the label ``worker``.

    ``voicebot_workers`` tells how many there should be, ``voicebot_workers_up`` how many answered.
    """
    registry = CollectorRegistry()
    registry.register(_Merged(texts, of))
    return generate_latest(registry)


class _Merged(Collector):
    def __init__(self, texts: Mapping[int, str], of: int) -> None:
        self._texts = texts
        self._of = of

    def collect(self) -> Iterable[Metric]:
        families: dict[str, Metric] = {}
        for index, text in self._texts.items():
            for family in text_string_to_metric_families(text):
                whole = families.setdefault(
                    family.name, Metric(family.name, family.documentation, family.type)
                )
                for sample in family.samples:
                    labels = {**sample.labels, "worker": str(index)}
                    whole.add_sample(sample.name, labels, sample.value)
        for name, told, value in (
            ("voicebot_workers", "Workers there should be on this machine.", self._of),
            ("voicebot_workers_up", "Workers that answered this scrape.", len(self._texts)),
        ):
            gauge = Metric(name, told, "gauge")
            gauge.add_sample(name, {}, value)
            families[name] = gauge
        return families.values()


def _whereabouts(crew: Crew) -> Iterator[tuple[int, str]]:
    for index, report in crew.reports():
        yield index, "" if report is None else report.http_url


async def _ready(client: httpx.AsyncClient, key: Mapping[str, str], index: int, url: str) -> WorkerReadiness:
    reasons = ["is starting"]
    if url:
        answer = await _ask(client, f"{url}/ready", key)
        if answer is None:
            reasons = [f"no answer within {ASKED_WITHIN_S:.0f} s"]
        else:
            reasons = answer.json().get("reasons") or [f"HTTP {answer.status_code}"] * answer.is_error
    return WorkerReadiness(worker=index, url=url, ready=not reasons, reasons=reasons)


async def _ask(client: httpx.AsyncClient, url: str, headers: Mapping[str, str]) -> httpx.Response | None:
    try:
        return await client.get(url, headers=headers, timeout=ASKED_WITHIN_S)
    except httpx.HTTPError:
        return None
