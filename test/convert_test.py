"""`outrider convert`: files of every dialect as v3 that real Envoy takes."""

import json
import pathlib
import subprocess
import sys

import pytest

from processes import BINARY, ROOT

sys.path.insert(0, str(ROOT / "test/parity"))
from envoy_binary import ENVOY  # noqa: E402

DIALECTS = sorted((pathlib.Path(__file__).parent / "dialects").iterdir())
CONFIGS = sorted(p for p in (pathlib.Path(__file__).parent / "configs").iterdir())
ENVIRONMENT = {"ENVOY_LB_ALG": "LEAST_REQUEST", "SERVICE_NAME": "myapp"}

names = {"ids": lambda path: path.name}


def convert(stage, path, *options):
    done = stage.process([BINARY, "convert", *options, path], env=ENVIRONMENT)
    done.status = done.wait()
    return done


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pem")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=outrider", "-days", "1"]
        + ["-keyout", str(key), "-out", str(certificate)],
        capture_output=True,
    )
    return (key, certificate) if made.returncode == 0 else pytest.skip("there is no openssl")


@pytest.mark.skipif(not ENVOY, reason="there is no Envoy: none in build/venv, no $ENVOY")
@pytest.mark.parametrize("path", DIALECTS + CONFIGS, **names)
@pytest.mark.parametrize("form", ["yaml", "json"])
def test_envoy_takes_what_is_converted(stage, path, form, pem):
    done = convert(stage, path, "--format", form)
    assert done.status == 0, done.stderr
    text = done.stdout.replace("inline_string: CERTIFICATE", f"filename: {pem[1]}")
    text = text.replace("inline_string: KEY", f"filename: {pem[0]}").replace(
        '"inline_string": "CERTIFICATE"', f'"filename": "{pem[1]}"'
    )
    file = stage.file(text.replace('"inline_string": "KEY"', f'"filename": "{pem[0]}"'), f"converted.{form}")
    named = ["--service-node", "node", "--service-cluster", "cluster"]
    answer = subprocess.run([ENVOY, "--mode", "validate", "-c", str(file), *named], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("path", DIALECTS + CONFIGS, **names)
def test_what_is_converted_converts_to_itself(stage, path):
    once = convert(stage, path)
    assert once.status == 0, once.stderr
    twice = convert(stage, stage.file(once.stdout, "once.yaml"))
    assert twice.stdout == once.stdout
    as_json = convert(stage, stage.file(once.stdout, "again.yaml"), "--format", "json")
    assert json.loads(as_json.stdout)
    assert convert(stage, stage.file(as_json.stdout, "once.json")).stdout == once.stdout


def test_what_is_said_otherwise_now_is_noted(stage):
    done = convert(stage, stage.file("admin: {access_log_path: /dev/null}\nnode: {build_version: '1'}\n"))
    assert done.status == 0
    assert done.stderr == f"{done.argv[-1]}:2:8: node.build_version: note: has no effect: nothing took its place in v3"


def test_mistakes_are_told_and_nothing_is_printed(stage):
    done = convert(stage, stage.file("admin: {adress: 1}\nnode: {id: [a]}\n"))
    assert done.status == 1 and done.stdout == ""
    assert [line.partition(": ")[0].rpartition("yaml:")[2] for line in done.stderr.splitlines()] == ["1:9", "2:8"]


HCM_FILE = """static_resources:
  listeners:
  - address: {socket_address: {address: 127.0.0.1, port_value: 80}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          http_filters: [{name: envoy.filters.http.router}]
          route_config: ROUTES
  clusters: [{name: here, type: STATIC}]
"""
LISTENER = "static_resources: {listeners: [{address: {socket_address: {address: 127.0.0.1, port_value: 80}}}]}\n"
TLS = """static_resources:
  clusters:
  - name: a
    transport_socket:
      name: envoy.transport_sockets.tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
        common_tls_context: {validation_context: {
          match_typed_subject_alt_names: [{san_type: DNS, matcher: {exact: a}}]}}
"""


def routes(*actions, more=""):
    made = ", ".join(f"{{match: {{prefix: /}}, route: {action}}}" for action in actions)
    return HCM_FILE.replace("ROUTES", f"{{{more}virtual_hosts: [{{name: h, domains: ['*'], routes: [{made}]}}]}}")


WRONG = {
    "a route": (routes("{cluster: hear}"), "unknown cluster 'hear'; did you mean 'here'?"),
    "a choice": (routes("{weighted_clusters: {clusters: [{name: x, weight: 1}]}}"), "unknown cluster 'x'"),
    "no chain": (LISTENER, "a listener needs a filter chain"),
    "names alone": (TLS, "needs a trusted_ca beside it"),
    "two clusters": ("static_resources: {clusters: [{name: a}, {name: a}]}\n", "a cluster named 'a' exists already"),
}


@pytest.mark.parametrize("text, said", WRONG.values(), ids=WRONG)
def test_what_envoy_would_refuse_is_refused(stage, text, said):
    done = convert(stage, stage.file(text))
    assert done.status == 1 and done.stdout == "" and said in done.stderr
    if ENVOY:
        assert stage.process([ENVOY, "--mode", "validate", "-c", done.argv[-1], "-l", "off"]).wait() == 1


def test_a_route_may_name_a_cluster_that_comes_later(stage):
    assert convert(stage, stage.file(routes("{cluster: x}", more="validate_clusters: false, "))).status == 0


def test_variables_may_stay(stage):
    file = stage.file("node: {id: '${NAME}', cluster: '${CLUSTER:-c}'}\n")
    assert convert(stage, file).status == 1
    kept = convert(stage, file, "--no-environment")
    assert kept.stdout == 'node:\n  id: "${NAME}"\n  cluster: "${CLUSTER:-c}"'


def test_an_overlay_is_merged_in(stage):
    file = stage.file("node: {id: a}\n")
    assert convert(stage, file, "--config-yaml", "node: {cluster: b}").stdout == "node:\n  id: a\n  cluster: b"


@pytest.mark.parametrize("words", [[], ["a", "b"], ["--format", "xml", "a"], ["--no-such-option", "a"]])
def test_usage(stage, words):
    done = stage.process([BINARY, "convert", *words])
    assert done.wait() == 1 and "usage: outrider" in done.stderr
