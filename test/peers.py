"""The two sides of a proxy, spoken byte by byte: a client that sends what it is told, a backend that records."""

import collections
import contextlib
import json
import socket
import struct
import threading
import time

PATIENCE_S = 20  # How long a test waits for what must happen. Nothing is measured by it.


class Hangup(Exception):
    """The peer closed before the message was whole. `read` holds what came."""

    def __init__(self, read=b""):
        super().__init__(f"the peer hung up after {bytes(read[-200:])!r}")
        self.read = bytes(read)


class Fields(list):
    """Header fields in the order of the wire: (lower-case name, value)."""

    def all(self, name):
        return [value for n, value in self if n == name.lower()]

    def get(self, name, default=None):
        return next(iter(self.all(name)), default)

    def __contains__(self, name):
        return bool(self.all(name)) if isinstance(name, str) else super().__contains__(name)


class Message:
    """A request or response as it was on the wire."""

    def __init__(self, start_line, fields, head):
        self.start_line, self.fields, self.head = start_line, fields, head
        self.body, self.trailers, self.chunks, self.informational = b"", Fields(), [], []
        first, second, third = (start_line.split(" ", 2) + ["", ""])[:3]
        if first.startswith("HTTP/"):
            self.version, self.status, self.reason = first, int(second), third
        else:
            self.method, self.target, self.version = first, second, third

    def __getitem__(self, name):
        return self.fields.get(name)

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.start_line!r} {list(self.fields)} {self.body[:200]!r}>"


class Stream:
    """A connected socket with the reading half of HTTP/1. `received` keeps every byte that came."""

    def __init__(self, sock):
        self.socket = sock
        self.received = bytearray()
        self.unread = bytearray()
        self.ended = False

    def send(self, data):
        self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)
        return self

    def fill(self):
        """More bytes into `unread`; False at the end of the stream."""
        data = b"" if self.ended else self.socket.recv(65536)
        self.ended = not data
        self.unread += data
        self.received += data
        return bool(data)

    def take(self, count):
        data = bytes(self.unread[:count])
        del self.unread[:count]
        return data

    def exactly(self, count):
        while len(self.unread) < count:
            if not self.fill():
                raise Hangup(self.take(len(self.unread)))
        return self.take(count)

    def until(self, mark):
        searched = 0
        while (at := self.unread.find(mark, searched)) < 0:
            searched = max(0, len(self.unread) - len(mark) + 1)
            if not self.fill():
                raise Hangup(self.take(len(self.unread)))
        return self.take(at + len(mark))

    def rest(self):
        """All that comes until the peer closes; a reset is an end too."""
        with contextlib.suppress(ConnectionResetError):
            while self.fill():
                pass
        return self.take(len(self.unread))

    def head(self):
        raw = self.until(b"\r\n\r\n")
        start, *lines = raw[:-4].decode("latin-1").split("\r\n")
        fields = Fields()
        for line in lines:
            name, value = line.split(":", 1)
            fields.append((name.lower(), value.strip(" \t")))
        return Message(start, fields, raw)

    def chunked(self, message):
        while True:
            line = self.until(b"\r\n")
            size = int(line.split(b";")[0], 16)
            if size == 0:
                break
            message.chunks.append(self.exactly(size))
            assert self.exactly(2) == b"\r\n"
        while line := self.until(b"\r\n")[:-2]:
            name, value = line.decode("latin-1").split(":", 1)
            message.trailers.append((name.lower(), value.strip()))
        return b"".join(message.chunks)

    def body_of(self, message):
        if "transfer-encoding" in message.fields:
            return self.chunked(message)
        return self.exactly(int(message["content-length"] or 0))

    def request(self):
        message = self.head()
        message.body = self.body_of(message)
        return message

    def response(self, to="GET"):
        """The next final response, with the 1xx before it in `informational`."""
        informational = []
        while (message := self.head()).status // 100 == 1 and message.status != 101:
            informational.append(message)
        message.informational = informational
        if to == "HEAD" or message.status in (101, 204, 304):
            return message
        if "content-length" in message.fields or "transfer-encoding" in message.fields:
            message.body = self.body_of(message)
        else:
            message.body = self.rest()
        return message

    def at_end(self):
        """Whether the peer has closed, and nothing more came."""
        return self.rest() == b""

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def close(self):
        self.socket.close()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Client(Stream):
    """`net` gives the sockets: the module itself, or a network namespace."""

    def __init__(self, port, host="127.0.0.1", net=socket, receive_buffer=None):
        sock = net.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(PATIENCE_S)
        sock.connect((host, port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().__init__(sock)

    def ask(self, path="/", method="GET", fields=(), body=None, host="test.example"):
        """Sends a request and reads its response."""
        self.send(request_bytes(path, method, fields, body, host))
        return self.response(method)


def request_bytes(path="/", method="GET", fields=(), body=None, host="test.example"):
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in (fields.items() if isinstance(fields, dict) else fields)]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def response_bytes(status="200 OK", fields=(), body=b"", length=True):
    lines = [f"HTTP/1.1 {status}"]
    lines += [f"{name}: {value}" for name, value in (fields.items() if isinstance(fields, dict) else fields)]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def ask(port, path="/", method="GET", fields=(), body=None, host="test.example", at="127.0.0.1", net=socket):
    """One request on a connection of its own."""
    with Client(port, at, net) as client:
        return client.ask(path, method, fields, body, host)


class Backend:
    """A service that records. `answer(request)` gives the bytes to send; or `serve(stream)` has the whole connection.

    Without either, every request is answered with 200 and the backend's name as body.
    """

    def __init__(self, answer=None, serve=None, name="backend", host="127.0.0.1", port=0, net=socket, backlog=1024):
        self.name = name
        self.answer = answer or (lambda request: response_bytes(body=self.name.encode()))
        self.serve = serve or self.serve_requests
        self.streams, self.requests = [], []
        self.changed = threading.Condition()
        self.listener = net.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, port))
        self.listener.listen(backlog)
        self.host, self.port = self.listener.getsockname()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                stream = Stream(sock)
                with self.changed:
                    self.streams.append(stream)
                    self.changed.notify_all()
                threading.Thread(target=self.run, args=(stream,), daemon=True).start()

    def run(self, stream):
        with contextlib.suppress(OSError, Hangup):
            self.serve(stream)
        stream.socket.close()

    def serve_requests(self, stream):
        while True:
            request = stream.request()
            self.record(request, stream)
            reply = self.answer(request)
            if reply is None:
                return
            if request.method == "HEAD":
                reply = reply[: reply.index(b"\r\n\r\n") + 4]
            stream.send(reply)

    def record(self, request, stream):
        request.stream = stream
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()

    def wait(self, condition, what="what the test waits for"):
        """Until condition(self) holds; it is looked at whenever a connection or request comes."""
        with self.changed:
            assert self.changed.wait_for(lambda: condition(self), PATIENCE_S), f"{self.name}: {what} did not happen"

    def wait_requests(self, count):
        self.wait(lambda b: len(b.requests) >= count, f"request {count}")
        return self.requests[:count]

    @property
    def bytes(self):
        """Everything that all connections received."""
        return b"".join(bytes(s.received) for s in self.streams)

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for stream in self.streams:
            with contextlib.suppress(OSError):
                stream.socket.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def eventually(condition, what="the condition"):
    """Until condition() is true; for what announces itself to nobody. Its value. `what`: said if it does not happen."""
    end = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {PATIENCE_S} s: {what() if callable(what) else what}")
        time.sleep(0.005)
    return value


def tally(items):
    return dict(collections.Counter(items))
