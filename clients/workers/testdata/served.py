"""Logs custom pyfunc models and asks the scoring routes for them."""

import os

import mlflow
import requests

base = os.environ["MLFLOW_TRACKING_URI"]


class Times(mlflow.pyfunc.PythonModel):
    def __init__(self, factor):
        self.factor = factor

    def predict(self, context, model_input, params=None):
        return [v * self.factor for v in model_input["x"]]


def ask(name, body):
    return requests.post(f"{base}/{name}/invocations", json=body, timeout=120)


split = {"dataframe_split": {"columns": ["x"], "data": [[1], [2]]}}
for version, factor in enumerate([2, 3], start=1):
    with mlflow.start_run():
        mlflow.pyfunc.log_model(name="model", python_model=Times(factor), registered_model_name="times")
    answer = ask("times", split)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"predictions": [factor, 2 * factor]}, answer.text
    assert answer.headers["Content-Type"] == "application/json"
# 1.x clients, Prinz for one, get a bare array.
assert ask("times", {"columns": ["x"], "data": [[5]]}).text == "[15]"
assert ask("model/times/1", split).json() == {"predictions": [2, 4]}
# The GUI offers the form, and says who scores.
page = requests.get(f"{base}/models/times/versions/2", timeout=60)
assert page.status_code == 200, page.text
print("ok")
