"""s3fs, the file system of pandas, Dask and fsspec."""

import s3fs
from common import bucket, ca, done, endpoint, fetch, large, odd, small

s3 = s3fs.S3FileSystem(endpoint_url=endpoint, client_kwargs={"verify": ca} if ca else {}, config_kwargs={"retries": {"max_attempts": 1}})
at = bucket + "/"
s3.mkdir(bucket)
with s3.open(at + odd, "wb", Metadata={"colour": "red"}) as f:
    f.write(small)
assert s3.cat(at + odd) == small
done("put", "get")
assert s3.metadata(at + odd) == {"colour": "red"}
done("metadata")
with s3.open(at + odd, "rb", block_size=4, cache_type="none") as f:
    f.seek(7)
    assert f.read(5) == b"store"
assert s3.cat_file(at + odd, start=-5) == b"store"
done("ranges")
with s3.open(at + "large", "wb", block_size=5 << 20) as f:
    f.write(large)
with s3.open(at + "large", "rb") as f:
    assert f.read() == large
done("multipart")
s3.copy(at + "large", at + "copy")
assert s3.cat(at + "copy") == large and s3.info(at + "copy")["size"] == len(large)
s3.mv(at + "copy", at + "moved")
assert not s3.exists(at + "copy") and s3.exists(at + "moved")
done("copy")
for i in range(12):
    s3.pipe(f"{at}list/{i // 4}/{i:02}", b"x")
s3.invalidate_cache()
assert s3.find(at + "list") == [f"{at}list/{i // 4}/{i:02}" for i in range(12)]
assert sorted(s3.ls(at + "list")) == [f"{at}list/{i}" for i in range(3)]
assert s3.glob(at + "list/*/0[13]") == [at + "list/0/01", at + "list/0/03"]
done("list")
s3.put_tags(at + odd, {"a": "1"})
assert s3.get_tags(at + odd) == {"a": "1"} and s3.cat(at + odd) == small
done("tagging")
assert fetch(s3.url(at + odd)) == (200, small)
done("presigned")
s3.rm_file(at + odd)
s3.invalidate_cache()
assert not s3.exists(at + odd)
done("delete")
s3.rm(at + "list", recursive=True)
s3.invalidate_cache()
assert not s3.exists(at + "list/0/00")
done("batch delete")
s3.rm(bucket, recursive=True)
done("bucket")
