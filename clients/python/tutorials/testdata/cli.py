"""MLflow's command line against the server, and a project run on this machine."""

import csv
import io
import json
import pathlib
import subprocess
import sys

import mlflow
from click.testing import CliRunner
from mlflow import MlflowClient

new = int(mlflow.__version__.split(".")[0]) >= 3
client = MlflowClient()


def cli(*args, ok=True):
    """The same commands inside this process, since starting Python takes seconds."""
    from mlflow.cli import cli as command

    done = CliRunner().invoke(command, args)
    assert (done.exit_code == 0) == ok, (args, done.output, done.exception)
    return done.output


started = subprocess.run([sys.executable, "-W", "ignore", "-m", "mlflow", "experiments", "search"], capture_output=True, text=True)
assert started.returncode == 0 and "Default" in started.stdout, started


# Experiments.
assert "Created experiment 'from-cli' with id" in cli("experiments", "create", "--experiment-name", "from-cli")
experiment = client.get_experiment_by_name("from-cli")
assert "from-cli" in cli("experiments", "search")
cli("experiments", "rename", "--experiment-id", experiment.experiment_id, "--new-name", "by-cli")
assert client.get_experiment(experiment.experiment_id).name == "by-cli"
cli("experiments", "delete", "--experiment-id", experiment.experiment_id)
assert client.get_experiment(experiment.experiment_id).lifecycle_stage == "deleted"
cli("experiments", "restore", "--experiment-id", experiment.experiment_id)

# A run with artifacts; its table.
mlflow.set_experiment("by-cli")
with mlflow.start_run(run_name="one") as run:
    mlflow.log_param("p", "v")
    mlflow.log_metric("m", 1.5)
pathlib.Path("many").mkdir()
pathlib.Path("many/a.txt").write_text("a")
pathlib.Path("b.txt").write_text("b")
cli("artifacts", "log-artifact", "--local-file", "b.txt", "--run-id", run.info.run_id, "--artifact-path", "files")
cli("artifacts", "log-artifacts", "--local-dir", "many", "--run-id", run.info.run_id)
listed = json.loads(cli("artifacts", "list", "--run-id", run.info.run_id))
assert [f["path"] for f in listed] == ["a.txt", "files"], listed
there = cli("artifacts", "download", "--run-id", run.info.run_id, "--artifact-path", "files", "--dst-path", ".").strip().splitlines()[-1]
assert pathlib.Path(there, "b.txt").read_text() == "b", there
cli("experiments", "csv", "-x", experiment.experiment_id, "-o", "runs.csv")
table = list(csv.DictReader(io.StringIO(pathlib.Path("runs.csv").read_text())))
assert [(r["run_id"], r["params.p"], r["metrics.m"]) for r in table] == [(run.info.run_id, "v", "1.5")], table
assert run.info.run_id in cli("runs", "list", "--experiment-id", experiment.experiment_id)
described = json.loads(cli("runs", "describe", "--run-id", run.info.run_id))
assert described["info"]["run_id"] == run.info.run_id and described["data"]["metrics"] == {"m": 1.5}, described
cli("runs", "delete", "--run-id", run.info.run_id)
cli("runs", "restore", "--run-id", run.info.run_id)
assert client.get_run(run.info.run_id).info.lifecycle_stage == "active"
cli("runs", "describe", "--run-id", "0" * 32, ok=False)

# A project: its parameters are the run's, its code logs into that run.
project = pathlib.Path("project")
project.mkdir()
(project / "MLproject").write_text(
    'name: tutorial\nentry_points:\n  main:\n    parameters:\n      alpha: {type: float, default: 0.5}\n      word: {type: string, default: "none"}\n'
    '    command: "python train.py {alpha} {word}"\n'
)
(project / "train.py").write_text(
    "import sys\nimport mlflow\nwith mlflow.start_run():\n    mlflow.log_metric('alpha_seen', float(sys.argv[1]))\n    mlflow.set_tag('word_seen', sys.argv[2])\n"
)
submitted = mlflow.projects.run(str(project), parameters={"alpha": 0.25}, env_manager="local", experiment_name="by-cli", synchronous=True)
assert submitted.get_status() in ("FINISHED", 3), submitted.get_status()
ran = client.get_run(submitted.run_id)
assert ran.data.params == {"alpha": "0.25", "word": "none"} and ran.data.metrics == {"alpha_seen": 0.25} and ran.data.tags["word_seen"] == "none", ran.data
assert ran.data.tags["mlflow.source.type"] == "PROJECT" and ran.data.tags["mlflow.project.entryPoint"] == "main", ran.data.tags
found = client.search_runs([experiment.experiment_id], "tags.`mlflow.source.type` = 'PROJECT'")
assert [r.info.run_id for r in found] == [ran.info.run_id], found

# Predictions by the command, of a registered model.
from sklearn.linear_model import LinearRegression

with mlflow.start_run():
    where = {"name": "model"} if new else {"artifact_path": "model"}
    mlflow.sklearn.log_model(LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0]), registered_model_name="cli-line", pip_requirements=["scikit-learn"], **where)
pathlib.Path("in.json").write_text(json.dumps({"inputs": [[2.0]]}))
cli("models", "predict", "-m", "models:/cli-line/1", "--env-manager", "local", "-t", "json", "-i", "in.json", "-o", "out.json")
assert abs(json.loads(pathlib.Path("out.json").read_text())["predictions"][0] - 5.0) < 1e-9
if new:
    (trace_id,) = [mlflow.trace(lambda: 1, name="traced")() and mlflow.get_last_active_trace_id()]
    mlflow.flush_trace_async_logging(terminate=False)
    assert trace_id in cli("traces", "search", "--experiment-id", experiment.experiment_id, "--output", "json")
    assert json.loads(cli("traces", "get", "--trace-id", trace_id))["info"]["trace_id"] == trace_id
    cli("traces", "set-tag", "--trace-id", trace_id, "--key", "k", "--value", "v")
    assert mlflow.get_trace(trace_id).info.tags["k"] == "v"
    cli("traces", "log-feedback", "--trace-id", trace_id, "--name", "good", "--value", "true")
    assert [a.name for a in mlflow.get_trace(trace_id).info.assessments] == ["good"]
    cli("traces", "delete", "--experiment-id", experiment.experiment_id, "--trace-ids", trace_id)
