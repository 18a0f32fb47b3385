"""A hundred isolated tests, with no MLflow installed."""

import os

import pytest


@pytest.mark.parametrize("number", range(100))
def test_alone(mlflow_env, number):
    assert os.environ["MLFLOW_TRACKING_URI"] == mlflow_env.tracking_uri
    models = mlflow_env.status()["seeded"]
    assert len(models) == 3
    assert mlflow_env.count(operation="runs/create") == 0
