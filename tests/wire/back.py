"""From a vendor's recorded request back to the OpenAI chat request that a
client of the gateway would have sent.  Written by hand from the vendors'
documents; what OpenAI's dialect cannot say is left out and named."""

import json
import re

import back_clouds
import back_own


class CannotSay(Exception):
    """The request uses what OpenAI's chat has no words for."""


def request(exchange, family):
    """(OpenAI body, options for the provider block)."""
    body = exchange["request"]["body"]
    if family == "openai":
        return json.loads(json.dumps(body)), {}
    return {"anthropic": anthropic, "gemini": gemini,
            "dashscope": dashscope,
            **back_own.FAMILIES, **back_clouds.FAMILIES}[family](body, exchange)


# -- Anthropic ---------------------------------------------------------------

def anthropic(body, exchange):
    # Other clouds name the model in the path.
    out = {"model": body.get("model") or exchange["model"], "messages": []}
    copy(body, out, {"max_tokens": "max_tokens", "stream": "stream",
                     "temperature": "temperature", "top_p": "top_p",
                     "stop_sequences": "stop", "top_k": "top_k"})
    if body.get("system"):
        out["messages"].append({"role": "system",
                                "content": parts(body["system"])})
    for message in body["messages"]:
        if message["role"] == "user":
            out["messages"] += anthropic_user(message["content"])
        else:
            out["messages"].append(anthropic_assistant(message["content"]))
    tools = []
    for tool in body.get("tools") or []:
        if "type" in tool and tool["type"] != "custom":
            raise CannotSay(f"the server tool {tool['type']}")
        function = {"name": tool["name"],
                    "parameters": tool["input_schema"]}
        copy(tool, function, {"description": "description",
                              "strict": "strict"})
        entry = {"type": "function", "function": function}
        copy(tool, entry, {"cache_control": "cache_control"})
        tools.append(entry)
    if tools:
        out["tools"] = tools
    choice = body.get("tool_choice")
    if choice:
        words = {"auto": "auto", "any": "required", "none": "none"}
        out["tool_choice"] = words.get(choice["type"]) or {
            "type": "function", "function": {"name": choice["name"]}}
        if "disable_parallel_tool_use" in choice:
            out["parallel_tool_calls"] = \
                not choice["disable_parallel_tool_use"]
    thinking = body.get("thinking") or {}
    if thinking.get("type") == "enabled":
        out["reasoning_max_tokens"] = thinking["budget_tokens"]
    form = (body.get("output_config") or {}).get("format") \
        or body.get("output_format")
    if form:
        out["response_format"] = {"type": "json_schema", "json_schema": {
            "name": "answer", "schema": form["schema"], "strict": True}}
    return out, {}


def parts(content):
    if isinstance(content, str):
        return content
    return [anthropic_part(block) for block in content]


def anthropic_part(block):
    kind = block["type"]
    if kind == "text":
        out = {"type": "text", "text": block["text"]}
    elif kind in ("image", "document"):
        source = block["source"]
        if source["type"] == "url":
            if kind == "document":
                raise CannotSay("a document by URL")
            out = {"type": "image_url", "image_url": {"url": source["url"]}}
        elif source["type"] == "base64":
            data = f"data:{source['media_type']};base64,{source['data']}"
            out = {"type": "image_url", "image_url": {"url": data}} \
                if kind == "image" else \
                {"type": "file", "file": {"file_data": data}}
        else:
            raise CannotSay(f"{kind} from {source['type']}")
    else:
        raise CannotSay(f"a block {kind}")
    copy(block, out, {"cache_control": "cache_control"})
    return out


def anthropic_user(content):
    if isinstance(content, str):
        return [{"role": "user", "content": content}]
    out, rest = [], []
    for block in content:
        if block["type"] != "tool_result":
            rest.append(anthropic_part(block))
            continue
        inner = block.get("content", "")
        if not isinstance(inner, str):
            inner = [anthropic_part(b) for b in inner]
            if any(p["type"] != "text" for p in inner):
                raise CannotSay("a tool result that is no text")
        message = {"role": "tool", "tool_call_id": block["tool_use_id"],
                   "content": inner}
        copy(block, message, {"cache_control": "cache_control"})
        out.append(message)
    if rest:
        out.append({"role": "user", "content": rest})
    return out


