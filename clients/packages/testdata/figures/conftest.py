"""How long each test takes, as pytest counts it: its fixtures, the test, and what they clean up."""

import json

import mlflow
import pytest
from prinzbox import Prinzbox

durations = {}


@pytest.fixture
def log_run():
    def log():
        with mlflow.start_run() as run:
            mlflow.log_param("rate", 0.5)
            mlflow.log_metric("loss", 0.25)
        assert mlflow.get_run(run.info.run_id).data.metrics == {"loss": 0.25}

    return log


def pytest_collection_finish():
    """What MLflow's client loads at its first run is nobody's time."""
    with Prinzbox.start() as box:
        mlflow.set_tracking_uri(box.tracking_uri)
        with mlflow.start_run():
            mlflow.log_metric("warm", 1)
        mlflow.set_tracking_uri(None)


def pytest_runtest_logreport(report):
    durations[report.nodeid] = durations.get(report.nodeid, 0) + report.duration


def pytest_unconfigure():
    with open("durations.json", "w") as file:
        json.dump(list(durations.values()), file)
