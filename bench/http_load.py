#!/usr/bin/env python3
"""Load on the gateway, as ratios to stock proxy_pass in the same run.

usage: http_load.py [--quick] [--json FILE] [--only NAME,...]

  AI_PROXY_MODULE  the module (a release build)
  NGINX            the binary (default /usr/sbin/nginx)

Three processes on this machine: wrk, the gateway (one worker, so that a
figure is a core's) and a provider: a second nginx that answers from memory,
or paced_provider, which sends streams event by event.  The targets are measured in turn, round by round, and each figure is the
median over rounds of a target's ratio to proxy_pass in the same round."""

import argparse
import json
import os
import re
import resource
import selectors
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from answers import (REQUEST, STREAM, claude_answer, claude_stream,
                     openai_answer, openai_stream)

NGINX = os.environ.get("NGINX", "/usr/sbin/nginx")
EVENTS = 200
PACE_US = 10_000
IDLE = 1000
MANY = 10_000


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# -- the two nginx -----------------------------------------------------------

class Nginx:
    def __init__(self, folder, name, text):
        self.folder = os.path.join(folder, name)
        for part in ("logs", "temp"):
            os.makedirs(os.path.join(self.folder, part))
        conf = os.path.join(self.folder, "nginx.conf")
        temp = "".join(f"{k}_temp_path {self.folder}/temp/{k};\n" for k in
                       ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = "user root;\n" if os.geteuid() == 0 else ""
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        text = text.replace("%%CONNECTIONS%%", str(min(limit, 50_000)))
        with open(conf, "w", encoding="utf-8") as f:
            f.write(user + f"worker_rlimit_nofile {limit};\n"
                    f"pid {self.folder}/pid;\n"
                    f"error_log {self.folder}/logs/error.log warn;\n"
                    + text.replace("%%HTTP%%", temp
                                   + "access_log off;\n"
                                   "keepalive_requests 100000000;\n"))
        self.process = subprocess.Popen(
            [NGINX, "-p", self.folder + "/", "-c", conf, "-g", "daemon off;"],
            stdin=subprocess.DEVNULL)

    def wait(self, port):
        for _ in range(200):
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"nginx did not start, see {self.folder}/logs")

    def workers(self):
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return [int(w) for w in f.read().split()]

    def cpu(self):
        """Seconds that the workers have computed so far."""
        total = 0
        for worker in self.workers():
            with open(f"/proc/{worker}/schedstat", encoding="ascii") as f:
                total += int(f.read().split()[0])
        return total / 1e9

    def memory(self):
        """Resident KB of the workers."""
        total = 0
        for worker in self.workers():
            with open(f"/proc/{worker}/status", encoding="ascii") as f:
                total += int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])
        return total

    def stop(self):
        self.process.terminate()
        self.process.wait()


def provider_config(folder, ports):
    files = {"answer": openai_answer(), "claude": claude_answer(),
             "stream": openai_stream(EVENTS),
             "claude-stream": claude_stream(EVENTS),
             "slow": openai_stream(10), "claude-slow": claude_stream(10)}
    os.makedirs(f"{folder}/files")
    for name, text in files.items():
        with open(f"{folder}/files/{name}", "w", encoding="utf-8") as f:
            f.write(text)

    def static(path, name, more=""):
        kind = "text/event-stream" if "stream" in name or "slow" in name \
            else "application/json"
        return (f"location {path} {{ {more}"
                f" default_type {kind}; alias {folder}/files/{name}; }}\n")

    # A static file answers GET only: 405 is turned back into the file.
    body = "error_page 405 =200 $uri;\nopen_file_cache max=100;\n"
    body += static("= /answer/v1/chat/completions", "answer")
    body += static("= /claude/v1/messages", "claude")
    body += static("= /stream/v1/chat/completions", "stream")
    body += static("= /claude-stream/v1/messages", "claude-stream")
    # One event and a bit, then next to nothing: an idle stream.
    body += static("= /idle/v1/chat/completions", "stream",
                   "limit_rate_after 400; limit_rate 1;")
    body += static("= /claude-idle/v1/messages", "claude-stream",
                   "limit_rate_after 600; limit_rate 1;")
    # A stream that takes some seconds.
    body += static("= /slow/v1/chat/completions", "slow",
                   "limit_rate_after 400; limit_rate 600;")
    return f"""
worker_processes 1;
events {{ worker_connections %%CONNECTIONS%%; }}
http {{
%%HTTP%%
types {{ }}
sendfile on;
tcp_nodelay on;
server {{
listen 127.0.0.1:{ports['provider']} backlog=4096;
{body}
}}
}}
"""