def anthropic_assistant(content):
    if isinstance(content, str):
        return {"role": "assistant", "content": content}
    out = {"role": "assistant"}
    texts, calls, thoughts = [], [], []
    for block in content:
        kind = block["type"]
        if kind == "tool_use":
            calls.append({"id": block["id"], "type": "function", "function": {
                "name": block["name"],
                "arguments": json.dumps(block["input"])}})
        elif kind in ("thinking", "redacted_thinking"):
            thoughts.append({k: block[k] for k in
                             ("type", "thinking", "signature", "data")
                             if k in block})
        elif kind == "text":
            texts.append(anthropic_part(block))
        else:
            raise CannotSay(f"a block {kind} of the assistant")
    out["content"] = texts or None
    if calls:
        out["tool_calls"] = calls
    if thoughts:
        out["reasoning_content"] = "".join(
            b.get("thinking", "") for b in thoughts)
        out["thinking_blocks"] = thoughts
    return out


# -- Gemini ------------------------------------------------------------------

def camel(name):
    return re.sub(r"_([a-z])", lambda m: m.group(1).upper(), name)


def camel_keys(value, keep=()):
    """Google takes both spellings of its field names."""
    if isinstance(value, dict):
        return {camel(k): v if camel(k) in keep else camel_keys(v, keep)
                for k, v in value.items()}
    if isinstance(value, list):
        return [camel_keys(v, keep) for v in value]
    return value


SCHEMAS = ("parameters", "parametersJsonSchema", "responseSchema",
           "responseJsonSchema", "args", "response")


def gemini(body, exchange):
    body = camel_keys(body, SCHEMAS)
    found = re.search(r"/models/([^:/]+):(\w+)", exchange["request"]["path"])
    out = {"model": found.group(1), "messages": []}
    if found.group(2) == "streamGenerateContent":
        out["stream"] = True
    system = body.get("systemInstruction")
    if system:
        texts = [p["text"] for p in system["parts"]]
        out["messages"].append({"role": "system", "content": texts[0]
                                if len(texts) == 1 else
                                [{"type": "text", "text": t} for t in texts]})
    asked = []
    for content in body["contents"]:
        role = content.get("role", "user")
        if role == "model":
            out["messages"].append(gemini_model(content["parts"], asked))
        else:
            out["messages"] += gemini_user(content["parts"], asked)
    options = {}
    if body.get("safetySettings"):
        # The driver takes one line of a field: the first stands for all.
        first = body["safetySettings"][0]
        if not isinstance(first["category"], str):
            raise CannotSay("enumerations as numbers")
        options["gemini_safety_setting"] = \
            f"{first['category']} {first['threshold']}"
    tools = []
    for tool in body.get("tools") or []:
        if list(tool) != ["functionDeclarations"]:
            raise CannotSay(f"the server tool {list(tool)}")
        for entry in tool["functionDeclarations"]:
            function = {"name": entry["name"]}
            if entry.get("description") is not None:
                function["description"] = entry["description"]
            schema = entry.get("parameters") \
                or entry.get("parametersJsonSchema")
            if schema:
                function["parameters"] = lower_types(schema)
            tools.append({"type": "function", "function": function})
    if tools:
        out["tools"] = tools
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig")
    if calling:
        names = calling.get("allowedFunctionNames") or []
        if len(names) > 1:
            raise CannotSay("a choice among several functions")
        out["tool_choice"] = {"type": "function", "function": {
            "name": names[0]}} if names else {
                "AUTO": "auto", "ANY": "required", "NONE": "none",
            }[calling["mode"].upper()]
    gemini_generation(body.get("generationConfig") or {}, out)
    return out, options


def gemini_generation(config, out):
    copy(config, out, {
        "temperature": "temperature", "topP": "top_p",
        "maxOutputTokens": "max_tokens", "stopSequences": "stop",
        "seed": "seed", "candidateCount": "n", "topK": "top_k",
        "presencePenalty": "presence_penalty",
        "frequencyPenalty": "frequency_penalty"})
    if config.get("responseMimeType") == "application/json":
        schema = config.get("responseSchema") \
            or config.get("responseJsonSchema")
        out["response_format"] = {"type": "json_object"} if not schema else {
            "type": "json_schema", "json_schema": {
                "name": "answer", "schema": lower_types(schema)}}
    thinking = config.get("thinkingConfig") or {}
    if thinking.get("thinkingBudget") == 0:
        out["reasoning_effort"] = "none"
    elif "thinkingBudget" in thinking:
        out["reasoning_max_tokens"] = thinking["thinkingBudget"]
    elif "thinkingLevel" in thinking:
        out["reasoning_effort"] = thinking["thinkingLevel"].lower()


