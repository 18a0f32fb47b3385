"""The sample models load in the real client, and predict what the server answers."""

import json
import os
import urllib.request

import mlflow
import numpy as np
import pandas as pd

uri = os.environ["MLFLOW_TRACKING_URI"]


def score(name, frame):
    body = json.dumps({"dataframe_split": frame.to_dict(orient="split")}).encode()
    request = urllib.request.Request(f"{uri}/{name}/invocations", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)["predictions"]


rng = np.random.default_rng(2)
wine = ["fixed acidity", "volatile acidity", "citric acid", "residual sugar", "chlorides", "free sulfur dioxide", "total sulfur dioxide",
        "density", "pH", "sulphates", "alcohol"]
for name, value, recorded in (("MLF-ElasticnetWineModel-1", 0.415, 4.6280747990022935), ("MLF-ElasticnetWineModel-2", 0.235, 5.811718184937946)):
    model = mlflow.pyfunc.load_model(f"models:/{name}/1")
    frame = pd.DataFrame(np.vstack([np.full(11, value), rng.random((50, 11)) * 40]), columns=wine)
    predicted = np.asarray(model.predict(frame)).ravel()
    assert abs(predicted[0] - recorded) < 1e-9, (name, predicted[0])
    assert np.abs(predicted - np.array(score(name, frame))).max() < 1e-9, name
    assert model.metadata.signature is not None and model.metadata.get_input_schema().input_names() == wine

fraud = "MLF-FraudDetection-3"
model = mlflow.pyfunc.load_model(f"models:/{fraud}/1")
rows = [["4", "F", "es_transportation", 800.0], ["4", "F", "es_transportation", 42.42], ["4", "M", "es_transportation", 24.24]]
for age in "0123456U":
    for gender in "EFMU":
        for category in ("es_travel", "es_health", "es_leisure", "es_never_seen"):
            rows.append([age, gender, category, float(rng.random() * 1500)])
frame = pd.DataFrame(rows, columns=["age", "gender", "category", "amount"])
predicted = [int(p) for p in np.asarray(model.predict(frame)).ravel()]
assert predicted[:3] == [1, 0, 0], predicted[:3]
assert predicted == score(fraud, frame)
assert 0 < sum(predicted) < len(predicted)

for name in ("MLF-ElasticnetWineModel-1", fraud):
    version = mlflow.MlflowClient().get_model_version(name, "1")
    assert version.status == "READY" and version.description and version.source.startswith("s3://mlflow/"), version
    run = mlflow.get_run(version.run_id)
    assert run.data.metrics and run.data.params and run.info.status == "FINISHED", run
run = mlflow.get_run(mlflow.MlflowClient().get_model_version("MLF-ElasticnetWineModel-1", "1").run_id)
assert {"rmse", "r2", "mae"} <= set(run.data.metrics) and run.data.params["alpha"] == "0.42" and run.data.params["l1_ratio"] == "0.5", run.data