def gateway_config(ports, workers, module):
    paced = f"127.0.0.1:{ports['paced']}"
    http = f"upstream provider {{ server 127.0.0.1:{ports['provider']};" \
        " keepalive 256; }\n" \
        f"upstream paced {{ server {paced}; keepalive 256; }}\n" \
        "ai_proxy_zone ai 4m;\n" \
        f"ai_proxy_redis shared 127.0.0.1:{ports['redis']};\n"
    # More than can be used, so that nobody is turned away.
    limit = "ai_proxy_token_limit key=$remote_addr rate=4000M/m reserve=off"
    server = f"""
location = /ai/limited{CHAT} {{ ai_proxy_pass answer; {limit}; }}
location = /ai/shared{CHAT} {{ ai_proxy_pass answer; {limit} store=shared; }}
"""
    for name, kind in (("answer", "openai"), ("claude", "claude"),
                       ("stream", "openai"), ("claude-stream", "claude"),
                       ("idle", "openai"), ("claude-idle", "claude"),
                       ("slow", "openai"), ("paced-stream", "openai"),
                       ("paced-claude-stream", "claude")):
        upstream = "paced" if name.startswith("paced") else "provider"
        http += f"""ai_proxy_provider {name} {{
    type {kind};
    api_token bench-key;
    base_url http://127.0.0.1:{ports[upstream]}/{name};
    model_map gpt-4o vendor-model;
    keepalive 256;
}}
"""
        # As people write it for a stream, and for a plain answer.
        buffering = "off" if "stream" in name or name in ("idle", "slow",
                                                          "claude-idle") \
            else "on"
        path = "messages" if kind == "claude" else "chat/completions"
        server += f"""
location = /ai/{name}/v1/chat/completions {{ ai_proxy_pass {name}; }}
location = /stock/{name} {{
    proxy_pass http://{upstream}/{name}/v1/{path};
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Authorization "Bearer bench-key";
    proxy_buffering {buffering};
}}
"""
    return f"""
load_module {module};
worker_processes {workers};
events {{ worker_connections %%CONNECTIONS%%; }}
http {{
%%HTTP%%
{http}
server {{
listen 127.0.0.1:{ports['gateway']} backlog=4096;
{server}
}}
}}
"""


# -- measuring ---------------------------------------------------------------

