"""What a hostile server of HTTP/2 does once it has the head of a request on a stream."""

import struct

from h2_attacks import HUNDRED, PINGS, pushed
from h2_talk import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    INITIAL_WINDOW,
    MAX_FRAME,
    PADDED,
    PING,
    PRIORITY,
    PUSH_PROMISE,
    SETTINGS,
    block,
    frame,
    frame_of_length,
    goaway,
    literal,
    rst_stream,
    settings,
    window_update,
)

OK, HINTS = block([(":status", "200")]), block([(":status", "103")])


def head(stream, fields=(), end=False, status="200"):
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, block([(":status", status), *fields]))


def after_head(*pieces):
    return lambda s: [head(s), *(p if isinstance(p, bytes) else p(s) for p in pieces)]


PADDING = b"\x03\0\0\0"
PROMISE = struct.pack(">I", 2) + block([(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")])

# name: stream -> pieces
ATTACKS = {
    "pings": lambda s: PINGS,
    "pings behind a head": lambda s: [head(s), *PINGS],
    "a length of an informational head": lambda s: [
        frame(HEADERS, END_HEADERS, s, block([(":status", "103"), ("content-length", "3")])),
        head(s),
        frame(DATA, END_STREAM, s, b"0123456789"),
    ],
    "a length of no content": lambda s: [
        head(s, [("content-length", "5")], status="204"),
        frame(DATA, END_STREAM, s, b"hello"),
    ],
    "settings": lambda s: [settings(INITIAL_WINDOW=65535) * HUNDRED * HUNDRED] * HUNDRED,
    "empty data": lambda s: [head(s), *[frame(DATA, 0, s) * HUNDRED] * HUNDRED],
    "padding": lambda s: [head(s), *[frame(DATA, PADDED, s, PADDING) * HUNDRED] * HUNDRED],
    "empty continuations": lambda s: [frame(HEADERS, 0, s, OK), *[frame(CONTINUATION, 0, s) * HUNDRED] * HUNDRED],
    "continuations": lambda s: [frame(HEADERS, 0, s, OK), *[frame(CONTINUATION, 0, s, literal("x", "y"))] * 10_000],
    "large continuations": lambda s: [
        frame(HEADERS, 0, s, OK),
        *[frame(CONTINUATION, 0, s, literal("x", "y" * 16_000))] * 500,
    ],
    "many fields": lambda s: [head(s, [(f"x-{i}", "y") for i in range(200)], True)],
    "a large head": lambda s: [
        frame(HEADERS, END_STREAM, s, OK),
        *[frame(CONTINUATION, 0, s, literal("x", "y" * 16_000))] * 5,
        frame(CONTINUATION, END_HEADERS, s, literal("z", "y")),
    ],
    "a bomb": lambda s: [
        frame(HEADERS, END_HEADERS, s, OK + b"\x40" + literal("x", "y" * 4000)[1:] + b"\xbe" * 12_000)
    ],
    "priorities": lambda s: [frame(PRIORITY, 0, s, b"\0\0\0\0\x10") * HUNDRED] * HUNDRED,
    "window updates": lambda s: [window_update(0, 1) * HUNDRED] * HUNDRED,
    "a window of nothing": lambda s: [window_update(s, 0)],
    "a window that overflows": lambda s: [window_update(s, 2**31 - 1)],
    "the connection's window overflows": lambda s: [window_update(0, 2**31 - 1)],
    "a push": lambda s: [frame(PUSH_PROMISE, END_HEADERS, s, PROMISE)],
    "informational for ever": lambda s: [head(s, [("link", "x")], status="103") * HUNDRED] * HUNDRED,
    "informational of much": lambda s: [
        frame(HEADERS, END_HEADERS, s, HINTS + b"\x40" + literal("x", "y" * 3900)[1:]),
        *[frame(HEADERS, END_HEADERS, s, HINTS + b"\xbe" * 14)] * 900,
    ],
    "an informational that ends": lambda s: [head(s, status="103", end=True)],
    "101": lambda s: [head(s, status="101")],
    "beyond the window": lambda s: [head(s), *[frame(DATA, 0, s, b"x" * 16_384)] * 4_000],
    "a frame that is too large": lambda s: [head(s), frame(DATA, 0, s, b"x" * 16_385)],
    "a frame that is much too large": lambda s: [head(s), frame_of_length(2**24 - 1, DATA, 0, s)],
    "data before the head": lambda s: [frame(DATA, 0, s, b"x")],
    "data of an idle stream": lambda s: [frame(DATA, 0, s + 2, b"x")],
    "a head of an idle stream": lambda s: [head(s + 2)],
    "a head of a stream of its own": lambda s: [head(2)],
    "trailers that do not end": after_head(lambda s: frame(HEADERS, END_HEADERS, s, block([("t", "1")]))),
    "trailers with a status": after_head(lambda s: head(s, end=True)),
    "more than its length": lambda s: [head(s, [("content-length", "3")]), frame(DATA, END_STREAM, s, b"12345")],
    "less than its length": lambda s: [head(s, [("content-length", "9")]), frame(DATA, END_STREAM, s, b"12345")],
    "no status": lambda s: [frame(HEADERS, END_HEADERS | END_STREAM, s, block([("x", "y")]))],
    "two statuses": lambda s: [frame(HEADERS, END_HEADERS | END_STREAM, s, OK + OK)],
    "a status that is none": lambda s: [head(s, status="abc", end=True)],
    "a status of four digits": lambda s: [head(s, status="2000", end=True)],
    "a status of 099": lambda s: [head(s, status="099", end=True)],
    "a name in upper case": lambda s: [head(s, [("X-A", "y")], end=True)],
    "an empty name": lambda s: [head(s, [("", "y")], end=True)],
    "a line break in a value": lambda s: [head(s, [("x", "a\r\nb")], end=True)],
    "a connection field": lambda s: [head(s, [("connection", "close")], end=True)],
    "transfer-encoding": lambda s: [head(s, [("transfer-encoding", "chunked")], end=True)],
    "a method in a response": lambda s: [head(s, [(":method", "GET")], end=True)],
    "bytes that are no HPACK": lambda s: [frame(HEADERS, END_HEADERS, s, b"\x80")],
    "a half head and a PING": lambda s: [frame(HEADERS, 0, s, OK), frame(PING, payload=b"12345678")],
    "HTTP/1": lambda s: [b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"],
    "settings beyond their range": lambda s: [frame(SETTINGS, payload=struct.pack(">HI", INITIAL_WINDOW, 2**31))],
    "a frame size out of range": lambda s: [settings(MAX_FRAME=100)],
    "a goaway that refuses it": lambda s: [goaway(s - 2 if s > 1 else 0)],
    "goaways": lambda s: [frame(GOAWAY, 0, 0, struct.pack(">II", s, 0) + b"x" * 1000)] * 10_000,
    "pongs": lambda s: [frame(PING, ACK, payload=b"12345678") * HUNDRED] * HUNDRED,
    "unknown frames": lambda s: [frame(77, 0, 0, b"x" * 1000)] * 2_000,
    **{f"reset {code} before the head": (lambda code: lambda s: [rst_stream(s, code)])(code) for code in range(14)},
    "reset 0 behind a head": lambda s: [head(s), rst_stream(s, 0)],
    "reset 2 behind a head": lambda s: [head(s), rst_stream(s, 2)],
    "reset 8 behind data": lambda s: [head(s), frame(DATA, 0, s, b"some"), rst_stream(s, 8)],
    "reset 0 behind the end": lambda s: [head(s, end=True), rst_stream(s, 0)],
}


def attack(name):
    """To be given to an H2Backend as `talk`: attacks what asks for /hostile, and answers all others."""

    def talk(talk):
        done = set()
        while talk.next() is not None:
            for stream, a in list(talk.streams.items()):
                if a.fields is None or stream in done:
                    continue
                if a.fields.get(":path") == "/hostile":
                    done.add(stream)
                    pushed(talk, ATTACKS[name](stream))
                elif a.over:
                    done.add(stream)
                    talk.send(talk.headers(stream, [(":status", "200")]), frame(DATA, END_STREAM, stream, b"ok"))

    return talk
