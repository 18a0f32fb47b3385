import json
import urllib.request

import mlflow
import pytest
from training import train


def test_logs_what_it_did(mlflow_env):
    run = mlflow.get_run(train(0.5))
    assert run.data.metrics == {"loss": 0.25}
    assert mlflow.artifacts.load_text(run.info.artifact_uri + "/weights.txt") == "0.5"
    mlflow_env.assert_called(times=1, operation="runs/create")


@pytest.mark.parametrize("learning_rate", [0.1, 0.2, 0.3])
def test_sees_no_other_test(mlflow_env, learning_rate):
    train(learning_rate)
    assert len(mlflow.search_runs(experiment_names=["prices"], output_format="list")) == 1


@pytest.mark.prinzbox(seed=False)
def test_begins_empty(mlflow_env):
    assert mlflow.MlflowClient().search_registered_models() == []


@pytest.mark.prinzbox(faults=[{"match": {"operation": "runs/create"}, "error": {"status": 400}}])
def test_server_refuses(mlflow_env):
    with pytest.raises(mlflow.exceptions.MlflowException):
        train(0.5)


def test_asks_a_model(mlflow_env):
    mlflow_env.stub("price", answer=9.99)
    request = urllib.request.Request(mlflow_env.tracking_uri + "/price/invocations", b'{"inputs": [[1]]}', {"Content-Type": "application/json"})
    assert json.load(urllib.request.urlopen(request)) == {"predictions": [9.99]}
