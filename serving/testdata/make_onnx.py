"""Makes onnx.zip: ONNX models of scikit-learn, XGBoost and LightGBM estimators, and single operators, with ONNX Runtime's answers.

Run with: pip install onnx==1.23.2 skl2onnx==1.20.0 onnxruntime==1.32.0 scikit-learn==1.9.1 xgboost==3.2.0 lightgbm==4.7.0 onnxmltools==1.16.0
"""

import json
import math
import pathlib
import warnings
import zipfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType
from sklearn import datasets

warnings.filterwarnings("ignore")
archive = zipfile.ZipFile(pathlib.Path(__file__).parent / "onnx.zip", "w", zipfile.ZIP_DEFLATED)
rng = np.random.RandomState(0)


def plain(v):
    if isinstance(v, list):  # ZipMap
        return {"maps": [[[str(k), float(x)] for k, x in m.items()] for m in v]}
    a = np.asarray(v)
    if a.dtype.kind == "f":
        values = [("NaN" if math.isnan(x) else "inf" if x == math.inf else "-inf" if x == -math.inf else float(x)) for x in a.astype(np.float64).ravel()]
    elif a.dtype.kind == "b":
        values = [int(x) for x in a.ravel()]
    elif a.dtype.kind in "iu":
        values = [int(x) for x in a.ravel()]
    else:
        values = [str(x) for x in a.ravel()]
    return {"shape": list(a.shape), "type": {"f": "float", "b": "int", "i": "int", "u": "int"}.get(a.dtype.kind, "string"), "values": values}


made, skipped = [], []


def save(name, model, feeds, tolerance=1e-6):
    try:
        data = model.SerializeToString()
        session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        answers = session.run(None, feeds)
    except Exception as e:
        skipped.append(f"{name}: {str(e)[:150]}")
        return
    archive.writestr(f"{name}.onnx", data)
    case = {
        "inputs": {k: plain(v) for k, v in feeds.items()},
        "outputs": [{"name": o.name, **plain(a)} for o, a in zip(session.get_outputs(), answers)],
        "tolerance": tolerance,
    }
    archive.writestr(f"{name}.json", json.dumps(case))
    made.append(name)


