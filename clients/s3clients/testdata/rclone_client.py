"""rclone."""

import os

from command_common import command
from common import access, bucket, ca, done, endpoint, fetch, large, odd, region, secret, small

os.environ.update(
    RCLONE_CONFIG_BOX_TYPE="s3", RCLONE_CONFIG_BOX_PROVIDER="Other", RCLONE_CONFIG_BOX_ENDPOINT=endpoint, RCLONE_CONFIG_BOX_ACCESS_KEY_ID=access,
    RCLONE_CONFIG_BOX_SECRET_ACCESS_KEY=secret, RCLONE_CONFIG_BOX_REGION=region, RCLONE_CONFIG_BOX_COPY_CUTOFF="8M", RCLONE_CONFIG_BOX_CHUNK_SIZE="5M",
    RCLONE_CONFIG_BOX_UPLOAD_CUTOFF="5M", RCLONE_CONFIG="none", RCLONE_RETRIES="1", RCLONE_LOW_LEVEL_RETRIES="1")
if ca:
    os.environ["RCLONE_CA_CERT"] = ca


def rclone(*args, **more):
    return command("rclone", *args, **more)


at = f"box:{bucket}/"
rclone("mkdir", f"box:{bucket}")
os.makedirs("in/d")
for name, data in {odd: small, "large": large, "empty": b""}.items():
    with open("in/" + name, "wb") as f:
        f.write(data)
rclone("copy", "in", at + "a", "--s3-list-version", "1", "--metadata-set", "colour=red", "--metadata")
rclone("check", "in", at + "a", "--download")
done("put", "get", "multipart")
assert '"colour":"red"' in rclone("lsjson", "--metadata", at + "a/" + odd).replace(": ", ":").replace('"mtime"', '\n"mtime"')
done("metadata")
assert rclone("cat", at + "a/" + odd, "--offset", "7", "--count", "5") == "store"
done("ranges")
rclone("copy", at + "a", at + "b")
rclone("check", "in", at + "b", "--download")
rclone("moveto", at + "b/large", at + "c/large")
assert rclone("lsf", at + "c") == "large\n"
done("copy")
for version in "1", "2":
    assert rclone("lsf", at, "--s3-list-version", version) == "a/\nb/\nc/\n"
    assert sorted(rclone("lsf", "-R", "--files-only", at + "a", "--s3-list-version", version, "--s3-list-chunk", "1").split("\n")) == sorted([odd, "empty", "large", ""])
done("list")
rclone("sync", "in/d", at + "a/d")
with open("in/empty", "wb") as f:
    f.write(b"no more")
rclone("sync", "in", at + "a")
assert rclone("cat", at + "a/empty") == "no more"
done("sync")
assert fetch(rclone("link", at + "a/" + odd, "--expire", "1h").strip()) == (200, small)
done("presigned")
rclone("deletefile", at + "a/" + odd)
assert odd not in rclone("lsf", "-R", at + "a")
done("delete")
rclone("purge", at + "b")
assert "b/" not in rclone("lsf", at)
done("batch delete")
rclone("purge", f"box:{bucket}")
assert bucket not in rclone("lsd", "box:")
done("bucket")
