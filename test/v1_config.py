"""Configurations of Envoy's API v1 as Python values, and a service of discovery that says what the test wants."""

import json

from peers import response_bytes
from processes import free_port


def listener(port, *routes, **hcm):
    hosts = [{"name": "all", "domains": ["*"], "routes": list(routes)}]
    manager = {
        "codec_type": "auto",
        "stat_prefix": "in",
        "route_config": {"virtual_hosts": hosts},
        "filters": [{"type": "decoder", "name": "router", "config": {}}],
        **hcm,
    }
    return {
        "address": f"tcp://127.0.0.1:{port}",
        "filters": [{"type": "read", "name": "http_connection_manager", "config": manager}],
    }


def service_cluster(name, port, **fields):
    return {
        "name": name,
        "connect_timeout_ms": 250,
        "type": "strict_dns",
        "lb_type": "round_robin",
        "hosts": [{"url": f"tcp://localhost:{port}"}],
        **fields,
    }


def static_cluster(name, *backends, **fields):
    return {
        "name": name,
        "connect_timeout_ms": 2000,
        "type": "static",
        "lb_type": "round_robin",
        "hosts": [{"url": f"tcp://{b.host}:{b.port}"} for b in backends],
        **fields,
    }


def registered(backend, **tags):
    return {"ip_address": backend.host, "port": backend.port, **({"tags": tags} if tags else {})}


class Discovery:
    """Answers each path with the JSON (or the bytes) that stands there; others with 404. What can be called gives the
    whole response."""

    def __init__(self, stage):
        self.answers = {}
        self.backend = stage.backend(self.answer, name="discovery")
        self.port = self.backend.port

    def answer(self, request):
        said = self.answers.get(request.target)
        if said is None:
            return response_bytes("404 Not Found")
        if callable(said):
            return said()
        return response_bytes(body=said if isinstance(said, bytes) else json.dumps(said).encode())

    def asked(self, path):
        return sum(request.target == path for request in self.backend.requests)

    def wait_asked(self, path):
        """Until this is asked for once more, and the answer before has been taken."""
        count = self.asked(path) + 1
        self.backend.wait(lambda _: self.asked(path) >= count, f"a question for {path}")


CLUSTERS, ROUTES, LISTENERS = "/v1/clusters/edge/node-1", "/v1/routes/users/edge/node-1", "/v1/listeners/edge/node-1"
NODE = ("--service-cluster", "edge", "--service-node", "node-1")
DELAY_MS = 30


def routes_to(cluster, **fields):
    route = {"prefix": "/", "cluster": cluster, "timeout_ms": 0}
    return {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}], **fields}


def rds(name="users", delay_ms=DELAY_MS):
    return {"rds": {"cluster": "discovery", "route_config_name": name, "refresh_delay_ms": delay_ms}}


def discovered_listener(port, name="in", **hcm):
    """Without routes of its own where `rds` stands among the fields."""
    made = listener(port, {"prefix": "/", "cluster": "users"}, **hcm)
    if "rds" in hcm:
        del made["filters"][0]["config"]["route_config"]
    return {**made, "name": name}


class Edge:
    """A proxy whose services are found through `discovery`."""

    def __init__(self, stage, discovery, listeners, clusters=(), cds=True, lds=False, flags=NODE, wait=True, **manager):
        self.admin = free_port()
        config = {
            "listeners": listeners,
            "admin": {"access_log_path": "/dev/null", "address": f"tcp://127.0.0.1:{self.admin}"},
            "cluster_manager": {"clusters": list(clusters), **manager},
        }
        service = service_cluster("discovery", discovery.port)
        if cds:
            config["cluster_manager"]["cds"] = {"cluster": service, "refresh_delay_ms": DELAY_MS}
        else:
            config["cluster_manager"]["clusters"].append(service)
        if lds:
            config["lds"] = {"cluster": "discovery", "refresh_delay_ms": DELAY_MS}
        self.process = stage.start(config, *flags, admin=self.admin, wait=wait)

    def __getattr__(self, name):
        return getattr(self.process, name)

    def dump(self, name):
        """The entries of a list of /config_dump."""
        return [c[name] for c in self.ask_admin("/config_dump").json()["configs"] if name in c]
