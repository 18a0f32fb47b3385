"""Makes the fixtures of CatBoost: models as MLflow's catboost flavor saves them, with CatBoost's own answers.

Run it once for each release of CatBoost, with numpy and pandas beside it:

    python make_catboost.py catboost-VERSION.zip

writes a zip of cases.json and the model files it names. A model is saved, loaded again and asked as MLflow's
flavor does: predict of a new object of the same class. Go tests read only those files.
"""

import json
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path

import catboost as cb
import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
folder = tempfile.TemporaryDirectory()
out = Path(folder.name)
rng = np.random.RandomState(11)
n = 300

X = pd.DataFrame({"a": rng.rand(n) * 10, "b": rng.randn(n), "c": rng.randint(0, 5, n), "d": np.round(rng.randn(n) * 3) / 2})
y = X["a"] * 1.5 - X["b"] * X["c"] + np.sin(X["d"] * 3) + rng.randn(n) * 0.1
gaps = X.astype(float)
gaps.loc[rng.rand(n) < 0.2, "a"] = np.nan
gaps.loc[rng.rand(n) < 0.2, "b"] = np.nan
yb = (y > np.median(y)).astype(int)
y3 = np.digitize(y, np.percentile(y, [33, 66]))
ypos = np.exp(y / 10)
ycount = rng.poisson(np.exp(y / 15))
ywords = np.array(["low", "mid", "high"])[y3]
group = np.repeat(np.arange(10), 30)
relevance = np.digitize(y, np.percentile(y, [25, 50, 75]))
# Words of all the lengths that CityHash64 treats apart.
vocabulary = ["", "x", "été", "seven 7", "eight888", "sixteen letters.", "seventeen letters", "w" * 32, "w" * 33, "z" * 64, "z" * 65, "雪" * 50, "q" * 128, "q" * 129]
words = X.assign(word=rng.choice(vocabulary, n), code=rng.randint(-3, 4, n), flag=rng.rand(n) < 0.5)
ywordy = X["a"] + words["word"].map({w: i * 2.5 for i, w in enumerate(rng.permutation(vocabulary))}) - words["code"] ** 2 + words["flag"] * 7

# Rows that no training saw: missing values, zeros of both signs, tiny, huge and far values.
odd = pd.DataFrame({"a": [np.nan, 0.0, -0.0, 1e-36, -5.0, 1e30, 5.5], "b": [np.nan, np.nan, 0.0, -1e-36, 9e9, -3.0, 0.25],
                    "c": [np.nan, 0, 1, 2, 3, 4, 99], "d": [np.nan, 0.5, 0.0, -0.5, 1.0, -1e30, 1.5]})
whole = odd.fillna(0)
huge = pd.DataFrame({"a": [1e39, -1e39], "b": [0.0, 1e300], "c": [1, 2], "d": [-1e300, 3e38]})
quiet = {"iterations": 8, "depth": 3, "thread_count": 1, "random_seed": 3, "verbose": False, "allow_writing_files": False}


def plain(data):
    cells = lambda rows: [[None if v is None or isinstance(v, float) and np.isnan(v) else v for v in row] for row in rows]
    if isinstance(data, np.ndarray):
        return {"inputs": cells(data.tolist())}
    data = data.copy()
    for name in data.columns:
        data[name] = data[name].astype(object)
    return {"dataframe_split": {"columns": [str(c) for c in data.columns], "data": cells(data.to_numpy(dtype=object).tolist())}}


def ties(model, data):
    """Rows that stand on the borders of the trees, and a float32 step beside them."""
    names, rows = list(data.columns), []
    for place, borders in (model.get_borders() or {}).items():
        for value in list(borders)[:4]:
            for v in (value, float(np.nextafter(np.float32(value), np.float32(np.inf))), float(np.nextafter(value, np.inf))):
                row = data.to_numpy(dtype=object)[0].tolist()
                row[int(place)] = v
                rows.append(row)
    frame = pd.DataFrame(rows, columns=names)
    for name in names:
        if data[name].dtype != object:
            frame[name] = frame[name].astype(float)
    return frame if rows else None


cases = []


