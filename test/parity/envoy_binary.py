"""Where real Envoy is: $ENVOY, or what `./dev` has installed for the tests. None: it is not here."""

import os
from pathlib import Path

INSTALLED = "build/venv/lib/python3*/site-packages/envoy/_bin/envoy"


def find_envoy():
    if "ENVOY" in os.environ:
        return os.environ["ENVOY"]
    found = list(Path(__file__).parents[2].glob(INSTALLED))
    return str(found[0]) if found else None


ENVOY = find_envoy()
