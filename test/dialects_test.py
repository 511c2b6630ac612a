"""One proxy in v1, v2 and v3: the same requests give the same responses, log lines and statistics, and the backend sees
the same. What an old dialect means otherwise by itself, and v3 has to say, is marked in V3 with `# v1, v2:`."""

import json
import re

import pytest

from peers import Client, eventually, request_bytes, response_bytes
from processes import Proxy, free_port

FORMAT = "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %UPSTREAM_CLUSTER%\\n"

V1 = """{
  "listeners": [{
    "address": "tcp://127.0.0.1:PORT",
    "filters": [{"type": "read", "name": "http_connection_manager", "config": {
      "codec_type": "auto", "stat_prefix": "in", "server_name": "edge", "use_remote_address": true,
      "idle_timeout_s": 840, "add_user_agent": true,
      "access_log": [
        {"path": "LOG", "format": "FORMAT"},
        {"path": "ERRORS", "format": "FORMAT", "filter": {"type": "status_code", "op": ">=", "value": 400}}
      ],
      "route_config": {
        "response_headers_to_add": [{"key": "x-edge", "value": "1"}],
        "response_headers_to_remove": ["x-secret"],
        "request_headers_to_add": [{"key": "x-from", "value": "%PROTOCOL%"}],
        "virtual_hosts": [
          {"name": "tls", "domains": ["tls.example"], "require_ssl": "all",
           "routes": [{"prefix": "/", "cluster": "backend"}]},
          {"name": "site", "domains": ["*"],
           "virtual_clusters": [{"pattern": "^/users/\\\\d+$", "method": "PUT", "name": "user"}],
           "routes": [
             {"prefix": "/old", "host_redirect": "new.example.com", "path_redirect": "/new"},
             {"path": "/Exact", "case_sensitive": false, "cluster": "backend", "timeout_ms": 0},
             {"prefix": "/named", "cluster_header": "x-cluster", "cluster_not_found_response_code": "not_found"},
             {"regex": "/r/[0-9]+", "headers": [{"name": "x-one", "value": "1"}, {"name": "x-there"}],
              "weighted_clusters": {"clusters": [{"name": "backend", "weight": 0}, {"name": "other", "weight": 100}]}},
             {"prefix": "/match", "headers": [{"name": "x-match", "value": "a|b", "regex": true}],
              "cluster": "other", "timeout_ms": 700},
             {"prefix": "/some", "runtime": {"key": "routing.some", "default": 0}, "cluster": "other"},
             {"prefix": "/retried", "cluster": "backend", "timeout_ms": 5000,
              "retry_policy": {"retry_on": "5xx", "num_retries": 2, "per_try_timeout_ms": 4000}},
             {"prefix": "/rewritten", "prefix_rewrite": "/api/", "host_rewrite": "backend.internal",
              "cluster": "backend", "priority": "high", "request_headers_to_add": [{"key": "x-route", "value": "all"}]},
             {"prefix": "/empty", "cluster": "empty"},
             {"prefix": "/ws", "cluster": "backend", "use_websocket": true},
             {"prefix": "/", "cluster": "backend"}
           ]}
        ]},
      "filters": [
        {"type": "both", "name": "health_check", "config": {"pass_through_mode": false, "endpoint": "/healthy"}},
        {"type": "decoder", "name": "buffer", "config": {"max_request_bytes": 20}},
        {"type": "both", "name": "cors", "config": {}},
        {"type": "both", "name": "grpc_web", "config": {}},
        {"type": "both", "name": "grpc_http1_bridge", "config": {}},
        {"type": "decoder", "name": "router", "config": {}}
      ]}}]}],
  "admin": {"access_log_path": "/dev/null", "address": "tcp://127.0.0.1:ADMIN"},
  "cluster_manager": {"clusters": [
    {"name": "backend", "connect_timeout_ms": 250, "type": "static", "lb_type": "round_robin",
     "circuit_breakers": {"default": {"max_connections": 100}, "high": {"max_requests": 5}},
     "outlier_detection": {"consecutive_5xx": 100},
     "hosts": [{"url": "tcp://127.0.0.1:BACKEND"}]},
    {"name": "other", "connect_timeout_ms": 250, "type": "strict_dns", "lb_type": "least_request",
     "hosts": [{"url": "tcp://127.0.0.1:OTHER"}]},
    {"name": "empty", "connect_timeout_ms": 250, "type": "static", "lb_type": "random", "hosts": []}
  ]}
}"""

