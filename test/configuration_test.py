"""Configuration files of every age, alone and mixed; and what is said about those that are wrong."""

import collections
import json
import pathlib
import re

import pytest

from config_text import bootstrap, cluster, listener, route, virtual_host
from peers import ask
from processes import BINARY, free_port

CONFIGS = sorted((pathlib.Path(__file__).parent / "configs").iterdir())


def validate(stage, config, *flags, name=None, env=None):
    path = stage.file(config, name)
    process = stage.process([BINARY, "-c", path, "--mode", "validate", *flags], env=env)
    process.status, process.path = process.wait(), path
    return process


# --- what is accepted ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.name)
def test_published_files_are_accepted(stage, path):
    done = validate(
        stage,
        path.read_text(),
        name=path.name.removesuffix(".tmpl"),
        env={"ENVOY_LB_ALG": "LEAST_REQUEST", "SERVICE_NAME": "myapp"},
    )
    assert done.status == 0, done.stderr
    assert "OK" in done.stdout


V1 = """{
  "listeners": [{
    "address": "tcp://127.0.0.1:PORT",
    "filters": [{"type": "read", "name": "http_connection_manager", "config": {
      "codec_type": "auto", "stat_prefix": "in",
      "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
        {"prefix": "/old", "prefix_rewrite": "/new", "host_rewrite": "other", "timeout_ms": 5000,
         "cluster": "backend"},
        {"prefix": "/", "timeout_ms": 0, "cluster": "backend"}]}]},
      "filters": [{"type": "decoder", "name": "router", "config": {}}]}}]}],
  "admin": {"access_log_path": "/dev/null", "address": "tcp://127.0.0.1:ADMIN"},
  "cluster_manager": {"clusters": [{"name": "backend", "connect_timeout_ms": 250, "type": "static",
    "lb_type": "round_robin",
    "hosts": [{"url": "tcp://127.0.0.1:BACKEND"}]}]}
}"""

V2 = """---
static_resources:
  listeners:
  - name: only
    address: { socket_address: { address: 127.0.0.1, port_value: PORT }}
    filter_chains:
      filters:
      - name: "envoy.http_connection_manager"
        config:
          codec_type: auto
          stat_prefix: in
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {prefix: /old}
                route: {cluster: backend, prefix_rewrite: /new, host_rewrite: other, timeout: {seconds: 5}}
              - match: {prefix: /}
                route: {cluster: backend, timeout: 0s}
          http_filters:
          - name: envoy.router
  clusters:
  - name: backend
    connect_timeout: 0.25s
    type: static
    lb_policy: round_robin
    hosts: [{socket_address: {address: 127.0.0.1, port_value: BACKEND}}]
admin:
  access_log_path: /dev/null
  address: {socket_address: {address: 127.0.0.1, port_value: ADMIN}}
"""

V3 = """
admin:
  address: {socket_address: {address: 127.0.0.1, port_value: ADMIN}}
static_resources:
  listeners:
  - address: {socket_address: {address: 127.0.0.1, port_value: PORT}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          codec_type: AUTO
          stat_prefix: in
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {prefix: /old}
                route: {cluster: backend, prefix_rewrite: /new, host_rewrite_literal: other, timeout: 5s}
              - match: {prefix: /}
                route: {cluster: backend, timeout: 0s}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - name: backend
    type: STATIC
    connect_timeout: 0.25s
    load_assignment:
      cluster_name: backend
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: BACKEND}}}}]}]
"""

# Parts of each age in one file.
MIXED = V3.replace(
    """    type: STATIC
    connect_timeout: 0.25s
    load_assignment:
      cluster_name: backend
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: BACKEND}}}}]}]
""",
    """    type: static
    connect_timeout: 0.25s
    hosts: [{socket_address: {address: 127.0.0.1, port_value: BACKEND}}]
""",
).replace("host_rewrite_literal", "host_rewrite")


@pytest.mark.parametrize(
    "text, name", [(V1, "a.json"), (V2, "a.yaml"), (V3, "a.yaml"), (MIXED, "a.yaml")], ids=["v1", "v2", "v3", "mixed"]
)
def test_each_version_serves_alike(stage, text, name):
    backend, port, admin = stage.backend(), free_port(), free_port()
    for mark, value in {"PORT": port, "ADMIN": admin, "BACKEND": backend.port}.items():
        text = re.sub(rf"\b{mark}\b", str(value), text)
    path = stage.file(text, name)
    stage.process([BINARY, "-c", path]).wait_listening(port, admin)
    assert ask(port, "/old/x").body == ask(port, "/y").body == b"backend"
    first, second = backend.requests
    assert (first.target, first["host"], first["x-envoy-expected-rq-timeout-ms"]) == ("/new/x", "other", "5000")
    assert (second.target, second["host"], second["x-envoy-expected-rq-timeout-ms"]) == ("/y", "test.example", None)


