"""Fields, trailers and parameters that are changed on the way."""

import pytest

from config_text import http1_cluster, http_filter, http_filters, per_filter, route, typed, virtual_host
from peers import Client, request_bytes, response_bytes
from sides import both, compare, different, needed, stable

pytestmark = needed


def append(name, value, action="APPEND_IF_EXISTS_OR_ADD"):
    return {"append": {"header": {"key": name, "value": value}, "append_action": action}}


def parameter(name, value, action="APPEND_IF_EXISTS_OR_ADD"):
    return {"append": {"record": {"key": name, "value": value}, "action": action}}


# --- Parameters ---------------------------------------------------------------------------------------------------

QUERY = [
    parameter("n", "1 %REQ(x)%"),
    parameter("b", "new", "ADD_IF_ABSENT"),
    parameter("o", "over", "OVERWRITE_IF_EXISTS"),
    parameter("oo", "%REQ(missing)%", "OVERWRITE_IF_EXISTS_OR_ADD"),
    {"remove": "r"},
]
PATHS = ["/", "/?", "/?b=1&o=0&r=2&z=2&Z=1&o=5&a", "/?n=1&n=2&oo=1&oo=2", "/?&&", "/p?r=1"]


@pytest.fixture(scope="module")
def with_query(shared):
    changes = http_filter("header_mutation", "HeaderMutation", mutations={"query_parameter_mutations": QUERY})
    return both(shared, routes=[route("backend")], http_filters=http_filters(changes))


@pytest.mark.parametrize("path", PATHS)
def test_parameters(with_query, path):
    compare(with_query, request_bytes(path, fields=[("x", "aZ09-_.~!*'();:@&=+$,/?%#[]\"<>\\^`{|}")]))


# --- Fields and trailers, of all scopes ---------------------------------------------------------------------------


def changes(name):
    return {
        "request_mutations": [append("x-list", name), append("x-who", name, "OVERWRITE_IF_EXISTS_OR_ADD")],
        "response_mutations": [
            append("x-list", f"{name} %REQ(:path)% %RESP(x-r)%"),
            append("x-who", name, "OVERWRITE_IF_EXISTS_OR_ADD"),
            {"remove": "x-gone"},
        ],
        "request_trailers_mutations": [append("x-tr", name + " %REQ(:path)%"), {"remove": "x-gone"}],
        "response_trailers_mutations": [append("x-tr", name + " %REQ(:path)% %RESP(x-r)% %RESPONSE_CODE%")],
    }


def said(name):
    return per_filter("header_mutation", "HeaderMutationPerRoute", mutations=changes(name))


def wrapped(**fields):
    return {
        "typed_per_filter_config": {
            "envoy.filters.http.header_mutation": typed("envoy.config.route.v3.FilterConfig", **fields)
        }
    }


HOST = virtual_host(
    {**route("backend", "/route"), **said("route")},
    {**route("backend", "/off"), **wrapped(disabled=True)},
    {
        **route("backend", "/wrapped"),
        **wrapped(
            config=typed(
                "envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute", mutations=changes("inside")
            )
        ),
    },
    {"match": {"prefix": "/direct"}, "direct_response": {"status": 200, "body": {"inline_string": "x"}}},
    {
        "match": {"prefix": "/weighted"},
        "route": {"weighted_clusters": {"clusters": [{"name": "backend", "weight": 1, **said("cluster")}]}},
        **said("weighted"),
    },
    route("backend", "/host"),
    **said("host"),
)
TRAILERS = {"enable_trailers": True}


def answer(request):
    if request.method == "POST":
        head = b"HTTP/1.1 200 OK\r\nx-r: rr\r\nx-gone: 1\r\ntransfer-encoding: chunked\r\n\r\n"
        return head + b"1\r\nq\r\n0\r\nx-t: up\r\nx-gone: 1\r\n\r\n"
    return response_bytes(fields=[("x-r", "rr"), ("x-gone", "1")], body=b"x")


@pytest.fixture(scope="module", params=[False, True], ids=["the widest wins", "the most specific wins"])
def scopes(request, shared):
    changed = http_filter(
        "header_mutation",
        "HeaderMutation",
        most_specific_header_mutations_wins=request.param,
        mutations=changes("filter"),
    )
    return both(
        shared,
        http_filters=http_filters(changed),
        route_config={"name": "local", "virtual_hosts": [HOST], **said("all")},
        clusters=lambda backend: [http1_cluster("backend", backend, http1=TRAILERS)],
        http_protocol_options=TRAILERS,
        answer=answer,
    )


@pytest.mark.parametrize("path", ["/route", "/host", "/off", "/wrapped", "/direct", "/weighted", "/none"])
def test_fields(scopes, path):
    compare(scopes, request_bytes(path))


@pytest.mark.parametrize("path", ["/route", "/host", "/off"])
def test_trailers(scopes, path):
    seen = []
    for side in scopes:
        with Client(side.proxy.port) as client:
            client.send(f"POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            response = client.send(b"3\r\nabc\r\n0\r\nx-t: 1\r\nx-gone: 2\r\n\r\n").response()
        request = side.backend.requests[-1]
        seen.append({"response": [stable(response.fields), response.body, list(response.trailers)]})
        seen[-1]["request"] = [stable(request.fields), request.body, list(request.trailers)]
    assert not different(*seen)
