"""The programs that a test starts, and ends by their id."""

import contextlib
import itertools
import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import threading

from peers import PATIENCE_S, Client, eventually

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = os.path.abspath(os.environ.get("OUTRIDER") or ROOT / "build/release/outrider")


# Each pytest-xdist worker has its own range, below those of the kernel.
PORTS_OF_A_WORKER = 2500
WORKER = int((os.environ.get("PYTEST_XDIST_WORKER") or "gw0").removeprefix("gw")) % 8
port_numbers = itertools.count(random.randrange(PORTS_OF_A_WORKER))


def free_port():
    """A port that nobody listens on, and not one just given: outrider's listeners would share it (SO_REUSEPORT)."""
    while True:
        port = 12000 + WORKER * PORTS_OF_A_WORKER + next(port_numbers) % PORTS_OF_A_WORKER
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("0.0.0.0", port))
            return port


def heed_interrupts():
    """A shell's background job ignores SIGINT, and so would all that it starts: what we test shall not inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Process:
    """A child process whose output is read line by line. `within` puts words before the command, as `nsenter` needs;
    `before` is called in the child first."""

    def __init__(self, argv, env=None, within=(), net=socket, before=heed_interrupts, **options):
        self.argv, self.net = [str(word) for word in argv], net
        self.lines = {"stdout": [], "stderr": []}
        self.changed = threading.Condition()
        self.open_outputs = 2
        self.popen = subprocess.Popen(
            [*within, *self.argv],
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=before,
            **options,
        )
        self.pid = self.popen.pid
        for name in self.lines:
            threading.Thread(target=self.collect, args=(name,), daemon=True).start()

    def collect(self, name):
        with getattr(self.popen, name) as pipe:
            for line in pipe:
                with self.changed:
                    self.lines[name].append(line.decode(errors="replace").rstrip("\n"))
                    self.changed.notify_all()
        with self.changed:
            self.open_outputs -= 1
            self.changed.notify_all()

    @property
    def stderr(self):
        return "\n".join(self.lines["stderr"])

    @property
    def stdout(self):
        return "\n".join(self.lines["stdout"])

    @property
    def alive(self):
        return self.popen.poll() is None

    def wait_line(self, pattern, after=0, output="stderr"):
        """The first line from number `after` on that matches."""

        def found():
            return next((x for x in self.lines[output][after:] if re.search(pattern, x)), None)

        with self.changed:
            self.changed.wait_for(lambda: found() or not self.open_outputs, PATIENCE_S)
            line = found()
        assert line is not None, f"{self} wrote no line with {pattern!r}:\n{self.stderr}\n{self.stdout}"
        return line

    def wait(self):
        """Its exit status, when it has ended and all its output is read."""
        status = self.popen.wait(PATIENCE_S)
        with self.changed:
            self.changed.wait_for(lambda: not self.open_outputs, PATIENCE_S)
        return status

    def signal(self, number):
        self.popen.send_signal(number)

    def stop(self):
        if self.alive:
            self.popen.kill()
        self.popen.wait()

    def listening(self, port):
        """Whether a socket of its network namespace listens there, once it has entered that."""
        if not self.entered():
            return False
        for table in ("tcp", "tcp6"):
            with contextlib.suppress(OSError), open(f"/proc/{self.pid}/net/{table}") as lines:
                if any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in lines):
                    return True
        return False

    def entered(self):
        """`nsenter` needs a moment to become the program in its namespace."""
        with contextlib.suppress(OSError):
            return self.net is socket or os.stat(f"/proc/{self.pid}/ns/net").st_ino == self.net.inode
        return False

    def wait_listening(self, *ports):
        for port in ports:
            eventually(lambda: self.listening(port) or not self.alive, f"{self} listens on {port}\n{self.stderr}")
        if not self.alive:
            self.wait()
            raise AssertionError(f"{self} ended with {self.popen.returncode}:\n{self.stderr}\n{self.stdout}")
        return self

    def rss_kib(self):
        with open(f"/proc/{self.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])

    def __str__(self):
        return f"process {self.pid} ({' '.join(self.argv)[:200]})"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Proxy(Process):
    """outrider, or another program with Envoy's command line and admin interface."""

    def __init__(self, argv, admin=None, binary=BINARY, **options):
        super().__init__([binary, *argv], **options)
        self.admin = admin

    def ask_admin(self, path, method="GET"):
        with Client(self.admin, net=self.net) as client:
            return client.ask(path, method, [("connection", "close")], b"" if method == "POST" else None)

    def stats(self, prefix=""):
        """Counters and gauges by name."""
        text = self.ask_admin("/stats").body.decode()
        pairs = (line.rsplit(": ", 1) for line in text.splitlines() if ": " in line)
        return {n: int(v) for n, v in pairs if v.isdigit() and n.startswith(prefix)}

    def stat(self, name):
        return self.stats().get(name, 0)

    def wait_stat(self, name, value):
        """Until the statistic has this value: gauges and counters of other threads follow a little later."""
        with contextlib.suppress(AssertionError):
            eventually(lambda: self.stat(name) == value)
            return
        alike = {k: v for k, v in self.stats().items() if k.split(".")[0] == name.split(".")[0] and v}
        raise AssertionError(f"{name} is {self.stat(name)}, not {value}. There are {alike}")

    def terminate(self):
        """Ends it as an operator does: its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()


def write_config(path, config):
    """A dict as JSON, which is YAML too; a text as it stands."""
    path.write_text(config if isinstance(config, str) else json.dumps(config, indent=1))
    return path
