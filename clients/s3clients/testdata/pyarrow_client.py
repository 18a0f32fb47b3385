"""pyarrow's S3 file system."""

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
from common import access, bucket, ca, done, host, large, odd, region, secret, small

extra = {"tls_ca_file_path": ca} if ca else {}
s3 = pyarrow.fs.S3FileSystem(
    access_key=access, secret_key=secret, region=region, endpoint_override=host, scheme="https" if ca else "http", allow_bucket_creation=True,
    allow_bucket_deletion=True, **extra)
s3.create_dir(bucket)
at = bucket + "/"
with s3.open_output_stream(at + odd, metadata={"Content-Type": "text/x", "colour": "red"}) as f:
    f.write(small)
with s3.open_input_stream(at + odd) as f:
    assert f.read() == small
    assert f.metadata()["Content-Type"] == b"text/x"
done("put", "get", "metadata")
with s3.open_input_file(at + odd) as f:
    assert f.read_at(5, 7) == b"store"
done("ranges")
with s3.open_output_stream(at + "large") as f:
    for i in range(0, len(large), 3 << 20):
        f.write(large[i : i + (3 << 20)])
with s3.open_input_file(at + "large") as f:
    assert f.size() == len(large) and f.read() == large
done("multipart")
s3.copy_file(at + "large", at + "copy")
with s3.open_input_stream(at + "copy") as f:
    assert f.read() == large
s3.move(at + "copy", at + "moved")
assert s3.get_file_info(at + "copy").type == pyarrow.fs.FileType.NotFound
done("copy")
for i in range(12):
    with s3.open_output_stream(f"{at}list/{i // 4}/{i:02}") as f:
        f.write(b"x")
info = s3.get_file_info(pyarrow.fs.FileSelector(at + "list", recursive=True))
assert sorted(i.path for i in info if i.type == pyarrow.fs.FileType.File) == [f"{at}list/{i // 4}/{i:02}" for i in range(12)]
info = s3.get_file_info(pyarrow.fs.FileSelector(at + "list"))
assert sorted(i.path for i in info) == [f"{at}list/{i}" for i in range(3)], info
done("list")
table = pa.table({"a": list(range(100000)), "b": [f"x{i}" for i in range(100000)]})
pq.write_table(table, at + "t.parquet", filesystem=s3, row_group_size=20000)
assert pq.read_table(at + "t.parquet", filesystem=s3, columns=["a"]).column("a").to_pylist() == list(range(100000))
done("parquet")
s3.delete_file(at + odd)
assert s3.get_file_info(at + odd).type == pyarrow.fs.FileType.NotFound
done("delete")
s3.delete_dir_contents(bucket)
assert s3.get_file_info(pyarrow.fs.FileSelector(bucket)) == []
done("batch delete")
s3.delete_dir(bucket)
done("bucket")
