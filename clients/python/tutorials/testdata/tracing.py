"""MLflow's tracing quickstart and its guides to searching, tags, sessions and assessments; 2.x has the first half of it."""

import time

import mlflow
from mlflow import MlflowClient
from mlflow.entities import SpanType

new = int(mlflow.__version__.split(".")[0]) >= 3
client = MlflowClient()
experiment = mlflow.set_experiment("Tracing Quickstart")

def flush():
    if hasattr(mlflow, "flush_trace_async_logging"):
        mlflow.flush_trace_async_logging(terminate=False)


@mlflow.trace(span_type=SpanType.TOOL, attributes={"kind": "arithmetic"})
def add(x, y):
    return x + y


@mlflow.trace(name="calculator", span_type=SpanType.CHAIN)
def calculate(x, y):
    with mlflow.start_span(name="double", span_type=SpanType.PARSER) as span:
        span.set_inputs({"x": x})
        doubled = add(x, x)
        span.set_outputs({"doubled": doubled})
        span.set_attribute("factor", 2)
    return doubled * y


@mlflow.trace
def fail():
    raise ValueError("nothing works")


assert calculate(3, 4) == 24
flush()
traced = mlflow.get_last_active_trace_id()
try:
    fail()
except ValueError:
    pass
flush()

trace = mlflow.get_trace(traced)
spans = {s.name: s for s in trace.data.spans}
assert set(spans) == {"calculator", "double", "add"}, spans
assert spans["calculator"].inputs == {"x": 3, "y": 4} and spans["calculator"].outputs == 24, spans["calculator"]
assert spans["double"].parent_id == spans["calculator"].span_id and spans["add"].parent_id == spans["double"].span_id
assert spans["double"].attributes["factor"] == 2 and spans["add"].attributes["kind"] == "arithmetic"
assert (spans["calculator"].span_type, spans["add"].span_type) == ("CHAIN", "TOOL")
assert str(trace.info.status).endswith("OK") and trace.info.experiment_id == experiment.experiment_id, trace.info
assert trace.info.execution_time_ms is not None and abs(trace.info.timestamp_ms / 1000 - time.time()) < 300

where = {"locations": [experiment.experiment_id]} if new else {"experiment_ids": [experiment.experiment_id]}
frame = mlflow.search_traces(**where)
assert len(frame) == 2, frame
found = client.search_traces(filter_string="status = 'ERROR'", **where)
assert len(found) == 1, found
event = found[0].data.spans[0].events[0]
assert event.name == "exception" and event.attributes["exception.message"] == "nothing works", event
assert [t.info.request_id for t in client.search_traces(filter_string="name = 'calculator'", order_by=["timestamp_ms DESC"], **where)] == [traced]

# Tags.
client.set_trace_tag(traced, "environment", "production")
assert client.get_trace(traced).info.tags["environment"] == "production"
assert [t.info.request_id for t in client.search_traces(filter_string="tag.environment = 'production'", **where)] == [traced]
client.delete_trace_tag(traced, "environment")
assert "environment" not in client.get_trace(traced).info.tags

# The client's own way, across functions; a trace inside a run.
with mlflow.start_run() as run:
    calculate(1, 1)
flush()
inside = client.search_traces(run_id=run.info.run_id, **where) if new else client.search_traces(filter_string=f"run_id = '{run.info.run_id}'", **where)
assert len(inside) == 1, inside
root = mlflow.start_span_no_context(name="by hand", inputs={"a": 1}) if new else client.start_trace(name="by hand", inputs={"a": 1})
if new:
    child = mlflow.start_span_no_context(name="part", parent_span=root)
    child.end()
    root.end(outputs={"b": 2})
else:
    child = client.start_span(name="part", request_id=root.request_id, parent_id=root.span_id)
    client.end_span(request_id=root.request_id, span_id=child.span_id)
    client.end_trace(request_id=root.request_id, outputs={"b": 2})
flush()
assert [s.name for s in client.get_trace(root.request_id).data.spans] == ["by hand", "part"]

