-- What an owner has said about a bucket: its policy (JSON), its CORS rules (XML), its canned ACL. They go with the bucket.
CREATE TABLE artifact_bucket_settings (
    bucket TEXT NOT NULL REFERENCES artifact_buckets (name) ON DELETE CASCADE,
    kind   TEXT NOT NULL, -- policy, cors, acl
    value  TEXT NOT NULL,
    PRIMARY KEY (bucket, kind)
) WITHOUT ROWID;
