"""Makes the scoring fixtures: fitted scikit-learn models with inputs and scikit-learn's own answers.

Run it once for each scikit-learn release, with numpy, pandas and cloudpickle beside it (and skops where
that exists):

    python make_fixtures.py sklearn-VERSION

writes sklearn-VERSION/cases.json and the model files it names. Go tests read only those files.
"""

import json
import pickle
import sys
import warnings
from pathlib import Path

import cloudpickle
import numpy as np
import pandas as pd
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    ARDRegression,
    BayesianRidge,
    ElasticNet,
    ElasticNetCV,
    HuberRegressor,
    Lars,
    Lasso,
    LassoCV,
    LassoLars,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    Perceptron,
    Ridge,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import LinearSVC, LinearSVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

try:
    import skops.io
except ImportError:
    skops = None

warnings.filterwarnings("ignore")
out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
rng = np.random.RandomState(7)

WINE = [
    "fixed acidity", "volatile acidity", "citric acid", "residual sugar", "chlorides", "free sulfur dioxide",
    "total sulfur dioxide", "density", "pH", "sulphates", "alcohol",
]
Xw = pd.DataFrame(rng.rand(120, 11) * 10, columns=WINE)
yw = Xw.to_numpy() @ rng.randn(11) + rng.randn(120)
yw2 = np.c_[yw, Xw["pH"] * 2 - yw]
yb = (yw > np.median(yw)).astype(int)
y3 = np.digitize(yw, np.percentile(yw, [33, 66]))
ys = np.array(["low", "mid", "high"])[y3]
ybool = yb.astype(bool)

n = 200
pay = pd.DataFrame({
    "age": rng.choice(list("0123456U"), n), "gender": rng.choice(list("EFMU"), n),
    "category": rng.choice(["es_food", "es_health", "es_transportation", "es_travel"], n),
    "amount": np.round(rng.gamma(2, 40, n), 2),
}).astype({"age": object, "gender": object, "category": object})
pay.loc[::17, "amount"] = np.nan
yp = ((pay["amount"].fillna(0) > 120) | (pay["category"] == "es_travel")).astype(int)
odd = pd.DataFrame({
    "age": ["4", "9", "", "U"], "gender": ["F", "M", "X", "E"],
    "category": ["es_transportation", "es_food", "unknown", "es_travel"], "amount": [800.0, np.nan, 0.0, 42.42],
}).astype({"age": object, "gender": object, "category": object})
missing = pay.copy()
missing.loc[::5, "gender"] = np.nan
grid = pd.DataFrame({"a": rng.rand(80), "b": rng.randint(0, 4, 80), "c": rng.randn(80) * 100})
gaps = grid.copy()
gaps.loc[::6, "a"] = np.nan
gaps.loc[::7, "c"] = np.nan
yg = grid["a"] * 3 + grid["b"]


def fraud(**kw):
    return Pipeline([
        ("columns", ColumnTransformer([
            ("amount", Pipeline([("fill", SimpleImputer(strategy="median")), ("scale", StandardScaler())]), ["amount"]),
            ("words", OneHotEncoder(handle_unknown="ignore"), ["age", "gender", "category"]),
        ])),
        ("model", LogisticRegression(max_iter=500, **kw)),
    ])


