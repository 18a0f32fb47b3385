"""The fixtures of the wheel; with a parameter of its own each test starts, and the next one stops, a process."""

import os

import pytest


@pytest.mark.parametrize("prinzbox", range(int(os.environ["NUMBER"])), indirect=True)
def test_run(mlflow_env, log_run):
    log_run()
