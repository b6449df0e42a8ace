#!/usr/bin/env python3
"""All measurements: the core's micro-benchmarks, then HTTP.

usage: run.py [--quick] [--json FILE]

  AI_PROXY_MODULE       the module (a release build)
  AI_PROXY_BENCH_BUILD  a CMake build with AI_PROXY_BENCH=ON"""

import argparse
import json
import os
import platform
import subprocess
import sys

sys.dont_write_bytecode = True

import http_load

# Benchmark -> what it shows, figure, unit, bar.
MICRO = (
    ("sse_lf/4096", "SSE framing, 4 KB blocks",
     lambda b: round(b["bytes_per_second"] / 1e9, 2), "GB/s", 1.0, True),
    ("splice_model/100000", "splice of model, 100 KB request",
     lambda b: round(b["real_time"] / 1e3, 1), "us", 100, False),
    ("count_tokens", "tokens of a text counted",
     lambda b: round(b["bytes_per_second"] / 1e6, 1), "MB/s", 50, True),
) + tuple(
    (name, what, lambda b: round(b["real_time"] / 1e3, 2), "us", 2, False)
    for name, what in (
        ("choose/weighted", "a route's choice among 4 providers of 4 keys"),
        ("choose/round_robin", "the same in turns"),
        ("choose/least_conn", "the same by requests under way, 8 workers"),
        ("choose/least_latency", "the same by expected time, 8 workers"),
        ("choose_by_hash", "the same by a hash"),
        ("prefix_of_a_prompt", "the hash of a prompt's first KB"),
        ("breaker", "a breaker asked and told"),
        ("measure_times", "a time noted, p95 read"),
        ("place", "a place taken and given back, 8 workers"),
        ("token_limit", "a budget of tokens taken from and settled"),
        ("retry_budget", "a choice with a budget of retries"),
    )
)


def micro(quick):
    program = None
    for folder, _, files in os.walk(os.environ.get("AI_PROXY_BENCH_BUILD",
                                                   "")):
        if "core_bench" in files:
            program = os.path.join(folder, "core_bench")
    if not program:
        raise SystemExit("AI_PROXY_BENCH_BUILD has no core_bench")
    text = subprocess.run(
        [program, "--benchmark_format=json",
         f"--benchmark_min_time={0.05 if quick else 0.5}"],
        stdout=subprocess.PIPE, check=True).stdout
    found = {b["name"]: b for b in json.loads(text)["benchmarks"]}
    rows = []
    for name, what, figure, unit, bar, at_least in MICRO:
        value = figure(found[name])
        met = value >= bar if at_least else value <= bar
        rows.append({"bar": what, "value": value, "unit": unit,
                     "target": f"{'>=' if at_least else '<='} {bar}",
                     "met": met, "note": name})
        http_load.show(rows[-1])
    barred = {m[0] for m in MICRO}
    for name, b in found.items():
        if name not in barred:
            rate = b.get("bytes_per_second")
            rows.append({"bar": name, "value": round(b["real_time"], 1),
                         "unit": b["time_unit"], "target": "-", "met": None,
                         "note": f"{rate / 1e9:.2f} GB/s" if rate else ""})
            http_load.show(rows[-1])
    return rows


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--quick", action="store_true")
    options.add_argument("--json")
    options = options.parse_args()
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, "
          f"{platform.release()}")
    print("\nCore")
    found = {"core": micro(options.quick)}
    print("\nHTTP, against stock proxy_pass in the same run; mapping, usage "
          "and metrics on,\naccess log off, one worker, 16 connections")
    found["http"] = http_load.run(options.quick)
    rows = [r for part in found.values() for r in part
            if r["met"] is not None]
    print(f"\n{sum(r['met'] for r in rows)} of {len(rows)} bars met")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as f:
            json.dump(found, f, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