def ask(case, model_class, data, **more):
    """Adds what a loaded model answers; an error's text where it raises one."""
    model = getattr(cb, model_class)()
    model.load_model(str(out / (case + ".cb")), "cbm")
    entry = {"name": case, "files": [case + ".cb"], "model_class": model_class, "body": plain(data), **more}
    try:
        got = np.asarray(model.predict(data))
        entry["kind"] = {"f": "float", "i": "int", "u": "int", "b": "bool", "U": "string", "O": "string"}[got.dtype.kind]
        if not all(v == v for v in got.ravel()):
            return
        entry["expected"] = got.tolist()
    except Exception as e:  # noqa: BLE001
        entry["error"] = type(e).__name__ + ": " + str(e)[:300]
        print("  ", case, entry["error"].replace("\n", " ")[-170:])
    cases.append(entry)


def train(case, model, data, target, *tail, stand=True, refused="", classes=(), **fit):
    try:
        model = model() if callable(model) else model
        model.fit(data, target, **fit)
    except Exception as e:  # noqa: BLE001
        print(case, "is not of this release:", str(e)[:160].replace("\n", " "))
        return
    model.save_model(str(out / (case + ".cb")))
    rows = None
    if stand and isinstance(data, pd.DataFrame):
        try:
            rows = ties(model, data)
        except Exception as e:  # noqa: BLE001
            print(case, "has no borders:", str(e)[:100])
    for name in classes or (type(model).__name__,):
        for part in (data[:12], rows, *tail):
            if part is not None:
                ask(case, name, part, **({"refused": refused} if refused else {}))


def regressor(**kw):
    return cb.CatBoostRegressor(**{**quiet, **kw})


def classifier(**kw):
    return cb.CatBoostClassifier(**{**quiet, **kw})


def ranker(**kw):
    return lambda: cb.CatBoostRanker(**{**quiet, **kw})


# Data, shapes, names.
train("regressor", regressor(), X, y, odd, whole, huge, X[:1], X.rename(columns={"a": "z"})[:2], X[["b", "a", "c", "d"]][:2], X.to_numpy()[:2],
      X[["a", "b", "c"]][:2], X.assign(e=1)[:2], X.assign(a="1.5")[:2], X.assign(a="word")[:2], X.assign(a=True)[:2], classes=("CatBoostRegressor", "CatBoost"))
train("many_rows", regressor(iterations=60, depth=6), X, y, X)
train("array", regressor(), X.to_numpy(), y, whole.to_numpy(), X[:3], X.to_numpy()[:3, :3], np.c_[X.to_numpy(), X.to_numpy()][:3], X.to_numpy()[:1])
train("gaps_min", regressor(nan_mode="Min"), gaps, y, odd)
train("gaps_max", regressor(nan_mode="Max"), gaps, y, odd)
train("gaps_forbidden", regressor(nan_mode="Forbidden"), X, y, odd)
train("one_column", regressor(), X[["a"]], y, odd[["a"]][1:])
train("one_tree", regressor(iterations=1), X, y)
train("constant", regressor(allow_const_label=True), X, np.ones(n))
train("constant_column", regressor(), X.assign(b=1.0), y, odd[1:])
train("many_borders", regressor(iterations=150, depth=8, border_count=600, learning_rate=0.3), pd.DataFrame({"a": rng.permutation(5000) / 7.0}),
      rng.randn(5000), pd.DataFrame({"a": rng.rand(300) * 800 - 20}))
train("deep", regressor(depth=10, iterations=3), X, y, odd[1:])
train("unweighted_start", regressor(boost_from_average=False), X, y)
# Losses of a regressor.
for name, target in {"RMSE": y, "MAE": y, "Quantile:alpha=0.3": y, "LogLinQuantile:alpha=0.4": ypos, "Poisson": ycount, "MAPE": ypos, "Lq:q=3": y, "Huber:delta=2": y,
                     "Expectile:alpha=0.3": y, "Tweedie:variance_power=1.4": ypos, "LogCosh": y, "SurvivalAft:dist=Normal": None, "Cox": None, "RMSEWithUncertainty": y,
                     "MultiQuantile:alpha=0.1,0.5,0.9": y, "MultiRMSE": None}.items():
    case = "loss_" + name.split(":")[0].lower()
    if name.startswith("Surv") or name == "MultiRMSE":
        target = np.c_[ypos, ypos + rng.rand(n)]
    elif name == "Cox":
        target = np.where(rng.rand(n) < 0.5, ypos, -ypos)
    more = {"leaf_estimation_method": "Gradient"} if name.startswith("Lq") else {}
    train(case, lambda: regressor(loss_function=name, **more), X, target, whole, X[:1], classes=("CatBoostRegressor", "CatBoost"))
