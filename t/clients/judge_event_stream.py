"""Recorded event streams, and such of all types of headers, through the
gateway's decoder and encoder and through botocore's parser; prints TAP."""

import base64
import glob
import json
import os
import struct
import sys
import zlib

from botocore.eventstream import (ChecksumMismatch, EventStreamBuffer,
                                  InvalidHeadersLength)

from driver import ask

NUMBERS = {2: ">b", 3: ">h", 4: ">i", 5: ">q", 8: ">q"}
count = 0


def ok(condition, name, why=""):
    global count
    count += 1
    print(f"{'ok' if condition else 'not ok'} {count} - {name}", flush=True)
    if not condition:
        print(f"# {name}: {why}"[:1500], flush=True)


def message(headers, payload):
    """A message by the format's description: (name, type, bytes)."""
    packed = b""
    for name, kind, value in headers:
        packed += bytes([len(name)]) + name.encode() + bytes([kind]) + value
    head = struct.pack(">II", 16 + len(packed) + len(payload), len(packed))
    body = head + struct.pack(">I", zlib.crc32(head)) + packed + payload
    return body + struct.pack(">I", zlib.crc32(body))


def every_type():
    long = bytes(range(256))
    return message([
        ("yes", 0, b""), ("no", 1, b""), ("byte", 2, b"\xff"),
        ("short", 3, b"\x80\x00"), ("int", 4, b"\x7f\xff\xff\xff"),
        ("long", 5, b"\xff" * 7 + b"\xfe"),
        ("bytes", 6, struct.pack(">H", len(long)) + long),
        ("text", 7, b"\x00\x05caf\xc3\xa9"),
        ("time", 8, struct.pack(">q", 1_700_000_000_123)),
        ("id", 9, bytes(range(16)))], b"\x00payload\xff") \
        + message([], b"") + message([("n", 7, b"\x00\x00")], b"{}")


def judged(data):
    """What botocore reads: [({name: value}, payload)]."""
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return [(m.headers, m.payload) for m in buffer]


def ours(answer):
    out = []
    for one in answer["messages"]:
        headers = {}
        for header in one["headers"]:
            raw, kind = bytes.fromhex(header["value"]), header["type"]
            if kind in (0, 1):
                value = kind == 0
            elif kind in NUMBERS:
                value = struct.unpack(NUMBERS[kind], raw)[0]
            else:
                value = raw.decode() if kind == 7 else raw
            headers[header["name"]] = value
        out.append((headers, bytes.fromhex(one["payload"])))
    return out


def streams():
    root = os.environ["AI_PROXY_FIXTURES"]
    for path in sorted(glob.glob(f"{root}/bedrock*/*.json")):
        with open(path, encoding="utf-8") as f:
            exchange = json.load(f)
        body = exchange["response"].get("body_base64")
        if body and exchange["wire"] == "eventstream":
            yield os.path.relpath(path, root)[:-5], base64.b64decode(body)
    yield "every type of header", every_type()


def damages():
    """Bytes that botocore refuses, and where."""
    whole = bytearray(every_type())
    for name, at in (("prelude", 5), ("checksum of the prelude", 9),
                     ("header", 20), ("checksum", 0)):
        made = bytearray(whole)
        if name == "checksum":
            at = struct.unpack(">I", whole[:4])[0] - 1
        made[at] ^= 1
        yield name, bytes(made)


def main():
    driver = sys.argv[1]
    cases = [(name, data, split) for name, data in streams()
             for split in (0, 1, 7)]
    answers = ask(driver, [{
        "frames": base64.b64encode(data).decode(), "split": split}
        for _, data, split in cases])
    for (name, data, split), answer in zip(cases, answers):
        wanted = judged(data)
        ok(wanted and not answer["failed"] and ours(answer) == wanted,
           f"{name}, split {split}: headers and payloads",
           f"{answer['failed']} {ours(answer)} and {wanted}")
        if split == 0:
            again = bytes.fromhex(answer["again"])
            ok(judged(again) == wanted, f"{name}: as our encoder writes it",
               f"{judged(again)} and {wanted}")
    for name, data in damages():
        answer = ask(driver, [{
            "frames": base64.b64encode(data).decode()}])[0]
        try:
            judged(data)
            ok(False, f"damaged {name}: botocore refuses it")
        except (ChecksumMismatch, InvalidHeadersLength):
            ok(answer["failed"] and not answer["messages"],
               f"damaged {name}: refused by both", str(answer))
    print(f"1..{count}")


main()
