-- Own integer keys inside (eid, rid, mid, vid, lid); MLflow's names and hex ids outside. Times are milliseconds since 1970, UTC.

CREATE TABLE experiments (
	eid INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,
	artifact_location TEXT NOT NULL,
	lifecycle_stage TEXT NOT NULL DEFAULT 'active',
	creation_time INTEGER NOT NULL,
	last_update_time INTEGER NOT NULL
);
CREATE INDEX experiments_by_time ON experiments (creation_time, eid);

CREATE TABLE experiment_tags (
	eid INTEGER NOT NULL REFERENCES experiments ON DELETE CASCADE,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (eid, key)
) WITHOUT ROWID;

CREATE TABLE runs (
	rid INTEGER PRIMARY KEY,
	run_id TEXT NOT NULL UNIQUE,
	eid INTEGER NOT NULL REFERENCES experiments ON DELETE CASCADE,
	name TEXT NOT NULL,
	user_id TEXT NOT NULL,
	status TEXT NOT NULL,
	start_time INTEGER NOT NULL,
	end_time INTEGER,
	artifact_uri TEXT NOT NULL,
	lifecycle_stage TEXT NOT NULL DEFAULT 'active',
	deleted_time INTEGER
);
-- The natural order of runs/search, so that a page reads no more than it shows.
CREATE INDEX runs_in_order ON runs (eid, lifecycle_stage, start_time DESC, run_id);

CREATE TABLE params (
	rid INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (rid, key)
) WITHOUT ROWID;

CREATE TABLE tags (
	rid INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (rid, key)
) WITHOUT ROWID;

-- The identity of a point is all of its columns; the primary key is also the order of a history.
CREATE TABLE metrics (
	rid INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
	key TEXT NOT NULL,
	timestamp INTEGER NOT NULL,
	step INTEGER NOT NULL,
	value REAL NOT NULL,
	is_nan INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (rid, key, timestamp, step, value, is_nan)
) WITHOUT ROWID;

-- The point that a run shows for a key. eid stands here again so that "ordered by a metric" is a walk of one index.
CREATE TABLE latest_metrics (
	rid INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
	key TEXT NOT NULL,
	value REAL NOT NULL,
	is_nan INTEGER NOT NULL,
	step INTEGER NOT NULL,
	timestamp INTEGER NOT NULL,
	eid INTEGER NOT NULL,
	PRIMARY KEY (rid, key)
) WITHOUT ROWID;
CREATE INDEX latest_metrics_by_value ON latest_metrics (eid, key, is_nan, value);

CREATE TABLE datasets (
	did INTEGER PRIMARY KEY,
	eid INTEGER NOT NULL REFERENCES experiments ON DELETE CASCADE,
	name TEXT NOT NULL,
	digest TEXT NOT NULL,
	source_type TEXT NOT NULL,
	source TEXT NOT NULL,
	schema TEXT,
	profile TEXT,
	UNIQUE (eid, name, digest)
);

CREATE TABLE run_datasets (
	rid INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
	did INTEGER NOT NULL REFERENCES datasets ON DELETE CASCADE,
	tags TEXT NOT NULL, -- JSON list of {key, value}
	context TEXT,       -- the tag mlflow.data.context, for searches
	PRIMARY KEY (rid, did)
) WITHOUT ROWID;

-- Logged models that a run reads or writes.
CREATE TABLE run_models (
	rid INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
	direction TEXT NOT NULL CHECK (direction IN ('input', 'output')),
	model_id TEXT NOT NULL,
	step INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (rid, direction, model_id, step)
) WITHOUT ROWID;

CREATE TABLE logged_models (
	lid INTEGER PRIMARY KEY,
	model_id TEXT NOT NULL UNIQUE,
	eid INTEGER NOT NULL REFERENCES experiments ON DELETE CASCADE,
	name TEXT NOT NULL,
	artifact_uri TEXT NOT NULL,
	status INTEGER NOT NULL, -- LoggedModelStatus of MLflow's protocol: 1 pending, 2 ready, 3 failed
	model_type TEXT NOT NULL,
	source_run_id TEXT NOT NULL,
	lifecycle_stage TEXT NOT NULL DEFAULT 'active',
	creation_timestamp INTEGER NOT NULL,
	last_updated_timestamp INTEGER NOT NULL
);
CREATE INDEX logged_models_in_order ON logged_models (eid, lifecycle_stage, creation_timestamp DESC, model_id);

CREATE TABLE logged_model_tags (
	lid INTEGER NOT NULL REFERENCES logged_models ON DELETE CASCADE,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (lid, key)
) WITHOUT ROWID;

CREATE TABLE logged_model_params (
	lid INTEGER NOT NULL REFERENCES logged_models ON DELETE CASCADE,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (lid, key)
) WITHOUT ROWID;

CREATE TABLE logged_model_metrics (
	lid INTEGER NOT NULL REFERENCES logged_models ON DELETE CASCADE,
	key TEXT NOT NULL,
	timestamp INTEGER NOT NULL,
	step INTEGER NOT NULL,
	value REAL NOT NULL,
	is_nan INTEGER NOT NULL DEFAULT 0,
	run_id TEXT NOT NULL,
	dataset_name TEXT NOT NULL DEFAULT '',
	dataset_digest TEXT NOT NULL DEFAULT '',
	PRIMARY KEY (lid, key, timestamp, step, value, is_nan, run_id, dataset_name, dataset_digest)
) WITHOUT ROWID;

CREATE TABLE registered_models (
	mid INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,
	description TEXT,
	creation_timestamp INTEGER NOT NULL,
	last_updated_timestamp INTEGER NOT NULL,
	last_version INTEGER NOT NULL DEFAULT 0 -- the highest number ever given; numbers are not used again
);

CREATE TABLE registered_model_tags (
	mid INTEGER NOT NULL REFERENCES registered_models ON DELETE CASCADE,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (mid, key)
) WITHOUT ROWID;

CREATE TABLE model_versions (
	vid INTEGER PRIMARY KEY,
	mid INTEGER NOT NULL REFERENCES registered_models ON DELETE CASCADE,
	version INTEGER NOT NULL,
	creation_timestamp INTEGER NOT NULL,
	last_updated_timestamp INTEGER NOT NULL,
	description TEXT,
	current_stage TEXT NOT NULL DEFAULT 'None',
	source TEXT NOT NULL,
	storage_location TEXT NOT NULL, -- where the files are; differs from source for models:/ sources
	run_id TEXT NOT NULL,
	run_link TEXT NOT NULL,
	status TEXT NOT NULL,
	UNIQUE (mid, version)
);
CREATE INDEX model_versions_by_run ON model_versions (run_id);
CREATE INDEX model_versions_by_stage ON model_versions (mid, current_stage, version);
CREATE INDEX model_versions_in_order ON model_versions (last_updated_timestamp);

CREATE TABLE model_version_tags (
	vid INTEGER NOT NULL REFERENCES model_versions ON DELETE CASCADE,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (vid, key)
) WITHOUT ROWID;

CREATE TABLE aliases (
	mid INTEGER NOT NULL,
	alias TEXT NOT NULL,
	version INTEGER NOT NULL,
	PRIMARY KEY (mid, alias),
	FOREIGN KEY (mid, version) REFERENCES model_versions (mid, version) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX aliases_by_version ON aliases (mid, version);
