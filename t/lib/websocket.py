#!/usr/bin/env python3
"""A WebSocket server for tests: writes each handshake to standard output as
one JSON line, then echoes frames.  Text "close" closes, "drop" resets,
"push" sends two frames at once, "half" a part of one.  Paths choose what else
happens: /refuse answers 401, /chunked the same in chunks, /plain 200, /close
nothing."""

import base64
import hashlib
import json
import socket
import struct
import sys
import threading

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def read_exactly(stream, n):
    data = stream.read(n)
    if len(data) != n:
        raise EOFError
    return data


def frame(payload, opcode=1):
    head = bytes([0x80 | opcode])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    if len(payload) < 65536:
        return head + b"\x7e" + struct.pack("!H", len(payload)) + payload
    return head + b"\x7f" + struct.pack("!Q", len(payload)) + payload


def next_frame(stream):
    first, second = read_exactly(stream, 2)
    length = second & 0x7F
    if length == 126:
        length, = struct.unpack("!H", read_exactly(stream, 2))
    elif length == 127:
        length, = struct.unpack("!Q", read_exactly(stream, 8))
    mask = read_exactly(stream, 4) if second & 0x80 else b"\0\0\0\0"
    data = read_exactly(stream, length)
    return first & 15, bytes(c ^ mask[i & 3] for i, c in enumerate(data))


def say(**what):
    print(json.dumps(what), flush=True)


def refuse(connection, chunked):
    body = json.dumps({"error": {"message": "no such key", "type":
        "invalid_request_error", "param": None, "code": "bad"}}).encode()
    head = b"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\n"
    if chunked:
        connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n"
            + b"%x\r\n%s\r\n" % (10, body[:10]))
        connection.sendall(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body) - 10,
            body[10:]))
    else:
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body)
            + body)


def echo(connection, stream):
    while True:
        opcode, data = next_frame(stream)
        if opcode == 8 or data == b"close":
            connection.sendall(frame(b"\x03\xe8", 8))
            return
        if data == b"drop":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                struct.pack("ii", 1, 0))
            return
        if data == b"push":
            connection.sendall(frame(b"one") + frame(b"two"))
        elif data == b"half":
            connection.sendall(frame(b"x" * 1000)[:500])
        else:
            connection.sendall(frame(data, opcode))


def serve(connection):
    stream = connection.makefile("rb")
    try:
        line = stream.readline().decode().split()
        headers = []
        while (text := stream.readline().decode().rstrip("\r\n")):
            name, value = text.split(":", 1)
            headers.append([name, value.strip()])
        fields = {name.lower(): value for name, value in headers}
        say(method=line[0], path=line[1], headers=headers)
        path = line[1]
        if "/refuse" in path or "/chunked" in path:
            refuse(connection, "/chunked" in path)
        elif "/plain" in path:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        elif "/close" not in path:
            accept = base64.b64encode(hashlib.sha1(
                fields["sec-websocket-key"].encode() + MAGIC).digest())
            answer = (b"HTTP/1.1 101 Switching Protocols\r\n"
                b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Set-Cookie: secret=1\r\nSec-WebSocket-Accept: "
                + accept + b"\r\n")
            if "sec-websocket-protocol" in fields:
                answer += (b"Sec-WebSocket-Protocol: " + fields[
                    "sec-websocket-protocol"].split(",")[0].encode() + b"\r\n")
            connection.sendall(answer + b"\r\n" + frame(b"hello"))
            echo(connection, stream)
    except (EOFError, OSError, ValueError, KeyError):
        pass
    finally:
        stream.close()
        connection.close()
        say(closed=True)


def main():
    server = socket.create_server(("127.0.0.1", 0))
    say(port=server.getsockname()[1])
    while True:
        connection, _ = server.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
