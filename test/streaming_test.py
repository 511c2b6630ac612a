"""Bodies stream with bounded buffers; who is slow, idle or many does not disturb the others."""

import contextlib
import hashlib
import resource
import socket
import subprocess
import threading

import pytest

from config_text import cluster, route
from peers import PATIENCE_S, eventually, request_bytes, response_bytes

MIB = 1 << 20


@pytest.fixture(scope="module", autouse=True)
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def pattern(count):
    return (bytes(range(256)) * (count // 256 + 1))[:count]


def digest(data):
    return hashlib.sha256(data).hexdigest()


def upload(client, total, chunk=65536):
    client.send(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {total}\r\n\r\n")
    piece = pattern(chunk)
    for _ in range(total // chunk):
        client.send(piece)


# --- large bodies -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_large_body_goes_both_ways_unchanged(stage, framing):
    def serve(stream):
        request = stream.request()
        head = b"Transfer-Encoding: chunked" if framing == "chunked" else b"Content-Length: %d" % len(request.body)
        stream.send(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n")
        if framing == "length":
            stream.send(request.body)
            return
        for at in range(0, len(request.body), 50_000):
            piece = request.body[at : at + 50_000]
            stream.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        stream.send(b"0\r\n\r\n")

    proxy = stage.proxy(stage.backend(serve=serve))
    body = stage.directory / "body"
    body.write_bytes(pattern(20 * MIB + 17))
    send = ["-H", "Transfer-Encoding: chunked"] if framing == "chunked" else []
    done = subprocess.run(
        [
            "curl",
            "-sS",
            "-H",
            "Expect:",
            *send,
            "--data-binary",
            f"@{body}",
            "-o",
            f"{body}.back",
            "-w",
            "%{http_code}",
            f"http://127.0.0.1:{proxy.port}/",
        ],
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("200", "")
    assert digest(body.read_bytes()) == digest((stage.directory / "body.back").read_bytes())


def test_a_client_that_does_not_read_costs_no_memory(stage):
    """64 MiB for each of 4 clients: what the proxy holds stays far below."""
    writers = []

    def serve(stream):
        writers.append(writer := {"sent": 0, "end": None})
        stream.request()
        total = 64 * MIB
        stream.send(f"HTTP/1.1 200 OK\r\nContent-Length: {total}\r\n\r\n")
        stream.socket.settimeout(1.0)
        try:
            for writer["sent"] in range(0, total, 65536):
                stream.send(pattern(65536))
        except OSError as error:
            writer["end"] = type(error)
            threading.Event().wait(PATIENCE_S)

    def waiting():
        return [w["end"] for w in writers] == [TimeoutError] * 4

    proxy = stage.proxy(stage.backend(serve=serve))
    before = proxy.rss_kib()
    clients = [stage.client(proxy, receive_buffer=4096) for _ in range(4)]
    for client in clients:
        client.send(request_bytes())
    eventually(waiting, lambda: f"the backend's writers wait: {writers}, {proxy.stats('cluster.')}")
    assert proxy.rss_kib() - before < 16 * 1024
    assert stage.client(proxy).send(request_bytes()).head().status == 200, "others are served meanwhile"


def test_a_backend_that_does_not_read_costs_no_memory(stage):
    held = threading.Event()

    def serve(stream):
        stream.head()
        held.wait(PATIENCE_S)

    proxy = stage.proxy(stage.backend(serve=serve))
    before = proxy.rss_kib()
    client = stage.client(proxy)
    client.socket.settimeout(1.0)
    with pytest.raises(TimeoutError):
        upload(client, 256 * MIB)
    assert proxy.rss_kib() - before < 16 * 1024
    held.set()


def test_a_slow_reader_gets_everything_in_the_end(stage):
    body = pattern(8 * MIB)
    proxy = stage.proxy(stage.backend(lambda r: response_bytes(body=body)))
    client = stage.client(proxy, receive_buffer=4096)
    client.send(request_bytes())
    assert digest(client.response().body) == digest(body)


# --- early responses ----------------------------------------------------------------------------------------------


def test_a_response_comes_through_while_the_request_body_still_flows(stage):
    def serve(stream):
        stream.head()
        stream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(3):  # A dialogue: each piece of the request is answered by a piece of the response.
            size = int(stream.until(b"\r\n"), 16)
            piece = stream.exactly(size + 2)[:-2]
            stream.send(b"%x\r\n%b\r\n" % (len(piece), piece.upper()))
        assert stream.until(b"0\r\n\r\n")
        stream.send("0\r\n\r\n")

    client = stage.client(stage.proxy(stage.backend(serve=serve)))
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert client.head().status == 200
    for word in (b"one", b"three", b"seven"):
        client.send(b"%x\r\n%b\r\n" % (len(word), word))
        assert client.until(b"\r\n") == b"%x\r\n" % len(word)
        assert client.exactly(len(word) + 2) == word.upper() + b"\r\n"
    client.send("0\r\n\r\n")
    assert client.until(b"\r\n\r\n") == b"0\r\n\r\n"


def test_an_early_refusal_reaches_a_client_that_still_sends(stage):
    def serve(stream):
        stream.head()
        stream.send(response_bytes("413 Payload Too Large", body=b"no"))
        stream.rest()

    proxy = stage.proxy(stage.backend(serve=serve))
    client = stage.client(proxy)
    client.send(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {100 * MIB}\r\n\r\n" + "x" * 1000)
    response = client.response()
    assert response.status == 413 and response.body == b"no"
    assert client.at_end(), "a connection with half a request cannot go on"
    assert proxy.stat("http.in.downstream_rq_response_before_rq_complete") == 1


def test_a_direct_response_to_a_large_upload_is_read_by_curl(stage):
    proxy = stage.proxy(
        {"match": {"prefix": "/"}, "direct_response": {"status": 403, "body": {"inline_string": "denied"}}}
    )
    body = stage.directory / "body"
    body.write_bytes(bytes(3 * MIB))
    done = subprocess.run(
        [
            "curl",
            "-sS",
            "-H",
            "Expect:",
            "--data-binary",
            f"@{body}",
            "-w",
            " %{http_code}",
            f"http://127.0.0.1:{proxy.port}/",
        ],
        capture_output=True,
        text=True,
    )
    assert done.stdout == "denied 403"


# --- who hangs up -------------------------------------------------------------------------------------------------


def test_a_client_that_leaves_ends_the_request_at_the_backend(stage):
    asked, left = threading.Event(), threading.Event()

    def serve(stream):
        stream.request()
        asked.set()
        stream.rest()
        left.set()

    backend = stage.backend(serve=serve)
    proxy = stage.proxy(backend)
    client = stage.client(proxy).send(request_bytes())
    assert asked.wait(PATIENCE_S)
    client.close()
    assert left.wait(PATIENCE_S)
    proxy.wait_stat("http.in.downstream_rq_rx_reset", 1)
    proxy.wait_stat("cluster.backend.upstream_rq_active", 0)


def test_a_truncated_response_with_length_is_seen_as_truncated(stage):
    def serve(stream):
        stream.request()
        stream.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")

    proxy = stage.proxy(stage.backend(serve=serve))
    done = subprocess.run(["curl", "-sS", f"http://127.0.0.1:{proxy.port}/"], capture_output=True, text=True)
    assert done.returncode == 18 and done.stdout == "only this"  # CURLE_PARTIAL_FILE


def test_a_truncated_chunked_response_is_seen_as_truncated(stage):
    def serve(stream):
        stream.request()
        stream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")

    proxy = stage.proxy(stage.backend(serve=serve))
    client = stage.client(proxy).send(request_bytes())
    assert client.head().status == 200
    assert not client.rest().endswith(b"0\r\n\r\n")


# --- buffers ------------------------------------------------------------------------------------------------------


def chunked(data):
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data)


@pytest.mark.parametrize("limit", [1000, 0, MIB, None])
def test_the_buffer_limits_bound_what_one_read_takes(stage, limit):
    """What is read at once goes on as one chunk. Above 68 KiB, or 0, a limit changes nothing."""
    data = pattern(300_000)
    backend = stage.backend(lambda r: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(data))
    fields = {} if limit is None else {"per_connection_buffer_limit_bytes": limit}
    proxy = stage.proxy(route("b"), clusters=[cluster("b", backend, **fields)], listener=fields)
    client = stage.client(proxy)
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(data))
    response = client.response()
    request = backend.wait_requests(1)[0]
    for message in (request, response):
        assert message.body == data
        largest = max(map(len, message.chunks))
        assert largest <= 1000 if limit == 1000 else 1000 < largest <= 68 * 1024


def test_a_head_may_be_larger_than_the_buffer_limit(stage):
    fields = {"per_connection_buffer_limit_bytes": 100}
    backend = stage.backend(lambda r: response_bytes(fields=[("X-Big", "b" * 5000)], body=b"body"))
    proxy = stage.proxy(route("b"), clusters=[cluster("b", backend, **fields)], listener=fields)
    response = stage.client(proxy).ask("/" + "a" * 5000, "POST", body=pattern(5000))
    assert response["x-big"] == "b" * 5000 and response.body == b"body"
    assert backend.requests[0].target == "/" + "a" * 5000 and backend.requests[0].body == pattern(5000)


# --- many ---------------------------------------------------------------------------------------------------------


def test_a_thousand_slow_clients_and_a_thousand_idle_ones_leave_others_served(stage):
    backend = stage.backend()
    proxy = stage.proxy(backend, concurrency=2)
    idle = [stage.client(proxy) for _ in range(1000)]
    for client in idle[::10]:
        assert client.ask().status == 200  # Some were busy once.
    slow = [stage.client(proxy) for _ in range(1000)]
    head = request_bytes("/slow")
    for at in range(0, len(head) - 1, 12):
        for client in slow:
            client.send(head[at : min(at + 12, len(head) - 1)])
        assert stage.client(proxy).ask("/other").body == b"backend"
    assert all(r.target != "/slow" for r in backend.requests)
    for client in slow:
        client.send(head[-1:])
    assert [c.response().body for c in slow] == [b"backend"] * 1000
    assert proxy.stat("http.in.downstream_cx_active") >= 2000


IDLE = 10_000


def why_not_so_many(needed):
    """Why there cannot be as many open files; empty: there can, from here on."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = needed if hard == resource.RLIM_INFINITY else max(hard, needed)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
    except (ValueError, OSError) as error:
        return f"{needed} open files are needed, {hard} allowed: {error}"
    return ""


def test_ten_thousand_idle_connections_cost_little_and_leave_others_served(stage):
    reason = why_not_so_many(IDLE + 1000)
    if reason:
        pytest.skip(reason)
    proxy = stage.proxy(stage.backend(), concurrency=2)
    assert stage.client(proxy).ask().status == 200
    before = proxy.rss_kib()
    with contextlib.ExitStack() as crowd:
        for number in range(IDLE):
            idle = crowd.enter_context(socket.create_connection(("127.0.0.1", proxy.port)))
            if number % 20 == 0:  # Some were busy once.
                idle.sendall(request_bytes())
                assert idle.recv(65536).endswith(b"backend")
        proxy.wait_stat("http.in.downstream_cx_active", IDLE + 1)
        assert proxy.rss_kib() - before < 4 * IDLE, "KiB: less than four for each"
        others = [stage.client(proxy) for _ in range(10)]
        assert [c.ask().body for c in others] == [b"backend"] * 10
    proxy.wait_stat("http.in.downstream_cx_active", 11)
