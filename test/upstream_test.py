"""The way to the backends: who is chosen, connections and their limits, and what a failure looks like to the client."""

import contextlib
import re
import threading

import pytest

from config_text import cluster, file_log, http1_cluster, route
from peers import PATIENCE_S, ask, eventually, request_bytes, response_bytes, tally
from processes import free_port

UF_BODY = b"upstream connect error or disconnect/reset before headers. reset reason: remote connection failure"


def logged(proxy, count=1):
    """The lines of the access log at proxy.log."""

    def lines():
        return [] if not proxy.log.exists() else proxy.log.read_text().splitlines()

    eventually(lambda: len(lines()) >= count, f"{count} lines in the access log")
    return lines()


def with_log(stage, *routes, text="%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%", **options):
    log = stage.directory / "access.log"
    proxy = stage.proxy(
        *routes, access_log=[file_log(log, text)], flags=["--file-flush-interval-msec", "20"], **options
    )
    proxy.log = log
    return proxy


# --- choosing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_round_robin_is_one_rotation_for_the_whole_process(stage, workers):
    proxy = stage.proxy(route("all"), clusters=[cluster("all", *stage.backends(3))], concurrency=workers)
    answers = [ask(proxy.port, fields=[("Connection", "close")]).body.decode() for _ in range(12)]
    assert answers == answers[:3] * 4 and set(answers) == {"A", "B", "C"}


def test_round_robin_follows_weights(stage):
    backends = stage.backends(2)
    weighted = cluster("all", *backends)
    for weight, endpoint in zip((3, 1), weighted["load_assignment"]["endpoints"][0]["lb_endpoints"]):
        endpoint["load_balancing_weight"] = weight
    client = stage.client(stage.proxy(route("all"), clusters=[weighted]))
    assert tally(client.ask().body for _ in range(40)) == {b"A": 30, b"B": 10}


def test_random_reaches_every_host(stage):
    proxy = stage.proxy(route("all"), clusters=[cluster("all", *stage.backends(3), lb_policy="RANDOM")])
    client = stage.client(proxy)
    answers = [client.ask().body for _ in range(300)]
    counts = tally(answers)
    assert set(counts) == {b"A", b"B", b"C"} and min(counts.values()) > 50
    assert answers != (answers[:3] * 100)


def test_least_request_among_more_choices_than_hosts_costs_no_more(stage):
    config = {"lb_policy": "LEAST_REQUEST", "least_request_lb_config": {"choice_count": 4_000_000_000}}
    proxy = stage.proxy(route("two"), clusters=[cluster("two", *stage.backends(2), **config)])
    assert stage.client(proxy).ask().status == 200


def test_least_request_avoids_the_busy_host(stage):
    release = threading.Event()

    def answer(request):
        if request.target == "/hold":
            release.wait(PATIENCE_S)
        return response_bytes(body=b"slow")

    slow, fast = stage.backend(answer, name="slow"), stage.backend(name="fast")
    proxy = stage.proxy(
        route("all"),
        clusters=[cluster("all", slow, fast, lb_policy="LEAST_REQUEST", least_request_lb_config={"choice_count": 10})],
    )
    held = []
    while not slow.requests:  # Until one is stuck at the slow host.
        held.append(stage.client(proxy).send(request_bytes("/hold")))
        eventually(lambda: len(slow.requests) + len(fast.requests) == len(held))
    fast.requests.clear()
    client = stage.client(proxy)
    answers = tally(client.ask().body for _ in range(40))
    release.set()
    assert answers == {b"fast": 40} or answers[b"fast"] >= 39  # Ten draws that are all of the busy host: 1 in 1024.


def test_a_cluster_without_hosts_is_answered_with_503(stage):
    proxy = with_log(stage, route("none"), clusters=[cluster("none")])
    response = stage.client(proxy).ask()
    assert response.status == 503 and response.body == b"no healthy upstream"
    assert logged(proxy) == ["503 UH no_healthy_upstream"]
    assert proxy.stat("cluster.none.upstream_cx_none_healthy") == 1


