"""HTTP filters as users meet them: files that name them, requests that pass them, statistics that count them."""

import pytest

from config_text import bootstrap, http_filter, http_filters, listener, per_filter, route, virtual_host
from peers import response_bytes
from processes import BINARY, free_port


@pytest.fixture
def backend(stage):
    return stage.backend(name="backend")


def passing(stage, backend, *filters, routes=(), **fields):
    return stage.proxy(backend, *routes, http_filters=http_filters(*filters), **fields)


ALLOW_A = {"allow_origin_string_match": [{"exact": "http://a"}], "allow_methods": "GET"}


def test_cors_answers_preflights_and_marks_responses(stage, backend):
    proxy = passing(stage, backend, http_filter("cors", "Cors"), route_config=of_host(backend, cors=ALLOW_A))
    client = stage.client(proxy)
    asked = {"origin": "http://a", "access-control-request-method": "GET"}
    preflight = client.ask("/", "OPTIONS", asked)
    assert (preflight.status, preflight["access-control-allow-methods"], preflight.body) == (200, "GET", b"")
    response = client.ask("/", fields={"origin": "http://a"})
    assert (response.body, response["access-control-allow-origin"]) == (b"backend", "http://a")
    assert "access-control-allow-origin" not in client.ask("/", fields={"origin": "http://b"}).fields
    assert proxy.stat("http.in.cors.origin_valid") == 2
    assert proxy.stat("http.in.cors.origin_invalid") == 1


def of_host(backend, **fields):
    return {"name": "local", "virtual_hosts": [virtual_host(route(backend.name), **fields)]}


def test_a_buffered_request_reaches_the_backend_with_its_length(stage, backend):
    proxy = passing(stage, backend, http_filter("buffer", "Buffer", max_request_bytes=200_000))
    client = stage.client(proxy)
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(3):
        client.send(b"c350\r\n" + b"x" * 50_000 + b"\r\n")
    assert client.send("0\r\n\r\n").response().status == 200
    request = backend.requests[0]
    assert (request["content-length"], request.body) == ("150000", b"x" * 150_000)
    refused = client.ask("/", "POST", body=b"x" * 200_001)
    assert (refused.status, refused.body) == (413, b"Payload Too Large")
    assert client.at_end()


def test_the_proxy_answers_for_its_clusters(stage, backend):
    health = http_filter(
        "health_check",
        "HealthCheck",
        pass_through_mode=False,
        headers=[{"name": ":path", "string_match": {"exact": "/health"}}],
        cluster_min_healthy_percentages={"backend": {"value": 50}},
    )
    proxy = passing(stage, backend, health)
    client = stage.client(proxy)
    assert client.ask("/health").status == 200
    assert client.ask("/").body == b"backend"
    proxy.ask_admin("/healthcheck/fail", "POST")
    failing = client.ask("/health")
    assert (failing.status, failing["x-envoy-immediate-health-check-fail"]) == (503, "true")
    assert len(backend.requests) == 1
    proxy.ask_admin("/healthcheck/ok", "POST")
    assert stage.client(proxy).ask("/health").status == 200
    assert proxy.stat("http.in.health_check.ok") == 2


def test_a_key_opens_a_route(stage, backend):
    key = {"credentials": [{"key": "k", "client": "me"}], "key_sources": [{"query": "key"}]}
    forwarding = {"header": "x-client", "hide_credentials": True}
    proxy = passing(stage, backend, http_filter("api_key_auth", "ApiKeyAuth", **key, forwarding=forwarding))
    client = stage.client(proxy)
    assert client.ask("/?a=1&key=k").status == 200
    assert (backend.requests[0].target, backend.requests[0]["x-client"]) == ("/?a=1", "me")
    refused = client.ask("/?key=other")
    assert (refused.status, refused.body) == (401, b"Client authentication failed.")
    assert len(backend.requests) == 1


