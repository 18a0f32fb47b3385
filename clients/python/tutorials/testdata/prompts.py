"""MLflow's prompt registry: templates and chats, versions, aliases, tags, searching, prompts used in traces, deleting."""

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

mlflow.set_experiment("prompts")
client = MlflowClient()

prompt = mlflow.genai.register_prompt(
    name="summarization-prompt",
    template="Summarize in {{ num_sentences }} sentences: {{ sentences }}",
    commit_message="Initial commit",
    tags={"author": "author@example.com", "task": "summarization"},
)
assert (prompt.name, prompt.version) == ("summarization-prompt", 1) and prompt.variables == {"num_sentences", "sentences"}, prompt
assert mlflow.genai.load_prompt("nothing", allow_missing=True) is None
second = mlflow.genai.register_prompt(
    name="summarization-prompt",
    template="You summarize. {{ num_sentences }} sentences: {{ sentences }}",
    commit_message="Improvement",
)
assert second.version == 2

loaded = mlflow.genai.load_prompt("prompts:/summarization-prompt/1")
assert loaded.format(num_sentences=1, sentences="text") == "Summarize in 1 sentences: text"
assert loaded.tags["task"] == "summarization" and loaded.commit_message == "Initial commit", loaded
assert mlflow.genai.load_prompt("summarization-prompt").version == 2  # the latest
assert mlflow.genai.load_prompt("summarization-prompt", version=1).template == prompt.template
assert mlflow.genai.load_prompt("prompts:/summarization-prompt@latest").version == 2

# Aliases.
mlflow.genai.set_prompt_alias("summarization-prompt", alias="production", version=1)
assert mlflow.genai.load_prompt("prompts:/summarization-prompt@production").version == 1
mlflow.genai.set_prompt_alias("summarization-prompt", alias="production", version=2)
assert mlflow.genai.load_prompt("prompts:/summarization-prompt@production").version == 2
mlflow.genai.delete_prompt_alias("summarization-prompt", alias="production")
try:
    mlflow.genai.load_prompt("prompts:/summarization-prompt@production", cache_ttl_seconds=0)
    raise SystemExit("an alias that is gone was found")
except MlflowException as e:
    assert "production" in str(e) or "not found" in str(e).lower(), e

# Tags of a prompt and of a version.
client.set_prompt_tag("summarization-prompt", "team", "ml")
assert client.get_prompt("summarization-prompt").tags["team"] == "ml"
client.set_prompt_version_tag("summarization-prompt", 1, "checked", "yes")
assert client.get_prompt_version("summarization-prompt", 1).tags["checked"] == "yes"
client.delete_prompt_version_tag("summarization-prompt", 1, "checked")
client.delete_prompt_tag("summarization-prompt", "team")
assert "team" not in client.get_prompt("summarization-prompt").tags

# A chat with a response format.
chat = mlflow.genai.register_prompt(
    name="chat-prompt",
    template=[
        {"role": "system", "content": "You are a {{ style }} helper."},
        {"role": "user", "content": "{{ question }}"},
    ],
    response_format={"type": "object", "properties": {"answer": {"type": "string"}}},
)
back = mlflow.genai.load_prompt("chat-prompt", version=chat.version)
assert back.format(style="kind", question="why?") == [
    {"role": "system", "content": "You are a kind helper."},
    {"role": "user", "content": "why?"},
]
assert back.response_format["properties"]["answer"] == {"type": "string"}, back.response_format

# Searching; the lists of models stay without prompts.
assert {p.name for p in mlflow.genai.search_prompts()} >= {"summarization-prompt", "chat-prompt"}
assert [p.name for p in mlflow.genai.search_prompts(filter_string="name LIKE 'summar%'")] == ["summarization-prompt"]
assert not {"summarization-prompt", "chat-prompt"} & {m.name for m in client.search_registered_models()}
versions = client.search_prompt_versions("summarization-prompt")
assert sorted(int(v.version) for v in versions) == [1, 2], versions
try:
    client.create_registered_model("chat-prompt")
    raise SystemExit("a prompt's name was given to a model")
except MlflowException as e:
    assert "taken by a prompt" in str(e), e


# Used inside a trace and a run.
@mlflow.trace
def answer():
    return mlflow.genai.load_prompt("prompts:/summarization-prompt/2").format(num_sentences=2, sentences="s")


with mlflow.start_run() as run:
    answer()
mlflow.flush_trace_async_logging(terminate=False)
linked = client.get_trace(mlflow.get_last_active_trace_id()).info.tags
assert "summarization-prompt" in linked["mlflow.linkedPrompts"], linked
with mlflow.start_run() as run:
    mlflow.genai.load_prompt("chat-prompt", version=1)
assert "chat-prompt" in client.get_run(run.info.run_id).data.tags["mlflow.linkedPrompts"], client.get_run(run.info.run_id).data.tags

# Deleting.
client.delete_prompt_version("summarization-prompt", 1)
assert [int(v.version) for v in client.search_prompt_versions("summarization-prompt")] == [2]
client.delete_prompt_version("summarization-prompt", 2)
client.delete_prompt("summarization-prompt")
assert client.get_prompt("summarization-prompt") is None
