"""Every rule of a route, by what a request sees of it through outrider and through Envoy."""

import pytest

from config_text import cluster, typed, virtual_host
from peers import request_bytes
from sides import Side, compare, needed

pytestmark = needed

TEMPLATE_MATCH = "envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig"
TEMPLATE_REWRITE = "envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig"


def direct(name, **match):
    """A route that tells its name."""
    return {"match": {"prefix": "/", **match}, "direct_response": {"status": 200, "body": {"inline_string": name}}}


def to_backend(prefix, match=None, route=None, **fields):
    return {"match": match or {"prefix": prefix}, "route": {"cluster": "backend", **(route or {})}, **fields}


def header(name, **how):
    return direct(f"{name} {how}", headers=[{"name": name, **how}])


def string(**how):
    return {"string_match": how}


def add(key, value, action=None, **fields):
    option = {"header": {"key": key, "value": value}, **fields}
    return {**option, **({"append_action": action} if action else {})}


def regex(pattern, substitution):
    return {"pattern": {"regex": pattern}, "substitution": substitution}


def template_match(pattern):
    return {
        "path_match_policy": {
            "name": "envoy.path.match.uri_template.uri_template_matcher",
            "typed_config": typed(TEMPLATE_MATCH, path_template=pattern),
        }
    }


def template_rewrite(pattern):
    return {
        "path_rewrite_policy": {
            "name": "envoy.path.rewrite.uri_template.uri_template_rewriter",
            "typed_config": typed(TEMPLATE_REWRITE, path_template_rewrite=pattern),
        }
    }


FIELD_RULES = [
    header("x-exact", **string(exact="a")),
    header("x-case", **string(exact="AbC", ignore_case=True)),
    header("x-prefix", **string(prefix="a")),
    header("x-suffix", **string(suffix="a")),
    header("x-contains", **string(contains="a")),
    header("x-regex", **string(safe_regex={"regex": "[0-9]+"})),
    header("x-old-exact", exact_match="a"),
    header("x-range", range_match={"start": -3, "end": 10}),
    header("x-here", present_match=True),
    header("x-not", invert_match=True, **string(exact="a")),
    header("x-away", present_match=False, invert_match=True),
    header(":method", **string(exact="PUT")),
    header(":authority", **string(suffix=".special")),
    header("x-missing", treat_missing_header_as_empty=True, **string(exact="")),
]
FIELD_REQUESTS = [
    [("x-exact", "a")],
    [("x-exact", "ab")],
    [("x-exact", "a"), ("x-exact", "b")],
    [("x-case", "aBc")],
    [("x-prefix", "ab")],
    [("x-suffix", "ba")],
    [("x-contains", "bab")],
    [("x-regex", "12")],
    [("x-regex", "12a")],
    [("x-old-exact", "a")],
    [("x-range", "-3")],
    [("x-range", "10")],
    [("x-range", "abc")],
    [("x-here", "")],
    [("x-not", "b")],
    [("x-not", "a")],
    [("x-away", "1")],
    [("x-missing", "1")],
    [],
]
QUERY_RULES = [
    direct("exact", query_parameters=[{"name": "a", "string_match": {"exact": "1"}}]),
    direct("present", query_parameters=[{"name": "b", "present_match": True}]),
    direct("absent", query_parameters=[{"name": "g", "present_match": True}, {"name": "h", "present_match": False}]),
    direct("prefix", query_parameters=[{"name": "c", "string_match": {"prefix": "x"}}]),
    direct("regex", query_parameters=[{"name": "d", "string_match": {"safe_regex": {"regex": "[a-z]"}}}]),
    direct(
        "both", query_parameters=[{"name": "e", "present_match": True}, {"name": "f", "string_match": {"exact": ""}}]
    ),
]
QUERIES = [
    "a=1",
    "a=2",
    "a=1&a=2",
    "a=2&a=1",
    "b",
    "b=",
    "bb=1",
    "g",
    "g&h",
    "g&h=1",
    "c=xy",
    "d=a",
    "d=ab",
    "e&f",
    "e&f=1",
    "",
    "a=%31",
]
PATH_RULES = [
    direct("segments", prefix=None, path_separated_prefix="/seg/ment"),
    direct("any case", path=None, prefix="/CaSe", case_sensitive=False),
    direct("template", prefix=None, **template_match("/t/{one}/x/{two=*}/end")),
    direct("template all", prefix=None, **template_match("/all/{rest=**}")),
    direct("template star", prefix=None, **template_match("/star/*/b")),
    direct("grpc", prefix="/grpc", grpc={}),
    direct("regex", prefix=None, safe_regex={"regex": "/re/[^/]+"}),
    direct("never", prefix="/half", runtime_fraction={"default_value": {"numerator": 0}}),
    direct("always", prefix="/half", runtime_fraction={"default_value": {"numerator": 100}}),
]
PATHS = [
    "/seg/ment",
    "/seg/ment/",
    "/seg/ment/x",
    "/seg/ments",
    "/seg/ment?q=1",
    "/case/x",
    "/CASE",
    "/t/1/x/2/end",
    "/t/1/2/x/3/end",
    "/t/1/x/2/end?query",
    "/all/a/b/c",
    "/all/",
    "/all",
    "/star/a/b",
    "/star/a/c/b",
    "/re/a",
    "/re/a/b",
    "/re/a?b/c",
    "/half",
    "/grpc",
]


