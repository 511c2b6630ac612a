"""gRPC over HTTP/1: what the filters of gRPC make of calls, what is counted and logged, and the proxy's own replies."""

import base64

import pytest

from config_text import HTTP_OPTIONS, cluster, http_filter, http_filters, route, typed
from peers import Client, request_bytes
from sides import both, compare, different, needed

pytestmark = needed

LOG = (
    "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %GRPC_STATUS% %GRPC_STATUS_NUMBER% "
    "%TRAILER(grpc-status)% %RESP(grpc-status)% %BYTES_RECEIVED% %BYTES_SENT% %REQ(content-type)% "
    "%FILTER_STATE(envoy.filters.http.grpc_stats)% %FILTER_STATE(envoy.filters.http.grpc_stats:PLAIN)% "
    "%FILTER_STATE(envoy.filters.http.grpc_stats:FIELD:request_message_count)%"
)
GRPC = ("content-type", "application/grpc")
OK = [("grpc-status", "0")]


def message(data=b"abc", flags=0):
    return bytes([flags]) + len(data).to_bytes(4, "big") + data


def chunked(*pieces, trailers=(), status="200 OK", fields=(GRPC,)):
    lines = [f"HTTP/1.1 {status}", *(f"{n}: {v}" for n, v in fields), "transfer-encoding: chunked", "", ""]
    out = "\r\n".join(lines).encode()
    for piece in pieces:
        out += f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
    return out + b"0\r\n" + "".join(f"{n}: {v}\r\n" for n, v in trailers).encode("latin-1") + b"\r\n"


