#!/usr/bin/env python3
"""A provider for tests: replays recorded answers and fails in every way.

Listens on 127.0.0.1 and prints "ready PLAIN TLS WRONGNAME" (ports) once it
does.  A path that begins with /x-NAME selects the behaviour NAME; what follows
is the provider's own path.  Behaviours are JSON objects (or a list of them:
the n-th request gets the n-th, the last one repeats), set at the start from a
file or later with POST /-/behave.

  status, reason, headers   of the answer (headers: list of [name, value])
  body | json | events      text; any JSON; list of SSE events (a string that
                            begins with "raw:" goes out as it stands, any
                            other is the data of an event; {} is serialised)
  fixture                   path of a recorded exchange to answer with
  echo                      answers with the request as JSON
  framing                   length | chunked | close
  split                     bytes per write, 0: as they come
  pace                      seconds between two writes
  delay                     seconds before the first byte
  gate                      n: waits before event n for POST /-/open
  fail                      close | reset | stall | garbage: before any answer;
                            none of the answer is sent
  cut                       n: after n events (body: n bytes) ...
  then                      ... close | reset | stall | close_clean (the
                            framing says the message is complete)
  by_key                    another behaviour for each bearer token
  drop                      the connection closes after the answer
  drain                     false: the request body is not read

GET /-/log gives all requests as JSON, with what became of each answer;
POST /-/clear forgets them.
"""

import argparse
import asyncio
import base64
import hashlib
import json
import os
import socket
import ssl
import struct
import sys


# Bodies above this are noted by their SHA-256 alone.
KEPT = 256 * 1024


