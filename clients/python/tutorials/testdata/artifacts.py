"""What MLflow's tracking guide logs beside numbers: figures, images, tables, dictionaries, texts; models of one's own; system metrics; the client's tour."""

import json
import os
import time

import matplotlib.pyplot as plt
import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunStatus, RunTag, ViewType
from mlflow.pyfunc import PythonModel

new = int(mlflow.__version__.split(".")[0]) >= 3
client = MlflowClient()
experiment = mlflow.set_experiment("artifacts")


def log_pyfunc(**more):
    return mlflow.pyfunc.log_model(pip_requirements=["pandas"], **({"name": "model"} if new else {"artifact_path": "model"}), **more)


with mlflow.start_run(description="all kinds", tags={"release.version": "2.2.0"}) as run:
    figure, axes = plt.subplots()
    axes.plot([0, 1], [2, 3])
    mlflow.log_figure(figure, "figures/line.png")
    mlflow.log_image(np.zeros((20, 30, 3), dtype=np.uint8), "image.png")
    mlflow.log_image(np.zeros((20, 30, 3), dtype=np.uint8), key="dogs", step=3)
    mlflow.log_table({"inputs": ["a", "b"], "score": [0.1, 0.2]}, artifact_file="table.json")
    mlflow.log_table(pd.DataFrame({"inputs": ["c"], "score": [0.3]}), artifact_file="table.json")
    mlflow.log_dict({"k": [1, {"v": None}]}, "data.json")
    mlflow.log_dict({"k": "v"}, "data.yml")
    mlflow.log_text("text1", "folder/file.txt")
    os.makedirs("local/deep")
    open("local/deep/leaf.txt", "w").write("leaf")
    mlflow.log_artifacts("local", artifact_path="states")
    assert mlflow.get_artifact_uri("features/f.txt").endswith(f"{run.info.run_id}/artifacts/features/f.txt")

