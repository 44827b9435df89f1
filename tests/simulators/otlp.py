"""An OpenTelemetry collector's HTTP door: keeps the spans that are sent to it.

with OtlpSimulator() as collector:
    async with open_traces(collector.url, {}, "agent") as traces: ...
    collector.spans
"""

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.simulators.server import SimulatedProvider


class OtlpSimulator(SimulatedProvider):
    """Takes spans, unless told to fail."""

    def __init__(self) -> None:
        super().__init__(Starlette(routes=[Route("/v1/traces", self._take, methods=["POST"])]))
        self.spans: list[Span] = []
        self.services: set[str] = set()
        self.bodies: list[bytes] = []

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        self.record({"headers": dict(request.headers)})
        if (fault := self.take_fault()) is not None:
            return Response(status_code=fault.status)
        self.bodies.append(body)
        for sent in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.services |= {
                one.value.string_value for one in sent.resource.attributes if one.key == "service.name"
            }
            for scope in sent.scope_spans:
                self.spans.extend(scope.spans)
        return Response(b"", media_type="application/x-protobuf")
