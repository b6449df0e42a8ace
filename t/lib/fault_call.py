"""A connection to the provider of faults.py, and a call that it answers."""

import fcntl
import select
import socket
import struct
import time

from fault_answers import OTHER, Claude, Openai


class Gone(Exception):
    """The other side has left, or the connection is done with."""


class Connection:
    """One connection, blocking, in a thread of its own."""

    def __init__(self, sock, raw):
        self.sock = sock
        self.raw = raw
        self.held = b""

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise Gone from error

    def read(self):
        try:
            data = self.sock.recv(65536)
        except OSError as error:
            raise Gone from error
        if not data:
            raise Gone
        return data

    def read_until(self, mark):
        while mark not in self.held:
            self.held += self.read()
        text, self.held = self.held.split(mark, 1)
        return text

    def read_exactly(self, n):
        while len(self.held) < n:
            self.held += self.read()
        data, self.held = self.held[:n], self.held[n:]
        return data

    def stall(self):
        """Says nothing until the other side leaves."""
        while True:
            self.read()

    def close(self):
        """An orderly end: what was sent arrives."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        raise Gone

    def reset(self):
        """What was sent arrives first, then the reset."""
        until = time.monotonic() + 2
        while time.monotonic() < until and self.unsent():
            time.sleep(0.002)
        time.sleep(0.02)
        self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                            struct.pack("ii", 1, 0))
        raise Gone

    def unsent(self):
        siocoutq = 0x5411
        return struct.unpack("i", fcntl.ioctl(
            self.raw.fileno(), siocoutq, b"\0\0\0\0"))[0]

    def left(self):
        """Has the other side closed?"""
        ready, _, _ = select.select([self.raw], [], [], 0)
        if not ready:
            return False
        try:
            return self.raw.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True


class Call:
    """One request, and what answers are made of."""

    def __init__(self, connection, path, stream, argument):
        self.c = connection
        self.stream = stream
        self.argument = argument
        self.api = Claude() if path.endswith("/messages") else Openai()

    # what answers are made of

    def head(self, status="200 OK", kind=None, framing="chunked", more=()):
        kind = kind or ("text/event-stream" if self.stream
                        else "application/json")
        lines = ["HTTP/1.1 " + status, "Content-Type: " + kind]
        if framing == "chunked":
            lines.append("Transfer-Encoding: chunked")
        elif framing == "close":
            lines.append("Connection: close")
        elif framing is not None:
            lines.append("Content-Length: %d" % framing)
        return ("\r\n".join([*lines, *more]) + "\r\n\r\n").encode()

    @staticmethod
    def chunk(data):
        return b"%x\r\n%s\r\n" % (len(data), data)

    def pieces(self):
        return self.api.events() if self.stream else [self.api.plain()]

    def body(self):
        return b"".join(self.pieces())

    def whole(self, body=None, **how):
        body = self.body() if body is None else body
        self.c.send(self.head(framing=len(body), **how) + body)

    def begin(self):
        """The header, and events that are output; of a body its half."""
        if self.stream:
            self.c.send(self.head() + b"".join(
                map(self.chunk, self.api.events()[:3])))
        else:
            body = self.body()
            self.c.send(self.head() + self.chunk(body[:len(body) // 2]))

    def ok(self):
        """The whole answer."""
        if self.stream:
            self.c.send(self.head() + b"".join(
                map(self.chunk, self.pieces())) + b"0\r\n\r\n")
        else:
            self.whole()

    def other(self):
        """The whole answer, but another one."""
        self.api.text = OTHER
        self.ok()
