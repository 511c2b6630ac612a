"""The same requests through outrider and the real Envoy: status line, fields, body, access log, what the backend saw.

Envoy is taken from $ENVOY, or from the python package `envoy`; without it these tests are skipped.
"""

import os
import random
import re
import shutil
import subprocess

import pytest

from config_text import cluster, file_log, route
from peers import Client, Hangup, eventually, request_bytes, response_bytes
from processes import BINARY, free_port

FIND = "import envoy, os; print(os.path.join(os.path.dirname(envoy.__file__), '_bin', 'envoy'))"


def find_envoy():
    if "ENVOY" in os.environ:
        return os.environ["ENVOY"]
    python = shutil.which("python3")
    found = python and subprocess.run([python, "-c", FIND], capture_output=True, text=True, cwd="/")
    return found.stdout.strip() if found and found.returncode == 0 else None


ENVOY = find_envoy()
pytestmark = pytest.mark.skipif(not ENVOY, reason="there is no Envoy: no $ENVOY, no python package `envoy`")

LOG = (
    "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %BYTES_RECEIVED% %BYTES_SENT% %PROTOCOL% %REQ(:METHOD)% "
    "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %REQ(:AUTHORITY)% %UPSTREAM_CLUSTER% %UPSTREAM_TRANSPORT_FAILURE_REASON%"
)
SENT_FOR = ["10.1.2.3", "10.9.9.9"]
VARYING = {"date", "x-request-id", "x-envoy-upstream-service-time"}


def answer(request):
    special = {
        "/204": response_bytes("204 No Content", length=False),
        "/304": response_bytes("304 Not Modified", [("ETag", '"a"')], length=False),
        "/chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
        "/server": response_bytes(
            fields=[("Server", "mine"), ("Date", "yesterday"), ("X-Many", "1"), ("X-Many", "2")], body=b"x"
        ),
        "/hop": response_bytes(
            fields=[("Connection", "close, x-hop"), ("X-Hop", "1"), ("Keep-Alive", "timeout=1")], body=b"x"
        ),
        "/hints": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + response_bytes(body=b"x"),
        "/broken": b"nonsense\r\n\r\n",
        "/503": response_bytes("503 Service Unavailable", body=b"mine"),
    }
    if request.target == "/die":
        return None
    if request.target == "/silent":
        request.stream.rest()
        return None
    return special.get(request.target, response_bytes(body=b"backend"))


def redirect(prefix, **action):
    return {"match": {"prefix": prefix}, "redirect": action}


def regex(pattern, substitution):
    return {"pattern": {"regex": pattern}, "substitution": substitution}


ROUTES = [
    redirect("/r/host", host_redirect="new.example"),
    redirect("/r/hostport", host_redirect="new.example:81", port_redirect=82),
    redirect("/r/port", port_redirect=8443),
    redirect("/r/path", path_redirect="/new"),
    redirect("/r/query", path_redirect="/new?c=d"),
    redirect("/r/prefix", prefix_rewrite="/v2"),
    redirect("/r/regex", regex_rewrite=regex("^/r/regex/(.*)$", r"/moved/\1")),
    redirect("/r/tls", https_redirect=True),
    redirect("/r/tlsport", https_redirect=True, port_redirect=8443),
    redirect("/r/scheme", scheme_redirect="ftp"),
    redirect("/r/strip", host_redirect="n", strip_query=True),
    redirect("/r/stripath", path_redirect="/p", strip_query=True),
    redirect("/r/302", host_redirect="n", response_code="FOUND"),
    redirect("/r/303", host_redirect="n", response_code="SEE_OTHER"),
    redirect("/r/307", host_redirect="n", response_code="TEMPORARY_REDIRECT"),
    redirect("/r/308", host_redirect="n", response_code="PERMANENT_REDIRECT"),
    {"match": {"prefix": "/direct"}, "direct_response": {"status": 418, "body": {"inline_string": "tea"}}},
    {"match": {"prefix": "/bare"}, "direct_response": {"status": 204}},
    route("backend", "/w/prefix/", prefix_rewrite="/"),
    route("backend", "/w/same", prefix_rewrite="/w/same"),
    route("backend", match={"path": "/w/path"}, prefix_rewrite="/exact"),
    route("backend", "/w/regex", regex_rewrite=regex("^/w/regex/([a-z]+)/([a-z]+)", r"/\2/\1")),
    route("backend", "/w/host", host_rewrite_literal="myapp"),
    route("backend", "/w/samehost", host_rewrite_literal="test.example"),
    route("dead", "/uf"),
    route("empty", "/uh"),
    route("full", "/uo"),
    route("backend", "/silent", timeout="0.2s"),
    route("backend", "/t/zero", timeout="0s"),
    route("backend", "/t/30", timeout="30s"),
    route("backend", "/ws", upgrade_configs=[{"upgrade_type": "websocket"}]),
    *[
        route("backend", match={"path": p})
        for p in ("/", "/204", "/304", "/chunked", "/server", "/hop", "/hints", "/broken", "/503", "/die", "/echo")
    ],
]


