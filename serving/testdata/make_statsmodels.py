"""Makes model directories of the statsmodels flavor as one release of MLflow saves them, with requests and what
MLflow's scoring server answers:

    python make_statsmodels.py sm-VERSION.zip

Run it with MLflow and statsmodels VERSION. The Go tests read only the zip.
"""

import json
import os
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path

os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "true"
import mlflow
import mlflow.statsmodels
import numpy as np
import pandas as pd
import statsmodels
import statsmodels.api as sm
import statsmodels.formula.api as smf
from mlflow.models import infer_signature
from mlflow.pyfunc import scoring_server

warnings.filterwarnings("ignore")
folder = tempfile.TemporaryDirectory()
out = Path(folder.name)
rng = np.random.RandomState(4)
n = 120
X = sm.add_constant(pd.DataFrame({"a": rng.rand(n) * 3, "b": rng.randn(n), "count": rng.randint(0, 5, n)}))
y = 1 + X["a"] * 2 - X["b"] + X["count"] * 0.5 + rng.randn(n) * 0.3
yb = (y > y.median()).astype(int)
ypos = np.exp(y / 6)
ycount = rng.poisson(ypos)
y3 = np.digitize(y, [2, 4])
frame = X.drop(columns="const").assign(y=y)
fam, links = sm.families, sm.families.links
link = lambda old, new: getattr(links, new)() if hasattr(links, new) else getattr(links, old)()  # noqa: E731

fits = {
    "ols": lambda: sm.OLS(y, X).fit(),
    "ols_array": lambda: sm.OLS(y.to_numpy(), X.to_numpy()).fit(),
    "ols_one": lambda: sm.OLS(y, X[["a"]]).fit(),
    "ols_robust": lambda: sm.OLS(y, X).fit(cov_type="HC1"),
    "ols_removed": lambda: sm.OLS(y, X).fit(),
    "ols_regularized": lambda: sm.OLS(y, X).fit_regularized(alpha=0.05),
    "ols_formula": lambda: smf.ols("y ~ a + np.log(count + 1)", frame).fit(),
    "ols_bools": lambda: sm.OLS(y, X[["const", "a"]].assign(flag=yb == 1)[["const", "a"]]).fit(),
    "wls": lambda: sm.WLS(y, X, weights=ypos).fit(),
    "gls": lambda: sm.GLS(y, X, sigma=ypos).fit(),
    "glsar": lambda: sm.GLSAR(y, X, rho=1).iterative_fit(3),
    "rlm": lambda: sm.RLM(y, X).fit(),
    "quantreg": lambda: sm.QuantReg(y, X).fit(q=0.3),
    "glm_gaussian": lambda: sm.GLM(y, X).fit(),
    "glm_gaussian_log": lambda: sm.GLM(ypos, X, family=fam.Gaussian(link("log", "Log"))).fit(),
    "glm_binomial": lambda: sm.GLM(yb, X[["const", "b"]], family=fam.Binomial()).fit(),
    "glm_probit": lambda: sm.GLM(yb, X[["const", "b"]], family=fam.Binomial(link("probit", "Probit"))).fit(),
    "glm_cloglog": lambda: sm.GLM(yb, X[["const", "b"]], family=fam.Binomial(link("cloglog", "CLogLog"))).fit(),
    "glm_loglog": lambda: sm.GLM(yb, X[["const", "b"]], family=fam.Binomial(links.LogLog())).fit(),
    "glm_cauchy": lambda: sm.GLM(yb, X[["const", "b"]], family=fam.Binomial(link("cauchy", "Cauchy"))).fit(),
    "glm_poisson": lambda: sm.GLM(ycount, X, family=fam.Poisson()).fit(),
    "glm_poisson_sqrt": lambda: sm.GLM(ycount, X, family=fam.Poisson(link("sqrt", "Sqrt"))).fit(),
    "glm_offset": lambda: sm.GLM(ycount, X, family=fam.Poisson(), offset=np.log(ypos)).fit(),
    "glm_exposure": lambda: sm.GLM(ycount, X, family=fam.Poisson(), exposure=ypos).fit(),
    "glm_gamma": lambda: sm.GLM(ypos, X[["const", "a"]], family=fam.Gamma()).fit(),
    "glm_gamma_log": lambda: sm.GLM(ypos, X, family=fam.Gamma(link("log", "Log"))).fit(),
    "glm_inverse_gaussian": lambda: sm.GLM(ypos, X[["const"]], family=fam.InverseGaussian()).fit(),
    "glm_tweedie": lambda: sm.GLM(ypos, X, family=fam.Tweedie(var_power=1.5)).fit(),
    "glm_power": lambda: sm.GLM(ypos, X, family=fam.Gaussian(links.Power(power=0.5))).fit(),
    "glm_negative_binomial": lambda: sm.GLM(ycount, X, family=fam.NegativeBinomial(alpha=0.5)).fit(),
    "glm_nbinom_link": lambda: sm.GLM(ycount + 1, X[["const"]], family=fam.NegativeBinomial(link("nbinom", "NegativeBinomial"))).fit(),
    "logit": lambda: sm.Logit(yb, X[["const", "b"]]).fit(disp=0),
    "probit": lambda: sm.Probit(yb, X[["const", "b"]]).fit(disp=0),
    "logit_regularized": lambda: sm.Logit(yb, X).fit_regularized(alpha=1.0, disp=0),
    "logit_formula": lambda: smf.logit("c ~ a", frame.assign(c=yb)).fit(disp=0),
    "poisson": lambda: sm.Poisson(ycount, X).fit(disp=0),
    "poisson_offset": lambda: sm.Poisson(ycount, X, offset=np.log(ypos)).fit(disp=0),
    "negative_binomial": lambda: sm.NegativeBinomial(rng.negative_binomial(2, 0.3, n), X[["const", "b"]]).fit(disp=0),
    "mnlogit": lambda: sm.MNLogit(y3, X[["const", "b"]]).fit(disp=0),
    "mixed": lambda: sm.MixedLM(y, X[["const", "a"]], groups=X["count"]).fit(),
    "gee": lambda: sm.GEE(y, X[["const", "a"]], groups=X["count"]).fit(),
    "arima": lambda: sm.tsa.ARIMA(y.to_numpy(), order=(1, 0, 0)).fit(),
}


