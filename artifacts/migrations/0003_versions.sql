-- artifact_objects holds the current version of each object, so that reading, listing and writing cost the same whether or not
-- there are other versions.
ALTER TABLE artifact_objects ADD COLUMN version TEXT NOT NULL DEFAULT 'null';
ALTER TABLE artifact_objects ADD COLUMN tags    TEXT NOT NULL DEFAULT ''; -- as in x-amz-tagging
ALTER TABLE artifact_objects ADD COLUMN class   TEXT NOT NULL DEFAULT ''; -- storage class; empty for STANDARD

-- Versions that are not current, and delete markers. An object without a row in artifact_objects is gone: its newest row here, if
-- any, is a delete marker.
CREATE TABLE artifact_versions (
    bucket   TEXT    NOT NULL REFERENCES artifact_buckets (name),
    key      BLOB    NOT NULL,
    seq      INTEGER NOT NULL, -- the greater, the newer
    version  TEXT    NOT NULL,
    content  INTEGER,          -- null for a delete marker
    size     INTEGER NOT NULL,
    etag     TEXT    NOT NULL,
    modified INTEGER NOT NULL,
    sum_type TEXT    NOT NULL,
    sum      TEXT    NOT NULL,
    headers  TEXT    NOT NULL,
    metadata TEXT    NOT NULL,
    tags     TEXT    NOT NULL,
    class    TEXT    NOT NULL,
    PRIMARY KEY (bucket, key, seq DESC)
) WITHOUT ROWID;
CREATE UNIQUE INDEX artifact_versions_id ON artifact_versions (bucket, key, version);

ALTER TABLE artifact_uploads ADD COLUMN tags  TEXT NOT NULL DEFAULT '';
ALTER TABLE artifact_uploads ADD COLUMN class TEXT NOT NULL DEFAULT '';

-- What a part was called and its checksum, for reading it by its number. 0 is seq + 1.
ALTER TABLE artifact_segments ADD COLUMN number   INTEGER NOT NULL DEFAULT 0;
ALTER TABLE artifact_segments ADD COLUMN sum_type TEXT    NOT NULL DEFAULT '';
ALTER TABLE artifact_segments ADD COLUMN sum      TEXT    NOT NULL DEFAULT '';

-- Uploads that were completed lately: who did not get the answer asks again and gets the same one.
CREATE TABLE artifact_completed (
    id       TEXT PRIMARY KEY,
    bucket   TEXT    NOT NULL REFERENCES artifact_buckets (name) ON DELETE CASCADE,
    key      BLOB    NOT NULL,
    finished INTEGER NOT NULL, -- unix ms
    size     INTEGER NOT NULL,
    etag     TEXT    NOT NULL,
    sum_type TEXT    NOT NULL,
    sum      TEXT    NOT NULL,
    version  TEXT    NOT NULL
) WITHOUT ROWID;
CREATE INDEX artifact_completed_finished ON artifact_completed (finished);
CREATE INDEX artifact_completed_bucket ON artifact_completed (bucket);
