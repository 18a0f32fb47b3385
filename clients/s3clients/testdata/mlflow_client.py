"""MLflow's own S3 artifact repository."""

import os
import tempfile

import boto3
from common import bucket, done, large, odd, small
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

boto3.client("s3").create_bucket(Bucket=bucket)
repo = get_artifact_repository(f"s3://{bucket}/1/run/artifacts")
folder = tempfile.mkdtemp()
for name, data in {odd: small, "large.bin": large, "empty": b"", "model/MLmodel": b"flavors: {}"}.items():
    path = os.path.join(folder, *name.split("/"))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)
repo.log_artifact(os.path.join(folder, "empty"), "one")
repo.log_artifacts(folder, "all")
done("put", "multipart")
listed = {f.path: (f.is_dir, f.file_size) for f in repo.list_artifacts("all")}
assert listed == {"all/d": (True, None), "all/empty": (False, 0), "all/large.bin": (False, len(large)), "all/model": (True, None)}, listed
assert [f.path for f in repo.list_artifacts()] == ["all", "one"]
done("list")
got = repo.download_artifacts("all")
for name, data in {odd: small, "large.bin": large, "empty": b""}.items():
    with open(os.path.join(got, *name.split("/")), "rb") as f:
        assert f.read() == data, name
done("get")
repo.delete_artifacts("all")
assert [f.path for f in repo.list_artifacts()] == ["one"]
done("batch delete")
