"""Fixture mlflow_env leaves MLflow as it was."""

import os

import boto3
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


@pytest.mark.parametrize("number", range(2))
def test_s3_keys_are_its_own(mlflow_env, number):
    boto3.client("s3").put_object(Bucket=mlflow_env.bucket, Key="mine", Body=b"%d" % number)
    experiment = mlflow.create_experiment("in S3", artifact_location="s3://%s/runs" % mlflow_env.bucket)
    with mlflow.start_run(experiment_id=experiment):
        mlflow.log_text("x", "file.txt")
    written = mlflow_env.keys(operation="PutObject")
    assert len(written) == 2 and any(key.endswith("/mine") for key in written) and any(key.endswith("/file.txt") for key in written)


@pytest.fixture
def session(monkeypatch):
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    boto3.setup_default_session(region_name="eu-north-1")
    before = boto3.DEFAULT_SESSION
    yield
    assert boto3.DEFAULT_SESSION is before
    boto3.DEFAULT_SESSION = None


def test_session_of_before(session, mlflow_env):
    assert boto3.client("s3").meta.region_name == "us-east-1"


@pytest.mark.parametrize("number", range(2))
def test_same_ids_in_two_tests(mlflow_env, number):
    mlflow_env.control("PUT", "/ids", {"seed": 1})
    with mlflow.start_run():
        mlflow.log_text("x", "file.txt")
    mlflow_env.assert_called(times=1, operation="artifacts/upload")
