#!/usr/bin/env python3
"""Writes seeds for a fuzz target out of recorded exchanges.

usage: seeds.py TARGET FOLDER

The exchanges are looked for in $AI_PROXY_FIXTURES, else in
../shared/fixtures/wire beside this tree; without them nothing is written.
"""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import sys

LARGEST = 64 * 1024


def exchanges():
    root = pathlib.Path(__file__).resolve().parents[2]
    folder = pathlib.Path(
        os.environ.get("AI_PROXY_FIXTURES")
        or root.parent / "shared/fixtures/wire")
    for path in sorted(folder.glob("*/*.json")):
        yield json.loads(path.read_text(encoding="utf-8"))


def stream(exchange):
    response = exchange["response"]
    text = response.get("body_text")
    if text is not None and exchange["wire"] == "sse":
        yield text.encode()


def ndjson(exchange):
    text = exchange["response"].get("body_text")
    if text is not None and exchange["wire"] == "ndjson":
        yield text.encode()


def event_stream(exchange):
    text = exchange["response"].get("body_base64")
    if text is not None and exchange["wire"] == "eventstream":
        yield base64.b64decode(text)


def json_array(exchange):
    response = exchange["response"]
    text = response.get("body_text")
    if text is None or exchange["provider"] not in ("gemini", "vertex"):
        return
    if exchange["wire"] == "json-array-stream":
        yield text.encode()
    elif exchange["wire"] == "sse":
        lines = (line.strip() for line in text.splitlines())
        events = [line[5:].strip() for line in lines
                  if line.startswith("data:")]
        yield ("[" + ",\r\n".join(events) + "\n]\n").encode()


def websocket(exchange):
    """The events of a recorded stream as the messages of a WebSocket."""
    frames = b""
    for body in stream(exchange):
        for line in body.splitlines():
            if line.startswith(b"data:"):
                data = line[5:].strip()
                size = bytes([len(data)]) if len(data) < 126 \
                    else b"\x7e" + len(data).to_bytes(2, "big") \
                    if len(data) < 65536 \
                    else b"\x7f" + len(data).to_bytes(8, "big")
                frames += b"\x81" + size + data
    if frames:
        yield frames + b"\x89\x00\x01\x01a\x80\x01b\x88\x02\x03\xe8"


# The place in vendors.h of the provider that speaks like this; all others
# speak like the first.
PLACES = {"anthropic": 1, "gemini": 2, "dashscope": 3, "groq": 4,
          "moonshot": 5, "cohere": 6, "bedrock": 7, "bedrock-invoke": 8,
          "vertex": 9, "ollama": 10, "cloudflare": 11, "baidu": 12,
          "minimax": 13, "hunyuan": 14, "coze": 15, "dify": 16, "deepl": 18,
          "triton": 19, "mistral": 20, "voyage": 21, "huggingface": 22}
# What the client speaks: the upper bits of the second byte.
APIS = {"chat": 0, "messages": 1, "responses": 2, "gemini": 3,
        "completions": 4, "embeddings": 5, "rerank": 6}


def response(exchange):
    place = PLACES.get(exchange["provider"], 0)
    api = exchange["api"]
    if api in ("embeddings", "rerank"):
        wishes = [APIS[api] << 5]
    else:
        wishes = [APIS[name] << 5 for name in
                  ("chat", "messages", "responses", "gemini", "completions")]
    streams = list(stream(exchange)) + list(ndjson(exchange)) \
        + list(event_stream(exchange))
    for body in json_array(exchange):
        yield bytes([place, APIS["chat"] << 5 | 8]) + body
        yield bytes([place, APIS["gemini"] << 5 | 8]) + body
    for number, wish in enumerate(wishes):
        # Every answer in the first dialect, one of five in the others.
        for body in streams:
            if number == 0 or len(body) % 5 == number:
                yield bytes([place, wish]) + body
        body = exchange["response"].get("body")
        if body is not None:
            ok = exchange["response"]["status"] == 200
            yield bytes([place, wish | (9 if ok else 25)]) \
                + json.dumps(body).encode()


