"""What a client of the gateway gets: OpenAI chat, plain or streamed, read
strictly, with the invariants that hold for every converted answer."""

import json

from answer import Answer, Call, Malformed, parse_sse, unmarked


def read_plain(text):
    try:
        body = json.loads(text)
    except ValueError as error:
        raise Malformed(f"the body is no JSON: {error}") from error
    answer = Answer()
    if "error" in body:
        answer.error = body["error"]
        return answer
    demand(body.get("object") == "chat.completion",
           f"object {body.get('object')!r}")
    demand(isinstance(body.get("id"), str) and body["id"], "no id")
    demand(isinstance(body.get("created"), int), "created is no number")
    demand(isinstance(body.get("model"), str), "no model")
    for i, entry in enumerate(body["choices"]):
        demand(entry["index"] == i, f"choice {i} has index {entry['index']}")
        message = entry["message"]
        demand(message["role"] == "assistant", "role is not assistant")
        demand("content" in message, "no content member")
        demand(entry.get("finish_reason"), "no finish reason")
        choice = answer.choice(i)
        choice.finish = entry["finish_reason"]
        take(choice, message)
        for call in message.get("tool_calls") or []:
            demand(call["type"] == "function", "a call's type")
            demand("index" not in call, "an index in a plain call")
            choice.calls.append(Call(
                call["function"]["name"], call["function"]["arguments"],
                call["id"], signature(call)))
    answer.usage = usage(body.get("usage"))
    return answer


def read_stream(text, show_usage):
    """Raises Malformed where the stream breaks the dialect's rules."""
    answer = Answer(whole=False)
    ids, begun, done, usages = set(), set(), 0, 0
    events = [data for _, data, _ in parse_sse(text) if data is not None]
    demand(text == "" or text.endswith("\n\n"), "a last event is not closed")
    for data in events:
        demand(done == 0, "an event after [DONE]")
        demand(answer.error is None, "an event after the error event")
        if data == "[DONE]":
            done += 1
            continue
        try:
            chunk = json.loads(data)
        except ValueError as error:
            raise Malformed(f"an event is no JSON: {data[:80]!r}") from error
        if "error" in chunk:
            answer.error = chunk["error"]
            continue
        demand(chunk.get("object") == "chat.completion.chunk", "object")
        demand(isinstance(chunk.get("created"), int), "created is no number")
        ids.add((chunk.get("id"), chunk.get("model"), chunk["created"]))
        if chunk.get("usage"):
            demand(chunk["choices"] == [], "usage beside choices")
            usages += 1
            answer.usage = usage(chunk["usage"])
            continue
        demand(len(chunk["choices"]) == 1, "not one choice in a chunk")
        entry = chunk["choices"][0]
        demand(usages == 0, "a choice after the usage chunk")
        index, delta = entry["index"], entry["delta"]
        choice = answer.choice(index)
        demand(not choice.finish, f"choice {index} goes on after its finish")
        if index in begun:
            demand("role" not in delta, "the role twice")
        else:
            demand(delta.get("role") == "assistant", "no role at the begin")
            begun.add(index)
        take(choice, delta)
        for call in delta.get("tool_calls") or []:
            take_call(choice, call)
        if entry.get("finish_reason"):
            choice.finish = entry["finish_reason"]
    demand(len(ids) <= 1, f"id, model or created change: {ids}")
    demand(done == 1 or answer.error is not None or not events
           or not done, "")
    answer.whole = done == 1
    if answer.whole:
        demand(answer.choices, "a whole stream without a choice")
        for index, choice in answer.choices.items():
            demand(choice.finish, f"choice {index} has no finish reason")
        demand(usages <= 1, f"{usages} usage chunks")
        demand(show_usage or usages == 0, "usage that was not asked for")
    return answer


def take(choice, message):
    choice.text += message.get("content") or ""
    choice.reasoning += message.get("reasoning_content") or ""
    choice.refusal += message.get("refusal") or ""
    for block in message.get("thinking_blocks") or []:
        if block["type"] == "redacted_thinking":
            choice.redacted.append(unmarked(block["data"]))
        elif block.get("signature"):
            choice.signatures.append(unmarked(block["signature"]))


def take_call(choice, call):
    at = call["index"]
    demand(at <= len(choice.calls), f"tool index {at} leaves a gap")
    function = call.get("function") or {}
    if at == len(choice.calls):
        demand(call.get("id"), "a call begins without id")
        demand(call.get("type") == "function", "a call begins without type")
        demand(function.get("name"), "a call begins without name")
        choice.calls.append(Call(function["name"], "", call["id"],
                                 signature(call)))
    else:
        demand(not function.get("name"), "the name of a call twice")
        demand(call.get("id") in (None, choice.calls[at].id), "a call's id")
    choice.calls[at].arguments += function.get("arguments") or ""


def signature(call):
    google = (call.get("extra_content") or {}).get("google") or {}
    return google.get("thought_signature") or ""


def usage(found):
    """OpenAI's usage object, checked against its own sums."""
    if not found:
        return {}
    inside = found.get("prompt_tokens_details") or {}
    made = found.get("completion_tokens_details") or {}
    out = {
        "prompt": found["prompt_tokens"],
        "completion": found["completion_tokens"],
        "total": found["total_tokens"],
        "cache_read": inside.get("cached_tokens") or 0,
        "cache_write": inside.get("cache_write_tokens")
        or inside.get("cache_creation_tokens") or 0,
        "reasoning": made.get("reasoning_tokens") or 0,
    }
    demand(all(isinstance(n, int) and n >= 0 for n in out.values()),
           "usage is not made of counts")
    demand(out["total"] == out["prompt"] + out["completion"],
           "total is not prompt + completion")
    demand(out["cache_read"] + out["cache_write"] <= out["prompt"],
           "more cached than prompt tokens")
    demand(out["reasoning"] <= out["completion"],
           "more reasoning than completion tokens")
    return out


def demand(condition, what):
    if not condition:
        raise Malformed(what)
