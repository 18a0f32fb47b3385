"""One prinzbox process."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from typing import Any, Dict, IO, List, Optional, Sequence
from urllib.parse import urlsplit

from ._environment import Environment


class PrinzboxError(RuntimeError):
    """The program is missing, did not start, or refused what it was asked."""


def find_binary(given: Optional[str] = None) -> str:
    """The program: the one given, that of PRINZBOX_BINARY, that of the wheel, or that on PATH."""
    named = given or os.environ.get("PRINZBOX_BINARY")
    if named:
        if not os.path.isfile(named):
            raise PrinzboxError("%s: there is no such file; --prinzbox-binary and PRINZBOX_BINARY name the program prinzbox" % named)
        return os.path.abspath(named)
    name = "prinzbox.exe" if os.name == "nt" else "prinzbox"
    packaged = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", name)
    if os.path.isfile(packaged):
        return packaged
    # A script of this package on PATH would only lead here again.
    scripts = os.path.dirname(os.path.abspath(sys.executable))
    path = os.pathsep.join(p for p in os.environ.get("PATH", "").split(os.pathsep) if os.path.abspath(p) != scripts)
    found = shutil.which("prinzbox", path=path)
    if found is None:
        raise PrinzboxError("this installation of the package carries no program; name one in PRINZBOX_BINARY")
    return found


class Prinzbox(Environment):
    """A running prinzbox. Use it in a with statement, or call stop."""

    def __init__(self, ready: Dict[str, Any], process: "Optional[subprocess.Popen[str]]" = None, log: "Optional[IO[bytes]]" = None) -> None:
        super().__init__(ready)
        self._process = process
        self._log = log

    @classmethod
    def start(cls, binary: Optional[str] = None, seed: bool = True, arguments: Sequence[str] = (), timeout: float = 60) -> "Prinzbox":
        """Start the program on free ports, with nothing kept, and wait until everything answers."""
        command: List[str] = [find_binary(binary), "serve", "--ephemeral", "--exit-with-stdin", "--host", "127.0.0.1", "--port", "0", "--s3-port", "0", "--static-port", "0"]
        if not seed:
            command.append("--no-seed")
        command.extend(arguments)
        # Settings of another prinzbox in this shell are not for this one.
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PRINZBOX_")}
        log = tempfile.TemporaryFile()
        try:
            # Its standard input ends with this process, also with a killed one.
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environ, universal_newlines=True)
        except OSError as error:
            log.close()
            raise PrinzboxError("%s: %s" % (command[0], error))
        assert process.stdout is not None
        late = threading.Timer(timeout, process.kill)
        late.start()
        line = process.stdout.readline()
        late.cancel()
        try:
            ready = json.loads(line)
        except ValueError:
            process.kill()
            process.wait()
            log.seek(0)
            said = log.read().decode("utf-8", "replace")
            log.close()
            _close(process)
            raise PrinzboxError("%s was not ready within %g s, or ended (exit code %s):\n%s%s" % (" ".join(command), timeout, process.returncode, line, said))
        return cls(ready, process, log)

    @classmethod
    def connect(cls, url: str, access_key: Optional[str] = None, secret_key: Optional[str] = None) -> "Prinzbox":
        """Use a running one. The keys are those of its S3 store; the default is PRINZBOX_ACCESS_KEY and PRINZBOX_SECRET_KEY, or what prinzbox begins with."""
        if urlsplit(url).scheme not in ("http", "https"):
            raise PrinzboxError("%s: give the address of a running prinzbox, as http://127.0.0.1:5000" % url)
        ready: Dict[str, Any] = {"tracking_uri": url.rstrip("/"), "region": "us-east-1"}
        status = Environment(ready).status()
        for field in ("s3_endpoint", "static_url", "bucket", "seeded", "version", "pid"):
            ready[field] = status[field]
        ready["access_key"] = access_key or os.environ.get("PRINZBOX_ACCESS_KEY") or "mlflow-key"
        ready["secret_key"] = secret_key or os.environ.get("PRINZBOX_SECRET_KEY") or "mlflow-secret"
        return cls(ready)

    @property
    def log(self) -> str:
        """What the program has logged so far; empty for one that was running already."""
        if self._log is None:
            return ""
        # Its own offset: the program goes on writing at the end.
        size = os.fstat(self._log.fileno()).st_size
        if hasattr(os, "pread"):
            return os.pread(self._log.fileno(), size, 0).decode("utf-8", "replace")
        self._log.seek(0)
        said = self._log.read().decode("utf-8", "replace")
        self._log.seek(0, os.SEEK_END)
        return said

    def stop(self) -> None:
        """End the program, if it was started here. A second call does nothing."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _close(process)
        if self._log is not None:
            self._log.close()
            self._log = None

    def __enter__(self) -> "Prinzbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _close(process: "subprocess.Popen[str]") -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
