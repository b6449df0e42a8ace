#!/usr/bin/env python3
"""What every file of the project looks like: ASCII, no trailing blanks, no
overlong source file, no path of somebody's machine."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIP = {".git", "build", "__pycache__"}
# Recorded traffic and corpora are bytes as they came.
RAW = ("tests/fuzz/corpus/", "tests/wire/golden/", "bench/results/")
TEXT = {".cpp", ".h", ".py", ".sh", ".t", ".pm", ".md", ".txt", ".conf",
        ".make", ".json", ".mjs", ".js", ".yml", ".yaml", ""}
CODE = {".cpp", ".h", ".py", ".sh", ".t", ".pm", ".mjs", ".js"}
LIMIT = 600
MACHINE = re.compile(r"/(?:root|home/[a-z]|Users|workspace|work)/[\w.-]")


def files():
    for path in sorted(ROOT.rglob("*")):
        name = path.relative_to(ROOT).as_posix()
        if SKIP & set(path.relative_to(ROOT).parts) or not path.is_file():
            continue
        if path.suffix in TEXT and not name.startswith(RAW):
            yield path, name


def faults(path, name):
    data = path.read_bytes()
    if b"\0" in data:
        return
    lines = data.split(b"\n")
    source = path.suffix in CODE or data.startswith(b"#!")
    if source and len(lines) > LIMIT + 1:
        yield f"{name}: {len(lines) - 1} lines, more than {LIMIT}"
    if data and not data.endswith(b"\n"):
        yield f"{name}: no newline at its end"
    for number, line in enumerate(lines, 1):
        where = f"{name}:{number}: "
        if any(byte > 126 for byte in line):
            yield where + "not ASCII"
        if line.endswith((b" ", b"\t", b"\r")):
            yield where + "blanks at the end of the line"
        if b"\t" in line and name != "debian/rules":
            yield where + "tab"
        if MACHINE.search(line.decode("latin-1")):
            yield where + "path of a machine"


def main():
    found = [fault for path, name in files() for fault in faults(path, name)]
    print("\n".join(found))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
