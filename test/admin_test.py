"""The admin interface: Envoy's paths, forms and names."""

import os
import re
import signal

import pytest

from config_text import bootstrap, cluster, file_log, route
from peers import Client, eventually, request_bytes
from processes import free_port


@pytest.fixture(scope="module")
def busy(shared):
    """A proxy that has served a few requests."""
    a, b = shared.backends(2)
    proxy = shared.proxy(
        route("pair"),
        clusters=[cluster("pair", a, b)],
        flags=["--service-cluster", "c", "--service-node", "n"],
        concurrency=2,
        listener={"name": "front"},
    )
    client = shared.client(proxy)
    for path in ("/a", "/b", "/c"):
        client.ask(path)
    proxy.backends = a, b
    return proxy


def page(proxy, path, method="GET"):
    return proxy.ask_admin(path, method).body.decode()


def test_home_and_help_name_every_page(busy):
    home, text = busy.ask_admin("/"), page(busy, "/help")
    assert home.status == 200 and home["content-type"].startswith("text/html")
    for path in (
        "/help",
        "/server_info",
        "/ready",
        "/config_dump",
        "/clusters",
        "/listeners",
        "/stats",
        "/stats/prometheus",
        "/logging",
        "/quitquitquit",
    ):
        assert path in text and f"{path[1:]}<" in home.body.decode()


def test_ready(busy):
    answer = busy.ask_admin("/ready")
    assert (answer.status, answer.body) == (200, b"LIVE\n")


def test_server_info(busy):
    info = busy.ask_admin("/server_info").json()
    assert info["state"] == "LIVE" and re.search(r"\d+\.\d+\.\d+", info["version"])
    assert info["command_line_options"]["service_node"] == "n" and info["node"]["cluster"] == "c"
    assert info["command_line_options"]["concurrency"] == 2
    assert re.fullmatch(r"\d+(\.\d+)?s", info["uptime_current_epoch"])


def test_clusters_counts_what_each_host_handled(busy):
    lines = page(busy, "/clusters").splitlines()
    a, b = busy.backends
    for host in (a, b):
        assert f"pair::127.0.0.1:{host.port}::rq_total::{len(host.requests)}" in lines
        assert f"pair::127.0.0.1:{host.port}::health_flags::healthy" in lines
        assert f"pair::127.0.0.1:{host.port}::cx_active::1" in lines
    assert "pair::default_priority::max_requests::1024" in lines
    assert "pair::added_via_api::false" in lines


def test_clusters_as_json(busy):
    (status,) = busy.ask_admin("/clusters?format=json").json()["cluster_statuses"]
    assert status["name"] == "pair" and len(status["host_statuses"]) == 2
    ports = {h["address"]["socket_address"]["port_value"] for h in status["host_statuses"]}
    assert ports == {b.port for b in busy.backends}


def test_listeners(busy):
    assert page(busy, "/listeners") == f"front::127.0.0.1:{busy.port}\n"
    (status,) = busy.ask_admin("/listeners?format=json").json()["listener_statuses"]
    assert status["name"] == "front" and status["local_address"]["socket_address"]["port_value"] == busy.port


def test_config_dump_holds_the_configuration_that_is_in_use(busy):
    dump = busy.ask_admin("/config_dump").json()["configs"]
    kinds = [c["@type"].rsplit(".", 1)[1] for c in dump]
    assert {"BootstrapConfigDump", "ClustersConfigDump", "ListenersConfigDump"} <= set(kinds)
    clusters = next(c for c in dump if c["@type"].endswith("ClustersConfigDump"))
    assert [c["cluster"]["name"] for c in clusters["static_clusters"]] == ["pair"]


