"""`outrider explain`: the way of a request, rule by rule, with the file and line of each."""

import subprocess

import pytest

from config_text import bootstrap, cluster, listener, route, virtual_host
from processes import BINARY, free_port

# The lines around the fields of a connection manager, and a cluster behind them.
HEAD = """\
static_resources:
  listeners:
  - name: front
    address: {socket_address: {address: 127.0.0.1, port_value: 8080}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
"""
TAIL = """\
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - name: mine
    load_assignment:
      cluster_name: mine
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 10.0.0.1, port_value: 80}}}}]}]
"""

FILE = (
    HEAD
    + """\
          route_config:
            virtual_hosts:
            - name: special
              domains: ["*.special"]
              routes:
              - match: {prefix: /}
                redirect: {host_redirect: elsewhere}
            - name: others
              domains: ["*"]
              routes:
              - match: {path: /exact}
                direct_response: {status: 204}
              - match: {prefix: /, headers: [{name: x-user, string_match: {exact: me}}]}
                route: {cluster: mine}
              - name: shares
                match: {prefix: /shares}
                route: {weighted_clusters: {clusters: [{name: mine, weight: 1}, {name: theirs, weight: 3}]}}
"""
    + TAIL
    + """\
  - {name: theirs, load_assignment: {cluster_name: theirs}}
"""
)


