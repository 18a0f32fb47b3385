"""Records how a running MLflow server answers what not all versions have, and how it writes 64-bit integers, for TestPersonaAnswers.

    python answers.py http://127.0.0.1:5000 > 2.22.5-answers.txt

The server should be a fresh one. The output has three parts. "ask": method, path, status, media type and the methods of Allow ("-" is none).
"error": the same for a mistake, with the answer's error_code. "int64": method, path, a field of the answer, and whether it is text or a number.
$E and $R stand for an experiment and a run that are made first, with a metric; a registered model is called "m".
"""

import json
import sys
import urllib.error
import urllib.request

ASK = """
GET /version
HEAD /version
POST /version
OPTIONS /version
GET /api/2.0/mlflow/nothing
POST /api/2.0/mlflow/nothing
PATCH /ajax-api/2.0/mlflow/nothing
OPTIONS /api/2.0/mlflow/nothing
GET /api/2.0/nothing
GET /api/nothing
GET /ajax-api/2.0/preview/mlflow/nothing
GET /api/2.0/mlflow/experiments
GET /api/2.0/mlflow/experiments/get/?experiment_id=0
GET /api/2.0/mlflow/experiments/create
DELETE /api/2.0/mlflow/experiments/create
OPTIONS /api/2.0/mlflow/experiments/create
OPTIONS /ajax-api/2.0/mlflow/runs/search
GET /api/2.0/mlflow/experiments/list
POST /api/2.0/mlflow/registered-models/list
POST /api/2.0/mlflow/registered-models/get-latest-versions
DELETE /api/2.0/mlflow/registered-models/alias
GET /api/2.0/mlflow/logged-models/search
POST /api/3.0/mlflow/traces/search
GET /api/3.0/mlflow/traces/x/y
OPTIONS /api/3.0/mlflow/server-info
GET /v1/traces
PUT /graphql
PUT /get-artifact
GET /api/2.0/mlflow-artifacts/nothing
POST /api/2.0/mlflow-artifacts/artifacts/x
GET /api/2.0/mlflow-artifacts/mpu/create/x
POST /ajax-api/2.0/mlflow-artifacts/presigned/x
""".split("\n")[1:-1]

ERROR = """
GET /api/2.0/mlflow/runs/get?run_id=nothing
GET /ajax-api/2.0/mlflow/experiments/get?experiment_id=77
GET /api/2.0/mlflow/registered-models/get?name=nothing
POST /api/2.0/mlflow/experiments/create {}
POST /api/2.0/mlflow/experiments/create {"name": "e"}
""".split("\n")[1:-1]

RUN = ("run.info.start_time", "run.info.end_time", "run.data.metrics.0.step", "run.data.metrics.0.timestamp")
INT64 = (
    ("GET", "/mlflow/experiments/get?experiment_id=$E", None, ("experiment.creation_time", "experiment.last_update_time")),
    ("GET", "/mlflow/runs/get?run_id=$R", None, RUN),
    ("GET", "/mlflow/metrics/get-history?run_id=$R&metric_key=k", None, ("metrics.0.step", "metrics.0.timestamp")),
    ("POST", "/mlflow/runs/search", {"experiment_ids": ["$E"]}, tuple(f.replace("run.", "runs.0.", 1) for f in RUN)),
    ("GET", "/mlflow/registered-models/get?name=m", None, ("registered_model.creation_timestamp", "registered_model.last_updated_timestamp")),
    ("GET", "/mlflow/registered-models/list", None, ("registered_models.0.creation_timestamp",)),
)
PREFIXES = ("/api/2.0", "/ajax-api/2.0", "/api/2.0/preview", "/ajax-api/2.0/preview")


def ask(method, path, body=None):
    if body is None and method in ("POST", "PUT", "PATCH"):
        body = {}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(sys.argv[1] + path, data=data, method=method, headers={"Content-Type": "application/json"} if data else {})
    try:
        return urllib.request.urlopen(request, timeout=20)
    except urllib.error.HTTPError as e:
        return e


def field(answer, path):
    for part in path.split("."):
        answer = answer[int(part)] if isinstance(answer, list) else answer[part]
    return answer


def told(answer):
    kind = answer.headers.get_content_type()
    return f"{answer.status} {kind if answer.headers.get('Content-Type') else '-'}"


def main():
    made = "/api/2.0/mlflow"
    experiment = json.load(ask("POST", made + "/experiments/create", {"name": "e"}))["experiment_id"]
    run = json.load(ask("POST", made + "/runs/create", {"experiment_id": experiment, "start_time": 1600000000000}))["run"]["info"]["run_id"]
    ask("POST", made + "/runs/log-metric", {"run_id": run, "key": "k", "value": 1.5, "timestamp": 1600000000001, "step": 3}).read()
    ask("POST", made + "/runs/update", {"run_id": run, "status": "FINISHED", "end_time": 1600000000002}).read()
    ask("POST", made + "/registered-models/create", {"name": "m"}).read()

    def real(text):
        return text.replace("$E", experiment).replace("$R", run)

    for line in ASK:
        answer = ask(*line.split(" "))
        allow = ",".join(sorted(answer.headers.get("Allow", "-").replace(" ", "").split(",")))
        print("ask", line, told(answer), allow)
    for line in ERROR:
        method, path, *body = line.split(" ", 2)
        answer = ask(method, path, json.loads(body[0]) if body else None)
        print("error", told(answer), json.load(answer)["error_code"], line)
    for prefix in PREFIXES:
        for method, path, body, fields in INT64:
            answer = ask(method, prefix + real(path), json.loads(real(json.dumps(body))))
            if answer.status != 200:
                print("int64", method, prefix + path, "-", answer.status)
                continue
            answer = json.load(answer)
            for name in fields:
                try:
                    kind = "text" if isinstance(field(answer, name), str) else "number"
                except KeyError:
                    continue  # the version has no such field
                print("int64", method, prefix + path, name, kind)


if __name__ == "__main__":
    main()
