"""Makes the fixtures of estimators of XGBoost and LightGBM that stand inside those of scikit-learn.

Run it once for each set of releases, with numpy, pandas and cloudpickle beside them (and skops where that exists):

    python make_boosted.py boosted-SKLEARNVERSION.zip

The zip holds cases.json, with the bodies of requests and scikit-learn's own answers, and the model files that it names.
"""

import json
import pickle
import sys
import warnings
import zipfile

import cloudpickle
import lightgbm as lgb
import numpy as np
import pandas as pd
import xgboost as xgb
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import BaggingRegressor, StackingClassifier, StackingRegressor, VotingClassifier, VotingRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, MaxAbsScaler, OneHotEncoder, OrdinalEncoder, PolynomialFeatures, StandardScaler

try:
    import skops.io
except ImportError:
    skops = None

warnings.filterwarnings("ignore")
rng = np.random.RandomState(5)
n = 240
X = pd.DataFrame({
    "age": rng.randint(0, 7, n).astype(float), "amount": np.round(rng.gamma(2, 40, n), 2),
    "kind": rng.choice(["food", "travel", "health", "home", "toys"], n), "sex": rng.choice(["F", "M", "U"], n),
})
X.loc[rng.rand(n) < 0.3, "age"] = 0.0
gaps = X.copy()
gaps.loc[rng.rand(n) < 0.15, "age"] = np.nan
gaps.loc[rng.rand(n) < 0.15, "amount"] = np.nan
y = X["amount"] / 30 + X["age"] * (X["kind"] == "food") - 2.0 * (X["sex"] == "M") + rng.randn(n) * 0.3
yb = (y > np.median(y)).astype(int)
y3 = np.digitize(y, np.percentile(y, [33, 66]))
words = np.array(["low", "mid", "high"])[y3]
N = np.c_[X["age"], X["amount"], rng.randn(n), rng.randn(n) * 5]
texts = [" ".join(rng.choice(["red", "green", "blue", "dark", "light", "car", "house", "tree"], rng.randint(1, 6))) for _ in range(n)]
ytext = np.array([t.count("red") * 2 - t.count("car") + len(t.split()) for t in texts], float) + rng.randn(n) * 0.1

num, cat = ["age", "amount"], ["kind", "sex"]
odd = pd.DataFrame({"age": [0.0, 3.0, 6.0, -1.0, 100.0], "amount": [0.0, 1e-9, 1e6, 55.5, -3.0],
                    "kind": ["food", "toys", "unknown", "", "home"], "sex": ["F", "M", "U", "F", "X"]})
ask = pd.concat([X[:25], odd], ignore_index=True)
ask_gaps = pd.concat([gaps[:25], odd], ignore_index=True)
asked = np.r_[N[:20], [[0, 0, 0, 0], [-1, 1e6, -0.0, 3]]]
R = lambda **more: xgb.XGBRegressor(n_estimators=15, max_depth=4, random_state=1, n_jobs=1, **more)
C = lambda **more: xgb.XGBClassifier(n_estimators=12, max_depth=3, random_state=1, n_jobs=1, **more)
L = lambda **more: lgb.LGBMRegressor(n_estimators=15, num_leaves=9, min_child_samples=5, random_state=1, n_jobs=1, verbose=-1, **more)
K = lambda **more: lgb.LGBMClassifier(n_estimators=12, num_leaves=7, min_child_samples=5, random_state=1, n_jobs=1, verbose=-1, **more)
ONE = dict(handle_unknown="ignore")
try:
    OneHotEncoder(sparse_output=False)
    DENSE = dict(ONE, sparse_output=False)
except TypeError:
    DENSE = dict(ONE, sparse=False)


def columns(numbers, encoder, **more):
    return ColumnTransformer([("num", numbers, num), ("cat", encoder, cat)], **more)


cases, files = [], {}


def plain(data):
    cells = lambda rows: [[None if isinstance(v, float) and np.isnan(v) else v for v in row] for row in rows]
    if isinstance(data, np.ndarray):
        return {"inputs": cells(data.tolist())}
    return {"dataframe_split": {"columns": list(data.columns), "data": cells(data.astype(object).to_numpy().tolist())}}


def add(name, model, data, target, ask, fns=("predict",)):
    model.fit(data, target)
    saved = []
    for format, save in (("pickle", pickle.dumps), ("cloudpickle", cloudpickle.dumps)):
        if format == "cloudpickle" and not name.endswith("_scaled"):
            continue  # these are the same bytes
        files[name + "." + format] = save(model)
        saved.append(format)
    if skops is not None:
        text = skops.io.dumps(model)
        try:
            again = skops.io.loads(text, trusted=skops.io.get_untrusted_types(data=text))
            again.predict(ask)
            files[name + ".skops"] = text
            saved.append("skops")
        except Exception as e:  # noqa: BLE001
            print(name, "is not saved as skops:", str(e)[:80])
    for fn in fns:
        got = np.asarray(getattr(model, fn)(ask))
        cases.append({"name": name, "formats": saved, "fn": fn, "class": type(model).__name__, "body": plain(ask), "expected": got.tolist()})


