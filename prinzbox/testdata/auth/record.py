"""Asks MLflow's own basic-auth server what steps.json holds, and writes golden.json.

Start a fresh one (mlflow[auth]==3.17.2) with MLFLOW_AUTH_ADMIN_USERNAME=admin, MLFLOW_AUTH_ADMIN_PASSWORD=correct-horse-1 and any
MLFLOW_FLASK_SERVER_SECRET_KEY:

    mlflow server --app-name basic-auth --backend-store-uri sqlite:///mlflow.db --port 5999
    python steps.py && python record.py http://127.0.0.1:5999
"""

import base64
import json
import pathlib
import sys
import urllib.error
import urllib.parse
import urllib.request

here = pathlib.Path(__file__).parent
known = {}


def fill(v):
    if isinstance(v, str) and v.startswith("$"):
        return known[v[1:]]
    if isinstance(v, dict):
        return {k: fill(x) for k, x in v.items()}
    if isinstance(v, list):
        return [fill(x) for x in v]
    return v


golden = []
for step in json.loads(here.joinpath("steps.json").read_text()):
    url = sys.argv[1] + step["path"]
    if step["query"]:
        url += "?" + urllib.parse.urlencode(fill(step["query"]))
    req = urllib.request.Request(url, method=step["method"])
    if step["as"]:
        name, _, password = step["as"].partition(":")
        password = password or ("correct-horse-1" if name == "admin" else "a-long-password")
        req.add_header("Authorization", "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode())
    if step["body"] is not None:
        req.data = json.dumps(fill(step["body"])).encode()
        req.add_header("Content-Type", "application/json")
    try:
        answer = urllib.request.urlopen(req)
    except urllib.error.HTTPError as e:
        answer = e
    text = answer.read().decode()
    try:
        body = json.loads(text)
    except ValueError:
        body = text
    for name, path in step["save"].items():
        v = body
        for part in path.split("."):
            v = v[part]
        known[name] = v
    row = {"status": answer.status}
    if not (step.get("status_only") and answer.status == 200):
        row["body"] = body
    if "WWW-Authenticate" in answer.headers:
        row["challenge"] = answer.headers["WWW-Authenticate"]
    golden.append(json.dumps(row))
here.joinpath("golden.json").write_text("[\n" + ",\n".join(golden) + "\n]\n")