def dump(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


class Upstream:
    def __init__(self):
        self.behaviours = {}
        self.turns = {}
        self.log = []
        self.gates = {}
        self.changed = asyncio.Condition()
        self.connections = 0
        self.open_connections = 0

    # -- requests ---------------------------------------------------------

    async def serve(self, reader, writer):
        self.connections += 1
        self.open_connections += 1
        number = self.connections
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tls = writer.get_extra_info("ssl_object")
        try:
            while True:
                head = await self.read_head(reader)
                if head is None:
                    break
                method, target, headers = head
                if target.startswith("/-/"):
                    body = await self.read_body(reader, headers)
                    await self.control(writer, method, target, body)
                    continue
                keep = await self.answer(
                    reader, writer, number, tls, method, target, headers)
                if not keep:
                    break
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError,
                TimeoutError):
            pass
        finally:
            self.open_connections -= 1
            try:
                writer.close()
            except (ConnectionError, RuntimeError):
                pass

    async def read_head(self, reader):
        try:
            text = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        lines = text.decode("latin1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        headers = []
        for line in lines[1:]:
            if line:
                name, value = line.split(":", 1)
                headers.append([name, value.strip()])
        return method, target, headers

    async def read_body(self, reader, headers):
        names = {n.lower(): v for n, v in headers}
        if "chunked" in names.get("transfer-encoding", "").lower():
            body = b""
            while True:
                size = int((await reader.readline()).split(b";")[0], 16)
                data = await reader.readexactly(size + 2)
                if size == 0:
                    return body
                body += data[:-2]
        length = int(names.get("content-length", "0"))
        return await reader.readexactly(length) if length else b""

    async def control(self, writer, method, target, body):
        command = target[3:].split("?")[0]
        reply = {}
        if command == "behave":
            for name, behaviour in json.loads(body).items():
                self.behaviours[name] = behaviour
                self.turns[name] = 0
        elif command == "log":
            reply = {"requests": self.log, "connections": self.connections,
                     "open": self.open_connections - 1}
        elif command == "clear":
            self.log.clear()
            self.turns.clear()
        elif command == "open":
            async with self.changed:
                name = json.loads(body)["name"]
                self.gates[name] = self.gates.get(name, 0) + 1
                self.changed.notify_all()
        text = dump(reply).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                     b"Content-Length: %d\r\n\r\n" % len(text) + text)
        await writer.drain()

    def behaviour(self, target):
        name = ""
        if target.startswith("/x-"):
            name = target[3:].split("/", 1)[0].split("?", 1)[0]
        found = self.behaviours.get(name)
        if isinstance(found, list):
            turn = self.turns.get(name, 0)
            self.turns[name] = turn + 1
            found = found[min(turn, len(found) - 1)]
        return name, found

    async def answer(
            self, reader, writer, number, tls, method, target, headers):
        name, how = self.behaviour(target)
        entry = {"name": name, "method": method, "target": target,
                 "path": target[len(name) + 3:] if name else target,
                 "headers": headers, "connection": number,
                 "sni": getattr(tls, "sni_name", None) if tls else None,
                 "tls": tls is not None, "outcome": "running", "sent": 0}
        self.log.append(entry)
        if how and "by_key" in how:
            given = dict((n.lower(), v) for n, v in headers)
            key = given.get("authorization", "").removeprefix("Bearer ")
            how = how["by_key"].get(key)
        if how is None:
            how = {"status": 404, "json": {"error": {
                "message": "no behaviour " + name, "type": "test"}}}
        try:
            if how.get("drain", True):
                body = await self.read_body(reader, headers)
                self.note_body(entry, body)
            watch = asyncio.ensure_future(self.watch(reader))
            work = asyncio.ensure_future(self.play(writer, how, entry))
            done, _ = await asyncio.wait(
                {watch, work}, return_when=asyncio.FIRST_COMPLETED)
            if work not in done:
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
                entry["outcome"] = "client_closed"
                return False
            if not watch.done():
                watch.cancel()
                await asyncio.gather(watch, return_exceptions=True)
            keep = work.result()
            entry["outcome"] = "done"
            return keep
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            entry["outcome"] = "client_closed"
            return False

    @staticmethod
    def note_body(entry, body):
        entry["length"] = len(body)
        if len(body) > KEPT:
            entry["sha256"] = hashlib.sha256(body).hexdigest()
            return
        try:
            entry["body"] = body.decode("utf-8")
        except UnicodeDecodeError:
            entry["body_base64"] = base64.b64encode(body).decode()

    async def watch(self, reader):
        """Ends when the peer closes its side."""
        while not reader.at_eof() and reader.exception() is None:
            await asyncio.sleep(0.002)

    # -- answers ----------------------------------------------------------

    def pieces(self, how, entry):
        """status, headers, content type, list of body pieces."""
        status = how.get("status", 200)
        headers = list(how.get("headers", []))
        if "fixture" in how:
            with open(how["fixture"], encoding="utf-8") as f:
                recorded = json.load(f)["response"]
            status = recorded["status"]
            headers += [[n, v] for n, v in recorded["headers"].items()]
            if "body_text" in recorded:
                body = recorded["body_text"].encode()
                # A recorded event stream counts its events for cut and gate.
                return status, headers, None, split_events(body)
            if "body_base64" in recorded:
                return status, headers, None, [
                    base64.b64decode(recorded["body_base64"])]
            body = dump(recorded["body"]).encode()
            return status, headers, "application/json", [body]
        if "events" in how:
            out = []
            for event in how["events"]:
                if not isinstance(event, str):
                    event = dump(event)
                if event.startswith("raw:"):
                    out.append(event[4:].encode())
                else:
                    out.append(b"data: " + event.encode() + b"\n\n")
            return status, headers, "text/event-stream", out
        if how.get("echo"):
            seen = {k: entry[k] for k in ("method", "path", "headers")}
            seen["body"] = entry.get("body")
            return status, headers, "application/json", [
                dump(seen).encode()]
        if "json" in how:
            return status, headers, "application/json", [
                dump(how["json"]).encode()]
        if "body_base64" in how:
            return status, headers, None, [base64.b64decode(how["body_base64"])]
        if "repeat" in how:
            piece = how["repeat"]["text"].encode()
            return status, headers, "text/event-stream", Repeat(
                piece, how["repeat"]["times"], how["repeat"].get("end", ""))
        return status, headers, None, [how.get("body", "").encode()]

    async def play(self, writer, how, entry):
        fail = how.get("fail")
        if "delay" in how:
            await asyncio.sleep(how["delay"])
        if fail == "close":
            return False
        if fail == "reset":
            return self.reset(writer)
        if fail == "stall":
            await asyncio.sleep(3600)
        if fail == "garbage":
            writer.write(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
            await writer.drain()
            return False

        status, headers, kind, body = self.pieces(how, entry)
        framing = how.get("framing")
        names = {n.lower() for n, _ in headers}
        if kind and "content-type" not in names:
            headers.append(["Content-Type", kind])
        stream = any(n.lower() == "content-type" and "event-stream" in v
                     for n, v in headers)
        if framing is None:
            framing = "chunked" if stream else "length"
        if framing == "length":
            headers.append(["Content-Length", str(sum(map(len, body)))])
        elif framing == "chunked":
            headers.append(["Transfer-Encoding", "chunked"])
        if framing == "close" or how.get("drop"):
            headers.append(["Connection", "close"])

        head = "HTTP/1.1 %d %s\r\n" % (status, how.get("reason", "Reason"))
        head += "".join("%s: %s\r\n" % (n, v) for n, v in headers) + "\r\n"
        writer.write(head.encode("latin1"))
        if how.get("flush_head") or "gate" in how:
            await writer.drain()
        if entry["method"] == "HEAD":
            await writer.drain()
            return framing != "close"

        sent_all = await self.send_body(writer, how, entry, body, framing)
        if not sent_all:
            then = how.get("then", "close")
            if then == "stall":
                await asyncio.sleep(3600)
            if then == "reset":
                return self.reset(writer)
            if then == "close":
                return False
        if framing == "chunked":
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        return not (framing == "close" or how.get("drop"))

    async def send_body(self, writer, how, entry, body, framing):
        cut = how.get("cut")
        by_event = not isinstance(body, list) or len(body) > 1 \
            or "events" in how
        for index, piece in enumerate(body):
            if how.get("gate") == index:
                await self.wait_gate(entry["name"])
            if cut is not None and by_event and index >= cut:
                return False
            whole = len(piece)
            if cut is not None and not by_event:
                piece = piece[:cut]
            await self.send(writer, how, piece, framing)
            entry["sent"] += 1
            if len(piece) < whole:
                return False
        return cut is None or not by_event or len(body) > cut

    async def send(self, writer, how, piece, framing):
        split = how.get("split", 0) or len(piece) or 1
        for at in range(0, len(piece), split):
            part = piece[at:at + split]
            if framing == "chunked":
                part = b"%x\r\n%s\r\n" % (len(part), part)
            writer.write(part)
            await writer.drain()
            if "pace" in how:
                await asyncio.sleep(how["pace"])

    async def wait_gate(self, name):
        async with self.changed:
            await self.changed.wait_for(lambda: self.gates.get(name, 0) > 0)
            self.gates[name] -= 1

    def reset(self, writer):
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                        struct.pack("ii", 1, 0))
        writer.transport.abort()
        return False


