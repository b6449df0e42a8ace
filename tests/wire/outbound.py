"""Comparing what the gateway would send with what was recorded, field by
field, after undoing the spellings that mean the same."""

import json

import back_own
from back_clouds import normal_bedrock
from back import camel_keys, lower_types, SCHEMAS


def normal(body, family):
    if family == "anthropic":
        return normal_anthropic(body)
    if family == "gemini":
        return normal_gemini(body)
    if family == "bedrock":
        return normal_bedrock(body)
    if family in back_own.FAMILIES:
        return back_own.normal(body, family)
    return body


def normal_anthropic(body):
    out = dict(body)
    if isinstance(out.get("system"), str):
        out["system"] = [{"type": "text", "text": out["system"]}]
    messages = []
    for message in out.get("messages", []):
        content = message["content"]
        if isinstance(content, str):
            content = [{"type": "text", "text": content}]
        content = [normal_block(b) for b in content]
        if messages and messages[-1]["role"] == message["role"]:
            messages[-1]["content"] += content
        else:
            messages.append({"role": message["role"], "content": content})
    out["messages"] = messages
    if out.get("stream") is False:
        del out["stream"]
    if "output_format" in out:
        # The beta's name of the field.
        out["output_config"] = {"format": out.pop("output_format")}
    return out


def normal_block(block):
    out = dict(block)
    if out.get("type") == "tool_result":
        if isinstance(out.get("content"), str):
            out["content"] = [{"type": "text", "text": out["content"]}]
        if out.get("is_error") is False:
            del out["is_error"]
    if "input" in out and isinstance(out["input"], str):
        out["input"] = json.loads(out["input"])
    return out


def normal_gemini(body):
    out = camel_keys(body, SCHEMAS)
    for entry in out.get("contents", []):
        entry.setdefault("role", "user")
    if isinstance(out.get("systemInstruction"), dict):
        out["systemInstruction"].pop("role", None)
    for tool in out.get("tools", []):
        for function in tool.get("functionDeclarations", []):
            if "parametersJsonSchema" in function:
                function["parameters"] = function.pop("parametersJsonSchema")
            if "parameters" in function:
                function["parameters"] = lower_types(function["parameters"])
    if "safetySettings" in out:
        out["safetySettings"] = out["safetySettings"][:1]
    config = out.get("generationConfig", {})
    if "responseJsonSchema" in config:
        config["responseSchema"] = config.pop("responseJsonSchema")
    if "responseSchema" in config:
        config["responseSchema"] = lower_types(config["responseSchema"])
    if not config:
        out.pop("generationConfig", None)
    return out


def differences(recorded, sent, path=""):
    """(path, sentence) for every leaf that is not equal."""
    if isinstance(recorded, dict) and isinstance(sent, dict):
        for key in sorted(set(recorded) | set(sent)):
            at = f"{path}.{key}" if path else key
            a, b = recorded.get(key), sent.get(key)
            if key not in sent and not (isinstance(a, dict) and a):
                yield at, f"{short(a)} is not sent"
            elif key not in recorded and not (isinstance(b, dict) and b):
                yield at, f"{short(b)} is added"
            elif key not in sent:
                yield from differences(a, {}, at)
            elif key not in recorded:
                yield from differences({}, b, at)
            else:
                yield from differences(recorded[key], sent[key], at)
        return
    if isinstance(recorded, list) and isinstance(sent, list):
        if len(recorded) != len(sent):
            yield path, f"{len(recorded)} entries became {len(sent)}"
            return
        for i, (a, b) in enumerate(zip(recorded, sent)):
            yield from differences(a, b, f"{path}[{i}]")
        return
    if recorded != sent or isinstance(recorded, bool) != isinstance(sent, bool):
        yield path, f"{short(recorded)} became {short(sent)}"


def short(value):
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else text[:117] + "..."
