"""Cuts Envoy's descriptors down to the messages and fields that have C++ generated.

The table (src/config/built.txt) names messages (unindented) and the fields kept of each (indented; `*` for all).
Everything else goes: other messages and fields, options, services, extensions, imports that nobody needs any more.
What stays is generated for the lite runtime. (All of the API would be 190 CPU seconds of compiling; this is 10.)
"""

import wire

FILE = {"package": 2, "import": 3, "message": 4, "enum": 5, "options": 8, "public_import": 10, "syntax": 12}
LITE_RUNTIME = wire.serialize([(9, wire.VARINT, 3)])  # FileOptions.optimize_for
MESSAGE, ENUM = 11, 14


def table(path):
    """{message: set of fields, or None for all}; enums of the table are harmless here."""
    out, name = {}, None
    for line in open(path):
        words = line.split("#")[0].split()
        if not words:
            continue
        if line[0].isspace():
            if "*" in words:
                out[name] = None
            else:
                out[name].update(word for word in words if "=" not in word)
        else:
            name = words[0]
            out[name] = set()
    return out


class Api:
    """Every message and enum of the descriptor set by its full name."""

    def __init__(self, path):
        self.files = {}  # name -> fields of the FileDescriptorProto
        self.home = {}  # full name -> file name
        self.kind = {}  # full name -> "message" or "enum"
        for data in wire.every(wire.parse(open(path, "rb").read()), 1):
            file = wire.parse(data)
            name = wire.first(file, 1).decode()
            self.files[name] = file
            package = "." + wire.first(file, FILE["package"], b"").decode() if wire.first(file, FILE["package"]) else ""
            for m in wire.every(file, FILE["message"]):
                self.index(wire.parse(m), package, name)
            for e in wire.every(file, FILE["enum"]):
                self.note(wire.parse(e), package, name, "enum")

    def note(self, parsed, prefix, file, kind):
        full = prefix + "." + wire.first(parsed, 1).decode()
        self.home[full] = file
        self.kind[full] = kind
        return full

    def index(self, message, prefix, file):
        full = self.note(message, prefix, file, "message")
        for nested in wire.every(message, 3):
            self.index(wire.parse(nested), full, file)
        for enum in wire.every(message, 4):
            self.note(wire.parse(enum), full, file, "enum")


