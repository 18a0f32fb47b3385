"""Start prinzbox, a whole MLflow environment in one process, from Python. The pytest plugin is in prinzbox.plugin."""

from ._process import Prinzbox, PrinzboxError, find_binary
from ._environment import Environment

__all__ = ["Environment", "Prinzbox", "PrinzboxError", "find_binary"]
