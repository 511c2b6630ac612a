"""Configurations of Envoy's API v1 as Python values, and a service of discovery that says what the test wants."""

import json

from peers import response_bytes


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
    """Answers each path with the JSON (or the bytes) that stands there; others with 404."""

    def __init__(self, stage):
        self.answers = {}
        self.backend = stage.backend(self.answer, name="discovery")
        self.port = self.backend.port

    def answer(self, request):
        said = self.answers.get(request.target)
        if said is None:
            return response_bytes("404 Not Found")
        return response_bytes(body=said if isinstance(said, bytes) else json.dumps(said).encode())

    def asked(self, path):
        return sum(request.target == path for request in self.backend.requests)

    def wait_asked(self, path):
        """Until this is asked for once more, and the answer before has been taken."""
        count = self.asked(path) + 1
        self.backend.wait(lambda _: self.asked(path) >= count, f"a question for {path}")
