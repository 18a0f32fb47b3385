"""Artifacts that are large enough to be moved in parts: the client sends and fetches them at the S3 server itself."""

import os
import pathlib
import tempfile

import mlflow
from mlflow.store.artifact import http_artifact_repo

calls = []
request = http_artifact_repo.http_request


def noted(host_creds, endpoint, method, *args, **kwargs):
    calls.append((method, endpoint))
    return request(host_creds, endpoint, method, *args, **kwargs)


http_artifact_repo.http_request = noted
mlflow.set_experiment("multipart")
with mlflow.start_run() as run, tempfile.TemporaryDirectory() as folder:
    file = pathlib.Path(folder, "größe 5% + x.bin")
    data = os.urandom(11_000_001)
    file.write_bytes(data)
    mlflow.log_artifact(str(file), "some dir")
    got = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="some dir/" + file.name, dst_path=os.path.join(folder, "got"))
    assert pathlib.Path(got).read_bytes() == data

through = [m for m, e in calls if m == "PUT" or m == "GET" and "/presigned/" not in e and not e.endswith("/artifacts")]
if os.environ["MULTIPART"] == "yes":
    assert [e.split("/")[3] for m, e in calls if "/mpu/" in e] == ["create", "complete"], calls
    assert any("/presigned/" in e for m, e in calls) and not through, calls
else:
    assert through == ["PUT", "GET"], calls
