"""An environment, or a namespace of it, and the control API of each."""

import json
import uuid
from typing import Any, Dict, List, Optional
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import ProxyHandler, Request, build_opener

# Never through a proxy: the environment is on this machine, or named by its address.
_opener = build_opener(ProxyHandler({}))


class Environment:
    """Addresses and keys of an environment, and what tests do with it beside MLflow."""

    def __init__(self, ready: Dict[str, Any]) -> None:
        self.ready = ready
        #: What MLFLOW_TRACKING_URI has to be.
        self.tracking_uri: str = ready["tracking_uri"]

    @property
    def s3_endpoint(self) -> str:
        return str(self.ready["s3_endpoint"])

    @property
    def static_url(self) -> str:
        return str(self.ready["static_url"])

    @property
    def bucket(self) -> str:
        return str(self.ready["bucket"])

    @property
    def access_key(self) -> str:
        return str(self.ready["access_key"])

    @property
    def secret_key(self) -> str:
        return str(self.ready["secret_key"])

    def env(self) -> Dict[str, str]:
        """The variables that MLflow's clients, boto3 and the AWS tools read."""
        return {
            "MLFLOW_TRACKING_URI": self.tracking_uri,
            "MLFLOW_S3_ENDPOINT_URL": self.s3_endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": str(self.ready["region"]),
            "AWS_ENDPOINT_URL_S3": self.s3_endpoint,
            "PRINZBOX_STATIC_URL": self.static_url,
            "PRINZBOX_BUCKET": self.bucket,
        }

    def namespace(self, name: Optional[str] = None) -> "Namespace":
        """An environment of its own in the same process; a new name unless one is given."""
        return Namespace(self, name or "t-" + uuid.uuid4().hex[:16])

    def control(self, method: str, path: str, body: Optional[object] = None) -> Any:
        """Call the control API: control("PUT", "/clock", {"freeze": "now"}). GET /openapi.json lists all operations."""
        from ._process import PrinzboxError

        data = None if body is None else json.dumps(body).encode()
        request = Request(self.tracking_uri + "/api/prinzbox" + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with _opener.open(request, timeout=60) as response:
                answer = response.read()
        except HTTPError as error:
            with error:
                text = error.read().decode("utf-8", "replace")
            raise PrinzboxError("%s %s: status %d: %s" % (method, request.full_url, error.code, text))
        except (URLError, OSError) as error:
            raise PrinzboxError("%s %s: %s" % (method, request.full_url, error))
        return json.loads(answer) if answer else None

    def status(self) -> Dict[str, Any]:
        """How the environment is."""
        answer: Dict[str, Any] = self.control("GET", "/status")
        return answer

    def reset(self, to: str = "") -> None:
        """Go to a fresh state: "empty", "seeded", or the one that the environment began with."""
        self.control("POST", "/reset", {"to": to})

    def snapshot(self, name: str) -> None:
        """Keep the state of now under a name."""
        self.control("PUT", "/snapshots/" + quote(name, safe=""))

    def restore(self, name: str) -> None:
        """Go back to a snapshot."""
        self.control("POST", "/snapshots/%s/restore" % quote(name, safe=""))

    def fault(self, **rule: Any) -> Dict[str, Any]:
        """Add a fault rule: fault(match={"kind": "mlflow", "operation": "runs/*"}, error={"status": 503})."""
        answer: Dict[str, Any] = self.control("POST", "/faults", rule)
        return answer

    def clear_faults(self) -> None:
        """Remove all fault rules."""
        self.control("DELETE", "/faults")

    def stub(self, model: str, **stub: Any) -> str:
        """Register a version of a model that answers as told, stub("price", answer=9.99), and give its number."""
        return str(self.control("POST", "/stubs/" + quote(model, safe=""), stub)["version"])

    def calls(self, **query: Any) -> List[Dict[str, Any]]:
        """What was asked and answered: calls(operation="runs/create", method="POST"). The newest come first."""
        answer: List[Dict[str, Any]] = self.control("GET", "/calls" + _query(query))["calls"]
        return answer

    def count(self, **query: Any) -> int:
        """How many calls match: count(operation="runs/create")."""
        return int(self.control("GET", "/calls/count" + _query(query))["count"])

    def keys(self, **query: Any) -> List[str]:
        """The S3 keys, as BUCKET/KEY, of the calls that match."""
        answer: List[str] = self.control("GET", "/calls/keys" + _query(query))["keys"]
        return answer

    def assert_called(self, times: Optional[int] = None, **query: Any) -> None:
        """Fail unless matching calls came: at least one, or exactly times."""
        found = self.count(**query)
        if found == times or (times is None and found > 0):
            return
        wanted = "at least one call" if times is None else "%d calls" % times
        last = "\n".join("  %s %s -> %s" % (c.get("method"), c.get("path"), c.get("status")) for c in self.calls(limit=10))
        raise AssertionError("wanted %s with %r, got %d; the last calls:\n%s" % (wanted, query, found, last or "  none"))


class Namespace(Environment):
    """An independent environment in the process of another one, made at first use."""

    def __init__(self, parent: Environment, name: str) -> None:
        ready = dict(parent.ready)
        ready["tracking_uri"] = "%s/ns/%s" % (parent.tracking_uri, name)
        ready["static_url"] = "%s/ns/%s" % (parent.static_url, name)
        ready["access_key"] = "%s.ns.%s" % (parent.access_key, name)
        super().__init__(ready)
        self.name = name
        self._parent = parent

    def delete(self) -> None:
        """Remove the namespace with all that is in it, if it was ever asked for."""
        from ._process import PrinzboxError

        try:
            self._parent.control("DELETE", "/namespaces/" + self.name)
        except PrinzboxError as error:
            if "status 404" not in str(error):
                raise


def _query(query: Dict[str, Any]) -> str:
    return "?" + urlencode(query, doseq=True) if query else ""