V2 = """
static_resources:
  listeners:
  - address: {socket_address: {address: 127.0.0.1, port_value: PORT}}
    filter_chains:
    - filters:
      - name: envoy.http_connection_manager
        config:
          codec_type: auto
          stat_prefix: in
          server_name: edge
          use_remote_address: true
          idle_timeout: 840s
          add_user_agent: true
          access_log:
          - {name: envoy.file_access_log, config: {path: LOG, format: "FORMAT"}}
          - name: envoy.file_access_log
            config: {path: ERRORS, format: "FORMAT"}
            filter: {status_code_filter: {comparison: {op: GE, value: {default_value: 400, runtime_key: a}}}}
          route_config:
            response_headers_to_add: [{header: {key: x-edge, value: "1"}}]
            response_headers_to_remove: [x-secret]
            request_headers_to_add: [{header: {key: x-from, value: "%PROTOCOL%"}}]
            virtual_hosts:
            - name: tls
              domains: [tls.example]
              require_tls: ALL
              routes: [{match: {prefix: /}, route: {cluster: backend}}]
            - name: site
              domains: ["*"]
              virtual_clusters: [{pattern: '^/users/\\d+$', method: PUT, name: user}]
              routes:
              - {match: {prefix: /old}, redirect: {host_redirect: new.example.com, path_redirect: /new}}
              - {match: {path: /Exact, case_sensitive: false}, route: {cluster: backend, timeout: 0s}}
              - match: {prefix: /named}
                route: {cluster_header: x-cluster, cluster_not_found_response_code: NOT_FOUND}
              - match: {regex: "/r/[0-9]+", headers: [{name: x-one, value: "1"}, {name: x-there}]}
                route: {weighted_clusters: {clusters: [{name: backend, weight: 0}, {name: other, weight: 100}]}}
              - match: {prefix: /match, headers: [{name: x-match, value: a|b, regex: true}]}
                route: {cluster: other, timeout: 0.7s}
              - match: {prefix: /some, runtime: {default_value: 0, runtime_key: routing.some}}
                route: {cluster: other}
              - match: {prefix: /retried}
                route:
                  cluster: backend
                  timeout: 5s
                  retry_policy: {retry_on: 5xx, num_retries: 2, per_try_timeout: 4s}
              - match: {prefix: /rewritten}
                route:
                  prefix_rewrite: /api/
                  host_rewrite: backend.internal
                  cluster: backend
                  priority: HIGH
                  request_headers_to_add: [{header: {key: x-route, value: all}}]
              - {match: {prefix: /empty}, route: {cluster: empty}}
              - {match: {prefix: /ws}, route: {cluster: backend, use_websocket: true}}
              - {match: {prefix: /}, route: {cluster: backend}}
          http_filters:
          - name: envoy.health_check
            config: {pass_through_mode: false, endpoint: /healthy}
          - {name: envoy.buffer, config: {max_request_bytes: 20}}
          - name: envoy.cors
          - name: envoy.grpc_web
          - {name: envoy.grpc_http1_bridge, config: {}}
          - name: envoy.router
  clusters:
  - name: backend
    connect_timeout: 0.25s
    type: static
    lb_policy: round_robin
    circuit_breakers: {thresholds: [{max_connections: 100}, {priority: HIGH, max_requests: 5}]}
    outlier_detection: {consecutive_5xx: 100}
    hosts: [{socket_address: {address: 127.0.0.1, port_value: BACKEND}}]
  - name: other
    connect_timeout: 0.25s
    type: strict_dns
    lb_policy: least_request
    hosts: [{socket_address: {address: 127.0.0.1, port_value: OTHER}}]
  - {name: empty, connect_timeout: 0.25s, type: static, lb_policy: random}
admin:
  access_log_path: /dev/null
  address: {socket_address: {address: 127.0.0.1, port_value: ADMIN}}
"""

