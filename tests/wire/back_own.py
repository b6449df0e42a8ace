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


def ollama(body, exchange):
    out = {"model": body["model"], "messages": []}
    out["stream"] = body.get("stream", True)
    options = body.get("options") or {}
    copy(options, out, {"temperature": "temperature", "seed": "seed",
                        "num_predict": "max_tokens", "top_p": "top_p",
                        "stop": "stop"})
    if body.get("tools"):
        out["tools"] = body["tools"]
    if body.get("format") == "json":
        out["response_format"] = {"type": "json_object"}
    for index, message in enumerate(body["messages"]):
        entry = {"role": message["role"], "content": message["content"]}
        if message.get("tool_calls"):
            entry["tool_calls"] = [
                {"id": f"call_{i}", "type": "function", "function": {
                    "name": c["function"]["name"],
                    "arguments": json.dumps(c["function"]["arguments"])}}
                for i, c in enumerate(message["tool_calls"])]
        if message["role"] == "tool":
            entry["tool_call_id"] = "call_0"
        out["messages"].append(entry)
    return out, {}


def baidu(body, exchange):
    out = {"model": exchange["request"]["path"].rsplit("/", 1)[1],
           "messages": []}
    copy(body, out, {"stream": "stream", "temperature": "temperature",
                     "disable_search": "disable_search"})
    calls = 0
    for message in body["messages"]:
        entry = {"role": message["role"]}
        copy(message, entry, {"content": "content"})
        call = message.get("function_call")
        if call:
            entry["tool_calls"] = [{
                "id": f"call_{calls}", "type": "function",
                "function": {"name": call["name"],
                             "arguments": call["arguments"]}}]
            entry["content"] = None
            entry["reasoning_content"] = call["thoughts"]
        if message["role"] == "function":
            entry["role"] = "tool"
            entry["tool_call_id"] = f"call_{calls}"
            calls += 1
        out["messages"].append(entry)
    if "functions" in body:
        out["tools"] = [{"type": "function", "function": f}
                        for f in body["functions"]]
    return out, {}


def hunyuan(body, exchange):
    if "Model" not in body:
        raise cannot("an action without a model")
    out = {"model": body["Model"], "messages": []}
    copy(body, out, {"Stream": "stream", "Temperature": "temperature",
                     "TopP": "top_p"})
    for message in body["Messages"]:
        if "Contents" in message:
            raise cannot("a video")
        entry = {"role": message["Role"], "content": message["Content"]}
        copy(message, entry, {"ToolCallId": "tool_call_id"})
        if "ToolCalls" in message:
            entry["tool_calls"] = [{
                "id": c["Id"], "type": "function", "function": {
                    "name": c["Function"]["Name"],
                    "arguments": c["Function"]["Arguments"]}}
                for c in message["ToolCalls"]]
        out["messages"].append(entry)
    if "Tools" in body:
        out["tools"] = [{"type": "function", "function": {
            "name": t["Function"]["Name"],
            "description": t["Function"]["Description"],
            "parameters": json.loads(t["Function"]["Parameters"])}}
            for t in body["Tools"]]
    if "ToolChoice" in body:
        out["tool_choice"] = body["ToolChoice"]
    return out, {}


def cloudflare(body, exchange):
    out = {"model": exchange["request"]["path"].split("/ai/run/")[1],
           "messages": body["messages"]}
    copy(body, out, {"stream": "stream"})
    if "tools" in body:
        out["tools"] = [{"type": "function", "function": t}
                        for t in body["tools"]]
    return out, {}


def normal(body, family):
    """What means the same, spelled the same."""
    for name in ("stream", "Stream"):
        if body.get(name) is False:
            del body[name]
    if family == "hunyuan":
        for tool in body.get("Tools") or []:
            tool["Function"]["Parameters"] = json.loads(
                tool["Function"]["Parameters"])
    if family == "ollama":
        if body.get("stream"):
            del body["stream"]  # the default
        for name in ("tools", "format", "options", "keep_alive"):
            if not body.get(name):
                body.pop(name, None)
    return body


FAMILIES = {"cohere": cohere, "ollama": ollama, "baidu": baidu,
            "hunyuan": hunyuan, "cloudflare": cloudflare}