BOTH = ("predict", "predict_proba")
for word, reg, cls in (("xgb", R, C), ("lgb", L, K)):
    add(word + "_scaled", Pipeline([("s", StandardScaler()), ("m", reg())]), N, y, asked)
    add(word + "_alone", Pipeline([("m", reg())]), X[num], y, ask[num])
    add(word + "_passed", Pipeline([("p", "passthrough"), ("m", cls())]), X[num], yb, ask[num], BOTH)
    add(word + "_columns", Pipeline([("c", columns(StandardScaler(), OneHotEncoder(**DENSE))), ("m", reg())]), X, y, ask)
    # Sparse: 0 of a number column is no entry of the matrix.
    add(word + "_sparse", Pipeline([("c", columns("passthrough", OneHotEncoder(**ONE), sparse_threshold=1.0)), ("m", reg())]), X, y, ask)
    add(word + "_sparse_scaled", Pipeline([("c", columns("passthrough", OneHotEncoder(**ONE), sparse_threshold=1.0)), ("s", MaxAbsScaler()), ("m", cls())]), X, yb, ask, BOTH)
    add(word + "_gaps", Pipeline([("c", columns("passthrough", OneHotEncoder(**ONE))), ("m", cls())]), gaps, y3, ask_gaps, BOTH)
    add(word + "_imputed", Pipeline([("c", columns(Pipeline([("i", SimpleImputer(strategy="median")), ("s", StandardScaler())]), OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1))), ("m", cls())]), gaps, yb, ask_gaps, BOTH)
    add(word + "_onehot", Pipeline([("o", OneHotEncoder(**ONE)), ("m", cls())]), X[cat], y3, ask[cat], BOTH)
    add(word + "_union", Pipeline([("u", FeatureUnion([("a", PCA(2, random_state=0)), ("b", KBinsDiscretizer(4, encode="onehot"))])), ("m", reg())]), N, y, asked)
    add(word + "_selected", Pipeline([("p", PolynomialFeatures(2)), ("k", SelectKBest(f_regression, k=6)), ("m", reg())]), N, y, asked)
    add(word + "_search", GridSearchCV(Pipeline([("s", StandardScaler()), ("m", reg())]), {"m__learning_rate": [0.1, 0.3]}, cv=2), N, y, asked)
    add(word + "_voting", VotingRegressor([("a", LinearRegression()), ("b", reg()), ("c", Pipeline([("s", StandardScaler()), ("m", reg(learning_rate=0.3))]))]), N, y, asked)
    add(word + "_voting_soft", VotingClassifier([("a", LogisticRegression(max_iter=500)), ("b", cls())], voting="soft"), N, words, asked, BOTH)
    add(word + "_voting_hard", VotingClassifier([("a", LogisticRegression(max_iter=500)), ("b", cls())]), N, words, asked)
    add(word + "_stacking", StackingRegressor([("a", LinearRegression()), ("b", reg())], final_estimator=reg(), passthrough=True, cv=2), N, y, asked)
    add(word + "_stacking_classes", Pipeline([("c", columns("passthrough", OneHotEncoder(**ONE), sparse_threshold=1.0)), ("m", StackingClassifier([("a", cls()), ("b", LogisticRegression(max_iter=500))], final_estimator=cls(), cv=2))]), X, words, ask, BOTH)
    add(word + "_calibrated", CalibratedClassifierCV(cls(), method="sigmoid", cv=2), N, y3, asked, BOTH)
    add(word + "_calibrated_pipeline", CalibratedClassifierCV(Pipeline([("c", columns("passthrough", OneHotEncoder(**DENSE))), ("m", cls())]), method="isotonic", cv=2), X, yb, ask, BOTH)
    add(word + "_target", TransformedTargetRegressor(Pipeline([("s", StandardScaler()), ("m", reg())]), transformer=StandardScaler()), N, y, asked)
    add(word + "_outputs", MultiOutputRegressor(reg()), N, np.c_[y, N[:, 2]], asked)
    add(word + "_bagging", BaggingRegressor(reg(), n_estimators=3, random_state=1, max_features=3), N, y, asked)
    add(word + "_rest", OneVsRestClassifier(cls()), N, words, asked, BOTH)
    add(word + "_bare", cls(), N, y3, asked, BOTH)
    add(word + "_text", Pipeline([("c", ColumnTransformer([("w", CountVectorizer(), "t"), ("n", "passthrough", ["k"])])), ("m", reg())]),
        pd.DataFrame({"t": texts, "k": rng.randint(0, 3, n)}), ytext, pd.DataFrame({"t": texts[:12] + ["", "new words", "red red"], "k": [0, 1, 2] * 5}))
add("lgb_labels", Pipeline([("s", StandardScaler()), ("m", K())]), N, words, asked, BOTH)
add("xgb_missing", Pipeline([("s", "passthrough"), ("m", R(missing=0.0))]), N, y, asked)
add("xgb_forest", Pipeline([("s", StandardScaler()), ("m", xgb.XGBRFRegressor(n_estimators=9, random_state=1, n_jobs=1))]), N, y, asked)
add("xgb_dart", Pipeline([("s", StandardScaler()), ("m", R(booster="dart", rate_drop=0.3))]), N, y, asked)
add("xgb_linear", Pipeline([("s", StandardScaler()), ("m", R(booster="gblinear"))]), N, y, asked)
add("lgb_poisson", Pipeline([("s", StandardScaler()), ("m", L(objective="poisson"))]), N, np.exp(y / 10), asked)

# What a function makes of a sparse matrix is not known, and what it does not hold is missing to XGBoost.
refused = Pipeline([("o", OneHotEncoder(**ONE)), ("f", FunctionTransformer()), ("m", R())])
files["refused_function.pickle"] = pickle.dumps(refused.fit(X[cat], y))

with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as z:
    z.writestr("cases.json", json.dumps(cases))
    for name, data in files.items():
        z.writestr(name, data)
print(len(cases), "cases of", len(files), "files")
