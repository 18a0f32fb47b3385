"""Makes the scoring fixtures of the estimators that make_fixtures.py does not have.

Run it once for each scikit-learn release, with numpy, pandas and cloudpickle beside it (and skops where
that exists):

    python make_estimators.py estimators-VERSION.zip

The zip holds cases.json (inputs and scikit-learn's own answers) and the model files that it names. Go
tests read only that file.
"""

import io
import json
import pickle
import sys
import warnings
import zipfile

import cloudpickle
import numpy as np
import pandas as pd
import sklearn
import scipy.special
from sklearn import (
    calibration,
    cluster,
    compose,
    covariance,
    cross_decomposition,
    decomposition,
    discriminant_analysis,
    dummy,
    ensemble,
    feature_extraction,
    feature_selection,
    impute,
    isotonic,
    linear_model,
    mixture,
    model_selection,
    multiclass,
    multioutput,
    naive_bayes,
    neighbors,
    neural_network,
    pipeline,
    preprocessing,
    random_projection,
    svm,
    tree,
)

try:
    from sklearn.experimental import enable_hist_gradient_boosting  # noqa: F401
except ImportError:
    pass
from sklearn.experimental import enable_halving_search_cv  # noqa: F401

try:
    import skops.io
except ImportError:
    skops = None

warnings.filterwarnings("ignore")
rng = np.random.RandomState(11)
newest = sklearn.__version__ >= "1.9"
PROBA = ("predict", "predict_proba", "predict_log_proba")
BOTH = PROBA + ("decision_function",)
P = pipeline.Pipeline

N = 90
X = rng.randn(N, 4) * [1, 2, 5, 0.5] + [0, 1, -2, 3]
more = np.r_[X[:7], rng.randn(7, 4) * 4]  # rows of the fit and new ones
raw = X[:, 0] + 0.3 * X[:, 2] + 0.5 * rng.randn(N)
y = 3 * X[:, 0] - X[:, 1] + 0.2 * X[:, 2] ** 2 + rng.randn(N)
ypos = np.exp(y / 8) + 0.1
ycount = rng.poisson(ypos).astype(float)
y2 = np.c_[y, X[:, 1] * X[:, 3]]
b = (raw > np.median(raw)).astype(int)
c3 = np.digitize(raw, np.percentile(raw, [30, 70]))
cs = np.array(["alto", "bajo", "medio"])[c3]
cbool = b.astype(bool)
cfloat = c3 * 1.0
b2 = np.c_[b, (X[:, 1] > 1).astype(int)]
c32 = np.c_[c3, (X[:, 3] > 3).astype(int)]
four = np.digitize(X[:, 0], [-0.7, 0, 0.7])
frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
mframe = pd.DataFrame(more, columns=frame.columns)
gaps = X.copy()
gaps[::5, 0] = np.nan
gaps[1::7, 2] = np.nan
mgaps = more.copy()
mgaps[::3, 0] = np.nan
mgaps[1::4, 1] = np.nan
mgaps[2, :] = np.nan
grid = np.round(X).clip(-3, 3)  # many ties
mgrid = np.round(more)
cat = np.c_[rng.randint(0, 6, N), rng.randint(0, 3, N), np.round(X[:, 0], 3), rng.randint(0, 40, N)].astype(float)
ycat = (cat[:, 0] % 3) * 2 + cat[:, 1] + cat[:, 2] + (cat[:, 3] % 5)
mcat = np.r_[cat[:8], [[9, 0, 0.5, 77], [-1, 2, np.nan, -3], [np.nan, 7, 1.0, np.nan], [300, 1, 2.0, 256], [2.5, 1.2, 0.0, 3.9]]]
words = pd.DataFrame({
    "color": rng.choice(["red", "green", "blue", "grey", "pink"], N, p=[0.4, 0.3, 0.2, 0.06, 0.04]),
    "size": rng.choice(["S", "M", "L", ""], N),
}).astype(object)
mwords = pd.DataFrame({"color": ["red", "grey", "pink", "black", "", "blue"], "size": ["S", "", "L", "M", "XXL", "L"]}).astype(object)
gwords = words.copy()
gwords.loc[::8, "color"] = np.nan
mgwords = mwords.copy()
mgwords.loc[1, "color"] = np.nan
mgwords.loc[2, "size"] = np.nan
yw = (words["color"] == "red") * 2.0 + (words["size"] == "M") + 0.1 * np.arange(N) / N
cw = np.where(words["color"] == "red", "x", np.where(words["size"] == "M", "y", "z"))
docs = ["The cat sat on the mat", "A dog and a cat!", "dogs DOGS dogs", "", "Ünïcode straße naïve café 日本 x", "one two two three three three",
        "the and of but", "cat-dog_cat 42 4 2nd", "Σίσυφος ΟΔΥΣΣΕΥΣ", "mat mat sat\tthe\n\ncat"] * 3
ydocs = np.array([0, 1, 1, 0, 1, 0, 0, 1, 1, 0] * 3)
mdocs = docs[:10] + ["nothing known here", "cat", "The  dog   sat", "İstanbul ΑΣ cat"]
small = dict(max_depth=3, random_state=1)
L = linear_model
positive = np.abs(X) + 0.1
mpositive = np.abs(more) + 0.05


def chain(*steps):
    return P([("s%d" % i, s) for i, s in enumerate(steps)])


def table(model):
    return chain(compose.ColumnTransformer([("t", model, "text")]), L.LogisticRegression())


def histcats(cls, **kw):
    return lambda: cls(max_iter=5, max_leaf_nodes=6, min_samples_leaf=4, categorical_features=[0, 1, 3], **kw)


