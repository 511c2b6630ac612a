"""Access logs: what is written, when, and how a format that is wrong is refused."""

import json
import signal

import pytest

from config_text import file_log, route, typed
from peers import Client, eventually, request_bytes
from processes import BINARY


def logging_proxy(stage, *routes, **options):
    return stage.proxy(*routes, flags=["--file-flush-interval-msec", "10"], **options)


def logged(path):
    return path.read_text().splitlines() if path.exists() else []


def with_filter(path, condition, text="%REQ(:PATH)%"):
    return {**file_log(path, text), "filter": condition}


def compared(op, number, **value):
    return {"comparison": {"op": op, "value": {"default_value": number, "runtime_key": "", **value}}}


def header(name, **match):
    return {"header_filter": {"header": {"name": name, **match}}}


ROUTES = [
    {"match": {"path": f"/{status}"}, "direct_response": {"status": status, "body": {"inline_string": "x"}}}
    for status in (200, 302, 404, 503)
]
PATHS = ["/200", "/302", "/404", "/503", "/none"]
NEVER = {"percent_sampled": {"numerator": 0}, "runtime_key": "never"}
FILTERS = {
    "errors": ({"status_code_filter": compared("GE", 400)}, ["/404", "/503", "/none"]),
    "not one": ({"status_code_filter": compared("NE", 404)}, ["/200", "/302", "/503"]),
    "up to": ({"status_code_filter": compared("LE", 302)}, ["/200", "/302"]),
    "exactly": ({"status_code_filter": compared("EQ", 503)}, ["/503"]),
    "by a runtime key": ({"status_code_filter": compared("GE", 100, runtime_key="no.such.key")}, PATHS),
    "fast": ({"duration_filter": compared("LE", 60000)}, PATHS),
    "slow": ({"duration_filter": compared("GE", 60000)}, []),
    "no health check": ({"not_health_check_filter": {}}, PATHS),
    "no route": ({"response_flag_filter": {"flags": ["NR"]}}, ["/none"]),
    "any flag": ({"response_flag_filter": {}}, ["/none"]),
    "another flag": ({"response_flag_filter": {"flags": ["UF", "UH"]}}, []),
    "header": (header(":path", string_match={"prefix": "/40"}), ["/404"]),
    "not that header": (header(":path", string_match={"prefix": "/40"}, invert_match=True), PATHS[:2] + PATHS[3:]),
    "a missing header": (header("x-none", present_match=True), []),
    "both": (
        {"and_filter": {"filters": [{"status_code_filter": compared("GE", 400)}, header(":path", contains_match="0")]}},
        ["/404", "/503"],
    ),
    "either": (
        {"or_filter": {"filters": [{"status_code_filter": compared("GE", 500)}, header(":path", exact_match="/200")]}},
        ["/200", "/503"],
    ),
    "gRPC unavailable": ({"grpc_status_filter": {"statuses": ["UNAVAILABLE"]}}, ["/503"]),
    "not gRPC unknown": ({"grpc_status_filter": {"statuses": ["UNKNOWN"], "exclude": True}}, ["/404", "/503", "/none"]),
    "metadata that is not there": ({"metadata_filter": {"matcher": {
        "filter": "a", "path": [{"key": "b"}], "value": {"bool_match": True}}}}, PATHS),
    "only metadata": ({"metadata_filter": {"match_if_key_not_found": False, "matcher": {
        "filter": "a", "path": [{"key": "b"}], "value": {"bool_match": True}}}}, []),
    "the end": ({"log_type_filter": {"types": ["DownstreamEnd"]}}, PATHS),
    "not the end": ({"log_type_filter": {"types": ["DownstreamEnd"], "exclude": True}}, []),
    "never by chance": ({"runtime_filter": NEVER}, []),
    "always by chance": ({"runtime_filter": {"runtime_key": "k", "percent_sampled": {"numerator": 100}}}, PATHS),
}  # fmt: skip


def test_filters(stage):
    logs = {name: stage.directory / f"{i}.log" for i, name in enumerate(FILTERS)}
    proxy = logging_proxy(
        stage, *ROUTES, access_log=[with_filter(logs[name], condition) for name, (condition, _) in FILTERS.items()]
    )
    for path in PATHS:
        stage.client(proxy).ask(path)
    # Each file is written for itself.
    lines = {name: lines for name, (_, lines) in FILTERS.items()}
    eventually(
        lambda: {name: logged(logs[name]) for name in FILTERS} == lines,
        lambda: f"the lines, but {[(name, logged(logs[name])) for name in FILTERS]}",
    )


