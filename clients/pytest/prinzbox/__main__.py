"""The command prinzbox: it becomes the program that the wheel carries."""

import os
import subprocess
import sys

from ._process import PrinzboxError, find_binary


def main() -> int:
    try:
        binary = find_binary()
    except PrinzboxError as error:
        print("prinzbox: %s" % error, file=sys.stderr)
        return 1
    arguments = [binary] + sys.argv[1:]
    if os.name != "nt":
        os.execv(binary, arguments)  # the same process: signals and exit codes are the program's
    try:
        return subprocess.call(arguments)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