def estimators():
    from sklearn import (cluster, compose, decomposition, discriminant_analysis, dummy, ensemble, feature_selection, impute, linear_model, multiclass, naive_bayes,
                         neighbors, neural_network, pipeline, preprocessing, svm, tree)

    wine = datasets.load_wine()
    x3, y3 = wine.data[:, :6].astype(np.float32), wine.target
    y2 = (y3 == 1).astype(int)
    words = np.array(["red", "green", "blue"])[y3]
    r = datasets.load_diabetes()
    xr, yr = r.data[:, :5].astype(np.float32), r.target / 100
    small = dict(n_estimators=6, max_depth=4, random_state=0)
    for name, est in {
        "linear": linear_model.LinearRegression(), "ridge": linear_model.Ridge(), "lasso": linear_model.Lasso(alpha=0.01), "elasticnet": linear_model.ElasticNet(alpha=0.01),
        "sgd_reg": linear_model.SGDRegressor(random_state=0), "bayesian": linear_model.BayesianRidge(), "huber": linear_model.HuberRegressor(), "tree_reg": tree.DecisionTreeRegressor(max_depth=5),
        "forest_reg": ensemble.RandomForestRegressor(**small), "extra_reg": ensemble.ExtraTreesRegressor(**small), "gb_reg": ensemble.GradientBoostingRegressor(**small),
        "ada_reg": ensemble.AdaBoostRegressor(n_estimators=5, random_state=0), "bag_reg": ensemble.BaggingRegressor(n_estimators=4, random_state=0),
        "hist_reg": ensemble.HistGradientBoostingRegressor(max_iter=8, max_depth=4), "svr": svm.SVR(), "svr_linear": svm.SVR(kernel="linear"), "svr_poly": svm.SVR(kernel="poly", degree=2),
        "nusvr": svm.NuSVR(), "mlp_reg": neural_network.MLPRegressor(hidden_layer_sizes=(8,), max_iter=300, random_state=0), "mlp_tanh": neural_network.MLPRegressor(hidden_layer_sizes=(6, 5), activation="tanh", max_iter=300, random_state=0),
        "knn_reg": neighbors.KNeighborsRegressor(3), "poisson": linear_model.PoissonRegressor(), "vote_reg": ensemble.VotingRegressor([("a", linear_model.Ridge()), ("b", tree.DecisionTreeRegressor(max_depth=3))]),
        "stack_reg": ensemble.StackingRegressor([("a", linear_model.Ridge()), ("b", tree.DecisionTreeRegressor(max_depth=3))]), "dummy_reg": dummy.DummyRegressor(),
        "scaled_ridge": pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.Ridge()), "poly_ridge": pipeline.make_pipeline(preprocessing.PolynomialFeatures(2), linear_model.Ridge()),
        "multi_ridge": linear_model.Ridge(), "quantile": linear_model.QuantileRegressor(), "tweedie": linear_model.TweedieRegressor(power=1.5), "gpr": None,
    }.items():
        if est is None:
            continue
        target = np.c_[yr, 2 * yr + 1] if name == "multi_ridge" else yr
        est.fit(xr, target)
        yield name, est, xr[:40], {}
    for name, est in {
        "logistic2": linear_model.LogisticRegression(max_iter=2000), "sgd2": linear_model.SGDClassifier(loss="log_loss", random_state=0), "perceptron2": linear_model.Perceptron(),
        "linearsvc2": svm.LinearSVC(), "svc2": svm.SVC(), "svc2_proba": svm.SVC(probability=True, random_state=0), "tree2": tree.DecisionTreeClassifier(max_depth=4), "forest2": ensemble.RandomForestClassifier(**small),
        "gb2": ensemble.GradientBoostingClassifier(**small), "ada2": ensemble.AdaBoostClassifier(n_estimators=5, random_state=0), "hist2": ensemble.HistGradientBoostingClassifier(max_iter=8, max_depth=4),
        "mlp2": neural_network.MLPClassifier(hidden_layer_sizes=(8,), max_iter=300, random_state=0), "ridge2": linear_model.RidgeClassifier(), "iforest": ensemble.IsolationForest(n_estimators=5, random_state=0), "oneclass": svm.OneClassSVM(),
        "bag2": ensemble.BaggingClassifier(n_estimators=4, random_state=0), "gnb2": naive_bayes.GaussianNB(), "calibrated": __import__("sklearn.calibration").calibration.CalibratedClassifierCV(linear_model.LogisticRegression(max_iter=2000)),
    }.items():
        try:
            est.fit(x3, y2)
        except Exception as e:
            skipped.append(f"{name}: {str(e)[:150]}")
            continue
        yield name, est, x3[::4], {"zipmap": False}
    for name, est in {
        "logistic3": linear_model.LogisticRegression(max_iter=2000), "linearsvc3": svm.LinearSVC(), "svc3": svm.SVC(), "svc3_proba": svm.SVC(probability=True, random_state=0), "nusvc3": svm.NuSVC(nu=0.3), "svc3_poly": svm.SVC(kernel="poly"),
        "tree3": tree.DecisionTreeClassifier(max_depth=4), "forest3": ensemble.RandomForestClassifier(**small), "extra3": ensemble.ExtraTreesClassifier(**small), "gb3": ensemble.GradientBoostingClassifier(**small),
        "ada3": ensemble.AdaBoostClassifier(n_estimators=5, random_state=0), "hist3": ensemble.HistGradientBoostingClassifier(max_iter=5, max_depth=3), "mlp3": neural_network.MLPClassifier(hidden_layer_sizes=(8,), max_iter=300, random_state=0),
        "knn3": neighbors.KNeighborsClassifier(3), "gnb3": naive_bayes.GaussianNB(), "mnb3": naive_bayes.MultinomialNB(), "bnb3": naive_bayes.BernoulliNB(binarize=5.0), "lda3": discriminant_analysis.LinearDiscriminantAnalysis(),
        "qda3": discriminant_analysis.QuadraticDiscriminantAnalysis(), "kmeans": cluster.KMeans(3, n_init=3, random_state=0), "ovr3": multiclass.OneVsRestClassifier(linear_model.LogisticRegression(max_iter=2000)),
        "vote3": ensemble.VotingClassifier([("a", linear_model.LogisticRegression(max_iter=2000)), ("b", tree.DecisionTreeClassifier(max_depth=3))], voting="soft"),
        "select3": pipeline.make_pipeline(feature_selection.SelectKBest(k=3), preprocessing.MinMaxScaler(), linear_model.LogisticRegression()),
        "pca3": pipeline.make_pipeline(preprocessing.RobustScaler(), decomposition.PCA(3), linear_model.LogisticRegression()), "norm3": pipeline.make_pipeline(preprocessing.Normalizer(), linear_model.LogisticRegression()),
        "maxabs3": pipeline.make_pipeline(preprocessing.MaxAbsScaler(), tree.DecisionTreeClassifier(max_depth=3)), "bins3": pipeline.make_pipeline(preprocessing.KBinsDiscretizer(4, encode="ordinal"), tree.DecisionTreeClassifier(max_depth=3)),
        "impute3": pipeline.make_pipeline(impute.SimpleImputer(strategy="median"), linear_model.LogisticRegression(max_iter=2000)), "power3": pipeline.make_pipeline(preprocessing.PowerTransformer(), linear_model.LogisticRegression()),
        "svd3": pipeline.make_pipeline(decomposition.TruncatedSVD(3), linear_model.LogisticRegression(max_iter=2000)), "binar3": pipeline.make_pipeline(preprocessing.Binarizer(threshold=5), linear_model.LogisticRegression()),
    }.items():
        try:
            est.fit(x3, y3)
        except Exception as e:
            skipped.append(f"{name}: {str(e)[:150]}")
            continue
        x = x3[::4].copy()
        if name == "impute3":
            x[::3, 1] = np.nan
        yield name, est, x, {"zipmap": False}
    yield "words_zipmap", linear_model.LogisticRegression(max_iter=2000).fit(x3, words), x3[::6], {}
    yield "ints_zipmap", ensemble.RandomForestClassifier(**small).fit(x3, y3), x3[::6], {}
    yield "words_svc", svm.SVC().fit(x3, words), x3[::6], {"zipmap": False}


