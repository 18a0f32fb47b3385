"""Runs a command-line client that stands beside this Python."""

import os
import subprocess
import sys


def command(name, *args, expect=0, **env):
    program = os.path.join(os.path.dirname(sys.executable), name)
    run = subprocess.run([program, *args], capture_output=True, env={**os.environ, **env}, timeout=120)
    assert (run.returncode == 0) == (expect == 0), f"{name} {' '.join(args)}: {run.returncode}\n{run.stdout.decode()}\n{run.stderr.decode()}"
    return (run.stdout + (run.stderr if expect else b"")).decode()