assert mlflow.artifacts.load_text(run.info.artifact_uri + "/folder/file.txt") == "text1"
assert mlflow.artifacts.load_dict(run.info.artifact_uri + "/data.json") == {"k": [1, {"v": None}]}
assert mlflow.artifacts.load_image(run.info.artifact_uri + "/image.png").size == (30, 20)
table = mlflow.load_table("table.json", run_ids=[run.info.run_id], extra_columns=["run_id"])
assert list(table.inputs) == ["a", "b", "c"] and set(table.run_id) == {run.info.run_id}, table
assert {f.path for f in mlflow.artifacts.list_artifacts(run_id=run.info.run_id)} == {"data.json", "data.yml", "figures", "folder", "image.png", "images", "states", "table.json"}
assert mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="states/deep/leaf.txt", dst_path=".").endswith("leaf.txt")
assert open(mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/states/deep/leaf.txt")).read() == "leaf"
got = client.get_run(run.info.run_id)
assert got.data.tags["mlflow.note.content"] == "all kinds" and json.loads(got.data.tags["mlflow.loggedArtifacts"]) == [{"path": "table.json", "type": "table"}], got.data.tags


# Models of one's own: a class with files, a function, code.
class Vocabulary(PythonModel):
    def load_context(self, context):
        self.words = json.load(open(context.artifacts["words"]))

    def predict(self, context, model_input, params=None):
        offset = (params or {}).get("offset", 0)
        return [self.words.get(w, -1) + offset for w in model_input["word"]]


json.dump({"a": 1, "b": 2}, open("words.json", "w"))
from mlflow.models import infer_signature

signature = infer_signature(pd.DataFrame({"word": ["a"]}), [1], params={"offset": 0})
with mlflow.start_run():
    info = log_pyfunc(python_model=Vocabulary(), artifacts={"words": "words.json"}, signature=signature, registered_model_name="vocabulary")
model = mlflow.pyfunc.load_model("models:/vocabulary/1")
assert list(model.predict(pd.DataFrame({"word": ["b", "z"]}))) == [2, -1]
assert list(model.predict(pd.DataFrame({"word": ["b"]}), params={"offset": 10})) == [12]
assert model.unwrap_python_model().words == {"a": 1, "b": 2}
open("coded.py", "w").write(
    "import mlflow\nfrom mlflow.pyfunc import PythonModel\n\n\nclass Doubled(PythonModel):\n    def predict(self, context, model_input):\n        return model_input * 2\n\n\n"
    "mlflow.models.set_model(Doubled())\n"
)
with mlflow.start_run():
    info = log_pyfunc(python_model="coded.py", input_example=np.array([1.0, 2.0]))
assert list(mlflow.pyfunc.load_model(info.model_uri).predict(np.array([1.5, 2.5]))) == [3.0, 5.0]
assert mlflow.models.Model.load(info.model_uri).flavors["python_function"]["model_code_path"].endswith("coded.py")

# System metrics, sampled fast.
mlflow.set_system_metrics_sampling_interval(0.2)
mlflow.set_system_metrics_samples_before_logging(1)
with mlflow.start_run(log_system_metrics=True) as measured:
    time.sleep(2)
names = {k for k in client.get_run(measured.info.run_id).data.metrics if k.startswith("system/")}
assert {"system/cpu_utilization_percentage", "system/system_memory_usage_megabytes"} <= names, names
assert len(client.get_metric_history(measured.info.run_id, "system/cpu_utilization_percentage")) >= 2

# The client's tour.
made = client.create_run(experiment.experiment_id, run_name="tour", tags={"k": "v"}, start_time=1_700_000_000_000)
run_id = made.info.run_id
client.log_param(run_id, "p", 1)
for step, value in enumerate([1.0, 0.5, 0.25]):
    client.log_metric(run_id, "m", value, timestamp=1_700_000_000_000 + step, step=step)
client.log_batch(run_id, metrics=[Metric("b", 2.5, 1, 0)], params=[Param("q", "2")], tags=[RunTag("t", "3")])
client.set_tag(run_id, "gone", "soon")
client.delete_tag(run_id, "gone")
client.update_run(run_id, status="FINISHED", name="renamed")
client.set_terminated(run_id, RunStatus.to_string(RunStatus.KILLED), end_time=1_700_000_001_000)
tour = client.get_run(run_id)
assert (tour.info.run_name, tour.info.status, tour.info.end_time, tour.info.start_time) == ("renamed", "KILLED", 1_700_000_001_000, 1_700_000_000_000)
assert tour.data.params == {"p": "1", "q": "2"} and tour.data.metrics == {"m": 0.25, "b": 2.5} and tour.data.tags["t"] == "3" and "gone" not in tour.data.tags
client.log_text(run_id, "x", "x.txt")
client.log_dict(run_id, {"a": 1}, "a.json")
assert client.download_artifacts(run_id, "x.txt")
client.delete_run(run_id)
assert [r.info.run_id for r in client.search_runs([experiment.experiment_id], run_view_type=ViewType.DELETED_ONLY)] == [run_id]
client.restore_run(run_id)
client.set_experiment_tag(experiment.experiment_id, "a", "b")
if new:
    client.delete_experiment_tag(experiment.experiment_id, "a")
    assert "a" not in client.get_experiment(experiment.experiment_id).tags
    # Logged models by themselves.
    logged = mlflow.initialize_logged_model(name="bare", params={"lr": "0.1"}, tags={"t": "1"}, model_type="agent")
    mlflow.log_model_params({"depth": "3"}, model_id=logged.model_id)
    with mlflow.start_run():
        mlflow.log_metric("auc", 0.75, model_id=logged.model_id)
    finished = mlflow.finalize_logged_model(logged.model_id, "READY")
    assert finished.status == "READY"
    back = mlflow.get_logged_model(logged.model_id)
    assert back.params == {"lr": "0.1", "depth": "3"} and [m.value for m in back.metrics] == [0.75] and back.model_type == "agent", back
    mlflow.delete_logged_model_tag(logged.model_id, "t")
    frame = mlflow.search_logged_models([experiment.experiment_id], filter_string="name = 'bare' AND params.depth = '3'")
    assert list(frame.model_id) == [logged.model_id] and list(frame["name"]) == ["bare"], frame
    external = mlflow.create_external_model(name="elsewhere")
    assert external.status == "READY" and mlflow.get_logged_model(external.model_id).tags["mlflow.model.isExternal"].lower() == "true", external
    client.delete_logged_model(logged.model_id)
    assert len(mlflow.search_logged_models([experiment.experiment_id], filter_string="name = 'bare'")) == 0

# Asynchronous logging comes in order and whole.
with mlflow.start_run() as run:
    for step in range(50):
        mlflow.log_metric("async", step, step=step, synchronous=False)
    mlflow.log_params({"x": 1}, synchronous=False)
    mlflow.flush_async_logging()
assert [m.value for m in client.get_metric_history(run.info.run_id, "async")] == [float(i) for i in range(50)]
