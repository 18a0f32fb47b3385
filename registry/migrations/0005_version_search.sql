-- The versions of a model, the last changed first, as MLflow's search gives them: a page reads no more than it shows.
CREATE INDEX model_versions_of_model_in_order ON model_versions (mid, last_updated_timestamp DESC, version DESC);
-- Searches leave prompts out; there are few.
CREATE INDEX model_version_prompts ON model_version_tags (vid) WHERE key = 'mlflow.prompt.is_prompt' AND value = 'true';
