#!/usr/bin/env python3
"""src/sources names each source file once, and no two of them would share an
object in nginx's build."""

import collections
import pathlib
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2] / "src"


def main():
    listed = (SOURCE / "sources").read_text().split()
    present = {p.relative_to(SOURCE).as_posix() for p in SOURCE.rglob("*.cpp")}
    found = [f"src/sources: {name} is no file"
             for name in listed if name not in present]
    found += [f"src/sources: {name} is missing"
              for name in sorted(present - set(listed))]
    objects = collections.Counter("/".join(name.split("/")[-2:])
                                  for name in listed)
    found += [f"src/sources: {count} files become {name}"
              for name, count in objects.items() if count > 1]
    print("\n".join(found))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
