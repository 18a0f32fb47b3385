"""Makes the fixtures of the boosting libraries: models as MLflow saves them, with the libraries' own answers.

Run it once for each release of XGBoost or LightGBM, with numpy, pandas, scikit-learn and cloudpickle beside
it (and skops where that exists):

    python make_boosting.py xgboost-VERSION.zip
    python make_boosting.py lightgbm-VERSION.zip

writes a zip of cases.json and the model files it names; a word after it takes only the cases whose names begin
with it (xgboost-1.6.2.zip categories). A model is saved, loaded again and asked as MLflow's
xgboost and lightgbm flavors do. Go tests read only those files.
"""

import json
import pickle
import re
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path

import cloudpickle
import numpy as np
import pandas as pd

try:
    import skops.io
except ImportError:
    skops = None

warnings.filterwarnings("ignore")
target = Path(sys.argv[1])
library = target.name.split("-")[0]
folder = tempfile.TemporaryDirectory()
out = Path(folder.name)
rng = np.random.RandomState(11)
n = 300

X = pd.DataFrame({"a": rng.rand(n) * 10, "b": rng.randn(n), "c": rng.randint(0, 5, n), "d": np.round(rng.randn(n) * 3) / 2})
y = X["a"] * 1.5 - X["b"] * X["c"] + np.sin(X["d"] * 3) + rng.randn(n) * 0.1
gaps = X.astype(float)
gaps.loc[rng.rand(n) < 0.2, "a"] = np.nan
gaps.loc[rng.rand(n) < 0.2, "b"] = np.nan
zeros = X.astype(float)
zeros.loc[rng.rand(n) < 0.4, "a"] = 0
zeros.loc[rng.rand(n) < 0.4, "b"] = 0
yb = (y > np.median(y)).astype(int)
y3 = np.digitize(y, np.percentile(y, [33, 66]))
ypos = np.exp(y / 10)
ycount = rng.poisson(np.exp(y / 15))
y01 = 1 / (1 + np.exp(-y / 5))
ywords = np.array(["low", "mid", "high"])[y3]
codes = X.assign(c=rng.randint(0, 7, n), d=rng.randint(0, 40, n))
ycodes = codes["a"] + np.array([3, -2, 5, 0, 1, -4, 2])[codes["c"]] + rng.randn(40)[codes["d"]] * 4
words = X.assign(c=pd.Categorical(rng.choice(["x", "y", "z", "w"], n)), d=pd.Categorical(rng.choice([10, 20, 30], n)))
ywords2 = X["a"] + words["c"].cat.codes.to_numpy() * 3 - (words["d"] == 20) * 5
group = [30] * 10
relevance = np.digitize(y, np.percentile(y, [25, 50, 75]))

# Rows that no training saw: missing values, zeros of both signs, tiny, huge and far values.
odd = pd.DataFrame({"a": [np.nan, 0.0, -0.0, 1e-36, -5.0, 1e30, 5.5], "b": [np.nan, np.nan, 0.0, -1e-36, 9e9, -3.0, 0.25],
                    "c": [np.nan, 0, 1, 2, 3, 4, 99], "d": [np.nan, 0.5, 0.0, -0.5, 1.0, -1e30, 1.5]})
huge = pd.DataFrame({"a": [1e39], "b": [0.0], "c": [1], "d": [-1e300]})
odd_codes = pd.DataFrame({"a": [1.0] * 8, "b": [0.0] * 8, "c": [np.nan, -1, 0, 2.7, 6, 7, 31, 64], "d": [5, np.nan, -3, 39, 40, 1000, 1e9, 31]})


def plain(data):
    cells = lambda rows: [[None if v is None or isinstance(v, float) and np.isnan(v) else v for v in row] for row in rows]
    if isinstance(data, np.ndarray):
        return {"inputs": cells(data.tolist())}
    data = data.copy()
    for name in data.columns:
        data[name] = data[name].astype(object)
    return {"dataframe_split": {"columns": [str(c) for c in data.columns], "data": cells(data.to_numpy(dtype=object).tolist())}}


