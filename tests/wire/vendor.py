"""What a vendor said, read from the recording of its answer."""

import json

from answer import Answer, Call, parse_sse

FINISH_ANTHROPIC = {
    "end_turn": "stop", "stop_sequence": "stop", "pause_turn": "stop",
    "max_tokens": "length", "model_context_window_exceeded": "length",
    "tool_use": "tool_calls", "refusal": "content_filter",
}

FINISH_GEMINI = {
    "STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "content_filter",
    "RECITATION": "content_filter", "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter", "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter", "MALFORMED_FUNCTION_CALL": "stop",
    "OTHER": "stop", "LANGUAGE": "stop",
}

# Some clients ask for enumerations as numbers.
NUMBERS_GEMINI = {1: "STOP", 2: "MAX_TOKENS", 3: "SAFETY"}

# Words outside OpenAI's vocabulary that a relayed answer may carry.
FINISH_OPENAI = {"stop", "length", "tool_calls", "content_filter",
                 "function_call", "error"}


def read(exchange, family):
    """The Answer of a recorded exchange."""
    response = exchange["response"]
    import vendor_clouds
    import vendor_own
    reader = {"openai": OpenAI, "anthropic": Anthropic, "gemini": Gemini,
              "dashscope": DashScope, "bedrock": vendor_clouds.Bedrock,
              **vendor_own.READERS}[family]()
    wrong = vendor_own.error_in_200(response.get("body") or {}) \
        if isinstance(response.get("body"), dict) else None
    if wrong:
        reader.fail(wrong)
        return reader.answer
    if response["status"] >= 300:
        reader.answer.error = {"status": response["status"],
                               "body": response.get("body",
                                                    response.get("body_text"))}
        return reader.answer
    if "body_text" in response and exchange["wire"] == "ndjson":
        for line in response["body_text"].splitlines():
            if line:
                reader.event("", json.loads(line), [])
    elif "body_text" in response and exchange["wire"] == "sse":
        for event, data, comments in parse_sse(response["body_text"]):
            if data is None:
                continue
            if data == "[DONE]":
                continue
            reader.event(event, json.loads(data), comments)
    elif exchange["wire"] == "eventstream":
        for event, data, error in vendor_clouds.stream_events(response):
            if error:
                reader.fail(data)
                break
            reader.event(event, data, [])
    elif exchange["wire"] == "json-array-stream":
        for part in json.loads(response["body_text"]):
            reader.event("", part, [])
    else:
        reader.body(response["body"])
    reader.finish()
    return reader.answer


def number(value):
    return value if isinstance(value, int) and value >= 0 else 0


def first_number(*values):
    for value in values:
        if isinstance(value, int):
            return value
    return 0


class Reader:
    def __init__(self):
        self.answer = Answer()

    def finish(self):
        pass

    def fail(self, error):
        self.answer.error = error if isinstance(error, dict) else {
            "message": str(error)}


