"""XGBoost and LightGBM models are trained, logged and registered here: /invocations answers what mlflow.pyfunc does."""

import json
import os
import urllib.error
import urllib.request

import lightgbm as lgb
import mlflow
import numpy as np
import pandas as pd
import xgboost as xgb
from mlflow.models import infer_signature

uri = os.environ["MLFLOW_TRACKING_URI"]


def score(route, frame):
    body = json.dumps({"dataframe_split": json.loads(frame.to_json(orient="split", double_precision=15))}).encode()
    request = urllib.request.Request(f"{uri}/{route}/invocations", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return np.array(json.load(answer)["predictions"])
    except urllib.error.HTTPError as e:
        raise SystemExit(f"{route}: {e.code} {e.read().decode()}")


rng = np.random.default_rng(3)
x = pd.DataFrame({"a": rng.random(200).round(6), "b": rng.normal(size=200).round(6), "c": rng.integers(0, 9, 200).astype(float)})
x.loc[rng.random(200) < 0.2, "a"] = np.nan
y = x.a.fillna(0.3) * 4 - x.b + x.c
low, three, words = (y > 4).astype(int), np.digitize(y, [2, 6]), np.array(["low", "mid", "high"])[np.digitize(y, [2, 6])]
small = {"n_estimators": 20, "max_depth": 4, "n_jobs": 1}
quiet = {"verbose": -1, "num_threads": 1, "num_leaves": 8}
models = {
    "xgb-booster": (mlflow.xgboost, xgb.train({"objective": "binary:logistic", "max_depth": 3}, xgb.DMatrix(x, low), 20)),
    "xgb-regressor": (mlflow.xgboost, xgb.XGBRegressor(**small).fit(x, y)),
    "xgb-classifier": (mlflow.xgboost, xgb.XGBClassifier(**small).fit(x, three)),
    "lgb-booster": (mlflow.lightgbm, lgb.train({**quiet, "objective": "multiclass", "num_class": 3}, lgb.Dataset(x, three), 20)),
    "lgb-regressor": (mlflow.lightgbm, lgb.LGBMRegressor(verbose=-1, **small).fit(x, y)),
    "lgb-classifier": (mlflow.lightgbm, lgb.LGBMClassifier(verbose=-1, **small).fit(x, words)),
}
mlflow.set_experiment("boosting")
for name, (flavor, model) in models.items():
    answers = model.predict(xgb.DMatrix(x) if isinstance(model, xgb.Booster) else x)
    with mlflow.start_run():
        # Without pip_requirements MLflow starts a second Python that imports everything once more.
        flavor.log_model(model, name="model", signature=infer_signature(x, answers), pip_requirements=["mlflow"], registered_model_name=name)
    got = score(name, x)
    want = np.asarray(mlflow.pyfunc.load_model(f"models:/{name}/1").predict(x))
    assert got.shape == want.shape, (name, got.shape, want.shape)
    if want.dtype.kind == "f":
        worst = np.abs(got - want).max()
        assert worst <= (1e-9 if name.startswith("lgb") else 1e-6) * max(1, np.abs(want).max()), (name, worst)
    else:
        assert (got == want).all(), name
    assert np.array_equal(want, answers), name
print(len(models), "models answer as mlflow.pyfunc does")
