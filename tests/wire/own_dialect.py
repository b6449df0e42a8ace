"""Recorded requests of Messages and generateContent as those of a client: sent
on to the vendor they were made for, byte for byte but for the model; turned
into OpenAI's chat, and from there into the vendor's words again."""

import copy
import json
import re

import back
import outbound
import scope
import vendor
from answer import usage_differences
from checks_own import check_state

# Folder -> the apis of it that are dialects of the gateway's.
DIALECTS = {
    "anthropic": ("messages", "count_tokens"),
    "azure-anthropic": ("messages",),
    "gemini": ("chat", "count_tokens"),
    "vertex": ("chat", "count_tokens"),
}

SPLITS = [0, 1, 2, 3, 7, "events"]
# What OpenAI's own models have no word for.
EXTENSIONS = ("cache_control", "reasoning_content", "thinking_blocks",
              "extra_content", "top_k")


def is_ours(exchange):
    return exchange["api"] in DIALECTS.get(exchange["provider"], ())


def family_of(exchange):
    return "gemini" if exchange["provider"] in ("gemini", "vertex") \
        else "anthropic"


def client_path(exchange, model=None):
    """The path that a client of the vendor's own library asks for."""
    path = exchange["request"]["path"]
    if family_of(exchange) == "anthropic":
        return "/v1/messages" + path.split("/v1/messages", 1)[1]
    found = re.search(r"/models/([^:]+)(:\w+.*)$", path)
    return f"/v1beta/models/{model or found.group(1)}{found.group(2)}"


def plan(run, case, path, exchange):
    if not is_ours(exchange):
        return
    if exchange["provider"] != "vertex" or exchange["api"] == "count_tokens":
        plan_answer(run, case, path, exchange)
    body = exchange["request"].get("body")
    if not isinstance(body, dict):
        return
    if exchange["provider"] != "vertex":
        plan_relay(run, case, exchange, body)
    if exchange["api"] != "count_tokens":
        plan_rebuilt(run, case, exchange, body)
        plan_openai(run, case, exchange, body)


###############################################################################
# the answer

def plan_answer(run, case, path, exchange):
    stream = exchange["wire"] != "json"
    kind, options = scope.provider(exchange)
    if kind == "vertex":
        kind, options = "gemini", {"api_token": "k"}
    if not exchange["response"]["headers"]:
        # Not recorded; no answer comes without.
        typed = copy.deepcopy(exchange)
        typed["response"]["headers"]["content-type"] = {
            "sse": "text/event-stream"}.get(
                exchange["wire"], "application/json")
        path = run.write(case, "typed", typed)
    same = []
    for split in SPLITS if stream else (0, 7):
        run.add(case, f"for its own client, split {split}", {
            "fixture": path, "provider": kind, "options": options,
            "api": client_path(exchange).split("?")[0], "model": "a-model",
            "stream": stream, "split": split},
            answer_checker(exchange, same))


def answer_checker(exchange, same):
    def check(answer):
        if same and same[0] != answer.get("output"):
            yield "the output depends on how the input was split"
        same.append(answer.get("output"))
        if exchange["response"]["status"] >= 300:
            yield from check_refused(exchange, answer)
            return
        said = vendor.read(exchange, family_of(exchange))
        yield from check_state(answer, "whole")
        body = exchange["response"].get("body")
        if body is not None and json.loads(answer["output"]) != body:
            yield "the body is not the recorded one"
        if body is None and answer["output"] \
                != exchange["response"]["body_text"]:
            yield "the stream is not the recorded one"
        if exchange["api"] == "count_tokens":
            return
        if said.error is None:
            yield from usage_differences(said.usage, answer["usage"])
            finish = said.choices[0].finish
            if finish not in (answer["finish"], "tool_calls"):
                yield f"finish {finish} became {answer['finish']}"
    return check


def check_refused(exchange, answer):
    yield from check_state(answer, "failed")
    error = exchange["response"]["body"]
    error = (error[0] if isinstance(error, list) else error)["error"]
    if answer["error"]["message"] != error["message"]:
        yield f"message became {answer['error']['message']!r}"
    if answer["error"]["status"] != exchange["response"]["status"]:
        yield f"status became {answer['error']['status']}"


###############################################################################
# the request

