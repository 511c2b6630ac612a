"""Cuts the serialized descriptors out of the xds-protos wheel, without importing any of its modules.

descriptors.py WHEEL WELL_KNOWN.fds OUT.fds

WELL_KNOWN.fds holds google/protobuf/*.proto (from protoc itself). OUT.fds is one FileDescriptorSet in which every file
stands behind the files that it imports.
"""

import ast
import sys
import zipfile

import wire


def of_module(source):
    """The bytes literal that a generated module hands to AddSerializedFile."""
    for statement in source.body:
        if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
            continue
        call = statement.value
        if isinstance(call.func, ast.Attribute) and call.func.attr == "AddSerializedFile":
            return ast.literal_eval(call.args[0])
    return None


def of_wheel(path):
    with zipfile.ZipFile(path) as wheel:
        for name in sorted(wheel.namelist()):
            if name.endswith("_pb2.py"):
                found = of_module(ast.parse(wheel.read(name)))
                if found is not None:
                    yield found


def in_order(files):
    """Depth first over the imports; names in sorted order, so that the result is always the same."""
    done, out = set(), []

    def visit(name, wanted_by):
        if name in done:
            return
        if name not in files:
            raise SystemExit(f"{wanted_by} imports {name}, which neither the wheel nor protoc has")
        done.add(name)
        for imported in wire.every(wire.parse(files[name]), 3):
            visit(imported.decode(), name)
        out.append(files[name])

    for name in sorted(files):
        visit(name, "")
    return out


def main(wheel, well_known, out):
    files = {}
    for data in wire.every(wire.parse(open(well_known, "rb").read()), 1):
        files[wire.first(wire.parse(data), 1).decode()] = data
    for data in of_wheel(wheel):
        files.setdefault(wire.first(wire.parse(data), 1).decode(), data)
    if not any(name.startswith("envoy/config/bootstrap/v3/") for name in files):
        raise SystemExit(f"{wheel} holds no Envoy API")
    with open(out, "wb") as f:
        f.write(wire.serialize([(1, wire.BYTES, data) for data in in_order(files)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