if new:
    from mlflow.entities import AssessmentError, AssessmentSource, AssessmentSourceType

    # Who asked, in which session.
    @mlflow.trace
    def chat(message):
        mlflow.update_current_trace(
            tags={"topic": "weather"},
            metadata={"mlflow.trace.user": "user-1", "mlflow.trace.session": "session-1"},
            client_request_id="request-7",
            request_preview="asked",
            response_preview="told",
        )
        return message.upper()

    chat("hello")
    flush()
    (asked,) = mlflow.search_traces(filter_string="metadata.`mlflow.trace.session` = 'session-1'", return_type="list", **where)
    assert asked.info.trace_metadata["mlflow.trace.user"] == "user-1" and asked.info.tags["topic"] == "weather", asked.info
    assert (asked.info.client_request_id, asked.info.request_preview, asked.info.response_preview) == ("request-7", "asked", "told")
    assert [t.info.trace_id for t in mlflow.search_traces(filter_string="client_request_id = 'request-7'", return_type="list", **where)] == [asked.info.trace_id]
    assert [t.info.trace_id for t in mlflow.search_traces(filter_string="span.name = 'chat'", return_type="list", **where)] == [asked.info.trace_id]
    assert len(mlflow.search_traces(filter_string="span.attributes.kind LIKE '%arith%'", return_type="list", **where)) == 2
    frame = mlflow.search_traces(**where)
    assert {"trace_id", "state", "request", "response", "tags", "spans", "assessments"} <= set(frame.columns), frame.columns

    # Assessments.
    human = AssessmentSource(source_type=AssessmentSourceType.HUMAN, source_id="expert@example.com")
    code = AssessmentSource(source_type=AssessmentSourceType.CODE, source_id="checker")
    trace_id = asked.info.trace_id
    feedback = mlflow.log_feedback(trace_id=trace_id, name="helpfulness", value=0.9, rationale="short", source=human, metadata={"a": "b"})
    mlflow.log_feedback(trace_id=trace_id, name="compliance", value={"score": 1.0, "details": [True, None]}, source=code)
    mlflow.log_feedback(trace_id=trace_id, name="failed", error=AssessmentError(error_code="TIMEOUT", error_message="too slow"), source=code)
    expected = mlflow.log_expectation(trace_id=trace_id, name="expected_answer", value={"text": "HELLO", "facts": ["a", "b"]}, source=human)
    got = mlflow.get_assessment(trace_id, feedback.assessment_id)
    assert (got.name, got.value, got.rationale, got.metadata["a"], got.source.source_id) == ("helpfulness", 0.9, "short", "b", "expert@example.com"), got
    assert mlflow.get_assessment(trace_id, expected.assessment_id).value == {"text": "HELLO", "facts": ["a", "b"]}
    from mlflow.entities import Feedback

    mlflow.update_assessment(trace_id=trace_id, assessment_id=feedback.assessment_id, assessment=Feedback(name="helpfulness", value=0.1, rationale="wrong after all"))
    over = mlflow.override_feedback(trace_id=trace_id, assessment_id=feedback.assessment_id, value=0.5, rationale="middle", source=human)
    by_id = {a.assessment_id: a for a in mlflow.get_trace(trace_id).info.assessments}
    assert by_id[over.assessment_id].value == 0.5 and by_id[over.assessment_id].overrides == feedback.assessment_id
    assert by_id[feedback.assessment_id].valid is False and by_id[feedback.assessment_id].value == 0.1, by_id
    assert len(mlflow.search_traces(filter_string="feedback.helpfulness = '0.5'", return_type="list", **where)) == 1
    mlflow.delete_assessment(trace_id=trace_id, assessment_id=over.assessment_id)
    names = sorted(a.name for a in mlflow.get_trace(trace_id).info.assessments)
    assert names == ["compliance", "expected_answer", "failed", "helpfulness"], names
    spans_of = mlflow.get_trace(trace_id).search_spans(name="chat")
    on_span = mlflow.log_feedback(trace_id=trace_id, name="span-level", value=True, span_id=spans_of[0].span_id)
    assert mlflow.get_assessment(trace_id, on_span.assessment_id).span_id == spans_of[0].span_id

    # A run and a logged model that a trace belongs to.
    with mlflow.start_run() as run:
        pass
    client.link_traces_to_run([trace_id], run.info.run_id)
    assert [t.info.trace_id for t in mlflow.search_traces(run_id=run.info.run_id, return_type="list", **where)] == [trace_id]
    active = mlflow.set_active_model(name="agent-v1")
    chat("with a model")
    flush()
    (modelled,) = mlflow.search_traces(model_id=active.model_id, return_type="list", **where)
    assert modelled.data.spans[0].inputs == {"message": "with a model"}
    mlflow.clear_active_model()

# Deleting.
assert client.delete_traces(experiment.experiment_id, **{"trace_ids" if new else "request_ids": [traced]}) == 1
assert traced not in [t.info.request_id for t in client.search_traces(**where)]
count = len(client.search_traces(**where))
assert client.delete_traces(experiment.experiment_id, max_timestamp_millis=int(time.time() * 1000) + 60_000) == count
assert list(client.search_traces(**where)) == []
