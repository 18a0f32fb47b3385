"""Saves a custom pyfunc model that doubles x: 13 raises, 14 ends the process, 15 hangs."""

import os
import sys
import time

import mlflow.pyfunc


class Doubler(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        if (model_input["x"] == 13).any():
            raise ValueError("unlucky")
        if (model_input["x"] == 14).any():
            os._exit(3)
        if (model_input["x"] == 15).any():
            time.sleep(3600)
        return model_input["x"] * 2


mlflow.pyfunc.save_model(sys.argv[1], python_model=Doubler())
