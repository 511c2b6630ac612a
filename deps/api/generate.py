"""Generates the C++ of the API messages that outrider reads.

generate.py PROTOC ENVOY.fds TABLE OUT_DIR UNITS

OUT_DIR/include gets the headers and sources (a file that did not change is not touched, so that its users are not
compiled again), OUT_DIR/api_0.cc ... api_<UNITS-1>.cc include the sources in portions of about the same size.
"""

import os
import subprocess
import sys
import tempfile

import prune


def write_if_changed(path, data):
    if os.path.exists(path) and open(path, "rb").read() == data:
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def run_protoc(protoc, descriptors, files, out):
    """Runs protoc; returns {source: size} relative to `out`."""
    with tempfile.TemporaryDirectory() as fresh:
        pruned = os.path.join(fresh, "pruned.fds")
        with open(pruned, "wb") as f:
            f.write(descriptors)
        subprocess.run([protoc, "--descriptor_set_in=" + pruned, "--cpp_out=" + fresh, *files], check=True)
        os.unlink(pruned)
        sources = {}
        for folder, _, names in os.walk(fresh):
            for name in names:
                path = os.path.join(folder, name)
                relative = os.path.relpath(path, fresh)
                data = open(path, "rb").read()
                write_if_changed(os.path.join(out, relative), data)
                if name.endswith(".cc"):
                    sources[relative] = len(data)
        return sources


def portions(sources, count):
    """The largest source first, each into the portion that is the smallest so far."""
    out = [[0, []] for _ in range(count)]
    for name, size in sorted(sources.items(), key=lambda item: (-item[1], item[0])):
        smallest = min(out, key=lambda portion: portion[0])
        smallest[0] += size
        smallest[1].append(name)
    return [sorted(names) for _, names in out]


def main(protoc, envoy, table, out, units):
    descriptors, files = prune.prune(envoy, table)
    sources = run_protoc(protoc, descriptors, files, os.path.join(out, "include"))
    for i, names in enumerate(portions(sources, int(units))):
        path = os.path.join(out, f"api_{i}.cc")
        write_if_changed(path, "".join(f'#include "{name}"\n' for name in names).encode())
        os.utime(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
