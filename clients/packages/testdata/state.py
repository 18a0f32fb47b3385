"""Fixture mlflow_env leaves MLflow as it was."""

import os

import mlflow
import pytest


@pytest.fixture
def told():
    mlflow.set_tracking_uri("file:///tmp/before")
    yield
    assert mlflow.get_tracking_uri() == "file:///tmp/before"
    assert mlflow.active_run() is None


def test_leaves_a_run_open(told, mlflow_env):
    assert mlflow.get_tracking_uri() == mlflow_env.tracking_uri
    mlflow.set_experiment("mine")
    mlflow.start_run()
    mlflow.log_text("x", "file.txt")


def test_next_has_the_default_experiment(mlflow_env):
    with mlflow.start_run() as run:
        assert run.info.experiment_id == "0"
    mlflow_env.assert_called(times=1, operation="runs/create")
    with pytest.raises(AssertionError, match="wanted 2 calls"):
        mlflow_env.assert_called(times=2, operation="runs/create")


def test_sets_other_addresses(mlflow_env):
    mlflow.set_tracking_uri("file:///tmp/other")
    mlflow.set_registry_uri("file:///tmp/other")
    assert "AWS_PROFILE" not in os.environ


def test_they_are_forgotten(mlflow_env):
    assert mlflow.get_tracking_uri() == mlflow.get_registry_uri() == mlflow_env.tracking_uri
    mlflow_env.snapshot("before")
    mlflow.MlflowClient().create_registered_model("mine")
    mlflow_env.restore("before")
    assert [m.name for m in mlflow.MlflowClient().search_registered_models(filter_string="name = 'mine'")] == []
