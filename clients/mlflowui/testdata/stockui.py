"""Data for the pages of MLflow's own UI. Prints, as one JSON object, the ids that the pages' addresses need."""

import json
import math
import os
import tempfile

import mlflow
import pandas

client = mlflow.MlflowClient()
experiment = mlflow.set_experiment("stock-ui")
ids = {"experiment": experiment.experiment_id, "runs": []}


class Doubler(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input


frame = pandas.DataFrame({"alcohol": [9.4, 9.8], "quality": [5.0, 6.0]})
for n in range(3):
    with mlflow.start_run(run_name=f"run-{n}") as run:
        mlflow.log_params({"alpha": 0.1 * n, "solver": "saga"})
        mlflow.set_tag("team", "tasting")
        for step in range(50):
            mlflow.log_metric("loss", math.exp(-step / (10 + n)), step=step)
        mlflow.log_metrics({"rmse": 0.7 + n / 10, "r2": 0.2})
        mlflow.log_input(mlflow.data.from_pandas(frame, name="wine", targets="quality"), context="training")
        mlflow.log_text("# Notes\n\nA run.\n", "notes.md")
        mlflow.log_dict({"a": [1, 2]}, "folder/values.json")
        mlflow.log_table({"question": ["q1"], "answer": ["a1"]}, "table.json")
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "wine.csv")
            frame.to_csv(file, index=False)
            mlflow.log_artifact(file)
        if n == 0:
            model = mlflow.pyfunc.log_model(
                name="doubler",
                python_model=Doubler(),
                pip_requirements=["mlflow"],
                input_example=frame,
                registered_model_name="doubler",
            )
            ids["model_id"] = model.model_id
            ids["version"] = str(model.registered_model_version)
        ids["runs"].append(run.info.run_id)

client.set_registered_model_alias("doubler", "champion", ids["version"])
client.set_model_version_tag("doubler", ids["version"], "approved", "yes")
client.update_registered_model("doubler", "Doubles *nothing*.")
client.create_model_version("doubler", f"models:/{ids['model_id']}", ids["runs"][0], model_id=ids["model_id"])

mlflow.genai.register_prompt(name="greeting", template="Hello {{name}}", commit_message="first")
mlflow.genai.register_prompt(name="greeting", template="Good day {{name}}", commit_message="politer")
mlflow.genai.set_prompt_alias("greeting", "live", 1)

print(json.dumps(ids))
