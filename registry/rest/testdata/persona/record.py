"""Asks a running MLflow server which calls it knows, for TestPersonasKnowTheCallsOfTheirServers.

    python record.py http://127.0.0.1:5000 TABLE > 2.22.5.txt

TABLE has a line "METHOD /path" for each row of the route table and its prefixes (personaRows in persona.go makes the list). A line of the
output is: method, path, and absent (an HTML 404), method (an HTML 405) or served (anything else).
"""

import sys
import urllib.error
import urllib.request


def ask(base, method, path):
    body = b"{}" if method not in ("GET", "DELETE") else None
    request = urllib.request.Request(base + path, data=body, method=method, headers={"Content-Type": "application/json"} if body else {})
    try:
        with urllib.request.urlopen(request, timeout=10):
            return "served"
    except TimeoutError:
        return "served"  # a job, say
    except urllib.error.HTTPError as e:
        text = e.read().decode("utf-8", "replace")
        if e.code == 404 and "<h1>Not Found</h1>" in text:
            return "absent"
        if e.code == 405 and "<h1>Method Not Allowed</h1>" in text:
            return "method"
        return "served"


if __name__ == "__main__":
    base, table = sys.argv[1:]
    for line in open(table):
        method, path = line.split()
        print(method, path, ask(base, method, path.replace("{", "").replace("}", "")))