def simple(port, backend_port):
    return bootstrap([listener(port, [virtual_host(route("b"))])], [cluster("b", backend_port)])


def test_json_and_yaml_are_told_apart_by_their_content(stage):
    for name in ("a.json", "a.yaml", "no-extension"):
        assert validate(stage, json.dumps(simple(8080, 8081)), name=name).status == 0


# --- the environment ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, env, expected",
    [
        ("${NAME}", {"NAME": "from-env"}, "from-env"),
        ("${NAME:-fallback}", {}, "fallback"),
        ("${NAME:-fallback}", {"NAME": "set"}, "set"),
        ("a${NAME}z", {"NAME": "-"}, "a-z"),
        ("$NAME", {"NAME": "x"}, "$NAME"),
    ],
)
def test_the_environment_is_substituted(stage, text, env, expected):
    config = {
        "static_resources": {
            "listeners": [
                listener(
                    (port := free_port()),
                    [
                        virtual_host(
                            {
                                "match": {"prefix": "/"},
                                "direct_response": {"status": 200, "body": {"inline_string": text}},
                            }
                        )
                    ],
                )
            ]
        }
    }
    stage.start(config, ports=[port], env=env)
    assert ask(port).body.decode() == expected


def test_the_environment_can_be_left_alone(stage):
    config = {
        "static_resources": {
            "listeners": [
                listener(
                    (port := free_port()),
                    [
                        virtual_host(
                            {
                                "match": {"prefix": "/"},
                                "direct_response": {"status": 200, "body": {"inline_string": "${NAME}"}},
                            }
                        )
                    ],
                )
            ]
        }
    }
    stage.start(config, "--no-environment", ports=[port], env={"NAME": "x"})
    assert ask(port).body == b"${NAME}"


def test_a_variable_that_is_not_set_is_named_with_its_place(stage):
    done = validate(stage, "admin: {}\nstatic_resources: {clusters: ${NOT_SET_ANYWHERE}}\n")
    assert done.status == 1
    assert f"{done.path}:2:30:" in done.stderr and "NOT_SET_ANYWHERE" in done.stderr


# --- what is refused ----------------------------------------------------------------------------------------------

TEN_MISTAKES = """static_resources:
  listeners:
  - address: {socket_address: {address: 127.0.0.1, port_value: 99999}}
    filter_chians: []
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ""
          codec_type: AUTOMATIC
          route_config:
            virtual_hosts:
            - name: all
              domains: []
              routes:
              - match: {prefix: /}
                route: {cluster: b, timeout: soon}
              - match: {prefix: /a, exact: /b}
                route: {cluster: b}
              - match: {prefix: /n}
                route: {cluster: [b]}
          http_filters:
          - name: envoy.filters.http.router
  clusters:
  - name: b
    type: STATICAL
    connect_timeout: -1s
"""

# line: what is said about it
EXPECTED = {
    3: "65535",
    4: "filter_chains",
    10: "stat_prefix",
    11: "AUTO",
    15: "domains",
    18: "timeout",
    19: "exact",
    22: "cluster",
    27: "STATIC",
    28: "connect_timeout",
}


def errors(process):
    """(line, column, text) of every error."""
    found = re.findall(rf"^{re.escape(str(process.path))}:(\d+):(\d+): (.*)$", process.stderr, re.M)
    return [(int(line), int(column), text) for line, column, text in found]


def test_ten_mistakes_are_ten_errors_each_with_its_place(stage):
    done = validate(stage, TEN_MISTAKES)
    assert done.status == 1
    found = errors(done)
    assert {line for line, _, _ in found} == set(EXPECTED), done.stderr
    for line, word in EXPECTED.items():
        assert any(
            n == line and word in text for n, _, text in found
        ), f"line {line} says nothing of {word}:\n{done.stderr}"
    lines = TEN_MISTAKES.splitlines()
    for line, column, _ in found:
        assert 1 <= column <= len(lines[line - 1]) and lines[line - 1][column - 1] != " "


