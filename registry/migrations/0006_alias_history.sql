-- Which version each alias pointed at, and since when. MLflow keeps none of this; a model takes its history with it when it is deleted.
CREATE TABLE alias_history (
	hid INTEGER PRIMARY KEY,
	mid INTEGER NOT NULL REFERENCES registered_models ON DELETE CASCADE,
	alias TEXT NOT NULL,
	version INTEGER, -- NULL: the alias was taken away
	changed_at INTEGER NOT NULL,
	changed_by TEXT NOT NULL
);
CREATE INDEX alias_history_of_model ON alias_history (mid, hid);
