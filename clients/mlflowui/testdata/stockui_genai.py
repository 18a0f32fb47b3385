"""Traces, assessments and an evaluation dataset for the pages of MLflow's own UI. Prints, as one JSON object, the ids that the pages'
addresses need."""

import json

import mlflow
from mlflow.genai import datasets as evaluation

experiment = mlflow.set_experiment("stock-ui")
ids = {"experiment": experiment.experiment_id}


@mlflow.trace(span_type="CHAIN")
def answer(question):
    with mlflow.start_span("look up", span_type="RETRIEVER") as span:
        span.set_inputs({"question": question})
        span.set_outputs([{"page_content": "a page", "metadata": {"doc_uri": "x"}}])
    with mlflow.start_span("search", span_type="TOOL") as span:
        span.set_inputs({"query": question})
        span.set_outputs("found")
    mlflow.update_current_trace(
        tags={"topic": "wine"},
        metadata={"mlflow.trace.session": "session-1", "mlflow.trace.user": "ann"},
    )
    return f"the answer to {question}"


with mlflow.start_run(run_name="traced") as run:
    answer("one")
    ids["run"] = run.info.run_id
answer("two")
answer("three")
mlflow.flush_trace_async_logging()
ids["trace"] = mlflow.get_last_active_trace_id()
mlflow.log_feedback(trace_id=ids["trace"], name="correct", value=True, rationale="it is")
mlflow.log_expectation(trace_id=ids["trace"], name="expected", value="the answer")

dataset = evaluation.create_dataset(name="questions", experiment_id=[experiment.experiment_id], tags={"made": "by hand"})
dataset.merge_records([{"inputs": {"question": "one"}, "expectations": {"answer": "1"}}])
ids["dataset"] = dataset.dataset_id

print(json.dumps(ids))
