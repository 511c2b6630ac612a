"""outrider and the real Envoy beside each other: what a client, the log, the backend and the statistics see of each."""

import random

import pytest

from config_text import cluster, file_log
from envoy_binary import ENVOY
from peers import Client, Hangup, eventually
from processes import BINARY, free_port

needed = pytest.mark.skipif(not ENVOY, reason="there is no Envoy: none in build/venv, no $ENVOY")

LOG = (
    "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %BYTES_RECEIVED% %BYTES_SENT% %PROTOCOL% %REQ(:METHOD)% "
    "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %REQ(:AUTHORITY)% %UPSTREAM_CLUSTER% %UPSTREAM_TRANSPORT_FAILURE_REASON%"
)
VARYING = {"date", "x-request-id", "x-envoy-upstream-service-time"}
FILTERS = ("http.in.api_key_auth.", "http.in.cors.", "http.in.csrf.", "http.in.health_check.", "http_filter_name.")
COUNTED = (
    "http.in.downstream_cx_",
    "http.in.downstream_rq_",
    "cluster.backend.upstream_",
    "cluster.backend.retry",
    *FILTERS,
)


class Side:
    """One of the two proxies, with its own backend and log. `answer` and `serve` are the backend's."""

    def __init__(self, stage, name, answer=None, serve=None, routes=(), clusters=None, log=LOG, flags=(), **hcm):
        self.name = name
        self.backend = stage.backend(answer, serve, name="backend")
        self.log = stage.directory / f"{name}-{free_port()}.log"
        flags = ["--file-flush-interval-msec", "10", *flags]
        if name == "envoy":
            flags += ["--base-id", str(random.randrange(1 << 20)), "-l", "error"]
        self.proxy = stage.proxy(
            *routes,
            clusters=clusters(self.backend) if clusters else [cluster("backend", self.backend)],
            access_log=[file_log(self.log, log)],
            flags=flags,
            options={"binary": ENVOY if name == "envoy" else BINARY},
            **hcm,
        )

    def logged(self):
        return self.log.read_text(errors="replace").splitlines() if self.log.exists() else []

    def wait_logged(self, count):
        eventually(lambda: len(self.logged()) >= count, f"line {count} in the log of {self.name}")

    def exchange(self, data, to):
        """What a client, the log and the backend see of these bytes."""
        lines, requests = len(self.logged()), len(self.backend.requests)
        with Client(self.proxy.port) as client:
            client.send(data)
            try:
                response = client.response(to)
            except Hangup as e:
                return {"hangup": e.read}
        self.wait_logged(lines + 1)
        seen = [
            {"line": r.start_line, "fields": stable(r.fields), "body": r.body} for r in self.backend.requests[requests:]
        ]
        return {
            "line": response.start_line,
            "fields": stable(response.fields),
            "body": response.body,
            "informational": [m.start_line for m in response.informational],
            "log": self.logged()[lines:],
            "backend": seen,
        }

    def exchange_counted(self, data, to):
        """The same, and what has been counted when its connection is closed."""
        before = self.proxy.stats(COUNTED)
        seen = self.exchange(data, to)
        self.proxy.wait_stat("http.in.downstream_cx_active", 0)
        after = self.proxy.stats(COUNTED)
        changed = {n: v - before.get(n, 0) for n, v in after.items() if "_cx_" not in n and "_bytes_" not in n}
        return {**seen, "counted": [f"{n} {v}" for n, v in sorted(changed.items()) if v]}

    def counted(self, talk):
        """What `talk(client)` gives, its lines in the log, and what has been counted when its connection is closed."""
        lines, before = len(self.logged()), self.proxy.stats(COUNTED)
        with Client(self.proxy.port) as client:
            said = talk(client)
            self.wait_logged(lines + 1)
        self.proxy.wait_stat("http.in.downstream_cx_active", 0)
        after = self.proxy.stats(COUNTED)
        changed = {n: v - before.get(n, 0) for n, v in after.items() if v != before.get(n, 0) and "_bytes_" not in n}
        changed = [f"{n} {v}" for n, v in sorted(changed.items())]
        return {"said": said, "log": self.logged()[lines:], "counted": changed}


def both(stage, **options):
    return Side(stage, "outrider", **options), Side(stage, "envoy", **options)


def stable(fields):
    """Without what differs between requests, and without outrider's mark against loops."""
    fields = [(n, v) for n, v in fields if n != "cdn-loop"]
    return sorted((n, "" if n in VARYING and v not in ("mine", "yesterday") else v) for n, v in fields)


def compare(sides, data, to="GET"):
    ours, theirs = (side.exchange(data, to) for side in sides)
    found = different(ours, theirs)
    assert not found, found
    return ours


def compare_whole(sides, data, to="GET"):
    """With what is counted of requests and by filters."""
    ours, theirs = (side.exchange_counted(data, to) for side in sides)
    found = different(ours, theirs)
    assert not found, found


def compare_counted(sides, talk):
    ours, theirs = (side.counted(talk) for side in sides)
    found = different(ours, theirs)
    assert not found, found
    return ours


def different(ours, theirs):
    """What is not alike, as text: outrider's side, then Envoy's."""
    lines = []
    for key in {**ours, **theirs}:
        a, b = (x.get(key) if isinstance(x.get(key), list) else [x.get(key)] for x in (ours, theirs))
        if key == "backend":
            a, b = ([[r["line"], r["body"], *r["fields"]] for r in x] for x in (a, b))
            a, b = sum(a, []), sum(b, [])
        if a != b:
            lines.append(f"{key}: {[x for x in a if x not in b] or a} / {[x for x in b if x not in a] or b}")
    return "\n".join(lines)
