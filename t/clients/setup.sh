#!/bin/sh
# Installs the client libraries into a folder (default: build/clients) for a
# run of the tests by hand; "./run test clients" brings its own.

set -eu

here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-$here/../../build/clients}

mkdir -p "$folder"
[ -x "$folder/venv/bin/python" ] || python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check \
    -r "$here/requirements.txt"
if command -v npm >/dev/null; then
    cp "$here/package.json" "$folder/"
    npm install --prefix "$folder" --silent --no-audit --no-fund
fi
