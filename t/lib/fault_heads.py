"""Faults of statuses, of what comes before the body, and of its framing: a
method of a call each."""

import email.utils
import time

from fault_answers import dump
from fault_call import Call

QUOTED = "private-prompt sk-secret"  # in no log, whatever becomes of it


class Heads(Call):
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
