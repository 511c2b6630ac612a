"""The filter ext_authz: an authorization server, asked over HTTP, decides which requests go on."""

import pytest

from config_text import bootstrap, cluster, listener, route, typed, virtual_host
from peers import response_bytes
from processes import free_port

AUTHZ = "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz"
PER_ROUTE = "envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute"
NAME = "envoy.filters.http.ext_authz"
ROUTER = {
    "name": "envoy.filters.http.router",
    "typed_config": typed("envoy.extensions.filters.http.router.v3.Router"),
}
SERVICE = {"server_uri": {"uri": "http://authz", "cluster": "authz", "timeout": "20s"}}


def filters(**fields):
    return [{"name": NAME, "typed_config": typed(AUTHZ, **{"http_service": SERVICE, **fields})}, ROUTER]


def start(stage, server, routes=None, **fields):
    backend = stage.backend()
    authz = stage.backend(server, name="authz")
    clusters = [cluster("backend", backend), cluster("authz", authz)]
    proxy = stage.proxy(*(routes or [route("backend")]), clusters=clusters, http_filters=filters(**fields))
    return proxy, backend, authz


def allows(request):
    return response_bytes(fields=[("x-user", "ann")])


def test_a_body_longer_than_the_server_may_see_is_refused(stage):
    proxy, backend, authz = start(stage, allows, with_request_body={"max_request_bytes": 5})
    with stage.client(proxy) as client:
        assert client.ask(method="POST", body=b"123456").status == 413
    with stage.client(proxy) as client:
        assert client.ask(method="POST", body=b"12345").status == 200
    assert [r.body for r in authz.requests] == [b"12345"]
    assert [r.body for r in backend.requests] == [b"12345"]


def test_a_body_that_is_cut_for_the_server_reaches_the_backend_whole(stage):
    proxy, backend, authz = start(
        stage, allows, with_request_body={"max_request_bytes": 100_000, "allow_partial_message": True}
    )
    body = bytes(i % 251 for i in range(1_000_000))
    with stage.client(proxy) as client:
        assert client.ask(method="POST", body=body).status == 200
    assert authz.requests[0].body == body[:100_000]
    assert authz.requests[0]["x-envoy-auth-partial-body"] == "true"
    assert backend.requests[0].body == body


def test_a_server_that_does_not_answer_is_an_error(stage):
    service = {"server_uri": {**SERVICE["server_uri"], "timeout": "0.2s"}}
    proxy, backend, _ = start(
        stage, lambda request: None if request.target == "/gone" else hang(request), http_service=service
    )
    with stage.client(proxy) as client:
        assert client.ask("/slow").status == 403
        assert client.ask("/gone").status == 403
    assert proxy.stat("http.in.ext_authz.error") == 2
    assert backend.requests == []


def hang(request):
    request.stream.fill()


def test_what_the_server_sets_may_lead_to_another_route(stage):
    backend = stage.backend()
    authz = stage.backend(lambda request: response_bytes(fields=[("host", "special")]))
    hosts = [
        virtual_host(
            {"match": {"prefix": "/"}, "direct_response": {"status": 418}}, domains=["special"], name="special"
        ),
        virtual_host(route("backend")),
    ]
    service = {**SERVICE, "authorization_response": {"allowed_upstream_headers": {"patterns": [{"exact": "host"}]}}}
    for clears, status in ((True, 418), (False, 200)):
        proxy = stage.proxy(
            virtual_hosts=hosts,
            clusters=[cluster("backend", backend), cluster("authz", authz)],
            http_filters=filters(http_service=service, clear_route_cache=clears),
        )
        assert stage.client(proxy).ask().status == status


def test_a_client_that_leaves_while_the_server_thinks_leaves_nothing_behind(stage):
    proxy, _, authz = start(stage, hang)
    with stage.client(proxy) as client:
        client.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        authz.wait_requests(1)
    proxy.wait_stat("http.in.downstream_rq_active", 0)
    proxy.wait_stat("cluster.authz.upstream_rq_active", 0)


@pytest.mark.parametrize(
    "fields, said",
    [
        ({"http_service": None, "grpc_service": {"envoy_grpc": {"cluster_name": "authz"}}}, "grpc_service"),
        ({"http_service": {**SERVICE, "path_prefix": "auth"}}, "path_prefix"),
        ({"http_service": {"server_uri": {**SERVICE["server_uri"], "cluster": "nope"}}}, "there is no cluster 'nope'"),
        ({"http_service": {**SERVICE, "retry_policy": {}}}, "retry_policy"),
    ],
)
def test_what_is_not_built_or_wrong_is_refused_by_name(stage, fields, said):
    http_filters = filters(**fields)
    config = http_filters[0]["typed_config"]
    http_filters[0]["typed_config"] = {k: v for k, v in config.items() if v is not None}
    hosts = [virtual_host(route("authz"))]
    text = bootstrap([listener(free_port(), hosts, http_filters=http_filters)], [cluster("authz", 1)])
    process = stage.start(text, wait=False)
    assert process.wait() == 1
    assert any(said in line for line in process.lines["stderr"])
