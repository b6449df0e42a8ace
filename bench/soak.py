#!/usr/bin/env python3
"""The memory of a worker under hours of mixed load.

usage: soak.py [SECONDS]     (3600)

Plain and streamed requests, relayed and converted, requests that are refused
and clients that leave in the middle; the worker's resident memory after a
twelfth of the time against that at the end.  AI_PROXY_MODULE names the
module."""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True

import http_load
from answers import REQUEST, STREAM

CHAT = http_load.CHAT
MIX = (("/ai/answer", REQUEST, 8), ("/ai/claude", REQUEST, 8),
       ("/ai/stream", STREAM, 2), ("/ai/claude-stream", STREAM, 2),
       ("/ai/answer", '{"messages":[', 1), ("/ai/claude", "{}", 1))

SCRIPT = """
local mix = {{ {mix} }}
local at = 0
request = function()
    at = at % #mix + 1
    return wrk.format("POST", mix[at][1],
        {{ ["Content-Type"] = "application/json" }}, mix[at][2])
end
"""


def write_script(path):
    entries = [f"{{ '{place}{CHAT}', [==[{body}]==] }}"
               for place, body, share in MIX for _ in range(share)]
    random.Random(1).shuffle(entries)
    with open(path, "w", encoding="utf-8") as f:
        f.write(SCRIPT.format(mix=", ".join(entries)))


def leave(port, stop):
    """Clients that go away while an answer is on its way."""
    paths = ("/ai/idle", "/ai/claude-idle", "/ai/slow")
    turn = 0
    while not stop.wait(0.02):
        s = http_load.open_stream(port, paths[turn % len(paths)] + CHAT)
        turn += 1
        time.sleep(random.random() * 0.05)
        s.close()


def soak(seconds):
    with tempfile.TemporaryDirectory(prefix="ai-proxy-bench-") as folder:
        bench = http_load.Bench(folder, True)
        bench.start()
        write_script(f"{folder}/soak.lua")
        stop = threading.Event()
        leaver = threading.Thread(
            target=leave, args=(bench.ports["gateway"], stop))
        leaver.start()
        load = subprocess.Popen(
            ["wrk", "-t1", "-c8", f"-d{seconds}s", "-s",
             f"{folder}/soak.lua", bench.url("/")],
            stdout=subprocess.PIPE, text=True)
        try:
            begin = time.monotonic()
            early = None
            while load.poll() is None:
                time.sleep(1)
                now = bench.gateway.memory()
                if early is None and time.monotonic() - begin > seconds / 12:
                    early = now
            said = load.communicate()[0]
            late = bench.gateway.memory()
        finally:
            stop.set()
            leaver.join()
            load.kill()
            bench.stop()
        count = next(line.strip() for line in said.split("\n")
                     if "requests in" in line)
        value = round(late / early, 3)
        bench.row("memory of a worker, end against a twelfth", value, "x",
                  "<= 1.05", value <= 1.05,
                  f"{late:,} KB against {early:,} KB; {count}")
        return bench.rows


def main():
    if not os.path.isfile(os.environ.get("AI_PROXY_MODULE", "")):
        raise SystemExit("AI_PROXY_MODULE names no module")
    if not shutil.which("wrk"):
        raise SystemExit("there is no wrk")
    return 0 if soak(int((sys.argv[1:] or ["3600"])[0]))[0]["met"] else 1


if __name__ == "__main__":
    sys.exit(main())
