"""MLflow's evaluation datasets and its evaluation of applications, with scorers that are plain code: no model is asked."""

import mlflow
import pandas as pd
from mlflow.entities import Feedback
from mlflow.exceptions import MlflowException
from mlflow.genai import scorer
from mlflow.genai.datasets import (
    add_dataset_to_experiments,
    create_dataset,
    delete_dataset,
    delete_dataset_tag,
    get_dataset,
    remove_dataset_from_experiments,
    search_datasets,
    set_dataset_tags,
)

experiment = mlflow.set_experiment("genai evaluation")
other = mlflow.create_experiment("genai elsewhere")

# Datasets.
dataset = create_dataset(name="customer_support_qa", experiment_id=[experiment.experiment_id], tags={"version": "1.0", "status": "active"})
dataset.merge_records(
    [
        {"inputs": {"question": "What are your hours?"}, "expectations": {"expected": "9 to 5", "must_mention_hours": True}},
        {"inputs": {"question": "How do I reset?"}, "expectations": {"expected": "click"}, "tags": {"priority": "high"}},
    ]
)
assert len(dataset.to_df()) == 2
dataset.merge_records([{"inputs": {"question": "How do I reset?"}, "expectations": {"steps": 3}}])
dataset.merge_records(pd.DataFrame([{"inputs": {"question": "Third?"}, "expectations": {"expected": "yes"}, "tags": {"priority": "low"}}]))
records = {r["inputs"]["question"]: r for r in get_dataset(dataset_id=dataset.dataset_id).to_df().to_dict("records")}
assert set(records) == {"What are your hours?", "How do I reset?", "Third?"}, records
assert records["How do I reset?"]["expectations"] == {"expected": "click", "steps": 3}, records
again = get_dataset(dataset_id=dataset.dataset_id)
assert (again.name, again.tags["status"]) == ("customer_support_qa", "active") and "question" in again.schema and "3" in again.profile, (again.schema, again.profile)
set_dataset_tags(dataset_id=dataset.dataset_id, tags={"status": "production", "validated": "true"})
delete_dataset_tag(dataset_id=dataset.dataset_id, key="validated")
found = search_datasets(experiment_ids=[experiment.experiment_id], filter_string="tags.status = 'production' AND name LIKE '%support%'", order_by=["last_update_time DESC"])
assert [d.dataset_id for d in found] == [dataset.dataset_id] and "validated" not in found[0].tags, found
add_dataset_to_experiments(dataset_id=dataset.dataset_id, experiment_ids=[other])
assert [d.name for d in search_datasets(experiment_ids=[other])] == ["customer_support_qa"]
remove_dataset_from_experiments(dataset_id=dataset.dataset_id, experiment_ids=[other])
assert list(search_datasets(experiment_ids=[other])) == []


# An application with scorers.
@mlflow.trace
def application(question):
    return {"What are your hours?": "9 to 5", "How do I reset?": "click here"}.get(question, "no idea")


@scorer
def exact(outputs, expectations):
    return outputs == expectations["expected"]


@scorer
def length(outputs):
    return Feedback(value=len(outputs), rationale="counted")


@scorer
def traced(trace):
    return len(trace.search_spans(name="application")) == 1


result = mlflow.genai.evaluate(data=get_dataset(dataset_id=dataset.dataset_id), predict_fn=application, scorers=[exact, length, traced])
assert abs(result.metrics["exact/mean"] - 1 / 3) < 1e-9 and result.metrics["traced/mean"] == 1.0, result.metrics
run = mlflow.get_run(result.run_id)
assert abs(run.data.metrics["exact/mean"] - 1 / 3) < 1e-9, run.data.metrics
assert [i.dataset.name for i in run.inputs.dataset_inputs] == ["customer_support_qa"], run.inputs
traces = mlflow.search_traces(run_id=result.run_id, locations=[experiment.experiment_id], return_type="list")
assert len(traces) == 3, traces
values = {t.data.spans[0].inputs["question"]: {a.name: a.value for a in t.info.assessments} for t in traces}
assert values["What are your hours?"]["exact"] is True and values["How do I reset?"]["exact"] is False, values
assert values["How do I reset?"]["length"] == len("click here") and values["Third?"]["expected"] == "yes", values

# Answers that were there before, as a list.
result = mlflow.genai.evaluate(
    data=[{"inputs": {"question": "a"}, "outputs": "b", "expectations": {"expected": "b"}}, {"inputs": {"question": "c"}, "outputs": "d", "expectations": {"expected": "e"}}],
    scorers=[exact],
)
assert result.metrics["exact/mean"] == 0.5, result.metrics

# Traces become records, with what they came from.
application("Fourth?")
mlflow.flush_trace_async_logging(terminate=False)
fourth = mlflow.get_trace(mlflow.get_last_active_trace_id())
dataset.merge_records([fourth])
sources = {r["inputs"]["question"]: r["source"] for r in get_dataset(dataset_id=dataset.dataset_id).to_df().to_dict("records")}
assert len(sources) == 4 and "TRACE" in str(sources["Fourth?"]) and fourth.info.trace_id in str(sources["Fourth?"]), sources
assert "HUMAN" in str(sources["Third?"]), sources

# Registered scorers.
from mlflow.genai.scorers import Guidelines, delete_scorer, get_scorer, list_scorers

registered = Guidelines(name="polite", guidelines=["Be polite."], model="openai:/gpt-4o-mini").register(name="polite")
assert [s.name for s in list_scorers()] == ["polite"]
assert get_scorer(name="polite").guidelines in (["Be polite."], "Be polite."), get_scorer(name="polite")
Guidelines(name="polite", guidelines=["Be very polite."], model="openai:/gpt-4o-mini").register(name="polite")
assert "very" in str(get_scorer(name="polite").guidelines) and "very" not in str(get_scorer(name="polite", version=1).guidelines)
delete_scorer(name="polite", version="all")
assert list(list_scorers()) == []

delete_dataset(dataset_id=dataset.dataset_id)
try:
    get_dataset(dataset_id=dataset.dataset_id)
    raise SystemExit("a deleted dataset is still there")
except MlflowException as e:
    assert e.error_code == "RESOURCE_DOES_NOT_EXIST", e