class Bench:
    def __init__(self, folder, quick):
        self.folder, self.quick = folder, quick
        self.ports = {"provider": free_port(), "gateway": free_port(),
                      "paced": free_port(), "redis": free_port()}
        self.paced = None
        self.seconds = 1 if quick else 3
        self.rounds = 3 if quick else 9
        self.rows = []
        for name, body in (("plain", REQUEST), ("stream", STREAM)):
            with open(f"{folder}/{name}.lua", "w", encoding="utf-8") as f:
                f.write("wrk.method = 'POST'\n"
                        "wrk.headers['Content-Type'] = 'application/json'\n"
                        f"wrk.body = [==[{body}]==]\n")

    def start(self, workers=1):
        folder = tempfile.mkdtemp(dir=self.folder)
        self.provider = Nginx(folder, "provider",
                              provider_config(folder, self.ports))
        self.provider.wait(self.ports["provider"])
        self.redis = subprocess.Popen(
            ["redis-server", "--port", str(self.ports["redis"]),
             "--bind", "127.0.0.1", "--save", "", "--dir", folder],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.gateway = Nginx(folder, "gateway", gateway_config(
            self.ports, workers, os.environ["AI_PROXY_MODULE"]))
        self.gateway.wait(self.ports["gateway"])

    def stop(self):
        self.gateway.stop()
        self.provider.stop()
        self.redis.terminate()
        self.redis.wait()
        if self.paced:
            self.paced.terminate()
            self.paced.wait()
            self.paced = None

    def url(self, path):
        return f"http://127.0.0.1:{self.ports['gateway']}{path}"

    def check(self, path, body, wanted):
        """The target does what it is measured for."""
        status, text = post(self.ports["gateway"], path, body)
        if status != 200 or wanted not in text:
            raise SystemExit(f"{path}: status {status}: {text[:300]}")

    def wrk(self, path, script, connections=16, seconds=None, latency=False):
        command = ["wrk", "-t1", f"-c{connections}",
                   f"-d{seconds or self.seconds}s", "-s",
                   f"{self.folder}/{script}.lua", self.url(path)]
        if latency:
            command.insert(1, "--latency")
        cpu = self.gateway.cpu()
        text = subprocess.run(command, stdout=subprocess.PIPE, text=True,
                              check=True).stdout
        cpu = self.last_cpu = self.gateway.cpu() - cpu
        if re.search(r"Non-2xx|Socket errors: (?!connect 0, read 0, write 0, "
                     r"timeout 0)", text):
            raise SystemExit(f"{path}:\n{text}")
        count = int(re.search(r"(\d+) requests in", text)[1])
        found = {"rate": float(re.search(r"Requests/sec:\s+([\d.]+)",
                                         text)[1]),
                 "cpu": cpu / max(count, 1) * 1e6, "count": count}
        if latency:
            found["p99"] = micros(re.search(r"99%\s+([\d.]+\w+)", text)[1])
            found["p50"] = micros(re.search(r"50%\s+([\d.]+\w+)", text)[1])
        return found

    def compare(self, paths, script, **options):
        """Per round: path -> figures; the first path is the base."""
        for path in paths:
            self.wrk(path, script, seconds=1)
        found = []
        for _ in range(self.rounds):
            found.append({p: self.wrk(p, script, **options) for p in paths})
        return found

    def row(self, name, value, unit, target, met, note):
        self.rows.append({"bar": name, "value": value, "unit": unit,
                          "target": target, "met": met, "note": note})
        show(self.rows[-1])

    def ratio(self, name, rounds, path, base, least, key="rate", scale=1,
              note=""):
        if key == "rate":
            values = [r[path]["rate"] / r[base]["rate"] for r in rounds]
            figure = statistics.median(r[path]["rate"] for r in rounds)
            note = note or f"{figure * scale:,.0f}/s"
        else:
            values = [r[base]["cpu"] / r[path]["cpu"] for r in rounds]
            figure = statistics.median(r[path]["cpu"] for r in rounds)
            note = note or f"{figure / scale:.2f} us CPU each"
        value = round(statistics.median(values), 3)
        self.row(name, value, "x", f">= {least}" if least else "-",
                 value >= least if least else None, note)

    # -- the bars ----------------------------------------------------------

    def plain(self):
        base, ours, claude = "/stock/answer", "/ai/answer" + CHAT, \
            "/ai/claude" + CHAT
        self.check(ours, REQUEST, "word")
        self.check(claude, REQUEST, "chat.completion")
        limited, shared = "/ai/limited" + CHAT, "/ai/shared" + CHAT
        self.check(limited, REQUEST, "word")
        self.check(shared, REQUEST, "word")
        rounds = self.compare([base, ours, claude, limited, shared], "plain")
        self.ratio("req/s, plain 1 KB, relay", rounds, ours, base, 0.92)
        self.ratio("req/s, plain 1 KB, converting", rounds, claude, base, 0.80)
        self.ratio("the same, a token limit in the zone", rounds, limited,
                   base, 0.90)
        self.ratio("a token limit in Redis, against none", rounds, shared,
                   ours, 0.70)
        self.ratio("CPU, plain relay (more is better)", rounds, ours, base,
                   None, "cpu")
        self.ratio("CPU, plain converting", rounds, claude, base, None, "cpu")

    def streams(self):
        base, ours = "/stock/stream", "/ai/stream" + CHAT
        claude = "/ai/claude-stream" + CHAT
        claude_base = "/stock/claude-stream"
        self.check(ours, STREAM, "[DONE]")
        self.check(claude, STREAM, "[DONE]")
        rounds = self.compare([base, ours, claude_base, claude], "stream",
                              connections=8)
        self.ratio("events/s per core, relay, all in a burst", rounds, ours,
                   base, None, "cpu", EVENTS)
        self.ratio("events/s per core, converting, burst", rounds, claude,
                   claude_base, None, "cpu", EVENTS)
        self.ratio("events/s, relay, burst", rounds, ours, base, None,
                   scale=EVENTS)
        self.ratio("events/s, converting, burst", rounds, claude, claude_base,
                   None, scale=EVENTS)

    def paced_streams(self):
        """CPU per event when each comes in a read of its own."""
        self.start_paced()
        pairs = [("/stock/paced-stream", "/ai/paced-stream" + CHAT, 0.90,
                  "relay"),
                 ("/stock/paced-claude-stream",
                  "/ai/paced-claude-stream" + CHAT, 0.85, "converting")]
        for base, ours, least, name in pairs:
            self.check(ours, STREAM, "[DONE]")
            found = {base: [], ours: []}
            for _ in range(self.rounds):
                for path in found:
                    before = self.events()
                    self.wrk(path, "stream", connections=64,
                             seconds=2 * self.seconds)
                    found[path].append(self.last_cpu
                                       / (self.events() - before) * 1e6)
            ratios = [a / b for a, b in zip(found[base], found[ours])]
            value = round(statistics.median(ratios), 3)
            self.row(f"events/s per core, {name}, one per read", value, "x",
                     f">= {least}", value >= least,
                     f"{statistics.median(found[ours]):.2f} us CPU an event "
                     f"against {statistics.median(found[base]):.2f}")

    def events(self):
        return int(get(self.ports["paced"], "/count"))

    def start_paced(self):
        program = os.path.join(self.folder, "paced_provider")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                              "paced_provider.cpp")
        subprocess.run(["g++", "-std=c++20", "-O2", "-o", program, source],
                       check=True)
        scripts = []
        for name, text in (("paced-stream", openai_stream(EVENTS)),
                           ("paced-claude-stream", claude_stream(EVENTS))):
            path = os.path.join(self.folder, name)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            scripts.append(f"{name}={path}")
        self.paced = subprocess.Popen(
            [program, str(self.ports["paced"]), str(PACE_US), *scripts])
        time.sleep(0.3)

    def latency(self):
        direct = f"http://127.0.0.1:{self.ports['provider']}"
        paths = {"/stock/answer": "plain", "/ai/answer" + CHAT: "plain",
                 "/ai/claude" + CHAT: "plain",
                 direct + "/answer" + CHAT: "plain"}
        rounds = []
        url = self.url
        self.url = lambda p: p if p.startswith("http") else url(p)
        for _ in range(self.rounds):
            rounds.append({p: self.wrk(p, s, connections=1, latency=True)
                           for p, s in paths.items()})
        self.url = url

        def added(path, base, key):
            return statistics.median(r[path][key] - r[base][key]
                                     for r in rounds)
        for name, path, most in (
                ("plain", "/ai/answer" + CHAT, 50),
                ("converting", "/ai/claude" + CHAT, 100)):
            value = round(added(path, "/stock/answer", "p99"), 1)
            self.row(f"p99 at one connection, {name}, over proxy_pass", value,
                     "us", f"<= {most}", value <= most,
                     f"median {added(path, '/stock/answer', 'p50'):+.0f} us; "
                     f"over direct {added(path, list(paths)[3], 'p50'):+.0f}")

    def first_token(self):
        paths = {"/stock/stream": None, "/ai/stream" + CHAT: 50,
                 "/ai/claude-stream" + CHAT: 100}
        times = {p: [] for p in paths}
        for _ in range(200 if self.quick else 1000):
            for path in paths:
                times[path].append(first_event(self.ports["gateway"], path))
        base = statistics.median(times["/stock/stream"])
        for path, most in paths.items():
            if most is None:
                continue
            value = round((statistics.median(times[path]) - base) * 1e6, 1)
            name = "converting" if "claude" in path else "relay"
            self.row(f"time to first token, {name}, over proxy_pass", value,
                     "us", f"<= {most}", value <= most, "median")

    def idle_memory(self):
        figures = {}
        for path in ("/stock/idle", "/ai/idle" + CHAT,
                     "/ai/claude-idle" + CHAT):
            self.stop()
            self.start()
            before = self.gateway.memory()
            sockets = [open_stream(self.ports["gateway"], path)
                       for _ in range(IDLE)]
            time.sleep(1.5)
            figures[path] = (self.gateway.memory() - before) / IDLE
            for s in sockets:
                s.close()
        base = figures["/stock/idle"]
        for path, name in (("/ai/idle" + CHAT, "relay"),
                           ("/ai/claude-idle" + CHAT, "converting")):
            value = round(figures[path] - base, 1)
            self.row(f"memory per idle stream, {name}, over proxy_pass",
                     value, "KB", "<= 4", value <= 4,
                     f"{figures[path]:.1f} KB against {base:.1f} KB")

    def many_streams(self):
        self.stop()
        self.start(workers=2)
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit[1], limit[1]))
        count = min(MANY, limit[1] - 200) if not self.quick else 2000
        begin = time.monotonic()
        whole, peak = run_streams(self.ports["gateway"], "/ai/slow" + CHAT,
                                  count)
        self.row(f"{count:,} concurrent streams, complete", whole, "",
                 f"{count}", whole == count,
                 f"{peak:,} at once, {time.monotonic() - begin:.1f} s")