train("gaps_multi", lambda: regressor(loss_function="MultiRMSE"), gaps, np.c_[y, ypos], odd)
# Classes.
train("classifier", classifier(), X, yb, whole, X[:1], X.to_numpy()[:2], classes=("CatBoostClassifier", "CatBoost"))
train("classifier_gaps", classifier(), gaps, yb, odd)
train("classifier_bool", classifier(), X, yb == 1)
train("classifier_words2", classifier(), X, np.where(yb == 1, "yes", "no"), whole)
train("classifier_odd", classifier(), X, np.where(yb == 1, 7, -2))
train("classifier_floats", classifier(), X, np.where(yb == 1, 1.5, 0.5))
train("classifier_number_words", classifier(), X, np.where(yb == 1, "1", "0"))
train("classifier_three", classifier(), X, y3, whole, X[:1], classes=("CatBoostClassifier", "CatBoost"))
train("classifier_words", classifier(), X, ywords, X[:1])
train("classifier_tens", classifier(), X, y3 * 10 + 5)
train("classifier_floats3", classifier(), X, y3 / 2)
train("classifier_ova", classifier(loss_function="MultiClassOneVsAll"), X, y3)
train("classifier_two_multi", classifier(loss_function="MultiClass"), X, yb)
train("classifier_count", lambda: classifier(classes_count=5, loss_function="MultiClass"), X, y3)
train("classifier_names", lambda: classifier(class_names=["mid", "high", "low"]), X, ywords)
train("classifier_weights", classifier(class_weights=[1, 4, 2]), X, y3)
train("classifier_balanced", classifier(auto_class_weights="Balanced"), X, yb)
train("cross_entropy", classifier(loss_function="CrossEntropy"), X, yb, classes=("CatBoostClassifier", "CatBoost"))
train("cross_entropy_soft", cb.CatBoost({**quiet, "loss_function": "CrossEntropy"}), X, 1 / (1 + np.exp(-y / 5)), classes=("CatBoostClassifier", "CatBoost"))
train("focal", lambda: classifier(loss_function="Focal:focal_alpha=0.4;focal_gamma=2.0"), X, yb)
train("multi_logloss", lambda: classifier(loss_function="MultiLogloss"), X, np.c_[yb, (y3 > 1).astype(int)], X[:1])
train("multi_cross_entropy", lambda: classifier(loss_function="MultiCrossEntropy"), X, np.c_[yb, (y3 > 1).astype(int)])
train("plain_logloss", cb.CatBoost({**quiet, "loss_function": "Logloss"}), X, yb, classes=("CatBoost", "CatBoostClassifier"))
train("plain_multiclass", cb.CatBoost({**quiet, "loss_function": "MultiClass"}), X, y3, classes=("CatBoost", "CatBoostClassifier"))
try:
    bordered = classifier().fit(X, yb)
    bordered.set_probability_threshold(0.8)
    bordered.save_model(str(out / "threshold.cb"))
    for part in (X[:40], X[:1]):
        ask("threshold", "CatBoostClassifier", part)
except Exception as e:  # noqa: BLE001
    print("threshold is not of this release:", e)
# Ranking.
for name in ("YetiRank", "QueryRMSE", "PairLogit", "QuerySoftMax", "YetiRankPairwise", "StochasticRank:metric=NDCG", "LambdaMart:metric=NDCG"):
    target = relevance / 4 if name.startswith("Query") else relevance
    train("rank_" + name.split(":")[0].lower(), ranker(loss_function=name), X, target, whole, group_id=group, classes=("CatBoostRanker", "CatBoost"))