for name, est, x, options in estimators():
    try:
        model = to_onnx(est, x[:1], options={type(est): options} if options and hasattr(est, "classes_") else None, target_opset={"": 18, "ai.onnx.ml": 3})
    except Exception as e:
        skipped.append(f"{name}: {str(e)[:150]}")
        continue
    loose = {"svr": 1e-4, "svr_poly": 1e-4, "nusvr": 1e-4, "svr_linear": 1e-4, "poly_ridge": 1e-4, "qda3": 1e-4, "knn3": 1e-5, "gnb2": 1e-4, "gnb3": 1e-4, "svc2_proba": 1e-5, "svc3_proba": 1e-4, "power3": 1e-5, "mlp_reg": 1e-5, "mlp_tanh": 1e-5, "svc3_poly": 1e-4, "oneclass": 5e-5, "nusvc3": 1e-4, "kmeans": 5e-4, "mnb3": 1e-4, "svc3": 1e-4, "svc2": 1e-5}
    save(name, model, {model.graph.input[0].name: x}, loose.get(name, 2e-6))

# Doubles, and a table of texts and numbers.
from sklearn import compose, impute, linear_model, pipeline, preprocessing  # noqa: E402

r = datasets.load_diabetes()
est = linear_model.LinearRegression().fit(r.data[:, :4], r.target)
m = to_onnx(est, initial_types=[("X", DoubleTensorType([None, 4]))], target_opset={"": 18, "ai.onnx.ml": 3})
save("linear_double", m, {"X": r.data[:20, :4]}, 1e-9)
import pandas as pd  # noqa: E402

