"""boto3 in its default configuration, and with what users set: retries off, Signature Version 2 for URLs, checksums when required."""

import io

import boto3
from boto3.s3.transfer import TransferConfig
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError, MissingDependencyException
from common import bucket, done, fetch, large, odd, small

once = Config(retries={"max_attempts": 1})
s3 = boto3.client("s3", config=once)
parts = TransferConfig(multipart_threshold=8 << 20, multipart_chunksize=8 << 20)


def refused(code, call, **args):
    try:
        call(**args)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, e
        assert e.response["ResponseMetadata"]["RequestId"], e
    else:
        raise AssertionError(f"not refused with {code}")


s3.create_bucket(Bucket=bucket)
s3.get_waiter("bucket_exists").wait(Bucket=bucket, WaiterConfig={"MaxAttempts": 1})
assert bucket in [b["Name"] for b in s3.list_buckets()["Buckets"]]

put = s3.put_object(Bucket=bucket, Key=odd, Body=small, ContentType="text/x", Metadata={"Colour": "red"})
got = s3.get_object(Bucket=bucket, Key=odd)
assert got["Body"].read() == small and got["ETag"] == put["ETag"] and got["ContentType"] == "text/x"
s3.put_object(Bucket=bucket, Key="stream", Body=io.BytesIO(small))
assert s3.get_object(Bucket=bucket, Key="stream")["Body"].read() == small
done("put", "get")
assert got["Metadata"] == {"colour": "red"}, got["Metadata"]
s3.put_object(Bucket=bucket, Key=odd, Body=small)
assert s3.head_object(Bucket=bucket, Key=odd)["Metadata"] == {}
done("metadata")
assert s3.get_object(Bucket=bucket, Key=odd, Range="bytes=7-11")["Body"].read() == b"store"
assert s3.get_object(Bucket=bucket, Key=odd, Range="bytes=-5")["Body"].read() == b"store"
refused("InvalidRange", s3.get_object, Bucket=bucket, Key=odd, Range="bytes=100-")
done("ranges")
for algorithm in "CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256":
    try:
        s3.put_object(Bucket=bucket, Key=algorithm, Body=small, ChecksumAlgorithm=algorithm)
    except MissingDependencyException:  # CRC32C and CRC64NVME need awscrt; clients/s3 has them as raw requests
        continue
    got = s3.get_object(Bucket=bucket, Key=algorithm, ChecksumMode="ENABLED")
    assert got["Checksum" + algorithm] and got["Body"].read() == small
done("checksums")

s3.upload_fileobj(io.BytesIO(large), bucket, "large", Config=parts)
sink = io.BytesIO()
s3.download_fileobj(bucket, "large", sink, Config=parts)
assert sink.getvalue() == large and s3.head_object(Bucket=bucket, Key="large")["ETag"].endswith('-3"')
upload = s3.create_multipart_upload(Bucket=bucket, Key="aborted")["UploadId"]
assert [u["UploadId"] for u in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload]
s3.abort_multipart_upload(Bucket=bucket, Key="aborted", UploadId=upload)
refused("NoSuchUpload", s3.list_parts, Bucket=bucket, Key="aborted", UploadId=upload)
done("multipart")
s3.copy({"Bucket": bucket, "Key": "large"}, bucket, "copy of large", Config=parts)
assert s3.get_object(Bucket=bucket, Key="copy of large")["Body"].read() == large
s3.copy_object(Bucket=bucket, Key="copied", CopySource={"Bucket": bucket, "Key": odd}, MetadataDirective="REPLACE", Metadata={"a": "1"})
assert s3.get_object(Bucket=bucket, Key="copied")["Metadata"] == {"a": "1"}
done("copy")

for i in range(25):
    s3.put_object(Bucket=bucket, Key=f"list/{i // 5}/{i:02}", Body=b"")
