"""Models that are trained, logged and registered here: they load in every way and score over HTTP at once, natively."""

import json
import os
import urllib.request

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.models import infer_signature
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import ElasticNet, LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

major = int(mlflow.__version__.split(".")[0])
client = MlflowClient()
uri = os.environ["MLFLOW_TRACKING_URI"]


def log_model(model, **more):
    where = {"name": "model"} if major >= 3 else {"artifact_path": "model"}
    # Without this MLflow starts a second Python that imports everything once more, to guess the requirements.
    return mlflow.sklearn.log_model(model, **where, pip_requirements=["scikit-learn"], **more)


def score(route, frame):
    body = json.dumps({"dataframe_split": frame.to_dict(orient="split")}).encode()
    request = urllib.request.Request(f"{uri}/{route}/invocations", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)["predictions"]
    except urllib.error.HTTPError as e:
        raise SystemExit(f"{route}: {e.code} {e.read().decode()}")


rng = np.random.default_rng(1)
x = pd.DataFrame(rng.random((60, 3)), columns=list("abc"))
y = 2 * x.a - x.b + 0.1 * rng.random(60)
mlflow.set_experiment("models")
net = [ElasticNet(alpha=a, l1_ratio=0.5).fit(x, y) for a in (0.01, 0.1)]
runs = []
for model in net:
    with mlflow.start_run() as run:
        log_model(model, signature=infer_signature(x, model.predict(x)), input_example=x[:2], registered_model_name="net")
        runs.append(run.info.run_id)

# The newest version is the one that answers; each has its own route.
for route, model in {"net": net[1], "model/net": net[1], "model/net/1": net[0], "model/net/2": net[1]}.items():
    assert np.abs(np.array(score(route, x)) - model.predict(x)).max() < 1e-9, route

for number, stage in (("1", "Production"), ("2", "Staging")):
    client.transition_model_version_stage("net", number, stage)
addresses = {
    "models:/net/1": net[0],
    "models:/net/2": net[1],
    "models:/net/latest": net[1],
    "models:/net/Production": net[0],
    "models:/net/Staging": net[1],
    f"runs:/{runs[0]}/model": net[0],
}
if major >= 2:
    client.set_registered_model_alias("net", "best", "1")
    addresses["models:/net@best"] = net[0]
    assert client.get_model_version_by_alias("net", "best").version == "1"
    assert np.abs(np.array(score("model/net/best", x)) - net[0].predict(x)).max() < 1e-9
for address, model in addresses.items():
    loaded = mlflow.pyfunc.load_model(address)
    assert np.abs(loaded.predict(x) - model.predict(x)).max() < 1e-12, address
assert np.abs(np.array(score("model/net/production", x)) - net[0].predict(x)).max() < 1e-9
assert np.abs(mlflow.sklearn.load_model("models:/net/2").coef_ - net[1].coef_).max() == 0

versions = {v.version: v for v in client.search_model_versions("name = 'net'")}
assert sorted(versions) == ["1", "2"] and versions["1"].status == "READY" and versions["1"].run_id == runs[0], versions
assert [v.version for v in client.get_latest_versions("net", ["Staging"])] == ["2"]
assert "net" in [m.name for m in client.search_registered_models()]
info = mlflow.models.get_model_info("models:/net/1")
assert [c.name for c in info.signature.inputs.inputs] == ["a", "b", "c"], info.signature

# A pipeline with text columns, as a pickle.
table = pd.DataFrame({"kind": rng.choice(["x", "y", "z"], 200), "size": rng.random(200) * 10})
label = (table["size"] + (table.kind == "x") * 3 > 6).astype(int)
pipeline = Pipeline([
    ("columns", ColumnTransformer([
        ("number", Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())]), ["size"]),
        ("text", OneHotEncoder(handle_unknown="ignore"), ["kind"]),
    ])),
    ("classify", LogisticRegression()),
]).fit(table, label)
with mlflow.start_run() as run:
    log_model(pipeline, signature=infer_signature(table, pipeline.predict(table)), registered_model_name="pipeline",
              serialization_format="cloudpickle")
assert score("pipeline", table) == pipeline.predict(table).tolist()
os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "true"
assert (mlflow.pyfunc.load_model("models:/pipeline/1").predict(table) == pipeline.predict(table)).all()

# Registering afterwards, from the run.
later = mlflow.register_model(f"runs:/{runs[0]}/model", "later")
assert str(later.version) == "1"
assert np.abs(np.array(score("later", x)) - net[0].predict(x)).max() < 1e-9
client.delete_model_version("net", "2")
assert np.abs(np.array(score("net", x)) - net[0].predict(x)).max() < 1e-9
client.delete_registered_model("later")