@pytest.mark.parametrize("origin, status", [("http://test.example", 200), ("http://evil", 403), ("null", 403)])
def test_changes_come_from_the_same_site(stage, backend, origin, status):
    always = {"default_value": {"numerator": 100}}
    proxy = passing(stage, backend, http_filter("csrf", "CsrfPolicy", filter_enabled=always))
    client = stage.client(proxy)
    assert client.ask("/", "GET", {"origin": origin}).status == 200
    assert client.ask("/", "POST", {"origin": origin}, b"").status == status


def test_escapes_of_the_client_survive_a_change_of_parameters(stage, backend):
    changed = {"query_parameter_mutations": [{"append": {"record": {"key": "who", "value": "%REQ(:method)% & co"}}}]}
    proxy = passing(stage, backend, http_filter("header_mutation", "HeaderMutation", mutations=changed))
    assert stage.client(proxy).ask("/p?z=%20&a=%0d%0aX:%201%26").status == 200
    assert backend.requests[0].target == "/p?a=%0d%0aX:%201%26&who=GET%20%26%20co&z=%20"


def test_fields_that_became_metadata_may_be_removed(stage):
    backend = stage.backend(lambda request: response_bytes(fields=[("x-secret", "s")], body=b"ok"), name="backend")
    rules = [{"header": "x-secret", "on_header_present": {"key": "k"}, "remove": True}]
    filters = http_filter("header_to_metadata", "Config", request_rules=rules, response_rules=rules, stat_prefix="m")
    proxy = passing(stage, backend, filters)
    response = stage.client(proxy).ask("/", fields={"x-secret": "1"})
    assert "x-secret" not in response.fields
    assert "x-secret" not in backend.requests[0].fields
    assert proxy.stat("http_filter_name.m.request_metadata_added") == 1
    assert proxy.stat("http_filter_name.m.response_metadata_added") == 1


def mutation(name):
    header = {"append": {"header": {"key": "x-scope", "value": name}}}
    return {"mutations": {"request_mutations": [header]}}


@pytest.mark.parametrize("specific, order", [(False, "filter route host all"), (True, "filter all host route")])
def test_words_of_all_scopes_work_in_their_order(stage, backend, specific, order):
    def said(name):
        return per_filter("header_mutation", "HeaderMutationPerRoute", **mutation(name))

    fields = {**mutation("filter"), "most_specific_header_mutations_wins": specific}
    host = virtual_host({**route("backend"), **said("route")}, **said("host"))
    proxy = passing(
        stage,
        backend,
        http_filter("header_mutation", "HeaderMutation", **fields),
        route_config={"name": "local", "virtual_hosts": [host], **said("all")},
    )
    stage.client(proxy).ask("/")
    assert backend.requests[0].fields.all("x-scope") == order.split()


# --- Files that say what cannot be --------------------------------------------------------------------------------

H2M = "header_to_metadata"
WRONG = {
    "a buffer of nothing": (("buffer", "Buffer", {"max_request_bytes": 0}), "max_request_bytes"),
    "a buffer without limit": (("buffer", "Buffer", {}), "max_request_bytes"),
    "a check that neither passes nor not": (("health_check", "HealthCheck", {}), "pass_through_mode"),
    "a key of two": (
        ("api_key_auth", "ApiKeyAuth", {"credentials": [{"key": "k", "client": c} for c in "ab"]}),
        "another client has this key",
    ),
    "a source of nothing": (("api_key_auth", "ApiKeyAuth", {"key_sources": [{}]}), "key_sources[0]"),
    "a rule without effect": ((H2M, "Config", {"request_rules": [{"header": "a"}]}), "request_rules[0]"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_is_refused(stage, name):
    (filter_name, message, fields), told = WRONG[name]
    filters = http_filters(http_filter(filter_name, message, **fields))
    config = bootstrap([listener(free_port(), [virtual_host()], http_filters=filters)], [])
    process = stage.process([BINARY, "validate", stage.file(config)])
    assert process.wait() == 1
    assert told in process.stdout + process.stderr