def test_health_status_of_the_configuration_takes_a_host_out(stage):
    a, b = stage.backends(2)
    c = cluster("all", a, b)
    c["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["health_status"] = "UNHEALTHY"
    client = stage.client(stage.proxy(route("all"), clusters=[c]))
    assert {client.ask().body for _ in range(6)} == {b"B"}


# --- connecting ---------------------------------------------------------------------------------------------------


def test_a_refused_connection_is_answered_with_503_and_the_reason(stage):
    proxy = with_log(stage, route("dead"), clusters=[cluster("dead", free_port())])
    client = stage.client(proxy)
    for _ in range(2):
        response = client.ask()
        assert response.status == 503 and response.body == UF_BODY
    assert (
        logged(proxy, 2)
        == [
            "503 UF upstream_reset_before_response_started{remote_connection_failure|"
            "delayed_connect_error:_Connection_refused}"
        ]
        * 2
    )
    assert proxy.stat("cluster.dead.upstream_cx_connect_fail") == 2


def test_a_backend_that_comes_up_is_used(stage):
    port = free_port()
    client = stage.client(stage.proxy(route("late"), clusters=[cluster("late", port)]))
    assert client.ask().status == 503
    stage.backend(port=port)
    assert client.ask().status == 200


# --- connections --------------------------------------------------------------------------------------------------


def test_a_connection_to_the_backend_ends_after_its_last_allowed_request(stage):
    backend = stage.backend()
    client = stage.client(
        stage.proxy(route("b"), clusters=[http1_cluster("b", backend, common={"max_requests_per_connection": 3})])
    )
    for _ in range(9):
        assert client.ask().status == 200
    assert len(backend.streams) == 3


def test_an_idle_connection_to_the_backend_is_closed(stage):
    backend = stage.backend()
    proxy = stage.proxy(route("b"), clusters=[http1_cluster("b", backend, common={"idle_timeout": "0.1s"})])
    client = stage.client(proxy)
    assert client.ask().status == 200
    proxy.wait_stat("cluster.b.upstream_cx_idle_timeout", 1)
    assert client.ask().status == 200 and len(backend.streams) == 2


def test_as_many_connections_as_requests_at_once(stage):
    gate = threading.Barrier(8)
    backend = stage.backend(lambda r: (gate.wait(PATIENCE_S), response_bytes(body=b"x"))[1])
    proxy = stage.proxy(backend)
    clients = [stage.client(proxy).send(request_bytes()) for _ in range(8)]
    assert [c.response().status for c in clients] == [200] * 8
    assert len(backend.streams) == 8


# --- circuit breakers ---------------------------------------------------------------------------------------------


def breaker(**limits):
    return {"thresholds": [{"priority": "DEFAULT", **limits}]}


def holding(stage):
    """A backend whose answers wait for `release`."""
    release = threading.Event()
    backend = stage.backend(lambda r: (release.wait(PATIENCE_S), response_bytes(body=b"held"))[1], name="held")
    backend.release = release
    return backend


@pytest.mark.parametrize("workers", [1, 4])
def test_max_requests_is_exact_for_the_whole_process(stage, workers):
    backend = holding(stage)
    proxy = with_log(
        stage,
        route("held"),
        concurrency=workers,
        clusters=[cluster("held", backend, circuit_breakers=breaker(max_requests=5))],
    )
    clients = [stage.client(proxy) for _ in range(17)]
    for client in clients:
        client.send(request_bytes())
    refused = logged(proxy, 12)
    backend.wait_requests(5)
    backend.release.set()
    responses = [c.response() for c in clients]
    assert tally(r.status for r in responses) == {200: 5, 503: 12}
    for r in responses:
        assert r["x-envoy-overloaded"] == ("true" if r.status == 503 else None)
        if r.status == 503:
            assert r.body == b"upstream connect error or disconnect/reset before headers. reset reason: overflow"
    assert refused == ["503 UO upstream_reset_before_response_started{overflow}"] * 12
    assert proxy.stat("cluster.held.upstream_rq_active_overflow") == 12
    assert stage.client(proxy).ask().status == 200, "the places are free again"


def test_max_connections_makes_requests_wait_and_max_pending_refuses(stage):
    backend = holding(stage)
    proxy = with_log(
        stage,
        route("held"),
        clusters=[cluster("held", backend, circuit_breakers=breaker(max_connections=1, max_pending_requests=2))],
    )
    clients = [stage.client(proxy).send(request_bytes())]
    backend.wait_requests(1)  # A request that waits for its connection is pending too.
    clients += [stage.client(proxy).send(request_bytes()) for _ in range(5)]
    assert len(logged(proxy, 3)) == 3
    backend.release.set()
    responses = [c.response().status for c in clients]
    assert tally(responses) == {200: 3, 503: 3}
    assert len(backend.streams) == 1
    assert proxy.stat("cluster.held.upstream_cx_overflow") >= 1


def test_breakers_of_a_priority_are_its_own(stage):
    backend = holding(stage)
    limits = {"thresholds": [{"priority": "DEFAULT", "max_requests": 1}, {"priority": "HIGH", "max_requests": 2}]}
    proxy = with_log(
        stage,
        route("held", "/high", priority="HIGH"),
        route("held"),
        clusters=[cluster("held", backend, circuit_breakers=limits)],
    )
    clients = [stage.client(proxy).send(request_bytes(path)) for path in ["/", "/", "/high", "/high", "/high"]]
    assert len(logged(proxy, 2)) == 2
    backend.release.set()
    assert sorted(c.response().status for c in clients) == [200, 200, 200, 503, 503]


# --- dying backends -----------------------------------------------------------------------------------------------


def dies_after_one(stage):
    """Answers the first request of each connection, then closes when the second one arrives: a keep-alive connection
    that was dead already when the proxy wrote into it."""

    def serve(stream):
        backend.record(stream.request(), stream)
        stream.send(response_bytes(body=b"%d" % len(backend.streams)))
        with contextlib.suppress(Exception):
            stream.head()
        stream.reset()

    backend = stage.backend(serve=serve)
    return backend


def test_a_get_on_a_dead_connection_is_sent_again(stage):
    backend = dies_after_one(stage)
    proxy = stage.proxy(backend)
    client = stage.client(proxy)
    assert [client.ask().body for _ in range(3)] == [b"1", b"2", b"3"]


def test_a_dead_connection_makes_room_for_the_one_that_replaces_it(stage):
    backend = dies_after_one(stage)
    limits = {"thresholds": [{"max_connections": 1}]}
    proxy = stage.proxy(route("one"), clusters=[cluster("one", backend, circuit_breakers=limits)])
    client = stage.client(proxy)
    assert [client.ask().body for _ in range(3)] == [b"1", b"2", b"3"]


def test_a_post_on_a_dead_connection_is_not_sent_again(stage):
    backend = dies_after_one(stage)
    proxy = with_log(stage, backend)
    client = stage.client(proxy)
    assert client.ask("/", "POST", body=b"pay").status == 200
    response = client.ask("/", "POST", body=b"pay")
    assert response.status == 503
    assert (
        response.body
        == b"upstream connect error or disconnect/reset before headers. reset reason: connection termination"
    )
    assert [r.method for r in backend.requests] == ["POST"]
    assert logged(proxy, 2)[1].startswith("503 UC ")


def test_a_connection_that_the_backend_closed_is_not_used(stage):
    def serve(stream):
        backend.record(stream.request(), stream)
        stream.send(response_bytes(body=b"once"))

    backend = stage.backend(serve=serve)
    proxy = stage.proxy(backend)
    client = stage.client(proxy)
    for i in range(1, 6):
        assert client.ask("/", "POST", body=b"x").status == 200
        proxy.wait_stat("cluster.backend.upstream_cx_active", 0)
    assert len(backend.streams) == 5


@pytest.mark.parametrize(
    "said, flag, details",
    [
        (b"", "UC", "upstream_reset_before_response_started{connection_termination}"),
        (b"HTTP/1.1 200 O", "UPE", "upstream_reset_before_response_started{protocol_error}"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", "UC", "upstream_reset_after_response_started{connection_termination}"),
        (b"HTTP/1.1 nonsense\r\n\r\n", "UPE", "upstream_reset_before_response_started{protocol_error}"),
    ],
)
def test_a_backend_that_dies_before_its_response(stage, said, flag, details):
    proxy = with_log(stage, stage.backend(serve=lambda s: (s.request(), s.send(said))))
    response = stage.client(proxy).ask()
    status = 502 if flag == "UPE" else 503
    assert response.status == status
    assert logged(proxy) == [f"{status} {flag} {details}"]


@pytest.mark.parametrize(
    "said",
    [
        b"Content-Length: 10\r\n\r\nhalf",
        b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nnonsense\r\n",
    ],
)
def test_a_backend_that_dies_within_its_response(stage, said):
    def serve(stream):
        stream.request()
        stream.send(b"HTTP/1.1 200 OK\r\n" + said)

    proxy = with_log(stage, stage.backend(serve=serve))
    client = stage.client(proxy).send(request_bytes())
    head = client.head()
    assert head.status == 200
    body = client.rest()
    assert b"half" in body or b"nonsense" in said
    assert not body.endswith(b"0\r\n\r\n"), "truncated, and visibly so"
    assert logged(proxy) == ["200 UPE upstream_reset_after_response_started{protocol_error}"]
    assert proxy.stat("cluster.backend.upstream_cx_protocol_error") == 1


def test_interim_responses_without_end_leave_others_served_and_end_with_the_time_out(stage):
    def serve(stream):
        stream.request()
        while True:
            stream.send(b"HTTP/1.1 102 Processing\r\n\r\n" * 1000)

    flood = cluster("flood", stage.backend(serve=serve))
    proxy = stage.proxy(route("flood", prefix="/flood", timeout="0.5s"), stage.backend(), clusters=[flood])
    before = proxy.rss_kib()
    with stage.client(proxy) as client:
        client.send(request_bytes("/flood"))
        assert stage.client(proxy).ask("/").status == 200
        assert b"102 Processing" in client.until(b"HTTP/1.1 504 ")
    assert proxy.rss_kib() - before < 8 * 1024


def test_a_client_that_leaves_is_logged_as_such(stage):
    backend = stage.backend(serve=lambda s: (backend.record(s.request(), s), s.rest()))
    proxy = with_log(stage, backend)
    client = stage.client(proxy).send(request_bytes())
    backend.wait_requests(1)
    client.close()
    assert logged(proxy) == ["0 DC downstream_remote_disconnect"]


def test_the_backends_status_reason_is_the_standard_one(stage):
    client = stage.client(stage.proxy(stage.backend(lambda r: response_bytes("200 Wonderful", body=b"x"))))
    assert client.ask().start_line == "HTTP/1.1 200 OK"


def test_the_time_of_the_backend_is_told(stage):
    response = stage.client(stage.proxy(stage.backend())).ask()
    assert re.fullmatch(r"\d+", response["x-envoy-upstream-service-time"])


def test_a_host_name_that_is_an_address_needs_no_dns(stage):
    backend = stage.backend()
    for kind in ("STRICT_DNS", "LOGICAL_DNS"):
        proxy = stage.proxy(route("b"), clusters=[{**cluster("b", backend), "type": kind}])
        assert stage.client(proxy).ask().status == 200
