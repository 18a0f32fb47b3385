#!/bin/sh
# Starts MLflow 3.17.2 on a free folder and records the golden answers anew (record.sh), or tells what drifted (record.sh check).
# Needs MLFLOW, the mlflow command of a venv with mlflow==3.17.2: MLFLOW=venv/bin/mlflow testdata/record.sh
set -eu
cd "$(dirname "$0")/.."
MLFLOW=${MLFLOW:-mlflow}
PORT=${PORT:-5901}
dir=$(mktemp -d)
"$MLFLOW" server --backend-store-uri "sqlite:///$dir/mlflow.db" --artifacts-destination "$dir/artifacts" \
	--host 127.0.0.1 --port "$PORT" --workers 1 >"$dir/log" 2>&1 &
pid=$!
trap 'kill $pid 2>/dev/null || true; rm -rf "$dir"' EXIT
url=http://127.0.0.1:$PORT
until curl -sf "$url/health" >/dev/null; do
	kill -0 $pid || { cat "$dir/log"; exit 1; }
	sleep 1
done
# Experiment ids that no other number can be taken for.
python3 - "$dir/mlflow.db" <<'PY'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage, creation_time, last_update_time, workspace)"
           " VALUES (7770000, 'first', 'mlflow-artifacts:/first', 'active', 1, 1, 'default')")
db.commit()
PY
mode=-record
[ "${1:-}" = check ] && mode=
go test -count=1 -run TestConformance . -mlflow "$url" $mode
