"""What the vendors with protocols of their own said, read from recordings by
the vendors' documents: the readers that vendor.py does not have."""

import json

from answer import Call


def reader_base():
    from vendor import Reader
    return Reader


def number(value):
    return value if isinstance(value, int) and value >= 0 else 0


def usage(prompt, completion, cached=0, reasoning=0):
    return {"prompt": number(prompt), "completion": number(completion),
            "total": number(prompt) + number(completion),
            "cache_read": number(cached), "cache_write": 0,
            "reasoning": number(reasoning)}


class Cohere(reader_base()):
    FINISH = {"COMPLETE": "stop", "STOP_SEQUENCE": "stop",
              "MAX_TOKENS": "length", "TOOL_CALL": "tool_calls"}

    def content(self, part):
        self.answer.choice(0).text += part.get("text", "")
        self.answer.choice(0).reasoning += part.get("thinking", "")

    def calls(self, calls):
        for call in calls:
            self.answer.choice(0).calls.append(Call(
                call["function"]["name"], call["function"]["arguments"],
                call["id"]))

    def end(self, said):
        self.answer.choice(0).finish = self.FINISH[said["finish_reason"]]
        tokens = said["usage"]["tokens"]
        self.answer.usage = usage(
            tokens["input_tokens"], tokens["output_tokens"],
            said["usage"].get("cached_tokens"),
            tokens.get("reasoning_tokens"))

    def body(self, body):
        message = body["message"]
        self.answer.choice(0).reasoning += message.get("tool_plan", "")
        for part in message.get("content") or []:
            self.content(part)
        self.calls(message.get("tool_calls") or [])
        self.end(body)

    def event(self, name, chunk, comments):
        message = (chunk.get("delta") or {}).get("message") or {}
        kind = chunk["type"]
        if kind in ("content-start", "content-delta"):
            self.content(message["content"])
        elif kind == "tool-plan-delta":
            self.answer.choice(0).reasoning += message["tool_plan"]
        elif kind == "tool-call-start":
            self.calls([message["tool_calls"]])
        elif kind == "tool-call-delta":
            self.answer.choice(0).calls[-1].arguments += \
                message["tool_calls"]["function"]["arguments"]
        elif kind == "message-end":
            self.end(chunk["delta"])

    @staticmethod
    def says_finish(data):
        return data["type"] == "message-end"


READERS = {"cohere": Cohere}


def error_in_200(body):
    """(message, found) of an error in a vendor's own shape."""
    base = body.get("base_resp") or {}
    if base.get("status_code"):
        return base["status_msg"]
    if body.get("error_code"):
        return body["error_msg"]
    found = (body.get("Response") or {}).get("Error")
    return found["Message"] if found else None