def explain(*words):
    done = subprocess.run([BINARY, "explain", *map(str, words)], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def lines(path, method, url, *fields):
    code, out, err = explain(path, method, url, *(w for f in fields for w in ("-H", f)))
    assert code == 0, err
    return [line.replace(str(path), "FILE").strip() for line in out.splitlines()]


def written(directory):
    path = directory / "file.yaml"
    path.write_text(FILE)
    return path


def test_each_rule_has_its_line(tmp_path):
    assert lines(written(tmp_path), "GET", "http://a:8080/x?y", "X-User: me") == [
        "listener 'front' on 127.0.0.1:8080  [FILE:3]",
        "filter chain 1: HTTP connection manager, stat_prefix 'in'",
        "virtual host 'others' has the domain for 'a:8080'  [FILE:18]",
        "route 1 is passed over: path '/exact'; the path is another  [FILE:21]",
        "route 2 takes it: prefix '/'  [FILE:23]",
        "cluster 'mine', round robin, time-out 15000 ms  [FILE:32]",
        "endpoint 10.0.0.1:80",
    ]


def test_it_says_why_a_route_is_passed_over(tmp_path):
    found = lines(written(tmp_path), "GET", "http://a/nothing")
    assert "route 2 is passed over: prefix '/'; the field x-user is not 'me'  [FILE:23]" in found
    assert found[-1] == "404: no route of the virtual host matches"


def test_choices_by_chance_are_all_told(tmp_path):
    found = lines(written(tmp_path), "GET", "http://a/shares")
    assert "with 1 of 4 by chance" in found and "with 3 of 4 by chance" in found
    assert "it has no endpoints: 503" in found


def test_domains_and_redirects(tmp_path):
    found = lines(written(tmp_path), "GET", "http://a.special:8080/")
    assert "virtual host 'special' has the domain for 'a.special:8080'  [FILE:13]" not in found  # The port is not its.
    found = lines(written(tmp_path), "GET", "http://a.special/")
    assert "no listener has the port 80: all are looked at" in found
    assert "virtual host 'special' has the domain for 'a.special'  [FILE:13]" in found
    assert found[-1] == "answer: a redirect, status 301, to 'http://elsewhere/'"


EDGE = (
    HEAD
    + """\
          strip_matching_host_port: true
          normalize_path: true
          merge_slashes: true
          path_with_escaped_slashes_action: UNESCAPE_AND_REDIRECT
          common_http_protocol_options: {headers_with_underscores_action: DROP_HEADER}
          route_config:
            virtual_hosts:
            - name: api
              domains: [api.example.com]
              routes:
              - match: {prefix: /v1/, headers: [{name: a_b, present_match: true}]}
                direct_response: {status: 204}
              - match: {prefix: /v1/}
                route: {cluster: mine, prefix_rewrite: /, host_rewrite_literal: inside}
              - match:
                  path_match_policy:
                    name: envoy.path.match.uri_template.uri_template_matcher
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig
                      path_template: /t/{id}/x
                redirect: {https_redirect: true}
              - match: {prefix: /half, runtime_fraction: {default_value: {numerator: 0}, runtime_key: half}}
                direct_response: {status: 200}
            - name: safe
              domains: [safe.example.com]
              require_tls: ALL
              routes: [{match: {prefix: /}, route: {cluster: mine}}]
"""
    + TAIL
    + """\
layered_runtime: {layers: [{name: l, static_layer: {half: 50}}]}
"""
)


@pytest.mark.parametrize(
    "url, fields, said",
    [
        (
            "http://api.example.com:8080/v1//./a?q",
            ["a_b: c"],
            [
                "fields with an underscore in their name are dropped",
                "the path becomes '/v1/a?q'",
                "the host becomes 'api.example.com'",
                "virtual host 'api' has the domain for 'api.example.com'  [FILE:18]",
                "route 1 is passed over: prefix '/v1/'; the field a_b is missing  [FILE:21]",
                "route 2 takes it: prefix '/v1/'  [FILE:23]",
                "the backend sees path '/a?q', host 'inside'",
            ],
        ),
        ("http://api.example.com:8080/a%2fb", [], ["answer: a redirect, status 307, to '/a/b'"]),
        (
            "http://api.example.com:8080/t/7/x",
            [],
            [
                "route 3 takes it: uri_template '/t/{id}/x'  [FILE:25]",
                "answer: a redirect, status 301, to 'https://api.example.com/t/7/x'",
            ],
        ),
        ("http://api.example.com:8080/half", [], ["route 4 takes 50 of 100 by chance: prefix '/half'  [FILE:32]"]),
        (
            "http://safe.example.com:8080/a",
            [],
            [
                "require_tls of the virtual host takes it  [FILE:34]",
                "answer: a redirect, status 301, to 'https://safe.example.com/a'",
            ],
        ),
        ("http://safe.example.com:8080/a", ["X-Forwarded-Proto: https"], ["route 1 takes it: prefix '/'  [FILE:37]"]),
    ],
)
def test_what_the_edge_changes_is_told(tmp_path, url, fields, said):
    path = tmp_path / "edge.yaml"
    path.write_text(EDGE)
    found = lines(path, "GET", url, *fields)
    for line in said:
        assert line in found, found


def test_a_running_proxy_is_asked_at_its_admin_page(stage):
    port, admin = free_port(), free_port()
    hosts = [virtual_host(route("b", prefix="/a"))]
    proxy = stage.start(bootstrap([listener(port, hosts)], [cluster("b", 1)], admin), ports=[port], admin=admin)
    found = lines(f"127.0.0.1:{admin}", "GET", f"http://x:{port}/a")
    found = [line.replace(str(proxy.config), "FILE") for line in found]
    assert found == lines(proxy.config, "GET", f"http://x:{port}/a")
    assert any(line.startswith("route 1 takes it: prefix '/a'  [") for line in found)
    assert proxy.alive


CONNECTS = (
    HEAD
    + """\
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {prefix: /}
                direct_response: {status: 204}
              - match: {connect_matcher: {}}
                route: {cluster: mine, upgrade_configs: [{upgrade_type: CONNECT, connect_config: {}}]}
"""
    + TAIL
)


@pytest.mark.parametrize("target", ["db.example:5432", "http://db.example:5432/"])
def test_the_way_of_a_connect(tmp_path, target):
    path = tmp_path / "file.yaml"
    path.write_text(CONNECTS)
    told = lines(path, "CONNECT", target)
    assert not any("5432: all are looked at" in line for line in told)
    assert any(line.startswith("route 1 is passed over") and "the method is CONNECT" in line for line in told)
    assert any(line.startswith("route 2 takes it: connect_matcher") for line in told) and "mine" in " ".join(told)
    assert any(line.startswith("route 1 takes it") for line in lines(path, "GET", "http://a/"))


def test_what_cannot_be_asked_is_said(tmp_path):
    code, out, err = explain("127.0.0.1:1", "GET", "http://a/")
    assert code == 1 and out == "" and "no admin page answers there: Connection refused" in err
    (tmp_path / "bad.yaml").write_text("static_resources: {listner: 1}")
    code, out, err = explain(tmp_path / "bad.yaml", "GET", "http://a/")
    assert code == 1 and "bad.yaml:1:20" in err
    assert explain("one")[0] == 1


def test_it_makes_no_file(tmp_path):
    log = tmp_path / "access.log"
    path = tmp_path / "logged.yaml"
    logger = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog"
    said = f'          access_log: [{{name: f, typed_config: {{"@type": {logger}, path: {log}}}}}]\n'
    path.write_text(FILE.replace("          stat_prefix: in\n", "          stat_prefix: in\n" + said))
    assert lines(path, "GET", "http://a/nothing")
    assert not log.exists()


def test_variables_may_stay_as_they_stand(tmp_path):
    path = tmp_path / "file.yaml"
    path.write_text(FILE.replace("stat_prefix: in", "stat_prefix: ${NOT_SET_ANYWHERE}"))
    assert explain(path, "GET", "http://a/")[0] == 1
    code, out, _ = explain("--no-environment", path, "GET", "http://a/")
    assert code == 0 and "stat_prefix '${NOT_SET_ANYWHERE}'" in out


def test_the_admin_page_may_be_named_as_a_url(stage):
    proxy = stage.proxy(route("backend"), clusters=[cluster("backend", 1)])
    code, out, err = explain(f"http://127.0.0.1:{proxy.admin}/", "GET", "http://a/")
    assert code == 0 and "cluster 'backend'" in out, err


def test_what_is_missing_is_named():
    assert "FILE or ADMIN is missing" in explain()[2]
    assert "URL is missing" in explain("file", "GET")[2]


@pytest.mark.parametrize(
    "url, why",
    [
        ("/v1/", "'/v1/' has no host: http://host/path was expected, or a path with the field 'host: name'"),
        ("ftp://a/", "'ftp://a/' is of another scheme: http://host/path was expected"),
        ("http:///x", "'http:///x' has no host: http://host/path was expected"),
        ("http://[::/", "'[::' is no host: http://host/path was expected"),
    ],
    ids=["path", "scheme", "empty", "malformed"],
)
def test_a_url_is_one_of_http_with_a_host(tmp_path, url, why):
    code, out, err = explain(written(tmp_path), "GET", url)
    assert code == 1 and out == "" and why in err
    assert lines(written(tmp_path), "GET", "/exact", "Host: a")[-1] == "answer: a direct response, status 204"