# Trees that are not symmetric.
train("lossguide", lambda: regressor(grow_policy="Lossguide", max_leaves=9, depth=6), X, y, whole)
train("lossguide_gaps", lambda: regressor(grow_policy="Lossguide", max_leaves=9, depth=6, nan_mode="Max"), gaps, y, odd)
train("depthwise", lambda: classifier(grow_policy="Depthwise", depth=4), X, y3, whole)
train("depthwise_gaps", lambda: regressor(grow_policy="Depthwise", min_data_in_leaf=20), gaps, y, odd)
train("lossguide_constant", lambda: regressor(grow_policy="Lossguide", allow_const_label=True), X, np.ones(n))
train("lossguide_words", lambda: regressor(grow_policy="Lossguide", one_hot_max_size=50, iterations=30), words, ywordy, cat_features=["word", "code", "flag"], stand=False)
# Categories: one-hot ones are scored, statistics are refused.
texts = words.assign(flag=words["flag"].astype(str))
strangers = pd.DataFrame({**{c: texts[c][:8].tolist() for c in "abcd"}, "word": ["never seen", "X", " x", "été ", "", "x", "0", "1.0"], "code": [9, -3, 0, 1, 2, 3, -1, 1000000], "flag": ["true", "True", "False", "", "x", "1", "0", "None"]})
one_hot = lambda make, **kw: lambda: make(one_hot_max_size=50, iterations=40, depth=4, **kw)  # noqa: E731
train("words", one_hot(regressor), texts, ywordy, texts, strangers, strangers.assign(code=strangers["code"].astype(str)), strangers.assign(code=1.5), strangers.assign(word=None),
      strangers.assign(code=[None, 1, 2, 3, 4, 5, 6, 7]), cat_features=["word", "code", "flag"], stand=False)
train("words_bool", one_hot(regressor), words, ywordy, words[12:60], cat_features=["word", "code", "flag"], stand=False)
train("words_classes", one_hot(classifier), texts, ywords, strangers, cat_features=["word", "code", "flag"], stand=False)
train("words_unused", one_hot(regressor), texts.assign(word="same"), ywordy, texts, strangers.assign(word=2.5), cat_features=["word", "code", "flag"], stand=False)
train("words_two", regressor(), texts[["a", "flag", "b"]], ywordy, strangers[["a", "flag", "b"]], cat_features=[1], stand=False)
train("words_array", one_hot(regressor), texts[["word", "flag"]].to_numpy(), ywordy, texts[["word", "flag"]][:3], cat_features=[0, 1], stand=False)
train("statistics", regressor(), texts, ywordy, cat_features=["word", "code", "flag"], stand=False, refused="statistics")
train("text", lambda: classifier(), texts.assign(word=[("good " if v else "bad ") * 3 for v in yb]), yb, cat_features=["flag"], text_features=["word"], stand=False, refused="text")
train("embedding", lambda: classifier(), X.assign(e=[[float(v), float(v * v), 1.0] for v in X["b"]]), yb, embedding_features=["e"], stand=False, refused="embedding")


class Own:
    def calc_ders_range(self, approxes, targets, weights):
        return [(t - a, -1.0) for a, t in zip(approxes, targets)]


train("own_loss", lambda: regressor(loss_function=Own(), eval_metric="RMSE"), X, y)
try:
    models = [regressor(iterations=3, random_seed=s).fit(X, y) for s in (1, 2)]
    cb.sum_models(models, weights=[0.25, 0.75]).save_model(str(out / "sum.cb"))
    for part in (X[:12], X[:1]):
        ask("sum", "CatBoost", part)
    scaled = regressor().fit(X, y)
    scaled.set_scale_and_bias(1.5, -3.25)
    scaled.save_model(str(out / "scaled.cb"))
    for part in (X[:12], X[:1]):
        ask("scaled", "CatBoostRegressor", part)
    shrunk = regressor(iterations=12).fit(X, y)
    shrunk.shrink(5)
    shrunk.save_model(str(out / "shrunk.cb"))
    ask("shrunk", "CatBoostRegressor", X[:12])
except Exception as e:  # noqa: BLE001
    print("sums are not of this release:", e)
stopped = {"eval_set": (X[200:], rng.permutation(yb[200:])), "early_stopping_rounds": 3}
train("stopped", classifier(iterations=30, learning_rate=0.7), X[:200], yb[:200], **stopped)

named = {"cases.json"}.union(*(c["files"] for c in cases))
(out / "cases.json").write_text(json.dumps({"version": cb.__version__, "numpy": np.__version__, "cases": cases}, separators=(",", ":")) + "\n")
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
    for file in sorted(out.iterdir()):
        if file.name in named:
            archive.write(file, file.name)
print("catboost", cb.__version__, len(cases), "cases")
