"""Writes steps.json: what is asked, by whom, in order. record.py asks MLflow's own basic-auth server and writes golden.json."""

import json
import pathlib

steps = []
PASSWORD = "a-long-password"


def ask(who, method, path, body=None, save=None, **query):
    steps.append({"as": who, "method": method, "path": path, "body": body, "query": query, "save": save or {}})


V2, V3 = "/api/2.0/mlflow", "/api/3.0/mlflow"
ask("", "GET", V2 + "/users/current")
ask("admin:wrong-password", "GET", V2 + "/users/current")
ask("", "GET", "/health")
ask("", "POST", V2 + "/runs/search", {})
ask("admin", "GET", V2 + "/users/current")
for name in ("alice", "bob"):
    ask("admin", "POST", V2 + "/users/create", {"username": name, "password": PASSWORD})
ask("admin", "POST", V2 + "/users/create", {"username": "bob", "password": PASSWORD})
ask("admin", "POST", V2 + "/users/create", {"username": "carol", "password": "short"})
ask("admin", "POST", V2 + "/users/create", {"username": "", "password": PASSWORD})
ask("admin", "POST", V2 + "/users/create", {"username": "carol"})
ask("alice", "POST", V2 + "/users/create", {"username": "carol", "password": PASSWORD})
ask("alice", "GET", V2 + "/users/get", username="alice")
ask("alice", "GET", V2 + "/users/get", username="bob")
ask("admin", "GET", V2 + "/users/get", username="nobody")
ask("alice", "GET", "/ajax-api/2.0/mlflow/users/current")
ask("alice", "PATCH", V2 + "/users/update-admin", {"username": "alice", "is_admin": True})
ask("alice", "DELETE", V2 + "/users/delete", {"username": "bob"})

# What one makes is one's own.
ask("alice", "POST", V2 + "/experiments/create", {"name": "hers"}, save={"eid": "experiment_id"})
ask("alice", "POST", V2 + "/runs/create", {"experiment_id": "$eid"}, save={"run": "run.info.run_id"})
steps[-1]["status_only"] = True
ask("alice", "POST", V2 + "/registered-models/create", {"name": "model"})
steps[-1]["status_only"] = True
ask("alice", "POST", V2 + "/registered-models/create", {"name": "prompt", "tags": [{"key": "mlflow.prompt.is_prompt", "value": "true"}]})
steps[-1]["status_only"] = True
ask("alice", "POST", V2 + "/model-versions/create", {"name": "model", "source": "models:/other/1"})
ask("alice", "GET", V3 + "/users/current/permissions")
ask("alice", "GET", V3 + "/users/permissions/list", username="alice")
ask("bob", "GET", V3 + "/users/permissions/list", username="alice")
ask("bob", "GET", V3 + "/users/current/permissions")
ask("bob", "GET", V2 + "/users/list")
ask("alice", "GET", V2 + "/users/list")
ask("alice", "GET", V3 + "/users/permissions/get", username="alice", resource_type="experiment", resource_id="$eid")
ask("bob", "GET", V3 + "/users/permissions/get", username="bob", resource_type="experiment", resource_id="$eid")
ask("bob", "GET", V3 + "/users/permissions/get", username="alice", resource_type="experiment", resource_id="$eid")

# READ is everybody's.
MISSING = "0" * 32
METRIC = {"run_id": "$run", "key": "m", "value": 1, "timestamp": 1}
WRITES = [
    ("POST", "/runs/log-metric", METRIC),
    ("POST", "/runs/log-batch", {"run_id": "$run", "metrics": [{"key": "m", "value": 1, "timestamp": 1}]}),
    ("POST", "/runs/set-tag", {"run_id": "$run", "key": "k", "value": "v"}),
    ("POST", "/experiments/set-experiment-tag", {"experiment_id": "$eid", "key": "k", "value": "v"}),
    ("POST", "/registered-models/set-tag", {"name": "model", "key": "k", "value": "v"}),
    ("POST", "/registered-models/set-tag", {"name": "prompt", "key": "k", "value": "v"}),
]
READS = [
    ("GET", "/runs/get", {"run_id": "$run"}),
    ("GET", "/metrics/get-history", {"run_id": "$run", "metric_key": "m"}),
    ("GET", "/experiments/get", {"experiment_id": "$eid"}),
    ("GET", "/experiments/get-by-name", {"experiment_name": "hers"}),
    ("GET", "/registered-models/get", {"name": "model"}),
    ("GET", "/model-versions/get", {"name": "model", "version": "7"}),
    ("GET", "/artifacts/list", {"run_id": "$run"}),
]


