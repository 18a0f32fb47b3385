"""MLflow's tutorials on hyperparameters: child runs under a parent, by hand, with Optuna, and with Optuna keeping its study in MLflow."""

import mlflow
import numpy as np
import optuna
from mlflow import MlflowClient
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import train_test_split

optuna.logging.set_verbosity(optuna.logging.WARNING)
new = int(mlflow.__version__.split(".")[0]) >= 3
client = MlflowClient()
X_train, X_val, y_train, y_val = train_test_split(*load_diabetes(return_X_y=True), random_state=0)
experiment = mlflow.set_experiment("Hyperparameter Tuning Experiment")


def objective(trial):
    with mlflow.start_run(nested=True, run_name=f"trial_{trial.number}") as child:
        params = {
            "n_estimators": trial.suggest_int("n_estimators", 2, 8),
            "max_depth": trial.suggest_int("max_depth", 1, 6),
            "min_samples_split": trial.suggest_int("min_samples_split", 2, 10),
        }
        mlflow.log_params(params)
        model = RandomForestRegressor(random_state=0, **params).fit(X_train, y_train)
        error = mean_squared_error(y_val, model.predict(X_val))
        mlflow.log_metrics({"error": error})
        where = {"name": "model", "skops_trusted_types": ["sklearn.tree._tree.Tree"]} if new else {"artifact_path": "model"}
        mlflow.sklearn.log_model(model, pip_requirements=["scikit-learn"], **where)
        trial.set_user_attr("run_id", child.info.run_id)
        return error


with mlflow.start_run(run_name="study") as parent:
    study = optuna.create_study(direction="minimize", sampler=optuna.samplers.RandomSampler(seed=1))
    study.optimize(objective, n_trials=4)
    mlflow.log_params(study.best_trial.params)
    mlflow.log_metrics({"best_error": study.best_value})
    best = study.best_trial.user_attrs["run_id"]
    mlflow.log_param("best_child_run_id", best)

children = mlflow.search_runs(
    [experiment.experiment_id], f"tags.mlflow.parentRunId = '{parent.info.run_id}'", order_by=["metrics.error ASC"]
)
assert len(children) == 4 and children.iloc[0].run_id == best, children
assert list(children["metrics.error"]) == sorted(children["metrics.error"])
assert np.isclose(children.iloc[0]["metrics.error"], study.best_value)
assert mlflow.get_parent_run(best).info.run_id == parent.info.run_id
winner = mlflow.register_model(f"runs:/{best}/model", "housing-price-predictor")
client.set_registered_model_alias("housing-price-predictor", "champion", winner.version)
champion = mlflow.sklearn.load_model("models:/housing-price-predictor@champion")
assert np.isclose(mean_squared_error(y_val, champion.predict(X_val)), study.best_value)

# Two levels of children, as the tutorial on parents and children has them.
with mlflow.start_run(run_name="outer") as outer:
    for batch in range(2):
        with mlflow.start_run(run_name=f"batch_{batch}", nested=True) as inner:
            for alpha in (0.1, 1.0):
                with mlflow.start_run(run_name=f"alpha_{alpha}", nested=True, tags={"batch": str(batch)}) as leaf:
                    mlflow.log_metric("score", Ridge(alpha=alpha).fit(X_train, y_train).score(X_val, y_val))
                    assert client.get_run(leaf.info.run_id).data.tags["mlflow.parentRunId"] == inner.info.run_id
assert len(client.search_runs([experiment.experiment_id], f"tags.`mlflow.parentRunId` = '{outer.info.run_id}'")) == 2
best_leaf = client.search_runs([experiment.experiment_id], "tags.batch = '1'", order_by=["metrics.score DESC"], max_results=1)[0]
assert best_leaf.info.run_name.startswith("alpha_")

# The client's own way: runs that nobody entered.
made = client.create_run(experiment.experiment_id, tags={"mlflow.parentRunId": outer.info.run_id}, run_name="made")
client.log_metric(made.info.run_id, "loss", 0.25, step=3)
client.set_terminated(made.info.run_id, status="FAILED")
made = client.get_run(made.info.run_id)
assert made.info.status == "FAILED" and made.info.end_time and made.data.metrics == {"loss": 0.25}

if new:
    # Optuna's study kept in MLflow (mlflow.optuna.storage): trials are runs, their state is tags.
    from mlflow.optuna.storage import MlflowStorage

    storage_experiment = client.create_experiment("optuna storage")
    storage = MlflowStorage(experiment_id=storage_experiment)
    kept = optuna.create_study(storage=storage, study_name="kept", direction="minimize", sampler=optuna.samplers.RandomSampler(seed=3))
    kept.optimize(lambda t: (t.suggest_float("x", -4, 4) - 2) ** 2, n_trials=5)
    again = optuna.load_study(study_name="kept", storage=MlflowStorage(experiment_id=storage_experiment))
    assert len(again.trials) == 5 and again.best_value == kept.best_value and again.best_params == kept.best_params, again.trials
    assert {t.state.name for t in again.trials} == {"COMPLETE"}
