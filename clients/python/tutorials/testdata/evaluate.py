"""MLflow's guides to dataset tracking and to model evaluation: inputs with their lineage, built-in and own metrics, thresholds."""

import json
import os
import pathlib

import mlflow
import mlflow.data
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.data.http_dataset_source import HTTPDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.exceptions import MlflowException
from mlflow.models import MetricThreshold, infer_signature, make_metric
from mlflow.types import ColSpec, DataType, Schema
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import train_test_split

new = int(mlflow.__version__.split(".")[0]) >= 3
client = MlflowClient()
experiment = mlflow.set_experiment("datasets and evaluation")


def log_model(model, **more):
    return mlflow.sklearn.log_model(model, pip_requirements=["scikit-learn"], **({"name": "model"} if new else {"artifact_path": "model"}), **more)


# Datasets as inputs of a run.
data = load_breast_cancer(as_frame=True)
frame = data.frame.iloc[:, [0, 1, 2, 3, -1]].rename(columns={"target": "label"})
pathlib.Path("cancer.csv").write_text(frame.to_csv(index=False))
dataset = mlflow.data.from_pandas(frame, source="cancer.csv", name="breast-cancer", targets="label")
schema = Schema([ColSpec(type=DataType.string, name="text"), ColSpec(type=DataType.integer, name="label")])
meta = MetaDataset(source=HTTPDatasetSource(url="https://example.com/imdb.tar.gz"), name="imdb-with-schema", schema=schema)
array = mlflow.data.from_numpy(np.arange(12).reshape(3, 4), name="grid")
with mlflow.start_run() as run:
    mlflow.log_input(dataset, context="training", tags={"split": "all"})
    mlflow.log_input(meta, context="external_data")
    mlflow.log_input(array)
    mlflow.log_input(dataset, context="training")  # again: nothing changes
inputs = {i.dataset.name: i for i in client.get_run(run.info.run_id).inputs.dataset_inputs}
assert set(inputs) == {"breast-cancer", "imdb-with-schema", "grid"}, inputs
logged = inputs["breast-cancer"]
assert {t.key: t.value for t in logged.tags} == {"mlflow.data.context": "training", "split": "all"}, logged.tags
assert logged.dataset.digest == dataset.digest and json.loads(logged.dataset.profile) == {"num_rows": len(frame), "num_elements": frame.size}
assert json.loads(logged.dataset.schema)["mlflow_colspec"][-1]["name"] == "label", logged.dataset.schema
again = mlflow.data.get_source(logged).load()
assert len(pd.read_csv(again)) == len(frame)
assert json.loads(inputs["imdb-with-schema"].dataset.source)["url"] == "https://example.com/imdb.tar.gz"
for clause in ("dataset.name = 'breast-cancer'", "dataset.context = 'training'", f"dataset.digest = '{dataset.digest}'"):
    assert [r.info.run_id for r in client.search_runs([experiment.experiment_id], clause)] == [run.info.run_id], clause

# A classifier, by the URI of its model.
X_train, X_test, y_train, y_test = train_test_split(frame.drop(columns="label"), frame.label, test_size=0.33, random_state=42)
model = LogisticRegression(max_iter=3000).fit(X_train, y_train)
eval_data = X_test.assign(label=y_test)


def share_right(predictions, targets, metrics):
    return float((predictions == targets).mean())


def count_rows(eval_df, builtin_metrics, artifacts_dir):
    path = os.path.join(artifacts_dir, "rows.txt")
    pathlib.Path(path).write_text(str(len(eval_df)))
    return {"rows": path}


with mlflow.start_run(run_name="classifier") as run:
    info = log_model(model, signature=infer_signature(X_test, model.predict(X_test)))
    result = mlflow.models.evaluate(
        info.model_uri,
        eval_data,
        targets="label",
        model_type="classifier",
        extra_metrics=[make_metric(eval_fn=share_right, greater_is_better=True, name="share_right")],
        custom_artifacts=[count_rows],
        evaluator_config={"log_explainer": False, "log_model_explainability": False},
    )
assert {"accuracy_score", "f1_score", "roc_auc", "precision_score", "recall_score", "share_right"} <= set(result.metrics), result.metrics
assert result.metrics["share_right"] == result.metrics["accuracy_score"] > 0.8
stored = client.get_run(run.info.run_id)
assert np.isclose(stored.data.metrics["accuracy_score"], result.metrics["accuracy_score"])
names = {f.path for f in client.list_artifacts(run.info.run_id)}
assert {"confusion_matrix.png", "roc_curve_plot.png", "precision_recall_curve_plot.png", "rows.txt"} <= names, names
assert len(stored.inputs.dataset_inputs) == 1, stored.inputs
if new:
    scored = {m.key: m for m in mlflow.get_logged_model(info.model_id).metrics}
    assert scored["accuracy_score"].dataset_name == stored.inputs.dataset_inputs[0].dataset.name, scored
    ordered = mlflow.search_logged_models(
        [experiment.experiment_id],
        filter_string="metrics.accuracy_score > 0.5",
        order_by=[{"field_name": "metrics.accuracy_score", "ascending": False}],
        output_format="list",
    )
    assert [m.model_id for m in ordered] == [info.model_id], ordered

# A regressor, predictions made before, and a plain function.
X, y = load_diabetes(return_X_y=True, as_frame=True)
regression = LinearRegression().fit(X, y)
with mlflow.start_run(run_name="regressor"):
    uri = log_model(regression, input_example=X[:3]).model_uri
    result = mlflow.models.evaluate(uri, X.assign(target=y), targets="target", model_type="regressor", evaluator_config={"log_explainer": False, "log_model_explainability": False})
    assert np.isclose(result.metrics["r2_score"], regression.score(X, y)), result.metrics
with mlflow.start_run(run_name="static"):
    static = mlflow.data.from_pandas(X.assign(target=y, prediction=regression.predict(X)), targets="target", predictions="prediction", name="static")
    result = mlflow.models.evaluate(data=static, model_type="regressor")
    assert result.metrics["mean_absolute_error"] > 0
with mlflow.start_run(run_name="function"):
    result = mlflow.models.evaluate(lambda frame: regression.predict(frame), X.assign(target=y), targets="target", model_type="regressor")
    assert np.isclose(result.metrics["r2_score"], regression.score(X, y))

# Thresholds.
try:
    mlflow.validate_evaluation_results(
        candidate_result=result,
        baseline_result=None,
        validation_thresholds={"r2_score": MetricThreshold(threshold=0.99, greater_is_better=True)},
    )
    raise SystemExit("a model that is not good enough passed")
except MlflowException as e:
    assert "r2_score" in str(e), e
