"""h2spec, all cases, the strict ones too, against a listener of HTTP/2 without TLS."""

import os
import re
import shutil
import subprocess

import pytest

from processes import ROOT

H2SPEC = os.environ.get("H2SPEC") or shutil.which("h2spec", path=f"{ROOT / 'build/go'}:{os.environ['PATH']}")
pytestmark = pytest.mark.skipif(not H2SPEC, reason="there is no h2spec: ./dev test installs it")

CASES = 146
# What each section asks: run side by side, since much of the time h2spec waits.
SECTIONS = ("generic", "http2/3", "http2/4", "http2/5", "http2/6", "http2/7", "http2/8", "hpack")


def run(port, section):
    command = [H2SPEC, section, "--strict", "-h", "127.0.0.1", "-p", str(port), "--timeout", "10"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_every_case_of_h2spec_passes(stage):
    proxy = stage.proxy(stage.backend(), codec_type="HTTP2")
    said = "".join(child.communicate()[0] for child in [run(proxy.port, section) for section in SECTIONS])
    found = [tuple(map(int, x)) for x in re.findall(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", said)]
    assert len(found) == len(SECTIONS), said
    assert not any(x[3] for x in found), "".join(re.findall(r"Failures:.*?(?=Finished)", said, re.DOTALL))
    assert sum(x[0] for x in found) == sum(x[1] for x in found) == CASES, said
