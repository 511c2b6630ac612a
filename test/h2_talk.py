"""The two sides of HTTP/2, frame by frame: a client that may break every rule, and a backend that records."""

import contextlib
import struct
import threading

import hpack

from peers import PATIENCE_S, Backend, Client, Fields, Hangup

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
NAMES = "DATA HEADERS PRIORITY RST_STREAM SETTINGS PUSH_PROMISE PING GOAWAY WINDOW_UPDATE CONTINUATION".split()
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITIZED = 0x1, 0x1, 0x4, 0x8, 0x20
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW, MAX_FRAME, MAX_LIST, CONNECT = (
    1,
    2,
    3,
    4,
    5,
    6,
    8,
)
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED = range(6)
FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM = range(6, 12)
HTTP_1_1_REQUIRED = 13
LARGEST_WINDOW = 2**31 - 1


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">IBBI", len(payload) << 8 | kind, flags, 0, 0)[:5] + struct.pack(">I", stream) + payload


def frame_of_length(length, kind, flags=0, stream=0):
    """The header of a frame that says it is that long."""
    return struct.pack(">I", length)[1:] + bytes([kind, flags]) + struct.pack(">I", stream)


def settings(**values):
    """settings(INITIAL_WINDOW=0)"""
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", globals()[n], v) for n, v in values.items()))


def window_update(stream, size):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", size))


def rst_stream(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def goaway(last, code=NO_ERROR, text=b""):
    return frame(GOAWAY, 0, 0, struct.pack(">II", last, code) + text)


def literal(name, value):
    """A field as HPACK writes it without tables and without Huffman: whatever bytes it has."""

    def text(x):
        x = x.encode("latin-1") if isinstance(x, str) else x
        if len(x) < 127:
            return bytes([len(x)]) + x
        rest, out = len(x) - 127, bytearray([127])
        while rest >= 128:
            out.append(rest % 128 | 128)
            rest //= 128
        return bytes([*out, rest]) + x

    return b"\0" + text(name) + text(value)


def block(fields):
    return b"".join(literal(n, v) for n, v in fields)


def request_fields(path="/", method="GET", fields=(), authority="test.example", scheme="http"):
    return [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path), *fields]


class Frame:
    def __init__(self, kind, flags, stream, payload):
        self.kind, self.flags, self.stream, self.payload = kind, flags, stream, payload

    @property
    def name(self):
        return NAMES[self.kind] if self.kind < len(NAMES) else str(self.kind)

    @property
    def number(self):
        """The code of RST_STREAM, the increment of WINDOW_UPDATE."""
        return struct.unpack(">I", self.payload[:4])[0]

    @property
    def last_and_code(self):
        return struct.unpack(">II", self.payload[:8])

    @property
    def settings(self):
        return dict(struct.iter_unpack(">HI", self.payload))

    def __repr__(self):
        return f"<{self.name} flags={self.flags:#x} stream={self.stream} {self.payload[:60]!r}>"


class Answer:
    """What came of a stream: `fields` of the final head, or None; `reset`: the code, or None."""

    def __init__(self):
        self.fields = self.reset = None
        self.informational, self.body, self.trailers, self.ended = [], b"", Fields(), False
        self.pieces = 0

    @property
    def status(self):
        return self.fields and int(self.fields.get(":status"))

    @property
    def over(self):
        return self.ended or self.reset is not None

    def __getitem__(self, name):
        return self.fields.get(name)

    def __repr__(self):
        return f"<{self.fields} {self.body[:100]!r} {list(self.trailers)} ended={self.ended} reset={self.reset}>"


