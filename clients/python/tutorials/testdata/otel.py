"""A plain OpenTelemetry SDK sends its spans to /v1/traces; no line of MLflow is in the program that is watched."""

import os

import mlflow
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

uri = os.environ["MLFLOW_TRACKING_URI"]
experiment = mlflow.set_experiment("opentelemetry")
headers = {"x-mlflow-experiment-id": experiment.experiment_id}


def provider(processor, compression):
    out = TracerProvider(resource=Resource.create({"service.name": "shop", "service.version": "1.2"}))
    out.add_span_processor(processor(OTLPSpanExporter(endpoint=uri + "/v1/traces", headers=headers, compression=compression)))
    return out


ids = []
for processor, compression in [(SimpleSpanProcessor, Compression.NoCompression), (BatchSpanProcessor, Compression.Gzip), (BatchSpanProcessor, Compression.Deflate)]:
    spans = provider(processor, compression)
    tracer = spans.get_tracer("shop.orders", "0.1")
    with tracer.start_as_current_span("order", kind=SpanKind.SERVER) as root:
        root.set_attribute("customer", "größer")
        root.set_attribute("gen_ai.operation.name", "chat")
        root.set_attribute("gen_ai.request.model", "small")
        root.set_attribute("gen_ai.usage.input_tokens", 12)
        root.set_attribute("gen_ai.usage.output_tokens", 30)
        root.set_attribute("prices", [1.5, 2.5])
        with tracer.start_as_current_span("pay") as pay:
            pay.add_event("declined", {"attempt": 1})
            pay.set_status(Status(StatusCode.ERROR, "no money"))
    assert spans.force_flush()
    spans.shutdown()
    ids.append("tr-" + format(root.get_span_context().trace_id, "032x"))

for trace_id in ids:
    trace = mlflow.get_trace(trace_id)
    assert trace is not None, trace_id
    by_name = {s.name: s for s in trace.data.spans}
    assert set(by_name) == {"order", "pay"}, by_name
    order, pay = by_name["order"], by_name["pay"]
    assert order.parent_id is None and pay.parent_id == order.span_id
    assert order.attributes["customer"] == "größer" and list(order.attributes["prices"]) == [1.5, 2.5], order.attributes
    assert pay.status.status_code.value.endswith("ERROR") and pay.status.description == "no money", pay.status
    assert pay.events[0].name == "declined" and pay.events[0].attributes["attempt"] == 1, pay.events
    assert trace.info.experiment_id == experiment.experiment_id and str(trace.info.state.value) == "OK", trace.info
    assert trace.info.token_usage == {"input_tokens": 12, "output_tokens": 30, "total_tokens": 42}, trace.info.token_usage
found = mlflow.search_traces(locations=[experiment.experiment_id], filter_string="span.status = 'ERROR'", return_type="list")
assert {t.info.trace_id for t in found} == set(ids), found
found = mlflow.search_traces(locations=[experiment.experiment_id], filter_string="span.attributes.customer LIKE '%größer%'", return_type="list")
assert len(found) == 3, found
