#!/usr/bin/env python3
"""Writes seeds for a fuzz target out of recorded exchanges.

usage: seeds.py TARGET FOLDER

The exchanges are looked for in $AI_PROXY_FIXTURES, else in
../shared/fixtures/wire beside this tree; without them nothing is written.
"""

import base64
import hashlib
import json
import os
import pathlib
import sys

LARGEST = 64 * 1024


def exchanges():
    root = pathlib.Path(__file__).resolve().parents[2]
    folder = pathlib.Path(
        os.environ.get("AI_PROXY_FIXTURES")
        or root.parent / "shared/fixtures/wire")
    for path in sorted(folder.glob("*/*.json")):
        yield json.loads(path.read_text(encoding="utf-8"))


def stream(exchange):
    response = exchange["response"]
    text = response.get("body_text")
    if text is not None and exchange["wire"] == "sse":
        yield text.encode()


def ndjson(exchange):
    text = exchange["response"].get("body_text")
    if text is not None and exchange["wire"] == "ndjson":
        yield text.encode()


def event_stream(exchange):
    text = exchange["response"].get("body_base64")
    if text is not None and exchange["wire"] == "eventstream":
        yield base64.b64decode(text)


# The place in response_fuzz.cpp's list of the provider that speaks like this;
# all others speak like the first.
PLACES = {"anthropic": 1, "gemini": 2, "vertex": 2, "dashscope": 3, "groq": 4,
          "moonshot": 5}


def response(exchange):
    if exchange["api"] != "chat" and exchange["provider"] != "anthropic":
        return
    place = PLACES.get(exchange["provider"], 0)
    for body in stream(exchange):
        yield bytes([place, 0]) + body
    body = exchange["response"].get("body")
    if body is not None:
        ok = exchange["response"]["status"] == 200
        yield bytes([place, 9 if ok else 25]) + json.dumps(body).encode()


def chunked(exchange):
    for body in stream(exchange):
        out, sizes = b"", list(exchange["response"].get("chunk_sizes") or [])
        while body:
            size = max(1, sizes.pop(0) if sizes else 512)
            piece, body = body[:size], body[size:]
            out += b"%x\r\n%s\r\n" % (len(piece), piece)
        yield out + b"0\r\n\r\n"


def request_body(exchange):
    body = exchange["request"].get("body")
    if isinstance(body, dict):
        yield json.dumps(body).encode()


def any_body(exchange):
    yield from request_body(exchange)
    body = exchange["response"].get("body")
    if body is not None:
        yield json.dumps(body, ensure_ascii=False).encode()


SOURCES = {
    "sse_fuzz": stream,
    "ndjson_fuzz": ndjson,
    "event_stream_fuzz": event_stream,
    "response_fuzz": response,
    "chunked_fuzz": chunked,
    "splice_fuzz": request_body,
    "chat_request_fuzz": request_body,
    "json_fuzz": any_body,
}


def main():
    target, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    source = SOURCES.get(target)
    if source is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for exchange in exchanges():
        for seed in source(exchange):
            if len(seed) <= LARGEST:
                name = hashlib.sha1(seed).hexdigest()
                (folder / name).write_bytes(seed)


if __name__ == "__main__":
    main()