def whole(body=b"", status="200 OK", fields=(GRPC,)):
    lines = [f"HTTP/1.1 {status}", *(f"{n}: {v}" for n, v in fields), f"content-length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


ANSWERS = {
    "good": chunked(message(), message(b""), trailers=OK),
    "message": chunked(message(), trailers=[*OK, ("grpc-message", "all%20well"), ("x-more", "1")]),
    "failed": chunked(message(), trailers=[("grpc-status", "5"), ("grpc-message", "gone")]),
    "alone": whole(fields=[GRPC, ("grpc-status", "7"), ("grpc-message", "no")]),
    "alone-good": whole(fields=[GRPC, *OK]),
    "unknown": chunked(message(), trailers=[("grpc-status", "77")]),
    "no-number": chunked(message(), trailers=[("grpc-status", "abc")]),
    "minus": chunked(message(), trailers=[("grpc-status", "-1")]),
    "silent": chunked(message()),
    "length": whole(message()),
    "html": whole(b"<h1>100% ~bad~\n\xc3\xa9</h1>", "502 Bad Gateway", [("content-type", "text/html")]),
    "html-long": whole(b"x" * 20000, "503 Service Unavailable", [("content-type", "text/html")]),
    "html-good": whole(b"welcome", "200 OK", [("content-type", "text/html")]),
    "html-chunked": chunked(b"wel", b"come", trailers=[("grpc-status", "3")], fields=[("content-type", "text/html")]),
    "empty-error": whole(b"", "404 Not Found", [("content-type", "text/html")]),
    "web": whole(b"already", fields=[("content-type", "application/grpc-web+proto; a=b")]),
    "both": chunked(message(), trailers=[("grpc-status", "13")], fields=[GRPC, *OK]),
    "nothing": chunked(trailers=OK),
    "split": chunked(message(b"a" * 300)[:3], message(b"a" * 300)[3:100], message(b"a" * 300)[100:], trailers=OK),
    "error-503": whole(b"", "503 Service Unavailable", [GRPC]),
    "proto": chunked(message(b"answer"), trailers=OK, fields=[GRPC, ("x-own", "1")]),
    "proto-split": chunked(message(b"answer")[:6], message(b"answer")[6:], trailers=OK),
    "connect": whole(b"{}", fields=[("content-type", "application/json")]),
    "connect-failed": whole(b"{}", "404 Not Found", fields=[("content-type", "application/json")]),
    "connect-stream": chunked(message(), message(b"{}", 2), fields=[("content-type", "application/connect+proto")]),
    "connect-stream-failed": chunked(
        message(), message(b'{"error": {"code": "x"}}', 2), fields=[("content-type", "application/connect+proto")]
    ),
    "connect-stream-odd": chunked(
        message(), message(b'{"error": {}}', 2), fields=[("content-type", "application/connect+proto")]
    ),
    "connect-stream-broken": chunked(
        message(), message(b"no json", 2), fields=[("content-type", "application/connect+proto")]
    ),
    "connect-stream-endless": chunked(message(), fields=[("content-type", "application/connect+proto")]),
    "connect-stream-html": chunked(b"oh", fields=[("content-type", "text/html")], status="500 Internal Server Error"),
}


def answer(request):
    return ANSWERS[request["x-answer"]]


def clusters(backend):
    trailers = {"http_protocol_options": {"enable_trailers": True}}
    options = {HTTP_OPTIONS: typed(HTTP_OPTIONS, explicit_http_config=trailers)}
    return [
        cluster("backend", backend, typed_extension_protocol_options=options),
        cluster("nobody", typed_extension_protocol_options=options),
        cluster("refused", 1, typed_extension_protocol_options=options),
    ]


ROUTES = [
    route("backend", match={"prefix": "/only", "grpc": {}}),
    {"match": {"prefix": "/only"}, "direct_response": {"status": 418, "body": {"inline_string": "no gRPC"}}},
    {"match": {"prefix": "/direct-empty"}, "direct_response": {"status": 503}},
    {
        "match": {"prefix": "/direct"},
        "direct_response": {"status": 403, "body": {"inline_string": "100% ~no~\n\u00e9"}},
    },
    {"match": {"prefix": "/redirect"}, "redirect": {"path_redirect": "/x"}},
    route("nobody", "/nobody"),
    route("refused", "/refused"),
    {"match": {"prefix": "/missing"}, "route": {"cluster_header": "x-to"}},
    route("backend", "/a.B/late", timeout="0.05s"),
    route("backend", "/a.B"),
    route("backend", "/", match={"path": "/x"}),
    route("backend", "/q/"),
    route("backend", "/one"),
    route("backend", "//a.B"),
]


def sides_with(stage, *filters, **more):
    return both(
        stage,
        routes=ROUTES,
        answer=answer,
        clusters=clusters,
        log=LOG,
        http_protocol_options={"enable_trailers": True},
        http_filters=http_filters(*filters),
        **more,
    )


def call(answer="good", path="/a.B/Call", body=message(), fields=(GRPC,), method="POST"):
    return request_bytes(path, method, [("x-answer", answer), *fields], body)


def streamed(*pieces, answer="good", path="/a.B/Call", fields=(GRPC,), trailers=()):
    head = request_bytes(path, "POST", [("x-answer", answer), *fields, ("transfer-encoding", "chunked")])
    chunks = b"".join(f"{len(p):x}\r\n".encode() + p + b"\r\n" for p in pieces)
    return head + chunks + b"0\r\n" + "".join(f"{n}: {v}\r\n" for n, v in trailers).encode() + b"\r\n"


def counts(side):
    stats = side.proxy.ask_admin("/stats?usedonly").body.decode().splitlines()
    return {s for s in stats if ".grpc" in s and "upstream_rq_time" not in s}


def seen(side, data):
    """What the client sees, trailers and all; the log's line; what the backend sees; what is counted of gRPC."""
    before = counts(side)
    found = side.exchange(data, "POST")
    found["grpc"] = sorted(counts(side) - before)
    return found


def alike(sides, data):
    ours, theirs = (seen(side, data) for side in sides)
    found = different(ours, theirs)
    assert not found, found
    return ours


CALLS = {name: call(name) for name in ANSWERS} | {
    "two messages": call(body=message() + message(b"x" * 70)),
    "half a message": call(body=message()[:4]),
    "no body": call(body=b""),
    "with a suffix": call(fields=[("content-type", "application/grpc+json")]),
    "with parameters": call(fields=[("content-type", "application/grpc; a=b")]),
    "another type": call(fields=[("content-type", "application/json")]),
    "streamed": streamed(message()[:2], message()[2:] + message(), b"\0"),
    "trailers of the request": streamed(message(), trailers=[("x-t", "1")]),
    "one piece of a path": call(path="/one"),
    "three pieces of a path": call(path="/a.B/c/d"),
    "a query": call(path="/a.B/Call?x=/y"),
    "more slashes": call(path="//a.B//Call/"),
    "get": call(body=None, method="GET"),
    "no route": call(path="/nowhere", body=b""),
    "direct response": call(path="/direct", body=b""),
    "direct response without a body": call(path="/direct-empty", body=b""),
    "redirect": call(path="/redirect", body=b""),
    "no host": call(path="/nobody/x", body=b""),
    "a refused connection": call(path="/refused/x", body=b""),
    "no cluster": call(path="/missing/x", body=b"", fields=[GRPC, ("x-to", "missing")]),
    "a route for gRPC": call(path="/only/x"),
    "a route for gRPC, but none": call(path="/only/x", body=b"", fields=[("content-type", "application/grpc-web")]),
}


@pytest.fixture(scope="module")
def plain(shared):
    return sides_with(shared)


@pytest.mark.parametrize("name", CALLS)
def test_a_call(plain, name):
    alike(plain, CALLS[name])


@pytest.fixture(scope="module")
def counted(shared):
    return sides_with(
        shared, http_filter("grpc_stats", "FilterConfig", stats_for_all_methods=True, emit_filter_state=True)
    )


CONNECT = [("connect-protocol-version", "1"), ("content-type", "application/proto")]
CONNECT_STREAM = [("content-type", "application/connect+proto")]
COUNTED = CALLS | {
    "a unary call of Connect": call("connect", fields=CONNECT),
    "a unary call of Connect that fails": call("connect-failed", fields=CONNECT),
    "a unary call of Connect, streamed": streamed(b"ab", b"c", answer="connect", fields=CONNECT),
    "a unary call of Connect without a body": call("connect", fields=CONNECT, body=b""),
    "a stream of Connect": call("connect-stream", fields=CONNECT_STREAM),
    "a stream of Connect that fails": call("connect-stream-failed", fields=CONNECT_STREAM),
    "a stream of Connect with an odd end": call("connect-stream-odd", fields=CONNECT_STREAM),
    "a stream of Connect with a broken end": call("connect-stream-broken", fields=CONNECT_STREAM),
    "a stream of Connect without an end": call("connect-stream-endless", fields=CONNECT_STREAM),
    "a stream of Connect that is refused": call("connect-stream-html", fields=CONNECT_STREAM),
}


@pytest.mark.parametrize("name", COUNTED)
def test_a_counted_call(counted, name):
    alike(counted, COUNTED[name])


SETTINGS = {
    "nothing": {},
    "none by name": {"stats_for_all_methods": False},
    "some by name": {
        "individual_method_stats_allowlist": {
            "services": [{"name": "a.B", "method_names": ["Call", "Other"]}, {"name": "c", "method_names": ["d"]}]
        }
    },
    "none of a list": {"individual_method_stats_allowlist": {}},
    "dots": {"stats_for_all_methods": True, "replace_dots_in_grpc_service_name": True},
    "dots of a list": {
        "individual_method_stats_allowlist": {"services": [{"name": "a.B", "method_names": ["Call"]}]},
        "replace_dots_in_grpc_service_name": True,
    },
}


@pytest.mark.parametrize("name", SETTINGS)
def test_what_is_counted(stage, name):
    sides = sides_with(stage, http_filter("grpc_stats", "FilterConfig", **SETTINGS[name]))
    for data in (call(), call(path="/a.B/Foreign"), call("failed", path="/a.B/Other"), call(path="/one")):
        alike(sides, data)


def names_of_times(side):
    stats = side.proxy.ask_admin("/stats?type=Histograms").body.decode().splitlines()
    return sorted(s.split(":")[0] for s in stats if ".grpc." in s)


def test_times_of_hosts(stage):
    settings = {"stats_for_all_methods": True, "enable_upstream_stats": True}
    sides = sides_with(stage, http_filter("grpc_stats", "FilterConfig", **settings))
    for data in (call(), call("alone", path="/a.B/Alone"), call("silent", path="/a.B/Silent")):
        alike(sides, data)
    ours, theirs = (names_of_times(side) for side in sides)
    assert ours == theirs


def test_tags(stage):
    sides = sides_with(stage, http_filter("grpc_stats", "FilterConfig", stats_for_all_methods=True))
    for path in ("/a.B/Call", "/q/Call"):
        alike(sides, call(path=path))
    ours, theirs = (side.proxy.ask_admin("/stats/prometheus?usedonly").body.decode() for side in sides)
    assert sorted(x for x in ours.splitlines() if "_grpc_" in x and not x.startswith("#")) == sorted(
        x for x in theirs.splitlines() if "_grpc_" in x and not x.startswith("#")
    )


@pytest.fixture(scope="module")
def web(shared):
    return sides_with(shared, http_filter("grpc_web", "GrpcWeb"))


def browser(answer="good", path="/a.B/Call", type="application/grpc-web+proto", body=message(), accept=None, **more):
    fields = [("content-type", type), *([("accept", accept)] if accept else [])]
    return call(answer, path, body, fields, **more)


TEXT = "application/grpc-web-text"
CODED = base64.b64encode(message())
WEB = (
    {f"answered with {name}": browser(name) for name in ANSWERS}
    | {f"answered as text with {name}": browser(name, accept=TEXT) for name in ANSWERS}
    | {
        "the short type": browser(type="application/grpc-web"),
        "another type": browser(type="application/grpc-web+json"),
        "parameters": browser(type="application/grpc-web; a=b"),
        "text": browser(type=TEXT, body=CODED, accept=TEXT),
        "text of protobuf": browser(type=TEXT + "+proto", body=CODED, accept=TEXT + "+proto"),
        "text, answered in binary": browser(type=TEXT, body=CODED),
        "text of a bad length": browser(type=TEXT, body=CODED[:-1]),
        "text that is no base64": browser(type=TEXT, body=b"!" + CODED[1:]),
        "text that is no base64, answered as text": browser(type=TEXT, body=b"!" + CODED[1:], accept=TEXT),
        "text without a body": browser(type=TEXT, body=b""),
        "no body": browser(body=b""),
        "get": browser(body=None, method="GET"),
        "text in pieces": streamed(CODED[:3], CODED[3:9], CODED[9:], fields=[("content-type", TEXT)]),
        "an encoding that it accepts": call(
            fields=[("content-type", "application/grpc-web"), ("grpc-accept-encoding", "gzip")]
        ),
        "a te of its own": call(fields=[("content-type", "application/grpc-web"), ("te", "gzip")]),
        "no gRPC-Web": call(),
        "no route": browser(path="/nowhere", body=b""),
        "direct response": browser(path="/direct", body=b""),
        "direct response as text": browser(path="/direct", accept=TEXT, body=b""),
        "direct response without a body": browser(path="/direct-empty", body=b""),
        "redirect": browser(path="/redirect", body=b""),
        "no host": browser(path="/nobody/x", body=b""),
        "a refused connection": browser(path="/refused/x", body=b""),
        "one piece of a path": browser(path="/one"),
        "a late answer": browser("never", path="/a.B/late"),
    }
)
ANSWERS["never"] = None

# Where outrider does otherwise than Envoy, which leaves these clients without an end.
WITHOUT_TRAILERS = {f"answered as text with {name}" for name in ("silent", "length", "web")}  # The body never ends.
STALE_LENGTH = {  # The length is told as it was with the prefix.
    f"protobuf {name}" for name in ("length", "web", "html", "html-long", "html-good", "connect", "connect-failed")
}


@pytest.mark.parametrize("name", [name for name in WEB if name not in WITHOUT_TRAILERS])
def test_a_browser(web, name):
    alike(web, WEB[name])


@pytest.fixture(scope="module")
def bridge(shared):
    return sides_with(shared, http_filter("grpc_http1_bridge", "Config"))


@pytest.fixture(scope="module")
def framing_bridge(shared):
    settings = {"upgrade_protobuf_to_grpc": True, "ignore_query_parameters": True}
    return sides_with(shared, http_filter("grpc_http1_bridge", "Config", **settings))


@pytest.mark.parametrize("name", CALLS)
def test_a_bridged_call(bridge, name):
    alike(bridge, CALLS[name])


PROTOBUF = [("content-type", "application/x-protobuf")]
FRAMED = (
    CALLS
    | {f"protobuf {name}": call(name, body=b"hello", fields=PROTOBUF) for name in ANSWERS if ANSWERS[name]}
    | {
        "protobuf in pieces": streamed(b"he", b"llo", fields=PROTOBUF),
        "protobuf without a body": call(body=b"", fields=PROTOBUF),
        "protobuf with a query": call(path="/a.B/Call?x=1", fields=PROTOBUF),
        "protobuf with parameters": call(fields=[("content-type", "application/x-protobuf; a=b")]),
        "protobuf without a route": call(path="/nowhere", body=b"", fields=PROTOBUF),
        "protobuf to a route for gRPC": call(path="/only/x", fields=PROTOBUF),
        "protobuf to a direct response": call(path="/direct", body=b"", fields=PROTOBUF),
        "protobuf without a host": call(path="/nobody/x", body=b"", fields=PROTOBUF),
    }
)


@pytest.mark.parametrize("name", [name for name in FRAMED if name not in STALE_LENGTH])
def test_a_bridged_call_of_protobuf(framing_bridge, name):
    alike(framing_bridge, FRAMED[name])


def test_text_without_trailers_ends(web):
    for name in sorted(WITHOUT_TRAILERS):
        found = seen(web[0], WEB[name])
        sent = b"already" if name.endswith("web") else message()
        assert (found["line"], base64.b64decode(found["body"])) == ("HTTP/1.1 200 OK", sent)


def test_the_length_is_that_of_the_message(framing_bridge):
    for name in sorted(STALE_LENGTH):
        found = seen(framing_bridge[0], FRAMED[name])
        whole_body = ANSWERS[name.removeprefix("protobuf ")].split(b"\r\n\r\n", 1)[1]
        assert found["body"] == whole_body[5:]
        assert ("content-length", str(len(found["body"]))) in found["fields"]
