#!/usr/bin/env python3
"""A service that says its name, and then what others say: `service.py NAME ADDRESS:PORT [URL...]`"""

import socketserver
import sys
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME, AT, *OTHERS = sys.argv[1:]
# What ties the spans of a trace together: a service hands it on to whom it asks.
CARRIED = ["x-request-id", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags"]


class Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        carried = {name: self.headers[name] for name in CARRIED if name in self.headers}
        try:
            answers = [urllib.request.urlopen(urllib.request.Request(url, headers=carried)).read() for url in OTHERS]
        except urllib.error.URLError as error:
            return self.answer(502, f"service {NAME}: {error}\n".encode())
        self.answer(200, f"Hello from service {NAME}\n".encode() + b"".join(answers))

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    def server_bind(self):
        """Without asking the DNS for a name of our own."""
        socketserver.TCPServer.server_bind(self)


address, port = AT.split(":")
Server((address, int(port)), Service).serve_forever()
