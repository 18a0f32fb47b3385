"""Makes model directories of the catboost flavor as one release of MLflow saves them, with requests and what
mlflow.pyfunc answers:

    python make_catboost_served.py cbm-mlflow-VERSION.zip

Run it with MLflow, CatBoost and scikit-learn. The Go tests read only the zip.
"""

import json
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path

import catboost as cb
import mlflow
import mlflow.catboost
import mlflow.sklearn
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

warnings.filterwarnings("ignore")
folder = tempfile.TemporaryDirectory()
out = Path(folder.name)
rng = np.random.RandomState(5)
n = 200
X = pd.DataFrame({"a": rng.rand(n) * 10, "b": rng.randn(n), "count": rng.randint(0, 5, n)})
gaps = X.astype(float)
gaps.loc[rng.rand(n) < 0.2, ["a", "b"]] = np.nan
words = X.assign(word=rng.choice(list("uvwxyz"), n))
y = X["a"] - X["b"] * X["count"]
y3 = np.array(["low", "mid", "high"])[np.digitize(y, [2, 6])]
common = {"iterations": 6, "depth": 3, "thread_count": 1, "verbose": False, "allow_writing_files": False, "random_seed": 1}

models = {
    "regressor": (cb.CatBoostRegressor(**common).fit(X, y), X, {}),
    "poisson": (cb.CatBoostRegressor(loss_function="Poisson", **common).fit(gaps, np.floor(y.abs())), gaps, {}),
    "two": (cb.CatBoostRegressor(loss_function="MultiRMSE", **common).fit(gaps, np.c_[y, -y]), gaps, {}),
    "classifier": (cb.CatBoostClassifier(**common).fit(X, (y > 4).astype(int)), X, {}),
    "classifier_words": (cb.CatBoostClassifier(one_hot_max_size=9, **common).fit(words, y3, cat_features=["word"]), words, {}),
    "booster": (cb.CatBoost({**common, "loss_function": "Logloss"}).fit(X, (y > 4).astype(int)), X, {}),
    "ranker": (cb.CatBoostRanker(**common).fit(X, np.digitize(y, [0, 5]), group_id=np.repeat(np.arange(20), 10)), X, {}),
    "json": (cb.CatBoostRegressor(**common).fit(X, y), X, {"format": "json"}),
    "sklearn_words": (cb.CatBoostClassifier(one_hot_max_size=9, **common).fit(words, y3, cat_features=["word"]), words, {"serialization_format": "cloudpickle"}),
    "sklearn_tweedie": (cb.CatBoostRegressor(loss_function="Tweedie:variance_power=1.5", **common).fit(gaps, y.abs()), gaps, {"serialization_format": "pickle"}),
    "sklearn_pipeline": (make_pipeline(StandardScaler(), cb.CatBoostRegressor(**common)).fit(X, y), X, {"serialization_format": "cloudpickle"}),
    "statistics": (cb.CatBoostRegressor(**common).fit(words, y + 9 * words["word"].isin(["u", "w", "z"]), cat_features=["word"]), words, {}),
}
cases = []
for name, (model, data, more) in models.items():
    path = out / name
    flavor = mlflow.sklearn if name.startswith("sklearn") else mlflow.catboost
    flavor.save_model(model, str(path), signature=infer_signature(data, model.predict(data)), pip_requirements=["mlflow"], **more)
    rows = data[:8]
    answer = np.asarray(mlflow.pyfunc.load_model(str(path)).predict(rows)).tolist()
    cells = [[None if isinstance(v, float) and np.isnan(v) else v for v in row] for row in rows.astype(object).to_numpy().tolist()]
    cases.append({"model": name, "class": type(model).__name__, "body": {"dataframe_split": {"columns": list(data.columns), "data": cells}}, "predictions": answer})
# A list of numbers is one row.
plain = X.to_numpy()
for name, model in {
    "one_regressor": cb.CatBoostRegressor(**common).fit(plain, y), "one_class": cb.CatBoostClassifier(**common).fit(plain, y3 == "low"), "one_word": cb.CatBoostClassifier(**common).fit(plain, y3),
    "one_pair": cb.CatBoostRegressor(loss_function="MultiRMSE", **common).fit(plain, np.c_[y, -y]),
}.items():
    mlflow.catboost.save_model(model, str(out / name), pip_requirements=["mlflow"])
    answer = np.asarray(mlflow.pyfunc.load_model(str(out / name)).predict(plain[0])).tolist()
    cases.append({"model": name, "class": type(model).__name__, "body": {"inputs": plain[0].tolist()}, "predictions": answer})
(out / "cases.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
    for file in sorted(out.rglob("*")):
        if file.is_file() and file.suffix not in (".yaml", ".txt"):
            archive.write(file, file.relative_to(out).as_posix())
print(mlflow.__version__, cb.__version__, len(cases), "cases")