H = dict(max_iter=6, max_leaf_nodes=5, min_samples_leaf=5)
cases = [
    # name, estimator, X, y, rows, methods
    ("lars_cv", lambda: L.LarsCV(cv=3), X, y, more, ["predict"]),
    ("lasso_lars_cv", lambda: L.LassoLarsCV(cv=3), X, y, more, ["predict"]),
    ("lasso_lars_ic", lambda: L.LassoLarsIC(), X, y, more, ["predict"]),
    ("omp", lambda: L.OrthogonalMatchingPursuit(n_nonzero_coefs=2), X, y, more, ["predict"]),
    ("omp_cv", lambda: L.OrthogonalMatchingPursuitCV(cv=3), X, y, more, ["predict"]),
    ("multi_lasso", lambda: L.MultiTaskLasso(alpha=0.1), X, y2, more, ["predict"]),
    ("multi_elastic_cv", lambda: L.MultiTaskElasticNetCV(cv=3, n_alphas=5) if sklearn.__version__ < "1.7" else L.MultiTaskElasticNetCV(cv=3, alphas=5), X, y2, more, ["predict"]),
    ("poisson", lambda: L.PoissonRegressor(), X, ycount, more, ["predict"]),
    ("gamma", lambda: L.GammaRegressor(), X, ypos, more, ["predict"]),
    ("tweedie_normal", lambda: L.TweedieRegressor(power=0), X, y, more, ["predict"]),
    ("tweedie", lambda: L.TweedieRegressor(power=1.5), X, ycount, more, ["predict"]),
    ("tweedie_log", lambda: L.TweedieRegressor(power=0, link="log"), X, ypos, more, ["predict"]),
    ("quantile", lambda: L.QuantileRegressor(alpha=0.01, solver="highs"), X, y, more, ["predict"]),
    ("theil_sen", lambda: L.TheilSenRegressor(random_state=1), X, y, more, ["predict"]),
    ("ransac", lambda: L.RANSACRegressor(random_state=1), X, y, more, ["predict"]),
    ("passive_aggressive", lambda: L.PassiveAggressiveRegressor(random_state=1), X, y, more, ["predict"]),
    ("bayesian_frame", lambda: L.BayesianRidge(), frame, y, mframe, ["predict"]),
    ("ridge_classifier", lambda: L.RidgeClassifier(), X, c3, more, ["predict", "decision_function"]),
    ("ridge_classifier_two", lambda: L.RidgeClassifierCV(), X, cbool, more, ["predict", "decision_function"]),
    ("passive_aggressive_classifier", lambda: L.PassiveAggressiveClassifier(random_state=1), X, cs, more, ["predict", "decision_function"]),
    ("sgd_log", lambda: L.SGDClassifier(loss="log" if sklearn.__version__ < "1.1" else "log_loss", random_state=1), X, c3, more, BOTH),
    ("sgd_log_two", lambda: L.SGDClassifier(loss="log" if sklearn.__version__ < "1.1" else "log_loss", random_state=1), X, b, more, BOTH),
    ("sgd_huber", lambda: L.SGDClassifier(loss="modified_huber", random_state=1), X, c3, more, ["predict", "predict_proba"]),
    ("sgd_huber_two", lambda: L.SGDClassifier(loss="modified_huber", random_state=1), X, b, more, ["predict", "predict_proba"]),
    ("logistic_all", lambda: L.LogisticRegression(), X, cs, more, BOTH),
    ("logistic_floats", lambda: L.LogisticRegression(), X, cfloat, more, BOTH),
    ("lda", lambda: discriminant_analysis.LinearDiscriminantAnalysis(), X, cs, more, BOTH + ("transform",)),
    ("lda_two", lambda: discriminant_analysis.LinearDiscriminantAnalysis(), X, b, more, BOTH + ("transform",)),
    ("lda_eigen", lambda: discriminant_analysis.LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto", n_components=1), X, c3, more, BOTH + ("transform",)),
    ("lda_lsqr", lambda: discriminant_analysis.LinearDiscriminantAnalysis(solver="lsqr"), X, c3, more, BOTH),
    ("qda", lambda: discriminant_analysis.QuadraticDiscriminantAnalysis(reg_param=0.01), X, cs, more, BOTH),
    ("qda_two", lambda: discriminant_analysis.QuadraticDiscriminantAnalysis(), X, b, more, BOTH),
    ("lda_far", lambda: discriminant_analysis.LinearDiscriminantAnalysis(), X, b, more * 1e5, PROBA),
    ("lda_far_three", lambda: discriminant_analysis.LinearDiscriminantAnalysis(), X, c3, more * 1e5, PROBA),
    ("qda_single", lambda: discriminant_analysis.QuadraticDiscriminantAnalysis(reg_param=0.8), X.astype(np.float32), b, more, BOTH),
    ("logistic_newton", lambda: L.LogisticRegression(solver="newton-cholesky"), X, cs, more, BOTH),  # one against the rest before 1.6
    # trees
    ("tree_two_outputs", lambda: tree.DecisionTreeRegressor(**small), X, y2, more, ["predict"]),
    ("tree_gaps", lambda: tree.DecisionTreeRegressor(**small), gaps, y, mgaps, ["predict"]),
    ("tree_gaps_classifier", lambda: tree.DecisionTreeClassifier(max_depth=4, random_state=1), gaps, cs, mgaps, PROBA),
    ("tree_ties", lambda: tree.DecisionTreeClassifier(max_depth=2, random_state=1), grid, c3, mgrid, PROBA),
    ("tree_outputs_classifier", lambda: tree.DecisionTreeClassifier(**small), X, c32, more, ["predict"]),
    ("tree_stump", lambda: tree.DecisionTreeClassifier(max_depth=1, class_weight="balanced"), X, c3, more, PROBA),
    ("tree_one_class", lambda: tree.DecisionTreeClassifier(), X, np.full(N, "only"), more, PROBA),
    ("extra_tree", lambda: tree.ExtraTreeRegressor(**small), X, y, more, ["predict"]),
    ("extra_tree_classifier", lambda: tree.ExtraTreeClassifier(**small), X, cs, more, PROBA),
    ("forest_two_outputs", lambda: ensemble.RandomForestRegressor(4, **small), X, y2, more, ["predict"]),
    ("forest_outputs_classifier", lambda: ensemble.RandomForestClassifier(4, **small), X, c32, more, ["predict"]),
    ("forest_gaps", lambda: ensemble.RandomForestClassifier(4, **small), gaps, c3, mgaps, PROBA),
    ("extra_trees_gaps", lambda: ensemble.ExtraTreesRegressor(4, **small), gaps, y, mgaps, ["predict"]),
    ("extra_trees_bool", lambda: ensemble.ExtraTreesClassifier(4, **small), X, cbool, more, PROBA),
    ("isolation", lambda: ensemble.IsolationForest(n_estimators=6, max_samples=32, random_state=1), X, None, more, ["predict", "decision_function", "score_samples"]),
    ("isolation_some", lambda: ensemble.IsolationForest(n_estimators=6, max_samples=20, max_features=2, contamination=0.1, random_state=1), frame, None, mframe, ["predict", "decision_function", "score_samples"]),
    ("boosting_lad", lambda: ensemble.GradientBoostingRegressor(loss="absolute_error", n_estimators=4, max_depth=2, random_state=1), X, y, more, ["predict"]),
    ("boosting_huber", lambda: ensemble.GradientBoostingRegressor(loss="huber", n_estimators=4, max_depth=2, random_state=1), X, y, more, ["predict"]),
    ("boosting_quantile", lambda: ensemble.GradientBoostingRegressor(loss="quantile", alpha=0.7, n_estimators=4, max_depth=2, random_state=1), X, y, more, ["predict"]),
    ("boosting_zero", lambda: ensemble.GradientBoostingRegressor(init="zero", n_estimators=4, max_depth=2, random_state=1), X, y, more, ["predict"]),
    ("boosting_init", lambda: ensemble.GradientBoostingRegressor(init=L.LinearRegression(), n_estimators=4, max_depth=2, random_state=1), X, y, more, ["predict"]),
    ("boosting_exponential", lambda: ensemble.GradientBoostingClassifier(loss="exponential", n_estimators=4, max_depth=2, random_state=1), X, cs == "alto", more, BOTH),
    ("boosting_two", lambda: ensemble.GradientBoostingClassifier(n_estimators=4, max_depth=2, random_state=1), X, b, more, BOTH),
    ("boosting_text", lambda: ensemble.GradientBoostingClassifier(n_estimators=3, max_depth=2, random_state=1), X, cs, more, BOTH),
    ("boosting_init_classifier", lambda: ensemble.GradientBoostingClassifier(init=L.LogisticRegression(), n_estimators=3, max_depth=2, random_state=1), X, c3, more, BOTH),
    ("boosting_zero_classifier", lambda: ensemble.GradientBoostingClassifier(init="zero", n_estimators=3, max_depth=2, random_state=1), X, c3, more, BOTH),
    # histogram gradient boosting
    ("hist", lambda: ensemble.HistGradientBoostingRegressor(**H), X, y, more, ["predict"]),
    ("hist_gaps", lambda: ensemble.HistGradientBoostingRegressor(**H), gaps, y, mgaps, ["predict"]),
    ("hist_absolute", lambda: ensemble.HistGradientBoostingRegressor(loss="absolute_error", **H), X, y, more, ["predict"]),
    ("hist_poisson", lambda: ensemble.HistGradientBoostingRegressor(loss="poisson", **H), X, ycount, more, ["predict"]),
    ("hist_gamma", lambda: ensemble.HistGradientBoostingRegressor(loss="gamma", **H), X, ypos, more, ["predict"]),
    ("hist_quantile", lambda: ensemble.HistGradientBoostingRegressor(loss="quantile", quantile=0.8, **H), X, y, more, ["predict"]),
    ("hist_frame", lambda: ensemble.HistGradientBoostingRegressor(monotonic_cst=[1, 0, 0, -1], **H), frame, y, mframe, ["predict"]),
    ("hist_categories", histcats(ensemble.HistGradientBoostingRegressor), cat, ycat, mcat, ["predict"]),
    ("hist_two", lambda: ensemble.HistGradientBoostingClassifier(**H), X, b, more, BOTH),
    ("hist_three", lambda: ensemble.HistGradientBoostingClassifier(**dict(H, max_iter=3)), gaps, cs, mgaps, BOTH),
    ("hist_categories_classifier", histcats(ensemble.HistGradientBoostingClassifier), cat, (ycat > 5).astype(int), mcat, BOTH),
    ("hist_words", lambda: ensemble.HistGradientBoostingRegressor(categorical_features=["color"], max_iter=5, min_samples_leaf=3), words.assign(z=X[:, 0])[["z", "color"]], yw + X[:, 0], mwords.assign(z=more[:6, 0])[["z", "color"]], ["predict"]),
    # ensembles of estimators
    ("adaboost", lambda: ensemble.AdaBoostRegressor(n_estimators=4, random_state=1), X, y, more, ["predict"]),
    ("adaboost_classifier", lambda: ensemble.AdaBoostClassifier(n_estimators=4, random_state=1), X, cs, more, BOTH),
    ("adaboost_two", lambda: ensemble.AdaBoostClassifier(n_estimators=4, random_state=1), X, b, more, BOTH),
    ("adaboost_samme", lambda: ensemble.AdaBoostClassifier(n_estimators=4, random_state=1, **({"algorithm": "SAMME"} if sklearn.__version__ < "1.6" else {})), X, c3, more, BOTH),
    ("adaboost_samme_two", lambda: ensemble.AdaBoostClassifier(n_estimators=4, random_state=1, **({"algorithm": "SAMME"} if sklearn.__version__ < "1.6" else {})), X, cbool, more, BOTH),
    ("bagging", lambda: ensemble.BaggingRegressor(tree.DecisionTreeRegressor(max_depth=2), n_estimators=3, max_features=0.5, random_state=1), X, y, more, ["predict"]),
    ("bagging_classifier", lambda: ensemble.BaggingClassifier(tree.DecisionTreeClassifier(max_depth=2), n_estimators=3, random_state=1), X, cs, more, ["predict", "predict_proba"]),
    ("bagging_votes", lambda: ensemble.BaggingClassifier(svm.LinearSVC(random_state=1), n_estimators=3, max_features=3, random_state=1), frame, c3, mframe, ["predict", "predict_proba"]),
    ("voting", lambda: ensemble.VotingRegressor([("a", L.Ridge()), ("b", tree.DecisionTreeRegressor(**small))], weights=[2, 1]), X, y, more, ["predict"]),
    ("voting_hard", lambda: ensemble.VotingClassifier([("a", L.LogisticRegression()), ("b", naive_bayes.GaussianNB()), ("c", tree.DecisionTreeClassifier(**small))]), X, cs, more, ["predict"]),
    ("voting_soft", lambda: ensemble.VotingClassifier([("a", L.LogisticRegression()), ("b", "drop"), ("c", tree.DecisionTreeClassifier(**small))], voting="soft", weights=[1, 5, 3]), frame, cs, mframe, ["predict", "predict_proba"]),
    ("stacking", lambda: ensemble.StackingRegressor([("a", L.Ridge()), ("b", tree.DecisionTreeRegressor(**small))], cv=3), X, y, more, ["predict"]),
    ("stacking_through", lambda: ensemble.StackingRegressor([("a", L.Ridge()), ("b", neighbors.KNeighborsRegressor(3))], final_estimator=tree.DecisionTreeRegressor(**small), passthrough=True, cv=3), frame, y, mframe, ["predict"]),
    ("stacking_classifier", lambda: ensemble.StackingClassifier([("a", L.LogisticRegression()), ("b", svm.LinearSVC(random_state=1))], cv=3), X, cs, more, BOTH),
    ("stacking_two", lambda: ensemble.StackingClassifier([("a", naive_bayes.GaussianNB()), ("b", tree.DecisionTreeClassifier(**small))], cv=3, passthrough=True), X, cbool, more, BOTH),
    ("search", lambda: model_selection.GridSearchCV(chain(preprocessing.StandardScaler(), L.Ridge()), {"s1__alpha": [0.1, 10]}, cv=3), frame, y, mframe, ["predict"]),
    ("search_random", lambda: model_selection.RandomizedSearchCV(L.LogisticRegression(), {"C": [0.1, 1, 10]}, n_iter=2, cv=3, random_state=1), X, cs, more, BOTH),
    ("search_halving", lambda: model_selection.HalvingGridSearchCV(tree.DecisionTreeClassifier(random_state=1), {"max_depth": [1, 3]}, cv=3, random_state=1), X, c3, more, ["predict"]),
    ("target_log", lambda: compose.TransformedTargetRegressor(L.Ridge(), func=np.log1p, inverse_func=np.expm1), X, ypos, more, ["predict"]),
    ("target_scaled", lambda: compose.TransformedTargetRegressor(L.Ridge(), transformer=preprocessing.StandardScaler()), X, y, more, ["predict"]),
    ("target_power", lambda: compose.TransformedTargetRegressor(L.Ridge(), transformer=preprocessing.PowerTransformer()), X, y, more, ["predict"]),
    ("target_boxcox", lambda: compose.TransformedTargetRegressor(L.Ridge(), transformer=preprocessing.PowerTransformer(method="box-cox")), X, ypos, X[:20], ["predict"]),
    ("target_quantile", lambda: compose.TransformedTargetRegressor(L.Ridge(), transformer=preprocessing.QuantileTransformer(n_quantiles=20, output_distribution="normal")), X, y, more, ["predict"]),
    ("target_two", lambda: compose.TransformedTargetRegressor(L.Ridge(), transformer=preprocessing.MinMaxScaler()), X, y2, more, ["predict"]),
    ("calibrated_sigmoid", lambda: calibration.CalibratedClassifierCV(svm.LinearSVC(random_state=1), cv=3), X, cs, more, ["predict", "predict_proba"]),
    ("calibrated_two", lambda: calibration.CalibratedClassifierCV(naive_bayes.GaussianNB(), cv=3), X, b, more, ["predict", "predict_proba"]),
    ("calibrated_isotonic", lambda: calibration.CalibratedClassifierCV(tree.DecisionTreeClassifier(**small), method="isotonic", cv=3), X, c3, more, ["predict", "predict_proba"]),
    ("calibrated_one", lambda: calibration.CalibratedClassifierCV(L.LogisticRegression(), method="isotonic", cv=3, ensemble=False), frame, cbool, mframe, ["predict", "predict_proba"]),
    ("outputs", lambda: multioutput.MultiOutputRegressor(ensemble.GradientBoostingRegressor(n_estimators=2, max_depth=2)), X, y2, more, ["predict"]),
    ("outputs_classifier", lambda: multioutput.MultiOutputClassifier(L.LogisticRegression()), X, c32, more, ["predict"]),
    ("chain", lambda: multioutput.RegressorChain(L.Ridge(), order=[1, 0]), X, y2, more, ["predict"]),
    ("chain_classifier", lambda: multioutput.ClassifierChain(L.LogisticRegression(), order=[1, 0]), X, b2, more, ["predict", "predict_proba", "decision_function"]),
    ("one_rest", lambda: multiclass.OneVsRestClassifier(L.LogisticRegression()), X, cs, more, ["predict", "predict_proba", "decision_function"]),
    ("one_rest_two", lambda: multiclass.OneVsRestClassifier(L.LogisticRegression()), X, b, more, ["predict", "predict_proba"]),
    ("one_rest_trees", lambda: multiclass.OneVsRestClassifier(tree.DecisionTreeClassifier(max_depth=1)), grid, four, mgrid, ["predict"]),
    ("one_rest_labels", lambda: multiclass.OneVsRestClassifier(L.LogisticRegression()), X, b2, more, ["predict", "predict_proba"]),
    ("one_rest_ridge", lambda: multiclass.OneVsRestClassifier(L.Ridge()), X, c3, more, ["predict"]),
    ("one_one", lambda: multiclass.OneVsOneClassifier(svm.LinearSVC(random_state=1)), X, four, more, ["predict", "decision_function"]),
    ("one_one_trees", lambda: multiclass.OneVsOneClassifier(tree.DecisionTreeClassifier(max_depth=2)), X, cs, more, ["predict", "decision_function"]),
    # neighbors
    ("knn_brute", lambda: neighbors.KNeighborsRegressor(4, algorithm="brute"), X, y, more, ["predict"]),
    ("knn_kd", lambda: neighbors.KNeighborsRegressor(5, algorithm="kd_tree", leaf_size=5, weights="distance"), X, y, more, ["predict"]),
    ("knn_ball", lambda: neighbors.KNeighborsRegressor(5, algorithm="ball_tree", leaf_size=5), X, y2, more, ["predict"]),
    ("knn_ties", lambda: neighbors.KNeighborsClassifier(3, algorithm="kd_tree", leaf_size=4), grid, cs, mgrid, ["predict", "predict_proba"]),
    ("knn_ties_ball", lambda: neighbors.KNeighborsClassifier(4, algorithm="ball_tree", leaf_size=4, p=1), grid, c3, mgrid, ["predict", "predict_proba"]),
    ("knn_ties_brute", lambda: neighbors.KNeighborsClassifier(4, algorithm="brute", p=1), grid, c3, mgrid, ["predict", "predict_proba"]),
    ("knn_minkowski", lambda: neighbors.KNeighborsClassifier(4, p=3, weights="distance"), frame, cs, mframe, ["predict", "predict_proba"]),
    ("knn_chebyshev", lambda: neighbors.KNeighborsClassifier(4, metric="chebyshev", leaf_size=10), X, b, more, ["predict", "predict_proba"]),
    ("knn_outputs", lambda: neighbors.KNeighborsClassifier(4, leaf_size=10), X, c32, more, ["predict"]),
    ("centroid", lambda: neighbors.NearestCentroid(), X, cs, more, ["predict"]),
    ("centroid_shrunk", lambda: neighbors.NearestCentroid(shrink_threshold=0.2), X, c3, more, ["predict"]),
    # support vectors
    ("svc", lambda: svm.SVC(), X, cs, more, ["predict", "decision_function"]),
    ("svc_two", lambda: svm.SVC(gamma="auto"), X, b, more, ["predict", "decision_function"]),
    ("svc_ovo", lambda: svm.SVC(decision_function_shape="ovo", kernel="linear"), X, four, more, ["predict", "decision_function"]),
    ("svc_ties", lambda: svm.SVC(break_ties=True, kernel="poly", degree=2, coef0=1), grid, four, mgrid, ["predict", "decision_function"]),
    ("svc_votes", lambda: svm.SVC(kernel="sigmoid", gamma=0.05), grid, four, mgrid, ["predict", "decision_function"]),
    ("svc_proba", lambda: svm.SVC(probability=True, random_state=1), X, cs, more, BOTH),
    ("svc_proba_two", lambda: svm.SVC(probability=True, random_state=1), X, cbool, more, BOTH),
    ("svc_proba_four", lambda: svm.SVC(probability=True, random_state=1, kernel="poly"), X, four, more, BOTH),
    ("nusvc", lambda: svm.NuSVC(nu=0.3, probability=True, random_state=1), X, c3, more, BOTH),
    ("svr", lambda: svm.SVR(C=2), X, y, more, ["predict"]),
    ("svr_linear", lambda: svm.SVR(kernel="linear"), frame, y, mframe, ["predict"]),
    ("nusvr", lambda: svm.NuSVR(kernel="poly", degree=2), X, y, more, ["predict"]),
    ("one_class", lambda: svm.OneClassSVM(nu=0.2, gamma=0.1), X, None, more, ["predict", "decision_function", "score_samples"]),
    ("linear_svc_two", lambda: svm.LinearSVC(random_state=1), X, cs == "alto", more, ["predict", "decision_function"]),
    # naive Bayes
    ("gaussian", lambda: naive_bayes.GaussianNB(), X, cs, more, PROBA),
    ("bernoulli", lambda: naive_bayes.BernoulliNB(binarize=0.5), X, c3, more, PROBA),
    ("multinomial", lambda: naive_bayes.MultinomialNB(), positive, cs, mpositive, PROBA),
    ("multinomial_two", lambda: naive_bayes.MultinomialNB(), positive, b, mpositive, PROBA),
    ("complement", lambda: naive_bayes.ComplementNB(norm=True), positive, c3, mpositive, PROBA),
    ("categorical", lambda: naive_bayes.CategoricalNB(), cat[:, [0, 1, 3]], (ycat > 5).astype(int), cat[:9, [0, 1, 3]], PROBA),
    ("mlp", lambda: neural_network.MLPRegressor(hidden_layer_sizes=(6, 3), random_state=1, max_iter=60), X, y, more, ["predict"]),
    ("mlp_two_outputs", lambda: neural_network.MLPRegressor(hidden_layer_sizes=(5,), activation="tanh", random_state=1, max_iter=60), X, y2, more, ["predict"]),
    ("mlp_classifier", lambda: neural_network.MLPClassifier((5,), activation="logistic", random_state=1, max_iter=60), X, cs, more, PROBA),
    ("mlp_two", lambda: neural_network.MLPClassifier((5, 4), activation="identity", random_state=1, max_iter=60), X, cbool, more, PROBA),
    ("mlp_labels", lambda: neural_network.MLPClassifier((5,), random_state=1, max_iter=60), X, b2, more, ["predict", "predict_proba"]),
    # clusters and outliers
    ("kmeans", lambda: cluster.KMeans(4, random_state=1, n_init=2), X, None, more, ["predict", "transform"]),
    ("kmeans_mini", lambda: cluster.MiniBatchKMeans(3, random_state=1, n_init=2), frame, None, mframe, ["predict", "transform"]),
    ("mean_shift", lambda: cluster.MeanShift(bandwidth=6), X, None, more, ["predict"]),
    ("mixture", lambda: mixture.GaussianMixture(3, random_state=1), X, None, more, ["predict", "predict_proba", "score_samples"]),
    ("mixture_tied", lambda: mixture.GaussianMixture(2, covariance_type="tied", random_state=1), X, None, more, ["predict", "predict_proba"]),
    ("mixture_diag", lambda: mixture.GaussianMixture(3, covariance_type="diag", random_state=1), X, None, more, ["predict", "predict_proba"]),
    ("mixture_spherical", lambda: mixture.GaussianMixture(2, covariance_type="spherical", random_state=1), X, None, more, ["predict", "predict_proba"]),
    ("envelope", lambda: covariance.EllipticEnvelope(random_state=1), X, None, more, ["predict", "decision_function", "score_samples"]),
    ("dummy_mean", lambda: dummy.DummyRegressor(), X, y, more, ["predict"]),
    ("dummy_median", lambda: dummy.DummyRegressor(strategy="median"), X, y, more, ["predict"]),
    ("dummy_prior", lambda: dummy.DummyClassifier(), X, cs, more, ["predict", "predict_proba"]),
    ("dummy_frequent", lambda: dummy.DummyClassifier(strategy="most_frequent"), X, c3, more, ["predict", "predict_proba"]),
    ("dummy_constant", lambda: dummy.DummyClassifier(strategy="constant", constant="bajo"), X, cs, more, ["predict", "predict_proba"]),
    ("isotonic", lambda: isotonic.IsotonicRegression(out_of_bounds="clip"), X[:, :1], y, more[:, :1], ["predict"]),
    ("isotonic_nan", lambda: isotonic.IsotonicRegression(), X[:, :1], y, X[:9, :1], ["predict"]),
    ("pls", lambda: cross_decomposition.PLSRegression(2), X, y, more, ["predict"]),
    ("pls_two", lambda: cross_decomposition.PLSRegression(2), X, y2, more, ["predict"]),
    # transformers
    ("pca", lambda: decomposition.PCA(2), X, None, more, ["transform"]),
    ("pca_whiten", lambda: decomposition.PCA(3, whiten=True), frame, None, mframe, ["transform"]),
    ("pca_incremental", lambda: decomposition.IncrementalPCA(2), X, None, more, ["transform"]),
    ("svd", lambda: decomposition.TruncatedSVD(2, random_state=1), X, None, more, ["transform"]),
    ("ica", lambda: decomposition.FastICA(2, random_state=1), X, None, more, ["transform"]),
    ("projection", lambda: random_projection.GaussianRandomProjection(3, random_state=1), X, None, more, ["transform"]),
    ("scale_gaps", lambda: preprocessing.StandardScaler(), gaps, None, mgaps, ["transform"]),
    ("scale_robust_only", lambda: preprocessing.RobustScaler(with_centering=False, unit_variance=True), gaps, None, mgaps, ["transform"]),
    ("scale_maxabs_only", lambda: preprocessing.MaxAbsScaler(), gaps, None, mgaps, ["transform"]),
    ("normalize", lambda: preprocessing.Normalizer(), X, None, np.r_[more, [[0, 0, 0, 0], [1e-16, 0, -1e-17, 0]]], ["transform"]),
    ("normalize_l1", lambda: preprocessing.Normalizer("l1"), X, None, more, ["transform"]),
    ("normalize_max", lambda: preprocessing.Normalizer("max"), X, None, more, ["transform"]),
    ("power", lambda: preprocessing.PowerTransformer(), gaps, None, mgaps, ["transform"]),
    ("power_raw", lambda: preprocessing.PowerTransformer(standardize=False), X, None, more, ["transform"]),
    ("power_boxcox", lambda: preprocessing.PowerTransformer("box-cox"), positive, None, mpositive, ["transform"]),
    ("quantile_uniform", lambda: preprocessing.QuantileTransformer(n_quantiles=15), gaps, None, mgaps, ["transform"]),
    ("quantile_normal", lambda: preprocessing.QuantileTransformer(n_quantiles=30, output_distribution="normal"), grid, None, mgrid, ["transform"]),
    ("binarize", lambda: preprocessing.Binarizer(threshold=0.3), X, None, more, ["transform"]),
    ("polynomial", lambda: preprocessing.PolynomialFeatures(3), X, None, more, ["transform"]),
    ("polynomial_interactions", lambda: preprocessing.PolynomialFeatures(3, interaction_only=True, include_bias=False), frame, None, mframe, ["transform"]),
    ("polynomial_range", lambda: preprocessing.PolynomialFeatures((2, 3)), X, None, more, ["transform"]),
    ("bins", lambda: preprocessing.KBinsDiscretizer(3), X, None, more, ["transform"]),
    ("bins_ordinal", lambda: preprocessing.KBinsDiscretizer(4, encode="ordinal", strategy="uniform"), grid, None, mgrid, ["transform"]),
    ("bins_kmeans", lambda: preprocessing.KBinsDiscretizer([2, 3, 4, 2], encode="onehot-dense", strategy="kmeans"), X, None, more, ["transform"]),
    ("onehot_infrequent", lambda: preprocessing.OneHotEncoder(min_frequency=8, handle_unknown="infrequent_if_exist"), words, None, mwords, ["transform"]),
    ("onehot_infrequent_ignore", lambda: preprocessing.OneHotEncoder(max_categories=3, handle_unknown="ignore"), words, None, mwords, ["transform"]),
    ("onehot_infrequent_drop", lambda: preprocessing.OneHotEncoder(max_categories=3, drop="first", handle_unknown="infrequent_if_exist"), words, None, mwords, ["transform"]),
    ("onehot_gaps", lambda: preprocessing.OneHotEncoder(handle_unknown="ignore", drop="if_binary"), gwords, None, mgwords, ["transform"]),
    ("ordinal_missing", lambda: preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2), gwords, None, mgwords, ["transform"]),
    ("ordinal_infrequent", lambda: preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, min_frequency=8), gwords, None, mgwords, ["transform"]),
    ("ordinal_numbers", lambda: preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=99), cat[:, :2], None, mcat[:8, :2], ["transform"]),
    ("target_encoder", lambda: preprocessing.TargetEncoder(), words, yw, mwords, ["transform"]),
    ("target_encoder_classes", lambda: preprocessing.TargetEncoder(smooth=2.0), words, cw, mgwords, ["transform"]),
    ("impute_indicator", lambda: impute.SimpleImputer(add_indicator=True), gaps, None, mgaps, ["transform"]),
    ("impute_empty", lambda: impute.SimpleImputer(strategy="median"), np.c_[gaps, np.full(N, np.nan)], None, np.c_[mgaps, np.full(len(mgaps), np.nan)], ["transform"]),
    ("impute_knn", lambda: impute.KNNImputer(n_neighbors=3), gaps, None, mgaps, ["transform"]),
    ("impute_knn_distance", lambda: impute.KNNImputer(n_neighbors=4, weights="distance", add_indicator=True), gaps, None, mgaps[7:], ["transform"]),
    ("indicator", lambda: impute.MissingIndicator(error_on_new=False), gaps, None, mgaps, ["transform"]),
    ("indicator_all", lambda: impute.MissingIndicator(features="all"), gaps, None, mgaps, ["transform"]),
    ("function_log", lambda: preprocessing.FunctionTransformer(np.log1p), positive, None, mpositive, ["transform"]),
    ("function_frame", lambda: chain(preprocessing.FunctionTransformer(np.abs), compose.ColumnTransformer([("x", preprocessing.StandardScaler(), ["b", "d"])])), frame, None, mframe, ["transform"]),
    ("function_sqrt", lambda: preprocessing.FunctionTransformer(np.sqrt, validate=True), positive, None, mpositive, ["transform"]),
    ("function_expit", lambda: preprocessing.FunctionTransformer(scipy.special.expit), X, None, more, ["transform"]),
    ("select_best", lambda: feature_selection.SelectKBest(feature_selection.f_regression, k=2), X, y, more, ["transform"]),
    ("select_all", lambda: feature_selection.SelectKBest(k="all"), X, c3, more, ["transform"]),
    ("select_percentile", lambda: feature_selection.SelectPercentile(percentile=60), X, c3, more, ["transform"]),
    ("select_fpr", lambda: feature_selection.SelectFpr(alpha=0.05), X, c3, more, ["transform"]),
    ("select_fdr", lambda: feature_selection.SelectFdr(alpha=0.1), X, c3, more, ["transform"]),
    ("select_fwe", lambda: feature_selection.SelectFwe(alpha=0.1), X, c3, more, ["transform"]),
    ("select_fdr_constant", lambda: feature_selection.SelectFdr(alpha=0.4), np.c_[np.ones(N), X, X[:, :2] ** 2], c3, np.c_[np.ones(14), more, more[:, :2] ** 2], ["transform"]),
    ("select_generic", lambda: feature_selection.GenericUnivariateSelect(mode="k_best", param=3), X, c3, more, ["transform"]),
    ("select_variance", lambda: feature_selection.VarianceThreshold(1.0), X, None, more, ["transform"]),
    ("select_sequence", lambda: feature_selection.SequentialFeatureSelector(L.Ridge(), n_features_to_select=2, cv=3), X, y, more, ["transform"]),
    ("select_linear", lambda: chain(feature_selection.SelectFromModel(L.LogisticRegression(), threshold="0.8*mean"), L.Ridge()), frame, c3, mframe, ["predict"]),
    ("select_lasso", lambda: feature_selection.SelectFromModel(L.Lasso(alpha=0.3)), X, y, more, ["transform"]),
    ("select_forest", lambda: feature_selection.SelectFromModel(ensemble.RandomForestClassifier(5, **small), threshold="median", max_features=1), X, c3, more, ["transform"]),
    ("rfe", lambda: feature_selection.RFE(L.Ridge(), n_features_to_select=2), X, y, more, ["predict", "transform"]),
    ("rfe_cv", lambda: feature_selection.RFECV(L.LogisticRegression(), cv=3), frame, cs, mframe, ["predict", "predict_proba"]),
    ("union_weights", lambda: chain(pipeline.FeatureUnion([("a", preprocessing.StandardScaler()), ("b", decomposition.PCA(2)), ("c", "drop")], transformer_weights={"a": 2.0, "b": 0.5}), L.Ridge()), X, y, more, ["predict"]),
    ("columns_weights", lambda: compose.ColumnTransformer([("s", preprocessing.StandardScaler(), ["a", "c"]), ("p", "passthrough", ["b"])], transformer_weights={"s": 3.0}, remainder=preprocessing.MinMaxScaler()), frame, None, mframe, ["transform"]),
    ("clusters_inside", lambda: chain(preprocessing.StandardScaler(), cluster.KMeans(3, random_state=1, n_init=2), L.LogisticRegression()), X, cs, more, PROBA),
    ("lda_inside", lambda: chain(discriminant_analysis.LinearDiscriminantAnalysis(), neighbors.KNeighborsClassifier(3)), X, cs, more, ["predict"]),
    # text
    ("count", lambda: feature_extraction.text.CountVectorizer(), docs, None, mdocs, ["transform"]),
    ("count_grams", lambda: feature_extraction.text.CountVectorizer(ngram_range=(1, 2), stop_words="english", binary=True), docs, None, mdocs, ["transform"]),
    ("count_letters", lambda: feature_extraction.text.CountVectorizer(analyzer="char", ngram_range=(1, 2), max_features=60), docs, None, mdocs, ["transform"]),
    ("count_inside", lambda: feature_extraction.text.CountVectorizer(analyzer="char_wb", ngram_range=(2, 3), max_features=60, lowercase=False), docs, None, mdocs, ["transform"]),
    ("tfidf", lambda: chain(feature_extraction.text.TfidfVectorizer(), L.LogisticRegression()), docs, ydocs, mdocs, PROBA),
    ("tfidf_sublinear", lambda: feature_extraction.text.TfidfVectorizer(sublinear_tf=True, norm="l1", stop_words=["cat", "dog"], token_pattern=r"(?u)\b\w+\b"), docs, None, mdocs, ["transform"]),
    ("tfidf_plain", lambda: chain(feature_extraction.text.CountVectorizer(), feature_extraction.text.TfidfTransformer(use_idf=False, norm=None, sublinear_tf=True)), docs, None, mdocs, ["transform"]),
    ("tfidf_after", lambda: chain(feature_extraction.text.CountVectorizer(), feature_extraction.text.TfidfTransformer(), naive_bayes.MultinomialNB()), docs, ydocs, mdocs, PROBA),
    ("tfidf_column", lambda: table(feature_extraction.text.TfidfVectorizer()), pd.DataFrame({"n": range(30), "text": docs}), ydocs, pd.DataFrame({"n": range(14), "text": mdocs}), PROBA),
]

