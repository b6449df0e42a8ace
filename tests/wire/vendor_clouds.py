"""Binary event streams and the words of AWS Bedrock, read from recordings by
AWS's documents."""

import base64
import json
import struct
import zlib

from answer import Call


def reader_base():
    from vendor import Reader
    return Reader


def frames(data):
    """The raw messages of an event stream, checksums checked."""
    out = []
    while data:
        total, _, check = struct.unpack(">III", data[:12])
        raw, data = data[:total], data[total:]
        assert zlib.crc32(raw[:8]) == check
        assert zlib.crc32(raw[:-4]) == struct.unpack(">I", raw[-4:])[0]
        out.append(raw)
    return out


def headers(raw):
    out, rest = {}, raw[12:12 + struct.unpack(">I", raw[4:8])[0]]
    while rest:
        size = rest[0]
        name, kind = rest[1:1 + size].decode(), rest[1 + size]
        assert kind == 7, "only texts are recorded"
        length = struct.unpack(">H", rest[2 + size:4 + size])[0]
        out[name] = rest[4 + size:4 + size + length].decode()
        rest = rest[4 + size + length:]
    return out


def payload(raw):
    return raw[12 + struct.unpack(">I", raw[4:8])[0]:-4]


def stream_events(response):
    """(name, JSON, is it an error) for each message."""
    for raw in frames(base64.b64decode(response["body_base64"])):
        said = headers(raw)
        error = said.get(":message-type") != "event"
        name = said.get(":event-type") or said.get(":exception-type") \
            or said.get(":error-code")
        yield name, json.loads(payload(raw)), error


def says_finish(raw):
    return headers(raw).get(":event-type") == "messageStop"


class Bedrock(reader_base()):
    FINISH = {"end_turn": "stop", "stop_sequence": "stop",
              "max_tokens": "length", "tool_use": "tool_calls",
              "guardrail_intervened": "content_filter",
              "content_filtered": "content_filter"}

    def __init__(self):
        super().__init__()
        self.open = {}
        self.answer.choice(0)

    def usage(self, said):
        read = said.get("cacheReadInputTokens", 0)
        write = said.get("cacheWriteInputTokens", 0)
        prompt = said.get("inputTokens", 0) + read + write
        completion = said.get("outputTokens", 0)
        self.answer.usage = {
            "prompt": prompt, "completion": completion,
            "total": prompt + completion, "cache_read": read,
            "cache_write": write, "reasoning": 0}

    def reasoning(self, said):
        choice = self.answer.choice(0)
        choice.reasoning += said.get("text", "")
        if said.get("signature"):
            choice.signatures.append(said["signature"])

    def call(self, use):
        call = Call(use["name"], "", use["toolUseId"])
        if use.get("input"):
            call.arguments = json.dumps(use["input"])
        self.answer.choice(0).calls.append(call)
        return call

    def body(self, body):
        choice = self.answer.choice(0)
        for block in body["output"]["message"]["content"]:
            choice.text += block.get("text", "")
            for piece in block.get("citationsContent", {}).get("content", []):
                choice.text += piece["text"]
            if "reasoningContent" in block:
                self.reasoning(block["reasoningContent"]["reasoningText"])
            use = block.get("toolUse")
            if use and use.get("type") != "server_tool_use":
                self.call(use)
        choice.finish = self.FINISH[body["stopReason"]]
        self.usage(body["usage"])

    def event(self, name, data, comments):
        choice = self.answer.choice(0)
        if name == "contentBlockStart":
            use = data["start"].get("toolUse")
            if use and use.get("type") != "server_tool_use":
                self.open[data["contentBlockIndex"]] = self.call(use)
        elif name == "contentBlockDelta":
            delta = data["delta"]
            choice.text += delta.get("text", "")
            self.reasoning(delta.get("reasoningContent", {}))
            call = self.open.get(data["contentBlockIndex"])
            if call and "toolUse" in delta:
                call.arguments += delta["toolUse"]["input"]
        elif name == "messageStop":
            choice.finish = self.FINISH[data["stopReason"]]
        elif name == "metadata":
            self.usage(data["usage"])
