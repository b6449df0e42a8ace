"""Faults in the body of an answer, of what it says, and of its size: a method
of a call each."""

import time

from fault_heads import QUOTED, Heads

MEGABYTE = 1 << 20


class Faults(Heads):
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

    def opening_error(self):
        """The beginning of an answer that has said nothing yet, an error."""
        self.c.send(self.head() + self.chunk(self.api.opening()) + self.chunk(
            self.api.error_event("refused: " + QUOTED)) + b"0\r\n\r\n")

    def opening_close(self):
        """The same, then the end of the connection."""
        self.c.send(self.head() + self.chunk(self.api.opening()))
        self.c.close()

    def opening_stall(self):
        """The same, then nothing."""
        self.c.send(self.head() + self.chunk(self.api.opening()))
        self.c.stall()

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
