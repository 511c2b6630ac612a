"""An index over the embedded descriptors, so that a load reads only the files that it needs.

index.py ENVOY.fds OUT.index

All numbers are little-endian uint32. The file is
  files, symbols, successors             the three counts
  files      x (offset, size, name)      where each FileDescriptorProto lies in ENVOY.fds, ordered by name
  symbols    x (name, file)              each message, enum and service that is not nested, ordered by name
  successors x (old name, new name)      each message that replaced another (v2 by v3), ordered by old name
  text                                   NUL-terminated names; a `name` above is an offset into it
"""

import struct
import sys

import wire

VERSIONING = 7881811  # udpa.annotations.versioning of MessageOptions; its field 1 is the former message's name


def messages(data, prefix):
    parsed = wire.parse(data)
    name = prefix + wire.first(parsed, 1).decode()
    yield name, parsed
    for nested in wire.every(parsed, 3):
        yield from messages(nested, name + ".")


def predecessor(message):
    versioning = wire.first(wire.parse(wire.first(message, 7, b"")), VERSIONING)
    return wire.first(wire.parse(versioning), 1, b"").decode() if versioning is not None else ""


def descend(name, successors):
    """The newest message that goes back to `name`."""
    seen = set()
    while name in successors and name not in seen:
        seen.add(name)
        name = successors[name]
    return name


def read(fds):
    files, symbols, successors, at = [], {}, {}, 0
    while at < len(fds):
        _, at = wire.read_varint(fds, at)  # the key of FileDescriptorSet.file
        size, at = wire.read_varint(fds, at)
        file = wire.parse(fds[at : at + size])
        name = wire.first(file, 1).decode()
        package = wire.first(file, 2, b"").decode()
        prefix = package + "." if package else ""
        files.append((name, at, size))
        for kind in (4, 5, 6):
            for one in wire.every(file, kind):
                symbols[prefix + wire.first(wire.parse(one), 1).decode()] = name
        for one in wire.every(file, 4):
            for full, message in messages(one, prefix):
                old = predecessor(message)
                if old and ".v3" in full:
                    successors[old] = full
        at += size
    return sorted(files), sorted(symbols.items()), {old: descend(old, successors) for old in successors}


def main(envoy, out):
    files, symbols, successors = read(open(envoy, "rb").read())
    text, where = bytearray(), {}

    def name(value):
        if value not in where:
            where[value] = len(text)
            text.extend(value.encode() + b"\0")
        return where[value]

    number = {file: i for i, (file, _, _) in enumerate(files)}
    words = [len(files), len(symbols), len(successors)]
    for file, offset, size in files:
        words += [offset, size, name(file)]
    for symbol, file in symbols:
        words += [name(symbol), number[file]]
    for old, new in sorted(successors.items()):
        words += [name(old), name(new)]
    with open(out, "wb") as f:
        f.write(struct.pack(f"<{len(words)}I", *words) + text)


if __name__ == "__main__":
    main(*sys.argv[1:])
