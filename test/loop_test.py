"""A request that comes back to the route that has sent it on is answered, not sent on again."""

import pytest

from config_text import bootstrap, cluster, listener, route, virtual_host
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
