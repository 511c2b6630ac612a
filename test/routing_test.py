"""Which route a request takes, and what the route does to it."""

import pytest

from config_text import cluster, route, virtual_host
from peers import ask, response_bytes


def direct(text, prefix="/", status=200, match=None):
    return {
        "match": match or {"prefix": prefix},
        "direct_response": {"status": status, "body": {"inline_string": text}},
    }


def redirect(match=None, **action):
    return {"match": match or {"prefix": "/"}, "redirect": action}


# --- virtual hosts ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hosts(shared):
    domains = [
        ["exact.example", "second.example:8080"],
        ["*.example"],
        ["*-wide.other.example"],
        ["*.other.example"],
        ["pre.*"],
        ["pre.fix.*"],
        ["*"],
    ]
    return shared.proxy(
        virtual_hosts=[virtual_host(direct(d[0]), domains=d, name=f"h{i}") for i, d in enumerate(domains)]
    )


@pytest.mark.parametrize(
    "host, expected",
    [
        ("exact.example", "exact.example"),
        ("EXACT.Example", "exact.example"),
        ("second.example:8080", "exact.example"),
        ("second.example", "*.example"),
        ("any.example", "*.example"),
        ("deep.any.example", "*.example"),
        ("x.other.example", "*.other.example"),
        ("x-wide.other.example", "*-wide.other.example"),
        ("-wide.other.example", "*.other.example"),
        ("pre.a", "pre.*"),
        ("pre.fix.a", "pre.fix.*"),
        ("pre.a.example", "*.example"),
        ("example", "*"),
        ("10.0.0.1", "*"),
        ("[::1]:80", "*"),
    ],
)
def test_the_most_specific_domain_wins(hosts, host, expected):
    assert ask(hosts.port, host=host).body.decode() == expected


def test_a_host_that_nobody_serves_is_answered_with_404(stage):
    proxy = stage.proxy(virtual_hosts=[virtual_host(direct("x"), domains=["only.example"])])
    response = stage.client(proxy).ask(host="other.example")
    assert response.status == 404 and response.body == b""
    assert proxy.stat("http.in.no_route") == 1


def test_thousands_of_virtual_hosts_are_told_apart(stage):
    proxy = stage.proxy(
        virtual_hosts=[
            virtual_host(direct(f"host {i}"), domains=[f"host{i}.example"], name=f"h{i}") for i in range(3000)
        ]
    )
    client = stage.client(proxy)
    for i in (0, 1, 1500, 2999):
        assert client.ask(host=f"host{i}.example").body == b"host %d" % i
    assert client.ask(host="host3000.example").status == 404


# --- paths --------------------------------------------------------------------------------------------------------

PATHS = [
    direct("path", match={"path": "/exact"}),
    direct("anycase", match={"path": "/AnyCase", "case_sensitive": False}),
    direct("regex", match={"safe_regex": {"regex": r"/item/\d+"}}),
    direct("prefix", prefix="/pre"),
    direct("never", prefix="/prefix"),
    direct("loud", match={"prefix": "/LOUD", "case_sensitive": False}),
    direct("root", prefix="/"),
]


@pytest.fixture(scope="module", params=["few routes", "many routes"])
def paths(shared, request):
    """With many routes they are looked up in indexes, and nothing may change by that."""
    more = [direct("filler", prefix=f"/filler{i}/") for i in range(200)] if request.param == "many routes" else []
    return shared.proxy(*more, *PATHS)


@pytest.mark.parametrize(
    "path, expected",
    [
        ("/exact", "path"),
        ("/exact?query=1", "path"),
        ("/exact/", "root"),
        ("/Exact", "root"),
        ("/anycase", "anycase"),
        ("/item/12", "regex"),
        ("/item/12?x", "regex"),
        ("/item/12/x", "root"),
        ("/item/x", "root"),
        ("/pre", "prefix"),
        ("/prefix/x", "prefix"),
        ("/loud/x", "loud"),
        ("/", "root"),
        ("/%70re", "root"),
        ("//pre", "root"),
    ],
)
def test_the_first_route_that_matches_wins(paths, path, expected):
    assert ask(paths.port, path).body.decode() == expected