n = 60
frame = pd.DataFrame({"age": rng.choice(["1", "2", "3"], n), "category": rng.choice(["es_food", "es_travel", "es_x"], n), "amount": rng.gamma(2, 50, n).astype(np.float32)})
fraud = (frame.amount > 120).astype(int)
est = pipeline.make_pipeline(compose.ColumnTransformer([
    ("num", pipeline.make_pipeline(impute.SimpleImputer(strategy="median"), preprocessing.StandardScaler()), ["amount"]),
    ("cat", preprocessing.OneHotEncoder(handle_unknown="ignore"), ["age", "category"]),
]), linear_model.LogisticRegression()).fit(frame, fraud)
for suffix, options in (("", {"zipmap": False}), ("_zipmap", None)):
    m = to_onnx(est, initial_types=[("age", StringTensorType([None, 1])), ("category", StringTensorType([None, 1])), ("amount", FloatTensorType([None, 1]))],
                options={id(est): options} if options else None, target_opset={"": 18, "ai.onnx.ml": 3})
    feeds = {"age": frame[["age"]].values[:12].astype(object).copy(), "category": frame[["category"]].values[:12].astype(object).copy(), "amount": frame[["amount"]].values[:12].copy()}
    feeds["category"][3] = "es_unknown"
    feeds["amount"][4] = np.nan
    save("fraud" + suffix, m, feeds)
ordinal = pipeline.make_pipeline(preprocessing.OrdinalEncoder(), linear_model.LogisticRegression()).fit(frame[["age", "category"]], fraud)
m = to_onnx(ordinal, initial_types=[("age", StringTensorType([None, 1])), ("category", StringTensorType([None, 1]))], options={id(ordinal): {"zipmap": False}}, target_opset={"": 18, "ai.onnx.ml": 3})
save("ordinal", m, {k: frame[[k]].values[:12].astype(object) for k in ("age", "category")})

# Boosting libraries.
try:
    import lightgbm
    import onnxmltools
    import xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType as MLFloat

    wine = datasets.load_wine()
    x, y = wine.data[:, :6].astype(np.float32), wine.target
    for name, est, conv in (
        ("xgb3", xgboost.XGBClassifier(n_estimators=5, max_depth=3), onnxmltools.convert_xgboost), ("lgb3", lightgbm.LGBMClassifier(n_estimators=5, num_leaves=7, verbose=-1), onnxmltools.convert_lightgbm),
        ("xgb_reg", xgboost.XGBRegressor(n_estimators=5, max_depth=3), onnxmltools.convert_xgboost), ("lgb_reg", lightgbm.LGBMRegressor(n_estimators=5, num_leaves=7, verbose=-1), onnxmltools.convert_lightgbm),
        ("xgb2", xgboost.XGBClassifier(n_estimators=5, max_depth=3), onnxmltools.convert_xgboost), ("lgb2", lightgbm.LGBMClassifier(n_estimators=5, num_leaves=7, verbose=-1), onnxmltools.convert_lightgbm),
    ):
        est.fit(x, y if name.endswith("3") else y * 1.5 if name.endswith("reg") else (y == 1).astype(int))
        rows = x[::5].copy()
        if name.startswith("xgb"):
            rows[2, 1] = np.nan
        try:
            m = conv(est, initial_types=[("input", MLFloat([None, 6]))], target_opset=15)
        except Exception as e:
            skipped.append(f"{name}: {str(e)[:150]}")
            continue
        save(name, m, {"input": rows})
except ImportError as e:
    skipped.append(str(e))

# Single operators.
F, I, S, B, D = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING, TensorProto.BOOL, TensorProto.DOUBLE
kinds = {"f": F, "i": I, "U": S, "O": S, "b": B}


def elem(a):
    return D if a.dtype == np.float64 else kinds[a.dtype.kind]


