"""The rules of the house that a machine can check. `tidy.py ROOT` prints each violation as path:line: what, and fails.

The order of the layers is read from the layer() lines of CMakeLists.txt.
"""

import re
import sys
from pathlib import Path

COLUMNS_MAX = 120
FUNCTION_LINES_MAX = 70
BANNED = ("Manager", "Context", "Impl", "Helper", "Helpers", "Util", "Utils", "Data")
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")
MACHINE_PATH = re.compile(r"(?<![\w.])/(work|root|tmp/team)(?![\w.-])")
SKIPPED = {"build", ".git", "__pycache__", ".pytest_cache", "fuzz"}
SELF = {"tidy.py", "tidy_test.py"}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
TYPE = re.compile(
    r"^[^\S\n]*(?:template\s*<[^;{]*>\s*)?(?:class|struct|union|enum(?:\s+class|\s+struct)?|concept)\s+"
    r"(?:(?:\[\[[^\]]*\]\]|alignas\([^)]*\)|[A-Z_]{4,})\s*)*(\w+)[^;(){}=]*[{=]",
    re.M,
)
ALIAS = re.compile(r"^\s*using\s+(\w+)\s*=\s*([^;]*);", re.M)
COROUTINE = re.compile(r"\bco_(await|return|yield)\b")


def line_of(text, at):
    return text.count("\n", 0, at) + 1


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


# Comments, string and character literals; `'` between digits is no literal.
LITERAL = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<tag>\w*)\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"|' r"(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'",
    re.S,
)


RAW_STRING = re.compile(r'R"(?P<tag>\w*)\(.*?\)(?P=tag)"', re.S)


def code_only(text):
    """The text with comments, literals and preprocessor lines blanked, every character at its place."""
    text = LITERAL.sub(blank, text)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", blank, text, flags=re.M)


def closing(code, at):
    """The index of the bracket that closes the one at `at`; the end of the text if none does."""
    opening, close = code[at], {"(": ")", "[": "]", "{": "}"}[code[at]]
    depth = 0
    for i in range(at, len(code)):
        depth += (code[i] == opening) - (code[i] == close)
        if depth == 0:
            return i
    return len(code)


# --- layers -------------------------------------------------------------------------------------------------------


def layers(root):
    """Each layer with all that it may include from: itself and what lies below it."""
    text = (root / "CMakeLists.txt").read_text()
    lines = re.findall(r'^layer\((\w+)\s+"([^"]*)"', text, re.M)
    below = {name: set(filter(None, deps.split(";"))) for name, deps in lines}
    allowed = {}
    for name in below:  # lowest first, so what is below is complete
        allowed[name] = {name}.union(*(allowed.get(each, {each}) for each in below[name]))
    return allowed


def check_layers(path, text, root, allowed):
    layer = path.relative_to(root / "src").parts[0]
    for match in INCLUDE.finditer(text):
        target = match[1].split("/")[0]
        if target in allowed and target not in allowed.get(layer, set()):
            yield line_of(text, match.start(1)), f'{layer} must not include from {target}: "{match[1]}"'


def stem(path):
    return re.sub(r"_(test|fuzz)$", "", path.stem)


# Parts of the runtime that stand on their tests until a feature calls for them.
PRIMITIVES = {"race.h"}


def check_reached(sources, root):
    """Every header is included by a file other than its own .cc, test and fuzzer."""
    reached = set()
    for path, text in sources.items():
        own = (path.parent, stem(path))
        for name in INCLUDE.findall(text):
            target = root / "src" / name
            if (target.parent, stem(target)) != own:
                reached.add(target)
    for path in sources:
        if path.suffix == ".h" and path not in reached and path.name not in PRIMITIVES:
            yield path, 1, "no other file includes this header"


# --- names --------------------------------------------------------------------------------------------------------


def check_names(path, code):
    if set(stem(path).split("_")) & {word.lower() for word in BANNED}:
        yield 1, f"a file name says what it holds, not {', '.join(BANNED)}"
    declared = [(m.start(1), m[1]) for m in TYPE.finditer(code)]
    # An alias may keep the name that the API gave.
    declared += [(m.start(1), m[1]) for m in ALIAS.finditer(code) if not re.search(rf"\b{m[1]}\b", m[2])]
    for at, name in declared:
        if name.endswith(BANNED):
            yield line_of(code, at), f"a type is named for what it is, not {', '.join(BANNED)}: {name}"


# --- functions ----------------------------------------------------------------------------------------------------

NOT_FUNCTION = re.compile(
    r"^(?:(?:template\s*<.*>|export|inline|static|constexpr|typedef)\s*)*"
    r"(?:namespace|class|struct|union|enum|extern|concept)\b",
    re.S,
)


