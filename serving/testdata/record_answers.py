"""Records what a real MLflow scoring server answers, as golden data for the Go server.

    python record_answers.py served/elasticnet          makes and saves the model directory
    mlflow models serve -m served/elasticnet --env-manager local -p PORT &
    python record_answers.py served/elasticnet http://127.0.0.1:PORT

writes served/elasticnet.json: each request with the status, content type and body of the answer.
"""

import json
import shutil
import sys
import urllib.error
import urllib.request

target = sys.argv[1]

if len(sys.argv) == 2:
    import mlflow
    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
    from sklearn.linear_model import ElasticNet

    X = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [2.0, 1.0, 5.0]})
    signature = ModelSignature(
        inputs=Schema([ColSpec("double", "a"), ColSpec("long", "b")]),
        outputs=Schema([ColSpec("double")]),
        params=ParamSchema([ParamSpec("n", "long", 3)]),
    )
    shutil.rmtree(target, ignore_errors=True)
    mlflow.sklearn.save_model(ElasticNet(alpha=0.01).fit(X, [1.0, 2.0, 3.0]), target, signature=signature, input_example=X)
    sys.exit()

JSON = "application/json"
requests = [(JSON, json.dumps(b)) for b in [
    {"dataframe_split": {"columns": ["a", "b"], "data": [[1.5, 2], [3, 4]]}},
    {"dataframe_split": {"columns": ["b", "zz", "a"], "index": [7], "data": [[2, "x", 1.5]]}},
    {"dataframe_split": {"columns": ["a", "zz"], "data": [[1.5, 2]]}},
    {"dataframe_split": {"data": [[1.5, 2]]}},
    {"dataframe_split": {"columns": ["a", "b"], "data": [["abc", 2]]}},
    {"dataframe_split": {"columns": ["a", "b"], "data": [["2.5", "7"], [" 1e1 ", True]]}},
    {"dataframe_split": {"columns": ["a", "b"], "data": [[1, None]]}},
    {"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2], [2, None]]}},
    {"dataframe_split": {"columns": ["a", "b"], "data": [[1, "7.5"]]}},
    {"dataframe_split": {"columns": ["a", "b"], "data": [[1, 7.5]]}},
    {"dataframe_split": {"columns": ["a", "b"], "data": [[None, 1]]}},
    {"dataframe_split": {"columns": ["a", "b"], "data": []}},
    {"dataframe_split": {"columns": ["a", "b"], "data": [[1], [1, 2]]}},
    {"dataframe_split": {"columns": ["a", "b"], "data": [1, 2]}},
    {"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}},
    {"dataframe_split": {"dat": []}},
    {"dataframe_split": [1]},
    {"dataframe_split": 5},
    {"dataframe_records": {"a": 1}},
    {"dataframe_records": 5},
    {"dataframe_records": [1, 2]},
    {"dataframe_records": [{"a": 1, "b": 2}, {"b": 4, "a": 3.5}]},
    {"dataframe_records": [{"a": 1, "b": 2}, {"a": 3.5}]},
    {"dataframe_records": [{"a": 1}]},
    {"inputs": {"a": [1, 2], "b": [3, 4]}},
    {"inputs": {"a": 1, "b": 3}},
    {"inputs": [{"a": 1, "b": 3}, {"a": 2, "b": 3}]},
    {"inputs": [[1, 2]]},
    {"inputs": {"a": [1]}},
    {"inputs": {"a": ["x"], "b": [3]}},
    {"inputs": {"a": [1], "b": [None]}},
    {"inputs": {"a": [1], "b": [1.5]}},
    {"inputs": 5},
    {"inputs": "x"},
    {"instances": [{"a": 1, "b": 3}, {"a": 1, "b": 4}]},
    {"instances": {"a": [1], "b": [3]}},
    {"instances": [{"a": 1}, {"a": 1, "b": 4}]},
    {"instances": []},
    {"dataframe_split": {"columns": ["a", "b"], "data": [[1.5, 2]]}, "params": {"n": 5, "unknown": 1}},
    {"dataframe_split": {"columns": ["a", "b"], "data": [[1.5, 2]]}, "params": {"n": "x"}},
    {"dataframe_split": {"columns": ["a", "b"], "data": [[1.5, 2]]}, "params": {"n": 5.0}},
    {"dataframe_split": {"columns": ["a", "b"], "data": [[1.5, 2]]}, "params": [1]},
]]
requests += [(JSON, b) for b in [
    '5', 'nojson', '{"inputs": [1,}', '', '{"inputs" 1}', '{"a": "b', '{"a": "\\x"}', '{"a": 1} 2', "{'a': 1}", '{"a": tru}', '[1', '{"a": 01}', '{"a": "x\ny"}',
    '{"dataframe_split":{"columns":["a","b"],"data":[[1e400,2]]}}',
    '{"dataframe_split":{"columns":["a","b"],"data":[[NaN,2]]}}',
    '{"dataframe_split":{"columns":["a","b"],"data":[[1E2,2]]}}',
]]
ok = '{"dataframe_split":{"columns":["a","b"],"data":[[1.5,2]]}}'
requests += [
    ("text/csv", "a,b\n1.5,2\n3,4\n"), ("text/csv", "b,a,c\r\n2,1.5,x\r\n"), ("text/csv", "a\n2\n"), ("text/csv", "a,b\nx,2\n"), ("text/csv", ""),
    ("text/csv", "a,b\n1,2\n1,2,3\n"),
    ("text/plain", "{}"), ("application/json; charset=latin1", ok), ("application/json;charset=UTF-8", ok), ("application/json; zz=1", ok),
]
answers = []
for kind, body in requests:
    r = urllib.request.Request(sys.argv[2] + "/invocations", body.encode(), {"Content-Type": kind})
    try:
        answer = urllib.request.urlopen(r)
    except urllib.error.HTTPError as e:
        answer = e
    text = answer.read().decode()
    got = answer.headers["Content-Type"]
    if got == JSON:
        value = json.loads(text)
        value.pop("stack_trace", None)
        text = json.dumps(value)
    answers.append({"request_type": kind, "request": body, "status": answer.status, "type": got, "answer": text})
with open(target + ".json", "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(a) for a in answers) + "\n]\n")
print(len(answers), "answers")
