"""WebSocket and CONNECT from and to HTTP/2, taken and declined, through outrider and Envoy."""

import pytest

from config_text import cluster, http2_cluster, route
from h2_talk import CONNECT, DATA, END_STREAM, H2Backend, H2Client, frame, settings
from h2_tunnels_test import EXTENDED, UPGRADE, opened
from peers import Client, Hangup, request_bytes, response_bytes
from sides import COUNTED, Side, different, needed, stable

pytestmark = needed

WAYS = ["http2-http1", "http2-http2", "http1-http2"]
WEBSOCKET = [*EXTENDED, ("sec-websocket-version", "13"), ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")]
TAKEN = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nx-own: 2\r\n\r\n"

# What the service says to the upgrade, in HTTP/1 and as a status of HTTP/2.
ANSWERS = {
    "taken": (TAKEN, "200"),
    "refused": (response_bytes("403 Forbidden", body=b"no").decode(), "403"),
    "answered": (response_bytes("200 OK", body=b"no").decode(), "201"),
    "not found": (response_bytes("404 Not Found").decode(), "404"),
    "redirected": (response_bytes("302 Found", [("location", "/b")]).decode(), "302"),
}


def serve1(stream):
    """Says its own, then the next four bytes that it hears."""
    request = stream.request()
    stream.heard = [request.start_line, *stable(request.fields)]
    said = ANSWERS[request["x-answer"]][0]
    stream.send(said)
    if " 101 " in said:
        stream.send(stream.exactly(4))
        stream.rest()


def serve2(talk):
    heads = set()
    while (f := talk.next()) is not None:
        a = talk.streams.get(f.stream)
        if a is None or a.fields is None:
            continue
        status = ANSWERS[a.fields.get("x-answer")][1]
        if f.stream not in heads:
            heads.add(f.stream)
            talk.heard = stable(a.fields)
            talk.send(talk.headers(f.stream, [(":status", status), ("x-own", "2")], status != "200"))
        elif f.kind == DATA and status == "200":
            talk.send(frame(DATA, END_STREAM if a.ended else 0, f.stream, b"" if a.ended else a.body[:4]))


# How a tunnel ends is not compared: Envoy takes half of a close for the whole, and says so.
ENDS = ("_reset", "_response_before_rq_complete")


def without_end(line):
    """Of the log: without flags and details."""
    status, _, _, rest = line.split(" ", 3)
    return f"{status} {rest}"


class Way:
    def __init__(self, stage, which, way, **hcm):
        self.down, self.up = way.split("-")
        if self.up == "http1":
            self.backend = stage.backend(serve=serve1)
            to = cluster("backend", self.backend)
        else:
            self.backend = stage.ending.enter_context(H2Backend(talk=serve2, first=settings(CONNECT=1)))
            to = http2_cluster("backend", self.backend, http2={"allow_connect": True})
        self.side = Side(
            stage,
            which,
            routes=[route("backend")],
            clusters=lambda _: [to],
            codec_type="AUTO",
            http2_protocol_options={"allow_connect": True},
            **{"upgrade_configs": [{"upgrade_type": "websocket"}], **hcm},
        )

    def heard(self):
        last = (self.backend.streams if self.up == "http1" else self.backend.talks)[-1:]
        return [getattr(x, "heard", None) for x in last]

    def seen(self, answer):
        side, lines, before = self.side, len(self.side.logged()), self.side.proxy.stats(COUNTED)
        talk = self.over_http2 if self.down == "http2" else self.over_http1
        said = talk([("x-answer", answer)])
        side.wait_logged(lines + 1)
        side.proxy.wait_stat("http.in.downstream_cx_active", 0)
        after = side.proxy.stats(COUNTED)
        changed = {n: v - before.get(n, 0) for n, v in after.items() if v != before.get(n, 0) and kept(n)}
        counted = [f"{n} {v}" for n, v in sorted(changed.items()) if answer != "taken" or not n.endswith(ENDS)]
        log = side.logged()[lines:]
        log = [without_end(line) for line in log] if answer == "taken" else log
        return {**said, "log": log, "counted": counted, "heard": self.heard()}

    def over_http2(self, fields):
        with H2Client(self.side.proxy.port) as client:
            stream, a = opened(client, [*WEBSOCKET, *fields])
            if a.status == 200 and not a.ended:
                client.send(frame(DATA, 0, stream, b"ping"))
                client.until(lambda: a.over or len(a.body) >= 4)
            client.until(lambda: a.over or a.body == b"ping")
            return {"fields": a.fields and stable(a.fields), "body": a.body, "reset": a.reset}

    def over_http1(self, fields):
        with Client(self.side.proxy.port) as client:
            client.send(request_bytes("/ws", fields=[*UPGRADE, *fields]))
            try:
                r = client.response()
                if r.status == 101:
                    client.send(b"ping")
                    r.body = client.exactly(4)
            except Hangup as e:
                return {"hangup": e.read}
            return {"fields": [r.start_line, *stable(r.fields)], "body": r.body}


def kept(name):
    return "_bytes_" not in name and "cx_" not in name and "pending" not in name and "_active" not in name


@pytest.fixture(scope="module", params=WAYS)
def ways(shared, request):
    return Way(shared, "outrider", request.param), Way(shared, "envoy", request.param)


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_websocket(ways, answer):
    ours, theirs = (way.seen(answer) for way in ways)
    found = different(ours, theirs)
    assert not found, found


@pytest.fixture(scope="module", params=WAYS)
def closed_ways(shared, request):
    return [Way(shared, which, request.param, upgrade_configs=[]) for which in ("outrider", "envoy")]


def test_a_websocket_that_is_not_configured(closed_ways):
    ours, theirs = (way.seen("taken") for way in closed_ways)
    found = different(ours, theirs)
    assert not found, found
