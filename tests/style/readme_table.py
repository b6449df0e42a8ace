"""A table in README.md that is made from the sources by a script of its own."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROVIDER = ROOT / "src/core/provider"
README = ROOT / "README.md"


def faults(table, name):
    """One when the README has another table; name: of the script."""
    if table not in README.read_text():
        yield (f"README.md: a table is not that of the sources "
               f"(tests/style/{name} --write)")


def write(table, head):
    """head: the first line of the table."""
    text = README.read_text()
    begin = text.index(head)
    end = text.index("\n\n", begin) + 1
    README.write_text(text[:begin] + table + text[end:])


def main(table, head):
    if "--write" in sys.argv[1:]:
        write(table, head)
    else:
        print(table, end="")
