"""Requests recorded in vendors' own words, turned back into OpenAI's: what
back.py does for the larger vendors."""

import json


def cannot(what):
    from back import CannotSay
    return CannotSay(what)


def copy(source, target, names):
    for name, other in names.items():
        if name in source:
            target[other] = source[name]


def cohere(body, exchange):
    out = {"model": body["model"],
           "messages": [cohere_message(m) for m in body["messages"]]}
    copy(body, out, {
        "stream": "stream", "max_tokens": "max_tokens", "p": "top_p",
        "k": "top_k", "temperature": "temperature", "seed": "seed",
        "stop_sequences": "stop", "tools": "tools",
        "documents": "documents"})
    if "tool_choice" in body:
        out["tool_choice"] = body["tool_choice"].lower()
    form = body.get("response_format")
    if form:
        out["response_format"] = {"type": "json_schema", "json_schema": {
            "name": "answer", "schema": form["json_schema"]}} \
            if "json_schema" in form else form
    return out, {}


def cohere_message(message):
    out = {"role": message["role"]}
    content = message.get("content")
    if isinstance(content, list):
        thoughts = [p for p in content if p["type"] == "thinking"]
        if thoughts:
            out["reasoning_content"] = thoughts[0]["thinking"]
        content = [p for p in content if p["type"] != "thinking"]
        if any(p["type"] == "document" for p in content):
            raise cannot("a tool result made of documents")
    out["content"] = content
    copy(message, out, {"tool_calls": "tool_calls",
                        "tool_call_id": "tool_call_id",
                        "tool_plan": "reasoning_content"})
    return out


FAMILIES = {"cohere": cohere}
