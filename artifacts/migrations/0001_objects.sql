CREATE TABLE artifact_buckets (
    name    TEXT PRIMARY KEY,
    created INTEGER NOT NULL -- unix ms
) WITHOUT ROWID;

-- A content is an immutable run of bytes. refs counts the objects, parts and joined contents that name it; a content without
-- any is deleted in the same transaction. Its bytes are in the row, in a file, or are those of its segments in order.
CREATE TABLE artifact_contents (
    id     INTEGER PRIMARY KEY AUTOINCREMENT, -- never reused: readers pin it
    refs   INTEGER NOT NULL,
    size   INTEGER NOT NULL,
    sha256 BLOB,    -- null when joined
    file   TEXT,    -- name of the blob file
    data   BLOB     -- the bytes of a small one
);
CREATE UNIQUE INDEX artifact_contents_file ON artifact_contents (file) WHERE file IS NOT NULL;

CREATE TABLE artifact_segments (
    joined  INTEGER NOT NULL REFERENCES artifact_contents (id),
    seq     INTEGER NOT NULL,
    content INTEGER NOT NULL REFERENCES artifact_contents (id),
    PRIMARY KEY (joined, seq)
) WITHOUT ROWID;

-- The key is a BLOB, so that keys sort by their bytes, as S3 lists them.
CREATE TABLE artifact_objects (
    bucket   TEXT    NOT NULL REFERENCES artifact_buckets (name),
    key      BLOB    NOT NULL,
    content  INTEGER NOT NULL,
    size     INTEGER NOT NULL,
    etag     TEXT    NOT NULL, -- without quotes
    modified INTEGER NOT NULL, -- unix ms
    sum_type TEXT    NOT NULL, -- checksum algorithm, or empty
    sum      TEXT    NOT NULL, -- checksum as S3 writes it
    headers  TEXT    NOT NULL, -- JSON object: stored HTTP headers; empty for none
    metadata TEXT    NOT NULL, -- JSON object: user metadata; empty for none
    PRIMARY KEY (bucket, key)
) WITHOUT ROWID;

CREATE TABLE artifact_uploads (
    id       TEXT PRIMARY KEY,
    bucket   TEXT    NOT NULL REFERENCES artifact_buckets (name),
    key      BLOB    NOT NULL,
    started  INTEGER NOT NULL, -- unix ms
    sum_type TEXT    NOT NULL,
    sum_full INTEGER NOT NULL, -- 1: the checksum is of the whole object, not of the parts' checksums
    headers  TEXT    NOT NULL,
    metadata TEXT    NOT NULL
) WITHOUT ROWID;
CREATE INDEX artifact_uploads_key ON artifact_uploads (bucket, key, id);

CREATE TABLE artifact_parts (
    upload   TEXT    NOT NULL REFERENCES artifact_uploads (id),
    number   INTEGER NOT NULL,
    content  INTEGER NOT NULL,
    size     INTEGER NOT NULL,
    etag     TEXT    NOT NULL,
    modified INTEGER NOT NULL,
    sum_type TEXT    NOT NULL,
    sum      TEXT    NOT NULL,
    PRIMARY KEY (upload, number)
) WITHOUT ROWID;