class OpenAI(Reader):
    def usage(self, usage):
        if not usage:
            return
        prompt_details = usage.get("prompt_tokens_details") or {}
        made = usage.get("completion_tokens_details") or {}
        prompt = number(usage.get("prompt_tokens"))
        completion = number(usage.get("completion_tokens"))
        total = number(usage.get("total_tokens"))
        reasoning = number(made.get("reasoning_tokens"))
        audio = number(prompt_details.get("audio_tokens"))
        gap = total - prompt - completion
        # xAI counts reasoning beside completion, Mistral audio beside prompt.
        if gap > 0 and gap == reasoning:
            completion += gap
        elif gap > 0 and gap == audio:
            prompt += gap
        elif gap > 0:
            completion += gap
        cached = max(number(prompt_details.get("cached_tokens")),
                     number(usage.get("prompt_cache_hit_tokens")),
                     number(usage.get("cached_tokens")))
        self.answer.usage = {
            "prompt": prompt, "completion": completion,
            "total": prompt + completion, "cache_read": min(cached, prompt),
            "cache_write": number(prompt_details.get("cache_write_tokens")),
            "reasoning": min(reasoning, completion),
        }

    def body(self, body):
        if "error" in body and body["error"]:
            return self.fail(body["error"])
        for i, entry in enumerate(body.get("choices", [])):
            self.message(entry.get("index", i), entry.get("message") or {},
                         False)
            self.end(entry.get("index", i), entry.get("finish_reason"))
        self.usage(body.get("usage"))

    def event(self, name, chunk, comments):
        if chunk.get("error"):
            return self.fail(chunk["error"])
        for entry in chunk.get("choices") or []:
            index = entry.get("index", 0)
            self.message(index, entry.get("delta") or {}, True)
            self.end(index, entry.get("finish_reason"))
            if entry.get("usage"):
                self.usage(entry["usage"])
        groq = (chunk.get("x_groq") or {}).get("usage")
        self.usage(chunk.get("usage") or groq)

    def end(self, index, word):
        if word:
            self.answer.choice(index).finish = word

    def message(self, index, message, streamed):
        choice = self.answer.choice(index)
        content = message.get("content")
        if isinstance(content, str):
            choice.text += content
        elif isinstance(content, list):
            for part in content:
                if part.get("type") == "text":
                    choice.text += part["text"]
                for thought in part.get("thinking") or []:
                    choice.reasoning += thought["text"]
        details = message.get("reasoning_details") or []
        for name in ("reasoning_content", "reasoning"):
            if isinstance(message.get(name), str):
                choice.reasoning += message[name]
                break
        else:
            for one in details:
                choice.reasoning += one.get("text") or one.get("summary") or ""
        for one in details:
            if one["type"] == "reasoning.encrypted":
                choice.redacted.append(one["data"])
            elif one.get("signature"):
                choice.signatures.append(one["signature"])
        if isinstance(message.get("refusal"), str):
            choice.refusal += message["refusal"]
        for i, call in enumerate(message.get("tool_calls") or []):
            at = call.get("index", i) if streamed else i
            while len(choice.calls) <= at:
                choice.calls.append(Call())
            function = call.get("function") or {}
            entry = choice.calls[at]
            entry.id = entry.id or call.get("id") or ""
            entry.name += function.get("name") or ""
            arguments = function.get("arguments") or ""
            entry.arguments += arguments if isinstance(arguments, str) \
                else json.dumps(arguments)


class Anthropic(Reader):
    def __init__(self):
        super().__init__()
        self.blocks = {}
        self.counts = {}
        self.answer.choice(0)

    def count(self, usage):
        for name, value in (usage or {}).items():
            if value is not None:
                self.counts[name] = value

    def block(self, index, block):
        choice = self.answer.choice(0)
        kind = block.get("type")
        self.blocks[index] = kind
        if kind == "text":
            choice.text += block.get("text") or ""
        elif kind == "thinking":
            choice.reasoning += block.get("thinking") or ""
            if block.get("signature"):
                choice.signatures.append(block["signature"])
        elif kind == "redacted_thinking":
            choice.redacted.append(block.get("data") or "")
        elif kind == "tool_use":
            call = Call(block["name"], "", block["id"])
            given = block.get("input")
            if given:
                call.arguments = json.dumps(given)
            choice.calls.append(call)

    def body(self, body):
        for i, block in enumerate(body.get("content") or []):
            self.block(i, block)
        self.answer.choice(0).finish = FINISH_ANTHROPIC.get(
            body.get("stop_reason"), "stop")
        self.count(body.get("usage"))

    def event(self, name, event, comments):
        choice = self.answer.choice(0)
        kind = event["type"]
        if kind == "message_start":
            self.count(event["message"].get("usage"))
        elif kind == "content_block_start":
            self.block(event["index"], event["content_block"])
        elif kind == "content_block_delta":
            delta = event["delta"]
            inside = self.blocks.get(event["index"])
            if delta["type"] == "text_delta":
                choice.text += delta["text"]
            elif delta["type"] == "thinking_delta":
                choice.reasoning += delta["thinking"]
            elif delta["type"] == "signature_delta":
                choice.signatures.append(delta["signature"])
            elif delta["type"] == "input_json_delta" and inside == "tool_use":
                choice.calls[-1].arguments += delta["partial_json"]
        elif kind == "message_delta":
            reason = event["delta"].get("stop_reason")
            if reason:
                choice.finish = FINISH_ANTHROPIC.get(reason, "stop")
            self.count(event.get("usage"))
        elif kind == "error":
            self.fail(event["error"])

    def finish(self):
        read = number(self.counts.get("cache_read_input_tokens"))
        write = number(self.counts.get("cache_creation_input_tokens"))
        prompt = number(self.counts.get("input_tokens")) + read + write
        completion = number(self.counts.get("output_tokens"))
        details = self.counts.get("output_tokens_details") or {}
        self.answer.usage = {
            "prompt": prompt, "completion": completion,
            "total": prompt + completion, "cache_read": read,
            "cache_write": write,
            "reasoning": number(details.get("thinking_tokens")),
        }