class Talk:
    """One side of a connection over a peers.Stream. Answers SETTINGS and PING and opens windows, unless told not to.

    `frames` keeps all that came; `streams` what came of each stream.
    """

    def __init__(self, stream, acknowledges=True, reads=True):
        self.stream = stream
        self.acknowledges, self.reads = acknowledges, reads
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder(max_header_list_size=1 << 22)
        self.frames, self.streams, self.fragment = [], {}, b""
        self.goaways = []
        self.peer_settings = {}
        self.window = 65535  # What of the connection's window is left to send.
        self.windows = {}
        self.read_ahead = False  # Frames came while a body was sent.
        self.ended = False

    def send(self, *pieces):
        self.stream.send(b"".join(pieces))
        return self

    def answer(self, stream):
        return self.streams.setdefault(stream, Answer())

    def headers(self, stream, fields, end=False, flags=END_HEADERS):
        return frame(HEADERS, flags | (END_STREAM if end else 0), stream, self.encoder.encode(fields))

    def next(self):
        """The next frame, None at the end of the connection."""
        try:
            head = self.stream.exactly(9)
            length = int.from_bytes(head[:3], "big")
            number = int.from_bytes(head[5:], "big") & LARGEST_WINDOW
            f = Frame(head[3], head[4], number, self.stream.exactly(length))
        except (Hangup, ConnectionResetError):
            self.ended = True
            return None
        self.frames.append(f)
        self.take(f)
        return f

    def take(self, f):
        a = self.answer(f.stream) if f.stream else None
        if f.kind in (HEADERS, CONTINUATION):
            self.fragment += content(f)
            if f.kind == HEADERS:
                self.ends = bool(f.flags & END_STREAM)
            if f.flags & END_HEADERS:
                self.head(a, self.decoder.decode(self.fragment, raw=True), f.stream)
                self.fragment = b""
                a.ended = a.ended or self.ends
        elif f.kind == DATA:
            a.body += content(f)
            a.pieces += 1
            a.ended = bool(f.flags & END_STREAM)
            if self.reads and f.payload:
                self.quietly(window_update(0, len(f.payload)))
                if not a.ended:
                    self.quietly(window_update(f.stream, len(f.payload)))
        elif f.kind == RST_STREAM:
            a.reset = f.number
        elif f.kind == GOAWAY:
            self.goaways.append(f.last_and_code)
        elif f.kind == WINDOW_UPDATE and f.stream:
            self.windows[f.stream] = self.room(f.stream) + f.number
        elif f.kind == WINDOW_UPDATE:
            self.window += f.number
        elif f.kind == SETTINGS and not f.flags & ACK:
            before = self.peer_settings.get(INITIAL_WINDOW, 65535)
            self.peer_settings.update(f.settings)
            table = min(4096, self.peer_settings.get(HEADER_TABLE_SIZE, 4096))
            if table != self.encoder.header_table_size:
                self.encoder.header_table_size = table
            for stream in self.windows:
                self.windows[stream] += self.peer_settings.get(INITIAL_WINDOW, 65535) - before
            if self.acknowledges:
                self.quietly(frame(SETTINGS, ACK))
        elif f.kind == PING and not f.flags & ACK and self.acknowledges:
            self.quietly(frame(PING, ACK, 0, f.payload))

    def quietly(self, data):
        with contextlib.suppress(OSError):
            self.send(data)

    def head(self, a, fields, stream):
        fields = Fields((n.decode("latin-1"), v.decode("latin-1")) for n, v in fields)
        if a.fields is not None:
            a.trailers = fields
        elif (fields.get(":status") or "").startswith("1"):
            a.informational.append(fields)
        else:
            a.fields = fields

    def until(self, condition):
        """Reads frames until condition() is true; False: the connection ended before."""
        while not condition():
            if self.next() is None:
                return bool(condition())
        return True

    def whole(self, stream):
        """What came of the stream when it is over, or the connection is."""
        a = self.answer(stream)
        self.until(lambda: a.over)
        return a

    def to_end(self):
        """Reads until the connection ends: the codes of the GOAWAYs."""
        self.until(lambda: False)
        return [code for _, code in self.goaways]

    def pong(self):
        """Until the other side has read all that was sent; False: the connection has ended."""
        mark = struct.pack(">Q", len(self.frames) + 0x6F7574726964)
        self.quietly(frame(PING, 0, 0, mark))
        return self.until(lambda: any(f.kind == PING and f.payload == mark for f in self.frames[-20:]))

    def room(self, stream):
        return self.windows.setdefault(stream, self.peer_settings.get(INITIAL_WINDOW, 65535))

    def send_body(self, stream, data, end=True, size=16384):
        """As the windows allow. Stops where the stream or connection ends; how much was sent."""
        sent, a = 0, self.answer(stream)
        while sent < len(data):
            free = min(self.room(stream), self.window, size, len(data) - sent)
            if free <= 0:
                self.read_ahead = True
                open_again = self.until(lambda: a.reset is not None or min(self.room(stream), self.window) > 0)
                if not open_again or a.reset is not None:
                    return sent
                continue
            last = end and sent + free == len(data)
            self.send(frame(DATA, END_STREAM if last else 0, stream, data[sent : sent + free]))
            sent, self.window = sent + free, self.window - free
            self.windows[stream] -= free
        if not data:
            self.send(frame(DATA, END_STREAM if end else 0, stream))
        return sent


