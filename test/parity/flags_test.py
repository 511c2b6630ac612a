"""Which command lines are refused, and with what exit code."""

import subprocess

import pytest

from config_text import bootstrap, cluster
from processes import BINARY
from sides import ENVOY, needed

pytestmark = needed

COMMAND_LINES = {
    "nothing wrong": [],
    "an unknown flag": ["--nosuch"],
    "a missing value": ["--service-node"],
    "an unknown level": ["-l", "loud"],
    "the short name of a level": ["-l", "warn"],
    "level and flag in one word": ["-ldebug"],
    "a component without level": ["--component-log-level", "http"],
    "an unknown component": ["--component-log-level", "nosuch:debug"],
    "a component with an unknown level": ["--component-log-level", "http:loud"],
    "an empty component": ["--component-log-level", "http:debug,"],
    "two components": ["--component-log-level", "http:debug,quic:trace"],
    "workers that are no number": ["--concurrency", "many"],
    "a number too large": ["--drain-time-s", "99999999999"],
    "no worker": ["--concurrency", "0"],
    "an unknown strategy": ["--drain-strategy", "sudden"],
    "an unknown family": ["--local-address-ip-version", "v5"],
    "a tag without value": ["--stats-tag", "a"],
    "a tag with a dot": ["--stats-tag", "a:b.c"],
    "a tag with a blank": ["--stats-tag", "a b:c"],
    "an empty tag": ["--stats-tag", "a:"],
    "two tags": ["--stats-tag", "a:b", "--stats-tag", "c:d"],
    "a flag given twice": ["-l", "info", "-l", "debug"],
    "a word": ["extra"],
    "words that are ignored": ["--", "extra"],
    "epoch and dynamic id": ["--restart-epoch", "1", "--use-dynamic-base-id"],
    "two kinds of logging": ["--enable-fine-grain-logging", "--component-log-level", "http:debug"],
    "an extension that nobody uses": ["--disable-extensions", "envoy.filters.http.fault,foo/bar"],
    "the version": ["--version"],
    "help": ["--help"],
    "unknown fields": ["--allow-unknown-fields", "--allow-unknown-static-fields"],
    "the mode of a test": ["--mode", "init_only"],
    "an unknown mode": ["--mode", "dream"],
    "a level of another flag": ["--log-path", "/dev/null", "--log-format", "%v", "--log-format-escaped"],
}


def status(binary, path, words):
    mode = [] if "--mode" in words else ["--mode", "validate"]
    command = [binary, "-c", path, "--base-id", "778", *mode, *words]
    return subprocess.run(command, capture_output=True, timeout=60).returncode


@pytest.mark.parametrize("name", COMMAND_LINES)
def test_the_exit_code(stage, name):
    path = stage.file(bootstrap([], [cluster("a", 1)]))
    words = COMMAND_LINES[name]
    assert status(BINARY, path, words) == status(ENVOY, path, words)


@pytest.mark.parametrize("flag", [[], ["--allow-unknown-static-fields"], ["--allow-unknown-fields"]])
def test_unknown_fields(stage, flag):
    path = stage.file(bootstrap([], [cluster("a", 1, nosuch=3)]))
    assert status(BINARY, path, flag) == status(ENVOY, path, flag)