def ask(path, body):
    model = mlflow.pyfunc.load_model(str(path))
    if hasattr(scoring_server, "invocations"):
        answer = scoring_server.invocations(json.dumps(body), "application/json", model, model.metadata.get_input_schema())
        return answer.status, answer.response
    answer = scoring_server.init(model).test_client().post("/invocations", data=json.dumps(body), content_type="application/json")
    return answer.status_code, answer.get_data(as_text=True)


def columns(name, fit):
    names = getattr(fit.model, "exog_names", None) or []
    return [c for c in names if c in X.columns] if len(names) != 4 or "x1" not in names else list(X.columns)


cases = []
for name, make in fits.items():
    try:
        fit = make()
    except Exception as e:  # noqa: BLE001
        print(name, "is not of this release:", type(e).__name__, str(e)[:120])
        continue
    data = X[columns(name, fit)] if "formula" not in name else frame
    if name == "ols_array":
        data = X
    for kind in ("", "_signed"):
        if kind and name not in ("ols", "logit", "glm_poisson", "ols_array"):
            continue
        path = out / (name + kind)
        signature = {"signature": infer_signature(data, fit.predict(data))} if kind else {}
        mlflow.statsmodels.save_model(fit, str(path), remove_data=name == "ols_removed", pip_requirements=["mlflow"], **signature)
        columns_, rows = list(data.columns), data[:7].astype(object).to_numpy().tolist()
        split = lambda c, r: {"dataframe_split": {"columns": c, "data": r}}  # noqa: E731
        bodies = [split(columns_, rows)]
        if name not in ("arima", "ols_formula", "logit_formula"):
            bodies += [split(columns_, rows[:1]), split(columns_[::-1], [r[::-1] for r in rows[:2]]), {"inputs": rows[:3]}]
            if len(columns_) > 1:
                bodies += [split(columns_[:-1], [r[:-1] for r in rows[:2]]), split([c + "_" for c in columns_], rows[:2])]
            bodies += [split(columns_, [[None] + rows[0][1:], rows[1]]), split(columns_, [["word"] + rows[0][1:], rows[1]]), split(columns_, [[True] + rows[0][1:], [False] + rows[1][1:]]),
                       split(columns_, [[1e6] * len(columns_), [-1e6] * len(columns_), [0.0] * len(columns_)]), {"dataframe_records": [dict(zip(columns_, rows[0]))]},
                       {"inputs": rows[0]}, {"inputs": [[None] + rows[0][1:], rows[1]]}]
        if kind:
            bodies += [{"inputs": {c: [r[i] for r in rows[:2]] for i, c in enumerate(columns_)}}]
        for body in bodies:
            try:
                status, text = ask(path, body)
            except mlflow.MlflowException as e:  # the server answers 400 with its text
                status, text = 400, json.dumps({"message": str(e)})
            entry = {"model": name + kind, "class": type(fit.model).__name__, "status": status, "body": body}
            if status == 200:
                entry["answer"] = json.loads(text, parse_constant=lambda _: None)
            else:
                entry["error"] = json.loads(text).get("message", text)[:400]
            cases.append(entry)
(out / "cases.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
    for file in sorted(out.rglob("*")):
        if file.is_file() and file.suffix not in (".yaml", ".txt"):
            archive.write(file, file.relative_to(out).as_posix())
print(mlflow.__version__, statsmodels.__version__, len(cases), "cases", {c["status"] for c in cases})
