"""minio-py."""

import io
from datetime import timedelta

import urllib3
from common import access, bucket, ca, done, fetch, host, large, odd, secret, small
from minio import Minio
from minio.commonconfig import ComposeSource, CopySource, Tags
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from minio.versioningconfig import ENABLED, VersioningConfig

pool = urllib3.PoolManager(cert_reqs="CERT_REQUIRED", ca_certs=ca, retries=False) if ca else urllib3.PoolManager(retries=False)
s3 = Minio(host, access, secret, secure=bool(ca), http_client=pool)
s3.make_bucket(bucket)
assert s3.bucket_exists(bucket) and not s3.bucket_exists(bucket + "-none")


def read(key, **args):
    answer = s3.get_object(bucket, key, **args)
    try:
        return answer.read()
    finally:
        answer.close()
        answer.release_conn()


s3.put_object(bucket, odd, io.BytesIO(small), len(small), content_type="text/x", metadata={"colour": "red"})
assert read(odd) == small
done("put", "get")
stat = s3.stat_object(bucket, odd)
assert stat.size == len(small) and stat.content_type == "text/x" and stat.metadata["x-amz-meta-colour"] == "red"
done("metadata")
assert read(odd, offset=7, length=5) == b"store" and read(odd, offset=7) == b"store"
done("ranges")
s3.put_object(bucket, "large", io.BytesIO(large), -1, part_size=5 << 20)
assert read("large") == large
done("multipart")
s3.copy_object(bucket, "copied", CopySource(bucket, odd))
assert read("copied") == small
sources = [ComposeSource(bucket, "large", offset=0, length=6 << 20), ComposeSource(bucket, "large", offset=6 << 20, length=len(large) - (6 << 20))]
s3.compose_object(bucket, "composed", sources)
assert read("composed") == large
done("copy")
for i in range(25):
    s3.put_object(bucket, f"list/{i // 5}/{i:02}", io.BytesIO(b""), 0)
keys = [f"list/{i // 5}/{i:02}" for i in range(25)]
for v1 in True, False:
    assert [o.object_name for o in s3.list_objects(bucket, "list/", recursive=True, use_api_v1=v1)] == keys
    assert [o.object_name for o in s3.list_objects(bucket, "list/", use_api_v1=v1)] == [f"list/{i}/" for i in range(5)]
    assert [o.object_name for o in s3.list_objects(bucket, "list/", recursive=True, start_after="list/3/15", use_api_v1=v1)] == keys[16:]
done("list")
tags = Tags.new_object_tags()
tags["a"] = "1 2"
s3.set_object_tags(bucket, odd, tags)
assert dict(s3.get_object_tags(bucket, odd)) == {"a": "1 2"}
s3.delete_object_tags(bucket, odd)
assert not s3.get_object_tags(bucket, odd) and read(odd) == small
done("tagging")
assert fetch(s3.presigned_get_object(bucket, odd, expires=timedelta(minutes=1))) == (200, small)
assert fetch(s3.presigned_put_object(bucket, "by url"), "PUT", small)[0] == 200 and read("by url") == small
done("presigned")
s3.remove_object(bucket, odd)
try:
    read(odd)
    raise AssertionError("read after its delete")
except S3Error as e:
    assert e.code == "NoSuchKey" and e.request_id, e
done("delete")
assert list(s3.remove_objects(bucket, [DeleteObject(k) for k in keys])) == []
assert list(s3.list_objects(bucket, "list/", recursive=True)) == []
done("batch delete")
policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["*"]},"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::%s/*"]}]}' % bucket
s3.set_bucket_policy(bucket, policy)
assert s3.get_bucket_policy(bucket) == policy and fetch(("https://" if ca else "http://") + f"{host}/{bucket}/copied") == (200, small)
s3.delete_bucket_policy(bucket)
done("policy")
s3.set_bucket_versioning(bucket, VersioningConfig(ENABLED))
one = s3.put_object(bucket, "v", io.BytesIO(b"1"), 1).version_id
s3.put_object(bucket, "v", io.BytesIO(b"2"), 1)
s3.remove_object(bucket, "v")
assert read("v", version_id=one) == b"1"
assert [o.is_delete_marker for o in s3.list_objects(bucket, "v", include_version=True)].count(True) == 1
done("versions")
for o in s3.list_objects(bucket, recursive=True, include_version=True):
    s3.remove_object(bucket, o.object_name, version_id=o.version_id)
s3.remove_bucket(bucket)
done("bucket")