def plan_relay(run, case, exchange, body):
    """As text that no writer of the gateway's would make."""
    text = json.dumps(body, indent=1, ensure_ascii=False) + "\r\n"
    kind, options = scope.provider(exchange)
    model = body.get("model") if family_of(exchange) == "anthropic" \
        else re.search(r"/models/([^:]+):", client_path(exchange)).group(1)
    for to in (model, "another-model"):
        wanted = text
        if to != model and family_of(exchange) == "anthropic":
            wanted = text.replace(f'"model": "{model}"', f'"model": "{to}"')
        run.add(case, f"request to its own vendor, model {to}", {
            "request": {}, "text": text, "path": client_path(exchange),
            "provider": kind, "options": options, "model": to},
            relay_checker(wanted, target(exchange, to)))


def target(exchange, model):
    path = client_path(exchange, model)
    return "/anthropic" + path \
        if exchange["provider"] == "azure-anthropic" else path


def relay_checker(text, path):
    def check(answer):
        sent = answer.get("outbound")
        if sent is None:
            yield f"not relayed: {answer.get('error')}"
            return
        if sent["path"] != path:
            yield f"path {path} became {sent['path']}"
        if sent["body"] != text:
            yield f"body {text[:300]!r} became {sent['body'][:300]!r}"
    return check


def question(exchange, body, model, provider, options, **more):
    return {"request": body, "path": client_path(exchange),
            "provider": provider, "options": options, "model": model, **more}


def plan_rebuilt(run, case, exchange, body):
    """Into the hub and out of it again, to the same vendor."""
    family = family_of(exchange)
    try:
        asked, more = back.request(exchange, family)
    except back.CannotSay:
        return  # listed once, by the request from OpenAI's dialect
    kind, options = scope.provider(exchange)
    run.add(case, "request rebuilt", question(
        exchange, body, asked["model"], kind, {**options, **more},
        rebuilt=True), body_checker(
            run, f"{case}>hub",
            outbound.normal(copy.deepcopy(body), family),
            lambda sent: outbound.normal(sent, family)))


def plan_openai(run, case, exchange, body):
    try:
        asked, _ = back.request(exchange, family_of(exchange))
    except back.CannotSay:
        return
    # gpt-5 takes no sampling and no stop sequences.
    asked = {name: value for name, value in asked.items()
             if name not in ("temperature", "top_p", "stop")}
    run.add(case, "request to OpenAI", question(
        exchange, body, "gpt-5", "openai", {"api_token": "k"}),
        body_checker(run, f"{case}>openai",
                     normal_openai(dict(asked, model="gpt-5")),
                     normal_openai))


def normal_openai(body):
    out = json.loads(json.dumps(body))
    strip(out)
    budget = out.pop("reasoning_max_tokens", None)
    if budget is not None:
        out["reasoning_effort"] = "low" if budget < 4096 else \
            "medium" if budget < 16384 else "high"
    if out.get("reasoning_effort") == "none":
        del out["reasoning_effort"]  # gpt-5 cannot but think
    if "max_tokens" in out:
        out["max_completion_tokens"] = out.pop("max_tokens")
    form = out.get("response_format", {}).get("json_schema", {})
    form.pop("name", None)
    for message in out["messages"]:
        content = message.get("content")
        if isinstance(content, list) \
                and all(p.get("type") == "text" for p in content):
            joint = {"assistant": "", "tool": "\n"}.get(
                message["role"], "\n\n")
            message["content"] = joint.join(p["text"] for p in content)
        if message["role"] == "tool":
            message["content"] = result(message["content"])
        if not message.get("content"):
            message.pop("content", None)
        for call in message.get("tool_calls") or []:
            call["function"]["arguments"] = json.loads(
                call["function"]["arguments"] or "{}")
    if out.get("stream"):
        out["stream_options"] = {"include_usage": True}
    else:
        out.pop("stream", None)
    return out


def result(text):
    """What a tool gave: an object of one text is that text."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, dict) and len(value) == 1:
        only = next(iter(value.values()))
        return only if isinstance(only, str) else value
    return value


def strip(value):
    """Takes away what is said to vendors that know it alone."""
    if isinstance(value, list):
        for one in value:
            strip(one)
    elif isinstance(value, dict):
        for name in EXTENSIONS:
            value.pop(name, None)
        for one in value.values():
            strip(one)


def body_checker(run, case, wanted, normal):
    def check(answer):
        if "outbound" not in answer:
            yield f"not encoded: {answer.get('error')}"
            return
        sent = normal(json.loads(answer["outbound"]["body"]))
        for path, what in outbound.differences(wanted, sent):
            if not run.known.allows(case, path):
                yield f"{path}: {what}"
    return check
