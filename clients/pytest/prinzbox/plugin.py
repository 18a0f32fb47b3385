"""The pytest plugin: fixtures prinzbox and mlflow_env."""

import os
import sys
from typing import Any, Generator, Iterator, List, Tuple

import pytest

from ._environment import Namespace
from ._process import Prinzbox

# Settings of the user's shell that would lead a client elsewhere.
_foreign = (
    "MLFLOW_REGISTRY_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD", "MLFLOW_WORKSPACE", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ENDPOINT_URL",
)

# Where MLflow 1.x to 3.x keep what one test leaves to the next.
_globals = (
    ("mlflow.tracking._tracking_service.utils", "_tracking_uri"),
    ("mlflow.tracking._model_registry.utils", "_registry_uri"),
    ("mlflow.tracking.fluent", "_active_experiment_id"),
)


def pytest_addoption(parser: Any) -> None:
    group = parser.getgroup("prinzbox")
    group.addoption("--prinzbox-binary", metavar="FILE", help="the program prinzbox; default is PRINZBOX_BINARY, that of the package, or that on PATH")
    group.addoption("--prinzbox-url", metavar="URL", help="use a prinzbox that is running, as http://127.0.0.1:5000, instead of starting one")


def pytest_configure(config: Any) -> None:
    config.addinivalue_line(
        "markers",
        "prinzbox(seed=True, faults=()): how fixture mlflow_env begins: with the sample models or, with seed=False, empty; with these fault rules",
    )


@pytest.fixture(scope="session")
def prinzbox(request: Any) -> Iterator[Prinzbox]:
    """A prinzbox for the whole session; with pytest-xdist one for each worker. What it logged is shown when it would not stop well."""
    url = request.config.getoption("--prinzbox-url")
    if url:
        yield Prinzbox.connect(url)
        return
    with Prinzbox.start(request.config.getoption("--prinzbox-binary")) as server:
        yield server


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: Any, call: Any) -> Generator[None, Any, None]:
    """A test that failed shows what the server logged meanwhile."""
    outcome = yield
    report = outcome.get_result()
    server, begun = getattr(item, "_prinzbox_log", (None, 0))
    if report.when == "call" and report.failed and server is not None:
        said = server.log[begun:]
        if said:
            report.sections.append(("prinzbox log", said))


@pytest.fixture
def mlflow_env(request: Any, prinzbox: Prinzbox) -> Iterator[Namespace]:
    """An environment of its own for this test: the variables of MLflow's and S3 clients lead there, and MLflow's own state is put back at the end."""
    marker = request.node.get_closest_marker("prinzbox")
    settings = dict(marker.kwargs) if marker else {}
    seed, faults = settings.pop("seed", True), settings.pop("faults", ())
    if settings or (marker and marker.args):
        raise pytest.UsageError("marker prinzbox knows seed=True or False and faults=[rule, ...]")
    request.node._prinzbox_log = (prinzbox, len(prinzbox.log))
    namespace = prinzbox.namespace()
    with pytest.MonkeyPatch.context() as patch:
        for name in _foreign:
            patch.delenv(name, raising=False)
        for name, value in namespace.env().items():
            patch.setenv(name, value)
        for name in ("NO_PROXY", "no_proxy"):  # a proxy of the shell does not reach this machine
            patch.setenv(name, ",".join(filter(None, [os.environ.get(name), "127.0.0.1,localhost"])))
        before = _take_mlflow()
        session = _take_s3()
        try:
            if not seed:
                namespace.reset("empty")
            for rule in faults:
                namespace.fault(**rule)
            yield namespace
        finally:
            try:
                namespace.clear_faults()  # else the end of a run may fail as told
                _end_runs()
            finally:
                _give_s3(session)
                _give_mlflow(before)
                namespace.delete()


def _take_mlflow() -> "List[Tuple[str, str, Any]]":
    """What MLflow, if loaded, has been told so far; then it forgets it."""
    before = []
    for module, name in _globals:
        if hasattr(sys.modules.get(module), name):
            before.append((module, name, getattr(sys.modules[module], name)))
            setattr(sys.modules[module], name, None)
    _forget_mlflow()
    return before


def _give_mlflow(before: "List[Tuple[str, str, Any]]") -> None:
    known = {(module, name): value for module, name, value in before}
    for module, name in _globals:
        if hasattr(sys.modules.get(module), name):  # loaded during the test: it was told nothing before
            setattr(sys.modules[module], name, known.get((module, name)))
    _forget_mlflow()


def _take_s3() -> Any:
    """Clients of S3 keep the keys that they found first, which are another test's. Gives boto3's session of before, if it is loaded."""
    boto3 = sys.modules.get("boto3")
    session = getattr(boto3, "DEFAULT_SESSION", None)
    _give_s3(None)
    return session


def _give_s3(session: Any) -> None:
    boto3 = sys.modules.get("boto3")
    if boto3 is not None:
        boto3.DEFAULT_SESSION = session  # type: ignore[attr-defined]
    cached = getattr(sys.modules.get("mlflow.store.artifact.s3_artifact_repo"), "_cached_get_s3_client", None)
    if hasattr(cached, "cache_clear"):
        cached.cache_clear()  # type: ignore[union-attr]
    files = getattr(sys.modules.get("s3fs"), "S3FileSystem", None)
    if hasattr(files, "clear_instance_cache"):
        files.clear_instance_cache()  # type: ignore[union-attr]


def _end_runs() -> None:
    mlflow = sys.modules.get("mlflow")
    while mlflow is not None and hasattr(mlflow, "active_run") and mlflow.active_run():
        mlflow.end_run()


def _forget_mlflow() -> None:
    """A run's artifacts go where they went when the first was written, and runs of two tests have one id where ids have a seed. Traces go where they
    went when the first was made, unless MLflow (2.14 and later) is told to look again."""
    modules = [sys.modules.get("mlflow.tracking._tracking_service." + name) for name in ("utils", "client")]
    for owner in (modules[0], getattr(modules[1], "TrackingServiceClient", None)):  # the latter is MLflow 1's
        repositories = getattr(owner, "_artifact_repos_cache", None)
        if hasattr(repositories, "clear"):
            repositories.clear()  # type: ignore[union-attr]
    provider = sys.modules.get("mlflow.tracing.provider")
    if hasattr(provider, "reset"):
        provider.reset()  # type: ignore[union-attr]