TYPE = "type.googleapis.com/envoy.extensions"
V3 = """
static_resources:
  listeners:
  - address: {socket_address: {address: 127.0.0.1, port_value: PORT}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": TYPE.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          server_name: edge
          use_remote_address: true
          common_http_protocol_options: {idle_timeout: 840s}
          add_user_agent: true
          access_log:
          - name: envoy.access_loggers.file
            typed_config:
              "@type": TYPE.access_loggers.file.v3.FileAccessLog
              path: LOG
              log_format: {text_format_source: {inline_string: "FORMAT"}}
          - name: envoy.access_loggers.file
            filter: {status_code_filter: {comparison: {op: GE, value: {default_value: 400, runtime_key: a}}}}
            typed_config:
              "@type": TYPE.access_loggers.file.v3.FileAccessLog
              path: ERRORS
              log_format: {text_format_source: {inline_string: "FORMAT"}}
          route_config:
            response_headers_to_add: [{header: {key: x-edge, value: "1"}}]
            response_headers_to_remove: [x-secret]
            request_headers_to_add: [{header: {key: x-from, value: "%PROTOCOL%"}}]
            virtual_hosts:
            - name: tls
              domains: [tls.example]
              require_tls: ALL
              routes: [{match: {prefix: /}, route: {cluster: backend}}]
            - name: site
              domains: ["*"]
              virtual_clusters:
              - name: user
                headers:
                - {name: ":path", string_match: {safe_regex: {regex: '^/users/\\d+$'}}}
                - {name: ":method", string_match: {exact: PUT}}
              routes:
              - {match: {prefix: /old}, redirect: {host_redirect: new.example.com, path_redirect: /new}}
              - {match: {path: /Exact, case_sensitive: false}, route: {cluster: backend, timeout: 0s}}
              - match: {prefix: /named}
                route: {cluster_header: x-cluster, cluster_not_found_response_code: NOT_FOUND}
              - match:
                  safe_regex: {regex: "/r/[0-9]+"}
                  headers: [{name: x-one, string_match: {exact: "1"}}, {name: x-there, present_match: true}]
                route: {weighted_clusters: {clusters: [{name: backend, weight: 0}, {name: other, weight: 100}]}}
              - match: {prefix: /match, headers: [{name: x-match, string_match: {safe_regex: {regex: a|b}}}]}
                route: {cluster: other, timeout: 0.7s}
              - match:
                  prefix: /some
                  runtime_fraction: {default_value: {numerator: 0}, runtime_key: routing.some}
                route: {cluster: other}
              - match: {prefix: /retried}
                route:
                  cluster: backend
                  timeout: 5s
                  retry_policy: {retry_on: 5xx, num_retries: 2, per_try_timeout: 4s}
              - match: {prefix: /rewritten}
                request_headers_to_add: [{header: {key: x-route, value: all}}]
                route:
                  prefix_rewrite: /api/
                  host_rewrite_literal: backend.internal
                  cluster: backend
                  priority: HIGH
              - {match: {prefix: /empty}, route: {cluster: empty}}
              - match: {prefix: /ws}
                route: {cluster: backend, upgrade_configs: [{upgrade_type: websocket}]}
              - {match: {prefix: /}, route: {cluster: backend}}
          http_filters:
          - name: envoy.filters.http.health_check
            typed_config:
              "@type": TYPE.filters.http.health_check.v3.HealthCheck
              pass_through_mode: false
              headers: [{name: ":path", string_match: {exact: /healthy}}]
          - name: envoy.filters.http.buffer
            typed_config: {"@type": TYPE.filters.http.buffer.v3.Buffer, max_request_bytes: 20}
          - name: envoy.filters.http.cors
            typed_config: {"@type": TYPE.filters.http.cors.v3.Cors}
          - name: envoy.filters.http.grpc_web
            typed_config: {"@type": TYPE.filters.http.grpc_web.v3.GrpcWeb}
          - name: envoy.filters.http.grpc_http1_bridge
            typed_config: {"@type": TYPE.filters.http.grpc_http1_bridge.v3.Config}
          - name: envoy.filters.http.router
            typed_config: {"@type": TYPE.filters.http.router.v3.Router}
  clusters:
  - name: backend
    connect_timeout: 0.25s
    circuit_breakers: {thresholds: [{max_connections: 100}, {priority: HIGH, max_requests: 5}]}
    outlier_detection: {consecutive_5xx: 100}
    load_assignment: {cluster_name: backend, endpoints: [{lb_endpoints: [ENDPOINT_BACKEND]}]}
  - name: other
    connect_timeout: 0.25s
    type: STRICT_DNS
    dns_lookup_family: V4_ONLY  # v1, v2: the families that a name is looked up for by itself.
    lb_policy: LEAST_REQUEST
    load_assignment: {cluster_name: other, endpoints: [{lb_endpoints: [ENDPOINT_OTHER]}]}
  - {name: empty, connect_timeout: 0.25s, lb_policy: RANDOM}
admin:
  access_log: [{name: log, typed_config: {"@type": TYPE.access_loggers.file.v3.FileAccessLog, path: /dev/null}}]
  address: {socket_address: {address: 127.0.0.1, port_value: ADMIN}}
"""
for name in ("BACKEND", "OTHER"):
    endpoint = f"{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {name}}}}}}}}}"
    V3 = V3.replace(f"ENDPOINT_{name}", endpoint)