keys = [f"list/{i // 5}/{i:02}" for i in range(25)]
for name in "list_objects", "list_objects_v2":
    pages = list(s3.get_paginator(name).paginate(Bucket=bucket, Prefix="list/", PaginationConfig={"PageSize": 7}))
    assert [o["Key"] for p in pages for o in p["Contents"]] == keys and len(pages) == 4, name
    pages = list(s3.get_paginator(name).paginate(Bucket=bucket, Prefix="list/", Delimiter="/", PaginationConfig={"PageSize": 2}))
    assert [o["Prefix"] for p in pages for o in p["CommonPrefixes"]] == [f"list/{i}/" for i in range(5)], name
assert s3.list_objects_v2(Bucket=bucket, Prefix="none")["KeyCount"] == 0
assert odd in [o["Key"] for o in s3.list_objects(Bucket=bucket)["Contents"]]
done("list")

s3.put_object_tagging(Bucket=bucket, Key=odd, Tagging={"TagSet": [{"Key": "a", "Value": "1 2"}]})
assert s3.get_object_tagging(Bucket=bucket, Key=odd)["TagSet"] == [{"Key": "a", "Value": "1 2"}]
s3.delete_object_tagging(Bucket=bucket, Key=odd)
assert s3.get_object(Bucket=bucket, Key=odd)["Body"].read() == small
done("tagging")

for version in None, "s3v4", "s3":  # None: Version 2 in us-east-1
    signer = boto3.client("s3", config=Config(signature_version=version))
    url = signer.generate_presigned_url("get_object", {"Bucket": bucket, "Key": odd, "ResponseContentType": "text/y"})
    assert fetch(url) == (200, small), version
    assert fetch(url.replace("Signature=", "Signature=0"))[0] == 403
    url = signer.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "by url"})
    assert fetch(url, "PUT", small)[0] == 200 and s3.get_object(Bucket=bucket, Key="by url")["Body"].read() == small
form = s3.generate_presigned_post(bucket, "posted", Conditions=[["content-length-range", 1, 100]])
edge = "boundary"
body = "".join(f'--{edge}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in form["fields"].items())
body += f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n{small.decode()}\r\n--{edge}--\r\n'
assert fetch(form["url"], "POST", body.encode(), **{"Content-Type": f"multipart/form-data; boundary={edge}"})[0] == 204
assert s3.get_object(Bucket=bucket, Key="posted")["Body"].read() == small
done("presigned")

s3.delete_object(Bucket=bucket, Key=odd)
refused("NoSuchKey", s3.get_object, Bucket=bucket, Key=odd)
done("delete")
answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in keys]})
assert sorted(d["Key"] for d in answer["Deleted"]) == keys and "Errors" not in answer
assert s3.list_objects_v2(Bucket=bucket, Prefix="list/")["KeyCount"] == 0
done("batch delete")

s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
one = s3.put_object(Bucket=bucket, Key="v", Body=b"1")["VersionId"]
s3.put_object(Bucket=bucket, Key="v", Body=b"2")
marker = s3.delete_object(Bucket=bucket, Key="v")
assert marker["DeleteMarker"] and s3.get_object(Bucket=bucket, Key="v", VersionId=one)["Body"].read() == b"1"
versions = s3.list_object_versions(Bucket=bucket, Prefix="v")
assert len(versions["Versions"]) == 2 and versions["DeleteMarkers"][0]["VersionId"] == marker["VersionId"]
done("versions")

refused("SignatureDoesNotMatch", boto3.client("s3", aws_secret_access_key="wrong", aws_access_key_id="mlflow-key", config=once).list_buckets)
refused("InvalidAccessKeyId", boto3.client("s3", aws_secret_access_key="wrong", aws_access_key_id="stranger", config=once).list_buckets)
refused("AccessDenied", boto3.client("s3", config=Config(signature_version=UNSIGNED)).list_objects_v2, Bucket=bucket)
refused("NoSuchBucket", s3.list_objects_v2, Bucket=bucket + "-none")
done("refusals")
boto3.resource("s3").Bucket(bucket).object_versions.delete()
s3.delete_bucket(Bucket=bucket)
done("bucket")
