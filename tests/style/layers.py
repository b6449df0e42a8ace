#!/usr/bin/env python3
"""Includes point down: core knows nothing of nginx, ngx nothing of core, and
the folders of core only those of the rows below them."""

import pathlib
import re
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2] / "src"
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^">]+)[">]')

# Lowest first; folders of one row do not include each other.
ROWS = [
    ["base"],
    ["json", "wire", "redis", "async"],
    ["chat"],
    ["dialect", "provider", "credential", "usage"],
    ["route", "limit", "prompt", "metrics", "consumer"],
    ["config"],
    ["policy"],
]
ROW = {folder: i for i, row in enumerate(ROWS) for folder in row}
# Exceptions, each with its reason.
ALLOWED = {
    ("provider", "dialect"): "codecs are asked for an API by its dialect name",
    ("provider", "usage"): "decoders read their vendor's usage",
    ("provider", "credential"): "calls are signed where they are made",
    ("dialect", "usage"): "the relay reads usage in passing",
    ("async", "redis"): "an operation carries its commands and replies",
    ("metrics", "policy"): "the books are what is counted",
}
# arpa/inet.h: inet_pton, which only reads text.
LIBRARIES = {"simdjson.h", "jansson.h", "yaml.h", "pcre2.h", "arpa/inet.h"}


def core_fault(folder, target):
    if target.startswith("openssl/") or target in LIBRARIES \
            or target.endswith("intrin.h"):
        return None
    if "/" not in target:
        if target.startswith("ngx_") or target.endswith(".h"):
            return f"core includes {target}"
        return None
    top, *rest = target.split("/")
    if top != "core" or len(rest) < 2:
        return f"core includes {target}"
    to = rest[0]
    if to == folder:
        return None
    if to not in ROW or folder not in ROW:
        return f"no row for {folder} or {to}"
    if ROW[to] >= ROW[folder] and (folder, to) not in ALLOWED:
        return f"{folder} includes {to}, which is not below it"
    return None


def fault(layer, folder, target):
    if layer == "core":
        return core_fault(folder, target)
    if layer == "ngx" and target.startswith(("core/", "http/")):
        return f"ngx includes {target}"
    if target.startswith("ngx_") and (layer, folder) != ("ngx", "ngx.h"):
        return f"{target} is included elsewhere than in ngx/ngx.h"
    return None


def main():
    found = []
    for path in sorted(SOURCE.rglob("*")):
        if path.suffix not in (".cpp", ".h"):
            continue
        layer, folder, *_ = path.relative_to(SOURCE).parts
        for number, line in enumerate(path.read_text().split("\n"), 1):
            match = INCLUDE.match(line)
            text = match and fault(layer, folder, match.group(1))
            if text:
                found.append(f"{path.relative_to(SOURCE)}:{number}: {text}")
    for folder in sorted({p.name for p in (SOURCE / "core").iterdir()
                          if p.is_dir()} - set(ROW)):
        found.append(f"core/{folder}: no row")
    print("\n".join(found))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
