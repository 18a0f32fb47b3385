"""MLflow's autologging guides: a grid search with its child runs, a pipeline, LightGBM and XGBoost with their curves."""

import lightgbm
import mlflow
import numpy as np
import xgboost
from mlflow import MlflowClient
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

new = int(mlflow.__version__.split(".")[0]) >= 3
client = MlflowClient()
experiment = mlflow.set_experiment("autologging")
X, y = load_iris(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

# Every library at once, as mlflow.autolog() does.
# Without models but XGBoost's: to find a model's requirements takes MLflow a minute, and the quickstart does it.
mlflow.autolog(log_models=False, silent=True)
mlflow.sklearn.autolog(max_tuning_runs=2, log_models=False, silent=True)
mlflow.xgboost.autolog(silent=True)
with mlflow.start_run(run_name="grid") as parent:
    search = GridSearchCV(LogisticRegression(max_iter=500), {"C": [0.01, 0.1, 1.0]}, cv=2).fit(X_train, y_train)
    search.score(X_test, y_test)
got = client.get_run(parent.info.run_id)
assert got.data.params["best_C"] == str(search.best_params_["C"]) and np.isclose(got.data.metrics["best_cv_score"], search.best_score_), got.data
assert any(k.startswith("GridSearchCV_score") for k in got.data.metrics), got.data.metrics
children = client.search_runs([experiment.experiment_id], f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
assert len(children) == 2 and all("mean_test_score" in c.data.metrics for c in children), children
assert "cv_results.csv" in {f.path for f in client.list_artifacts(parent.info.run_id)}

with mlflow.start_run(run_name="pipeline") as run:
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(X_train, y_train)
got = client.get_run(run.info.run_id)
assert got.data.params["standardscaler"] == "StandardScaler()" and got.data.metrics["training_accuracy_score"] > 0.9, got.data.params

with mlflow.start_run(run_name="lightgbm") as run:
    train = lightgbm.Dataset(X_train, label=y_train)
    lightgbm.train(
        {"objective": "multiclass", "num_class": 3, "metric": "multi_logloss", "verbosity": -1, "num_leaves": 4, "min_data_in_leaf": 5},
        train,
        num_boost_round=5,
        valid_sets=[train],
        valid_names=["train"],
    )
history = client.get_metric_history(run.info.run_id, "train-multi_logloss")
assert [h.step for h in history] == list(range(5)) and history[-1].value < history[0].value, history
got = client.get_run(run.info.run_id)
assert got.data.params["num_leaves"] == "4", got.data.params
assert any(f.path.startswith("feature_importance") for f in client.list_artifacts(run.info.run_id)), client.list_artifacts(run.info.run_id)

with mlflow.start_run(run_name="xgboost") as run:
    data = xgboost.DMatrix(X_train, label=y_train)
    xgboost.train({"objective": "multi:softprob", "num_class": 3, "max_depth": 2}, data, num_boost_round=4, evals=[(data, "train")], verbose_eval=False)
history = client.get_metric_history(run.info.run_id, "train-mlogloss")
assert [h.step for h in history] == list(range(4)), history
mlflow.autolog(disable=True, silent=True)

if new:
    models = {m.model_type or m.name: m for m in mlflow.search_logged_models([experiment.experiment_id], output_format="list")}
    by_run = {m.source_run_id: m for m in models.values()}
    logged = mlflow.search_logged_models([experiment.experiment_id], filter_string=f"source_run_id = '{run.info.run_id}'", output_format="list")
    assert len(logged) == 1 and logged[0].status == "READY", logged
    back = mlflow.xgboost.load_model(logged[0].model_uri)
else:
    back = mlflow.xgboost.load_model(f"runs:/{run.info.run_id}/model")
assert back.predict(xgboost.DMatrix(X_test)).shape == (len(X_test), 3)