# Estimators are made late: an old release may not know an option.
models = {
    "elasticnet": (lambda: ElasticNet(alpha=0.42, l1_ratio=0.5), Xw, yw, None),
    "elasticnet_array": (lambda: ElasticNet(alpha=0.84), Xw.to_numpy(), yw, None),
    "linear": (lambda: LinearRegression(), Xw, yw, None),
    "linear_no_intercept": (lambda: LinearRegression(fit_intercept=False), Xw, yw, None),
    "linear_two_outputs": (lambda: LinearRegression(), Xw, yw2, None),
    "linear_column_target": (lambda: LinearRegression(), Xw, yw.reshape(-1, 1), None),
    "ridge": (lambda: Ridge(alpha=2.0), Xw, yw, None),
    "ridge_cv": (lambda: RidgeCV(), Xw, yw, None),
    "lasso": (lambda: Lasso(alpha=0.2), Xw, yw, None),
    "lasso_cv": (lambda: LassoCV(cv=3), Xw, yw, None),
    "elasticnet_cv": (lambda: ElasticNetCV(cv=3), Xw, yw, None),
    "lars": (lambda: Lars(), Xw, yw, None),
    "lasso_lars": (lambda: LassoLars(alpha=0.01), Xw, yw, None),
    "sgd_regressor": (lambda: Pipeline([("s", StandardScaler()), ("m", SGDRegressor(random_state=1))]), Xw, yw, None),
    "bayesian_ridge": (lambda: BayesianRidge(), Xw, yw, None),
    "ard": (lambda: ARDRegression(), Xw, yw, None),
    "huber": (lambda: HuberRegressor(), Xw, yw, None),
    "linear_svr": (lambda: LinearSVR(random_state=1), Xw, yw, None),
    "logistic": (lambda: LogisticRegression(max_iter=300), Xw, yb, None),
    "logistic_bool": (lambda: LogisticRegression(max_iter=300), Xw, ybool, None),
    "logistic_three": (lambda: LogisticRegression(max_iter=300), Xw, y3, None),
    "logistic_text": (lambda: LogisticRegression(max_iter=300), Xw, ys, None),
    "logistic_liblinear": (lambda: LogisticRegression(solver="liblinear"), Xw, yb, None),
    "logistic_cv": (lambda: LogisticRegressionCV(cv=3, max_iter=300), Xw, y3, None),
    "linear_svc": (lambda: LinearSVC(random_state=1), Xw, y3, None),
    "perceptron": (lambda: Perceptron(random_state=1), Xw, yb, None),
    "sgd_classifier": (lambda: SGDClassifier(random_state=1), Xw, y3, None),
    "scale_standard": (lambda: Pipeline([("s", StandardScaler()), ("m", Ridge())]), Xw, yw, None),
    "scale_mean_only": (lambda: Pipeline([("s", StandardScaler(with_std=False)), ("m", Ridge())]), Xw, yw, None),
    "scale_std_only": (lambda: Pipeline([("s", StandardScaler(with_mean=False)), ("m", Ridge())]), Xw, yw, None),
    "scale_minmax": (lambda: Pipeline([("s", MinMaxScaler((-2, 3))), ("m", Ridge())]), Xw, yw, None),
    "scale_minmax_clip": (lambda: Pipeline([("s", MinMaxScaler(clip=True)), ("m", Ridge())]), Xw[20:60], yw[20:60], Xw),
    "scale_maxabs": (lambda: Pipeline([("s", MaxAbsScaler()), ("m", Ridge())]), Xw, yw, None),
    "scale_robust": (lambda: Pipeline([("s", RobustScaler()), ("p", "passthrough"), ("m", Ridge())]), Xw, yw, None),
    "union": (lambda: Pipeline([("u", FeatureUnion([("a", StandardScaler()), ("b", MinMaxScaler()), ("c", "passthrough")])), ("m", Ridge())]), Xw, yw, None),
    "fraud": (lambda: fraud(), pay, yp, odd),
    "impute_mean": (lambda: Pipeline([("i", SimpleImputer()), ("m", Ridge())]), gaps, yg, None),
    "impute_constant": (lambda: Pipeline([("i", SimpleImputer(strategy="constant", fill_value=-5)), ("m", Ridge())]), gaps, yg, None),
    "impute_number": (lambda: Pipeline([("i", SimpleImputer(missing_values=0, strategy="most_frequent")), ("m", Ridge())]), grid, yg, None),
    "impute_text": (lambda: Pipeline([("i", SimpleImputer(strategy="most_frequent")), ("o", OneHotEncoder(handle_unknown="ignore")), ("m", Ridge())]), missing[["age", "gender"]], yp, odd[["age", "gender"]]),
    "onehot_drop": (lambda: Pipeline([("o", OneHotEncoder(drop="first")), ("m", Ridge())]), pay[["age", "gender"]], yp, None),
    "onehot_drop_if_binary": (lambda: Pipeline([("o", OneHotEncoder(drop="if_binary", handle_unknown="ignore")), ("m", Ridge())]), pay[["gender"]].assign(x=np.arange(n) % 2), yp, None),
    "onehot_numbers": (lambda: Pipeline([("o", OneHotEncoder(handle_unknown="ignore")), ("m", Ridge())]), grid[["b"]], yg, None),
    "onehot_missing": (lambda: Pipeline([("o", OneHotEncoder(handle_unknown="ignore")), ("m", Ridge())]), missing[["age", "gender"]], yp, None),
    "ordinal": (lambda: Pipeline([("o", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)), ("m", Ridge())]), pay[["age", "gender"]], yp, odd[["age", "gender"]]),
    "columns_passthrough": (lambda: Pipeline([("c", ColumnTransformer([("s", StandardScaler(), ["c"])], remainder="passthrough")), ("m", Ridge())]), grid, yg, None),
    "columns_remainder": (lambda: Pipeline([("c", ColumnTransformer([("s", StandardScaler(), ["c"])], remainder=MinMaxScaler())), ("m", Ridge())]), grid, yg, None),
    "columns_places": (lambda: Pipeline([("c", ColumnTransformer([("s", StandardScaler(), [0, 2]), ("d", "drop", [1])])), ("m", Ridge())]), grid.to_numpy(), yg, None),
    "columns_slice": (lambda: Pipeline([("c", ColumnTransformer([("s", StandardScaler(), slice(0, 2))])), ("m", Ridge())]), grid.to_numpy(), yg, None),
    "columns_mask": (lambda: Pipeline([("c", ColumnTransformer([("s", StandardScaler(), [True, False, True])])), ("m", Ridge())]), grid.to_numpy(), yg, None),
    "identity_function": (lambda: Pipeline([("f", FunctionTransformer()), ("m", Ridge())]), grid, yg, None),
    "nested_pipeline": (lambda: Pipeline([("p", Pipeline([("s", StandardScaler()), ("t", MinMaxScaler())])), ("m", Pipeline([("z", RobustScaler()), ("r", Ridge())]))]), grid, yg, None),
    "tree": (lambda: DecisionTreeRegressor(max_depth=6, random_state=1), Xw, yw, None),
    "tree_classifier": (lambda: DecisionTreeClassifier(max_depth=4, random_state=1), Xw, ys, None),
    "forest": (lambda: RandomForestRegressor(5, max_depth=5, random_state=1), Xw, yw, None),
    "forest_classifier": (lambda: RandomForestClassifier(5, max_depth=5, random_state=1), Xw, y3, None),
    "extra_trees": (lambda: ExtraTreesRegressor(5, max_depth=5, random_state=1), Xw, yw, None),
    "extra_trees_classifier": (lambda: ExtraTreesClassifier(5, max_depth=5, random_state=1), Xw, yb, None),
    "boosting": (lambda: GradientBoostingRegressor(n_estimators=6, random_state=1), Xw, yw, None),
    "boosting_classifier": (lambda: GradientBoostingClassifier(n_estimators=6, random_state=1), Xw, yb, None),
    "boosting_three": (lambda: GradientBoostingClassifier(n_estimators=4, random_state=1), Xw, y3, None),
}