def test_no_route_is_answered_with_404_and_counted(stage):
    proxy = stage.proxy(direct("x", prefix="/only"))
    client = stage.client(proxy)
    assert client.ask("/other").status == 404
    assert client.ask("/only").status == 200
    assert proxy.stat("http.in.no_route") == 1


# --- answers of the proxy itself ----------------------------------------------------------------------------------


def test_direct_response(stage):
    client = stage.client(stage.proxy(direct("gone away", status=410)))
    response = client.ask()
    assert (response.status, response.body, response["content-type"]) == (410, b"gone away", "text/plain")
    head = client.ask(method="HEAD")
    assert head.status == 410 and head["content-length"] == "9"


REDIRECTS = [
    ({"host_redirect": "new.example"}, "/a?b", (301, "http://new.example/a?b")),
    ({"path_redirect": "/new"}, "/a?b", (301, "http://old.example/new?b")),
    ({"path_redirect": "/new?c"}, "/a?b", (301, "http://old.example/new?c")),
    ({"prefix_rewrite": "/v2/"}, "/a/b?c", (301, "http://old.example/v2/a/b?c")),
    (
        {"regex_rewrite": {"pattern": {"regex": "/(.*)/x"}, "substitution": r"/y/\1"}},
        "/a/x?q",
        (301, "http://old.example/y/a?q"),
    ),
    ({"https_redirect": True}, "/a", (301, "https://old.example/a")),
    ({"scheme_redirect": "ftp"}, "/a", (301, "ftp://old.example/a")),
    ({"port_redirect": 8443, "https_redirect": True}, "/a", (301, "https://old.example:8443/a")),
    ({"strip_query": True, "host_redirect": "n"}, "/a?b", (301, "http://n/a")),
    ({"host_redirect": "n", "response_code": "FOUND"}, "/", (302, "http://n/")),
    ({"host_redirect": "n", "response_code": "SEE_OTHER"}, "/", (303, "http://n/")),
    ({"host_redirect": "n", "response_code": "TEMPORARY_REDIRECT"}, "/", (307, "http://n/")),
    ({"host_redirect": "n", "response_code": "PERMANENT_REDIRECT"}, "/", (308, "http://n/")),
]


@pytest.mark.parametrize("action, path, expected", REDIRECTS)
def test_redirect(stage, action, path, expected):
    response = stage.client(stage.proxy(redirect(**action))).ask(path, host="old.example")
    assert (response.status, response["location"]) == expected and response.body == b""


# --- rewriting ----------------------------------------------------------------------------------------------------


def seen_by(stage, path, match=None, host="asked.example", **action):
    backend = stage.backend()
    proxy = stage.proxy(route("backend", match=match, **action), clusters=[cluster("backend", backend)])
    assert stage.client(proxy).ask(path, host=host).status == 200
    return backend.requests[0]


def test_nothing_is_rewritten_unasked(stage):
    seen = seen_by(stage, "/a%2Fb//c/../d?x=%20&y")
    assert seen.target == "/a%2Fb//c/../d?x=%20&y" and seen["host"] == "asked.example"
    assert "x-envoy-original-path" not in seen.fields


@pytest.mark.parametrize(
    "match, action, path, expected",
    [
        ({"prefix": "/api"}, {"prefix_rewrite": "/v1"}, "/api/users?x=1", "/v1/users?x=1"),
        ({"prefix": "/api/"}, {"prefix_rewrite": "/"}, "/api/users", "/users"),
        ({"path": "/old"}, {"prefix_rewrite": "/new"}, "/old?x=1", "/new?x=1"),
        (
            {"prefix": "/"},
            {"regex_rewrite": {"pattern": {"regex": "^/(\\w+)/(\\w+)"}, "substitution": "/\\2/\\1"}},
            "/one/two/three?q=/one/two",
            "/two/one/three?q=/one/two",
        ),
    ],
)
def test_the_path_is_rewritten_and_the_original_told(stage, match, action, path, expected):
    seen = seen_by(stage, path, match, **action)
    assert seen.target == expected and seen["x-envoy-original-path"] == path