class Repeat:
    """Many equal pieces that are never all in memory."""

    def __init__(self, piece, times, end):
        self.piece, self.times, self.end = piece, times, end.encode()

    def __iter__(self):
        for _ in range(self.times):
            yield self.piece
        yield self.end


def split_events(body):
    """Cuts after each blank line; a body without any stays one piece."""
    out, begin, at = [], 0, 0
    while at < len(body):
        for mark in (b"\r\n\r\n", b"\n\n"):
            if body.startswith(mark, at):
                at += len(mark)
                out.append(body[begin:at])
                begin = at
                break
        else:
            at += 1
    if begin < len(body):
        out.append(body[begin:])
    return out


def tls_context(folder, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(
        os.path.join(folder, name + ".crt"), os.path.join(folder, name + ".key"))

    def note_name(ssl_object, server_name, _):
        ssl_object.sni_name = server_name

    context.sni_callback = note_name
    return context


async def main():
    options = argparse.ArgumentParser()
    options.add_argument("--behaviours")
    options.add_argument("--certificates")
    options = options.parse_args()

    upstream = Upstream()
    if options.behaviours:
        with open(options.behaviours, encoding="utf-8") as f:
            upstream.behaviours = json.load(f)

    limit = 64 * 1024 * 1024
    servers = [await asyncio.start_server(
        upstream.serve, "127.0.0.1", 0, limit=limit, backlog=1024)]
    if options.certificates:
        for name in ("server", "wrong"):
            servers.append(await asyncio.start_server(
                upstream.serve, "127.0.0.1", 0, limit=limit, backlog=1024,
                ssl=tls_context(options.certificates, name)))
    ports = [s.sockets[0].getsockname()[1] for s in servers]
    print("ready", *ports, flush=True)

    # The parent holds the other end of stdin: no orphan stays behind it.
    loop = asyncio.get_running_loop()
    gone = loop.create_future()
    loop.add_reader(sys.stdin.fileno(), lambda: os.read(0, 1) or (
        gone.done() or gone.set_result(None)))
    await gone
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