# Models that must be refused at load, with a word that the reason must hold.
refused = {
    "refuse_no_predict": (lambda: StandardScaler(), grid, yg, "predict"),
}


def plain(frame):
    if isinstance(frame, np.ndarray):
        return {"inputs": frame.tolist()}
    rows = [[None if isinstance(v, float) and np.isnan(v) else v for v in row] for row in frame.to_numpy(dtype=object).tolist()]
    return {"dataframe_split": {"columns": list(frame.columns), "data": rows}}


def write(name, model, data):
    files = {name + ".pkl": pickle.dumps(model, protocol=4)}
    if name in ("elasticnet", "fraud", "forest"):
        for protocol in (2, 3, 5):
            files["%s.p%d.pkl" % (name, protocol)] = pickle.dumps(model, protocol=protocol)
        files[name + ".cloudpickle.pkl"] = cloudpickle.dumps(model)
    if name == "elasticnet":
        files["elasticnet.p0.pkl"] = pickle.dumps(model, protocol=0)
    if skops and not name.startswith(("extra_trees", "forest_", "boosting_")):  # these are large
        files[name + ".skops"] = skops.io.dumps(model)
    for file, content in files.items():
        (out / file).write_bytes(content)
    return sorted(files)


cases = []
for name, (make, X, y, rows) in models.items():
    try:
        model = make().fit(X, y)
    except (TypeError, ValueError) as e:
        print(name, "is not of this release:", e)
        continue
    rows = X if rows is None else rows
    rows = rows[:12]
    for fn in ("predict", "predict_proba"):
        if not hasattr(model, fn):
            continue
        expected = getattr(model, fn)(rows)
        cases.append({"name": name, "fn": fn, "files": write(name, model, X), "body": plain(rows), "expected": expected.tolist()})
for name, (make, X, y, word) in refused.items():
    try:
        model = make().fit(X, y)
    except (TypeError, ValueError) as e:
        print(name, "is not of this release:", e)
        continue
    cases.append({"name": name, "fn": "predict", "files": write(name, model, X), "refused": word})
(out / "cases.json").write_text(json.dumps({"sklearn": sklearn.__version__, "numpy": np.__version__, "cases": cases}, indent=None, separators=(",", ":")) + "\n")
print(sklearn.__version__, len(cases), "cases")
