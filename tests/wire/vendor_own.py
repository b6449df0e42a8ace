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


class Ollama(reader_base()):
    def body(self, body):
        self.event("", body, [])

    def event(self, name, line, comments):
        if line.get("error"):
            return self.fail(line["error"])
        choice = self.answer.choice(0)
        message = line["message"]
        choice.text += message.get("content") or ""
        choice.reasoning += message.get("thinking") or ""
        for call in message.get("tool_calls") or []:
            choice.calls.append(Call(
                call["function"]["name"],
                json.dumps(call["function"]["arguments"]), call.get("id", "")))
        if line["done"]:
            reason = line["done_reason"]
            choice.finish = "tool_calls" if choice.calls \
                and reason == "stop" else reason
            self.answer.usage = usage(line.get("prompt_eval_count"),
                                      line.get("eval_count"))

    @staticmethod
    def says_finish(data):
        return data.get("done")


class Baidu(reader_base()):
    def body(self, body):
        self.event("", dict(body, is_end=True), [])

    def event(self, name, body, comments):
        choice = self.answer.choice(0)
        choice.text += body.get("result") or ""
        call = body.get("function_call")
        if call:
            choice.reasoning += call.get("thoughts") or ""
            choice.calls.append(Call(call["name"], call["arguments"], ""))
        counts = body["usage"]
        self.answer.usage = usage(counts["prompt_tokens"],
                                  counts["completion_tokens"])
        if body["is_end"]:
            choice.finish = {"normal": "stop", "stop": "stop",
                             "function_call": "tool_calls"}[
                                 body["finish_reason"]]

    @staticmethod
    def says_finish(data):
        return data.get("is_end")


class Hunyuan(reader_base()):
    def body(self, body):
        self.read(body["Response"], "Message")

    def event(self, name, body, comments):
        self.read(body, "Delta")

    def read(self, body, key):
        for entry in body["Choices"]:
            choice = self.answer.choice(0)
            message = entry[key]
            choice.text += message.get("Content") or ""
            for call in message.get("ToolCalls") or []:
                choice.calls.append(Call(
                    call["Function"]["Name"], call["Function"]["Arguments"],
                    call.get("Id", "")))
            choice.finish = entry["FinishReason"] or choice.finish
        counts = body["Usage"]
        self.answer.usage = usage(counts["PromptTokens"],
                                  counts["CompletionTokens"])

    @staticmethod
    def says_finish(data):
        return any(c["FinishReason"] for c in data["Choices"])


class Cloudflare(reader_base()):
    def body(self, body):
        self.event("", body["result"], [])

    def event(self, name, result, comments):
        choice = self.answer.choice(0)
        choice.text += result.get("response") or ""
        for call in result.get("tool_calls") or []:
            choice.calls.append(Call(call["name"],
                                     json.dumps(call["arguments"]), ""))
        # No word for the end but the end.
        choice.finish = "tool_calls" if choice.calls else "stop"
        if "usage" in result:
            self.answer.usage = usage(result["usage"]["prompt_tokens"],
                                      result["usage"]["completion_tokens"])
        elif not self.answer.usage:
            self.answer.usage = usage(0, 0)

    @staticmethod
    def says_finish(data):
        return False


READERS = {"cohere": Cohere, "ollama": Ollama, "baidu": Baidu,
           "hunyuan": Hunyuan, "cloudflare": Cloudflare}


def embeddings(folder, body):
    """(index, vector) of each, and the tokens that the vendor counted."""
    if folder == "dashscope":
        return [(e.get("text_index", i), e["embedding"]) for i, e in
                enumerate(body["output"]["embeddings"])], \
            body["usage"]["total_tokens"]
    if folder == "hunyuan":
        answer = body["Response"]
        return [(e["Index"], e["Embedding"]) for e in answer["Data"]], \
            answer["Usage"]["TotalTokens"]
    if folder == "cloudflare":
        return list(enumerate(body["result"]["data"])), 0
    if folder == "huggingface":
        return [(0, body)], 0
    if folder == "vertex":
        return [(0, body["embedding"]["values"])], \
            body["usageMetadata"]["promptTokenCount"]
    raise KeyError(folder)


def ranks(folder, body):
    """(index, score) of each result, and the tokens."""
    if folder == "voyage":
        return [(r["index"], r["relevance_score"]) for r in body["data"]], \
            body["usage"]["total_tokens"]
    return [(r["index"], r["relevance_score"])
            for r in body["output"]["results"]], body["usage"]["total_tokens"]


def error_in_200(body):
    """(message, found) of an error in a vendor's own shape."""
    base = body.get("base_resp") or {}
    if base.get("status_code"):
        return base["status_msg"]
    if body.get("error_code"):
        return body["error_msg"]
    found = (body.get("Response") or {}).get("Error")
    return found["Message"] if found else None