if newest:  # for benchmarks
    Xw = rng.rand(300, 11) * 10
    yw = np.round(Xw @ rng.randn(11) + 3 * np.sin(Xw[:, 0]))
    cases += [
        ("bench_elasticnet", lambda: L.ElasticNet(alpha=0.4), Xw, yw, Xw[:9], ["predict"]),
        ("bench_forest", lambda: ensemble.RandomForestRegressor(100, max_leaf_nodes=31, random_state=1), Xw, yw, Xw[:9], ["predict"]),
        ("bench_hist", lambda: ensemble.HistGradientBoostingRegressor(max_iter=100, max_leaf_nodes=15), Xw, yw, Xw[:9], ["predict"]),
    ]

# Models that must be refused at load, with a word that the reason must hold.
refused = [
    ("refuse_lambda", lambda: preprocessing.FunctionTransformer(print), X, None, "transform", "func"),
    ("refuse_reciprocal", lambda: preprocessing.FunctionTransformer(np.reciprocal), X, None, "transform", "func"),
    ("refuse_arguments", lambda: preprocessing.FunctionTransformer(np.log1p, kw_args={"dtype": "f4"}), positive, None, "transform", "kw_args"),
    ("refuse_metric", lambda: neighbors.KNeighborsClassifier(3, metric="canberra"), X, c3, "predict", "metric"),
    ("refuse_brute", lambda: neighbors.KNeighborsRegressor(algorithm="brute"), X.astype(int), y, "predict", "brute"),
    ("refuse_hashing", lambda: feature_extraction.text.HashingVectorizer(), docs, None, "transform", "HashingVectorizer"),
    ("refuse_accents", lambda: feature_extraction.text.CountVectorizer(strip_accents="unicode"), docs, None, "transform", "strip_accents"),
    ("refuse_pattern", lambda: feature_extraction.text.CountVectorizer(token_pattern="[a-z]+"), docs, None, "transform", "token_pattern"),
    ("refuse_random", lambda: dummy.DummyClassifier(strategy="uniform"), X, c3, "predict", "strategy"),
    ("refuse_unknown", lambda: neighbors.RadiusNeighborsRegressor(), X, y, "predict", "RadiusNeighborsRegressor"),
    ("refuse_no_refit", lambda: model_selection.GridSearchCV(L.Ridge(), {"alpha": [1]}, refit=False), X, y, "predict", "refit"),
    ("refuse_proba", lambda: svm.SVC(), X, c3, "predict_proba", "predict_proba"),
    ("refuse_mixed", lambda: multioutput.MultiOutputClassifier(L.LogisticRegression()), X, np.c_[c32.astype(object)[:, :1], cs.astype(object)], "predict", "types"),
]

