"""The sockets that another process holds, and what has been set on them (Linux, pidfd_getfd)."""

import ctypes
import os
import socket
import stat

PIDFD_GETFD = 438
OPTIONS = {
    "SO_REUSEPORT": (socket.SOL_SOCKET, socket.SO_REUSEPORT),
    "SO_KEEPALIVE": (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
    "SO_PRIORITY": (socket.SOL_SOCKET, socket.SO_PRIORITY),
    "IP_TOS": (socket.IPPROTO_IP, socket.IP_TOS),
    "IP_FREEBIND": (socket.IPPROTO_IP, 15),
    "IP_TRANSPARENT": (socket.IPPROTO_IP, 19),
    "TCP_NODELAY": (socket.IPPROTO_TCP, socket.TCP_NODELAY),
    "TCP_KEEPIDLE": (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
    "TCP_KEEPINTVL": (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
    "TCP_KEEPCNT": (socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
    "TCP_DEFER_ACCEPT": (socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT),
    "TCP_FASTOPEN": (socket.IPPROTO_TCP, socket.TCP_FASTOPEN),
}
libc = ctypes.CDLL(None, use_errno=True)


def copy_of(pid, fd):
    pidfd = os.pidfd_open(pid)
    try:
        got = libc.syscall(PIDFD_GETFD, pidfd, fd, 0)
    finally:
        os.close(pidfd)
    return socket.socket(fileno=got) if got >= 0 else None


def inodes(pid):
    """Pairs of a descriptor and its socket."""
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found = os.stat(f"/proc/{pid}/fd/{name}")
        except OSError:
            continue
        if stat.S_ISSOCK(found.st_mode):
            yield int(name), found.st_ino


def held(pid, port):
    """What is set on each of its TCP sockets at that port, once; "listens" among it."""
    found = {}
    for fd, inode in inodes(pid):
        copy = copy_of(pid, fd)
        if copy is None:
            continue
        with copy as s:
            if s.family != socket.AF_INET or s.type != socket.SOCK_STREAM or s.getsockname()[1] != port:
                continue
            values = {name: s.getsockopt(*option) for name, option in OPTIONS.items()}
            listens = bool(s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
            found[inode] = {"listens": listens, "at": s.getsockname()[0], **values}
    return sorted(found.values(), key=str)
