"""Copies of requests for other clusters."""

import pytest

from config_text import cluster, route, virtual_host
from peers import eventually, request_bytes, response_bytes
from sides import Side, different, needed, stable

pytestmark = needed

HALF = {"default_value": {"numerator": 0, "denominator": "HUNDRED"}, "runtime_key": "mirror.half"}
POLICIES = {
    "/one": [{"cluster": "shadow"}],
    "/two": [{"cluster": "shadow"}, {"cluster": "shadow", "disable_shadow_host_suffix_append": True}],
    "/never": [{"cluster": "shadow", "runtime_fraction": HALF}],
    "/header": [{"cluster_header": "X-To"}],
}


class Mirrored(Side):
    def __init__(self, stage, name):
        self.shadow = stage.backend(lambda r: response_bytes("503 Bad", body=b"x" * 100000), name="shadow")
        routes = [route("backend", path, request_mirror_policies=p) for path, p in POLICIES.items()]
        routes[0]["request_headers_to_add"] = [{"header": {"key": "added", "value": "here"}}]
        routes.append(route("backend", "/host"))
        host = virtual_host(*routes, request_mirror_policies=[{"cluster": "shadow"}])
        super().__init__(
            stage,
            name,
            virtual_hosts=[host],
            clusters=lambda backend: [cluster("backend", backend), cluster("shadow", self.shadow)],
        )

    def shadowed(self, data, count, to="GET"):
        before = len(self.shadow.requests)
        seen = self.exchange(data, to)
        self.shadow.wait_requests(before + count)
        copies = [[r.start_line, r.body, *stable(r.fields)] for r in self.shadow.requests[before:]]
        eventually(lambda: self.proxy.stat("cluster.shadow.upstream_rq_active") == 0, "the end of the copy")
        return {**seen, "copies": sorted(copies)}


@pytest.fixture(scope="module")
def sides(shared):
    return Mirrored(shared, "outrider"), Mirrored(shared, "envoy")


def compare(sides, data, count, to="GET"):
    ours, theirs = (side.shadowed(data, count, to) for side in sides)
    found = different(ours, theirs)
    assert not found, found


ROWS = [("/one", 1), ("/two", 2), ("/never", 0), ("/host", 1), ("/header", 0)]


@pytest.mark.parametrize("path, count", ROWS)
def test_a_route(sides, path, count):
    compare(sides, request_bytes(path), count)


@pytest.mark.parametrize("host", ["a", "a:80", "[::1]", "[::1]:80"])
def test_a_host(sides, host):
    compare(sides, request_bytes("/one", host=host), 1)


@pytest.mark.parametrize("to, count", [("shadow", 1), ("backend", 0), ("nosuch", 0), ("", 0)])
def test_a_cluster_that_a_field_names(sides, to, count):
    if to == "backend":
        pytest.skip("the backend would see both")
    compare(sides, request_bytes("/header", fields=[("x-to", to)]), count)


@pytest.mark.parametrize("method", ["HEAD", "POST", "DELETE"])
@pytest.mark.parametrize("body", [None, b"", b"x", b"y" * 200000])
def test_a_body(sides, method, body):
    if method == "HEAD" and body:
        pytest.skip("no such request")
    compare(sides, request_bytes("/one", method, body=body), 1, method)


CHUNKED = b"POST /one HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n%s\r\n"


@pytest.mark.parametrize("trailers", [b"", b"x-t: 1\r\n"])
def test_chunks_become_a_length(sides, trailers):
    """A copy leaves when its request is whole, and tells its length. Envoy's copy has chunks as the request had."""
    ours, theirs = (side.shadowed(CHUNKED % trailers, 1) for side in sides)
    framing = {("transfer-encoding", "chunked"), ("content-length", "7")}
    (our_copy,), (their_copy,) = ours.pop("copies"), theirs.pop("copies")
    assert framing & set(our_copy) == {("content-length", "7")}
    assert framing & set(their_copy) == {("transfer-encoding", "chunked")}
    assert [p for p in our_copy if p not in framing] == [p for p in their_copy if p not in framing]


@pytest.mark.parametrize("host", ["a:x", "a:80:90", "[::1"])
def test_a_host_that_is_none_is_not_copied(sides, host):
    """It is refused. Envoy takes it, and writes `-shadow` where it finds a colon."""
    before = len(sides[0].shadow.requests)
    assert sides[0].exchange(request_bytes("/one", host=host), "GET")["line"] == "HTTP/1.1 400 Bad Request"
    assert len(sides[0].shadow.requests) == before


@pytest.mark.parametrize("field", [("x-forwarded-for", "1.2.3.4"), ("x-envoy-upstream-rq-timeout-ms", "700")])
def test_fields(sides, field):
    compare(sides, request_bytes("/one", fields=[field]), 1)
