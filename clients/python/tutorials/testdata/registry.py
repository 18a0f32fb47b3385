"""MLflow's tutorial on the model registry: register, describe, tag, alias, promote, copy, search, delete."""

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sklearn.datasets import make_regression
from sklearn.ensemble import RandomForestRegressor

new = int(mlflow.__version__.split(".")[0]) >= 3
client = MlflowClient()
mlflow.set_experiment("registry tutorial")
X, y = make_regression(n_features=4, n_informative=2, random_state=0, shuffle=False)
name = "sk-learn-random-forest-reg-model"


def log(depth, **extra):
    with mlflow.start_run() as run:
        model = RandomForestRegressor(max_depth=depth, n_estimators=3, random_state=42).fit(X, y)
        mlflow.log_params({"max_depth": depth})
        where = {"name": "sklearn-model", "skops_trusted_types": ["sklearn.tree._tree.Tree"]} if new else {"artifact_path": "sklearn-model"}
        mlflow.sklearn.log_model(sk_model=model, input_example=X, pip_requirements=["scikit-learn"], **where, **extra)
        return run.info.run_id, model


# Three ways to register.
first, model = log(2, registered_model_name=name)
second, _ = log(3)
result = mlflow.register_model(f"runs:/{second}/sklearn-model", name, tags={"origin": "runs"})
assert str(result.version) == "2", result
created = client.create_registered_model("made-by-hand", tags={"framework": "sklearn"}, description="A *model*")
assert (created.name, created.description, created.tags) == ("made-by-hand", "A *model*", {"framework": "sklearn"})
source = client.get_model_version(name, "2").source
model_id = {"model_id": source.removeprefix("models:/")} if new else {}
third = client.create_model_version("made-by-hand", source, second, **model_id)
assert (str(third.version), third.run_id, third.status, third.current_stage) == ("1", second, "READY", "None"), third
try:
    client.create_registered_model(name)
    raise SystemExit("a name was given twice")
except MlflowException as e:
    assert e.error_code == "RESOURCE_ALREADY_EXISTS" and "already exists" in str(e), e

# Descriptions, tags, aliases.
client.update_registered_model(name, "For the tutorial")
client.update_model_version(name, "1", "Depth two")
client.set_registered_model_tag(name, "task", "regression")
client.set_model_version_tag(name, "1", "validation_status", "approved")
client.set_registered_model_alias(name, "Champion", "1")
client.set_registered_model_alias(name, "challenger", "2")
found = client.get_registered_model(name)
assert (found.description, found.tags) == ("For the tutorial", {"task": "regression"}), found
assert {a: str(v) for a, v in found.aliases.items()} == {"Champion": "1", "challenger": "2"}, found.aliases
assert client.get_model_version_by_alias(name, "Champion").description == "Depth two"
assert client.get_model_version(name, "1").aliases == ["Champion"]
assert np.allclose(mlflow.pyfunc.load_model(f"models:/{name}@Champion").predict(X), model.predict(X))
client.set_registered_model_alias(name, "Champion", "2")  # moves
assert client.get_model_version(name, "1").aliases == []
client.delete_registered_model_alias(name, "challenger")
client.delete_model_version_tag(name, "1", "validation_status")
client.delete_registered_model_tag(name, "task")
assert client.get_registered_model(name).tags == {} and client.get_model_version(name, "1").tags == {}

# Stages, as before aliases.
client.transition_model_version_stage(name, "1", "Production")
client.transition_model_version_stage(name, "2", "Production", archive_existing_versions=True)
assert [str(v.version) for v in client.get_latest_versions(name, stages=["Production"])] == ["2"]
assert client.get_model_version(name, "1").current_stage == "Archived"
assert mlflow.sklearn.load_model(f"models:/{name}/Production").max_depth == 3

# Promotion to another name copies the version.
copied = client.copy_model_version(f"models:/{name}@Champion", "regression-prod")
assert (copied.name, str(copied.version), copied.source) == ("regression-prod", "1", f"models:/{name}/2"), copied
assert mlflow.sklearn.load_model("models:/regression-prod/1").max_depth == 3
assert client.get_model_version_download_uri("regression-prod", "1") == client.get_model_version_download_uri(name, "2")

# Searching.
assert [m.name for m in client.search_registered_models("name LIKE 'sk-learn-%'")] == [name]
assert [m.name for m in client.search_registered_models("tags.framework = 'sklearn'")] == ["made-by-hand"]
mine = {name, "made-by-hand", "regression-prod"}
assert [m.name for m in client.search_registered_models(order_by=["name DESC"]) if m.name in mine] == sorted(mine, reverse=True)
assert [str(v.version) for v in client.search_model_versions(f"name='{name}'", order_by=["version_number DESC"])] == ["2", "1"]
assert {v.name for v in client.search_model_versions(f"run_id = '{second}'")} == mine, client.search_model_versions(f"run_id = '{second}'")
assert sorted((v.name, str(v.version)) for v in mlflow.search_model_versions(filter_string="tags.origin = 'runs'")) == [("regression-prod", "1"), (name, "2")]

# Renaming and deleting.
client.rename_registered_model("made-by-hand", "renamed")
assert str(client.get_model_version("renamed", "1").version) == "1"
client.delete_model_version("renamed", "1")
assert client.search_model_versions("name='renamed'") == []
for gone in ("renamed", "regression-prod", name):
    client.delete_registered_model(gone)
    try:
        client.get_registered_model(gone)
        raise SystemExit(f"{gone} is still there")
    except MlflowException as e:
        assert e.error_code == "RESOURCE_DOES_NOT_EXIST", e
