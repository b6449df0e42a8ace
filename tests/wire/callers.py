"""What clients of other dialects than OpenAI's chat get of a chat answer: the
objects and the streams of Messages and Responses, read strictly."""

import json

import vendor
from answer import (REDACTED, Answer, Call, Malformed, parse_sse,
                    same_arguments, unmarked)


def demand(condition, what):
    if not condition:
        raise Malformed(what)


def events_of(text):
    for name, data, _ in parse_sse(text):
        if data is None:
            continue
        body = json.loads(data)
        demand(name == body["type"], f"event {name} holds {body['type']}")
        yield body


def messages_object(text):
    """The message that a stream stands for."""
    message, blocks, open_block, pieces = None, [], None, ""
    stopped = False
    for event in events_of(text):
        kind = event["type"]
        demand(not stopped, "an event after message_stop")
        if kind == "message_start":
            demand(message is None, "two starts")
            message = event["message"]
        elif kind == "content_block_start":
            demand(open_block is None, "a block inside of a block")
            demand(event["index"] == len(blocks), "a gap in the blocks")
            open_block, pieces = event["content_block"], ""
            blocks.append(open_block)
        elif kind == "content_block_delta":
            demand(open_block is not None, "a delta outside of a block")
            delta = event["delta"]
            for key in ("text", "thinking"):
                if key in delta:
                    open_block[key] += delta[key]
            if "signature" in delta:
                open_block["signature"] = delta["signature"]
            pieces += delta.get("partial_json", "")
        elif kind == "content_block_stop":
            if open_block["type"] == "tool_use" and pieces:
                try:
                    open_block["input"] = json.loads(pieces)
                except ValueError:
                    open_block["input"] = pieces
            open_block = None
        elif kind == "message_delta":
            message.update(event["delta"])
            message["usage"] = event["usage"]
        elif kind == "message_stop":
            stopped = True
    if not stopped:
        return None
    demand(open_block is None, "a block is open at the end")
    message["content"] = blocks
    return message


FINISH = {"end_turn": "stop", "stop_sequence": "stop", "refusal":
          "content_filter", "max_tokens": "length", "tool_use": "tool_calls",
          "pause_turn": "stop", "model_context_window_exceeded": "length"}


def read_messages(message):
    answer = Answer()
    choice = answer.choice(0)
    for block in message["content"]:
        kind = block["type"]
        if kind == "text":
            choice.text += block["text"]
        elif kind == "thinking":
            choice.reasoning += block["thinking"]
            if block["signature"]:
                choice.signatures.append(unmarked(block["signature"]))
        elif kind == "redacted_thinking":
            choice.redacted.append(unmarked(block["data"]))
        else:
            inside = block["input"]
            choice.calls.append(Call(block["name"], inside if isinstance(
                inside, str) else json.dumps(inside), block["id"]))
    choice.finish = FINISH[message["stop_reason"]]
    usage = message["usage"]
    read = usage["cache_read_input_tokens"]
    written = usage["cache_creation_input_tokens"]
    answer.usage = {"prompt": usage["input_tokens"] + read + written,
                    "completion": usage["output_tokens"],
                    "cache_read": read, "cache_write": written}
    return answer


def responses_object(text):
    """The response at the end of a stream, against its pieces."""
    last, number, texts, arguments, done = None, 0, {}, {}, 0
    for event in events_of(text):
        demand(event["sequence_number"] == number, "numbers are not in order")
        number += 1
        demand(last is None, "an event after the last")
        kind = event["type"]
        if kind == "response.output_text.delta":
            at = event["output_index"]
            texts[at] = texts.get(at, "") + event["delta"]
        elif kind == "response.function_call_arguments.delta":
            at = event["output_index"]
            arguments[at] = arguments.get(at, "") + event["delta"]
        elif kind == "response.output_item.done":
            done += 1
        elif kind in ("response.completed", "response.incomplete"):
            last = event["response"]
    if last is None:
        return None
    demand(done == len(last["output"]), "an item was not closed")
    for at, text in texts.items():
        parts = [p.get("text") for p in last["output"][at]["content"]]
        demand(text in parts, "the text is not the sum of its pieces")
    for at, text in arguments.items():
        demand(text == last["output"][at]["arguments"],
               "the arguments are not the sum of their pieces")
    return last


