"""Scores MLflow models for prinzbox, one process per model, forked from one interpreter that has imported MLflow already.

Orders come as JSON lines on standard input, {"id": 1, "model": DIR, "socket": FILE}; events go as JSON lines to file descriptor 3. The end of
standard input ends the whole process group: prinzbox is gone.
"""

import json
import os
import signal
import socketserver
import sys
import threading
import traceback
from http.server import BaseHTTPRequestHandler

EVENTS = 3
JSON = "application/json"


def tell(**event):
    os.write(EVENTS, (json.dumps(event) + "\n").encode())


def legacy(body):
    """The body of MLflow 1.x as one of 2.x, or None if it is none."""
    try:
        value = json.loads(body)
    except ValueError:
        return None
    if isinstance(value, list):
        return {"dataframe_records": value}
    if isinstance(value, dict) and "data" in value and not {"dataframe_split", "dataframe_records", "instances", "inputs"} & set(value):
        return {"dataframe_split": value}
    return None


class Scorer:
    """Calls the scoring server that the installed MLflow brings, whatever its version."""

    def __init__(self, directory):
        import mlflow.pyfunc
        from mlflow.pyfunc import scoring_server

        self.model = mlflow.pyfunc.load_model(directory)
        self.server = scoring_server
        self.modern = hasattr(scoring_server, "invocations")
        if self.modern:
            self.schema = self.model.metadata.get_input_schema()
        else:
            self.app = scoring_server.init(self.model).test_client()

    def score(self, body, content_type):
        """Status, content type and body of the answer."""
        kind, _, form = content_type.partition(";")
        old = legacy(body) if kind.strip().lower() in (JSON, "") else None
        if self.modern:
            if old is not None:
                status, kind, answer = self.invoke(json.dumps(old), JSON)
                if status == 200:
                    answer = json.dumps(json.loads(answer)["predictions"], separators=(",", ":"))
                return status, kind, answer
            return self.invoke(body.decode("utf-8", "surrogateescape") if kind != "application/vnd.apache.parquet" else body, content_type or JSON)
        return self.invoke_old(body, content_type, old is None and kind.strip().lower() == JSON and not form)

    def invoke(self, body, content_type):
        from mlflow.exceptions import MlflowException

        try:
            answer = self.server.invocations(body, content_type, self.model, self.schema)
            return answer.status, answer.mimetype, answer.response
        except MlflowException as e:
            return e.get_http_status_code(), JSON, e.serialize_as_json()

    def invoke_old(self, body, content_type, wrap):
        if wrap:
            try:
                value = json.loads(body)
            except ValueError:
                value = None  # MLflow says what is wrong with it
            for name, form in (("dataframe_split", "pandas-split"), ("dataframe_records", "pandas-records")):
                if isinstance(value, dict) and name in value:
                    body, content_type = json.dumps(value[name]).encode(), f"{JSON}; format={form}"
        answer = self.app.post("/invocations", data=body, headers={"Content-Type": content_type})
        text = answer.get_data(as_text=True)
        if wrap and answer.status_code == 200:
            text = '{"predictions": ' + text + "}"
        return answer.status_code, answer.mimetype, text


def serve(scorer, path):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one write per answer

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                status, kind, answer = scorer.score(body, self.headers.get("Content-Type", ""))
            except Exception:
                traceback.print_exc()
                message = "The model raised an error: " + traceback.format_exc(limit=-1).strip().splitlines()[-1]
                status, kind, answer = 500, JSON, json.dumps({"error_code": "INTERNAL_ERROR", "message": message})
            answer = answer.encode() if isinstance(answer, str) else answer
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
            self.wfile.flush()

        def address_string(self):
            return ""

        def log_message(self, *args):
            pass

    class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        daemon_threads = True
        request_queue_size = 128

    return Server(path, Handler)


def child(order):
    os.close(0)
    os.open(os.devnull, os.O_RDONLY)  # what a model reads from standard input must not be our orders
    try:
        server = serve(Scorer(order["model"]), order["socket"])
    except BaseException as e:
        traceback.print_exc()
        tell(id=order["id"], error=f"{type(e).__name__}: {e}"[:2000])
        os._exit(1)
    tell(id=order["id"], ready=True)
    server.serve_forever()


def reap():
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            return
        tell(exited=pid, status=status)


def main():
    import mlflow
    import mlflow.pyfunc.scoring_server  # noqa: F401  what every child needs

    tell(started=mlflow.__version__)
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            child(order)
            os._exit(0)
        tell(id=order["id"], pid=pid)
        threading.Thread(target=reap, daemon=True).start()
    os.killpg(0, signal.SIGKILL)


main()
