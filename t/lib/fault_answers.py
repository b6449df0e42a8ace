"""Whole answers of the providers of faults.py, in two dialects."""

import json
import re

TEXT = "one two three"
OTHER = "somebody else"


def dump(value):
    return json.dumps(value, separators=(",", ":")).encode()


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
