-- Evaluation datasets, scorers and webhooks.

CREATE TABLE evaluation_datasets (
	edid INTEGER PRIMARY KEY,
	dataset_id TEXT NOT NULL UNIQUE,
	name TEXT NOT NULL,
	schema TEXT,  -- JSON: the types of the fields seen so far
	profile TEXT, -- JSON: the number of records
	digest TEXT NOT NULL,
	created_time INTEGER NOT NULL,
	last_update_time INTEGER NOT NULL,
	created_by TEXT,
	last_updated_by TEXT
);
CREATE INDEX evaluation_datasets_by_name ON evaluation_datasets (name);
CREATE INDEX evaluation_datasets_in_order ON evaluation_datasets (created_time, dataset_id);

-- With a rowid: tags are shown in the order in which they were set.
CREATE TABLE evaluation_dataset_tags (
	edid INTEGER NOT NULL REFERENCES evaluation_datasets ON DELETE CASCADE,
	key TEXT NOT NULL,
	value TEXT, -- NULL is a tag that was created as null
	UNIQUE (edid, key)
);

-- The experiment's id as text: MLflow lets a dataset be created for experiments that are not there.
CREATE TABLE evaluation_dataset_experiments (
	edid INTEGER NOT NULL REFERENCES evaluation_datasets ON DELETE CASCADE,
	experiment_id TEXT NOT NULL,
	UNIQUE (edid, experiment_id)
);
CREATE INDEX evaluation_dataset_experiments_by_experiment ON evaluation_dataset_experiments (experiment_id, edid);

-- inputs, outputs, expectations, tags and source are JSON as Python's json.dumps writes it.
CREATE TABLE evaluation_dataset_records (
	drid INTEGER PRIMARY KEY,
	record_id TEXT NOT NULL UNIQUE,
	edid INTEGER NOT NULL REFERENCES evaluation_datasets ON DELETE CASCADE,
	input_hash BLOB NOT NULL, -- SHA-256 of the inputs with sorted keys: the identity of a record
	inputs TEXT NOT NULL,
	outputs TEXT,
	expectations TEXT,
	tags TEXT,
	source TEXT,
	created_time INTEGER NOT NULL,
	last_update_time INTEGER NOT NULL,
	created_by TEXT,
	last_updated_by TEXT,
	UNIQUE (edid, input_hash)
);
CREATE INDEX evaluation_dataset_records_in_order ON evaluation_dataset_records (edid, created_time, record_id);

CREATE TABLE scorers (
	sid INTEGER PRIMARY KEY,
	scorer_id TEXT NOT NULL UNIQUE,
	eid INTEGER NOT NULL REFERENCES experiments ON DELETE CASCADE,
	name TEXT NOT NULL,
	UNIQUE (eid, name)
);

CREATE TABLE scorer_versions (
	sid INTEGER NOT NULL REFERENCES scorers ON DELETE CASCADE,
	version INTEGER NOT NULL,
	serialized TEXT NOT NULL,
	creation_time INTEGER NOT NULL,
	PRIMARY KEY (sid, version)
) WITHOUT ROWID;

CREATE TABLE webhooks (
	wid INTEGER PRIMARY KEY,
	webhook_id TEXT NOT NULL UNIQUE,
	name TEXT NOT NULL,
	description TEXT NOT NULL,
	url TEXT NOT NULL,
	status TEXT NOT NULL CHECK (status IN ('ACTIVE', 'DISABLED')),
	secret BLOB, -- encrypted
	creation_timestamp INTEGER NOT NULL,
	last_updated_timestamp INTEGER NOT NULL
);
CREATE INDEX webhooks_in_order ON webhooks (creation_timestamp);

CREATE TABLE webhook_events (
	wid INTEGER NOT NULL REFERENCES webhooks ON DELETE CASCADE,
	entity TEXT NOT NULL,
	action TEXT NOT NULL,
	PRIMARY KEY (wid, entity, action)
) WITHOUT ROWID;
CREATE INDEX webhook_events_by_event ON webhook_events (entity, action, wid);