# Unknown fields, values of the wrong kind or out of range, what is not built, and what only shows between the parts.
ALL_KINDS = """static_resources:
  listeners:
  - name: one
    address: {socket_address: {address: 127.0.0.1, port_value: 99999}}
    filter_chains:
    - filters:
      - name: envoy.http_connection_manager
        config:
          stat_prefix: in
          access_log: [{name: envoy.file_access_log, config: {path: /dev/null, format: "%NONSENSE%"}}]
          route_config:
            virtual_hosts:
            - name: one
              domains: [a.example, "*"]
              routes:
              - {match: {prefix: /}, route: {cluster: nowhere, timeout: soon}}
              - {match: {safe_regex: {regex: "("}}, route: {cluster: typo}}
              - {match: {path: /}, route: {cluster: plain, regex_rewrite: {pattern: {regex: a}, substitution: '\\2'}}}
              - {matsch: {prefix: /b}, route: {cluster: plain}}
            - name: two
              domains: [a.example]
              routes:
              - {match: {prefix: /}, route: {cluster: neither}}
          http_filters: [{name: envoy.router}]
  - name: one
    address: {socket_address: {address: example.com, port_value: 80}}
  clusters:
  - name: typo
    type: STRICKT_DNS
    connect_timeout: 1s
    hosts: [{socket_address: {address: host.example, port_value: 1}}]
  - {name: plain, connect_timeout: 5, type: static, hosts: [{socket_address: {address: not-an-address, port_value: 1}}]}
  - name: plain
    type: LOGICAL_DNS
    lb_policy: LOAD_BALANCING_POLICY_CONFIG
"""
ALL_KINDS_EXPECTED = [
    (4, "65535"),
    (10, "NONSENSE"),
    (16, "nowhere"),
    (16, "duration"),
    (17, "regular expression"),
    (18, "2 matches"),
    (19, "matsch"),
    (21, "a.example"),
    (23, "neither"),
    (26, "example.com"),
    (25, "filter chain"),
    (29, "STRICT_DNS"),
    (32, "duration"),
    (32, "not-an-address"),
    (33, "a cluster named 'plain'"),
    (33, "exactly one host"),
    (35, "LOAD_BALANCING_POLICY_CONFIG"),
]


def test_mistakes_of_all_kinds_are_told_in_one_run_by_their_lines(stage):
    done = validate(stage, ALL_KINDS)
    assert done.status == 1
    found = errors(done)
    for line, word in ALL_KINDS_EXPECTED:
        assert any(n == line and word in text for n, _, text in found), f"line {line}, {word}:\n{done.stderr}"
    assert len(found) == len(ALL_KINDS_EXPECTED), done.stderr
    assert [(n, c) for n, c, _ in found] == sorted((n, c) for n, c, _ in found)


SMALL = """static_resources:
  listeners:
  - address: {socket_address: {address: 127.0.0.1, port_value: 8080}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          access_log:
          - name: envoy.access_loggers.file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: /dev/null
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {prefix: /}
                route: {cluster: b, regex_rewrite: {pattern: {regex: "(a)"}, substitution: '\\1'}}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - name: b
    type: STRICT_DNS
    load_assignment:
      cluster_name: b
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: b.example, port_value: 1}}}}]}]
"""


@pytest.mark.parametrize(
    "right, wrong",
    [
        ("  - name: b\n", "  - nmae: b\n"),
        ("  - name: b\n", "  - name: [b]\n"),
        ("  clusters:", "  clusterz:"),
        ("    type: STRICT_DNS", "    type: STRICKT_DNS"),
        ("    type: STRICT_DNS", "    tpye: STRICT_DNS"),
        ("    type: STRICT_DNS", "    type: EDS"),
        ("    type: STRICT_DNS", "    type: STRICT_DNS\n    lb_policy: LOAD_BALANCING_POLICY_CONFIG"),
        ("    type: STRICT_DNS", "    type: LOGICAL_DNS\n    hosts: 1"),
        ("port_value: 1}", "port_value: one}"),
        ("{cluster: b, ", "{clustre: b, "),
        ("{cluster: b, ", "{cluster: [b], "),
        ("{cluster: b, ", "{cluster_specifier_plugin: b, "),
        ("{cluster: b, ", "{"),
        ('pattern: {regex: "(a)"}', "pattern: {regex: [a]}"),
        ('pattern: {regex: "(a)"}', "pattern: {regx: a}"),
        ('domains: ["*"]', "domains: [{all: yes}]"),
        ("path: /dev/null", "paht: /dev/null"),
        ("path: /dev/null", "path: ''"),
        ("FileAccessLog", "FileAccessLogg"),
        ("http_filters:", "http_filter:"),
        ("filters.http.router.v3.Router", "filters.http.router.v3.Rooter"),
        ("HttpConnectionManager\n", "HttpConnectionManagerr\n"),
        ("filter_chains:", "filter_chian:"),
        ("- filters:", "- filter:"),
        ("address: 127.0.0.1, ", "adress: 127.0.0.1, "),
        ("address: 127.0.0.1, ", "address: [], "),
        ("address: 127.0.0.1, ", ""),
        ("socket_address: {address: 127", "sock_address: {address: 127"),
    ],
)
def test_a_mistake_has_no_followers(stage, right, wrong):
    assert SMALL.count(right) == 1
    done = validate(stage, SMALL.replace(right, wrong))
    assert done.status == 1 and len(errors(done)) == 1, done.stderr


