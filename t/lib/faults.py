#!/usr/bin/env python3
"""A provider that fails in every way a network allows.

Prints one line of JSON with its ports once it listens:
  plain               HTTP
  full                a port whose queue is full: connecting takes forever
  tls_good, tls_NAME  HTTPS, and HTTPS that fails (see TLS below)

The fault is named by the request: the header X-Fault, else the path
/f/NAME/..., which a base_url can say (a converting gateway relays no headers).
"NAME:3" gives a fault a number, "NAME,once-KEY" makes the first request of
each KEY fail and answers the others.  The dialect follows the path (a path
that ends in /messages is Anthropic's), the form of the answer the request.

Whatever is answered quotes words that must be in no log.  GET /-/log has how
many requests each fault got and how many connections are open.

Each fault is a method of fault_heads.py or fault_bodies.py, with the docstring
that says what it does; the faults of TLS are in the table TLS.
"""

import argparse
import json
import os
import socket
import ssl
import struct
import threading

from fault_answers import dump
from fault_bodies import Faults
from fault_call import Connection, Gone


class Server:
    def __init__(self):
        self.lock = threading.Lock()
        self.requests = {}
        self.seen = set()
        self.open = 0

    def listen(self, wrap=None, backlog=1024):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", 0))
        sock.listen(backlog)
        self.start(self.accept, sock, wrap)
        return sock.getsockname()[1]

    @staticmethod
    def start(what, *args):
        threading.Thread(target=what, args=args, daemon=True).start()

    def accept(self, listening, wrap):
        while True:
            sock, _ = listening.accept()
            self.start(self.serve, sock, wrap)

    def serve(self, raw, wrap):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.lock:
            self.open += 1
        sock = raw
        try:
            if wrap is not None:
                sock = wrap(raw)
            connection = Connection(sock, raw)
            while True:
                self.answer(connection)
        except (Gone, OSError, ValueError):
            pass
        finally:
            self.end(sock, raw)
            with self.lock:
                self.open -= 1

    @staticmethod
    def end(sock, raw):
        linger = struct.unpack("ii", raw.getsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, 8)) \
            if raw.fileno() >= 0 else (0, 0)
        if not linger[0] and raw.fileno() >= 0:
            # What the other side still says must not become a reset.
            raw.settimeout(2)
            try:
                raw.shutdown(socket.SHUT_WR)
                while raw.recv(65536):
                    pass
            except OSError:
                pass
        if sock is not raw:
            sock.close()
        raw.close()

    def answer(self, connection):
        head = connection.read_until(b"\r\n\r\n").decode("latin1")
        line, *fields = head.split("\r\n")
        path = line.split(" ")[1].split("?")[0]
        headers = {}
        for field in fields:
            name, value = field.split(":", 1)
            headers[name.lower()] = value.strip()
        body = connection.read_exactly(int(headers.get("content-length", "0")))
        if path == "/-/log":
            with self.lock:
                # Less the connection that asks.
                text = dump({"requests": self.requests,
                             "open": self.open - 1})
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
                            % len(text) + text)
            return
        name = headers.get("x-fault")
        if name is None:
            name = path.split("/")[2] if path.startswith("/f/") else "ok"
        name, _, key = name.partition(",once-")
        with self.lock:
            asked = name if not key else name + ",once-" + key
            self.requests[asked] = self.requests.get(asked, 0) + 1
            again = key and self.requests[asked] > 1
        name, _, argument = name.partition(":")
        stream = b'"stream":true' in body.replace(b" ", b"")
        call = Faults(connection, path, stream, argument)
        call.ok() if again else getattr(call, name.replace("-", "_"))()


# -- TLS -------------------------------------------------------------------

def context(folder, name, **limits):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if limits:
        made.set_ciphers("ALL:@SECLEVEL=0")
        made.minimum_version = ssl.TLSVersion.TLSv1
    for key, value in limits.items():
        setattr(made, key, value)
    made.load_cert_chain(os.path.join(folder, name + ".crt"),
                         os.path.join(folder, name + ".key"))
    return lambda raw: made.wrap_socket(raw, server_side=True)


def stall(raw):
    """Says nothing."""
    Connection(raw, raw).stall()


def no_tls(raw):
    """HTTP, and unfriendly."""
    raw.recv(65536)
    raw.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    Connection(raw, raw).close()


def close(raw):
    raw.recv(65536)
    Connection(raw, raw).close()


def reset(raw):
    raw.recv(65536)
    Connection(raw, raw).reset()


def half(raw):
    """The beginning of a record that does not go on."""
    raw.recv(65536)
    raw.sendall(b"\x16\x03\x03\x02\x00\x02")
    Connection(raw, raw).stall()


TLS = {
    "good": lambda folder: context(folder, "server"),
    "wrong": lambda folder: context(folder, "wrong"),
    "expired": lambda folder: context(folder, "expired"),
    "self": lambda folder: context(folder, "self"),
    "old": lambda folder: context(
        folder, "server", maximum_version=ssl.TLSVersion.TLSv1_1),
    "stall": lambda _: stall,
    "half": lambda _: half,
    "none": lambda _: no_tls,
    "close": lambda _: close,
    "reset": lambda _: reset,
}


def full_port(keep):
    """Nobody accepts, and the queue is full."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(0)
    keep.append(sock)
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(sock.getsockname())
        keep.append(filler)
    return sock.getsockname()[1]


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--certificates")
    options = options.parse_args()
    threading.stack_size(256 * 1024)
    server = Server()
    keep = []
    ports = {"plain": server.listen(), "full": full_port(keep)}
    if options.certificates:
        for name, make in TLS.items():
            ports["tls_" + name] = server.listen(make(options.certificates))
    print(json.dumps(ports), flush=True)
    # The parent holds the other end of stdin: no orphan stays behind it.
    while os.read(0, 1):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
