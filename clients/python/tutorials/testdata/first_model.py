"""MLflow's "logging your first model": a client, experiments with tags, searching them, training on made data, a run with its model."""

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score
from sklearn.model_selection import train_test_split

new = int(mlflow.__version__.split(".")[0]) >= 3
client = MlflowClient()

default = [{"name": e.name, "lifecycle_stage": e.lifecycle_stage} for e in client.search_experiments() if e.name == "Default"]
assert default == [{"name": "Default", "lifecycle_stage": "active"}], default

tags = {
    "project_name": "grocery-forecasting",
    "store_dept": "produce",
    "team": "stores-ml",
    "project_quarter": "Q3-2023",
    "mlflow.note.content": "This is the grocery forecasting project.",
}
created = client.create_experiment(name="Apple_Models", tags=tags)
(found,) = client.search_experiments(filter_string="tags.`project_name` = 'grocery-forecasting'")
assert found.experiment_id == created and found.tags == tags and found.name == "Apple_Models", found
assert found.creation_time and found.last_update_time == found.creation_time


def apples(rows=400, seed=1997):
    """Apple sales as the tutorial makes them: weather, promotions, prices and a demand that depends on them."""
    rng = np.random.default_rng(seed)
    days = pd.date_range("2023-01-01", periods=rows, freq="D")
    frame = pd.DataFrame(
        {
            "average_temperature": rng.uniform(10, 35, rows),
            "rainfall": rng.exponential(5, rows),
            "weekend": (days.dayofweek >= 5).astype(float),
            "price_per_kg": rng.uniform(0.5, 3, rows),
            "promo": rng.integers(0, 2, rows).astype(float),
        }
    )
    frame["demand"] = 1000 - 200 * frame.price_per_kg + 300 * frame.promo + 150 * frame.weekend + rng.normal(0, 20, rows)
    return frame


apple_experiment = mlflow.set_experiment("Apple_Models")
assert apple_experiment.experiment_id == created
data = apples()
X, y = data.drop(columns=["demand"]), data["demand"]
X_train, X_val, y_train, y_val = train_test_split(X, y, test_size=0.2, random_state=42)
params = {"n_estimators": 20, "max_depth": 6, "min_samples_split": 10, "bootstrap": True, "oob_score": False, "random_state": 888}
rf = RandomForestRegressor(**params).fit(X_train, y_train)
predicted = rf.predict(X_val)
metrics = {
    "mae": mean_absolute_error(y_val, predicted),
    "mse": mean_squared_error(y_val, predicted),
    "rmse": float(np.sqrt(mean_squared_error(y_val, predicted))),
    "r2": r2_score(y_val, predicted),
}
with mlflow.start_run(run_name="apples_rf_test") as run:
    mlflow.log_params(params)
    mlflow.log_metrics(metrics)
    # 3.x writes skops files, whose trees must be called trusted.
    where = {"name": "rf_apples", "skops_trusted_types": ["sklearn.tree._tree.Tree"]} if new else {"artifact_path": "rf_apples"}
    info = mlflow.sklearn.log_model(sk_model=rf, input_example=X_val, pip_requirements=["scikit-learn"], **where)

got = client.get_run(run.info.run_id)
assert got.data.metrics == metrics, (got.data.metrics, metrics)
assert got.data.params == {k: str(v) for k, v in params.items()}, got.data.params
assert got.info.run_name == "apples_rf_test"
back = mlflow.pyfunc.load_model(info.model_uri)
assert np.allclose(back.predict(X_val), predicted)
assert [c["name"] for c in back.metadata.get_input_schema().to_dict()] == list(X.columns)

# Registering what was logged.
version = mlflow.register_model(f"runs:/{run.info.run_id}/rf_apples", "apples")
assert (version.name, str(version.version), version.run_id) == ("apples", "1", run.info.run_id), version
assert np.allclose(mlflow.sklearn.load_model("models:/apples/1").predict(X_val), predicted)

# The experiment's life.
client.set_experiment_tag(created, "reviewed", "yes")
assert client.get_experiment(created).tags["reviewed"] == "yes"
client.rename_experiment(created, "Apple_Models_2023")
assert client.get_experiment_by_name("Apple_Models") is None
client.delete_experiment(created)
assert client.get_experiment(created).lifecycle_stage == "deleted" and client.get_run(run.info.run_id).info.lifecycle_stage == "deleted"
client.restore_experiment(created)
assert client.get_run(run.info.run_id).info.lifecycle_stage == "active"