def read_responses(response):
    answer = Answer()
    choice = answer.choice(0)
    for item in response["output"]:
        if item["type"] == "message":
            for part in item["content"]:
                choice.text += part.get("text", "") + part.get("refusal", "")
        elif item["type"] == "reasoning":
            choice.reasoning += "".join(p["text"] for p in item["summary"])
            opaque = item.get("encrypted_content") or ""
            if opaque.startswith("redacted_thinking:"):
                choice.redacted.append(unmarked(opaque[18:]))
            elif opaque:
                demand(opaque.startswith("signed_thinking:"),
                       "a signature without a mark")
                choice.signatures.append(unmarked(opaque[16:]))
        else:
            choice.calls.append(Call(
                item["name"], item["arguments"], item["call_id"]))
    choice.finish = "tool_calls" if choice.calls else "stop"
    if response["status"] == "incomplete":
        choice.finish = {"max_output_tokens": "length", "content_filter":
                         "content_filter"}[
                             response["incomplete_details"]["reason"]]
    usage = response["usage"] or {}
    inside = usage.get("input_tokens_details", {})
    answer.usage = {"prompt": usage.get("input_tokens", 0),
                    "completion": usage.get("output_tokens", 0),
                    "cache_read": inside.get("cached_tokens", 0),
                    "cache_write": inside.get("cache_write_tokens", 0)}
    return answer


def read_gemini(text, to, stream):
    """generateContent: one object, or a stream of them."""
    if to == "gemini-array":
        bodies = json.loads(text)
        demand(isinstance(bodies, list), "no array")
    elif stream:
        bodies = [json.loads(data) for _, data, _ in parse_sse(text)]
    else:
        bodies = [json.loads(text)]
    finishes, usages = {}, 0
    for body in bodies:
        demand(body["modelVersion"] and body["responseId"], "no model or id")
        usages += "usageMetadata" in body
        for candidate in body["candidates"]:
            index = candidate["index"]
            demand(index not in finishes, "a candidate after its finish")
            demand(candidate["content"]["role"] == "model", "another role")
            if "finishReason" in candidate:
                finishes[index] = candidate["finishReason"]
    demand(finishes, "no finish")
    demand(usages <= 1, "usage twice")
    got = vendor.read({"wire": "json-array-stream", "response": {
        "status": 200, "body_text": json.dumps(bodies)}}, "gemini")
    choice = got.choices[0]
    # A mark alone says that nobody signed a call.
    signed = choice.signatures + [
        c.signature for c in choice.calls if unmarked(c.signature)]
    choice.signatures = [unmarked(s) for s in signed
                         if not s.startswith(REDACTED)]
    choice.redacted = [unmarked(s.removeprefix(REDACTED)) for s in signed
                       if s.startswith(REDACTED)]
    del got.usage["cache_write"]
    return got


def read(text, to, stream):
    """The Answer that a client gets, None where it has no end."""
    if to.startswith("gemini"):
        return read_gemini(text, to, stream)
    if to == "messages":
        found = messages_object(text) if stream else json.loads(text)
        return found and read_messages(found)
    found = responses_object(text) if stream else json.loads(text)
    return found and read_responses(found)


def check(said, answer, to, stream):
    if said.error is not None:
        if answer.get("state") != "failed":
            yield f"state {answer.get('state')} beside an error"
        return
    if answer.get("state") != "whole":
        yield f"state {answer.get('state')}, error {answer.get('error')}"
        return
    got = read(answer["output"], to, stream)
    if got is None:
        yield "no last event"
        return
    if 0 not in said.choices:
        return
    want, have = said.choices[0], got.choices[0]
    if want.text + want.refusal != have.text:
        yield f"text {want.text[-80:]!r} became {have.text[-80:]!r}"
    if want.reasoning != have.reasoning:
        yield f"reasoning {want.reasoning[-80:]!r} became " \
            f"{have.reasoning[-80:]!r}"
    signed = [s for s in want.signatures + [c.signature for c in want.calls]
              if s]
    if sorted(signed) != sorted(have.signatures):
        yield f"{len(signed)} signatures became {len(have.signatures)}"
    if want.redacted != have.redacted:
        yield "redacted blocks differ"
    if len(want.calls) != len(have.calls):
        yield f"{len(want.calls)} calls became {len(have.calls)}"
    for a, b in zip(want.calls, have.calls):
        # Ids are optional in Google's dialect.
        named = b.id or to.startswith("gemini")
        if a.name != b.name or not named or (a.id and a.id != b.id):
            yield f"call {a.name} {a.id} became {b.name} {b.id}"
        if not same_arguments(a.arguments, b.arguments):
            yield f"arguments {a.arguments!r} became {b.arguments!r}"
    finish = want.finish
    if to != "responses" and want.refusal and finish == "stop":
        finish = "content_filter"
    if to.startswith(("gemini", "messages")) and want.calls \
            and finish == "stop":
        finish = "tool_calls"
    if to == "responses" and finish in ("stop", "tool_calls"):
        finish = "tool_calls" if want.calls else "stop"
    if finish in FINISH.values() and finish != have.finish:
        yield f"finish {finish} became {have.finish}"
    for name, number in got.usage.items():
        if said.usage.get(name, 0) != number:
            yield f"usage: {name} {said.usage.get(name, 0)} became {number}"
