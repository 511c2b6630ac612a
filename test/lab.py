"""A small cluster on one machine: each pod is a network namespace with files of its own, on one bridge, with DNS.

Needs root and iproute2. Sockets in a pod belong to this process: a thread visits the namespace to make them.
"""

import contextlib
import ctypes
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import threading
import uuid

import pytest

from peers import Backend, Client
from processes import BINARY, Process, Proxy

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def missing():
    """Why there can be no lab here; empty: there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for tool in ("ip", "nsenter", "unshare", "mount"):
        if not shutil.which(tool):
            return f"there is no `{tool}` (iproute2, util-linux)"
    name = f"probe-{uuid.uuid4().hex[:8]}"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    subprocess.run(["ip", "netns", "del", name], capture_output=True)
    return "" if tried.returncode == 0 else f"no network namespaces: {tried.stderr.strip()}"


needed = pytest.mark.skipif(bool(missing()), reason=f"needs network namespaces: {missing()}")


def ip(*words):
    done = subprocess.run(["ip", *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(map(str, words))}: {done.stderr}"


class Namespace:
    """A network namespace with its loopback up."""

    def __init__(self):
        self.name = f"outrider-{uuid.uuid4().hex[:8]}"
        ip("netns", "add", self.name)
        ip("-n", self.name, "link", "set", "lo", "up")
        self.inode = os.stat(f"/run/netns/{self.name}").st_ino

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM):
        """A socket that lives there, whoever uses it."""
        with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{self.name}") as there:
            if LIBC.setns(there.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            try:
                return socket.socket(family, kind)
            finally:
                LIBC.setns(home.fileno(), CLONE_NEWNET)

    def close(self):
        ip("netns", "del", self.name)


class Dns:
    """A DNS server over UDP. `zone`: name -> IPv4 addresses; what is not in it does not exist."""

    def __init__(self, net, host):
        self.zone, self.ttl, self.failing = {}, 1, False  # `failing`: SERVFAIL is all it says.
        self.answering = threading.Event()
        self.answering.set()  # Cleared: queries wait for their answers.
        self.asked = []  # (name, type) of every query.
        self.changed = threading.Condition()
        self.socket = net.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 53))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while (got := self.socket.recvfrom(4096))[0]:  # Nothing: closed.
                self.socket.sendto(self.answer(got[0]), got[1])

    def answer(self, query):
        labels, at = [], 12
        while length := query[at]:
            labels.append(query[at + 1 : at + 1 + length].decode())
            at += 1 + length
        kind = struct.unpack(">H", query[at + 1 : at + 3])[0]
        name = ".".join(labels).lower()
        with self.changed:
            self.asked.append((name, kind))
            self.changed.notify_all()
        self.answering.wait(20)
        addresses = self.zone.get(name)
        listed = addresses if addresses and kind == 1 and not self.failing else []
        status = 2 if self.failing else 3 if addresses is None else 0
        head = query[:2] + struct.pack(">HHHHH", 0x8580 | status, 1, len(listed), 0, 0)
        records = [struct.pack(">HHHIH", 0xC00C, 1, 1, self.ttl, 4) + socket.inet_aton(a) for a in listed]
        return head + query[12 : at + 5] + b"".join(records)

    def wait_asked(self, times):
        """Until this many more queries have come."""
        with self.changed:
            start = len(self.asked)
            assert self.changed.wait_for(lambda: len(self.asked) >= start + times, 20), "nobody asks the DNS server"

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


# What runs in a pod sees /etc and /tmp of the pod's, and the program as /usr/local/bin/envoy.
ENTER = (
    'mount --make-rprivate / && mount --bind "$1/etc" /etc && mount --bind "$1/bin" /usr/local/bin && '
    'mount --bind "$1/tmp" /tmp && cd / && shift && exec "$@"'
)


class Pod:
    def __init__(self, lab, name, host, nameserver):
        self.lab, self.name, self.host = lab, name, host
        self.net = Namespace()
        lab.ending.callback(self.net.close)
        self.directory = lab.directory / f"pod-{name}"
        for folder in ("etc", "bin", "tmp"):
            (self.directory / folder).mkdir(parents=True)
        for system in ("ld.so.cache", "passwd", "group", "nsswitch.conf"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(f"/etc/{system}", self.directory / "etc")
        self.file("/etc/resolv.conf", f"nameserver {nameserver}\noptions timeout:1 attempts:1\n")
        self.file("/etc/hosts", "127.0.0.1 localhost\n")
        for program in ("envoy", "outrider"):
            target = self.directory / "bin" / program
            try:
                os.link(BINARY, target)
            except OSError:
                shutil.copy(BINARY, target)

    def file(self, path, text):
        """Writes a file in the pod's /etc or /tmp."""
        at = self.directory / path.lstrip("/")
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_text(text)
        return path

    def within(self):
        return [
            "nsenter",
            f"--net=/run/netns/{self.net.name}",
            "unshare",
            "--mount",
            "sh",
            "-c",
            ENTER,
            "sh",
            str(self.directory),
        ]

    def run(self, *argv, **options):
        """A process in the pod, by its command line."""
        return self.lab.ending.enter_context(Process(argv, within=self.within(), net=self.net, **options))

    def envoy(self, *flags, admin=None, port=None, **options):
        """/usr/local/bin/envoy with these flags; `port`: waits until it listens there."""
        proxy = Proxy(flags, binary="/usr/local/bin/envoy", admin=admin, within=self.within(), net=self.net, **options)
        self.lab.ending.enter_context(proxy)
        if port:
            proxy.wait_listening(port)
        return proxy

    def backend(self, port, *args, **options):
        return self.lab.ending.enter_context(
            Backend(*args, host=self.host, port=port, net=self.net, name=self.name, **options)
        )

    def client(self, port, at=None):
        return self.lab.ending.enter_context(Client(port, at or self.host, self.net))

    def ask(self, port, *args, at=None, **options):
        with Client(port, at or self.host, self.net) as client:
            return client.ask(*args, **options)


