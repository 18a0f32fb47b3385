"""Logs a forest of 100 trees and asks it at once; prints the milliseconds from log_model's return to the first correct answer."""

import json
import sys
import time
import urllib.request

import mlflow
import numpy as np
from sklearn.ensemble import RandomForestRegressor

uri, rounds = sys.argv[1], int(sys.argv[2])
mlflow.set_tracking_uri(uri)
x = np.random.RandomState(1).rand(1000, 5)
forest = RandomForestRegressor(n_estimators=100, random_state=1).fit(x, x @ np.arange(5.0))
want = forest.predict(x[:1])[0]
body = json.dumps({"inputs": x[:1].tolist()}).encode()
for i in range(rounds):
    with mlflow.start_run():
        mlflow.sklearn.log_model(forest, name="model", registered_model_name=f"forest-{i}", serialization_format="cloudpickle")
    began = time.perf_counter()
    while True:
        request = urllib.request.Request(f"{uri}/forest-{i}/invocations", body, {"Content-Type": "application/json"})
        try:
            got = json.load(urllib.request.urlopen(request))["predictions"][0]
            break
        except urllib.error.HTTPError as e:
            if time.perf_counter() - began > 10:
                sys.exit(f"no answer: {e.code} {e.read()}")
    took = 1000 * (time.perf_counter() - began)
    assert abs(got - want) < 1e-9, (got, want)
    print(f"forest_ms {took}")