def ties(data, thresholds):
    """Rows that stand on the thresholds of the trees, and a float32 step beside them."""
    rows = []
    for feature, value in thresholds[:20]:
        for v in (value, float(np.nextafter(np.float32(value), np.float32(-np.inf)))):
            row = [float(x) for x in data.to_numpy(dtype=float)[0]]
            row[feature] = v
            rows.append(row)
    return pd.DataFrame(rows, columns=data.columns) if rows else None


cases = []


def add(case, files, answer, data, **more):
    """Adds what a loaded model answers; an error's text where it raises one."""
    entry = {"name": case, "files": files, "body": plain(data), **more}
    try:
        got = answer(data)
        entry["kind"] = {"f": "float", "i": "int", "b": "bool", "U": "string", "O": "string"}[np.asarray(got).dtype.kind]
        entry["expected"] = [None if isinstance(v, float) and np.isnan(v) else v for v in got.tolist()] if got.ndim == 1 else got.tolist()
    except Exception as e:  # noqa: BLE001
        entry["error"] = type(e).__name__ + ": " + str(e)[:300]
    cases.append(entry)


def xgboost_cases():
    import xgboost as xgb

    version = tuple(int(p) for p in xgb.__version__.split(".")[:2])

    def thresholds(booster, data):
        found = []
        try:
            dumps = booster.get_dump()
        except Exception:  # noqa: BLE001
            return []  # a tree of vectors has no text
        for dump in dumps:
            for name, value in re.findall(r"\[(\w+)<([^\]]+)\]", dump):
                place = int(name[1:]) if re.fullmatch(r"f\d+", name) else list(data.columns).index(name)
                found.append((place, float(np.float32(value))))
        return found

    # Cases that are saved as JSON, and in the old binary format, too.
    TEXT = ("squarederror", "binary", "softprob", "dart", "linear", "categories", "regressor", "classifier_three")
    OLD = TEXT + ("binary_base", "dart_three", "linear_three", "forest", "missing", "poisson", "cox", "stopped", "regressor_missing",
                  "classifier", "classifier_words", "classifier_stopped")

    def save(case, model):
        files = []
        if case in OLD or version < (1, 0):
            files.append(case + ".xgb")
        if version >= (1, 0) and (version < (1, 6) or case in TEXT):
            files.append(case + ".json")
        if version >= (1, 6):
            files.append(case + ".ubj")
        kept = []
        for file in files:
            try:
                model.save_model(str(out / file))
            except Exception as e:  # noqa: BLE001
                print(case, file, "cannot be saved:", str(e)[:100])
                continue
            kept.append(file)
        if version >= (2, 1) and kept[0].endswith(".xgb"):  # it is UBJSON there
            (out / kept.pop(0)).unlink()
        return kept

    def load(model, file):
        new = type(model)()
        new.load_model(str(out / file))
        return new

    def ask(model):
        if isinstance(model, xgb.Booster):
            return lambda data: model.predict(xgb.DMatrix(data))
        return model.predict

    def record(case, model, *inputs, refused=""):
        model_class = type(model).__module__ + "." + type(model).__name__
        files = save(case, model)
        for file in files:
            for data in inputs if file == files[-1] else inputs[:1]:
                if data is not None:
                    # XGBoost before 1.0 keeps the names of the first frame it sees.
                    add(case, [file], ask(load(model, file)), data, model_class=model_class, **({"refused": refused} if refused else {}))

    def pickled(case, model, data, target, *inputs):
        """Records a wrapper as mlflow.sklearn logs it."""
        model = model.fit(data, target)
        files = {case + ".pkl": cloudpickle.dumps(model)}
        if skops:
            files[case + ".skops"] = skops.io.dumps(model)
        for file, content in files.items():
            (out / file).write_bytes(content)
        loaded = pickle.loads(files[case + ".pkl"])
        for part in (data[:12], *inputs):
            add(case, sorted(files), loaded.predict, part, model_class=type(model).__module__ + "." + type(model).__name__)

    def train(case, objective, target, data=X, rounds=6, refused="", params=None, tail=(), enable=False, **kw):
        settings = {"objective": objective, "max_depth": 3, "eta": 0.3, "seed": 3, "nthread": 1, **(params or {})}
        try:
            types = {"feature_types": ["q", "q", "c", "c"], "enable_categorical": True} if enable else {}
            matrix = xgb.DMatrix(data, target, **types, **kw)
            booster = xgb.train(settings, matrix, rounds)
        except Exception as e:  # noqa: BLE001
            print(case, "is not of this release:", str(e)[:160].replace("\n", " "))
            return
        frame = data if isinstance(data, pd.DataFrame) else pd.DataFrame(data)
        # Old releases have no JSON dump of categorical splits.
        rows = None if enable or settings.get("booster") == "gblinear" else ties(frame, thresholds(booster, frame))
        if isinstance(data, np.ndarray) and rows is not None:
            rows = rows.to_numpy()
        record(case, booster, data[:12], rows, *tail, refused=refused)

    # Every objective.
    train("squarederror", "reg:squarederror", y, tail=[odd, huge, X[:1], X.rename(columns={"a": "z"})[:2], X[["b", "a", "c", "d"]][:2], X.to_numpy()[:2]])
    train("many_rows", "reg:squarederror", y, rounds=3, tail=[X])
    train("array", "reg:squarederror", y, data=X.to_numpy(), tail=[odd.to_numpy(), X[:3], X.to_numpy()[:3, :3], np.c_[X.to_numpy(), X.to_numpy()][:3]])
    train("logistic", "reg:logistic", y01, tail=[odd])
    train("binary", "binary:logistic", yb, tail=[odd])
    train("binary_base", "binary:logistic", yb, params={"base_score": 0.2}, tail=[odd])
    train("logitraw", "binary:logitraw", yb, params={"base_score": 0.3})
    train("hinge", "binary:hinge", yb)
    train("squaredlogerror", "reg:squaredlogerror", ypos)
    train("pseudohuber", "reg:pseudohubererror", y)
    train("absoluteerror", "reg:absoluteerror", y)
    train("quantile", "reg:quantileerror", y, params={"quantile_alpha": 0.3})
    train("quantiles", "reg:quantileerror", y, params={"quantile_alpha": [0.1, 0.5, 0.9]}, rounds=4)
    train("expectile", "reg:expectileerror", y, params={"expectile_alpha": 0.3})
    train("poisson", "count:poisson", ycount)
    train("gamma", "reg:gamma", ypos)
    train("tweedie", "reg:tweedie", ypos, params={"tweedie_variance_power": 1.3})
    train("cox", "survival:cox", np.where(rng.rand(n) < 0.5, ypos, -ypos))
    aft = {"objective": "survival:aft", "max_depth": 3, "eta": 0.3, "nthread": 1, "aft_loss_distribution": "normal"}
    try:
        matrix = xgb.DMatrix(X)
        matrix.set_float_info("label_lower_bound", ypos)
        matrix.set_float_info("label_upper_bound", ypos * np.where(rng.rand(n) < 0.5, 1, 2))
        record("aft", xgb.train(aft, matrix, 6), X[:12], odd)
    except Exception as e:  # noqa: BLE001
        print("aft is not of this release:", e)
    train("softprob", "multi:softprob", y3, params={"num_class": 3}, rounds=4, tail=[odd])
    train("softmax", "multi:softmax", y3, params={"num_class": 3}, rounds=4, tail=[odd])
    train("softprob_two", "multi:softprob", yb, params={"num_class": 2}, rounds=3)
    for name in ("pairwise", "ndcg", "map"):
        target = yb if name == "map" else relevance
        try:
            matrix = xgb.DMatrix(X, target)
            matrix.set_group(group)
            record("rank_" + name, xgb.train({"objective": "rank:" + name, "max_depth": 3, "nthread": 1}, matrix, 5), X[:12])
        except Exception as e:  # noqa: BLE001
            print("rank", name, "is not of this release:", e)
    # Boosters, missing values, categories.
    train("missing", "reg:squarederror", y, data=gaps, tail=[odd])
    train("dart", "binary:logistic", yb, params={"booster": "dart", "rate_drop": 0.4, "skip_drop": 0.1}, rounds=12, tail=[odd])
    train("dart_three", "multi:softprob", y3, params={"booster": "dart", "rate_drop": 0.4, "num_class": 3}, rounds=6)
    train("linear", "reg:squarederror", y, params={"booster": "gblinear", "updater": "coord_descent"}, tail=[odd[:6]])
    train("linear_three", "multi:softprob", y3, params={"booster": "gblinear", "updater": "coord_descent", "num_class": 3}, tail=[odd[1:4]])
    train("forest", "binary:logistic", yb, params={"num_parallel_tree": 4, "subsample": 0.6, "eta": 1}, rounds=1)
    train("boosted_forest", "multi:softprob", y3, params={"num_parallel_tree": 2, "subsample": 0.6, "num_class": 3}, rounds=2)
    train("lossguide", "reg:squarederror", y, params={"grow_policy": "lossguide", "max_leaves": 9, "max_depth": 0, "tree_method": "hist"})
    train("pruned", "reg:squarederror", y, params={"gamma": 120.0, "tree_method": "exact", "max_depth": 5})
    train("stump", "reg:squarederror", np.ones(n), rounds=2)
    train("categories_onehot", "reg:squarederror", ycodes, data=codes, enable=True, params={"tree_method": "hist", "max_cat_to_onehot": 100}, tail=[odd_codes])
    train("categories", "reg:squarederror", ycodes, data=codes, enable=True, params={"tree_method": "hist", "max_cat_to_onehot": 1, "max_depth": 5}, rounds=8, tail=[odd_codes, codes[:40]])
    if version >= (2, 0):
        train("linear_two", "reg:squarederror", np.c_[y, ypos + 30], params={"booster": "gblinear", "updater": "coord_descent"})
        train("multi_target", "reg:squarederror", np.c_[y, ypos], rounds=3)
        train("multi_label", "binary:logistic", np.c_[yb, y3 > 1].astype(int), rounds=3)
        train("multi_tree", "reg:squarederror", np.c_[y, ypos], rounds=3, params={"multi_strategy": "multi_output_tree", "tree_method": "hist"}, refused="multi")

    def custom(predt, dtrain):
        return predt - dtrain.get_label(), np.ones(len(predt))

    record("custom", xgb.train({"max_depth": 3, "nthread": 1}, xgb.DMatrix(X, y), 4, obj=custom), X[:12])
    try:
        train_part, held = xgb.DMatrix(X[:200], yb[:200]), xgb.DMatrix(X[200:], rng.permutation(yb[200:]))
        stopped = xgb.train({"objective": "binary:logistic", "max_depth": 4, "eta": 1.0, "nthread": 1}, train_part, 20, evals=[(held, "v")], early_stopping_rounds=4, verbose_eval=False)
        record("stopped", stopped, X[:12])
    except Exception as e:  # noqa: BLE001
        print("stopped is not of this release:", e)

    # The scikit-learn wrappers.
    common = {"n_estimators": 5, "max_depth": 3, "n_jobs": 1}

    def fit(case, make, data, target, *inputs, **kw):
        try:
            model = make().fit(data, target, **kw)
        except Exception as e:  # noqa: BLE001
            print(case, "is not of this release:", str(e)[:160])
            return
        record(case, model, data[:12], *inputs)

    def early(make, target):
        def build():
            if version >= (1, 6):
                return make(early_stopping_rounds=3)
            return make()
        more = {} if version >= (1, 6) else {"early_stopping_rounds": 3}
        return build, {"eval_set": [(X[200:], rng.permutation(target[200:]))], "verbose": False, **more}

    if version >= (1, 0):
        fit("regressor", lambda: xgb.XGBRegressor(**common), X, y, odd, huge, X.rename(columns={"a": "z"})[:2], X.to_numpy()[:2])
        fit("regressor_array", lambda: xgb.XGBRegressor(**common), X.to_numpy(), y, odd.to_numpy(), X[:2], X.to_numpy()[:2, :3])
        fit("regressor_missing", lambda: xgb.XGBRegressor(missing=0, **common), zeros, y, odd)
        fit("classifier", lambda: xgb.XGBClassifier(**common), X, yb, odd)
        fit("classifier_three", lambda: xgb.XGBClassifier(**common), X, y3, odd)
        fit("classifier_softmax", lambda: xgb.XGBClassifier(objective="multi:softmax", **common), X, y3)
        fit("classifier_hinge", lambda: xgb.XGBClassifier(objective="binary:hinge", **common), X, yb)
        fit("classifier_dart", lambda: xgb.XGBClassifier(booster="dart", rate_drop=0.5, **common), X, yb)
        fit("classifier_linear", lambda: xgb.XGBClassifier(booster="gblinear", updater="coord_descent", n_estimators=5), X, yb)
        fit("regressor_linear", lambda: xgb.XGBRegressor(booster="gblinear", updater="coord_descent", n_estimators=5), X, y)
        fit("forest_classifier", lambda: xgb.XGBRFClassifier(**common), X, yb)
        fit("forest_regressor", lambda: xgb.XGBRFRegressor(**common), X, y)
        fit("ranker", lambda: xgb.XGBRanker(**common), X, relevance, group=group)
        fit("regressor_two", lambda: xgb.XGBRegressor(**common), X, np.c_[y, ypos])
        fit("classifier_labels", lambda: xgb.XGBClassifier(**common), X, np.c_[yb, (y3 > 1).astype(int)])
        build, more = early(lambda **kw: xgb.XGBClassifier(max_depth=4, learning_rate=1.0, n_estimators=20, n_jobs=1, **kw), yb)
        fit("classifier_stopped", build, X[:200], yb[:200], odd, **more)
        build, more = early(lambda **kw: xgb.XGBClassifier(max_depth=4, learning_rate=1.0, n_estimators=20, num_parallel_tree=2, subsample=0.5, n_jobs=1, **kw), y3)
        fit("classifier_stopped_three", build, X[:200], y3[:200], **more)
    if version >= (1, 0):
        pickled("pickled_regressor", xgb.XGBRegressor(missing=0, **common), zeros, y, odd)
        pickled("pickled_classifier", xgb.XGBClassifier(**common), X, y3, odd)
        pickled("pickled_array", xgb.XGBClassifier(**common), X.to_numpy(), yb)
    if (1, 0) <= version < (1, 6):
        pickled("pickled_words", xgb.XGBClassifier(use_label_encoder=True, **common), X, ywords)
        pickled("pickled_numbers", xgb.XGBClassifier(use_label_encoder=True, **common), X, y3 * 10 + 5)
    if (1, 0) <= version < (1, 7):
        fit("classifier_words", lambda: xgb.XGBClassifier(use_label_encoder=True, **common), X, ywords)
        fit("classifier_odd_numbers", lambda: xgb.XGBClassifier(use_label_encoder=True, **common), X, y3 * 10 + 5)
    if version >= (1, 6):
        # A number is a code. Text can be sent from 3.1 on, where the model holds the categories.
        asked = words
        if version < (3, 1):
            asked = words.assign(c=words["c"].cat.codes.astype(int), d=words["d"].cat.codes.astype(int))
        build = lambda: xgb.XGBClassifier(tree_method="hist", enable_categorical=True, max_cat_to_onehot=2, **common)  # noqa: E731
        record("classifier_categories", build().fit(words, (ywords2 > 7).astype(int)), asked[:12], asked[12:60])
    return xgb.__version__