def test_the_host_is_rewritten(stage):
    seen = seen_by(stage, "/", host_rewrite_literal="myapp")
    assert seen["host"] == "myapp" and seen["x-envoy-original-host"] == "asked.example"


# --- time-outs ----------------------------------------------------------------------------------------------------


def silent(stage, **action):
    backend = stage.backend(serve=lambda stream: stream.rest())
    return stage.proxy(route("backend", **action), clusters=[cluster("backend", backend)])


def test_a_backend_that_is_silent_past_the_timeout_is_answered_with_504(stage):
    proxy = silent(stage, timeout="0.1s")
    client = stage.client(proxy)
    for _ in range(2):
        response = client.ask()
        assert response.status == 504 and response.body == b"upstream request timeout"
    assert proxy.stat("cluster.backend.upstream_rq_timeout") == 2
    proxy.wait_stat("cluster.backend.upstream_cx_active", 0)


def test_the_timeout_covers_the_whole_response(stage):
    def serve(stream):
        stream.request()
        stream.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        stream.rest()

    backend = stage.backend(serve=serve)
    proxy = stage.proxy(route("backend", timeout="1s"), clusters=[cluster("backend", backend)])
    client = stage.client(proxy)
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.head().status == 200
    assert client.rest() == b"half"


@pytest.mark.parametrize("timeout, expected", [("30s", "30000"), (None, "15000"), ("0s", None)])
def test_the_backend_is_told_how_long_it_may_take(stage, timeout, expected):
    assert (
        seen_by(stage, "/", **({"timeout": timeout} if timeout else {}))["x-envoy-expected-rq-timeout-ms"] == expected
    )


def test_timeout_zero_is_none(stage):
    """It waits longer than the other route's time-out, and is then answered."""

    def answer(request):
        if request.target == "/patient":
            assert ask(other.port).status == 504
        return response_bytes(body=b"late")

    other = silent(stage, timeout="0.3s")
    proxy = stage.proxy(route("backend", timeout="0s"), clusters=[cluster("backend", stage.backend(answer))])
    assert stage.client(proxy).ask("/patient").body == b"late"


def test_the_idle_timeout_of_a_route_ends_a_request_without_progress(stage):
    response = stage.client(silent(stage, timeout="0s", idle_timeout="0.1s")).ask()
    assert response.status == 504 and response.body == b"stream timeout"


def test_a_request_that_is_not_finished_in_time_is_answered_with_408(stage):
    proxy = stage.proxy(stage.backend(), request_timeout="0.1s")
    client = stage.client(proxy).send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf")
    response = client.response()
    assert response.status == 408 and response.body == b"request timeout"
    assert proxy.stat("http.in.downstream_rq_timeout") == 1


def test_a_head_that_is_not_finished_in_time_is_answered_with_408(stage):
    client = stage.client(stage.proxy(stage.backend(), request_headers_timeout="0.1s")).send("GET / HTT")
    assert client.response().status == 408


def test_an_idle_connection_is_closed(stage):
    proxy = stage.proxy(stage.backend(), common_http_protocol_options={"idle_timeout": "1s"}, drain_timeout="0.1s")
    client = stage.client(proxy)
    assert client.ask().status == 200
    assert client.at_end()
    assert proxy.stat("http.in.downstream_cx_idle_timeout") == 1


def test_a_connection_is_closed_after_its_last_allowed_request(stage):
    proxy = stage.proxy(stage.backend(), common_http_protocol_options={"max_requests_per_connection": 3})
    client = stage.client(proxy)
    assert [client.ask()["connection"] for _ in range(3)] == [None, None, "close"]
    assert client.at_end()
    assert proxy.stat("http.in.downstream_cx_max_requests_reached") == 1