class Side:
    """One of the two proxies, with its own backend and log."""

    def __init__(self, stage, name, binary, **hcm):
        self.name = name
        self.backend = stage.backend(answer, name="backend")
        self.log = stage.directory / f"{name}-{free_port()}.log"
        flags = ["--file-flush-interval-msec", "10"]
        if binary == ENVOY:
            flags += ["--base-id", str(random.randrange(1 << 20)), "-l", "error"]
        full = cluster("full", self.backend, circuit_breakers={"thresholds": [{"max_requests": 0}]})
        self.proxy = stage.proxy(
            *ROUTES,
            clusters=[cluster("backend", self.backend), cluster("dead", 1), cluster("empty"), full],
            access_log=[file_log(self.log, LOG)],
            flags=flags,
            options={"binary": binary},
            **hcm,
        )

    def logged(self):
        return self.log.read_text().splitlines() if self.log.exists() else []

    def exchange(self, data, to):
        """What a client, the log and the backend see of these bytes."""
        lines, requests = len(self.logged()), len(self.backend.requests)
        with Client(self.proxy.port) as client:
            client.send(data)
            try:
                response = client.response(to)
            except Hangup as e:
                return {"hangup": e.read}
        eventually(lambda: len(self.logged()) > lines, f"a line in the log of {self.name}")
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


def stable(fields):
    """Without what differs between requests. Envoy tells its machine's address where a client has 127.0.0.1."""

    def value(name, text):
        if name == "x-forwarded-for":
            return ",".join("" if x not in SENT_FOR else x for x in re.split(", *", text))
        return "" if name in VARYING and text != "mine" else text

    return sorted((n, value(n, v)) for n, v in fields)


@pytest.fixture(scope="module")
def sides(shared):
    return Side(shared, "outrider", BINARY), Side(shared, "envoy", ENVOY)


def compare(sides, data, to="GET"):
    ours, theirs = (side.exchange(data, to) for side in sides)
    assert not different(ours, theirs)


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


GETS = [
    "/",
    "/nothing",
    "/204",
    "/304",
    "/chunked",
    "/server",
    "/503",
    "/broken",
    "/die",
    "/silent",
    "/uf",
    "/uh",
    "/uo",
    "/direct",
    "/bare",
    "/w/prefix/a?b",
    "/w/same/x",
    "/w/path",
    "/w/path?x=/w/path",
    "/w/regex/one/two/three?q",
    "/w/host",
    "/w/samehost",
    "/t/zero",
    "/t/30",
    "/ws",
    "/?query",
    "/%2e%2e/x",
    "/a/../204",
    "//204",
    *[
        f"/r/{kind}{rest}"
        for kind in (
            "host",
            "hostport",
            "port",
            "path",
            "query",
            "prefix",
            "regex",
            "tls",
            "tlsport",
            "scheme",
            "strip",
            "stripath",
            "302",
            "303",
            "307",
            "308",
        )
        for rest in ("", "/deep?a=b")
    ],
]


@pytest.mark.parametrize("path", GETS)
def test_get(sides, path):
    compare(sides, request_bytes(path))