class Lab:
    """Pods at 10.77.0.x; names in `dns.zone`."""

    def __init__(self, directory):
        self.directory, self.pods, self.ending = pathlib.Path(directory), {}, contextlib.ExitStack()
        self.switch = Namespace()
        self.ending.callback(self.switch.close)
        # An address of its own: else it takes the lowest of its ports', and changes whenever a pod comes.
        ip("-n", self.switch.name, "link", "add", "br0", "address", "02:00:00:00:00:01", "type", "bridge")
        ip("-n", self.switch.name, "addr", "add", "10.77.0.1/24", "dev", "br0")
        ip("-n", self.switch.name, "link", "set", "br0", "up")
        self.dns = Dns(self.switch, "10.77.0.1")
        self.ending.callback(self.dns.close)

    def pod(self, name, named=True):
        """A machine of its own; its name is in the DNS unless told otherwise."""
        number = len(self.pods) + 2
        host = f"10.77.0.{number}"
        pod = Pod(self, name, host, "10.77.0.1")
        ip(
            "link",
            "add",
            f"v{number}",
            "netns",
            self.switch.name,
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            pod.net.name,
        )
        ip("-n", self.switch.name, "link", "set", f"v{number}", "master", "br0", "up")
        ip("-n", pod.net.name, "addr", "add", f"{host}/24", "dev", "eth0")
        ip("-n", pod.net.name, "link", "set", "eth0", "up")
        self.pods[name] = pod
        if named:
            self.dns.zone[name] = [host]
        return pod

    def close(self):
        self.ending.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Island:
    """One pod for all: proxy, DNS and backends on its loopback. Enough for tests of discovery, and soon made."""

    def __init__(self, directory):
        self.directory, self.ending = pathlib.Path(directory), contextlib.ExitStack()
        self.pod = Pod(self, "island", "127.0.0.1", "127.0.0.1")
        self.net = self.pod.net
        self.dns = Dns(self.net, "127.0.0.1")
        self.ending.callback(self.dns.close)

    def backends(self, *hosts, port=80):
        """Each answers with its address."""
        return [self.ending.enter_context(Backend(host=h, port=port, net=self.net, name=h)) for h in hosts]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ending.close()
