"""MLflow's tracking quickstart: autologging, then logging by hand, then the model loaded back for predictions (3.x, and 2.x where it differs)."""

import mlflow
import mlflow.sklearn
import pandas as pd
from mlflow import MlflowClient
from mlflow.models import infer_signature
from sklearn import datasets
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split

new = int(mlflow.__version__.split(".")[0]) >= 3
experiment = mlflow.set_experiment("MLflow Quickstart")
X, y = datasets.load_iris(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=42)
params = {"solver": "lbfgs", "max_iter": 1000, "random_state": 8888}

# Autologging alone.
mlflow.sklearn.autolog()
LogisticRegression(**params).fit(X_train, y_train)
run = mlflow.last_active_run()
assert run.info.status == "FINISHED" and run.info.experiment_id == experiment.experiment_id
assert run.data.params["max_iter"] == "1000" and run.data.params["solver"] == "lbfgs", run.data.params
assert run.data.metrics["training_accuracy_score"] > 0.9 and run.data.metrics["training_roc_auc"] > 0.9, run.data.metrics
assert run.data.tags["estimator_name"] == "LogisticRegression" and run.data.tags["mlflow.autologging"] == "sklearn", run.data.tags
assert [i.dataset.source_type for i in run.inputs.dataset_inputs] == ["code"], run.inputs
names = {f.path for f in MlflowClient().list_artifacts(run.info.run_id)}
assert {"estimator.html", "training_confusion_matrix.png"} <= names, names
if new:
    (logged,) = mlflow.search_logged_models([experiment.experiment_id], output_format="list")
    assert logged.source_run_id == run.info.run_id and logged.status == "READY" and logged.params["max_iter"] == "1000", logged
    assert {m.key for m in logged.metrics} >= {"training_accuracy_score"}, logged.metrics
    assert (mlflow.sklearn.load_model(logged.model_uri).predict(X_test) == y_test).mean() > 0.9
else:
    assert (mlflow.sklearn.load_model(f"runs:/{run.info.run_id}/model").predict(X_test) == y_test).mean() > 0.9
mlflow.sklearn.autolog(disable=True)

# By hand, with a registered model.
with mlflow.start_run() as run:
    mlflow.log_params(params)
    lr = LogisticRegression(**params).fit(X_train, y_train)
    where = {"name": "iris_model"} if new else {"artifact_path": "iris_model"}
    model_info = mlflow.sklearn.log_model(
        sk_model=lr,
        signature=infer_signature(X_train, lr.predict(X_train)),
        input_example=X_train,
        registered_model_name="tracking-quickstart",
        pip_requirements=["scikit-learn"],  # to find them takes a minute; autologging above did it
        **where,
    )
    accuracy = accuracy_score(y_test, lr.predict(X_test))
    mlflow.log_metric("accuracy", accuracy)
    mlflow.set_tag("Training Info", "Basic LR model for iris data")
    if new:
        mlflow.set_logged_model_tags(model_info.model_id, {"Training Info": "Basic LR model for iris data"})

loaded = mlflow.pyfunc.load_model(model_info.model_uri)
result = pd.DataFrame(X_test, columns=datasets.load_iris().feature_names)
result["actual_class"] = y_test
result["predicted_class"] = loaded.predict(X_test)
assert (result.actual_class == result.predicted_class).mean() == accuracy
assert loaded.metadata.signature is not None and loaded.metadata.run_id == run.info.run_id
by_name = mlflow.pyfunc.load_model("models:/tracking-quickstart/1")
assert (by_name.predict(X_test) == loaded.predict(X_test)).all()
assert (mlflow.pyfunc.load_model("models:/tracking-quickstart/latest").predict(X_test) == loaded.predict(X_test)).all()
assert (mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/iris_model").predict(X_test) == loaded.predict(X_test)).all()
assert mlflow.models.get_model_info("models:/tracking-quickstart/1").flavors["sklearn"]["sklearn_version"]

runs = mlflow.search_runs(experiment_names=["MLflow Quickstart"], order_by=["metrics.accuracy DESC"])
assert list(runs["tags.Training Info"].dropna()) == ["Basic LR model for iris data"] and len(runs) == 2, runs
if new:
    model = mlflow.get_logged_model(model_info.model_id)
    assert model.tags["Training Info"].startswith("Basic") and model.name == "iris_model", model
    assert [(v["name"], str(v["version"])) for v in __import__("json").loads(model.tags["mlflow.modelVersions"])][0] == ("tracking-quickstart", "1"), model.tags