CHAT = "/v1/chat/completions"
BARS = ("plain", "paced_streams", "streams", "latency", "first_token", "idle_memory",
        "many_streams")


def show(row):
    met = {True: "met ", False: "MISS", None: "    "}[row["met"]]
    print(f"{met} {row['bar']:46} {row['value']:>10} {row['unit']:5} "
          f"{row['target']:>8}  {row['note']}", flush=True)


def micros(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]


def request_bytes(path, body):
    return (f"POST {path} HTTP/1.1\r\nHost: bench\r\n"
            "Content-Type: application/json\r\nConnection: close\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


def post(port, path, body):
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        s.sendall(request_bytes(path, body))
        data = b""
        while True:
            more = s.recv(65536)
            if not more:
                break
            data += more
    text = data.decode(errors="replace")
    return int(text.split(" ", 2)[1]) if text else 0, text


def get(port, path):
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        return s.recv(65536).decode().split("\r\n\r\n", 1)[1]


def first_event(port, path):
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        begin = time.perf_counter()
        s.sendall(request_bytes(path, STREAM))
        data = b""
        while b"data: " not in data:
            more = s.recv(65536)
            if not more:
                raise SystemExit(f"{path}: no event: {data[:300]}")
            data += more
        took = time.perf_counter() - begin
        while s.recv(262144):
            pass
    return took


def open_stream(port, path):
    s = socket.create_connection(("127.0.0.1", port), 30)
    s.sendall(request_bytes(path, STREAM))
    return s


def run_streams(port, path, count):
    """(streams that came whole, most that were open at once)."""
    selector = selectors.DefaultSelector()
    tails, open_now, peak, whole = {}, 0, 0, 0
    started = 0
    until = time.monotonic() + 120
    while (started < count or open_now) and time.monotonic() < until:
        for _ in range(min(200, count - started)):
            s = open_stream(port, path)
            s.setblocking(False)
            selector.register(s, selectors.EVENT_READ)
            tails[s] = [b"", 0]
            started += 1
            open_now += 1
        peak = max(peak, open_now)
        for key, _ in selector.select(0.01 if started < count else 1):
            s = key.fileobj
            try:
                data = s.recv(65536)
            except OSError:
                data = b""
            if data:
                tails[s][1] += data.count(b" word")
                tails[s][0] = (tails[s][0] + data)[-64:]
                continue
            selector.unregister(s)
            s.close()
            tail, words = tails.pop(s)
            whole += b"[DONE]\n\n" in tail and words == 10
            open_now -= 1
    return whole, peak


def run(quick, only=None):
    """All bars; a list of rows."""
    if not os.path.isfile(os.environ.get("AI_PROXY_MODULE", "")):
        raise SystemExit("AI_PROXY_MODULE names no module")
    if not shutil.which("wrk"):
        raise SystemExit("there is no wrk")
    with tempfile.TemporaryDirectory(prefix="ai-proxy-bench-") as folder:
        bench = Bench(folder, quick)
        bench.start()
        try:
            for name in only or BARS:
                getattr(bench, name)()
        finally:
            bench.stop()
    return bench.rows


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--quick", action="store_true")
    options.add_argument("--json")
    options.add_argument("--only")
    options = options.parse_args()
    print("HTTP, against stock proxy_pass (mapping, usage and metrics on, "
          "access log off)")
    rows = run(options.quick,
               options.only.split(",") if options.only else None)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as f:
            json.dump({"http": rows}, f, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
