#!/usr/bin/env python3
"""Nodes of a Redis Cluster that exists on paper alone, for tests.

Prints "ready SEED OTHER" (ports) once both listen.  SEED answers PING and
CLUSTER SLOTS, and sends every other command on to who serves all slots but
those that "dead" named (MOVED).  OTHER does the same, but keeps commands, and
what follows on their connection, until it is told to answer them.  Lines on
standard input, each answered by one line:

  all PORT      who serves the slots, from now on
  dead N        N new names, nobody's, that serve the first N slots
  asked         how often CLUSTER SLOTS was answered
  held          how many commands OTHER keeps
  release       OTHER answers them
  open          how many connections OTHER has
"""

import asyncio
import binascii
import sys


class Cluster:
    def __init__(self):
        self.names = 0
        self.dead = []
        self.serving = 0
        self.asked = 0
        self.held = []
        self.open = 0
        self.other = 0

    def slots(self):
        ranges = [(i, i, name, 6379) for i, name in enumerate(self.dead)]
        ranges.append((len(self.dead), 16383, "127.0.0.1", self.serving))
        text = f"*{len(ranges)}\r\n"
        for first, last, host, port in ranges:
            text += (f"*3\r\n:{first}\r\n:{last}\r\n*2\r\n"
                     f"${len(host)}\r\n{host}\r\n:{port}\r\n")
        return text.encode()

    def reply(self, words):
        name = words[0].upper()
        if name == b"PING":
            return b"+PONG\r\n"
        if name == b"CLUSTER":
            self.asked += 1
            return self.slots()
        key = words[3] if words[0].upper().startswith(b"EVAL") else words[1]
        if b"{" in key:
            inner = key.split(b"{", 1)[1].split(b"}", 1)[0]
            key = inner or key
        slot = binascii.crc_hqx(key, 0) % 16384
        return f"-MOVED {slot} 127.0.0.1:{self.serving}\r\n".encode()

    async def serve(self, reader, writer):
        is_other = writer.get_extra_info("sockname")[1] == self.other
        self.open += is_other
        try:
            while True:
                words = await self.command(reader)
                simple = words[0].upper() in (b"PING", b"CLUSTER")
                if is_other and (not simple or any(
                        held is writer for held, _ in self.held)):
                    self.held.append((writer, words))
                else:
                    writer.write(self.reply(words))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= is_other
            writer.close()

    @staticmethod
    async def command(reader):
        count = int((await reader.readuntil(b"\n"))[1:])
        words = []
        for _ in range(count):
            length = int((await reader.readuntil(b"\n"))[1:])
            words.append((await reader.readexactly(length + 2))[:-2])
        return words

    def told(self, words):
        if words[0] == "all":
            self.serving = int(words[1])
        elif words[0] == "dead":
            count = int(words[1])
            self.dead = [f"node-{self.names + i}.invalid"
                         for i in range(count)]
            self.names += count
        elif words[0] == "asked":
            return self.asked
        elif words[0] == "held":
            return len(self.held)
        elif words[0] == "release":
            for writer, command in self.held:
                writer.write(self.reply(command))
            self.held = []
        elif words[0] == "open":
            return self.open
        return "done"


async def main():
    cluster = Cluster()
    servers = [await asyncio.start_server(cluster.serve, "127.0.0.1", 0)
               for _ in range(2)]
    seed, cluster.other = [s.sockets[0].getsockname()[1] for s in servers]
    cluster.serving = seed
    print("ready", seed, cluster.other, flush=True)
    stdin = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    while line := await stdin.readline():
        print(cluster.told(line.decode().split()), flush=True)


asyncio.run(main())