class Pruner:
    def __init__(self, api, kept):
        self.api = api
        self.kept = {"." + name: fields for name, fields in kept.items()}
        for name in self.kept:
            if name not in api.kind:
                raise SystemExit(f"the table names {name[1:]}, which the API does not have")
        self.used = set()  # types that kept fields name
        self.wanted = {name for name in self.kept if api.kind[name] == "message"}

    def field(self, data, owner):
        out, type_name = [], None
        for number, kind, value in wire.parse(data):
            if number == 8:  # options: only `packed` changes the code
                value = wire.serialize([f for f in wire.parse(value) if f[0] == 2])
                if not value:
                    continue
            if number == 6:
                type_name = value.decode()
            out.append((number, kind, value))
        if type_name:
            self.used.add(type_name)
            short = wire.first(out, 1).decode()
            is_own_entry = type_name.startswith(owner + ".") and type_name.endswith("Entry")
            if (
                not type_name.startswith(".google.protobuf.")
                and wire.first(out, 5) == MESSAGE
                and type_name not in self.wanted
                and not is_own_entry
            ):
                raise SystemExit(f"{owner[1:]}.{short} is in the table, but its type {type_name[1:]} is not")
        return wire.serialize(out)

    def fields_of(self, message, full):
        """(fields with renumbered oneofs, oneof declarations) of the kept fields."""
        kept = self.kept.get(full, set())
        oneofs, mapping, fields = wire.every(message, 8), {}, []
        names = set()
        for data in wire.every(message, 2):
            parsed = wire.parse(data)
            name = wire.first(parsed, 1).decode()
            names.add(name)
            if kept is not None and name not in kept:
                continue
            index = wire.first(parsed, 9)
            if index is not None:
                mapping.setdefault(index, len(mapping))
            parsed = [(n, k, mapping[v] if n == 9 else v) for n, k, v in parsed]
            fields.append(self.field(wire.serialize(parsed), full))
        for missing in sorted((kept or set()) - names):
            raise SystemExit(f"the table names {full[1:]}.{missing}, which the API does not have")
        names = [wire.first(wire.parse(oneofs[i]), 1) for i in mapping]
        return fields, [wire.serialize([(1, wire.BYTES, name)]) for name in names]

    def enum(self, data):
        out = []
        for number, kind, value in wire.parse(data):
            if number == 2:
                value = wire.serialize([f for f in wire.parse(value) if f[0] != 3])
            if number == 3:
                value = wire.serialize([f for f in wire.parse(value) if f[0] == 2])  # allow_alias
            out.append((number, kind, value))
        return wire.serialize(out)

    def message(self, message, prefix):
        """The pruned message, or None when neither it nor anything in it is kept."""
        full = prefix + "." + wire.first(message, 1).decode()
        options = wire.first(message, 7)
        if options is not None and any(n == 7 for n, _, _ in wire.parse(options)):  # a map's entry
            if full not in self.used:
                return None
            fields = [self.field(f, full) for f in wire.every(message, 2)]
            return wire.serialize(
                [(1, wire.BYTES, wire.first(message, 1))]
                + [(2, wire.BYTES, f) for f in fields]
                + [(7, wire.BYTES, wire.serialize([(7, wire.VARINT, 1)]))]
            )
        fields, oneofs = self.fields_of(message, full)
        nested = [m for m in (self.message(wire.parse(n), full) for n in wire.every(message, 3)) if m]
        enums = [
            self.enum(e)
            for e in wire.every(message, 4)
            if full + "." + wire.first(wire.parse(e), 1).decode() in self.used
        ]
        if full not in self.wanted and not nested and not enums:
            return None
        out = [(1, wire.BYTES, wire.first(message, 1))]
        for number, values in ((2, fields), (3, nested), (4, enums), (8, oneofs)):
            out += [(number, wire.BYTES, v) for v in values]
        return wire.serialize(out)

    def file(self, file):
        package = wire.first(file, FILE["package"], b"")
        prefix = "." + package.decode() if package else ""
        messages = [m for m in (self.message(wire.parse(m), prefix) for m in wire.every(file, FILE["message"])) if m]
        return prefix, messages

    def run(self):
        """{file name: FileDescriptorProto}. Two rounds: which enums are used is known when all messages are cut."""
        for _ in range(2):
            cut = {
                name: self.file(file)
                for name, file in self.api.files.items()
                if not name.startswith("google/protobuf/")
            }
        out = {}
        for name, (prefix, messages) in cut.items():
            file = self.api.files[name]
            enums = [
                self.enum(e)
                for e in wire.every(file, FILE["enum"])
                if prefix + "." + wire.first(wire.parse(e), 1).decode() in self.used
            ]
            if messages or enums:
                out[name] = (messages, enums)
        return {name: self.assemble(name, *parts) for name, parts in out.items()}

    def imports(self, messages):
        """Names of the files that hold what these messages refer to."""
        homes, todo = set(), [wire.parse(m) for m in messages]
        while todo:
            message = todo.pop()
            todo += [wire.parse(m) for m in wire.every(message, 3)]
            for field in wire.every(message, 2):
                type_name = wire.first(wire.parse(field), 6)
                if type_name:
                    homes.add(self.api.home[type_name.decode()])
        return homes

    def assemble(self, name, messages, enums):
        file = self.api.files[name]
        out = [(1, wire.BYTES, name.encode()), (2, wire.BYTES, wire.first(file, FILE["package"], b""))]
        out += [(3, wire.BYTES, i.encode()) for i in sorted(self.imports(messages) - {name})]
        out += [(4, wire.BYTES, m) for m in messages] + [(5, wire.BYTES, e) for e in enums]
        out += [(8, wire.BYTES, LITE_RUNTIME)]
        out += [(12, wire.BYTES, v) for v in wire.every(file, FILE["syntax"])]
        return wire.serialize(out)


def prune(envoy, table_path):
    """(a FileDescriptorSet of what is kept and the well-known types, the names of the files that need C++)."""
    api = Api(envoy)
    files = Pruner(api, table(table_path)).run()
    well_known = [wire.serialize(f) for n, f in api.files.items() if n.startswith("google/protobuf/")]
    ordered = [files[n] for n in api.files if n in files]
    return wire.serialize([(1, wire.BYTES, data) for data in well_known + ordered]), sorted(files)
