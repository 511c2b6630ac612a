"""Where real Envoy is: $ENVOY, or the python package `envoy` of the machine's python3. None: it is not here."""

import os
import shutil
import subprocess

FIND = "import envoy, os; print(os.path.join(os.path.dirname(envoy.__file__), '_bin', 'envoy'))"


def find_envoy():
    if "ENVOY" in os.environ:
        return os.environ["ENVOY"]
    python = shutil.which("python3")
    found = python and subprocess.run([python, "-c", FIND], capture_output=True, text=True, cwd="/")
    return found.stdout.strip() if found and found.returncode == 0 else None


ENVOY = find_envoy()
