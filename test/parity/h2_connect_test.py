"""CONNECT passed on to a host of HTTP/2, and from HTTP/2 to one of HTTP/1, through outrider and Envoy."""

import pytest

from config_text import cluster, http2_cluster, route
from h2_talk import DATA, END_STREAM, H2Backend, H2Client, frame
from h2_tunnels_test import opened
from h2_upgrades_test import ENDS, without_end
from peers import Client, Hangup, response_bytes
from sides import COUNTED, Side, different, needed, stable

pytestmark = needed

WAYS = ["http2-http2", "http1-http2", "http2-http1"]

# What the host says to CONNECT: a status of HTTP/2, and what HTTP/1 calls it.
ANSWERS = {"200": "200 OK", "201": "201 Created", "403": "403 Forbidden", "503": "503 Service Unavailable"}
TAKEN = ("200", "201")


def serve1(stream):
    """Says its own, then the four bytes that it hears."""
    request = stream.head()
    stream.heard = [request.start_line, *stable(request.fields)]
    said = request["x-answer"]
    if said in TAKEN:
        stream.send(f"HTTP/1.1 {ANSWERS[said]}\r\nx-own: 2\r\n\r\n")
        stream.send(stream.exactly(4))
        stream.rest()
    else:
        stream.send(response_bytes(ANSWERS[said], [("x-own", "2")], b"no"))


def serve2(talk):
    heads = set()
    while (f := talk.next()) is not None:
        a = talk.streams.get(f.stream)
        if a is None or a.fields is None:
            continue
        said = a.fields.get("x-answer")
        if f.stream not in heads:
            heads.add(f.stream)
            talk.heard = stable(a.fields)
            talk.send(talk.headers(f.stream, [(":status", said), ("x-own", "2")], False))
            if said not in TAKEN:
                talk.send(frame(DATA, END_STREAM, f.stream, b"no"))
        if f.kind == DATA and said in TAKEN:
            talk.send(frame(DATA, END_STREAM if a.ended else 0, f.stream, b"" if a.ended else a.body[:4]))


class Way:
    def __init__(self, stage, which, way):
        self.down, self.up = way.split("-")
        if self.up == "http1":
            self.backend = stage.backend(serve=serve1)
            to = cluster("backend", self.backend)
        else:
            self.backend = stage.ending.enter_context(H2Backend(talk=serve2))
            to = http2_cluster("backend", self.backend)
        self.side = Side(
            stage,
            which,
            routes=[route("backend", match={"connect_matcher": {}})],
            clusters=lambda _: [to],
            codec_type="AUTO",
            http2_protocol_options={"allow_connect": True},
            upgrade_configs=[{"upgrade_type": "CONNECT"}],
        )

    def seen(self, answer):
        side, lines, before = self.side, len(self.side.logged()), self.side.proxy.stats(COUNTED)
        said = (self.over_http2 if self.down == "http2" else self.over_http1)(answer)
        side.wait_logged(lines + 1)
        side.proxy.wait_stat("http.in.downstream_cx_active", 0)
        changed = {n: v - before.get(n, 0) for n, v in side.proxy.stats(COUNTED).items() if kept(n)}
        heard = getattr((self.backend.streams if self.up == "http1" else self.backend.talks)[-1], "heard", None)
        log = [without_end(line) if answer in TAKEN else line for line in side.logged()[lines:]]
        return {**said, "log": log, "heard": heard, "counted": [f"{n} {v}" for n, v in sorted(changed.items()) if v]}

    def over_http2(self, answer):
        with H2Client(self.side.proxy.port) as client:
            fields = [(":method", "CONNECT"), (":authority", "a.example:443"), ("x-answer", answer)]
            stream, a = opened(client, fields)
            if answer in TAKEN and not a.ended:
                client.send(frame(DATA, 0, stream, b"ping"))
            client.until(lambda: a.over or a.body == b"ping")
            return {"fields": a.fields and stable(a.fields), "body": a.body, "reset": a.reset}

    def over_http1(self, answer):
        with Client(self.side.proxy.port) as client:
            client.send(f"CONNECT a.example:443 HTTP/1.1\r\nhost: a.example:443\r\nx-answer: {answer}\r\n\r\n")
            try:
                if answer not in TAKEN:
                    r = client.response()
                    return {"fields": [r.start_line, *stable(r.fields)], "body": r.body}
                r = client.head()
                if answer != "200":  # Envoy says that the connection ends; it ends with the tunnel anyway.
                    r.fields = [f for f in r.fields if f != ("connection", "close")]
                return {"fields": [r.start_line, *stable(r.fields)], "body": client.send(b"ping").exactly(4)}
            except Hangup as e:
                return {"hangup": e.read}


def kept(name):
    return not name.endswith(ENDS) and not any(w in name for w in ("_bytes_", "cx_", "pending", "_active"))


@pytest.fixture(scope="module", params=WAYS)
def ways(shared, request):
    return [Way(shared, which, request.param) for which in ("outrider", "envoy")]


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_connect_that_is_passed_on(ways, answer):
    ours, theirs = (way.seen(answer) for way in ways)
    found = different(ours, theirs)
    assert not found, found
