"""Where statistics are sent, and which there are."""

import signal
import socket

from config_text import address, cluster, typed
from peers import eventually

STATSD = "envoy.config.metrics.v3.StatsdSink"
DOG = "envoy.config.metrics.v3.DogStatsdSink"
GRAPHITE = "envoy.extensions.stat_sinks.graphite_statsd.v3.GraphiteStatsdSink"


class Datagrams:
    """Listens to UDP."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)  # Ten flushes a second while this sleeps.
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.came = []

    def address(self):
        place = address(self.socket.getsockname()[1])
        place["socket_address"]["protocol"] = "UDP"
        return place

    def lines(self):
        while True:
            try:
                self.came.append(self.socket.recv(65536).decode())
            except BlockingIOError:
                return [line for datagram in self.came for line in datagram.split("\n")]

    def wait(self, line):
        eventually(lambda: line in self.lines(), line)


def sink(message, name, **fields):
    return {"name": f"envoy.stat_sinks.{name}", "typed_config": typed(message, **fields)}


def counted(stage, *sinks, **options):
    backend = stage.backend()
    bootstrap = {"stats_flush_interval": "0.1s", "stats_sinks": list(sinks), **options.pop("bootstrap", {})}
    return stage.proxy(backend, bootstrap=bootstrap, **options)


def test_statsd(stage):
    udp, prefixed = Datagrams(), Datagrams()
    proxy = counted(
        stage,
        sink(STATSD, "statsd", address=udp.address()),
        sink(STATSD, "statsd", address=prefixed.address(), prefix="pre"),
    )
    for _ in range(2):
        stage.client(proxy).ask()
    udp.wait("envoy.cluster.backend.membership_total:1|g")
    prefixed.wait("pre.cluster.backend.membership_total:1|g")
    eventually(lambda: sum(value(l) for l in udp.lines() if l.startswith("envoy.http.in.downstream_rq_total:")) == 2,
               "both requests, each once")  # fmt: skip
    eventually(lambda: any(l.startswith("envoy.http.in.downstream_rq_time:") and "|ms" in l for l in udp.lines()), "ms")
    assert "envoy.cluster.backend.upstream_rq_200:" in " ".join(udp.lines())
    assert all("\n" not in datagram for datagram in udp.came), "a line each"


def value(line):
    return int(line.split(":")[-1].split("|")[0])


def test_dogstatsd(stage):
    udp, packed = Datagrams(), Datagrams()
    proxy = counted(
        stage,
        sink(DOG, "dog_statsd", address=udp.address()),
        sink(DOG, "dog_statsd", address=packed.address(), prefix="dog", max_bytes_per_datagram=500),
    )
    stage.client(proxy).ask()
    udp.wait("envoy.http.downstream_rq_xx:1|c|#envoy.response_code_class:2,envoy.http_conn_manager_prefix:in")
    udp.wait("envoy.cluster.upstream_rq:1|c|#envoy.response_code:200,envoy.cluster_name:backend")
    udp.wait("envoy.http.downstream_cx_total:1|c|#envoy.http_conn_manager_prefix:in")
    packed.wait("dog.http.downstream_cx_total:1|c|#envoy.http_conn_manager_prefix:in")
    assert max(len(datagram) for datagram in packed.came) <= 500
    assert any("\n" in datagram for datagram in packed.came)


def test_graphite(stage):
    udp = Datagrams()
    proxy = counted(stage, sink(GRAPHITE, "graphite_statsd", address=udp.address()))
    stage.client(proxy).ask()
    udp.wait("envoy.cluster.upstream_rq_xx;envoy.response_code_class=2;envoy.cluster_name=backend:1|c")


def test_statsd_by_tcp(stage):
    heard = []
    statsd = stage.backend(serve=lambda stream: heard.append(stream) or stream.rest(), name="statsd")
    proxy = counted(stage, sink(STATSD, "statsd", tcp_cluster_name="statsd"), clusters=[cluster("statsd", statsd)])
    stage.client(proxy).ask()
    eventually(lambda: any(b"envoy.http.in.downstream_rq_total:1|c\n" in s.received for s in heard), "the line")


def test_statistics_that_nobody_wants(stage):
    matcher = {
        "exclusion_list": {"patterns": [{"prefix": "cluster."}, {"safe_regex": {"regex": r"http\.in\..*_cx_.*"}}]}
    }
    proxy = counted(stage, bootstrap={"stats_config": {"stats_matcher": matcher}})
    stage.client(proxy).ask()
    names = [line.split(":")[0] for line in proxy.ask_admin("/stats").body.decode().splitlines()]
    assert "http.in.downstream_rq_total" in names
    assert not [n for n in names if n.startswith("cluster.") or n.startswith("http.in.downstream_cx")]
    assert "envoy_cluster_membership" not in proxy.ask_admin("/stats/prometheus").body.decode()


def test_only_some_statistics(stage):
    matcher = {"inclusion_list": {"patterns": [{"exact": "http.in.downstream_rq_total"}]}}
    proxy = counted(stage, bootstrap={"stats_config": {"stats_matcher": matcher}})
    assert proxy.ask_admin("/stats").body.decode().splitlines() == ["http.in.downstream_rq_total: 0"]


def test_tags_of_ones_own(stage):
    tags = [
        {"tag_name": "mine", "fixed_value": "always"},
        {"tag_name": "first.letter", "regex": r"^cluster\.((.)ackend\.)"},
    ]
    proxy = counted(stage, bootstrap={"stats_config": {"stats_tags": tags, "use_all_default_tags": False}})
    text = proxy.ask_admin("/stats/prometheus").body.decode()
    assert 'envoy_cluster_membership_total{mine="always",first_letter="b"} 1' in text


def test_a_reload_while_a_peer_is_waited_for(stage):
    with socket.socket() as silent, socket.socket() as waiting:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        waiting.connect(silent.getsockname())  # The queue is full now: who comes next gets no answer.
        named = [sink(STATSD, "statsd", tcp_cluster_name="statsd", prefix=f"a-name-of-its-own-{i}") for i in range(3)]
        peer = cluster("statsd", silent.getsockname()[1], connect_timeout="0.1s")
        proxy = counted(stage, *named, clusters=[peer])
        for i in range(3):
            proxy.wait_line("no connection to the cluster 'statsd'", len(proxy.lines["stderr"]))
            proxy.signal(signal.SIGHUP)
            proxy.wait_line("reloaded", len(proxy.lines["stderr"]))
        assert proxy.alive
