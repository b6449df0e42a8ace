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

Each fault is a function of Call below, with the docstring that says what it
does; the faults of TLS are in the table TLS.
"""

import argparse
import email.utils
import json
import os
import re
import select
import socket
import ssl
import struct
import sys
import threading
import time

TEXT = "one two three"
OTHER = "somebody else"
QUOTED = "private-prompt sk-secret"  # in no log, whatever becomes of it
MEGABYTE = 1 << 20


def dump(value):
    return json.dumps(value, separators=(",", ":")).encode()


class Gone(Exception):
    """The other side has left, or the connection is done with."""


# -- answers ---------------------------------------------------------------

def openai_chunk(delta, finish=None):
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk",
            "created": 1700000000, "model": "vendor-model",
            "choices": [{"index": 0, "delta": delta,
                         "finish_reason": finish}]}


def openai_usage():
    return {"prompt_tokens": 11, "completion_tokens": 4, "total_tokens": 15}


def openai_plain(text):
    return {"id": "chatcmpl-1", "object": "chat.completion",
            "created": 1700000000, "model": "vendor-model",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {
                "role": "assistant", "content": text}}],
            "usage": openai_usage()}


def claude_message(content, stop):
    return {"id": "msg_1", "type": "message", "role": "assistant",
            "model": "claude-test", "content": content, "stop_reason": stop,
            "stop_sequence": None,
            "usage": {"input_tokens": 11, "output_tokens": 4}}


class Openai:
    text = TEXT

    def plain(self):
        return dump(openai_plain(self.text))

    @staticmethod
    def event(value):
        return b"data: " + dump(value) + b"\n\n"

    def word(self, text):
        return self.event(openai_chunk({"content": text}))

    def opening(self):
        return self.event(openai_chunk({"role": "assistant", "content": ""}))

    def closing(self):
        return [self.event(openai_chunk({}, "stop")),
                self.event({**openai_chunk({}), "choices": [],
                            "usage": openai_usage()}),
                b"data: [DONE]\n\n"]

    def events(self):
        """The first one, the words, the end."""
        words = re.findall(r"\S+ ?", self.text)
        return [self.opening(), *map(self.word, words), *self.closing()]

    @staticmethod
    def error(message, kind="server_error"):
        return {"error": {"message": message, "type": kind, "param": None,
                          "code": None}}

    def error_event(self, message):
        return self.event(self.error(message))


class Claude(Openai):
    def plain(self):
        return dump(claude_message([{"type": "text", "text": self.text}],
                                   "end_turn"))

    @staticmethod
    def event(value):
        return (b"event: " + value["type"].encode() + b"\ndata: "
                + dump(value) + b"\n\n")

    def word(self, text):
        return self.event({"type": "content_block_delta", "index": 0,
                           "delta": {"type": "text_delta", "text": text}})

    def opening(self):
        return self.event({"type": "message_start",
                           "message": claude_message([], None)}) \
            + self.event({"type": "content_block_start", "index": 0,
                          "content_block": {"type": "text", "text": ""}})

    def closing(self):
        return [self.event({"type": "content_block_stop", "index": 0}),
                self.event({"type": "message_delta", "delta": {
                    "stop_reason": "end_turn", "stop_sequence": None},
                    "usage": {"output_tokens": 4}}),
                self.event({"type": "message_stop"})]

    @staticmethod
    def error(message, kind="api_error"):
        return {"type": "error", "error": {"type": kind, "message": message}}


# -- connections -----------------------------------------------------------

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
        import fcntl
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
    """One request and the fault that answers it; a method per fault."""

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

    # statuses

    def error_body(self):
        return dump(self.api.error("refused: " + QUOTED))

    def answer_status(self, status, *more, body=None):
        body = self.error_body() if body is None else body
        self.c.send(self.head("%s Reason" % status, "application/json",
                              len(body), more) + body)

    def status(self):
        """An error with this status and the vendor's body."""
        self.answer_status(self.argument)

    def status_empty(self):
        """An error with this status and no body."""
        self.answer_status(self.argument, body=b"")

    def status_html(self):
        """The page of a proxy between us and the provider."""
        body = b"<html>" + QUOTED.encode() + b"</html>"
        self.c.send(self.head("%s Reason" % self.argument, "text/html",
                              len(body)) + body)

    def status_stall(self):
        """An error whose body does not end."""
        self.c.send(self.head("%s Reason" % self.argument, "application/json",
                              1000) + self.error_body()[:20])
        self.c.stall()

    def status_cut(self):
        """An error whose body is cut."""
        self.c.send(self.head("%s Reason" % self.argument, "application/json",
                              1000) + self.error_body()[:20])
        self.c.close()

    def status_endless(self):
        """An error whose body is endless."""
        self.c.send(self.head("%s Reason" % self.argument, "text/plain"))
        while True:
            self.c.send(self.chunk(b"x" * 65536))

    def retry_seconds(self):
        """429 with Retry-After in seconds."""
        self.answer_status(429, "Retry-After: " + self.argument)

    def retry_date(self):
        """429 with Retry-After as a date."""
        self.answer_status(429, "Retry-After: " + email.utils.formatdate(
            time.time() + float(self.argument), usegmt=True))

    def retry_ms(self):
        """429 with retry-after-ms."""
        self.answer_status(429, "retry-after-ms: " + self.argument)

    def retry_bad(self):
        """429 with a Retry-After that makes no sense."""
        self.answer_status(429, "Retry-After: soon",
                           "retry-after-ms: -99999999999999999999")

    # before the header

    def close_before(self):
        """The connection closes before anything."""
        self.c.close()

    def reset_before(self):
        """The connection is reset before anything."""
        self.c.reset()

    def stall_before(self):
        """Nothing ever comes."""
        self.c.stall()

    def stall_line(self):
        """Half a status line, then nothing."""
        self.c.send(b"HTTP/1.1 2")
        self.c.stall()

    def close_line(self):
        """Half a status line, then the end."""
        self.c.send(b"HTTP/1.1 2")
        self.c.close()

    def stall_header(self):
        """Half a header, then nothing."""
        self.c.send(self.head()[:40])
        self.c.stall()

    def close_header(self):
        """Half a header, then the end."""
        self.c.send(self.head()[:40])
        self.c.close()

    def reset_header(self):
        """Half a header, then a reset."""
        self.c.send(self.head()[:40])
        self.c.reset()

    def drip_header(self):
        """A header whose bytes come one at a time, for longer than allowed."""
        self.c.send(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not self.c.left():
            self.c.send(b"x")
            time.sleep(0.02)

    def garbage(self):
        """No HTTP at all."""
        self.c.send(b"SSH-2.0-OpenSSH_9 " + QUOTED.encode() + b"\r\n")
        self.c.close()

    def garbage_binary(self):
        """Bytes."""
        self.c.send(bytes(range(256)) * 64)
        self.c.close()

    def garbage_status(self):
        """A status that is no number."""
        self.c.send(b"HTTP/1.1 OK fine\r\n\r\n")
        self.c.close()

    def status_zero(self):
        """A status that does not exist."""
        self.c.send(b"HTTP/1.1 000 Nothing\r\nContent-Length: 0\r\n\r\n")

    def http2(self):
        """HTTP/2 where HTTP/1.1 was spoken."""
        self.c.send(b"\0\0\0\x04\0\0\0\0\0" + QUOTED.encode())
        self.c.close()

    def header_line(self):
        """A header line without a name."""
        self.c.send(b"HTTP/1.1 200 OK\r\n: " + QUOTED.encode()
                    + b"\r\nContent-Length: 2\r\n\r\n{}")

    def header_nul(self):
        """A header with a NUL."""
        self.whole(more=["X-Nul: a\0" + QUOTED])

    def header_big(self):
        """One header line of 64 KB."""
        self.whole(more=["X-Big: " + QUOTED * 2700])

    def header_many(self):
        """Two thousand header lines."""
        self.whole(more=["X-%d: %s" % (i, QUOTED) for i in range(2000)])

    def header_endless(self):
        """A header that does not end."""
        self.c.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            self.c.send(b"X-More: and more\r\n" * 100)

    def interim(self):
        """100 and 103 before the answer."""
        self.c.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\n"
                    b"Link: </a>\r\n\r\n")
        self.ok()

    def interim_storm(self):
        """Interim answers without an end."""
        while True:
            self.c.send(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50)

    def interim_slow(self):
        """Interim answers without an end, slowly."""
        while not self.c.left():
            self.c.send(b"HTTP/1.1 102 Processing\r\n\r\n")
            time.sleep(0.02)

    def switching(self):
        """101 that nobody asked for."""
        self.c.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n"
                    b"Connection: upgrade\r\n\r\n")
        self.c.stall()

    def redirect(self):
        """A redirect, with where it leads."""
        self.c.send(self.head("302 Found", "text/html", 0,
                              ["Location: http://127.0.0.1:1/"]))

    def no_content(self):
        """A success without an answer."""
        self.c.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    # framing

    def lengths(self):
        """Two lengths that differ."""
        body = self.body()
        self.whole(body, more=["Content-Length: %d" % (len(body) - 1)])

    def length_negative(self):
        """A length below zero."""
        self.c.send(self.head(framing=-5) + self.body())
        self.c.close()

    def length_huge(self):
        """A length that no number holds."""
        self.c.send(self.head(framing=10 ** 30) + self.body())
        self.c.close()

    def length_both(self):
        """A length and chunks: the chunks count (RFC 9112 6.3)."""
        self.c.send(self.head(more=["Content-Length: 3"]) + self.chunk(
            self.body()) + b"0\r\n\r\n")

    def coding_gzip(self):
        """A transfer coding that was not asked for."""
        self.c.send(self.head(framing=None, more=[
            "Transfer-Encoding: gzip"]) + self.body())
        self.c.close()

    def content_gzip(self):
        """A content coding that was not asked for."""
        self.whole(b"\x1f\x8b" + b"\0" * 100, more=["Content-Encoding: gzip"])

    def until_close(self):
        """The end of the connection is the end of the answer."""
        self.c.send(self.head(framing="close") + self.body())
        self.c.close()

    def http10(self):
        """HTTP/1.0."""
        self.c.send(self.head(framing=None).replace(b"/1.1", b"/1.0")
                    + self.body())
        self.c.close()

    def chunk_size(self):
        """A chunk whose size is no number."""
        self.begin()
        self.c.send(b"zz" + QUOTED.encode() + b"\r\n")
        self.c.stall()

    def chunk_huge(self):
        """A chunk whose size no number holds."""
        self.begin()
        self.c.send(b"f" * 40 + b"\r\n")
        self.c.stall()

    def chunk_negative(self):
        """A chunk whose size is negative."""
        self.begin()
        self.c.send(b"-5\r\n")
        self.c.stall()

    def chunk_end(self):
        """A chunk that is longer than its size."""
        self.begin()
        self.c.send(b"3\r\nabcdefgh\r\n")
        self.c.stall()

    def chunk_line(self):
        """A chunk size line that does not end."""
        self.begin()
        while True:
            self.c.send(b"1;" + b"x" * 65536)

    def chunk_trailer(self):
        """Trailers that do not end."""
        self.c.send(self.head() + self.chunk(self.body()) + b"0\r\n")
        while True:
            self.c.send(b"X-More: and more\r\n" * 100)

    def extra(self):
        """Bytes after the end of the message."""
        body = self.body()
        self.c.send(self.head(framing=len(body)) + body + b"HTTP/1.1 200 OK"
                    b"\r\nContent-Length: 2\r\n\r\n{}" + QUOTED.encode())

    # in the body

    def close_after_head(self):
        """The header, then the end."""
        self.c.send(self.head())
        self.c.close()

    def reset_after_head(self):
        """The header, then a reset."""
        self.c.send(self.head())
        self.c.reset()

    def stall_after_head(self):
        """The header, then nothing."""
        self.c.send(self.head())
        self.c.stall()

    def close_body(self):
        """Some of the body, then the end."""
        self.begin()
        self.c.close()

    def reset_body(self):
        """Some of the body, then a reset."""
        self.begin()
        self.c.reset()

    def stall_body(self):
        """Some of the body, then nothing."""
        self.begin()
        self.c.stall()

    def half_event(self, then):
        """Some of the body and half of what follows."""
        self.begin()
        self.c.send(self.chunk(self.api.word(QUOTED)[:30]))
        then()

    def half_close(self):
        """An event breaks off with the connection."""
        self.half_event(self.c.close)

    def half_reset(self):
        """An event breaks off with a reset."""
        self.half_event(self.c.reset)

    def half_stall(self):
        """An event does not end."""
        self.half_event(self.c.stall)

    def half_end(self):
        """An event breaks off, and the framing says that all is well."""
        self.half_event(lambda: self.c.send(b"0\r\n\r\n"))

    def short_end(self):
        """No terminal event, and the framing says that all is well."""
        self.begin()
        self.c.send(b"0\r\n\r\n")

    def short_close(self):
        """No terminal event before the end of the connection."""
        pieces = self.pieces()
        data = b"".join(pieces[:3]) if self.stream else pieces[0][:50]
        self.c.send(self.head(framing="close") + data)
        self.c.close()

    def cut_length(self):
        """The body ends after so many bytes, short of its length."""
        body = self.body()
        self.c.send(self.head(framing=len(body))
                    + body[:self.share(len(body))])
        self.c.close()

    def cut_chunk(self):
        """The body ends after so many bytes, in the middle of a chunk."""
        body = self.chunk(self.body())
        self.c.send(self.head() + body[:self.share(len(body))])
        self.c.close()

    def share(self, length):
        """So many bytes, or so many percent."""
        if self.argument.endswith("%"):
            return length * int(self.argument[:-1]) // 100
        return int(self.argument)

    def done_stall(self):
        """The terminal event, but the message does not end."""
        self.c.send(self.head() + self.chunk(self.body()))
        self.c.stall()

    def done_reset(self):
        """A reset right after the end of the message."""
        self.c.send(self.head() + self.chunk(self.body()) + b"0\r\n\r\n")
        self.c.reset()

    def drip(self):
        """The whole answer, a byte at a time."""
        body = self.body()
        for byte in self.head(framing=len(body)) + body:
            self.c.send(bytes([byte]))

    def drip_chunks(self):
        """The whole answer, a byte in each chunk."""
        self.c.send(self.head())
        for byte in self.body():
            self.c.send(self.chunk(bytes([byte])))
        self.c.send(b"0\r\n\r\n")

    # what is said

    def error_200(self):
        """A body with an error in place of the answer."""
        self.whole(self.error_body(), kind="application/json")

    def error_first(self):
        """A stream that begins with an error."""
        self.c.send(self.head(kind="text/event-stream") + self.chunk(
            self.api.error_event("refused: " + QUOTED)) + b"0\r\n\r\n")

    def error_late(self):
        """A stream that ends with an error."""
        self.begin()
        self.c.send(self.chunk(self.api.error_event("refused: " + QUOTED))
                    + b"0\r\n\r\n")

    def html(self):
        """A page, with status 200."""
        self.whole(b"<html>" + QUOTED.encode() + b"</html>", kind="text/html")

    def empty(self):
        """Nothing, with status 200."""
        self.whole(b"")

    def half_json(self):
        """Half a JSON text that says it is whole."""
        self.whole(self.body()[:60])

    def null(self):
        """JSON that is no answer."""
        self.whole(b"null", kind="application/json")

    def bad_event(self):
        """An event that is no JSON."""
        if self.stream:
            self.begin()
            self.c.send(self.chunk(b"data: {" + QUOTED.encode() + b"\n\n"))
            self.c.stall()
        else:
            self.whole(b"{" + QUOTED.encode())

    def bad_utf8(self):
        """Text that is no UTF-8."""
        body = self.body().replace(b"two", b"\xff\xfe\xed\xa0\x80")
        self.whole(body)

    def deep(self):
        """JSON that is nested too deep."""
        nest = b"[" * 5000 + b"]" * 5000
        if self.stream:
            self.begin()
            self.c.send(self.chunk(b"data: {\"a\":" + nest + b"}\n\n"))
            self.c.stall()
        else:
            self.whole(b"{\"a\":" + nest + b"}")

    def comments(self):
        """Comments without an end."""
        self.c.send(self.head(kind="text/event-stream"))
        while not self.c.left():
            self.c.send(self.chunk(b": still here\n\n"))
            time.sleep(0.02)

    def comments_late(self):
        """Some events, then comments without an end."""
        self.begin()
        while not self.c.left():
            self.c.send(self.chunk(b": still here\n\n"))
            time.sleep(0.02)

    def spaces(self):
        """White space without an end in place of a JSON text."""
        self.c.send(self.head())
        while not self.c.left():
            self.c.send(self.chunk(b"\n"))
            time.sleep(0.02)

    # more than anybody wants

    def flood(self):
        """So many megabytes of an answer as fast as they are taken."""
        events = self.api.word("x" * 200)
        block = self.chunk(events * (MEGABYTE // len(events)))
        self.c.send(self.head() + self.chunk(self.api.opening()))
        for _ in range(int(self.argument)):
            self.c.send(block)
        self.c.send(b"".join(map(self.chunk, self.api.closing()))
                    + b"0\r\n\r\n")

    def flood_event(self):
        """An event without an end."""
        self.begin()
        self.c.send(self.chunk(b"data: {\"a\":\""))
        while True:
            self.c.send(self.chunk(b"x" * MEGABYTE))

    def flood_body(self):
        """A body without an end."""
        self.c.send(self.head(kind="application/json")
                    + self.chunk(b"{\"a\":\""))
        while True:
            self.c.send(self.chunk(b"x" * MEGABYTE))

    def flood_length(self):
        """A body that says it is larger than allowed."""
        self.c.send(self.head(kind="application/json", framing=10 ** 12)
                    + b"{")
        self.c.stall()


# -- the server ------------------------------------------------------------

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
        call = Call(connection, path, stream, argument)
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
