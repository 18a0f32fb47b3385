"""Makes onnx-mlflow-3.17.2.zip: model directories of the onnx flavor as MLflow saves them, with requests and what its scoring server answers.

Run with: pip install mlflow==3.17.2 onnx==1.23.2 skl2onnx==1.20.0 onnxruntime==1.32.0 scikit-learn==1.9.1
"""

import json
import logging
import tempfile
import warnings
import zipfile
from pathlib import Path

import mlflow
import numpy as np
import onnx
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from mlflow.pyfunc import scoring_server
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from sklearn import datasets, ensemble, linear_model, neural_network

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)
out = Path(tempfile.mkdtemp())
wine = datasets.load_wine(as_frame=True)
X, y = wine.data.iloc[:, :4], wine.target
x32 = X.values.astype(np.float32)
opset = {"": 18, "ai.onnx.ml": 3}

columns = helper.make_graph(
    [helper.make_node("Mul", ["a", "b"], ["ab"]), helper.make_node("Cast", ["n"], ["f"], to=TensorProto.FLOAT), helper.make_node("Add", ["ab", "f"], ["sum"])], "g",
    [helper.make_tensor_value_info("a", TensorProto.FLOAT, [None]), helper.make_tensor_value_info("b", TensorProto.DOUBLE if False else TensorProto.FLOAT, [None]), helper.make_tensor_value_info("n", TensorProto.INT64, [None])],
    [helper.make_tensor_value_info("sum", TensorProto.FLOAT, [None])])
columns = helper.make_model(columns, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
table = pd.DataFrame({"a": [1.5, 2.0], "b": [0.25, 4.0], "n": [3, 4]})

models = {
    "linear": (to_onnx(linear_model.LinearRegression().fit(X, y), x32[:1], target_opset=opset), infer_signature(X, np.zeros(1))),
    "linear_unsigned": (to_onnx(linear_model.LinearRegression().fit(X, y), x32[:1], target_opset=opset), None),
    "linear_tensor": (to_onnx(linear_model.LinearRegression().fit(X, y), x32[:1], target_opset=opset), infer_signature(x32[:3])),
    "forest": (to_onnx(ensemble.RandomForestClassifier(n_estimators=4, max_depth=3, random_state=0).fit(X, y), x32[:1], target_opset=opset), infer_signature(X)),
    "forest_array": (to_onnx(ensemble.RandomForestClassifier(n_estimators=4, max_depth=3, random_state=0).fit(X, y), x32[:1], target_opset=opset, options={"zipmap": False}), infer_signature(X)),
    "mlp": (to_onnx(neural_network.MLPRegressor(hidden_layer_sizes=(80, 20), max_iter=50, random_state=0).fit(X, y), x32[:1], target_opset=opset), infer_signature(X)),  # weights in a file of their own
    "columns": (columns, infer_signature(table)),
}
rows = X.values[::50].tolist()
names = list(X.columns)
requests = {
    "linear": [{"dataframe_split": {"columns": names, "data": rows}}, {"dataframe_records": [dict(zip(names, r)) for r in rows]}, {"inputs": {n: [r[i] for r in rows] for i, n in enumerate(names)}}, {"dataframe_split": {"columns": names[:3], "data": [r[:3] for r in rows]}}],
    "linear_unsigned": [{"dataframe_split": {"columns": names, "data": rows}}, {"inputs": rows}, {"instances": rows}, {"dataframe_split": {"columns": names[:3], "data": [r[:3] for r in rows]}}, {"dataframe_split": {"columns": names, "data": [[1, 2, 3, 4]]}}, {"dataframe_split": {"columns": names, "data": [["a", "b", "c", "d"]]}}],
    "linear_tensor": [{"inputs": rows}, {"instances": rows}],
    "forest": [{"dataframe_split": {"columns": names, "data": rows}}],
    "forest_array": [{"dataframe_split": {"columns": names, "data": rows}}],
    "mlp": [{"dataframe_split": {"columns": names, "data": rows}}],
    "columns": [{"dataframe_split": {"columns": ["n", "b", "a"], "data": [[1, 2.5, 3.5], [7, 1.5, 2.0]]}}, {"dataframe_split": {"columns": ["a", "b"], "data": [[1.0, 2.0]]}}],
}
cases = []
for name, (model, signature) in models.items():
    path = out / name
    mlflow.onnx.save_model(model, str(path), signature=signature)
    loaded = mlflow.pyfunc.load_model(str(path))
    for body in requests[name]:
        text = json.dumps(body)
        try:
            answer = scoring_server.invocations(text, "application/json", loaded, loaded.metadata.get_input_schema())
            status, answer = answer.status, answer.response
        except MlflowException as e:
            status, answer = e.get_http_status_code(), e.serialize_as_json()
        cases.append({"model": name, "request": text, "status": status, "answer": answer})
        print(name, status, answer[:160])

target = Path(__file__).parent / "onnx-mlflow-3.17.2.zip"
with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as z:
    z.writestr("cases.json", json.dumps(cases, indent=0))
    for file in sorted(out.rglob("*")):
        if file.is_file() and not file.name.endswith((".txt", ".yaml")):
            z.write(file, str(file.relative_to(out)))