# The inner model of these computes in float32, or was fitted in it.
tolerance = {"qda_single": 1e-6, "boosting_init": 1e-6, "boosting_init_classifier": 1e-6}

if sklearn.__version__ < "1.1":  # ties are then in the order of numpy.argpartition
    brute = [c for c in cases if "brute" in c[0]]
    cases = [c for c in cases if "brute" not in c[0]]
    refused += [(name, make, fit, target, "predict", "brute") for name, make, fit, target, _, _ in brute]


def number(v):
    v = float(v)
    return "NaN" if v != v else "Infinity" if v == np.inf else "-Infinity" if v == -np.inf else v


def answer(value):
    if hasattr(value, "toarray"):
        value = value.toarray()
    value = np.asarray(value)
    kind = value.dtype.kind
    flat = value.ravel().tolist()
    if kind == "f":
        flat = [number(v) for v in flat]
    if kind == "O":
        kind = {str: "U", float: "f", int: "i", bool: "b"}[type(flat[0])]
    return {"kind": kind, "shape": list(value.shape), "values": flat}


def body(rows):
    if isinstance(rows, list):
        return {"inputs": rows}
    plain = lambda row: [None if isinstance(v, float) and v != v else v for v in row]
    if isinstance(rows, np.ndarray):
        return {"inputs": [plain(r) for r in rows.tolist()]}
    data = [plain(r) for r in rows.to_numpy(dtype=object).tolist()]
    return {"dataframe_split": {"columns": list(rows.columns), "data": data}}


