"""Each rule of tidy.py finds what breaks it, and nothing in a tree that keeps to it."""

import subprocess
import sys
from pathlib import Path

import pytest

TIDY = Path(__file__).with_name("tidy.py")

CMAKE = """
layer(core   ""           "")
layer(net    "core"       "cares")
layer(wire   "core"       "")
layer(http   "wire;net"   "")
"""

TREE = {
    "CMakeLists.txt": CMAKE,
    "src/core/task.h": "#pragma once\nstruct Task {};\n",
    "src/net/tcp.h": '#pragma once\n#include "core/task.h"\n',
    "src/net/tcp.cc": '#include "net/tcp.h"\n\n#include <vector>\n',
    "src/wire/h1.h": '#pragma once\n#include "core/task.h"\n',
    "src/http/serve.cc": '#include "core/task.h"\n#include "net/tcp.h"\n#include "wire/h1.h"\n',
}


@pytest.fixture
def tidy(tmp_path):
    """Runs tidy on TREE with the files of `changes` written over it; returns its lines."""

    def run(changes=()):
        for name, text in {**TREE, **dict(changes)}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        done = subprocess.run([sys.executable, TIDY, tmp_path], capture_output=True, text=True)
        assert done.stderr == ""
        lines = done.stdout.splitlines()
        assert done.returncode == (0 if len(lines) == 1 else 1)
        return lines[:-1]

    return run


def function(lines, head="void f(int a)"):
    return head + " {\n" + "  g();\n" * (lines - 2) + "}\n"


def test_a_tree_that_keeps_the_rules_passes(tidy):
    assert tidy() == []


@pytest.mark.parametrize(
    "name, text, line, what",
    [
        ("src/wire/h1.cc", '#include "wire/h1.h"\n#include "net/tcp.h"\n', 2, "wire must not include from net"),
        ("src/core/task.cc", '#include "http/serve.h"\n', 1, "core must not include from http"),
        ("src/wire/h1_test.cc", '#include "net/tcp.h"\n', 1, "wire must not include from net"),
        ("src/net/dead.h", "#pragma once\n", 1, "no other file includes this header"),
        ("src/core/task.h", "struct Task {};\n", 1, "#pragma once is missing"),
        ("src/net/tcp.cc", "class PoolManager {\n};\n", 1, "named for what it is"),
        ("src/net/tcp.cc", "\n\nstruct alignas(64) StreamContext : Base {\n};\n", 3, "StreamContext"),
        ("src/net/tcp.cc", "template <class T>\nstruct FooImpl {};\n", 2, "FooImpl"),
        ("src/net/tcp.cc", "enum class ConnectionData { a };\n", 1, "ConnectionData"),
        ("src/net/tcp.cc", "using BufferHelper = int;\n", 1, "BufferHelper"),
        ("src/net/string_util.cc", "int a;\n", 1, "file name"),
        ("src/net/tcp.cc", "// " + "x" * 118 + "\n", 1, "121 columns"),
        ("test/echo_test.py", "x" * 121, 1, "121 columns"),
        ("src/net/tcp.cc", function(71), 1, "a function of 71 lines"),
        ("src/net/tcp.cc", "namespace a {\n" + function(71, "int A::f(B b) const") + "}\n", 2, "71 lines"),
        ("src/net/tcp.cc", "struct A {\n" + function(71, "A() : b_(1)") + "};\n", 2, "71 lines"),
        ("src/net/tcp.cc", "int a;\n// TO" + "DO: more\n", 2, "unfinished"),
        ("README.md", "FIX" + "ME\n", 1, "unfinished"),
        ("src/net/tcp.cc", "// see /wo" + "rk/main\n", 1, "path of one machine"),
        ("examples/a.yaml", "path: /ro" + "ot/x\n", 1, "path of one machine"),
        ("src/net/tcp.cc", "void f() {\n  auto a = [&] { co_await b(); };\n}\n", 2, "coroutine must not be a lambda"),
        ("src/net/tcp.cc", "void f() {\n  g([x](int a) -> Task<int> {\n    co_return a;\n  });\n}\n", 2, "coroutine"),
        ("src/net/tcp.cc", "auto f() {\n  return [this]() mutable { co_await b(); };\n}\n", 2, "coroutine"),
        ("src/net/tcp.cc", "auto f = [] { g([=] { co_await b(); }); };\n", 1, "coroutine"),
    ],
)
def test_each_violation_is_found(tidy, name, text, line, what):
    found = tidy({name: text})
    assert any(each.startswith(f"{name}:{line}: ") and what in each for each in found), found


@pytest.mark.parametrize(
    "text",
    [
        function(70),
        "namespace a {\n" + "int b;\n" * 100 + "}\n",
        "struct A {\n" + "  int f() { return 1; }\n" * 100 + "};\n",
        "constexpr A kTable[] = {\n" + "  {f(1), [] { return 1; }},\n" * 100 + "};\n",
        "void f() {\n  auto a = [] { co_await b(); };\n}\n",  # no captures
        "void f() {\n  auto a = [&] { g([](X& x) -> Task<> { co_await x.b(); }); };\n}\n",
        "Task<> f() {\n  a[i] = co_await b();\n  co_return;\n}\n",
        "[[nodiscard]] Task<> f(int (&a)[3]) { co_return; }\n",
        "const char* a = \"co_await /* { // class PoolManager {\";\nchar b = '{';\nint c = 1'000'000;\n",
        "// struct FooImpl {};\n/* using AHelper = int; */\n",
        "class PoolManager;\nvoid f(PoolManager& m, struct FooImpl* i);\n",  # others' types may be named
        "using HttpConnectionManager = api::v3::HttpConnectionManager;\n",
        "struct Metadata {};\n",
        'auto a = R"(\n' + "x" * 200 + '\n)";\n',
        'auto name = "/tmp/log-XXXXXX";\n',
        "#define A(x) \\\n  if (x) {\nint b;\n",
    ],
)
def test_what_only_looks_like_a_violation_is_not_reported(tidy, text):
    assert tidy({"src/net/tcp.cc": text}) == []


def test_only_the_sources_of_the_project_are_read(tidy):
    assert tidy({"build/x.cc": "x" * 200, "test/fuzz/h1/seed": "x" * 200, "README.md": "x" * 200}) == []


def test_a_file_that_is_not_text_is_left_alone(tidy, tmp_path):
    (tmp_path / "image.bin").write_bytes(b"\xff\xfe\x00")
    assert tidy() == []


def test_the_layers_come_from_cmake(tidy):
    wider = CMAKE.replace('layer(wire   "core"', 'layer(wire   "core;net"')
    assert tidy({"CMakeLists.txt": wider, "src/wire/h1.h": '#pragma once\n#include "net/tcp.h"\n'}) == []
