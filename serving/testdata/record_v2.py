"""Records what MLServer 1.7.1 with mlserver-mlflow 1.7.1 answers to V2 requests: v2/answers.json, and the models beside it.

Run in an environment with mlserver==1.7.1, mlserver-mlflow==1.7.1, mlflow==3.17.2 and scikit-learn==1.9.1:

    python record_v2.py

The Go tests read the result; they need no Python.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import mlflow
import numpy as np
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec
from sklearn.compose import make_column_transformer
from sklearn.linear_model import ElasticNet, LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

HERE = pathlib.Path(__file__).parent / "v2"
KEEP = {"MLmodel", "model.pkl"}


def models():
    random = np.random.RandomState(7)
    x = random.rand(40, 2)
    y = 1.5 * x[:, 0] - x[:, 1] + 0.25
    ab = pd.DataFrame(x, columns=["a", "b"])
    doubles = Schema([ColSpec("double", "a"), ColSpec("double", "b")])
    two = np.column_stack([y, 2 * y])
    label = np.where(y > 0.5, "high", "low")
    yield "regressor", ElasticNet(alpha=0.01).fit(ab, y), ModelSignature(doubles, Schema([ColSpec("double")])), {}
    yield "classifier", LogisticRegression().fit(ab, (y > 0.5).astype(int)), ModelSignature(
        doubles, Schema([ColSpec("long", "label")]), ParamSchema([ParamSpec("n", "long", 3)])), {}
    yield "labels", LogisticRegression().fit(ab, label), ModelSignature(doubles, Schema([ColSpec("string")])), {}
    yield "probabilities", LogisticRegression().fit(ab, label), ModelSignature(
        doubles, Schema([TensorSpec(np.dtype("float64"), (-1, 2))])), {"pyfunc_predict_fn": "predict_proba"}
    yield "two", LinearRegression().fit(ab, two), ModelSignature(doubles, Schema([TensorSpec(np.dtype("float64"), (-1, 2))])), {}
    yield "tensor", LinearRegression().fit(x, y), ModelSignature(
        Schema([TensorSpec(np.dtype("float64"), (-1, 2))]), Schema([TensorSpec(np.dtype("float64"), (-1,))])), {}
    yield "unsigned", LinearRegression().fit(x, y), None, {}
    yield "unnamed", LinearRegression().fit(x, y), ModelSignature(
        Schema([ColSpec("double"), ColSpec("double")]), Schema([ColSpec("double")])), {}
    mixed = pd.DataFrame({
        "s": ["u", "v", "w", None] * 10, "d": x[:, 0], "f": x[:, 1].astype("float32"), "l": np.arange(40),
        "i": np.arange(40).astype("int32"), "b": np.arange(40) % 2 == 0})
    pipeline = make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["s"]), (StandardScaler(), ["d", "f", "l", "i"]), ("passthrough", ["b"])),
        LinearRegression())
    schema = Schema([ColSpec("string", "s"), ColSpec("double", "d"), ColSpec("float", "f"), ColSpec("long", "l"), ColSpec("integer", "i"),
                     ColSpec("boolean", "b"), ColSpec("double", "extra", required=False)])
    yield "mixed", pipeline.fit(mixed, y), ModelSignature(schema, Schema([ColSpec("double")])), {}


def save(folder):
    shutil.rmtree(HERE, ignore_errors=True)
    for name, model, signature, options in models():
        target = folder / name
        mlflow.sklearn.save_model(model, target, signature=signature, serialization_format="cloudpickle", **options)
        (folder / (name + "-settings")).mkdir()
        (folder / (name + "-settings") / "model-settings.json").write_text(json.dumps({
            "name": name, "implementation": "mlserver_mlflow.MLflowRuntime", "parameters": {"uri": str(target), "version": "1"}}))
        kept = HERE / name
        kept.mkdir(parents=True)
        for file in KEEP:
            shutil.copy(target / file, kept / file)


def column(name, datatype, data, shape=None, **parameters):
    c = {"name": name, "shape": shape or [len(data)], "datatype": datatype, "data": data}
    if parameters:
        c["parameters"] = parameters
    return c


AB = [column("a", "FP64", [0.5, 1.5]), column("b", "FP64", [2, 3.25])]


def mixed(n=2, **change):
    c = {
        "s": column("s", "BYTES", ["u", "zz"], [2, 1], content_type="str"), "d": column("d", "FP64", [0.5, 1.5], [2, 1]),
        "f": column("f", "FP32", [0.25, 2.5], [2, 1]), "l": column("l", "INT64", [3, 4], [2, 1]), "i": column("i", "INT32", [5, 6], [2, 1]),
        "b": column("b", "BOOL", [True, False], [2, 1])}
    c.update(change)
    return [v for v in c.values() if v is not None]


def cases():
    """(method, path, body) of each request."""
    yield "GET", "/v2/health/live", None
    yield "GET", "/v2/health/ready", None
    yield "POST", "/v2/health/ready", {}
    yield "GET", "/v2", None
    yield "GET", "/v2/nothing", None
    for name in ("regressor", "classifier", "labels", "probabilities", "two", "tensor", "unsigned", "unnamed", "mixed"):
        yield "GET", f"/v2/models/{name}", None
    yield "GET", "/v2/models/regressor/versions/1", None
    yield "GET", "/v2/models/regressor/ready", None
    yield "GET", "/v2/models/regressor/versions/1/ready", None
    for path in ("/v2/models/none", "/v2/models/none/ready", "/v2/models/regressor/versions/9", "/v2/models/regressor/versions/9/ready"):
        yield "GET", path, None
    yield "POST", "/v2/models/none/infer", {"inputs": AB}
    yield "POST", "/v2/models/regressor/versions/9/infer", {"inputs": AB}
    yield "GET", "/v2/models/regressor/infer", None
    yield "POST", "/v2/models/regressor", {}

    def infer(model, inputs, **more):
        return "POST", f"/v2/models/{model}/infer", {"inputs": inputs, **more}

    for model in ("regressor", "classifier", "labels", "probabilities", "two"):
        yield infer(model, AB, id="one")
    yield "POST", "/v2/models/regressor/versions/1/infer", {"inputs": AB, "id": "7"}
    yield infer("regressor", AB)  # an id is made
    yield infer("regressor", AB, id="x", parameters={"content_type": "pd"})
    yield infer("regressor", [column("b", "FP64", [2, 3.25], [2, 1]), column("a", "FP64", [0.5, 1.5], [2, 1])], id="x")
    yield infer("regressor", [column("a", "FP64", [[0.5], [1.5]], [2, 1]), column("b", "FP64", [[2], [3.25]], [2, 1])], id="x")
    yield infer("regressor", [column("a", "FP32", [0.1, 1.5]), column("b", "FP32", [2, 3.25])], id="x")
    yield infer("regressor", [column("a", "INT64", [1, 2]), column("b", "INT32", [2, 3])], id="x")
    yield infer("regressor", [column("a", "INT32", [1, 2]), column("b", "INT32", [2, 3])], id="x")
    yield infer("regressor", [column("a", "BOOL", [True, False]), column("b", "FP64", [2, 3])], id="x")
    yield infer("regressor", AB + [column("c", "BYTES", ["x", "y"])], id="x")
    yield infer("regressor", AB[:1], id="x")
    yield infer("regressor", AB[:1] + [column("c", "FP64", [1, 2])], id="x")
    yield infer("regressor", [column("a", "FP64", [0.5, 1.5]), column("b", "FP64", [2])], id="x")
    yield infer("regressor", [column("a", "FP64", [0.5, 1.5], [3]), column("b", "FP64", [2, 3])], id="x")
    yield infer("regressor", [column("a", "FP64", ["x", "y"]), column("b", "FP64", [2, 3])], id="x")
    yield infer("regressor", [column("a", "FP64", ["0.5", "1.5"]), column("b", "FP64", [2, 3])], id="x")
    yield infer("regressor", [column("a", "FP64", [None, 1.5]), column("b", "FP64", [2, 3])], id="x")
    yield infer("regressor", [column("a", "BYTES", ["0.5", "1.5"], content_type="str"), column("b", "FP64", [2, 3])], id="x")
    yield infer("regressor", [column("a", "FP64", [0.5, 1.5], content_type="np"), column("b", "FP64", [2, 3], content_type="np")], id="x")
    yield infer("regressor", [column("a", "FP64", [0.5, 1.5], content_type="zz"), column("b", "FP64", [2, 3])], id="x")
    yield infer("regressor", AB, id="x", parameters={"content_type": "zz"})
    yield infer("regressor", AB, id="x", parameters={"content_type": "np"})
    yield infer("regressor", [column("a", "FP64", [0.5, 1, 2, 3], [2, 2])], id="x", parameters={"content_type": "np"})
    yield infer("regressor", AB, id="x", outputs=[{"name": "predict"}])
    yield infer("regressor", AB, id="x", parameters={"headers": {"a": "b"}, "else": 1})
    yield infer("classifier", AB, id="x", parameters={"n": 4})
    yield infer("classifier", AB, id="x", parameters={"n": "four"})
    yield infer("classifier", AB, id="x", parameters={"m": 4})
    yield infer("regressor", [], id="x")
    yield infer("regressor", [column("a", "FP64", [], [0]), column("b", "FP64", [], [0])], id="x")
    yield infer("tensor", [column("x", "FP64", [0.5, 2, 1.5, 3.25], [2, 2])], id="x")
    yield infer("tensor", [column("x", "FP64", [[0.5, 2], [1.5, 3.25]], [2, 2])], id="x")
    yield infer("tensor", [column("x", "FP64", [[0.5, 2], [1.5, 3.25]], [2, 2], content_type="np")], id="x", parameters={"content_type": "np"})
    yield infer("tensor", [column("x", "FP32", [0.5, 2, 1.5, 3.25], [2, 2])], id="x")
    yield infer("tensor", [column("x", "INT64", [1, 2, 3, 4], [2, 2])], id="x")
    yield infer("tensor", [column("x", "FP64", [0.5, 2, 1.5], [1, 3])], id="x")
    yield infer("tensor", [column("x", "FP64", [0.5, 2, 1.5], [2, 2])], id="x")
    yield infer("tensor", AB, id="x")
    yield infer("tensor", [column("a", "FP64", [0.5, 1.5]), column("b", "FP64", [2, 3.25])], id="x", parameters={"content_type": "pd"})
    yield infer("unsigned", [column("x", "FP64", [0.5, 2, 1.5, 3.25], [2, 2])], id="x")
    yield infer("unsigned", [column("x", "FP64", [0.5, 2, 1.5, 3.25], [2, 2])], id="x", parameters={"content_type": "np"})
    yield infer("unsigned", AB, id="x", parameters={"content_type": "pd"})
    yield infer("unnamed", [column("x", "FP64", [0.5, 1.5]), column("y", "FP64", [2, 3.25])], id="x")
    yield infer("unnamed", [column("input-0", "FP64", [0.5, 1.5]), column("input-1", "FP64", [2, 3.25])], id="x")
    yield infer("unnamed", [column("x", "FP64", [0.5, 1.5])], id="x")
    yield infer("mixed", mixed(), id="x")
    yield infer("mixed", mixed(s=column("s", "BYTES", ["u", "zz"])), id="x")
    yield infer("mixed", mixed(s=column("s", "BYTES", ["u", None])), id="x")
    yield infer("mixed", mixed(s=column("s", "BYTES", ["dQ==", "enp6"], [2, 1], content_type="base64")), id="x")
    yield infer("mixed", mixed(i=column("i", "INT64", [5, 6])), id="x")
    yield infer("mixed", mixed(i=column("i", "INT8", [5, 6])), id="x")
    yield infer("mixed", mixed(i=column("i", "INT8", [5, 300])), id="x")
    yield infer("mixed", mixed(l=column("l", "INT32", [3, 4])), id="x")
    yield infer("mixed", mixed(l=column("l", "FP64", [3, 4])), id="x")
    yield infer("mixed", mixed(l=column("l", "INT64", [3.5, 4])), id="x")
    yield infer("mixed", mixed(l=column("l", "INT64", [None, 4])), id="x")
    yield infer("mixed", mixed(l=column("l", "UINT8", [3, 4])), id="x")
    yield infer("mixed", mixed(b=column("b", "BOOL", [1, 0])), id="x")
    yield infer("mixed", mixed(b=column("b", "INT64", [1, 0])), id="x")
    yield infer("mixed", mixed(b=column("b", "BOOL", ["yes", ""])), id="x")
    yield infer("mixed", mixed(f=column("f", "FP64", [0.25, 2.5])), id="x")
    yield infer("mixed", mixed(f=column("f", "FP16", [0.25, 2.5])), id="x")
    yield infer("mixed", mixed(f=None), id="x")
    # Bodies that are no requests.
    path = "/v2/models/regressor/infer"
    yield "POST", path, "nojson"
    yield "POST", path, "[]"
    yield "POST", path, "{}"
    yield "POST", path, {"inputs": {}}
    yield "POST", path, {"inputs": [{}]}
    yield "POST", path, {"inputs": [{"name": "a", "shape": [1], "datatype": "FP65", "data": [1]}]}
    yield "POST", path, {"inputs": [{"name": "a", "shape": "x", "datatype": "FP64", "data": [1]}]}
    yield "POST", path, {"inputs": [{"name": 1, "shape": [1], "datatype": "FP64", "data": [1]}]}
    yield "POST", path, {"inputs": [{"name": "a", "shape": [1.5], "datatype": "FP64", "data": [1]}]}
    yield "POST", path, {"inputs": AB, "id": 5}
    yield "POST", path, {"inputs": AB, "parameters": []}
    yield "POST", path, {"inputs": [column("a", "FP64", 0.5, [1]) if False else {"name": "a", "shape": [1], "datatype": "FP64", "data": 0.5},
                                    {"name": "b", "shape": [1], "datatype": "FP64", "data": 2}], "id": "x"}
    yield "POST", path, ""


def free():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ask(url, method, body):
    data = None
    if body is not None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request) as r:
            return r.status, r.headers.get("Content-Type"), r.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.headers.get("Content-Type"), e.read().decode()


def main():
    with tempfile.TemporaryDirectory() as t:
        folder = pathlib.Path(t)
        save(folder)
        port = free()
        (folder / "settings.json").write_text(json.dumps({
            "http_port": port, "grpc_port": free(), "metrics_port": free(), "parallel_workers": 0, "debug": False}))
        server = subprocess.Popen([str(pathlib.Path(sys.executable).parent / "mlserver"), "start", t], start_new_session=True,
                                  stdout=subprocess.DEVNULL, stderr=open(os.environ.get("MLSERVER_LOG", os.devnull), "w"))
        try:
            url = f"http://127.0.0.1:{port}"
            for _ in range(600):
                try:
                    if ask(url + "/v2/health/ready", "GET", None)[0] == 200 and ask(url + "/v2/models/mixed/ready", "GET", None)[0] == 200:
                        break
                except OSError:
                    pass
                time.sleep(0.5)
            out = []
            for method, path, body in cases():
                status, kind, text = ask(url + path, method, body)
                out.append({"method": method, "path": path, "body": body, "status": status, "type": kind, "answer": text})
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait()
    (HERE / "answers.json").write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()
