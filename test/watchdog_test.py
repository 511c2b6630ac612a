"""The watchdog counts threads that are stuck, and ends the process where it is told to."""

import signal

import pytest

from config_text import http_filter, http_filters
from peers import Client, Hangup, eventually

BUSY = "function envoy_on_request(handle) for i = 1, 9000000 do end end"
# One call, which no limit ends: as many steps as the square of the length.
BUSIER = "function envoy_on_request(handle) string.find(('a'):rep(40000), '^.-.-b') end"


def busy_proxy(stage, code=BUSY, **bootstrap):
    script = http_filter("lua", "Lua", default_source_code={"inline_string": code})
    direct = {"match": {"prefix": "/"}, "direct_response": {"status": 200}}
    return stage.proxy(direct, http_filters=http_filters(script), bootstrap=bootstrap)


@pytest.mark.parametrize("form", ["watchdog", "watchdogs"])
def test_a_worker_that_is_stuck_is_counted(stage, form):
    short = {"miss_timeout": "0.004s", "megamiss_timeout": "0.006s"}
    proxy = busy_proxy(stage, **{form: short if form == "watchdog" else {"worker_watchdog": short}})
    with Client(proxy.port) as client:
        client.ask("/")
    for name in ("workers", "server.worker_0"):
        eventually(lambda: proxy.stat(f"{name}.watchdog_miss") > 0, f"{name}.watchdog_miss")
        eventually(lambda: proxy.stat(f"{name}.watchdog_mega_miss") > 0, f"{name}.watchdog_mega_miss")


def test_a_worker_that_is_stuck_for_long_ends_the_process(stage):
    proxy = busy_proxy(stage, BUSIER, watchdogs={"worker_watchdog": {"kill_timeout": "0.3s"}})
    with Client(proxy.port) as client, pytest.raises((Hangup, OSError)):
        client.ask("/")
    assert proxy.wait() == -signal.SIGABRT
    assert "worker_0" in proxy.stderr


def test_only_one_form_may_be_set(stage):
    proxy = stage.start({"watchdog": {}, "watchdogs": {}}, wait=False)
    assert proxy.wait() == 1 and "only one of watchdog and watchdogs" in proxy.stderr
