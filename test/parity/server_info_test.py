"""The command line as /server_info shows it."""

import pytest

from config_text import route
from sides import both, needed

pytestmark = needed

FLAGS = {
    "defaults": [],
    "names": ["--service-cluster", "c", "--service-node", "n", "--service-zone", "z"],
    "times": ["--drain-time-s", "7", "--parent-shutdown-time-s", "9", "--drain-strategy", "immediate"],
    "logs": ["--component-log-level", "upstream:debug,http:warn", "--log-format-escaped", "--log-format", "%v"],
    "unknown fields": [
        "--allow-unknown-static-fields",
        "--reject-unknown-dynamic-fields",
        "--ignore-unknown-dynamic-fields",
    ],
    "the older name": ["--allow-unknown-fields"],
    "hot restart": [
        "--disable-hot-restart",
        "--skip-hot-restart-parent-stats",
        "--skip-hot-restart-on-no-parent",
        "--socket-path",
        "@there",
    ],
    "lists": ["--stats-tag", "a:b", "--stats-tag", "c:d", "--disable-extensions", "envoy.filters.http.fault,x.y"],
    "oddities": [
        "--enable-mutex-tracing",
        "--cpuset-threads",
        "--skip-deprecated-logs",
        "--log-stacktrace-single-entry",
        "--local-address-ip-version",
        "v6",
        "--config-yaml",
        "{node: {id: x}}",
    ],
    "another": ["--enable-fine-grain-logging", "--mode", "serve"],
}


@pytest.mark.parametrize("name", FLAGS)
def test_the_command_line(stage, name):
    def shown(side):
        return side.proxy.ask_admin("/server_info").json()["command_line_options"]

    ours, theirs = map(shown, both(stage, routes=[route("backend")], flags=FLAGS[name]))
    assert list(ours) == list(theirs)
    # These differ by test; and what Envoy always shows as 0, outrider shows as it is.
    for each in ("base_id", "config_path", "log_level", "file_flush_min_size", "socket_mode"):
        assert type(ours.pop(each)) is type(theirs.pop(each))
    assert ours == theirs
