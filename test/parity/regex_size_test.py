"""How large a regular expression may be: outrider and Envoy take and refuse the same."""

import json
import subprocess

import pytest

from config_text import bootstrap, listener, virtual_host
from envoy_binary import ENVOY
from processes import BINARY, free_port
from sides import needed

pytestmark = needed

LARGE = "a" * 200


def layer(**values):
    return {"layers": [{"name": "fixed", "static_layer": {k.replace("__", "."): v for k, v in values.items()}}]}


def matched(match, **fields):
    route = {"match": match, "direct_response": {"status": 200}}
    return bootstrap([listener(free_port(), [virtual_host(route)])], [], **fields)


def by_path(regex, **fields):
    return matched({"safe_regex": {"regex": regex}}, **fields)


def limited(size):
    return matched({"safe_regex": {"regex": "a" * 20, "google_re2": {"max_program_size": size}}})


def redirect():
    to = {"regex_rewrite": {"pattern": {"regex": LARGE}, "substitution": "x"}}
    route = {"match": {"prefix": "/"}, "redirect": to}
    return bootstrap([listener(free_port(), [virtual_host(route)])], [])


CASES = {
    "100 instructions": by_path("a" * 96),
    "101 instructions": by_path("a" * 97),
    "a class that is repeated": by_path("[[:alpha:]]{50}"),
    "in any case": by_path("(?i)" + "ab" * 30),
    "a larger error level": by_path(LARGE, layered_runtime=layer(re2__max_program_size__error_level=1000)),
    "a nested key": by_path(
        LARGE, layered_runtime=layer(re2={"max_program_size": {"error_level": 1000}}), stats_flush_interval="5s"
    ),
    "a smaller error level": by_path("a" * 20, layered_runtime=layer(re2__max_program_size__error_level=3)),
    "a warn level": by_path("a" * 20, layered_runtime=layer(re2__max_program_size__warn_level=3)),
    "the old field": limited(1000),
    "the old field, exceeded": limited(3),
    "a field": matched({"prefix": "/", "headers": [{"name": "x", "string_match": {"safe_regex": {"regex": LARGE}}}]}),
    "a parameter": matched(
        {"prefix": "/", "query_parameters": [{"name": "x", "string_match": {"safe_regex": {"regex": LARGE}}}]}
    ),
    "a redirect": redirect(),
    "a tag": matched({"prefix": "/"}, stats_config={"stats_tags": [{"tag_name": "x", "regex": f"(({LARGE}))"}]}),
    "statistics": matched(
        {"prefix": "/"},
        stats_config={"stats_matcher": {"exclusion_list": {"patterns": [{"safe_regex": {"regex": LARGE}}]}}},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_same_programs_are_too_large(tmp_path, case):
    path = tmp_path / "file.json"
    path.write_text(json.dumps(CASES[case]))

    def verdict(binary):
        command = [binary, "--mode", "validate", "-c", path]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        said = done.stdout + done.stderr
        sizes = [part.split()[3:9] for part in said.split("RE2 ")[1:]]
        return done.returncode, [" ".join(words).split(" set")[0].rstrip(".:;,") for words in sizes][-1:]

    ours, theirs = verdict(BINARY), verdict(ENVOY)
    assert ours[0] == theirs[0]
    if ours[0]:
        assert [x.split()[0] for x in ours[1]] == [x.split()[0] for x in theirs[1]], "the same number of instructions"