def lower_types(schema):
    """OpenAPI's STRING is JSON Schema's string."""
    if isinstance(schema, dict):
        return {k: v.lower() if k == "type" and isinstance(v, str)
                else lower_types(v) for k, v in schema.items()}
    if isinstance(schema, list):
        return [lower_types(v) for v in schema]
    return schema


def gemini_model(given, asked):
    out = {"role": "assistant", "content": None}
    for part in given:
        call = part.get("functionCall")
        if call:
            ident = call.get("id") or f"call_{len(asked)}"
            asked.append((call["name"], ident))
            entry = {"id": ident, "type": "function", "function": {
                "name": call["name"],
                "arguments": json.dumps(call.get("args") or {})}}
            if part.get("thoughtSignature"):
                entry["extra_content"] = {"google": {
                    "thought_signature": part["thoughtSignature"]}}
            out.setdefault("tool_calls", []).append(entry)
        elif "text" in part and part.get("thought"):
            out["reasoning_content"] = part["text"]
        elif "text" in part:
            out["content"] = (out["content"] or "") + part["text"]
        else:
            raise CannotSay(f"a part {list(part)} of the model")
    return out


def gemini_user(given, asked):
    out, rest = [], []
    waiting = list(asked)
    for part in given:
        if "functionResponse" in part:
            answer = part["functionResponse"]
            ident = answer.get("id")
            for i, (name, known) in enumerate(waiting):
                if name == answer["name"]:
                    ident = ident or known
                    del waiting[i]
                    break
            response = answer["response"]
            values = list(response.values())
            text = values[0] if len(values) == 1 \
                and isinstance(values[0], str) else json.dumps(response)
            out.append({"role": "tool", "tool_call_id": ident,
                        "content": text})
        elif "text" in part:
            rest.append({"type": "text", "text": part["text"]})
        elif "inlineData" in part:
            data = part["inlineData"]
            kind = data["mimeType"]
            if kind.startswith("audio/"):
                rest.append({"type": "input_audio", "input_audio": {
                    "data": data["data"], "format": kind[6:]}})
            elif kind.startswith("image/"):
                rest.append({"type": "image_url", "image_url": {
                    "url": f"data:{kind};base64,{data['data']}"}})
            else:
                rest.append({"type": "file", "file": {
                    "file_data": f"data:{kind};base64,{data['data']}"}})
        else:
            raise CannotSay(f"a part {list(part)}")
    if rest:
        plain = len(rest) == 1 and rest[0]["type"] == "text"
        out.append({"role": "user",
                    "content": rest[0]["text"] if plain else rest})
    return out


# -- DashScope ---------------------------------------------------------------

def dashscope(body, exchange):
    out = {"model": body["model"], "messages": []}
    if exchange["wire"] == "sse":
        out["stream"] = True
    parameters = body.get("parameters") or {}
    copy(parameters, out, {
        "max_tokens": "max_tokens", "seed": "seed", "top_p": "top_p",
        "temperature": "temperature", "stop": "stop", "tools": "tools",
        "tool_choice": "tool_choice", "n": "n"})
    for tool in parameters.get("tools") or []:
        if not isinstance(tool["function"].get("parameters", {}), dict):
            raise CannotSay("tool parameters that are no JSON schema")
    for message in body["input"]["messages"]:
        entry = {"role": message["role"], "content": message.get("content")}
        content = entry["content"]
        if isinstance(content, list):
            entry["content"] = [
                {"type": "text", "text": p["text"]} if "text" in p else
                {"type": "image_url", "image_url": {"url": p["image"]}}
                for p in content]
        copy(message, entry, {"tool_calls": "tool_calls",
                              "tool_call_id": "tool_call_id",
                              "name": "name"})
        if entry["role"] == "tool" and "tool_call_id" not in entry:
            # An older SDK named the call's id so.
            entry["tool_call_id"] = message.get("id", "")
        out["messages"].append(entry)
    return out, {}


def copy(source, target, names):
    for name, other in names.items():
        if name in source:
            target[other] = source[name]
