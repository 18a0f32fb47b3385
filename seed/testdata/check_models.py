"""Loads the model directories with the MLflow client at hand and compares every prediction with Go's.

    go test ./seed -run TestWriteFixtures -fixtures /some/folder
    python seed/testdata/check_models.py /some/folder

Run it in environments with different releases of MLflow, scikit-learn, numpy and pandas. Without MLflow it loads the
pickles alone. It prints one line for each model and ends with 1 when an answer differs.
"""

import json
import pathlib
import pickle
import sys
import warnings

import numpy as np
import pandas as pd
import sklearn

folder = pathlib.Path(sys.argv[1])
try:
    import mlflow
    import mlflow.pyfunc
    from mlflow.models import Model
    release = "mlflow " + mlflow.__version__
except ImportError:
    mlflow, release = None, "no mlflow"

failed = False
for expected in json.loads((folder / "expected.json").read_text()):
    where = folder / expected["name"]
    frame = pd.DataFrame(expected["rows"], columns=expected["columns"])
    want = np.array(expected["answers"])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with open(where / "model.pkl", "rb") as f:
            model = pickle.load(f)
        frames = {"plain": frame}
        texts = [c for c in frame.columns if frame[c].dtype.kind not in "fi"]
        if texts:
            frames["object"] = frame.astype({c: object for c in texts})
            try:
                frames["string"] = frame.astype({c: "string" for c in texts})
            except TypeError:
                pass  # before pandas 1.0
        answers = {"pickle": np.asarray(model.predict(frames.get("object", frame)))}
        if "probabilities" in expected:
            p = model.predict_proba(frames["object"])[:, 1]
            worst = float(np.max(np.abs(p - np.array(expected["probabilities"]))))
            print("  probabilities differ by at most", worst)
            failed |= not worst < 1e-9
        if mlflow:
            loaded = mlflow.pyfunc.load_model(str(where))
            for kind, f in frames.items():
                try:
                    answers["pyfunc " + kind] = np.asarray(loaded.predict(f)).ravel()
                except mlflow.exceptions.MlflowException as e:
                    # Before 3, MLflow takes pandas' "string" columns for no model at all.
                    if kind != "string" or mlflow.__version__ > "3":
                        raise
                    print(release, expected["name"], "pyfunc string: refused by MLflow:", str(e)[-80:])
            example = Model.load(str(where)).load_input_example(str(where)) if mlflow.__version__ > "2" else None
            if example is not None:
                loaded.predict(example)
    odd = {w.category.__name__ + ": " + str(w.message)[:120] for w in caught
           if w.category.__name__ not in ("InconsistentVersionWarning", "UserWarning")}
    for kind, got in answers.items():
        worst = float(np.max(np.abs(got - want)))
        bad = got.shape != want.shape or not worst < 1e-9
        failed |= bad
        print(release, "scikit-learn", sklearn.__version__, expected["name"], kind, got.dtype, len(got), "rows,",
              "worst difference", worst, "WRONG" if bad else "", "other warnings: %s" % sorted(odd) if odd else "")
    repr(model)
sys.exit(failed)