class Gemini(Reader):
    def __init__(self):
        super().__init__()
        self.counts = {}
        self.blocked = False

    def body(self, body):
        self.event("", body, [])

    def event(self, name, body, comments):
        if body.get("error"):
            return self.fail(body["error"])
        if (body.get("promptFeedback") or {}).get("blockReason"):
            self.blocked = True
            self.answer.choice(0).refusal = \
                body["promptFeedback"].get("blockReasonMessage", "")
        self.counts.update(body.get("usageMetadata") or {})
        for i, candidate in enumerate(body.get("candidates") or []):
            choice = self.answer.choice(candidate.get("index", i))
            for part in (candidate.get("content") or {}).get("parts") or []:
                self.part(choice, part)
            reason = candidate.get("finishReason")
            if reason:
                reason = NUMBERS_GEMINI.get(reason, reason)
                choice.finish = FINISH_GEMINI.get(reason, "stop")

    def part(self, choice, part):
        call = part.get("functionCall") or part.get("function_call")
        if call:
            choice.calls.append(Call(
                call["name"], json.dumps(call.get("args") or {}),
                call.get("id") or "", part.get("thoughtSignature") or ""))
        elif "text" in part:
            if part.get("thought"):
                choice.reasoning += part["text"]
            else:
                choice.text += part["text"]
            if part.get("thoughtSignature"):
                choice.signatures.append(part["thoughtSignature"])

    def finish(self):
        for choice in self.answer.choices.values():
            if choice.calls and choice.finish == "stop":
                choice.finish = "tool_calls"
        if self.blocked and not self.answer.choice(0).finish:
            self.answer.choice(0).finish = "content_filter"
        thoughts = number(self.counts.get("thoughtsTokenCount"))
        prompt = number(self.counts.get("promptTokenCount")) \
            + number(self.counts.get("toolUsePromptTokenCount"))
        completion = number(self.counts.get("candidatesTokenCount")) + thoughts
        self.answer.usage = {
            "prompt": prompt, "completion": completion,
            "total": prompt + completion,
            "cache_read": number(self.counts.get("cachedContentTokenCount")),
            "cache_write": 0, "reasoning": thoughts,
        }


class DashScope(Reader):
    def __init__(self):
        super().__init__()
        self.counts = {}

    def body(self, body):
        self.event("", body, [])

    def event(self, name, body, comments):
        if name == "error" or (body.get("code") and "output" not in body):
            return self.fail(body)
        if body.get("usage"):
            self.counts = body["usage"]
        output = body.get("output") or {}
        for i, entry in enumerate(output.get("choices") or []):
            choice = self.answer.choice(i)
            message = entry.get("message") or {}
            content = message.get("content")
            if isinstance(content, list):
                content = "".join(p.get("text", "") for p in content)
            choice.text += content or ""
            choice.reasoning += message.get("reasoning_content") or ""
            for j, call in enumerate(message.get("tool_calls") or []):
                at = call.get("index", j)
                while len(choice.calls) <= at:
                    choice.calls.append(Call())
                function = call.get("function") or {}
                choice.calls[at].id = choice.calls[at].id or call.get("id", "")
                choice.calls[at].name += function.get("name") or ""
                choice.calls[at].arguments += function.get("arguments") or ""
            reason = entry.get("finish_reason")
            if reason and reason != "null":
                choice.finish = reason

    def finish(self):
        prompt = number(self.counts.get("input_tokens"))
        completion = number(self.counts.get("output_tokens"))
        inside = self.counts.get("prompt_tokens_details") or {}
        made = self.counts.get("output_tokens_details") or {}
        self.answer.usage = {
            "prompt": prompt, "completion": completion,
            "total": prompt + completion,
            "cache_read": number(inside.get("cached_tokens")),
            "cache_write": 0,
            "reasoning": number(made.get("reasoning_tokens")),
        }
