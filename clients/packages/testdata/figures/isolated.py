"""Tests as users write them: one process, and an environment for each test."""

import os

import pytest


@pytest.mark.parametrize("number", range(int(os.environ["NUMBER"])))
def test_run(mlflow_env, log_run, number):
    log_run()