def status_of(who, rows):
    for method, path, fields in rows:
        if method == "GET":
            ask(who, method, V2 + path, **fields)
        else:
            ask(who, method, V2 + path, fields)
        steps[-1]["status_only"] = True


status_of("bob", READS)
status_of("bob", WRITES)
ask("bob", "POST", V2 + "/runs/log-metric", dict(METRIC, run_id=MISSING))
ask("bob", "GET", V2 + "/runs/get", run_id=MISSING)
ask("bob", "GET", V2 + "/experiments/get", experiment_id="4711")
ask("bob", "GET", V2 + "/registered-models/get", name="nobody's")
ask("bob", "GET", V2 + "/model-versions/get", name="nobody's", version="1")
ask("bob", "POST", V2 + "/registered-models/create", {"name": "model"})
ask("bob", "DELETE", V2 + "/registered-models/delete", {"name": "model"})
ask("bob", "POST", V2 + "/webhooks", {"name": "w", "url": "https://example.com", "events": [{"entity": "REGISTERED_MODEL", "action": "CREATED"}]})

# Grants by who manages the resource.
GRANT, REVOKE = V3 + "/users/permissions/grant", V3 + "/users/permissions/revoke"
HERS = {"username": "bob", "resource_type": "experiment", "resource_id": "$eid"}
ask("bob", "POST", GRANT, dict(HERS, permission="EDIT"))
ask("alice", "POST", GRANT, dict(HERS, permission="EDIT"))
ask("alice", "POST", GRANT, dict(HERS, permission="READ"))
ask("alice", "POST", GRANT, dict(HERS, permission="FOO"))
ask("alice", "POST", GRANT, dict(HERS, permission="NO_PERMISSIONS"))
ask("admin", "POST", GRANT, dict(HERS, username="nobody", permission="READ"))
ask("alice", "POST", GRANT, dict(HERS, resource_type="foo", permission="READ"))
ask("alice", "POST", GRANT, dict(HERS, resource_type="workspace", resource_id="*", permission="USE"))
ask("admin", "POST", GRANT, dict(HERS, resource_type="run", permission="READ"))
ask("alice", "POST", GRANT, dict(HERS, resource_type="run", resource_id="*", permission="READ"))
ask("alice", "POST", GRANT, {"username": "bob"})
status_of("bob", READS)
status_of("bob", WRITES)
ask("bob", "POST", V2 + "/runs/delete", {"run_id": "$run"})
ask("alice", "POST", REVOKE, HERS)
ask("alice", "POST", REVOKE, HERS)
for kind, name in (("experiment", "$eid"), ("registered_model", "model"), ("prompt", "prompt")):
    ask("admin", "POST", GRANT, {"username": "bob", "resource_type": kind, "resource_id": name, "permission": "DENY"})
    ask("bob", "GET", V3 + "/users/permissions/get", username="bob", resource_type=kind, resource_id=name)
status_of("bob", READS)
status_of("bob", WRITES)

# A type's own grants decide before those on the experiment.
ask("admin", "POST", V3 + "/roles/create", {"workspace": "default", "name": "loggers", "description": "may log"}, save={"role": "role.id"})
ask("admin", "POST", V3 + "/roles/create", {"workspace": "default", "name": "loggers"})
ask("admin", "POST", V3 + "/roles/create", {"workspace": "default", "name": "__user_1__"})
ask("admin", "POST", V3 + "/roles/create", {"workspace": "default", "name": " "})
ask("admin", "POST", V3 + "/roles/create", {"name": "x"})
ask("bob", "POST", V3 + "/roles/create", {"workspace": "default", "name": "mine"})
ADD = V3 + "/roles/permissions/add"
RUNS = {"role_id": "$role", "resource_type": "run", "resource_pattern": "*", "permission": "EDIT"}
ask("admin", "POST", ADD, RUNS, save={"grant": "role_permission.id"})
ask("admin", "POST", ADD, RUNS)
ask("admin", "POST", ADD, dict(RUNS, role_id=4711))
ask("admin", "POST", ADD, dict(RUNS, resource_type="workspace", permission="READ"))
ask("admin", "POST", V3 + "/roles/assign", {"username": "bob", "role_id": "$role"})
ask("admin", "POST", V3 + "/roles/assign", {"username": "bob", "role_id": "$role"})
ask("admin", "GET", V3 + "/roles/users/list", role_id="$role")
ask("admin", "POST", REVOKE, HERS)
status_of("bob", READS)
status_of("bob", WRITES)
ask("admin", "PATCH", V3 + "/roles/permissions/update", {"role_permission_id": "$grant", "permission": "DENY"})
status_of("bob", READS)
status_of("bob", WRITES)
ask("bob", "GET", V3 + "/roles/get", role_id="$role")
ask("bob", "GET", V3 + "/roles/list", workspace="default")
ask("bob", "GET", V3 + "/roles/list")
ask("bob", "GET", V3 + "/users/roles/list", username="bob")
ask("bob", "GET", V3 + "/users/roles/list", username="alice")
ask("admin", "PATCH", V3 + "/roles/update", {"role_id": "$role", "name": "renamed"})
ask("admin", "PATCH", V3 + "/roles/update", {"role_id": "$role"})
ask("admin", "GET", V3 + "/roles/permissions/list", role_id="$role")
ask("admin", "DELETE", V3 + "/roles/permissions/remove", {"role_permission_id": "$grant"})
ask("admin", "DELETE", V3 + "/roles/permissions/remove", {"role_permission_id": "$grant"})
ask("admin", "DELETE", V3 + "/roles/unassign", {"username": "bob", "role_id": "$role"})
ask("admin", "DELETE", V3 + "/roles/unassign", {"username": "bob", "role_id": "$role"})
ask("admin", "DELETE", V3 + "/roles/delete", {"role_id": "$role"})
ask("admin", "GET", V3 + "/roles/get", role_id="$role")