FILES = {"v1.json": V1, "v2.yaml": V2, "v3.yaml": V3.replace("TYPE", TYPE)}

WEBSOCKET = [("Connection", "upgrade"), ("Upgrade", "websocket")]
REQUESTS = {
    "a virtual host that wants TLS": request_bytes("/a?b", host="tls.example"),
    "a redirect": request_bytes("/old?q"),
    "a path in any case": request_bytes("/eXACT"),
    "a cluster by its name": request_bytes("/named", fields=[("x-cluster", "other")]),
    "no such cluster": request_bytes("/named", fields=[("x-cluster", "nosuch")]),
    "an expression and fields": request_bytes("/r/12", fields=[("x-one", "1"), ("x-there", "")]),
    "an expression that is the whole path": request_bytes("/r/12/3", fields=[("x-one", "1"), ("x-there", "")]),
    "a field missing": request_bytes("/r/12", fields=[("x-one", "1")]),
    "a field by an expression": request_bytes("/match", fields=[("x-match", "b")]),
    "a field by no part of an expression": request_bytes("/match", fields=[("x-match", "ab")]),
    "by chance, never": request_bytes("/some"),
    "retries": request_bytes("/retried/503"),
    "a failure": request_bytes("/503"),
    "rewritten": request_bytes("/rewritten/x?y"),
    "no host": request_bytes("/empty"),
    "a virtual cluster": request_bytes("/users/12", "PUT", body=b"x"),
    "another method": request_bytes("/users/12"),
    "a health check": request_bytes("/healthy"),
    "a body": request_bytes("/", "POST", body=b"0123456789"),
    "a body that is too long": request_bytes("/", "POST", body=b"0" * 30),
    "an upgrade that is declined": request_bytes("/ws", fields=WEBSOCKET),
    "an upgrade that is not allowed": request_bytes("/", fields=WEBSOCKET),
    "who the client is": request_bytes("/", fields=[("x-forwarded-for", "1.2.3.4"), ("x-envoy-internal", "true")]),
    "a call of a browser": request_bytes("/a.B/c", "POST", [("content-type", "application/grpc-web")], b"0"),
    "a bridged call": request_bytes("/a.B/c", "POST", [("content-type", "application/grpc")], b"0"),
    "no host field": b"GET / HTTP/1.1\r\n\r\n",
    "no HTTP": b"nonsense\r\n\r\n",
}
VARYING = {"date", "x-request-id", "x-envoy-upstream-service-time", "cdn-loop"}
UNTIMED = ("http.in.", "cluster.", "vhost.", "listener_manager.listener_create_success")


