"""Make the wheel of one platform: python build_wheel.py --binary FILE --platform linux-amd64 --version 0.1.0 --out DIR

It prints the wheel's path. The same program and version always give the same bytes. Python 3.8 and later, nothing else.
"""

import argparse
import base64
import hashlib
import os
import sys
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))

# The program is static: it needs no libc, so one Linux wheel is for glibc of any age and for musl.
PLATFORMS = {
    "linux-amd64": ["manylinux_2_5_x86_64", "manylinux1_x86_64", "musllinux_1_1_x86_64"],
    "linux-arm64": ["manylinux_2_17_aarch64", "manylinux2014_aarch64", "musllinux_1_1_aarch64"],
    "darwin-amd64": ["macosx_12_0_x86_64"],
    "darwin-arm64": ["macosx_12_0_arm64"],
    "windows-amd64": ["win_amd64"],
    "windows-arm64": ["win_arm64"],
}

METADATA = """\
Metadata-Version: 2.1
Name: prinzbox
Version: {version}
Summary: A whole MLflow environment in one process, for tests, with fixtures for pytest
Home-page: https://github.com/prinzbox/prinzbox
License: Apache-2.0
Requires-Python: >=3.8
Classifier: Framework :: Pytest
Classifier: License :: OSI Approved :: Apache Software License
Classifier: Typing :: Typed
Requires-Dist: pytest>=6.2; extra == 'pytest'
Provides-Extra: pytest
Description-Content-Type: text/markdown

{readme}"""

ENTRY_POINTS = """\
[console_scripts]
prinzbox = prinzbox.__main__:main

[pytest11]
prinzbox = prinzbox.plugin
"""


def build(binary: str, platform: str, version: str, out: str) -> str:
    tags = PLATFORMS[platform]
    dist_info = "prinzbox-%s.dist-info" % version
    files = {}
    for name in sorted(os.listdir(os.path.join(HERE, "prinzbox"))):
        if name.endswith(".py") or name == "py.typed":
            files["prinzbox/" + name] = read(os.path.join(HERE, "prinzbox", name))
    program = "prinzbox/bin/prinzbox" + (".exe" if platform.startswith("windows") else "")
    files[program] = read(binary)
    readme = read(os.path.join(HERE, "README.md")).decode()
    files[dist_info + "/METADATA"] = METADATA.format(version=version, readme=readme).encode()
    wheel = ["Wheel-Version: 1.0", "Generator: prinzbox", "Root-Is-Purelib: false"] + ["Tag: py3-none-" + tag for tag in tags]
    files[dist_info + "/WHEEL"] = ("\n".join(wheel) + "\n").encode()
    files[dist_info + "/entry_points.txt"] = ENTRY_POINTS.encode()
    files[dist_info + "/LICENSE"] = read(os.path.join(HERE, "..", "..", "LICENSE"))
    record = "".join("%s,sha256=%s,%d\n" % (name, digest(data), len(data)) for name, data in files.items())
    files[dist_info + "/RECORD"] = (record + dist_info + "/RECORD,,\n").encode()

    path = os.path.join(out, "prinzbox-%s-py3-none-%s.whl" % (version, ".".join(tags)))
    os.makedirs(out, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)  # its time is 1980, always
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = (0o100755 if name == program else 0o100644) << 16
            archive.writestr(entry, data)
    return path


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, help="the program, made by CGO_ENABLED=0 GOOS=... GOARCH=... go build -trimpath")
    parser.add_argument("--platform", required=True, choices=sorted(PLATFORMS))
    parser.add_argument("--version", required=True, help="as 0.1.0")
    parser.add_argument("--out", default="dist")
    given = parser.parse_args()
    if not os.path.isfile(given.binary):
        sys.exit("--binary %s: there is no such file" % given.binary)
    print(build(given.binary, given.platform, given.version, given.out))


if __name__ == "__main__":
    main()
