"""What is under test: a training step that logs to MLflow."""

import mlflow


def train(learning_rate: float) -> str:
    mlflow.set_experiment("prices")
    with mlflow.start_run() as run:
        mlflow.log_param("learning_rate", learning_rate)
        mlflow.log_metric("loss", learning_rate ** 2)
        mlflow.log_text("0.5", "weights.txt")
    return run.info.run_id