def test_stats_as_text(busy):
    text = page(busy, "/stats")
    lines = text.splitlines()
    names = [line.split(": ")[0] for line in lines]
    for line in (
        "http.in.downstream_rq_total: 3",
        "http.in.downstream_rq_2xx: 3",
        "cluster.pair.upstream_rq_200: 3",
        "cluster.pair.membership_total: 2",
        "http.in.downstream_cx_total: 1",
    ):
        assert line in lines
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "query, check",
    [
        (
            "?usedonly",
            lambda names: "http.in.downstream_rq_total" in names and "http.in.downstream_rq_5xx" not in names,
        ),
        ("?filter=^http\\.in\\.downstream_rq_2xx$", lambda names: names == ["http.in.downstream_rq_2xx"]),
        ("?filter=upstream_rq_2", lambda names: names and all("upstream_rq_2" in n for n in names)),
    ],
)
def test_stats_can_be_chosen(busy, query, check):
    assert check([line.split(": ")[0] for line in page(busy, "/stats" + query).splitlines()])


def test_stats_as_json(busy):
    stats = busy.ask_admin("/stats?format=json").json()["stats"]
    values = {s["name"]: s["value"] for s in stats if "name" in s}
    assert values["http.in.downstream_rq_2xx"] == 3


def test_stats_for_prometheus(busy):
    text = page(busy, "/stats/prometheus")
    assert re.search(r'^envoy_http_downstream_rq_total\{envoy_http_conn_manager_prefix="in"\} 3$', text, re.M)
    assert re.search(r'^envoy_cluster_upstream_rq_total\{envoy_cluster_name="pair"\} 3$', text, re.M)
    assert "# TYPE envoy_http_downstream_rq_total counter" in text
    for line in text.splitlines():
        assert re.fullmatch(r"# (TYPE|HELP) .*|[a-zA-Z_:][\w:]*(\{[^}]*\})? [0-9.e+\-]+(inf|Inf|NaN)?|", line), line
    assert page(busy, "/stats?format=prometheus").splitlines()[0] == text.splitlines()[0]


def test_counters_can_be_reset(stage):
    proxy = stage.proxy(stage.backend())
    stage.client(proxy).ask()
    assert proxy.stat("http.in.downstream_rq_total") == 1
    assert proxy.ask_admin("/reset_counters", "POST").status in (200, 404)


def test_logging_shows_and_changes_levels(stage):
    proxy = stage.proxy(stage.backend())
    assert "http: info" in page(proxy, "/logging", "POST")
    assert "http: trace" in page(proxy, "/logging?http=trace", "POST")
    changed = page(proxy, "/logging?level=warning", "POST")
    assert "http: warning" in changed and "upstream: warning" in changed
    assert proxy.ask_admin("/logging?level=loud", "POST").status == 400


@pytest.mark.parametrize("path", ["/quitquitquit", "/logging"])
def test_what_changes_something_needs_post(busy, path):
    answer = busy.ask_admin(path)
    assert answer.status == 405 or answer.status == 200 and path == "/logging"
    assert busy.alive


def test_an_unknown_page_is_answered_with_404_and_the_list(busy):
    answer = busy.ask_admin("/nothing")
    assert answer.status == 404 and b"/stats" in answer.body


def test_admin_answers_several_at_once(busy):
    clients = [Client(busy.admin) for _ in range(10)]
    for client in clients:
        client.send(request_bytes("/ready"))
    assert [c.response().body for c in clients] == [b"LIVE\n"] * 10


# --- access log ---------------------------------------------------------------------------------------------------


def logged(stage, text=None, count=1, fields=(), path="/a?b", **hcm):
    log = stage.directory / "access.log"
    proxy = stage.proxy(
        stage.backend(), access_log=[file_log(log, text)], flags=["--file-flush-interval-msec", "20"], **hcm
    )
    client = stage.client(proxy)
    for _ in range(count):
        client.ask(path, "POST", fields, b"12345")
    lines = eventually(lambda: log.exists() and len(x := log.read_text().splitlines()) >= count and x)
    return proxy, lines