def stable(fields):
    return sorted((n, "" if n in VARYING else v) for n, v in fields)


def answer(request):
    return response_bytes("503 Bad" if "503" in request.target else "200 OK", [("x-secret", "s")], b"body")


class Served:
    """A file of one dialect, run."""

    def __init__(self, stage, name):
        self.backends = [stage.backend(answer), stage.backend(answer)]
        self.port, admin = free_port(), free_port()
        self.logs = [stage.directory / f"{name}.log", stage.directory / f"{name}.errors"]
        marks = {"PORT": self.port, "ADMIN": admin, "BACKEND": self.backends[0].port, "OTHER": self.backends[1].port}
        marks |= {"LOG": self.logs[0], "ERRORS": self.logs[1], "FORMAT": FORMAT}
        text = re.sub(rf"\b({'|'.join(marks)})\b", lambda m: str(marks[m.group()]), FILES[name])
        argv = ["-c", stage.file(text, name), "--concurrency", "1", "--file-flush-interval-msec", "10"]
        self.proxy = stage.ending.enter_context(Proxy([*argv, "--service-cluster", "front"], admin=admin))
        self.proxy.wait_listening(self.port, admin)

    def logged(self):
        return [log.read_text().splitlines() if log.exists() else [] for log in self.logs]

    def seen(self, data):
        before = [len(b.requests) for b in self.backends]
        with Client(self.port) as client:
            client.send(data)
            response = client.response()
        asked = [
            [r.start_line, stable(r.fields), r.body]
            for b, from_here in zip(self.backends, before)
            for r in b.requests[from_here:]
        ]
        return [response.start_line, stable(response.fields), response.body, asked]

    def counted(self):
        self.proxy.wait_stat("http.in.downstream_cx_active", 0)
        counted = self.proxy.stats(UNTIMED)
        return {n: v for n, v in counted.items() if not n.endswith("_bytes_total") and "_ms" not in n}


@pytest.fixture(scope="module")
def served(shared):
    return {name: Served(shared, name) for name in FILES}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request(served, name):
    seen = {version: one.seen(REQUESTS[name]) for version, one in served.items()}
    assert seen["v1.json"] == seen["v3.yaml"]
    assert seen["v2.yaml"] == seen["v3.yaml"]


def test_log_lines_and_statistics_of_all_of_them(stage):
    served = {name: Served(stage, name) for name in FILES}
    found = {}
    for version, one in served.items():
        for data in REQUESTS.values():
            one.seen(data)
        eventually(lambda: len(one.logged()[0]) == len(REQUESTS), "a line for each request")
        found[version] = one.logged(), one.counted()
    for old in ("v1.json", "v2.yaml"):
        (lines, counted), (lines_of_v3, counted_of_v3) = found[old], found["v3.yaml"]
        assert lines == lines_of_v3
        different = {
            n: (counted.get(n), counted_of_v3.get(n))
            for n in {**counted, **counted_of_v3}
            if counted.get(n) != counted_of_v3.get(n)
        }
        assert not different, json.dumps(different, indent=1)
