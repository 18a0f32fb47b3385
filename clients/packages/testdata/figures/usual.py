"""The fixture that projects write for themselves: `mlflow server` in a folder of its own."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import mlflow
import pytest


@pytest.fixture
def mlflow_server(tmp_path):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    url = "http://127.0.0.1:%d" % port
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", "sqlite:///%s/mlflow.db" % tmp_path, "--artifacts-destination", str(tmp_path / "artifacts")]
    with open(tmp_path / "log", "wb") as log:
        server = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(url + "/health", timeout=5).close()
                break
            except OSError:
                assert server.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(0.05)
        mlflow.set_tracking_uri(url)
        yield url
        mlflow.set_tracking_uri(None)
    finally:
        server.terminate()
        server.wait(30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)  # its job runners would be in the next one's way


@pytest.mark.parametrize("number", range(int(os.environ["NUMBER"])))
def test_run(mlflow_server, log_run, number):
    log_run()
