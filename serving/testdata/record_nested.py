"""Records what MLflow's scoring server answers to values of array, object, map and any columns, as golden data:

    python record_nested.py nested-3.17.2.json.gz

Each signature has cases: a form of request, its body, and MLflow's error, or none where the model was asked.
"""

import gzip
import itertools
import json
import re
import sys
import tempfile
import warnings

import mlflow
from mlflow.models import ModelSignature
from mlflow.pyfunc import scoring_server
from mlflow.types import Schema

warnings.filterwarnings("ignore")


class Silent(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input):
        return [1]


scalars = ["string", "long", "integer", "double", "float", "boolean", "datetime", "binary"]
array = lambda items: {"type": "array", "items": items}  # noqa: E731
person = {"type": "object", "properties": {
    "age": {"type": "long", "required": True}, "name": {"type": "string", "required": False}, "tags": {**array({"type": "string"}), "required": False},
    "home": {"type": "object", "properties": {"x": {"type": "double", "required": True}}, "required": False}}}
types = [array({"type": t}) for t in scalars] + [
    array(array({"type": "long"})), array(array({"type": "double"})), array(person), array({"type": "any"}), array({"type": "map", "values": {"type": "long"}}), person,
    {"type": "object", "properties": {"b": {"type": "any", "required": True}, "a": {"type": "boolean", "required": True}, "at": {"type": "datetime", "required": False}}},
    {"type": "map", "values": {"type": "double"}}, {"type": "map", "values": {"type": "string"}}, {"type": "map", "values": array({"type": "long"})},
    {"type": "map", "values": {"type": "any"}}, {"type": "any"},
]
values = [
    None, [], [None], [1], [0, 1], [2, 3], [1, None], [1.5], [1, 2.5], [1.0, 2.0], [2**31], ["a"], ["a", None], ["a", 1], ["2020-01-01T00:00:00"], [True], [True, None], [True, 1],
    [[1]], [[1], [2, 3]], [[1], None], [[1.5]], [["a"]], [[]], [[1], 2], [[[1]]], {}, {"age": 1}, {"age": 1.0}, {"age": 1.5}, {"age": "x"}, {"age": None}, {"age": True}, {"age": [1]}, {"name": "n"},
    {"age": 1, "name": None}, {"age": 1, "name": 5}, {"age": 1, "name": 1.5}, {"age": 1, "name": ["a"]}, {"age": 1, "zz": 1}, {"age": 1, "tags": ["a"]}, {"age": 1, "tags": None}, {"age": 1, "tags": "a"},
    {"age": 1, "tags": []}, {"age": 1, "tags": [1]}, {"age": 1, "home": {"x": 1.5}}, {"age": 1, "home": {"x": 2}}, {"age": 1, "home": {}}, {"age": 1, "home": {"y": 1.5}}, {"age": 1, "home": None},
    {"a": True, "b": 1}, {"a": 1, "b": 1}, {"a": False, "b": None}, {"a": True, "b": {"x": [1]}, "at": "2020-01-01T00:00:00"}, {"a": True, "b": 1, "at": "soon"}, {"a": True, "b": 1, "at": 5},
    {"x": 1}, {"x": 2}, {"x": 1.5}, {"x": None}, {"x": "a"}, {"x": [1]}, {"x": [1, 2], "y": [3]}, {"x": [1.5]}, {"x": 1.5, "y": "b"}, {"x": {"y": 1}},
    [{"age": 1}], [{"age": 1}, {"age": "x"}], [{"age": 1}, None], [{"x": 1}], [{"x": 1.5}], [{}], "a", "", 1, 1.5, True,
]
forms = {
    "split": lambda v: {"dataframe_split": {"columns": ["c", "d"], "data": [[v, 1]]}},
    "records": lambda v: {"dataframe_records": [{"c": v, "d": 1}]},
    "inputs_records": lambda v: {"inputs": [{"c": v, "d": 1}]},
    "inputs": lambda v: {"inputs": {"c": v, "d": 1}},
    "unnamed": lambda v: {"dataframe_split": {"data": [[v]]}},
}
groups = []
for kind, required in itertools.product(types, (True, False)):
    for named in (True, False):
        if not named and not required:
            continue
        columns = [{**kind, "name": "c", "required": required}, {"type": "long", "name": "d", "required": True}] if named else [{**kind, "required": True}]
        schema = Schema.from_json(json.dumps(columns))
        with tempfile.TemporaryDirectory() as folder:
            mlflow.pyfunc.save_model(folder + "/m", python_model=Silent(), signature=ModelSignature(inputs=schema), pip_requirements=["mlflow"])
            model = mlflow.pyfunc.load_model(folder + "/m")
        group = {"inputs": columns, "schema": str(schema), "cases": []}
        groups.append(group)
        for (form, make), value in itertools.product(forms.items(), values):
            if (form == "unnamed") == named:
                continue
            try:
                answer = scoring_server.invocations(json.dumps(make(value)), "application/json", model, model.metadata.get_input_schema())
                error = "" if answer.status == 200 else json.loads(answer.response).get("message", "")
            except mlflow.MlflowException as e:
                error = e.message
            except Exception as e:  # noqa: BLE001
                error = "500 " + type(e).__name__ + ": " + str(e)
            # The order in which Python prints a set changes from run to run.
            error = re.sub(r"(?<=: )\{(.*?)\}", lambda m: "{" + ", ".join(sorted(m[1].split(", "))) + "}", error)
            group["cases"].append({"form": form, "body": make(value), "error": error})
with gzip.GzipFile(sys.argv[1], "wb", 9, mtime=0) as f:
    f.write(json.dumps({"mlflow": mlflow.__version__, "signatures": groups}, separators=(",", ":")).encode())
print(mlflow.__version__, sum(len(g["cases"]) for g in groups), "cases of", len(groups), "signatures")
