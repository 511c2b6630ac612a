"""What the status of gRPC says of a host: rq_success, rq_error, and the errors that outlier detection sees."""

import re

import pytest

from config_text import HTTP_OPTIONS, cluster, route, typed
from peers import request_bytes
from sides import both, needed

pytestmark = needed

TYPE = "content-type: application/grpc\r\n"
DETECTED = "cluster.backend.outlier_detection.ejections_detected_consecutive_"
ANSWERS = {f"{status} in the head": f"200 OK|grpc-status: {status}\r\n||" for status in [*range(17), 77, "abc", -1]}
ANSWERS |= {f"{status} in the trailers": f"200 OK||a|grpc-status: {status}\r\n" for status in [*range(17), 77, "abc"]}
ANSWERS |= {
    "13 in the head, with a body": "200 OK|grpc-status: 13\r\n|a|",
    "0 in the head, with a body": "200 OK|grpc-status: 0\r\n|a|",
    "no status": "200 OK||a|",
    "no status and no body": "200 OK|||",
    "404": "404 Not Found|||",
    "502": "502 Bad Gateway||a|",
    "503, but well": "503 Unavailable|grpc-status: 0\r\n||",
}


def answer(request):
    status, fields, body, trailers = ANSWERS[request["x-answer"]].split("|")
    head = f"HTTP/1.1 {status}\r\n{TYPE}{fields}"
    if not body:
        return f"{head}content-length: 0\r\n\r\n"
    return f"{head}transfer-encoding: chunked\r\n\r\n1\r\n{body}\r\n0\r\n{trailers}\r\n"


def clusters(backend):
    options = typed(HTTP_OPTIONS, explicit_http_config={"http_protocol_options": {"enable_trailers": True}})
    detection = {f"consecutive_{kind}": 1 for kind in ("5xx", "gateway_failure")}
    detection |= {f"enforcing_{kind}": 0 for kind in (*detection, "success_rate")}
    extension = {HTTP_OPTIONS: options}
    return [cluster("backend", backend, outlier_detection=detection, typed_extension_protocol_options=extension)]


@pytest.fixture(scope="module")
def sides(shared):
    return both(shared, routes=[route("backend")], answer=answer, clusters=clusters)


def numbers(side):
    hosts = side.proxy.ask_admin("/clusters").body.decode()
    found = {k: int(v) for k, v in re.findall(r"^backend::127[^:]*:\d+::(rq_error|rq_success)::(\d+)$", hosts, re.M)}
    return found | side.proxy.stats(DETECTED)


def changed(side, data):
    before = numbers(side)
    side.exchange(data, "POST")
    return {k: v - before.get(k, 0) for k, v in numbers(side).items() if v != before.get(k, 0)}


@pytest.mark.parametrize("kind", ["application/grpc", "application/json"])
@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer(sides, name, kind):
    ours, theirs = (changed(s, request_bytes("/", "POST", [("x-answer", name), ("content-type", kind)])) for s in sides)
    assert ours == theirs
