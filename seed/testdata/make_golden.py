"""Makes golden.json: what scikit-learn and numpy say about the sample models.

    go test ./seed -run TestWriteFixtures -fixtures /some/folder
    python seed/testdata/make_golden.py /some/folder/payments.csv > seed/testdata/golden.json

Needs scikit-learn 1.2 or later and pandas. It must be made again when the synthetic payments change.
"""

import json
import pathlib
import sys
import warnings

import numpy as np
import pandas as pd
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import ElasticNet, LogisticRegression
from sklearn import metrics
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

warnings.simplefilter("ignore")
here = pathlib.Path(__file__).parent


def split(table):
    np.random.seed(40)
    return train_test_split(table)


def wine(table, alpha):
    train, test = split(table)
    model = ElasticNet(alpha=alpha, l1_ratio=0.5, random_state=42)
    model.fit(train.drop(columns="quality"), train[["quality"]])
    predicted = model.predict(test.drop(columns="quality"))
    actual = test["quality"]
    probe = 0.415 if alpha == 0.42 else 0.235
    return {
        "alpha": alpha,
        "coef": model.coef_.tolist(),
        "intercept": float(model.intercept_[0]),
        "iterations": int(model.n_iter_),
        "dual_gap": float(model.dual_gap_),
        "probe": probe,
        "answer": float(model.predict(pd.DataFrame([[probe] * 11], columns=test.columns[:11]))[0]),
        "metrics": {
            "rmse": float(np.sqrt(metrics.mean_squared_error(actual, predicted))),
            "mae": float(metrics.mean_absolute_error(actual, predicted)),
            "r2": float(metrics.r2_score(actual, predicted)),
        },
    }


def fraud(path):
    table = pd.read_csv(path, quotechar="'", dtype={"age": object, "gender": object, "category": object})
    train, test = split(table)
    inputs = ["age", "gender", "category", "amount"]
    pipeline = Pipeline([
        ("preprocessor", ColumnTransformer([
            ("num", Pipeline([("imputer", SimpleImputer(strategy="median")), ("scaler", StandardScaler())]), ["amount"]),
            ("cat", OneHotEncoder(handle_unknown="ignore"), ["age", "gender", "category"]),
        ])),
        ("classifier", LogisticRegression(solver="newton-cholesky", tol=1e-12, max_iter=1000)),
    ])
    pipeline.fit(train[inputs], train["fraud"])
    parts, classifier = pipeline.named_steps["preprocessor"], pipeline.named_steps["classifier"]
    number = parts.named_transformers_["num"]
    probability = pipeline.predict_proba(test[inputs])[:, 1]
    label = pipeline.predict(test[inputs])
    actual = test["fraud"]
    return {
        "rows": len(table),
        "median": float(number.named_steps["imputer"].statistics_[0]),
        "mean": float(number.named_steps["scaler"].mean_[0]),
        "scale": float(number.named_steps["scaler"].scale_[0]),
        "values": [c.tolist() for c in parts.named_transformers_["cat"].categories_],
        "coef": classifier.coef_[0].tolist(),
        "intercept": float(classifier.intercept_[0]),
        "metrics": {
            "accuracy": float(metrics.accuracy_score(actual, label)),
            "precision": float(metrics.precision_score(actual, label)),
            "recall": float(metrics.recall_score(actual, label)),
            "f1_score": float(metrics.f1_score(actual, label)),
            "roc_auc": float(metrics.roc_auc_score(actual, probability)),
            "log_loss": float(metrics.log_loss(actual, probability)),
        },
    }


reds = pd.read_csv(here.parent / "data" / "winequality-red.csv")
train, test = split(reds)
np.random.seed(40)
json.dump({
    "made_with": {"scikit-learn": sklearn.__version__, "numpy": np.__version__},
    "train": train.index.tolist(),
    "test": test.index.tolist(),
    "permutations": {str(n): np.random.RandomState(40).permutation(n).tolist() for n in (1, 2, 3, 4, 5, 9, 64, 65)},
    "wines": [wine(reds, 0.42), wine(reds, 0.84)],
    "fraud": fraud(sys.argv[1]),
}, sys.stdout, indent=None, separators=(",", ":"))
print()
