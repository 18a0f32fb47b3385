-- Traces, spans and assessments. Own integer keys inside (tid); MLflow's ids outside. Times of traces are milliseconds, of spans nanoseconds.

CREATE TABLE traces (
	tid INTEGER PRIMARY KEY,
	trace_id TEXT NOT NULL UNIQUE,
	eid INTEGER NOT NULL REFERENCES experiments ON DELETE CASCADE,
	timestamp_ms INTEGER NOT NULL,
	execution_time_ms INTEGER,
	status TEXT NOT NULL,
	client_request_id TEXT,
	request_preview TEXT,
	response_preview TEXT
);
-- The natural order of traces/search, so that a page reads no more than it shows.
CREATE INDEX traces_in_order ON traces (eid, timestamp_ms DESC, trace_id);

-- The trace's name is the tag mlflow.traceName.
CREATE TABLE trace_tags (
	tid INTEGER NOT NULL REFERENCES traces ON DELETE CASCADE,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (tid, key)
) WITHOUT ROWID;
CREATE INDEX trace_tags_by_key ON trace_tags (key, value);

CREATE TABLE trace_metadata (
	tid INTEGER NOT NULL REFERENCES traces ON DELETE CASCADE,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (tid, key)
) WITHOUT ROWID;
CREATE INDEX trace_metadata_by_key ON trace_metadata (key, value);

-- content is the span as MLflow keeps it, a JSON text in Python's spelling: filters look into it. usage and cost are the JSON objects of
-- the attributes of that meaning, so that adding them up reads no content.
CREATE TABLE spans (
	sid INTEGER PRIMARY KEY,
	tid INTEGER NOT NULL REFERENCES traces ON DELETE CASCADE,
	span_id TEXT NOT NULL,
	parent_span_id TEXT,
	name TEXT NOT NULL,
	type TEXT,
	status TEXT NOT NULL,
	start_time_ns INTEGER NOT NULL,
	end_time_ns INTEGER,
	content TEXT NOT NULL,
	usage TEXT,
	cost TEXT,
	UNIQUE (tid, span_id)
);

CREATE TABLE assessments (
	aid INTEGER PRIMARY KEY,
	assessment_id TEXT NOT NULL UNIQUE,
	tid INTEGER NOT NULL REFERENCES traces ON DELETE CASCADE,
	kind TEXT NOT NULL, -- feedback, expectation or issue
	name TEXT NOT NULL,
	value TEXT NOT NULL, -- JSON in Python's spelling
	number REAL,         -- the value when it is a finite number
	error TEXT,          -- JSON
	source_type TEXT NOT NULL,
	source_id TEXT,
	span_id TEXT,
	rationale TEXT,
	overrides TEXT,
	valid INTEGER NOT NULL,
	metadata TEXT,       -- JSON object of texts
	created_ms INTEGER NOT NULL,
	updated_ms INTEGER NOT NULL
);
CREATE INDEX assessments_by_trace ON assessments (tid);
CREATE INDEX assessments_by_name ON assessments (kind, name);

CREATE TABLE trace_runs (
	tid INTEGER NOT NULL REFERENCES traces ON DELETE CASCADE,
	run_id TEXT NOT NULL,
	PRIMARY KEY (tid, run_id)
) WITHOUT ROWID;
CREATE INDEX trace_runs_by_run ON trace_runs (run_id, tid);

CREATE TABLE trace_prompts (
	tid INTEGER NOT NULL REFERENCES traces ON DELETE CASCADE,
	prompt TEXT NOT NULL, -- "name/version"
	PRIMARY KEY (tid, prompt)
) WITHOUT ROWID;
CREATE INDEX trace_prompts_by_prompt ON trace_prompts (prompt, tid);
