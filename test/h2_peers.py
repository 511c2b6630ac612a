"""A host that speaks HTTP/2 by the stack of others (h2): what it does with a request is the test's to say. What that
stack would not send is h2_talk's."""

import contextlib
import socket
import threading

import h2.config
import h2.connection
import h2.events
import h2.settings

FIRST = {1: 4096, 3: 100, 4: 65535, 5: 16384}  # What it says of itself.


class Request:
    def __init__(self, host, talk, stream, headers):
        self.host, self.talk, self.stream = host, talk, stream
        self.fields = [(n, v) for n, v in headers if not n.startswith(":")]
        self.pseudo = {n: v for n, v in headers if n.startswith(":")}
        self.body, self.ended, self.trailers = b"", False, []

    def __getitem__(self, name):
        return next((v for n, v in self.fields if n == name), None)

    def head(self, status=200, fields=(), end=False):
        self.talk.codec.send_headers(self.stream, [(":status", str(status)), *fields], end_stream=end)

    def data(self, data, end=False):
        self.talk.codec.send_data(self.stream, data, end_stream=end)

    def answer(self, status=200, body=b"", fields=()):
        self.head(status, fields, end=not body)
        if body:
            self.data(body, end=True)

    def reset(self, code):
        self.talk.codec.reset_stream(self.stream, code)


class Talk:
    """One connection."""

    def __init__(self, host, sock):
        self.host, self.socket = host, sock
        config = h2.config.H2Configuration(
            client_side=False,
            header_encoding="utf-8",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self.codec = h2.connection.H2Connection(config)
        settings = {**FIRST, **host.settings}
        self.codec.local_settings = h2.settings.Settings(client=False, initial_values=settings)
        self.requests, self.resets, self.ended = {}, {}, False

    def send(self, data=b""):
        self.socket.sendall(self.codec.data_to_send() + data)

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def run(self):
        self.codec.initiate_connection()
        self.send()
        while data := self.socket.recv(65536):
            for event in self.codec.receive_data(data):
                self.take(event)
            self.send()

    def take(self, event):
        kinds = h2.events
        if isinstance(event, kinds.RequestReceived):
            request = Request(self.host, self, event.stream_id, event.headers)
            self.requests[event.stream_id] = request
            self.host.record(request)
            self.host.on_head(request)
        elif isinstance(event, kinds.DataReceived):
            request = self.requests[event.stream_id]
            request.body += event.data
            self.codec.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            self.host.on_data(request, event.data)
        elif isinstance(event, kinds.TrailersReceived):
            self.requests[event.stream_id].trailers = event.headers
        elif isinstance(event, kinds.StreamEnded):
            request = self.requests[event.stream_id]
            request.ended = True
            self.host.on_end(request)
        elif isinstance(event, kinds.StreamReset):
            self.resets[event.stream_id] = int(event.error_code)
        with self.host.changed:
            self.host.changed.notify_all()


class H2Host:
    """`on_end` answers a whole request, `on_head` one whose head has come, `on_data` a piece of a body."""

    def __init__(self, on_end=None, on_head=None, on_data=None, settings=None, port=0):
        self.on_end = on_end or ((lambda r: None) if on_head or on_data else (lambda r: r.answer(200, b"host")))
        self.on_head = on_head or (lambda r: None)
        self.on_data = on_data or (lambda r, d: None)
        self.settings = settings or {}
        self.talks, self.requests = [], []
        self.changed = threading.Condition()
        self.listener = socket.create_server(("127.0.0.1", port))
        self.host, self.port = self.listener.getsockname()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                talk = Talk(self, sock)
                self.talks.append(talk)
                threading.Thread(target=self.run, args=(talk,), daemon=True).start()

    def run(self, talk):
        with contextlib.suppress(OSError):
            talk.run()
        talk.socket.close()
        talk.ended = True
        with self.changed:
            self.changed.notify_all()

    def record(self, request):
        with self.changed:
            self.requests.append(request)

    def wait(self, condition, what="what the test waits for", seconds=10):
        with self.changed:
            assert self.changed.wait_for(lambda: condition(self), seconds), f"{what} did not happen"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        for talk in self.talks:
            talk.close()