def test_a_line_at_the_beginning_and_lines_meanwhile(stage):
    path = stage.directory / "log"
    backend = stage.backend(serve=lambda stream: (stream.head(), stream.rest()))
    options = {"flush_access_log_on_new_request": True, "access_log_flush_interval": "0.05s"}
    proxy = logging_proxy(
        stage, backend, access_log=[file_log(path, "%ACCESS_LOG_TYPE% %RESPONSE_CODE%")], access_log_options=options
    )
    with Client(proxy.port) as client:
        client.send(request_bytes())
        eventually(lambda: len(logged(path)) >= 3, "the periodic lines")
    eventually(lambda: logged(path)[-1] == "DownstreamEnd 0", "the last line")
    lines = logged(path)
    assert lines[0] == "DownstreamStart 0"
    assert set(lines[1:-1]) == {"DownstreamPeriodic 0"}


def test_a_line_when_a_tunnel_is_open(stage):
    path = stage.directory / "log"

    def serve(stream):
        stream.head()
        stream.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        stream.rest()

    proxy = logging_proxy(
        stage,
        stage.backend(serve=serve),
        access_log=[file_log(path, "%ACCESS_LOG_TYPE% %RESPONSE_CODE%")],
        access_log_options={"flush_log_on_tunnel_successfully_established": True},
        upgrade_configs=[{"upgrade_type": "websocket"}],
    )
    with Client(proxy.port) as client:
        client.send(request_bytes(fields=[("Connection", "Upgrade"), ("Upgrade", "websocket")]))
        eventually(lambda: logged(path) == ["DownstreamTunnelSuccessfullyEstablished 101"], "the first line")
    eventually(lambda: logged(path)[1:] == ["DownstreamEnd 101"], "the last line")


def test_the_formatter_without_query(stage):
    path = stage.directory / "log"
    formatter = {
        "name": "envoy.formatter.req_without_query",
        "typed_config": typed("envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery"),
    }
    text = {"inline_string": "%REQ_WITHOUT_QUERY(:PATH)%\n"}
    proxy = logging_proxy(
        stage, *ROUTES, access_log=[file_log(path, {"text_format_source": text, "formatters": [formatter]})]
    )
    stage.client(proxy).ask("/200?secret=1")
    eventually(lambda: logged(path) == ["/200"], "the line")


@pytest.mark.parametrize("fields", [
    {"json_format": {"code": "%RESPONSE_CODE%"}}, {"typed_json_format": {"code": "%RESPONSE_CODE%"}},
    {"format": '{"code":%RESPONSE_CODE%}\n'}])  # fmt: skip
def test_the_old_fields(stage, fields):
    path = stage.directory / "log"
    proxy = logging_proxy(stage, *ROUTES, access_log=[file_log(path, **fields)])
    stage.client(proxy).ask("/404")
    eventually(lambda: [json.loads(line) for line in logged(path)] == [{"code": 404}], "the line")


def test_a_signal_opens_the_file_again(stage):
    path, moved = stage.directory / "log", stage.directory / "log.1"
    proxy = logging_proxy(stage, *ROUTES, access_log=[file_log(path, "%RESPONSE_CODE%")])
    stage.client(proxy).ask("/200")
    eventually(lambda: logged(path) == ["200"], "the first line")
    path.rename(moved)
    proxy.signal(signal.SIGUSR1)
    eventually(path.exists, "the new file")
    stage.client(proxy).ask("/404")
    eventually(lambda: logged(path) == ["404"], "the line in the new file")
    assert logged(moved) == ["200"]


# --- what is refused ----------------------------------------------------------------------------------------------

CONFIG = """
admin:
  access_log:
  - name: log
    typed_config:
      "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
      path: /dev/null
      log_format:
        %s
"""
WRONG = {
    "in a plain text": ("text_format: a %DURATION% %NONE%", "9:35: ", "Not supported field in StreamInfo: NONE"),
    "the second of two": ('text_format: "%REQ(a)% %REQ% %REQ%"', "9:32: ", "REQ requires parameters"),
    "in a block": ("text_format: |\n          é %REQ(a)%\n          é %REQ(a\n", "11:13: ", "valid command"),
    "in JSON": ("json_format: {a: {b: [x, 'y %RESP%']}}", "9:37: ", 'json_format["a"]["b"][1]: RESP requires'),
    "near a name": ("text_format: '%UPSTREAM_HOTS%'", "9:23: ", "did you mean %UPSTREAM_HOST%?"),
    "another formatter": (
        "{text_format: x, formatters: [{name: envoy.formatter.cel, typed_config: "
        '{"@type": type.googleapis.com/envoy.extensions.formatter.cel.v3.Cel}}]}',
        "",
        "envoy.extensions.formatter.cel.v3.Cel",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_format_that_is_wrong_is_refused_where_it_is(stage, name):
    text, place, message = WRONG[name]
    path = stage.file(CONFIG % text)
    process = stage.process([BINARY, "--mode", "validate", "-c", path])
    assert process.wait() == 1
    assert f"{path}:{place}" in process.stderr
    assert message in process.stderr
