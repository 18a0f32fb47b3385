"""Makes model directories of the xgboost and lightgbm flavors as one release of MLflow saves them, with requests
and what mlflow.pyfunc answers:

    python make_boosting_served.py boosting-mlflow-VERSION.zip

Run it with MLflow, XGBoost, LightGBM, scikit-learn (and skops for MLflow 3). The Go tests read only the zip.
"""

import json
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path

import lightgbm as lgb
import mlflow
import numpy as np
import pandas as pd
import xgboost as xgb
from mlflow.models import infer_signature

warnings.filterwarnings("ignore")
folder = tempfile.TemporaryDirectory()
out = Path(folder.name)
rng = np.random.RandomState(5)
n = 200
X = pd.DataFrame({"a": rng.rand(n) * 10, "b": rng.randn(n), "count": rng.randint(0, 5, n)})
gaps = X.astype(float)
gaps.loc[rng.rand(n) < 0.2, ["a", "b"]] = np.nan
y = X["a"] - X["b"] * X["count"]
yb, y3 = (y > 4).astype(int), np.digitize(y, [2, 6])
small = {"n_estimators": 4, "max_depth": 3, "n_jobs": 1}
quiet = {"verbose": -1, "num_threads": 1, "num_leaves": 6}
words = X.assign(c=pd.Categorical(rng.choice(["x", "y", "z"], n)))

models = {
    "xgb_booster": (mlflow.xgboost, xgb.train({"max_depth": 3}, xgb.DMatrix(X, y), 4), X, {}),
    "xgb_softprob": (mlflow.xgboost, xgb.train({"objective": "multi:softprob", "num_class": 3, "max_depth": 2}, xgb.DMatrix(gaps, y3), 3), gaps, {}),
    "xgb_regressor": (mlflow.xgboost, xgb.XGBRegressor(**small).fit(gaps, y), gaps, {}),
    "xgb_classifier": (mlflow.xgboost, xgb.XGBClassifier(**small).fit(X, yb), X, {}),
    "xgb_classifier_three": (mlflow.xgboost, xgb.XGBClassifier(**small).fit(X, y3), X, {}),
    "lgb_booster": (mlflow.lightgbm, lgb.train({**quiet, "objective": "poisson"}, lgb.Dataset(gaps, y3), 4), gaps, {}),
    "lgb_words": (mlflow.lightgbm, lgb.train({**quiet, "objective": "regression", "min_data_per_group": 5}, lgb.Dataset(words, y), 4), words, {}),
    "lgb_regressor": (mlflow.lightgbm, lgb.LGBMRegressor(verbose=-1, **small).fit(X, y), X, {}),
    "lgb_classifier": (mlflow.lightgbm, lgb.LGBMClassifier(verbose=-1, **small).fit(X, np.array(["low", "mid", "high"])[y3]), X, {}),
}
if int(mlflow.__version__.split(".")[0]) >= 2:
    models["xgb_json"] = (mlflow.xgboost, models["xgb_booster"][1], X, {"model_format": "json"})
# Estimators of the libraries in the sklearn flavor.
models["sklearn_xgb"] = (mlflow.sklearn, models["xgb_classifier_three"][1], X, {"serialization_format": "cloudpickle"})
models["sklearn_lgb"] = (mlflow.sklearn, models["lgb_classifier"][1], X, {"serialization_format": "pickle"})
if int(mlflow.__version__.split(".")[0]) >= 3:
    models["lgb_pickled"] = (mlflow.lightgbm, models["lgb_classifier"][1], X, {"serialization_format": "cloudpickle"})

cases = []
for name, (flavor, model, data, more) in models.items():
    path = out / name
    raw = data.assign(**{c: data[c].astype(str) for c in data.columns if data[c].dtype == "category"})
    signature = infer_signature(raw, model.predict(xgb.DMatrix(data) if isinstance(model, xgb.Booster) else data))
    flavor.save_model(model, str(path), signature=signature, pip_requirements=["mlflow"], **more)
    rows = data[:8]
    if name == "lgb_words":  # the enforcement of the signature would turn categories into text, which LightGBM refuses
        answer = model.predict(rows)
    else:
        answer = mlflow.pyfunc.load_model(str(path)).predict(rows)
    cells = [[None if isinstance(v, float) and np.isnan(v) else v for v in row] for row in raw[:8].astype(object).to_numpy().tolist()]
    cases.append({"model": name, "class": type(model).__name__, "body": {"dataframe_split": {"columns": list(data.columns), "data": cells}}, "predictions": np.asarray(answer).tolist()})
(out / "cases.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
    for file in sorted(out.rglob("*")):
        if file.is_file() and file.suffix not in (".yaml", ".txt"):
            archive.write(file, file.relative_to(out).as_posix())
print(mlflow.__version__, xgb.__version__, lgb.__version__, len(cases), "cases")