done = []
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out:

    def put(name, content):
        info = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
        info.compress_type = zipfile.ZIP_DEFLATED
        out.writestr(info, content)

    def write(i, name, model):
        # Most files are plain pickles: the other formats have the same objects in them.
        files = {name + ".pkl": pickle.dumps(model, protocol=4)}
        if i % 9 == 0 and not name.startswith("bench"):
            files[name + ".cloudpickle.pkl"] = cloudpickle.dumps(model)
        some = i % 3 == 1 and not name.startswith(("bench", "hist_", "isolation", "mlp_")) if newest else i % 31 == 0
        if skops is not None and (some or name.startswith(("tfidf", "knn_ties", "search"))):
            try:
                files[name + ".skops"] = repack(skops.io.dumps(model))
            except Exception as e:
                print(name, "is not for skops:", e)
        for file, content in files.items():
            put(file, content)
        return sorted(files)

    def repack(data):
        # skops stores its parts; compressed they are a tenth.
        packed = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as new:
            for name in old.namelist():
                info = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
                info.compress_type = zipfile.ZIP_DEFLATED
                new.writestr(info, old.read(name))
        return packed.getvalue()

    for i, (name, make, fit, target, rows, methods) in enumerate(cases):
        try:
            model = make().fit(fit) if target is None else make().fit(fit, target)
        except (TypeError, ValueError, AttributeError) as e:
            print(name, "is not of this release:", str(e)[:120])
            continue
        answers = {}
        for fn in methods:
            try:
                answers[fn] = answer(getattr(model, fn)(rows))
            except (AttributeError, NotImplementedError) as e:
                print(name, fn, "is not of this release:", str(e)[:120])
        done.append({"name": name, "files": write(i, name, model), "body": body(rows), "answers": answers, "tolerance": tolerance.get(name, 1e-9)})
    for i, (name, make, fit, target, fn, word) in enumerate(refused):
        try:
            model = make().fit(fit) if target is None else make().fit(fit, target)
        except (TypeError, ValueError) as e:
            print(name, "is not of this release:", str(e)[:120])
            continue
        done.append({"name": name, "files": write(i, name, model), "fn": fn, "refused": word})
    put("cases.json", json.dumps({"sklearn": sklearn.__version__, "cases": done}, separators=(",", ":"), allow_nan=False) + "\n")
print(sklearn.__version__, len(done), "cases")
