"""Recorded requests of OpenAI's Responses as those of a client: sent on byte
for byte where the vendor has that API, said as a chat elsewhere."""

import json

import own_dialect

PATH = "/v1/responses"
# Speaks OpenAI's chat, and that alone.
CHAT_ALONE = "crusoe"
# Items of what the model said in one turn.
OWN = ("reasoning", "function_call")


def plan(run, case, exchange):
    body = exchange["request"].get("body")
    if exchange["api"] != "responses" or not isinstance(body, dict) \
            or "input" not in body:
        return
    plan_relay(run, case, body)
    if all(tool["type"] == "function" for tool in body.get("tools", [])):
        run.add(case, "request as a chat", {
            "request": body, "path": PATH, "provider": CHAT_ALONE,
            "options": {"api_token": "k"}, "model": body["model"]},
            own_dialect.body_checker(
                run, f"{case}>chat", own_dialect.normal_openai(chat(body)),
                own_dialect.normal_openai))


def plan_relay(run, case, body):
    text = json.dumps(body, indent=1, ensure_ascii=False) + "\r\n"
    for model in (body["model"], "another-model"):
        wanted = text.replace(f'"model": "{body["model"]}"',
                              f'"model": "{model}"')
        run.add(case, f"request relayed, model {model}", {
            "request": {}, "text": text, "path": PATH, "provider": "openai",
            "options": {"api_token": "k"}, "model": model},
            own_dialect.relay_checker(wanted, PATH))


def early_error(stream):
    """The error of a recorded stream that says nothing else."""
    for line in stream.splitlines():
        if line.startswith("data:"):
            data = json.loads(line[5:])
            if data["type"] not in ("response.created",
                                    "response.in_progress"):
                return data["error"] if data["type"] == "error" else None
    return None


def check_early(stream, answer):
    error = early_error(stream)
    if answer["state"] != "failed":
        yield f"state {answer['state']}"
    if answer.get("output"):
        yield "something is told before another try"
    if answer["error"]["message"] != error["message"]:
        yield f"message {error['message']!r} became {answer['error']}"


def part(one):
    kind = one["type"]
    if kind in ("input_text", "output_text", "text"):
        return {"type": "text", "text": one["text"]}
    if kind == "refusal":
        return {"type": "refusal", "refusal": one["refusal"]}
    if kind == "input_image":
        image = {"url": one["image_url"]}
        if "detail" in one:
            image["detail"] = one["detail"]
        return {"type": "image_url", "image_url": image}
    raise ValueError(kind)


def parts(content):
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [part(one) for one in content]


def messages(body):
    made = []
    if body.get("instructions"):
        made.append({"role": "system", "content": body["instructions"]})
    if isinstance(body["input"], str):
        return [*made, {"role": "user", "content": body["input"]}]
    turn = None
    for item in body["input"]:
        kind = item.get("type", "message")
        if kind in OWN or item.get("role") == "assistant":
            if turn is None:
                turn = {"role": "assistant", "content": []}
                made.append(turn)
            if kind == "function_call":
                turn.setdefault("tool_calls", []).append({
                    "id": item["call_id"], "type": "function", "function": {
                        "name": item["name"],
                        "arguments": item["arguments"]}})
            elif kind == "message":
                said = parts(item["content"])
                # Two messages of a turn are two, though chat has one.
                if turn["content"] and said and "text" in said[0]:
                    said[0]["text"] = "\n\n" + said[0]["text"]
                turn["content"] += said
            continue
        turn = None
        if kind == "function_call_output":
            made.append({"role": "tool", "tool_call_id": item["call_id"],
                         "content": parts(item["output"])})
        else:
            role = {"developer": "system"}.get(item["role"], item["role"])
            made.append({"role": role, "content": parts(item["content"])})
    return [one for one in made if one["content"] or one.get("tool_calls")]


def chat(body):
    made = {"model": body["model"], "messages": messages(body)}
    for name, other in (("max_output_tokens", "max_tokens"),
                        ("temperature", "temperature"), ("top_p", "top_p"),
                        ("service_tier", "service_tier"),
                        ("stream", "stream")):
        if body.get(name) is not None:
            made[other] = body[name]
    if body.get("reasoning", {}).get("effort"):
        made["reasoning_effort"] = body["reasoning"]["effort"]
    form = body.get("text", {}).get("format", {})
    if form.get("type") == "json_schema":
        made["response_format"] = {
            "type": "json_schema",
            "json_schema": {k: v for k, v in form.items() if k != "type"}}
    if body.get("tools"):
        made["tools"] = [{"type": "function", "function": {
            k: v for k, v in tool.items() if k != "type" and v is not None}}
            for tool in body["tools"]]
        choice = body.get("tool_choice")
        if isinstance(choice, dict) and choice["type"] == "allowed_tools":
            # A provider that does not know the word gets these tools alone.
            names = [tool["name"] for tool in choice["tools"]]
            made["tools"] = [tool for tool in made["tools"]
                             if tool["function"]["name"] in names]
            choice = choice["mode"]
        elif isinstance(choice, dict):
            choice = {"type": "function",
                      "function": {"name": choice["name"]}}
        if choice is not None:
            made["tool_choice"] = choice
    return made