def op(name, op_type, feeds, domain="", outputs=1, opset=18, ml=3, types=None, tolerance=1e-6, **attrs):
    feeds = {k: np.asarray(v) for k, v in feeds.items()}
    node = helper.make_node(op_type, list(feeds), [f"y{i}" for i in range(outputs)], domain=domain, **attrs)
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info(k, elem(v), None) for k, v in feeds.items()],
                              [helper.make_tensor_value_info(f"y{i}", (types or [F] * outputs)[i], None) for i in range(outputs)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", ml)], ir_version=9)
    save("op_" + name, model, feeds, tolerance)


a = rng.randn(3, 4).astype(np.float32)
b = rng.randn(4).astype(np.float32)
col = rng.randn(3, 1).astype(np.float32)
k = rng.randint(-9, 9, (3, 4)).astype(np.int64)
for o in ("Add", "Sub", "Mul", "Div"):
    op(o.lower(), o, {"a": a, "b": b})
    op(o.lower() + "_col", o, {"a": col, "b": a})
    op(o.lower() + "_int", o, {"a": k, "b": np.int64(3)}, types=[I])
op("pow", "Pow", {"a": np.abs(a), "b": np.float32(2.5)})
op("mod", "Mod", {"a": k, "b": np.int64(4)}, types=[I])
op("fmod", "Mod", {"a": a, "b": np.float32(0.7)}, fmod=1)
for o in ("Max", "Min", "Sum"):
    op(o.lower(), o, {"a": a, "b": b, "c": col})
for o in ("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"):
    op(o.lower(), o, {"a": k, "b": np.int64(1)}, types=[B])
op("equal_text", "Equal", {"a": np.array(["x", "y"], object), "b": np.array(["x"], object)}, types=[B], opset=19)
bools = k > 0
for o in ("And", "Or", "Xor"):
    op(o.lower(), o, {"a": bools, "b": a > 0}, types=[B])
op("not", "Not", {"a": bools}, types=[B])
op("where", "Where", {"c": bools, "a": a, "b": b})
for o in ("Abs", "Neg", "Sign", "Exp", "Floor", "Ceil", "Round", "Reciprocal", "Sigmoid", "Tanh", "Relu", "Softplus", "Erf", "Sin", "Cos", "LeakyRelu", "Elu", "HardSigmoid"):
    op(o.lower(), o, {"a": a * 2}, tolerance=2e-6)
for o in ("Sqrt", "Log"):
    op(o.lower(), o, {"a": np.abs(a)})
op("clip", "Clip", {"a": a, "low": np.float32(-0.5), "high": np.float32(0.25)})
op("isnan", "IsNaN", {"a": np.array([1, np.nan, np.inf], np.float32)}, types=[B])
op("isinf", "IsInf", {"a": np.array([1, -np.inf, np.inf], np.float32)}, types=[B], detect_negative=0)
op("cast_int", "Cast", {"a": a * 5}, types=[I], to=I)
op("cast_float", "Cast", {"a": k}, to=F)
op("cast_bool", "Cast", {"a": k}, types=[B], to=B)
op("cast_text", "Cast", {"a": k}, types=[S], to=S)
op("cast_number", "Cast", {"a": np.array(["1.5", "-2"], object)}, to=F)
op("matmul", "MatMul", {"a": a, "b": rng.randn(4, 2).astype(np.float32)})
op("matmul_stack", "MatMul", {"a": rng.randn(2, 3, 4).astype(np.float32), "b": rng.randn(4, 2).astype(np.float32)})
op("matmul_vector", "MatMul", {"a": a, "b": b})
op("gemm", "Gemm", {"a": a, "b": rng.randn(2, 4).astype(np.float32), "c": rng.randn(2).astype(np.float32)}, transB=1, alpha=0.5, beta=2.0)
for v in (11, 13):
    op(f"softmax_{v}", "Softmax", {"a": rng.randn(2, 3, 2).astype(np.float32)}, opset=v, axis=1)
op("logsoftmax", "LogSoftmax", {"a": a}, axis=1)
op("reshape", "Reshape", {"a": a, "s": np.array([-1, 2], np.int64)})
op("reshape_keep", "Reshape", {"a": a, "s": np.array([0, 2, -1], np.int64)})
op("flatten", "Flatten", {"a": rng.randn(2, 3, 2).astype(np.float32)}, axis=2)
op("squeeze", "Squeeze", {"a": col, "axes": np.array([1], np.int64)})
op("squeeze_11", "Squeeze", {"a": col}, opset=11, axes=[-1])
op("unsqueeze", "Unsqueeze", {"a": a, "axes": np.array([0, 3], np.int64)})
op("transpose", "Transpose", {"a": rng.randn(2, 3, 4).astype(np.float32)}, perm=[2, 0, 1])
op("concat", "Concat", {"a": a, "b": col}, axis=1)
op("split", "Split", {"a": a, "s": np.array([1, 3], np.int64)}, outputs=2, axis=1)
op("split_even", "Split", {"a": a}, outputs=2, axis=1, num_outputs=2)
op("slice", "Slice", {"a": a, "s": np.array([1, -1], np.int64), "e": np.array([3, -5], np.int64), "x": np.array([0, 1], np.int64), "t": np.array([1, -2], np.int64)})
op("gather", "Gather", {"a": a, "i": np.array([[0, -1], [2, 1]], np.int64)}, axis=1)
op("gather_elements", "GatherElements", {"a": a, "i": np.array([[0, 1], [3, 2], [-1, 0]], np.int64)}, axis=1)
op("gather_text", "Gather", {"a": np.array(["x", "y", "z"], object), "i": np.array([2, 0], np.int64)}, types=[S])
op("expand", "Expand", {"a": col, "s": np.array([2, 1, 4], np.int64)})
op("tile", "Tile", {"a": a, "r": np.array([2, 3], np.int64)})
op("shape", "Shape", {"a": a}, types=[I])
op("size", "Size", {"a": a}, types=[I])
op("range", "Range", {"a": np.float32(1), "b": np.float32(3), "c": np.float32(0.4)})
op("onehot", "OneHot", {"i": np.array([0, 2, -1], np.int64), "d": np.int64(3), "v": np.array([0, 5], np.float32)}, axis=-1)
op("constant_of_shape", "ConstantOfShape", {"s": np.array([2, 3], np.int64)}, value=helper.make_tensor("v", F, [1], [7]))
for o in ("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp"):
    op(o.lower(), o, {"a": a, "x": np.array([1], np.int64)}, keepdims=0)
    op(o.lower() + "_keep", o, {"a": a, "x": np.array([0], np.int64)})
op("reducesum_all", "ReduceSum", {"a": a}, keepdims=0)
op("reducemean_13", "ReduceMean", {"a": a}, opset=13, axes=[-1])
op("argmax", "ArgMax", {"a": a}, types=[I], axis=1)
op("argmin", "ArgMin", {"a": a}, types=[I], axis=0, keepdims=0)
op("argmax_last", "ArgMax", {"a": np.array([[1, 2, 2]], np.float32)}, types=[I], axis=1, select_last_index=1)
op("topk", "TopK", {"a": a, "k": np.array([2], np.int64)}, outputs=2, types=[F, I])
op("topk_small", "TopK", {"a": a, "k": np.array([3], np.int64)}, outputs=2, types=[F, I], largest=0, axis=0)
op("cumsum", "CumSum", {"a": a, "x": np.int64(1)}, exclusive=1, reverse=1)
ML = "ai.onnx.ml"
op("array_feature_extractor", "ArrayFeatureExtractor", {"a": a, "i": np.array([[3, 0]], np.int64)}, domain=ML)
op("binarizer", "Binarizer", {"a": a}, domain=ML, threshold=0.1)
op("category_mapper", "CategoryMapper", {"a": np.array(["x", "q"], object)}, domain=ML, types=[I], cats_strings=["x", "y"], cats_int64s=[3, 4], default_int64=-7)
op("feature_vectorizer", "FeatureVectorizer", {"a": a, "b": col}, domain=ML, inputdimensions=[4, 1])
op("imputer", "Imputer", {"a": np.array([[1, np.nan], [np.nan, 4]], np.float32)}, domain=ML, imputed_value_floats=[9.0, 8.0], replaced_value_float=float("nan"))
op("label_encoder", "LabelEncoder", {"a": np.array(["x", "q"], object)}, domain=ML, types=[I], keys_strings=["x", "y"], values_int64s=[3, 4], default_int64=-7)
op("label_encoder_floats", "LabelEncoder", {"a": np.array([1.5, 2, np.nan], np.float32)}, domain=ML, types=[S], keys_floats=[1.5, float("nan")], values_strings=["a", "b"], default_string="?")
for norm in ("MAX", "L1", "L2"):
    op("normalizer_" + norm.lower(), "Normalizer", {"a": np.abs(a)}, domain=ML, norm=norm)
op("one_hot_encoder", "OneHotEncoder", {"a": np.array([["x"], ["q"]], object)}, domain=ML, cats_strings=["x", "y"], zeros=1)
op("scaler", "Scaler", {"a": a}, domain=ML, offset=[1.0, 2.0, 3.0, 4.0], scale=[2.0, 1.0, 0.5, 3.0])
for post in ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"):
    op("linear_classifier_" + post.lower(), "LinearClassifier", {"a": a}, domain=ML, outputs=2, types=[I, F], coefficients=[float(v) for v in rng.randn(12)], intercepts=[0.1, 0.2, -0.3], classlabels_ints=[5, 6, 7], post_transform=post)
    op("linear_classifier2_" + post.lower(), "LinearClassifier", {"a": a}, domain=ML, outputs=2, types=[S, F], coefficients=[float(v) for v in rng.randn(8)], intercepts=[0.1, -0.1], classlabels_strings=["n", "y"], post_transform=post)
op("linear_regressor", "LinearRegressor", {"a": a}, domain=ML, coefficients=[float(v) for v in rng.randn(8)], intercepts=[0.5, -0.5], targets=2)
tree = dict(nodes_treeids=[0, 0, 0, 1, 1, 1], nodes_nodeids=[0, 1, 2, 0, 1, 2], nodes_featureids=[1, 0, 0, 2, 0, 0], nodes_truenodeids=[1, 0, 0, 1, 0, 0], nodes_falsenodeids=[2, 0, 0, 2, 0, 0],
            nodes_values=[0.1, 0.0, 0.0, 0.2, 0.0, 0.0], nodes_missing_value_tracks_true=[1, 0, 0, 0, 0, 0])
holes = a.copy()
holes[1, 1] = np.nan
holes[2, 2] = np.nan
for mode in ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"):
    op("trees_" + mode.lower(), "TreeEnsembleRegressor", {"a": holes}, domain=ML, n_targets=2, nodes_modes=[mode, "LEAF", "LEAF"] * 2, target_treeids=[0, 0, 1, 1, 1], target_nodeids=[1, 2, 1, 2, 2],
       target_ids=[0, 1, 0, 0, 1], target_weights=[1.0, 2.0, 3.0, 4.0, 5.0], base_values=[0.5, -0.5], **tree)
for how in ("AVERAGE", "MIN", "MAX"):
    op("trees_" + how.lower(), "TreeEnsembleRegressor", {"a": holes}, domain=ML, n_targets=1, nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"] * 2, target_treeids=[0, 0, 1, 1], target_nodeids=[1, 2, 1, 2],
       target_ids=[0, 0, 0, 0], target_weights=[1.0, 2.0, 3.0, 4.0], aggregate_function=how, **tree)
for name, weights in (("positive", [0.1, 0.2, 0.3, 0.4]), ("mixed", [-1.0, 2.0, 0.5, -0.25])):
    for post in ("NONE", "LOGISTIC"):
        op(f"trees_class_{name}_{post.lower()}", "TreeEnsembleClassifier", {"a": holes}, domain=ML, outputs=2, types=[I, F], nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"] * 2, class_treeids=[0, 0, 1, 1], class_nodeids=[1, 2, 1, 2],
           class_ids=[0, 0, 0, 0], class_weights=weights, classlabels_int64s=[0, 1], post_transform=post, **tree)

archive.close()
print(len(made), "made,", len(skipped), "skipped")
print("\n".join(skipped))
