"""The AWS command line."""

import json
import os

from command_common import command
from common import bucket, done, fetch, large, odd, small

os.environ["AWS_MAX_ATTEMPTS"] = "1"


def aws(*args, **more):
    return command("aws", *args, **more)


def api(name, *args):
    text = aws("s3api", name, "--bucket", bucket, "--output", "json", *args)
    return json.loads(text) if text.strip() else {}


at = f"s3://{bucket}/"
aws("s3", "mb", f"s3://{bucket}")
os.makedirs("in/d")
for name, data in {odd: small, "empty": b"", "large": large, "other": b"x"}.items():
    with open("in/" + name, "wb") as f:
        f.write(data)
aws("s3", "cp", "in/" + odd, at + odd, "--metadata", "colour=red", "--content-type", "text/x", "--no-progress")
aws("s3", "cp", at + odd, "out", "--no-progress")
assert open("out", "rb").read() == small
done("put", "get")
head = api("head-object", "--key", odd)
assert head["Metadata"] == {"colour": "red"} and head["ContentType"] == "text/x"
done("metadata")
api("get-object", "--key", odd, "--range", "bytes=7-11", "ranged")
assert open("ranged", "rb").read() == b"store"
done("ranges")
aws("s3", "cp", "in/large", at + "large", "--no-progress")
aws("s3", "cp", at + "large", "out", "--no-progress")
assert open("out", "rb").read() == large and api("head-object", "--key", "large")["ETag"].endswith('-3"')
done("multipart")
aws("s3", "cp", at + "large", at + "copy", "--no-progress")
aws("s3", "cp", at + "copy", "out", "--no-progress")
assert open("out", "rb").read() == large
aws("s3", "mv", at + "copy", at + "moved", "--no-progress")
done("copy")
aws("s3", "sync", "in", at + "synced", "--no-progress")
assert aws("s3", "sync", "in", at + "synced", "--no-progress") == ""
aws("s3", "sync", at + "synced", "back", "--no-progress")
assert open("back/" + odd, "rb").read() == small and open("back/other", "rb").read() == b"x" and open("back/empty", "rb").read() == b""
done("sync")
keys = [o["Key"] for o in api("list-objects-v2", "--prefix", "synced/", "--page-size", "1")["Contents"]]
assert keys == ["synced/" + odd, "synced/empty", "synced/large", "synced/other"], keys
assert [o["Key"] for o in api("list-objects", "--prefix", "synced/", "--page-size", "1")["Contents"]] == keys
assert [p["Prefix"] for p in api("list-objects-v2", "--delimiter", "/")["CommonPrefixes"]] == ["d/", "synced/"]
assert "PRE d/" in aws("s3", "ls", at)
done("list")
api("put-object-tagging", "--key", odd, "--tagging", "TagSet=[{Key=a,Value=1}]")
assert api("get-object-tagging", "--key", odd)["TagSet"] == [{"Key": "a", "Value": "1"}]
done("tagging")
assert fetch(aws("s3", "presign", at + odd).strip()) == (200, small)
done("presigned")
aws("s3", "rm", at + odd)
assert "does not exist" in aws("s3", "cp", at + odd, "none", expect=1)
done("delete")
api("delete-objects", "--delete", json.dumps({"Objects": [{"Key": k} for k in keys]}))
assert "Contents" not in api("list-objects-v2", "--prefix", "synced/")
done("batch delete")
assert "SignatureDoesNotMatch" in aws("s3", "ls", expect=1, AWS_SECRET_ACCESS_KEY="wrong")
done("refusals")
aws("s3", "rb", f"s3://{bucket}", "--force")
done("bucket")