def without_none(routes):
    return [{**r, "match": {k: v for k, v in r["match"].items() if v is not None}} for r in routes]


REWRITES = [
    to_backend("/p/prefix", route={"prefix_rewrite": "/new"}),
    to_backend("/p/slash/", route={"prefix_rewrite": "/"}),
    to_backend("/p/regex", route={"regex_rewrite": regex("^/p/regex/(.*)/(.*)$", r"/\2/\1")}),
    to_backend(
        "", match=template_match("/p/template/{a}/{b}"), route=template_rewrite("/made/{b}/{a}"), name="by template"
    ),
    to_backend("/h/literal", route={"host_rewrite_literal": "new.example"}),
    to_backend("/h/header", route={"host_rewrite_header": "x-host"}),
    to_backend("/h/path", route={"host_rewrite_path_regex": regex("^/h/path/([^/]+).*$", r"\1")}),
    to_backend("/h/forwarded", route={"host_rewrite_literal": "new.example", "append_x_forwarded_host": True}),
    to_backend("/f/add", request_headers_to_add=[add("x-a", "1"), add("x-b", "%REQ(:path)%")]),
    to_backend("/f/append", request_headers_to_add=[add("x-given", "mine")]),
    to_backend("/f/over", request_headers_to_add=[add("x-given", "mine", "OVERWRITE_IF_EXISTS_OR_ADD")]),
    to_backend("/f/absent", request_headers_to_add=[add("x-given", "mine", "ADD_IF_ABSENT"), add("x-c", "1")]),
    to_backend(
        "/f/exists",
        request_headers_to_add=[
            add("x-given", "mine", "OVERWRITE_IF_EXISTS"),
            add("x-none", "1", "OVERWRITE_IF_EXISTS"),
        ],
    ),
    to_backend("/f/remove", request_headers_to_remove=["x-given", "X-Request-Id"]),
    to_backend("/f/empty", request_headers_to_add=[add("x-e", "%REQ(x-no)%"), add("x-k", "", keep_empty_value=True)]),
    to_backend(
        "/f/formats",
        request_headers_to_add=[
            add("x-one", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %PROTOCOL% %REQ(x-given?:method)% 100%%"),
            add("x-two", "%REQ(x-given):3%"),
        ],
    ),
    to_backend(
        "/f/response",
        response_headers_to_add=[add("x-status", "%RESPONSE_CODE%"), add("x-back", "%RESP(x-upstream)%")],
        response_headers_to_remove=["x-upstream", "server"],
    ),
    to_backend(
        "/f/said",
        response_headers_to_add=[
            add("x-back", "%RESP(x-upstream)% %RESP(content-length)% %RESP(:status)% %RESP(x-none)%"),
            add("x-upstream", "%RESP(x-upstream)% again", "OVERWRITE_IF_EXISTS_OR_ADD"),
            add("x-later", "%RESP(x-upstream)%"),
        ],
    ),
    to_backend(
        "/f/swap",
        request_headers_to_add=[
            add("x-given", "%REQ(x-other)%", "OVERWRITE_IF_EXISTS_OR_ADD"),
            add("x-other", "%REQ(x-given)%", "OVERWRITE_IF_EXISTS_OR_ADD"),
            add("x-new", "1"),
            add("x-new", "2", "ADD_IF_ABSENT"),
            add("x-late", "%REQ(x-gone)%"),
        ],
        request_headers_to_remove=["x-gone"],
    ),
    {
        "match": {"prefix": "/f/direct"},
        "direct_response": {"status": 201},
        "response_headers_to_add": [add("x-direct", "%REQ(:path)%")],
    },
    {
        "match": {"prefix": "/f/redirect"},
        "redirect": {"path_redirect": "/x"},
        "response_headers_to_add": [add("x-redirect", "1")],
    },
    {
        "match": {"prefix": "/f/location"},
        "redirect": {"path_redirect": "/x"},
        "response_headers_to_add": [
            add("location", "/mine", "OVERWRITE_IF_EXISTS_OR_ADD"),
            add("x-location", "%RESP(location)%"),
        ],
    },
    {
        "match": {"prefix": "/f/absent-location"},
        "redirect": {"path_redirect": "/x"},
        "response_headers_to_add": [add("location", "/mine", "ADD_IF_ABSENT")],
    },
    {
        "match": {"prefix": "/f/no-location"},
        "redirect": {"path_redirect": "/x"},
        "response_headers_to_remove": ["location"],
    },
    {
        "match": {"prefix": "/f/created"},
        "direct_response": {"status": 201},
        "response_headers_to_add": [add("x-location", "%RESP(location)%")],
        "response_headers_to_remove": ["location"],
    },
    to_backend(
        "/w/",
        route={
            "cluster": None,
            "weighted_clusters": {
                "clusters": [
                    {
                        "name": "backend",
                        "weight": 100,
                        "request_headers_to_add": [add("x-weighted", "1")],
                        "response_headers_to_add": [add("x-weighted-too", "1")],
                        "host_rewrite_literal": "weighted.example",
                    },
                    {"name": "other", "weight": 0},
                ]
            },
        },
        request_headers_to_add=[add("x-order", "route")],
    ),
    to_backend("/c/", route={"cluster": None, "cluster_header": "x-cluster"}),
    to_backend(
        "/c404", route={"cluster": None, "cluster_header": "x-c", "cluster_not_found_response_code": "NOT_FOUND"}
    ),
    {"match": {"prefix": "/ours"}, "non_forwarding_action": {}},
    to_backend("/"),
]
REWRITTEN = [
    ("/p/prefix/x?q=1", []),
    ("/p/prefix", []),
    ("/p/slash/x", []),
    ("/p/regex/a/b?c", []),
    ("/p/template/1/2?q", []),
    ("/h/literal", []),
    ("/h/header", [("x-host", "from.header")]),
    ("/h/header", []),
    ("/h/path/deep/er?x", []),
    ("/h/forwarded", []),
    ("/h/forwarded", [("x-forwarded-host", "before")]),
    ("/f/add", []),
    ("/f/append", [("x-given", "theirs")]),
    ("/f/over", [("x-given", "theirs"), ("x-given", "again")]),
    ("/f/absent", [("x-given", "theirs")]),
    ("/f/exists", [("x-given", "theirs")]),
    ("/f/remove", [("x-given", "theirs")]),
    ("/f/empty", []),
    ("/f/formats", [("x-given", "abcdef")]),
    ("/f/response", []),
    ("/f/direct?a", []),
    ("/f/redirect", []),
    ("/f/said", []),
    ("/f/swap", [("x-given", "a"), ("x-other", "b"), ("x-gone", "c")]),
    ("/f/location", []),
    ("/f/absent-location", []),
    ("/f/no-location", []),
    ("/f/created", []),
    ("/w/x", []),
    ("/c/x", [("x-cluster", "backend")]),
    ("/c/x", [("x-cluster", "unknown")]),
    ("/c/x", []),
    ("/c404", []),
    ("/ours", []),
    ("/timeout", [("x-envoy-upstream-rq-timeout-ms", "5000")]),
]


def cleaned(routes):
    """Without the members that are None."""
    result = []
    for r in routes:
        if "route" in r:
            r = {**r, "route": {k: v for k, v in r["route"].items() if v is not None}}
        result.append(r)
    return result


def sides_of(stage, *hosts, clusters=None, **hcm):
    config = {"name": "local", "virtual_hosts": list(hosts), **hcm.pop("route_config", {})}
    made = [Side(stage, name, route_config=config, clusters=clusters, **hcm) for name in ("outrider", "envoy")]
    return made


def get(path="/", fields=(), host="a", method="GET"):
    return request_bytes(path, method, fields, host=host)


@pytest.fixture(scope="module")
def by_rule(shared):
    fallback = direct("none")
    return {
        name: sides_of(shared, virtual_host(*without_none(rules), fallback))
        for name, rules in {"field": FIELD_RULES, "query": QUERY_RULES, "path": PATH_RULES}.items()
    }


@pytest.mark.parametrize("fields", FIELD_REQUESTS, ids=str)
def test_fields_choose_the_route(by_rule, fields):
    compare(by_rule["field"], get(fields=fields))


@pytest.mark.parametrize("host, method", [("x.special", "GET"), ("a", "PUT")])
def test_pseudo_headers_choose_the_route(by_rule, host, method):
    compare(by_rule["field"], get(host=host, method=method))


@pytest.mark.parametrize("query", QUERIES)
def test_query_parameters_choose_the_route(by_rule, query):
    compare(by_rule["query"], get("/x?" + query if query else "/x"))


@pytest.mark.parametrize("path", PATHS)
def test_the_path_chooses_the_route(by_rule, path):
    compare(by_rule["path"], get(path))


@pytest.mark.parametrize("kind", ["application/grpc", "application/grpc+proto", "application/grpcx", "text/plain"])
def test_grpc_chooses_the_route(by_rule, kind):
    compare(by_rule["path"], get("/grpc", [("content-type", kind)]))


@pytest.fixture(scope="module")
def rewriting(shared):
    def clusters(backend):
        return [cluster("backend", backend), cluster("other", backend)]

    host = virtual_host(
        *cleaned(REWRITES),
        request_headers_to_add=[add("x-order", "host")],
        response_headers_to_add=[add("x-host", "1")],
        include_request_attempt_count=True,
        include_attempt_count_in_response=True,
    )
    config = {
        "request_headers_to_add": [add("x-order", "all")],
        "response_headers_to_add": [add("x-all", "1")],
        "internal_only_headers": ["x-internal"],
    }
    return sides_of(shared, host, clusters=clusters, route_config=config)


@pytest.mark.parametrize("path, fields", REWRITTEN, ids=str)
def test_a_route_changes_requests_and_responses(rewriting, path, fields):
    compare(rewriting, get(path, [*fields, ("x-internal", "1")]))


TLS = [("ALL", []), ("EXTERNAL_ONLY", []), ("ALL", [("x-forwarded-proto", "https")]), ("NONE", [])]


@pytest.mark.parametrize("wanted, fields", TLS, ids=str)
def test_a_virtual_host_may_want_tls(stage, wanted, fields):
    compare(sides_of(stage, virtual_host(direct("here"), require_tls=wanted)), get("/a?b", fields, host="h:80"))


def test_the_most_specific_fields_may_win(stage):
    def one(name):
        return [add("x-a", name, "OVERWRITE_IF_EXISTS_OR_ADD")]

    for wins in (True, False):
        host = virtual_host(to_backend("/", request_headers_to_add=one("route")), request_headers_to_add=one("host"))
        config = {"most_specific_header_mutations_wins": wins, "request_headers_to_add": one("all")}
        compare(sides_of(stage, host, route_config=config), get())


def test_virtual_clusters_are_counted(stage):
    clusters = [
        {"name": "users", "headers": [{"name": ":path", "string_match": {"prefix": "/users"}}]},
        {"name": "posts", "headers": [{"name": ":method", "string_match": {"exact": "POST"}}]},
    ]
    seen = []
    for side in sides_of(stage, virtual_host(to_backend("/", stat_prefix="all"), virtual_clusters=clusters)):
        for request in (get("/users/1"), get("/x"), get("/users", method="POST"), get("/y", method="POST")):
            side.exchange(request, "GET")
        stats = side.proxy.stats(("vhost.",))
        seen.append({n: v for n, v in stats.items() if v and not n.endswith("_time")})
    assert seen[0] == seen[1]


@pytest.mark.parametrize("ignored", [True, False])
@pytest.mark.parametrize("host", ["a.example", "a.example:80", "a.example:81", "A.Example:81"])
def test_ports_may_be_ignored_in_hosts(stage, ignored, host):
    hosts = [
        virtual_host(direct("named"), domains=["a.example"], name="a"),
        virtual_host(direct("with port"), domains=["a.example:80"], name="b"),
        virtual_host(direct("any"), name="c"),
    ]
    compare(sides_of(stage, *hosts, route_config={"ignore_port_in_host_matching": ignored}), get(host=host))
