"""Requests recorded in the words of cloud providers, turned back into
OpenAI's."""

import json
from urllib.parse import unquote


def cannot(what):
    from back import CannotSay
    return CannotSay(what)


def media(kind, entry):
    if "bytes" not in entry["source"]:
        raise cannot(f"a {kind} that is not data")
    if entry.get("citations"):
        raise cannot("a wish for citations")
    return entry["source"]["bytes"]


def part(block):
    if "text" in block:
        return {"type": "text", "text": block["text"]}
    if "image" in block:
        image = block["image"]
        return {"type": "image_url", "image_url": {
            "url": f"data:image/{image['format']};base64,"
                   f"{media('image', image)}"}}
    if "document" in block:
        document = block["document"]
        kinds = {"txt": "text/plain", "pdf": "application/pdf"}
        return {"type": "file", "file": {
            "filename": f"{document['name']}.{document['format']}",
            "file_data": f"data:{kinds[document['format']]};base64,"
                         f"{media('document', document)}"}}
    raise cannot(f"a block {list(block)}")


def content(blocks):
    """Parts; a cache point marks the part before it."""
    out = []
    for block in blocks:
        if "cachePoint" in block:
            out[-1]["cache_control"] = {"type": "ephemeral"}
        else:
            out.append(part(block))
    return out


def user(blocks):
    out, rest = [], []
    for block in blocks:
        result = block.get("toolResult")
        if not result:
            rest.append(block)
            continue
        if any("text" not in b for b in result["content"]):
            raise cannot("a tool result that is no text")
        entry = {"role": "tool", "tool_call_id": result["toolUseId"],
                 "content": [part(b) for b in result["content"]]}
        if result.get("status") == "error":
            entry["is_error"] = True
        out.append(entry)
    if rest:
        out.append({"role": "user", "content": content(rest)})
    return out


def assistant(blocks):
    out = {"role": "assistant", "content": None}
    texts, calls, thoughts = [], [], []
    for block in blocks:
        use = block.get("toolUse")
        if use and use.get("type") == "server_tool_use":
            raise cannot("a call of a server tool")
        if use:
            calls.append({"id": use["toolUseId"], "type": "function",
                          "function": {"name": use["name"], "arguments":
                                       json.dumps(use["input"])}})
        elif "reasoningContent" in block:
            said = block["reasoningContent"]["reasoningText"]
            thoughts.append({"type": "thinking", "thinking": said["text"],
                             "signature": said.get("signature", "")})
        else:
            texts.append(part(block))
    out["content"] = texts or None
    if calls:
        out["tool_calls"] = calls
    if thoughts:
        out["reasoning_content"] = "".join(t["thinking"] for t in thoughts)
        out["thinking_blocks"] = thoughts
    return out


def tools(config, out):
    out["tools"] = []
    for tool in config["tools"]:
        spec = tool.get("toolSpec")
        if not spec:
            raise cannot("a server tool")
        function = {"name": spec["name"],
                    "parameters": spec["inputSchema"]["json"]}
        for name in ("description", "strict"):
            if name in spec:
                function[name] = spec[name]
        out["tools"].append({"type": "function", "function": function})
    choice = config.get("toolChoice") or {}
    if "auto" in choice:
        out["tool_choice"] = "auto"
    elif "any" in choice:
        out["tool_choice"] = "required"
    elif "tool" in choice:
        out["tool_choice"] = {"type": "function", "function": {
            "name": choice["tool"]["name"]}}


def bedrock(body, exchange):
    _, _, model, method = unquote(exchange["request"]["path"]).split("/")
    out = {"model": model, "messages": []}
    if method == "converse-stream":
        out["stream"] = True
    if body.get("system"):
        out["messages"].append({"role": "system",
                                "content": content(body["system"])})
    for message in body["messages"]:
        if message["role"] == "user":
            out["messages"] += user(message["content"])
        else:
            out["messages"].append(assistant(message["content"]))
    config = body.get("inferenceConfig") or {}
    for name, other in {"maxTokens": "max_tokens", "topP": "top_p",
                        "temperature": "temperature",
                        "stopSequences": "stop"}.items():
        if name in config:
            out[other] = config[name]
    if body.get("toolConfig"):
        tools(body["toolConfig"], out)
    form = (body.get("outputConfig") or {}).get("textFormat")
    if form:
        given = form["structure"]["jsonSchema"]
        schema = {"name": given["name"], "schema": json.loads(given["schema"])}
        if "description" in given:
            schema["description"] = given["description"]
        out["response_format"] = {"type": "json_schema", "json_schema": schema}
    # Not OpenAI's; they pass as the client sends them.
    for name in ("guardrailConfig", "additionalModelRequestFields"):
        if name in body:
            out[name] = body[name]
    return out, {}


def normal_bedrock(body):
    out = json.loads(json.dumps(body))
    if not out.get("system"):
        out.pop("system", None)
    config = out.get("inferenceConfig")
    if config is not None:
        if not config.get("stopSequences"):
            config.pop("stopSequences", None)
        if not config:
            del out["inferenceConfig"]
    # What else is to be told of the answer.
    out.pop("additionalModelResponseFieldPaths", None)
    form = (out.get("outputConfig") or {}).get("textFormat")
    if form:
        given = form["structure"]["jsonSchema"]
        given["schema"] = json.loads(given["schema"])
    for message in out.get("messages", []):
        for block in message["content"]:
            result = block.get("toolResult")
            if result and result.get("status") == "success":
                del result["status"]  # as if it were not there
    return out


FAMILIES = {"bedrock": bedrock}
