#!/usr/bin/python3
"""PostgreSQL on a port of 127.0.0.1, with data of its own that end with it. `database.py PORT`"""

import glob
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile


def programs():
    """The newest server that is installed."""
    found = glob.glob("/usr/lib/postgresql/*/bin")
    if not found:
        sys.exit("there is no PostgreSQL: `./dev run usersvc` installs it")
    return max(found, key=lambda path: float(path.split("/")[-2]))


def owner():
    """PostgreSQL does not run as root: who runs it instead."""
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("postgres")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def main():
    port, path, run_as = sys.argv[1], programs(), owner()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    directory = tempfile.mkdtemp(prefix="usersvc-")
    if run_as:
        os.chown(directory, run_as["user"], run_as["group"])
    try:
        made = subprocess.run(
            [f"{path}/initdb", "-D", f"{directory}/data", "-U", "usersvc", "--auth=trust", "--no-sync", "-E", "UTF8"],
            cwd=directory,
            stdout=subprocess.DEVNULL,
            **run_as,
        )
        if made.returncode:
            return made.returncode
        options = ["-p", port, "-k", directory, "-c", "listen_addresses=127.0.0.1", "-c", "log_min_messages=fatal"]
        server = subprocess.Popen([f"{path}/postgres", "-D", f"{directory}/data", *options], cwd=directory, **run_as)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: server.send_signal(signal.SIGINT))  # At once, but in order.
        return server.wait()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


sys.exit(main())
