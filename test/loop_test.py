"""A request that comes back to the route that has sent it on is answered, not sent on again."""

import pytest

from config_text import bootstrap, cluster, http_filter, http_filters, listener, route, virtual_host
from peers import Backend, ask
from processes import free_port


def ring(stage, count, **action):
    """Proxies of which each sends everything to the next, and the last one to the first."""
    ports = [free_port() for _ in range(count)]
    proxies = []
    for i, port in enumerate(ports):
        hosts = [virtual_host({**route("next", **action), "name": f"round {i}"})]
        config = bootstrap([listener(port, hosts)], [cluster("next", ports[(i + 1) % count])], admin := free_port())
        proxy = stage.start(config, ports=[port], admin=admin)
        proxy.port = port
        proxies.append(proxy)
    return proxies


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_ring_of_proxies_answers_508(stage, count):
    proxies = ring(stage, count)
    response = ask(proxies[0].port, "/a?b")
    assert response.status == 508
    assert b"loop detected" in response.body
    assert sum(p.stats(("http.in.rq_loop",))["http.in.rq_loop"] for p in proxies) == 1
    assert sum(p.stats(("http.in.downstream_rq_total",))["http.in.downstream_rq_total"] for p in proxies) == count + 1


def test_the_log_names_the_route_that_sent_it_round(stage):
    (proxy,) = ring(stage, 1)
    ask(proxy.port, "/a")
    proxy.wait_line("loop: GET http://test.example/a has come back to the route 'round 0' of the virtual host 'host'")


def test_a_loop_whose_path_grows_ends_too(stage):
    (proxy,) = ring(stage, 1, prefix_rewrite="/more/")
    assert ask(proxy.port, "/a").status == 508
    assert proxy.stats(("http.in.downstream_rq_total",))["http.in.downstream_rq_total"] <= 20


def test_a_request_may_pass_one_proxy_by_two_routes(stage):
    port, admin = free_port(), free_port()
    backend = Backend()
    hosts = [virtual_host(route("self", prefix="/out", prefix_rewrite="/in"), route("backend", prefix="/in"))]
    stage.start(
        bootstrap([listener(port, hosts)], [cluster("self", port), cluster("backend", backend)], admin),
        ports=[port],
        admin=admin,
    )
    assert ask(port, "/out/x").status == 200
    marks = dict(backend.requests[0].fields)["cdn-loop"].split(", ")
    assert len(marks) == 2 and all(m.startswith("outrider;hop=") for m in marks)


def test_marks_of_others_are_kept(stage):
    proxy = stage.proxy(backend := Backend())
    assert ask(proxy.port, fields=[("CDN-Loop", "other;a=b"), ("CDN-Loop", "third")]).status == 200
    assert dict(backend.requests[0].fields)["cdn-loop"].startswith("other;a=b,third, outrider;hop=")


def calling(stage, filters):
    """A proxy whose filter calls its own listener."""
    port, admin = free_port(), free_port()
    backend = stage.backend()
    config = bootstrap(
        [listener(port, [virtual_host(route("backend"))], http_filters=http_filters(*filters))],
        [cluster("self", port), cluster("backend", backend)],
        admin,
    )
    proxy = stage.start(config, ports=[port], admin=admin)
    proxy.port = port
    return proxy, backend


CALL = """function envoy_on_{way}(h)
  local fields = h:httpCall("self", {{[":method"] = "GET", [":path"] = "/called", [":authority"] = "a"}}, nil, 5000)
  h:headers():add("x-called", fields[":status"])
end"""


def script(code):
    return http_filter("lua", "Lua", default_source_code={"inline_string": code})


@pytest.mark.parametrize("way", ["request", "response"])
def test_a_script_that_calls_its_own_listener_gets_508(stage, way):
    proxy, backend = calling(stage, [script(CALL.format(way=way))])
    response = ask(proxy.port, "/a")
    assert response.status == 200
    seen = response.fields if way == "response" else backend.requests[0].fields
    assert dict(seen)["x-called"] == "508"
    assert proxy.stats(("http.in.rq_loop",))["http.in.rq_loop"] == 1
    assert proxy.stats(("http.in.downstream_rq_total",))["http.in.downstream_rq_total"] == 2
    proxy.wait_line("loop: a call of a filter, GET /called to the cluster 'self', has led to the request")


@pytest.mark.parametrize("allowed", [True, False])
def test_an_authorization_that_asks_its_own_listener_ends(stage, allowed):
    service = {"server_uri": {"uri": "http://a", "cluster": "self", "timeout": "5s"}}
    check = http_filter("ext_authz", "ExtAuthz", http_service=service, failure_mode_allow=allowed)
    proxy, backend = calling(stage, [check])
    assert ask(proxy.port, "/a").status == (200 if allowed else 403)
    assert proxy.stats(("http.in.rq_loop",))["http.in.rq_loop"] == 1
    assert proxy.stats(("http.in.downstream_rq_total",))["http.in.downstream_rq_total"] == 2