def test_a_default_host_is_a_host(stage):
    options = {"accept_http_10": True, "default_host_for_http_10": "a\r\nx: y"}
    config = bootstrap(
        [listener(free_port(), [virtual_host(route("c"))], http_protocol_options=options)], [cluster("c")]
    )
    proxy = stage.start(config, wait=False)
    assert proxy.wait() == 1
    assert "http_protocol_options.default_host_for_http_10: a host was expected" in proxy.stderr


def test_a_wrong_configuration_opens_no_listener(stage):
    port, other = free_port(), free_port()
    config = bootstrap(
        [listener(port, [virtual_host(route("b"))]), listener(other, [virtual_host(route("missing"))])],
        [cluster("b", 1)],
        admin=free_port(),
    )
    process = stage.start(config, wait=False)
    assert process.wait() == 1
    assert "missing" in process.stderr and "starting to listen" not in process.stderr


@pytest.mark.parametrize(
    "text, line, column, word",
    [
        ("a: [1,\nb: 2\n", None, None, ""),
        ("admin:\n  address: 1\n address: 2\n", None, None, ""),
        ("admin: {}\nadmin: {}\n", 2, 1, "admin"),
        ("\tadmin: {}\n", 1, 1, ""),
        ('{"admin": {},\n "admin": {}}', 2, 2, "admin"),
        ('{"admin": {}\n', None, None, ""),
        ("just text\n", 1, 1, ""),
        ("static_resources: {clusters: [{nmae: a}]}\n", 1, 32, "name"),
        ("static_resource: {}\n", 1, 1, "static_resources"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(stage, text, line, column, word):
    done = validate(stage, text, name="a.json" if text.startswith("{") else "a.yaml")
    assert done.status == 1
    found = errors(done)
    assert found, done.stderr
    assert any(
        (line is None or n == line) and (column is None or c == column) and word in t for n, c, t in found
    ), done.stderr


def test_what_is_not_built_is_refused_by_name_and_line(stage):
    config = simple(8080, 8081)
    config["static_resources"]["clusters"][0]["preconnect_policy"] = {"per_upstream_preconnect_ratio": 1.5}
    done = validate(stage, json.dumps(config, indent=1))
    assert done.status == 1
    ((line, _, text),) = errors(done)
    assert "preconnect_policy" in text and "preconnect_policy" in done.path.read_text().splitlines()[line - 1]


def test_a_file_that_is_not_there(stage):
    process = stage.process([BINARY, "-c", stage.directory / "nowhere.yaml"])
    assert process.wait() == 1 and "nowhere.yaml" in process.stderr


def test_without_a_file_the_usage_is_shown(stage):
    process = stage.process([BINARY], env={})
    if not pathlib.Path("/etc/envoy/envoy.yaml").exists():
        assert process.wait() == 1
        assert "/etc/envoy/envoy.yaml" in process.stderr or "-c" in process.stderr


def test_config_yaml_is_laid_over_the_file(stage):
    port, other = free_port(), free_port()
    backend = stage.backend()
    config = simple(port, backend.port)
    stage.start(
        config,
        "--config-yaml",
        f"admin: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {other}}}}}}}",
        ports=[port, other],
    )
    assert ask(port).body == b"backend"
    assert ask(other, "/ready").status == 200


def test_config_yaml_alone_is_enough(stage):
    port = free_port()
    process = stage.process([BINARY, "--config-yaml", json.dumps(simple(port, 1))])
    process.wait_listening(port)
    assert ask(port).status == 503


@pytest.mark.parametrize("depth", [1, 2, 150])
def test_an_any_in_an_any_comes_to_an_end(stage, depth):
    any_in_any = {"@type": "type.googleapis.com/google.protobuf.Any"}
    for _ in range(depth - 1):
        any_in_any = {"@type": "type.googleapis.com/google.protobuf.Any", "value": any_in_any}
    process = validate(stage, {"stats_sinks": [{"name": "s", "typed_config": any_in_any}]})
    assert process.wait() == 1
    assert "stats_sinks[0]" in process.stderr
