"""grpc-go's interop client and server, which `./dev test` builds, and chains of proxies between them. All of it h2c."""

import os
import random
import subprocess

import pytest

from config_text import http2_cluster, route
from peers import PATIENCE_S
from processes import BINARY, ROOT, free_port

CASES = [
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "timeout_on_sleeping_server",
    "cancel_after_begin",
    "cancel_after_first_response",
    "custom_metadata",
    "status_code_and_message",
    "special_status_message",
    "unimplemented_method",
    "unimplemented_service",
]


def program(name):
    path = ROOT / "build/go" / name
    if not os.access(path, os.X_OK):
        pytest.skip(f"there is no {path}: ./dev test builds it")
    return path


def server(stage):
    """Its port."""
    port = free_port()
    stage.process([program("grpc-interop-server"), "--port", port]).wait_listening(port)
    return port


def proxy(stage, to, binary=BINARY, **options):
    """A proxy in front of that port. `binary`: outrider, or Envoy."""
    flags = [] if binary == BINARY else ["--base-id", str(random.randrange(1 << 20)), "-l", "error"]
    return stage.proxy(
        route("next", timeout="0s"),
        clusters=[http2_cluster("next", to)],
        flags=flags,
        codec_type="AUTO",
        options={"binary": binary},
        **options,
    )


def chain(stage, to, *binaries):
    """Proxies in that order, the last one in front of the port: the first one."""
    for binary in reversed(binaries):
        first = proxy(stage, to, binary)
        to = first.port
    return first


def run(case, port):
    """Fails with what the client says unless it is content."""
    words = [program("grpc-interop-client"), "--server_host", "127.0.0.1", "--server_port", port, "--test_case", case]
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, f"{case}: {done.stdout}{done.stderr}"
