"""One experiment with runs, as a data scientist logs them: everything that was logged is what comes back."""

import math
import os
import pathlib
import tempfile

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

client = MlflowClient()
experiment = mlflow.set_experiment("tracking")
assert experiment.artifact_location.startswith(os.environ["ARTIFACT_SCHEME"] + ":/"), experiment.artifact_location
assert mlflow.set_experiment("tracking").experiment_id == experiment.experiment_id
assert "tracking" in [e.name for e in mlflow.search_experiments()]

with mlflow.start_run(run_name="first", tags={"phase": "one"}) as run:
    run_id = run.info.run_id
    mlflow.log_param("alpha", 0.5)
    mlflow.log_params({"layers": 3, "note": "größer als 5 µm"})
    for step in range(5):
        mlflow.log_metric("loss", 1.0 / (step + 1), step=step)
    mlflow.log_metrics({"nan": math.nan, "inf": math.inf, "minus": -math.inf, "tiny": 5e-324}, step=7)
    mlflow.set_tag("owner", "me")
    mlflow.log_text("hello\n", "notes/hello.txt")
    mlflow.log_dict({"a": [1, 2]}, "notes/config.json")
    with tempfile.TemporaryDirectory() as folder:
        blob = os.urandom(300_000)
        pathlib.Path(folder, "blob é%+.bin").write_bytes(blob)
        pathlib.Path(folder, "empty").write_bytes(b"")
        mlflow.log_artifact(os.path.join(folder, "blob é%+.bin"), "data")
        mlflow.log_artifacts(folder, "data/again")

now = 1_700_000_000_000
client.log_batch(
    run_id,
    metrics=[Metric("batch", float(i), now + i, i) for i in range(1000)],
    params=[Param(f"p{i}", str(i)) for i in range(90)],
    tags=[RunTag(f"t{i}", str(i)) for i in range(90)],
)

got = mlflow.get_run(run_id)
assert got.info.status == "FINISHED" and got.info.end_time >= got.info.start_time, got.info
assert got.data.params["alpha"] == "0.5" and got.data.params["note"] == "größer als 5 µm" and got.data.params["p89"] == "89", got.data.params
assert got.data.tags["owner"] == "me" and got.data.tags["phase"] == "one" and got.data.tags["t89"] == "89", got.data.tags
assert got.data.tags["mlflow.runName"] == "first", got.data.tags
m = got.data.metrics
assert m["loss"] == 0.2 and m["batch"] == 999.0 and m["tiny"] == 5e-324, m
# MLflow's own server keeps infinities as the greatest finite numbers.
assert math.isnan(m["nan"]) and m["inf"] >= 1.7976931348623157e308 and m["minus"] <= -1.7976931348623157e308, m

history = client.get_metric_history(run_id, "loss")
assert [(h.step, h.value) for h in history] == [(s, 1.0 / (s + 1)) for s in range(5)], history
history = client.get_metric_history(run_id, "batch")
assert [h.value for h in history] == [float(i) for i in range(1000)] and history[999].timestamp == now + 999
assert client.get_metric_history(run_id, "never") == []

# Artifacts: one level at a time, then all of them back.
assert sorted(f.path for f in client.list_artifacts(run_id)) == ["data", "notes"]
listed = {f.path: (f.is_dir, f.file_size) for f in client.list_artifacts(run_id, "data")}
assert listed == {"data/again": (True, None), "data/blob é%+.bin": (False, 300_000)}, listed
assert client.list_artifacts(run_id, "nothing") == []
with tempfile.TemporaryDirectory() as folder:
    back = pathlib.Path(mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="", dst_path=folder))
    files = {str(p.relative_to(back)): p.read_bytes() for p in back.rglob("*") if p.is_file()}
    assert files["data/blob é%+.bin"] == blob and files["data/again/blob é%+.bin"] == blob and files["data/again/empty"] == b"", list(files)
    assert files["notes/hello.txt"] == b"hello\n" and len(files) == 5, list(files)
    one = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="notes/hello.txt", dst_path=folder + "/one")
    assert pathlib.Path(one).read_text() == "hello\n"
try:
    mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="no/such/file")
    raise SystemExit("a file that is not there was downloaded")
except Exception as e:
    assert not isinstance(e, AssertionError) and "500" not in str(e), e

# Searching: filters, order, pages.
for i in range(25):
    with mlflow.start_run(run_name=f"grid-{i}"):
        mlflow.log_metric("score", i / 10)
        mlflow.log_params({"i": i, "parity": "even" if i % 2 == 0 else "odd"})
ids = [experiment.experiment_id]
frame = mlflow.search_runs(ids, "metrics.score > 1.95 and params.parity = 'even'", order_by=["metrics.score DESC"])
assert list(frame["params.i"]) == ["24", "22", "20"], frame["params.i"]
frame = mlflow.search_runs(ids, "tags.phase = 'one' and attributes.status = 'FINISHED'")
assert list(frame.run_id) == [run_id]
assert len(mlflow.search_runs(ids, "params.parity LIKE 'o%'")) == 12
assert len(mlflow.search_runs(experiment_names=["tracking"])) == 26
seen, token = [], None
while True:
    page = client.search_runs(ids, "metrics.score >= 0", order_by=["metrics.score ASC"], max_results=7, page_token=token)
    seen += [r.data.params["i"] for r in page]
    token = page.token
    if not token:
        break
assert seen == [str(i) for i in range(25)], seen

# What is refused says why, at once.
for refused, says in [
    (lambda: client.log_param(run_id, "alpha", "0.6"), "alpha"),
    (lambda: client.get_run("0" * 32), "not found"),
    (lambda: client.search_runs(ids, "metrics.score >>> 1"), "filter"),
    (lambda: client.create_experiment("tracking"), "already exists"),
]:
    try:
        refused()
    except mlflow.exceptions.MlflowException as e:
        assert says in str(e), e
    else:
        raise SystemExit(f"{says}: not refused")

# Deleting and restoring.
client.delete_run(run_id)
assert client.get_run(run_id).info.lifecycle_stage == "deleted"
assert run_id not in list(mlflow.search_runs(ids).run_id)
client.restore_run(run_id)
assert run_id in list(mlflow.search_runs(ids).run_id)