def request(exchange):
    place = PLACES.get(exchange["provider"], 0)
    body = exchange["request"].get("body")
    if not isinstance(body, dict):
        return
    path = 0
    if "contents" in body:
        path = 3
    elif "input" in body and "messages" not in body:
        path = 5 if exchange["api"] == "embeddings" else 2
    elif exchange["provider"] == "anthropic":
        path = 1
    elif "documents" in body and "query" in body:
        path = 6
    text = json.dumps(body).encode()
    # To its own vendor, and to another of each protocol in turn.
    yield bytes([place, path]) + text
    yield bytes([len(text) % 24, path]) + text
    yield bytes([len(text) // 24 % 24, path | 128]) + text


def form(_):
    yield (b"multipart/form-data; boundary=xx\n--xx\r\nContent-Disposition: "
           b"form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--xx\r\n"
           b"Content-Disposition: form-data; name=\"file\"; filename=\"a\""
           b"\r\n\r\n\x00\x01\r\n--xx--\r\n")
    yield b"multipart/form-data; boundary=\"a b\"\n--a b\r\n\r\n\r\n--a b--"


def credential(_):
    yield (b"\x00" + json.dumps(
        {"type": "service_account", "project_id": "p", "private_key_id": "k",
         "private_key": "-----BEGIN PRIVATE KEY-----\nMIIB\n"
                        "-----END PRIVATE KEY-----\n",
         "client_email": "a@b.c",
         "token_uri": "https://oauth2.googleapis.com/token"}).encode())
    yield b'\x01{"access_token":"t","expires_in":3599,"token_type":"Bearer"}'
    yield b'\x03{"error":"invalid_grant","error_description":"no"}'


def token(_):
    """Tokens signed with the target's secret, key sets and places of keys."""
    secret = b"secret-of-the-target-that-nobody-knows"

    def part(raw):
        return base64.urlsafe_b64encode(raw).rstrip(b"=")

    for head, claims in (
            (b'{"alg":"HS256","typ":"JWT"}', b'{"iss":"joe","exp":1800000000}'),
            (b'{"alg":"HS256","kid":"a"}', b'{"aud":["a","b"],"sub":"u"}'),
            (b'{"alg":"none"}', b"{}"), (b'{"alg":"ES256"}', b'{"nbf":1.5}'),
            (b'{"alg":"HS256","crit":["x"]}', b'{"a":{"b":[1,true,null]}}')):
        text = part(head) + b"." + part(claims)
        yield b"\x00" + text + b"." + part(
            hmac.new(secret, text, hashlib.sha256).digest())
    yield (b'\x01{"keys":[{"kty":"EC","crv":"P-256","kid":"a","use":"sig",'
           b'"x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",'
           b'"y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"},'
           b'{"kty":"OKP","crv":"Ed25519","alg":"EdDSA",'
           b'"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},'
           b'{"kty":"RSA","n":"AQAB","e":"AQAB","use":"enc"},'
           b'{"kty":"oct","k":"AyM1","key_ops":["verify"]}]}')
    yield b"\x02a=b; k=v\nx=1&key=a%2Fb&k=&api-key=c+d"


def model_map(_):
    yield b"gpt-4o qwen-max\ngpt-3* qwen-turbo\n* qwen-plus\n\ngpt-4o\nx\n"
    yield b"~^gpt-(.*)$ qwen-$1\n~(a)(b)? $2-$1\n\ngpt-5\nab\n"


def yaml(_):
    examples = pathlib.Path(__file__).resolve().parents[2] / "conf-examples"
    for path in sorted(examples.glob("*/*.yaml")):
        yield path.read_bytes()
    yield b"a: &a {x: 1}\nb: {<<: *a, y: [1, 'two', ~]}\n_rules_:\n" \
        b"- _match_route_: [r]\n  provider: {type: mock}\n"


def chunked(exchange):
    for body in stream(exchange):
        out, sizes = b"", list(exchange["response"].get("chunk_sizes") or [])
        while body:
            size = max(1, sizes.pop(0) if sizes else 512)
            piece, body = body[:size], body[size:]
            out += b"%x\r\n%s\r\n" % (len(piece), piece)
        yield out + b"0\r\n\r\n"


def request_body(exchange):
    body = exchange["request"].get("body")
    if isinstance(body, dict):
        yield json.dumps(body).encode()


def any_body(exchange):
    yield from request_body(exchange)
    body = exchange["response"].get("body")
    if body is not None:
        yield json.dumps(body, ensure_ascii=False).encode()


SOURCES = {
    "sse_fuzz": stream,
    "ndjson_fuzz": ndjson,
    "event_stream_fuzz": event_stream,
    "json_array_fuzz": json_array,
    "websocket_fuzz": websocket,
    "response_fuzz": response,
    "request_fuzz": request,
    "multipart_fuzz": form,
    "credential_fuzz": credential,
    "token_fuzz": token,
    "model_map_fuzz": model_map,
    "yaml_fuzz": yaml,
    "chunked_fuzz": chunked,
    "splice_fuzz": request_body,
    "chat_request_fuzz": request_body,
    "json_fuzz": any_body,
}


def main():
    target, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    source = SOURCES.get(target)
    if source is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for exchange in exchanges():
        for seed in source(exchange):
            if len(seed) <= LARGEST:
                name = hashlib.sha1(seed).hexdigest()
                (folder / name).write_bytes(seed)


if __name__ == "__main__":
    main()
