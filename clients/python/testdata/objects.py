"""boto3 against the S3 store, and the same objects through MLflow's artifact proxy."""

import hashlib
import io
import os
import random
import urllib.error
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

bucket = os.environ["PRINZBOX_BUCKET"]
endpoint = os.environ["MLFLOW_S3_ENDPOINT_URL"]
proxy = os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow-artifacts/artifacts/"
once = Config(retries={"max_attempts": 1}, signature_version="s3v4")
s3 = boto3.client("s3", endpoint_url=endpoint, config=once)


def fetch(url, method="GET", body=None, **headers):
    request = urllib.request.Request(url, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


assert bucket in [b["Name"] for b in s3.list_buckets()["Buckets"]]
blob = random.Random(3).randbytes(64 << 20)

# Small objects, with names that need care.
for key, data in {"t/a b/é+%&=.bin": b"x" * 1000, "t/empty": b"", "t/one": b"1"}.items():
    put = s3.put_object(Bucket=bucket, Key=key, Body=data, ContentType="text/x-test", Metadata={"colour": "red"})
    got = s3.get_object(Bucket=bucket, Key=key)
    assert got["Body"].read() == data and got["ETag"] == put["ETag"] == '"%s"' % hashlib.md5(data).hexdigest(), key
    assert got["ContentType"] == "text/x-test" and got["Metadata"] == {"colour": "red"}, got
assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket, Prefix="t/")["Contents"]] == ["t/a b/é+%&=.bin", "t/empty", "t/one"]
page = s3.list_objects_v2(Bucket=bucket, Prefix="t/", Delimiter="/", MaxKeys=2)
assert [p["Prefix"] for p in page["CommonPrefixes"]] == ["t/a b/"] and page["IsTruncated"], page

# 64 MiB in parts, back in one piece, in pieces, and through the proxy.
s3.upload_fileobj(io.BytesIO(blob), bucket, "9/blob", Config=TransferConfig(multipart_threshold=8 << 20, multipart_chunksize=16 << 20))
head = s3.head_object(Bucket=bucket, Key="9/blob")
assert head["ContentLength"] == len(blob) and head["ETag"].endswith('-4"'), head
sink = io.BytesIO()
s3.download_fileobj(bucket, "9/blob", sink)
assert sink.getvalue() == blob
part = s3.get_object(Bucket=bucket, Key="9/blob", Range="bytes=1000000-20000000")
assert part["Body"].read() == blob[1000000:20000001] and part["ContentRange"] == f"bytes 1000000-20000000/{len(blob)}"
assert s3.get_object(Bucket=bucket, Key="9/blob", Range="bytes=-5")["Body"].read() == blob[-5:]
assert fetch(proxy + "9/blob") == (200, blob)

# What the proxy stores is in the bucket.
assert fetch(proxy + "9/sub/file.txt", "PUT", b"from the proxy")[0] == 200
assert s3.get_object(Bucket=bucket, Key="9/sub/file.txt")["Body"].read() == b"from the proxy"
assert fetch(proxy + "9/sub/file.txt", "DELETE")[0] in (200, 204)
try:
    s3.get_object(Bucket=bucket, Key="9/sub/file.txt")
    raise SystemExit("deleted through the proxy, but still in the bucket")
except ClientError as e:
    assert e.response["Error"]["Code"] == "NoSuchKey", e.response

# An upload in parts that is given up leaves nothing.
upload = s3.create_multipart_upload(Bucket=bucket, Key="t/never")["UploadId"]
s3.upload_part(Bucket=bucket, Key="t/never", UploadId=upload, PartNumber=1, Body=b"x" * 1000)
s3.abort_multipart_upload(Bucket=bucket, Key="t/never", UploadId=upload)
assert "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix="t/never")

# Presigned addresses work without credentials, and only for what was signed.
url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "t/one"}, ExpiresIn=60)
assert fetch(url) == (200, b"1")
assert fetch(url.replace("t/one", "t/empty"))[0] == 403
assert fetch(url.replace("X-Amz-Expires=60", "X-Amz-Expires=6000"))[0] == 403
put = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "t/presigned"}, ExpiresIn=60)
assert fetch(put, "PUT", b"by address")[0] == 200
assert s3.get_object(Bucket=bucket, Key="t/presigned")["Body"].read() == b"by address"

# Who has no keys, or wrong ones, gets nothing.
for keys, code in (({"aws_access_key_id": "nobody"}, "InvalidAccessKeyId"), ({"aws_secret_access_key": "wrong"}, "SignatureDoesNotMatch")):
    keys = {"aws_access_key_id": os.environ["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": os.environ["AWS_SECRET_ACCESS_KEY"], **keys}
    stranger = boto3.client("s3", endpoint_url=endpoint, config=once, **keys)
    for refused in (
        lambda: stranger.get_object(Bucket=bucket, Key="t/one"),
        lambda: stranger.put_object(Bucket=bucket, Key="t/one", Body=b"2"),
        lambda: stranger.delete_object(Bucket=bucket, Key="t/one"),
        lambda: stranger.list_objects_v2(Bucket=bucket),
    ):
        try:
            refused()
        except ClientError as e:
            assert e.response["Error"]["Code"] == code and e.response["ResponseMetadata"]["HTTPStatusCode"] == 403, e.response
        else:
            raise SystemExit("wrong keys were let in")
status, body = fetch(f"{endpoint}/{bucket}/t/one")
assert status == 403 and b"<Code>AccessDenied</Code>" in body, (status, body)
assert s3.get_object(Bucket=bucket, Key="t/one")["Body"].read() == b"1"

gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "t/one"}, {"Key": "t/empty"}, {"Key": "never there"}]})
assert len(gone["Deleted"]) == 3 and "Errors" not in gone, gone
