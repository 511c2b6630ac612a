#!/usr/bin/env python3
"""How many configurations of a folder outrider loads, and why not the others: what to build next.

corpus.py [--envoy] [--reasons N] [--files] [FOLDER]      the folder may come from $OUTRIDER_CORPUS

A folder below FOLDER (v1, v2, v3 ...) is a row of its own. `--envoy`: whether real Envoy takes each file, and whether
it takes what `outrider convert` makes of it.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = os.path.abspath(os.environ.get("OUTRIDER") or ROOT / "build/release/outrider")
SUFFIXES = {".json", ".yaml", ".yml", ".pb", ".pb_text"}
PATIENCE_S = 60

# What only says that a file was written for another machine.
OF_THE_MACHINE = re.compile(
    r"^cannot open '|cannot be read|No such file|^the variable |is not set$|"
    r"Failed to load incomplete private key|Invalid path: |unable to add filesystem watch|unable to open file|"
    r"Unable to open file|file .* does not exist|Failed to load .* from|unable to read file"
)
ENVOY_LACKS = re.compile(r"could not find @type|Didn't find a registered implementation")


# The files name logs and sockets of their own, which both proxies make where they stand.
ELSEWHERE = tempfile.TemporaryDirectory()


def run(*argv):
    io = dict(capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=ELSEWHERE.name)
    try:
        done = subprocess.run(argv, timeout=PATIENCE_S, **io)
    except subprocess.TimeoutExpired:
        return 124, "", "takes longer than a minute"
    return done.returncode, done.stdout, done.stderr


def reasons(name, text):
    """The errors that outrider told of a file, without file, line and path; notes are no errors."""
    for line in text.splitlines():
        found = re.match(re.escape(name) + r"(?::\d+:\d+)?: (?:[\w.@]+(?:\[[^ ]*\][\w.@]*)*: )?(.*)$", line)
        if found and not found[1].startswith("note: "):
            yield re.sub(
                r" \((?:did you mean|built are|first in line|this looks like a placeholder) .*\)$", "", found[1]
            )


def types(value):
    """Every "@type" in a configuration, the content of TypedStructs by the type that they name."""
    if isinstance(value, list):
        for each in value:
            yield from types(each)
    elif isinstance(value, dict):
        name = str(value.get("@type", "")).rpartition("/")[2]
        if name.endswith("TypedStruct"):
            name = str(value.get("type_url") or value.get("typeUrl") or name).rpartition("/")[2]
        if name:
            yield name
        for each in value.values():
            yield from types(each)


def built_messages():
    lines = (ROOT / "src/config/built.txt").read_text().splitlines()
    return {line.split("#")[0].strip() for line in lines if line[:1].isalpha()}


class File:
    def __init__(self, path, built):
        self.path = path
        status, _, errors = run(BINARY, "validate", path)
        found = list(reasons(path, errors))
        self.machine = [r for r in found if OF_THE_MACHINE.search(r)]
        self.reasons = [r for r in found if not OF_THE_MACHINE.search(r)]
        self.loads = status == 0 or bool(self.machine and not self.reasons)
        if not self.loads and not self.reasons:
            self.reasons = [f"ended with {status}: {errors.strip()[-100:]}"]
        status, self.converted, errors = run(BINARY, "convert", "--format", "json", path)
        self.conversion = [] if status == 0 else list(reasons(path, errors)) or [f"convert ended with {status}"]
        self.types = set(types(json.loads(self.converted))) if status == 0 else set()
        self.unbuilt = {t for t in self.types if t not in built and not t.startswith("google.protobuf.")}


def ask_envoy(envoy, path):
    """accepted, machine, extension, or refused; and why."""
    named = ("--service-node", "node", "--service-cluster", "cluster")
    status, _, errors = run(envoy, "--mode", "validate", "-c", str(path), "-l", "critical", *named)
    if status == 0:
        return "accepted", ""
    text = " ".join(line for line in errors.splitlines() if line.strip())
    text = re.sub(r"^\[.*?error initializing configuration '[^']*': ", "", text)
    kind = "machine" if OF_THE_MACHINE.search(text) else "extension" if ENVOY_LACKS.search(text) else "refused"
    return kind, text[:240]


class Home:
    """What a file expects of its machine, made here: certificates, folders, discovered resources."""

    def __init__(self, folder):
        self.key, self.certificate, self.root = (f"{folder}/{name}" for name in ("key.pem", "certificate.pem", "root"))
        self.resources = f"{folder}/resources.json"
        pathlib.Path(self.resources).write_text('{"resources": []}')
        os.makedirs(f"{self.root}/current")
        run(
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=outrider", "-days", "1"),
            *("-keyout", self.key, "-out", self.certificate),
        )

    def move_in(self, value, holder=""):
        """The configuration with what it names and does not find put at its place."""
        if isinstance(value, list):
            return [self.move_in(each, holder) for each in value]
        if not isinstance(value, dict):
            return value
        return {k: self.place(k, v, holder) or self.move_in(v, k) for k, v in value.items()}

    def place(self, key, value, holder):
        if not isinstance(value, str):
            return None
        if key == "symlink_root":
            return self.root + "/current"
        if key == "filename" and not os.path.exists(value) and not value.endswith(".wasm"):
            return self.key if holder in ("private_key", "keys") else self.certificate
        if key == "path" and holder == "path_config_source":
            return self.resources
        if key == "path" and holder == "typed_config" and not os.path.isdir(os.path.dirname(value)):
            return "/dev/null"
        return None


def compare_with_envoy(files):
    sys.path.insert(0, str(ROOT / "test/parity"))
    sys.path.insert(0, str(ROOT / "test"))
    from envoy_binary import ENVOY

    if not ENVOY:
        return sys.exit("there is no Envoy: none in build/venv, no $ENVOY")
    with tempfile.TemporaryDirectory() as folder:
        home = Home(folder)

        def both(pair):
            number, file = pair
            out = pathlib.Path(folder) / f"{number}.json"
            out.write_text(json.dumps(home.move_in(json.loads(file.converted or "{}"))))
            converted = ask_envoy(ENVOY, out) if not file.conversion else ("not converted", file.conversion[0])
            return ask_envoy(ENVOY, file.path), converted

        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(both, enumerate(files)))
    for what, at in (("as they are", 0), ("converted", 1)):
        kinds = collections.Counter(answer[at][0] for answer in answers)
        print(f"  Envoy, {what:12} " + ", ".join(f"{n} {kind}" for kind, n in kinds.most_common()))
    for file, (_, (kind, why)) in zip(files, answers):
        if kind in ("refused", "not converted"):
            print(f"    {kind}: {pathlib.Path(file.path).name}: {why}")


def table(title, counted, most):
    if counted:
        print(f"  {title}")
    for what, count in counted.most_common(most):
        print(f"    {count:4}  {what}")
    if len(counted) > most:
        print(f"          ... and {len(counted) - most} more")


def count(lists):
    return collections.Counter(what for each in lists for what in set(each))


def report(title, files, options):
    able = [f for f in files if not f.conversion and not f.unbuilt]
    print(f"{title}: {sum(f.loads for f in files)} of {len(files)} load", end="")
    print(f"; of those whose extensions are all built {sum(f.loads for f in able)} of {len(able)}")
    near = [f for f in files if not f.loads and len(set(f.reasons)) == 1]
    table("the only reason (files)", count(f.reasons for f in near), options.reasons)
    table("reasons (files)", count(f.reasons for f in files if not f.loads), options.reasons)
    table("extensions not built (files)", count(f.unbuilt for f in files), options.reasons)
    table("not converted (files)", count(f.conversion for f in files), options.reasons)
    if options.files:
        for f in files:
            state = "loads" if f.loads else f"{len(set(f.reasons))} reasons"
            print(f"  {pathlib.Path(f.path).name}: {state}; {' '.join(sorted(f.types))}")
    if options.envoy:
        compare_with_envoy(files)
    print()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", default=os.environ.get("OUTRIDER_CORPUS"))
    parser.add_argument("--envoy", action="store_true", help="ask real Envoy too")
    parser.add_argument("--reasons", type=int, default=40, help="lines a table has at most")
    parser.add_argument("--files", action="store_true", help="each file with its extensions")
    options = parser.parse_args()
    if not options.folder:
        parser.error("name a folder with configurations, or set OUTRIDER_CORPUS")
    folder, built = pathlib.Path(options.folder).resolve(), built_messages()
    groups = collections.defaultdict(list)
    for path in sorted(p for p in folder.rglob("*") if p.suffix in SUFFIXES):
        groups[(path.relative_to(folder).parts[0] if path.parent != folder else folder.name)].append(str(path))
    everything = []
    with ThreadPoolExecutor(2) as pool:
        for name, paths in groups.items():
            files = list(pool.map(lambda p: File(p, built), paths))
            report(name, files, options)
            everything += files
    options.envoy = options.files = False
    report("all", everything, options)


if __name__ == "__main__":
    main()