def content(f):
    """The payload without padding and priority."""
    data, tail = f.payload, 0
    if f.flags & PADDED and f.kind in (DATA, HEADERS):
        tail, data = data[0], data[1:]
    if f.flags & PRIORITIZED and f.kind == HEADERS:
        data = data[5:]
    return data[: len(data) - tail]


class H2Client(Talk):
    """With prior knowledge. `begins`: the preface and SETTINGS are sent at once."""

    def __init__(self, port, begins=True, first=None, receive_buffer=None, **options):
        super().__init__(Client(port, receive_buffer=receive_buffer), **options)
        self.last = -1
        if begins:
            self.send(PREFACE, settings() if first is None else first)

    def open(self, path="/", method="GET", fields=(), end=True, authority="test.example"):
        """Sends a request's head: its stream."""
        self.last += 2
        self.send(self.headers(self.last, request_fields(path, method, fields, authority), end))
        return self.last

    def ask(self, path="/", method="GET", fields=(), body=None, trailers=None, authority="test.example"):
        stream = self.open(path, method, fields, body is None and not trailers, authority)
        if body is not None:
            self.send_body(stream, body, not trailers)
        if trailers:
            self.send(self.headers(stream, trailers, True))
        return self.whole(stream)

    def close(self):
        self.stream.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class H2Request:
    """As a backend got it."""

    def __init__(self, talk, stream, answer):
        self.talk, self.stream, self.answer = talk, stream, answer
        self.fields = answer.fields
        self.method, self.path, self.authority = (answer.fields.get(n) for n in (":method", ":path", ":authority"))

    @property
    def body(self):
        return self.answer.body

    @property
    def trailers(self):
        return self.answer.trailers

    def __getitem__(self, name):
        return self.fields.get(name)

    def send_head(self, status=200, fields=(), end=False):
        self.talk.send(self.talk.headers(self.stream, [(":status", str(status)), *fields], end))

    def reply(self, status=200, fields=(), body=b"", trailers=None):
        if self.method == "HEAD":
            body = trailers = None
        self.send_head(status, fields, not body and not trailers)
        if body:
            self.talk.send_body(self.stream, body, not trailers)
        if trailers:
            self.talk.send(self.talk.headers(self.stream, trailers, True))


class H2Backend(Backend):
    """`answer(request)` is called when a request is whole; `begun(request)`, when its head is there. `talk(talk)` has
    the whole connection instead, behind the preface. Without any, every request is answered with 200 and the name."""

    def __init__(self, answer=None, begun=None, talk=None, first=None, **options):
        self.reply, self.begun, self.whole_talk = answer, begun, talk
        self.first = settings() if first is None else first
        self.talks = []
        super().__init__(serve=self.serve_http2, **options)

    def serve_http2(self, stream):
        assert stream.exactly(len(PREFACE)) == PREFACE
        talk = Talk(stream)
        with self.changed:
            self.talks.append(talk)
            self.changed.notify_all()
        talk.send(self.first)
        if self.whole_talk:
            return self.whole_talk(talk)
        seen, answered = set(), set()
        while (f := talk.next()) is not None:
            self.look_at(talk, f.stream, seen, answered)
            while talk.read_ahead:  # For want of a window: what came meanwhile is to be answered too.
                talk.read_ahead = False
                for number in list(talk.streams):
                    self.look_at(talk, number, seen, answered)

    def look_at(self, talk, number, seen, answered):
        a = talk.streams.get(number)
        if a is None or a.fields is None:
            return
        request = H2Request(talk, number, a)
        if number not in seen:
            seen.add(number)
            self.record(request, talk.stream)
            if self.begun:
                self.begun(request)
        if a.ended and a.reset is None and number not in answered:
            answered.add(number)
            self.answer_request(request)

    def answer_request(self, request):
        if self.reply:
            self.reply(request)
        elif not self.begun:
            request.reply(body=self.name.encode())

    def record(self, request, stream):
        request.talk = self.talk_of(stream)
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()

    def talk_of(self, stream):
        return next(t for t in self.talks if t.stream is stream)


def in_thread(call, *args):
    """Runs it beside the test; `.join()` gives what it returned."""
    result = []
    thread = threading.Thread(target=lambda: result.append(call(*args)), daemon=True)
    thread.start()

    class Running:
        def join(self):
            thread.join(PATIENCE_S)
            assert not thread.is_alive() and result, "it has not ended"
            return result[0]

    return Running()
