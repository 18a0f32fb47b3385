"""What the scripts share: where the store is, data, and done(), by which a script tells what it has proved."""

import os
import random
import ssl
import urllib.error
import urllib.request

endpoint = os.environ["AWS_ENDPOINT_URL_S3"]
access, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
region = os.environ["AWS_DEFAULT_REGION"]
ca = os.environ.get("AWS_CA_BUNDLE")  # over https only
bucket = os.environ["S3_BUCKET"]  # the script makes it
host = endpoint.split("://")[1]

odd = "d/a b+%é&='.bin"  # a name that needs care
small = b"hello, store"
large = random.Random(7).randbytes((20 << 20) + 7)  # 20 MiB and a bit: parts


def done(*what):
    print(*what, sep="\n", flush=True)


def fetch(url, method="GET", body=None, **headers):
    """The status and body of a plain request, as a browser or curl would send it."""
    context = ssl.create_default_context(cafile=ca) if ca else None
    if body is not None:
        headers.setdefault("Content-Type", "")  # urllib's own would not be the one that Version 2 signed
    request = urllib.request.Request(url, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60, context=context) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()