def test_the_default_line_of_the_access_log(stage):
    proxy, lines = logged(stage, None, 3, [("User-Agent", "pytest"), ("X-Forwarded-For", "10.0.0.9")])
    for line in lines:
        assert re.fullmatch(
            r'\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] "POST /a\?b HTTP/1\.1" 200 - 5 7 \d+ \d+ "10\.0\.0\.9"'
            r' "pytest" '
            r'"[0-9a-f-]{36}" "test\.example" "127\.0\.0\.1:\d+"',
            line,
        ), line


@pytest.mark.parametrize(
    "text, expected",
    [
        ("%REQ(:METHOD)% %REQ(:PATH)% %REQ(:AUTHORITY)%", "POST /a?b test.example"),
        ("%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%", "200 - via_upstream"),
        ("%BYTES_RECEIVED% %BYTES_SENT%", "5 7"),
        ("%UPSTREAM_CLUSTER% %ROUTE_NAME%", "backend -"),
        ("%REQ(X-NONE?X-MINE)% %REQ(X-MINE):2%", "value va"),
        ("%RESP(CONTENT-LENGTH)%", "7"),
        ("100%%", "100%"),
    ],
)
def test_operators_of_the_access_log(stage, text, expected):
    _, lines = logged(stage, text, fields=[("X-Mine", "value")])
    assert lines == [expected]


def test_the_access_log_is_reopened_after_rotation(stage):
    log = stage.directory / "access.log"
    proxy = stage.proxy(
        stage.backend(), access_log=[file_log(log, "%REQ(:PATH)%")], flags=["--file-flush-interval-msec", "20"]
    )
    client = stage.client(proxy)
    client.ask("/one")
    eventually(lambda: log.exists() and log.read_text() == "/one\n")
    os.rename(log, stage.directory / "old.log")
    proxy.signal(signal.SIGUSR1)
    eventually(log.exists)
    client.ask("/two")
    eventually(lambda: log.read_text() == "/two\n")
    assert (stage.directory / "old.log").read_text() == "/one\n"


def test_the_end_of_the_program_loses_no_line(stage):
    log = stage.directory / "access.log"
    proxy = stage.proxy(stage.backend(), access_log=[file_log(log, "%REQ(:PATH)%")])  # Flushed every ten seconds.
    client = stage.client(proxy)
    for i in range(100):
        client.ask(f"/{i}")
    client.close()
    assert proxy.terminate() == 0
    assert log.read_text().splitlines() == [f"/{i}" for i in range(100)]


def test_admin_has_an_access_log_of_its_own(stage):
    log, admin = stage.directory / "admin.log", free_port()
    config = bootstrap([], [], admin)
    config["admin"]["access_log_path"] = str(log)
    proxy = stage.start(config, "--file-flush-interval-msec", "20", ports=[admin], admin=admin)
    proxy.ask_admin("/ready")
    eventually(lambda: log.exists() and '"GET /ready HTTP/1.1" 200' in log.read_text())


def test_a_connect_is_answered_without_waiting_for_what_follows_it(stage):
    client = stage.client(stage.proxy(stage.backend()).admin)
    assert client.send("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n").response().status == 404


def test_readers_that_never_read_do_not_take_all_memory(stage):
    clusters = [cluster(f"cluster-{i:04}", 1) for i in range(1500)]
    proxy = stage.proxy(route("cluster-0000"), clusters=clusters)
    readers = [Client(proxy.admin, receive_buffer=4096) for _ in range(8)]
    for reader in readers:
        reader.send(request_bytes("/stats/prometheus"))
    assert eventually(lambda: proxy.ask_admin("/stats/prometheus").status == 503)
    assert page(proxy, "/stats/prometheus") == "8 large answers are being read already\n"
    assert int(page(proxy, "/stats?filter=pages_refused").split()[1]) >= 2
    assert page(proxy, "/ready") == "LIVE\n"
    for reader in readers:
        reader.close()
    assert eventually(lambda: proxy.ask_admin("/stats/prometheus").status == 200)