# Renaming and deleting a model take its permissions along.
RIGHTS = {"username": "alice", "resource_type": "registered_model"}
ask("alice", "POST", V2 + "/registered-models/rename", {"name": "model", "new_name": "model-2"})
steps[-1]["status_only"] = True
ask("alice", "GET", V3 + "/users/permissions/get", resource_id="model-2", **RIGHTS)
ask("alice", "GET", V3 + "/users/permissions/get", resource_id="model", **RIGHTS)
ask("alice", "DELETE", V2 + "/registered-models/delete", {"name": "model-2"})
ask("alice", "GET", V3 + "/users/permissions/get", resource_id="model-2", **RIGHTS)
ask("admin", "POST", REVOKE, {"username": "alice", "resource_type": "registered_model", "resource_id": "model-2"})

# Who manages the workspace manages its roles and sees everything, and is still no admin.
ask("admin", "POST", V3 + "/roles/create", {"workspace": "default", "name": "managers"}, save={"managers": "role.id"})
ask("admin", "POST", ADD, {"role_id": "$managers", "resource_type": "workspace", "resource_pattern": "*", "permission": "MANAGE"})
ask("admin", "POST", V3 + "/roles/assign", {"username": "bob", "role_id": "$managers"})
status_of("bob", READS[:4])
ask("bob", "POST", V2 + "/users/create", {"username": "carol", "password": PASSWORD})
ask("bob", "PATCH", V2 + "/users/update-admin", {"username": "bob", "is_admin": True})
ask("bob", "DELETE", V2 + "/users/delete", {"username": "carol"})
ask("bob", "GET", V2 + "/webhooks")
ask("bob", "GET", V3 + "/users/roles/list", username="alice")
ask("bob", "POST", V3 + "/roles/create", {"workspace": "default", "name": "by bob"})
ask("bob", "POST", V3 + "/roles/create", {"workspace": "elsewhere", "name": "by bob"})

# Passwords.
PASS = V2 + "/users/update-password"
ask("alice", "PATCH", PASS, {"username": "alice", "password": "another-password"})
ask("alice", "PATCH", PASS, {"username": "alice", "password": "another-password", "current_password": "wrong"})
ask("alice", "PATCH", PASS, {"username": "alice", "password": PASSWORD, "current_password": PASSWORD})
ask("alice", "PATCH", PASS, {"username": "alice", "password": "short", "current_password": PASSWORD})
ask("alice", "PATCH", PASS, {"username": "bob", "password": "another-password"})
ask("alice", "PATCH", PASS, {"username": "alice", "password": "another-password", "current_password": PASSWORD})
ask("alice", "GET", V2 + "/users/current")
ask("alice:another-password", "GET", V2 + "/users/current")
ask("admin", "PATCH", PASS, {"username": "alice", "password": PASSWORD})
ask("alice", "GET", V2 + "/users/current")
ask("alice:another-password", "GET", V2 + "/users/current")
ask("admin", "DELETE", V2 + "/users/delete", {"username": "admin"})
ask("admin", "DELETE", V2 + "/users/delete", {"username": "bob"})
ask("admin", "DELETE", V2 + "/users/delete", {"username": "bob"})
ask("bob", "GET", V2 + "/users/current")
ask("admin", "PATCH", V2 + "/users/update-admin", {"username": "alice", "is_admin": True})
ask("alice", "GET", V2 + "/users/current")

here = pathlib.Path(__file__).parent
here.joinpath("steps.json").write_text("[\n" + ",\n".join(json.dumps(s) for s in steps) + "\n]\n")