@pytest.mark.parametrize("path", ["/", "/direct", "/uf", "/204"])
def test_head(sides, path):
    compare(sides, request_bytes(path, "HEAD"), "HEAD")


@pytest.mark.parametrize("host", ["test.example:80", "TEST.example", "test.example:443", "[::1]:80", "a.b.c"])
@pytest.mark.parametrize("path", ["/r/port", "/r/tls", "/r/tlsport", "/r/path", "/"])
def test_hosts_with_ports(sides, host, path):
    compare(sides, request_bytes(path, host=host))


OTHERS = {
    "POST with a body": request_bytes("/echo", "POST", body=b"12345"),
    "POST without a body": b"POST /echo HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST in chunks": b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "PUT": request_bytes("/echo", "PUT", body=b""),
    "DELETE": request_bytes("/echo", "DELETE"),
    "PATCH": request_bytes("/echo", "PATCH", body=b"p"),
    "OPTIONS": request_bytes("/echo", "OPTIONS"),
    "TRACE": request_bytes("/echo", "TRACE"),
    "an upgrade to h2c": request_bytes(
        "/", fields=[("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "x")]
    ),
    "connection close": request_bytes("/", fields=[("Connection", "close")]),
    "proxy-connection": request_bytes("/", fields=[("Proxy-Connection", "keep-alive")]),
    "hop-by-hop": request_bytes("/", fields=[("Connection", "x-a"), ("X-A", "1"), ("Keep-Alive", "1"), ("TE", "gzip")]),
    "te trailers": request_bytes("/", fields=[("TE", "trailers")]),
    "repeated fields": request_bytes(
        "/", fields=[("X-A", "1"), ("X-B", "2"), ("x-a", "3"), ("Cookie", "a=1"), ("Cookie", "b=2")]
    ),
    "empty values": request_bytes("/", fields=[("X-A", ""), ("X-B", "  padded\t ")]),
    "HTTP/1.0": b"GET / HTTP/1.0\r\n\r\n",
    "HTTP/1.0 with host": b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
    "an absolute target": b"GET http://other.example/echo?x HTTP/1.1\r\nHost: ignored\r\n\r\n",
    "an absolute target without path": b"GET http://other.example HTTP/1.1\r\nHost: ignored\r\n\r\n",
    "an absolute target with https": b"GET https://other.example/ HTTP/1.1\r\nHost: ignored\r\n\r\n",
    "OPTIONS *": b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT": b"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
    "too large a head": request_bytes("/", fields=[("X-Big", "a" * 70_000)]),
    "too many fields": request_bytes("/", fields=[(f"X-{i}", "1") for i in range(101)]),
    "forwarded fields": request_bytes(
        "/",
        fields=[
            ("X-Forwarded-For", "10.1.2.3, 10.9.9.9"),
            ("X-Forwarded-Proto", "https"),
            ("X-Request-Id", "mine"),
            ("X-Envoy-Internal", "true"),
            ("X-Forwarded-Host", "h"),
            ("X-Envoy-External-Address", "1.2.3.4"),
        ],
    ),
    "envoy's own request fields": request_bytes(
        "/",
        fields=[
            ("X-Envoy-Expected-Rq-Timeout-Ms", "1"),
            ("X-Envoy-Original-Path", "/o"),
            ("X-Envoy-Upstream-Rq-Timeout-Ms", "5000"),
            ("X-Envoy-Max-Retries", "1"),
        ],
    ),
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "a version of the future": b"GET / HTTP/1.2\r\nHost: a\r\n\r\n",
    "a strange method": b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a broken request line": b"nonsense\r\n\r\n",
    "a blank before the colon": b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "a line without colon": b"GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n",
    "a value with a NUL": b"GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
    "length and chunked": (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "two lengths": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "a bad length": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5x\r\n\r\n",
    "an unknown coding": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
    "a bad chunk": b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a host with a path": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_requests(sides, name):
    compare(sides, OTHERS[name])


def test_expect_continue(sides):
    def talk(side):
        with Client(side.proxy.port) as client:
            client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
            first = client.head()
            client.send(b"abc")
            response = client.response()
            return first.head, response.start_line, stable(response.fields), stable(side.backend.requests[-1].fields)

    assert talk(sides[0]) == talk(sides[1])


# --- where outrider differs on purpose ----------------------------------------------------------------------------

# Requests that Envoy takes and outrider refuses, because RFC 9112 says so.
STRICTER = {
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "a folded line": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    "a bare CR": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
    "LF alone": b"GET / HTTP/1.1\r\nHost: a\nX: a\r\n\r\n",
    "two blanks": b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize("name", STRICTER)
def test_outrider_is_stricter(sides, name):
    ours, theirs = (side.exchange(STRICTER[name], "GET") for side in sides)
    assert ours["line"] == "HTTP/1.1 400 Bad Request" and ours["backend"] == []
    assert theirs["line"] == "HTTP/1.1 200 OK"


# Where the answer differs, and what is different then.
OTHERWISE = {
    # RFC 9110 section 7.6.1: fields that Connection names end here, in responses as in requests.
    "a response with hop-by-hop fields": (request_bytes("/hop"), {"fields"}),
    # RFC 9110 section 15.2: interim responses are forwarded.
    "early hints": (request_bytes("/hints"), {"informational"}),
    # No framing is told of a body that a GET would have had in chunks, or not at all.
    "HEAD of chunks": (request_bytes("/chunked", "HEAD"), {"fields"}),
    "HEAD of no body": (request_bytes("/nothing", "HEAD"), {"fields"}),
    "HEAD of a redirect": (request_bytes("/r/host", "HEAD"), {"fields"}),
    # A body that is here already is read, and the connection goes on.
    "POST to a redirect": (request_bytes("/r/host", "POST", body=b"12345"), {"fields", "log"}),
    "POST to a direct response": (request_bytes("/direct", "POST", body=b"12345"), {"fields", "log"}),
    "an upgrade that is not allowed": (
        request_bytes("/", fields=[("Connection", "upgrade"), ("Upgrade", "websocket")]),
        {"fields"},
    ),
    # The answer of a backend that declines goes to the client as it is; Envoy takes its body away.
    "an upgrade that the backend declines": (
        request_bytes("/ws", fields=[("Connection", "Upgrade"), ("Upgrade", "websocket")]),
        {"fields", "body", "log"},
    ),
    # `-` in the log for what is empty, and nothing at all of heads that are refused.
    "an empty host": (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", {"log"}),
    "a fragment": (b"GET /#fragment HTTP/1.1\r\nHost: a\r\n\r\n", {"log"}),
}


@pytest.mark.parametrize("name", OTHERWISE)
def test_differs_in_no_more_than_this(sides, name):
    data, parts = OTHERWISE[name]
    ours, theirs = (side.exchange(data, "HEAD" if data.startswith(b"HEAD") else "GET") for side in sides)
    assert {key for key in ours if ours[key] != theirs[key]} == parts, different(ours, theirs)


SETTINGS = {
    "use_remote_address": {"use_remote_address": True},
    "no request id": {"generate_request_id": False},
    "server name": {"server_name": "us"},
    "server appended": {"server_header_transformation": "APPEND_IF_ABSENT"},
    "server passed": {"server_header_transformation": "PASS_THROUGH"},
    "http 1.0": {"http_protocol_options": {"accept_http_10": True, "default_host_for_http_10": "fallback"}},
    "small heads": {"max_request_headers_kb": 1},
    "few fields": {"common_http_protocol_options": {"max_headers_count": 10}},
    "one request": {"common_http_protocol_options": {"max_requests_per_connection": 1}},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings(stage, name):
    pair = Side(stage, "outrider", BINARY, **SETTINGS[name]), Side(stage, "envoy", ENVOY, **SETTINGS[name])
    for request in ("forwarded fields", "HTTP/1.0", "HTTP/1.0 with host", "repeated fields", "connection close"):
        compare(pair, OTHERS[request])
    for path in ("/server", "/direct", "/", "/uf"):
        compare(pair, request_bytes(path))
    compare(pair, request_bytes("/", fields=[("X-Big", "a" * 2000)]))
    compare(pair, request_bytes("/", fields=[(f"X-{i}", "1") for i in range(12)]))
