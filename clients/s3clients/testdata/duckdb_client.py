"""DuckDB reads and writes with its httpfs extension, which comes as a package of its own."""

import os

import duckdb
import duckdb_extension_httpfs
from common import access, bucket, ca, done, endpoint, host, region, secret
from minio import Minio
import urllib3

pool = urllib3.PoolManager(ca_certs=ca) if ca else urllib3.PoolManager()
Minio(host, access, secret, secure=bool(ca), http_client=pool).make_bucket(bucket)  # DuckDB makes none

db = duckdb.connect(config={"allow_unsigned_extensions": "true"})
folder = os.path.join(os.path.dirname(duckdb_extension_httpfs.__file__), "extensions", "v" + duckdb.__version__)
db.execute(f"LOAD '{folder}/httpfs.duckdb_extension'")
if ca:
    db.execute(f"SET ca_cert_file = '{ca}'")
    db.execute("SET enable_curl_server_cert_verification = true")
db.execute(f"""CREATE SECRET (TYPE s3, KEY_ID '{access}', SECRET '{secret}', REGION '{region}', ENDPOINT '{host}', URL_STYLE 'path', USE_SSL {bool(ca)})""")
at = f"s3://{bucket}/"
db.execute(f"COPY (SELECT i AS a, 'text ' || i AS b FROM range(200000) t(i)) TO '{at}t/one.parquet'")
db.execute(f"COPY (SELECT i AS a, 'x' AS b FROM range(200000, 200010) t(i)) TO '{at}t/two b+é.parquet'")
done("put")
assert db.execute(f"SELECT count(*), sum(a) FROM '{at}t/one.parquet'").fetchone() == (200000, 200000 * 199999 // 2)
done("get")
assert db.execute(f"SELECT b FROM '{at}t/one.parquet' WHERE a = 123456").fetchone() == ("text 123456",)
done("ranges")
assert db.execute(f"SELECT count(*) FROM '{at}t/*.parquet'").fetchone() == (200010,)
done("list")
db.execute(f"COPY (SELECT md5(i::VARCHAR) AS h FROM range(600000) t(i)) TO '{at}large.csv'")
assert db.execute(f"SELECT count(DISTINCT h) FROM '{at}large.csv'").fetchone() == (600000,)
done("multipart")