def lightgbm_cases():
    import lightgbm as lgb

    version = tuple(int(p) for p in lgb.__version__.split(".")[:2])
    quiet = {"verbose": -1, "num_threads": 1, "num_leaves": 8, "min_data_in_leaf": 5, "seed": 3, "deterministic": True}

    def thresholds(booster, data):
        found = []
        for block in booster.model_to_string().split("Tree=")[1:]:
            feature = re.search(r"split_feature=(.*)", block)
            value = re.search(r"threshold=(.*)", block)
            if feature and value:
                found += [(int(f), float(v)) for f, v in zip(feature[1].split(), value[1].split())]
        return found

    def train(case, objective, target, data=X, rounds=5, tail=(), params=None, refused="", categories=(), stand=True, **kw):
        settings = {**quiet, "objective": objective, **(params or {})}
        try:
            booster = lgb.train(settings, lgb.Dataset(data, target, categorical_feature=list(categories) if categories != "auto" else "auto", free_raw_data=False, **kw), rounds)
        except Exception as e:  # noqa: BLE001
            print(case, "is not of this release:", str(e)[:160])
            return
        file = case + ".lgb"
        booster.save_model(str(out / file))
        loaded = lgb.Booster(model_file=str(out / file))
        frame = data if isinstance(data, pd.DataFrame) else pd.DataFrame(data)
        rows = ties(frame, thresholds(booster, frame)) if stand else None
        if rows is not None and isinstance(data, np.ndarray):
            rows = rows.to_numpy()
        for part in (data[:12], rows, *tail):
            if part is not None:
                add(case, [file], loaded.predict, part, model_class="lightgbm.basic.Booster", **({"refused": refused} if refused else {}))

    train("regression", "regression", y, tail=[odd, huge, X[:1], X.rename(columns={"a": "z"})[:2], X[["a", "b", "c"]][:2], X.to_numpy()[:2]])
    train("many_rows", "regression", y, rounds=3, tail=[X])
    train("array", "regression", y, data=X.to_numpy(), tail=[odd.to_numpy(), X[:2], X.to_numpy()[:2, :3], np.c_[X.to_numpy(), X.to_numpy()][:2]])
    train("integers", "regression", y, data=(X * 7).astype(int), tail=[(X * 7).astype(int).to_numpy()[:4]])
    train("sqrt", "regression", ypos * 30, params={"reg_sqrt": True})
    train("l1", "regression_l1", y)
    train("l1_sqrt", "regression_l1", ypos * 30, params={"reg_sqrt": True})
    train("huber", "huber", y)
    train("fair", "fair", y)
    train("quantile", "quantile", y, params={"alpha": 0.3})
    train("mape", "mape", ypos)
    train("poisson", "poisson", ycount)
    train("gamma", "gamma", ypos)
    train("tweedie", "tweedie", ypos)
    train("binary", "binary", yb, tail=[odd])
    train("binary_sigmoid", "binary", yb, params={"sigmoid": 0.7})
    train("binary_unbalanced", "binary", yb, params={"is_unbalance": True})
    train("multiclass", "multiclass", y3, params={"num_class": 3}, tail=[odd])
    train("multiclassova", "multiclassova", y3, params={"num_class": 3, "sigmoid": 1.4}, tail=[odd])
    train("cross_entropy", "cross_entropy", y01)
    train("cross_entropy_lambda", "cross_entropy_lambda", y01)
    train("lambdarank", "lambdarank", relevance, group=group)
    train("xendcg", "rank_xendcg", relevance, group=group)
    train("missing", "regression", y, data=gaps, tail=[odd])
    train("missing_off", "regression", y, data=gaps, params={"use_missing": False}, tail=[odd])
    train("missing_zero", "regression", y, data=zeros, params={"zero_as_missing": True}, tail=[odd, gaps[:30]])
    train("missing_zero_gaps", "binary", yb, data=gaps.fillna(0), params={"zero_as_missing": True}, tail=[odd, gaps[:30]])
    train("dart", "binary", yb, params={"boosting": "dart", "drop_rate": 0.5}, rounds=9, tail=[odd])
    train("goss", "regression", y, params={"boosting": "goss"})
    train("rf", "binary", yb, params={"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6}, tail=[odd])
    train("rf_three", "multiclass", y3, params={"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6, "num_class": 3})
    train("rf_regression", "regression", y, params={"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6})
    train("linear", "regression", y, params={"linear_tree": True}, tail=[odd[:4]])
    train("linear_missing", "regression", y, data=gaps, params={"linear_tree": True}, tail=[odd[:4]])
    train("stump", "regression", np.ones(n), rounds=2)
    train("no_split", "binary", yb, params={"min_data_in_leaf": 1000}, rounds=2)
    train("categories", "regression", ycodes, data=codes, categories=["c", "d"], params={"max_cat_to_onehot": 1, "min_data_per_group": 5, "cat_smooth": 1}, tail=[odd_codes], stand=False)
    train("categories_onehot", "regression", ycodes, data=codes, categories=["c", "d"], params={"max_cat_to_onehot": 100, "min_data_per_group": 5, "cat_smooth": 1}, tail=[odd_codes], stand=False)
    train("words", "regression", ywords2, data=words, categories="auto", tail=[words[12:60], words.to_numpy()[:2]], stand=False, params={"min_data_per_group": 5})
    train("words_as_numbers", "regression", ywords2, data=words[["a", "b", "c"]], tail=[words[["a", "b", "c"]][12:60]], stand=False)

    def custom(preds, data):
        return preds - data.get_label(), np.ones(len(preds))

    if version >= (4, 0):
        booster = lgb.train({**quiet, "objective": custom}, lgb.Dataset(X, y), 4)
    else:
        booster = lgb.train(quiet, lgb.Dataset(X, y), 4, fobj=custom)
    booster.save_model(str(out / "custom.lgb"))
    add("custom", ["custom.lgb"], lgb.Booster(model_file=str(out / "custom.lgb")).predict, X[:12], model_class="lightgbm.basic.Booster")

    def save(case, model):
        files = {case + ".pkl": cloudpickle.dumps(model)}
        if case in ("regressor", "classifier_words"):
            files[case + ".p2.pkl"] = pickle.dumps(model, protocol=2)
        if skops and case in ("regressor", "classifier", "classifier_bool", "classifier_words", "classifier_stopped", "classifier_categories", "ranker"):
            files[case + ".skops"] = skops.io.dumps(model)
        for file, content in files.items():
            (out / file).write_bytes(content)
        return sorted(files)

    common = {"n_estimators": 5, "num_leaves": 7, "n_jobs": 1, "min_child_samples": 5, "verbose": -1}

    def fit(case, make, data, target, *inputs, refused="", **kw):
        try:
            model = make().fit(data, target, **kw)
        except Exception as e:  # noqa: BLE001
            print(case, "is not of this release:", str(e)[:160])
            return
        files = save(case, model)
        loaded = pickle.loads((out / (case + ".pkl")).read_bytes())
        for part in (data[:12], *inputs):
            add(case, files, loaded.predict, part, model_class=type(model).__module__ + "." + type(model).__name__, **({"refused": refused} if refused else {}))

    fit("regressor", lambda: lgb.LGBMRegressor(**common), X, y, odd, X.to_numpy()[:2], X[["a", "b"]][:2])
    fit("regressor_array", lambda: lgb.LGBMRegressor(**common), X.to_numpy(), y, odd.to_numpy(), X[:2], X.to_numpy()[:2, :3])
    fit("classifier", lambda: lgb.LGBMClassifier(**common), X, yb, odd)
    fit("classifier_bool", lambda: lgb.LGBMClassifier(**common), X, yb == 1)
    fit("classifier_three", lambda: lgb.LGBMClassifier(**common), X, y3 * 10 + 5, odd)
    fit("classifier_words", lambda: lgb.LGBMClassifier(**common), X, ywords)
    fit("classifier_floats", lambda: lgb.LGBMClassifier(**common), X, np.where(yb == 1, 1.5, 0.5))
    fit("classifier_ova", lambda: lgb.LGBMClassifier(objective="multiclassova", **common), X, y3)
    fit("classifier_rf", lambda: lgb.LGBMClassifier(boosting_type="rf", subsample=0.6, subsample_freq=1, **common), X, yb)
    fit("classifier_dart", lambda: lgb.LGBMClassifier(boosting_type="dart", **common), X, yb)
    fit("classifier_categories", lambda: lgb.LGBMClassifier(min_data_per_group=5, **common), words, (ywords2 > 7).astype(int), words[12:60])
    fit("ranker", lambda: lgb.LGBMRanker(**common), X, relevance, group=group)
    stop = {"callbacks": [lgb.early_stopping(2, verbose=False)]} if version >= (3, 3) else {"early_stopping_rounds": 2}
    held = [(X[200:], rng.permutation(yb[200:]))]
    fit("classifier_stopped", lambda: lgb.LGBMClassifier(n_estimators=20, learning_rate=0.7, num_leaves=7, n_jobs=1, verbose=-1), X[:200], yb[:200], eval_set=held, **stop)
    fit("early_prediction", lambda: lgb.LGBMClassifier(pred_early_stop=True, **common), X, yb, refused="pred_early_stop")
    return lgb.__version__


version = {"xgboost": xgboost_cases, "lightgbm": lightgbm_cases}[library]()
cases = [c for c in cases if c["name"].startswith("".join(sys.argv[2:]))]
named = {"cases.json"}.union(*(c["files"] for c in cases))
text = json.dumps({"version": version, "numpy": np.__version__, "cases": cases}, separators=(",", ":"))
(out / "cases.json").write_text(text + "\n")
with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
    for file in sorted(out.iterdir()):
        if file.name in named:
            archive.write(file, file.name)
print(library, version, len(cases), "cases")