def functions(code):
    """(start, end) of every outermost function body with its head, by braces."""
    at, head = 0, 0
    while at < len(code):
        char = code[at]
        if char == "(":  # parameters, arguments: their braces are none of ours
            at = closing(code, at)
        elif char in ";}":
            head = at + 1
        elif char == "{":
            before = code[head:at].strip()
            if "(" not in before or NOT_FUNCTION.match(before) or before.endswith("="):
                head = at + 1  # a namespace, type or table: look inside
            else:
                end = closing(code, at)
                start = head + len(code[head:at]) - len(code[head:at].lstrip())
                yield start, end
                at, head = end, end + 1
        at += 1


def check_function_length(code):
    for start, end in functions(code):
        lines = line_of(code, end) - line_of(code, start) + 1
        if lines > FUNCTION_LINES_MAX:
            yield line_of(code, start), f"a function of {lines} lines, at most {FUNCTION_LINES_MAX}"


# --- lambdas ------------------------------------------------------------------------------------------------------


def lambdas(code, begin=0, end=None):
    """(start, captures, body start, body end) of the lambdas in a piece of code, outermost ones."""
    end = len(code) if end is None else end
    at = begin
    while (at := code.find("[", at, end)) >= 0:
        before = code[begin:at].rstrip()
        subscript = re.search(r"[\w)\]]$", before) and not re.search(r"\b(return|co_return|co_await|co_yield)$", before)
        close = closing(code, at)
        head = re.compile(r"\s*(?:<[^{};()]*>)?\s*(?=[({mn-])")
        match = head.match(code, close + 1)
        if subscript or code.startswith("[", at + 1) or not match:
            at += 2 if code.startswith("[", at + 1) else 1
            continue
        body = match.end()
        if code[body] == "(":
            body = closing(code, body) + 1
        brace = re.compile(r"[\w\s:<>,*&-]*\{").match(code, body)
        if not brace:
            at += 1
            continue
        body_end = closing(code, brace.end() - 1)
        yield at, code[at + 1 : close].strip(), brace.end(), body_end
        at = body_end


def check_lambdas(code, begin=0, end=None):
    for start, captures, body, body_end in lambdas(code, begin, end):
        own, inside = code[body:body_end], list(lambdas(code, body, body_end))
        for _, _, inner, inner_end in inside:
            own = own.replace(code[inner:inner_end], "")
        if captures and COROUTINE.search(own):
            yield line_of(code, start), "a coroutine must not be a lambda with captures: they die before it ends"
        yield from check_lambdas(code, body, body_end)


# --- text ---------------------------------------------------------------------------------------------------------


def check_text(path, text):
    if path.suffix in (".h", ".cc", ".py", ".cmake", "") or path.name == "CMakeLists.txt":
        # A text of another language, in a raw string, keeps its own lines.
        for number, line in enumerate(RAW_STRING.sub(blank, text).split("\n"), 1):
            if len(line.rstrip()) > COLUMNS_MAX:
                yield number, f"{len(line)} columns, at most {COLUMNS_MAX}"
    if path.name in SELF:
        return
    for number, line in enumerate(text.split("\n"), 1):
        if UNFINISHED.search(line):
            yield number, "a mark of unfinished work"
        if MACHINE_PATH.search(line):
            yield number, "a path of one machine"


def check_source(path, text, root, allowed):
    code = code_only(text)
    yield from check_layers(path, text, root, allowed)
    yield from check_names(path, code)
    yield from check_lambdas(code)
    if not path.stem.endswith("_test"):
        yield from check_function_length(code)
    if path.suffix == ".h" and "#pragma once" not in text:
        yield 1, "#pragma once is missing"


# --- all of it ----------------------------------------------------------------------------------------------------


def files(root):
    for path in sorted(root.rglob("*")):
        if path.is_file() and not SKIPPED & set(path.relative_to(root).parts):
            try:
                yield path, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def violations(root):
    """Every violation below `root` as (path, line, what)."""
    allowed, sources, found = layers(root), {}, []
    for path, text in files(root):
        found += [(path, *each) for each in check_text(path, text)]
        if path.suffix in (".h", ".cc") and path.is_relative_to(root / "src"):
            sources[path] = text
    for path, text in sources.items():
        found += [(path, *each) for each in check_source(path, text, root, allowed)]
    found += check_reached(sources, root)
    return [(path.relative_to(root), line, what) for path, line, what in sorted(found)]


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    found = violations(root)
    for path, line, what in found:
        print(f"{path}:{line}: {what}")
    print(f"tidy: {len(found)} violations" if found else "tidy: every rule holds")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
