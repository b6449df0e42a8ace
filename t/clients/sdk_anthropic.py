"""The anthropic library against a gateway: Messages relayed to Claude and
converted for others."""

import functools
import json

import anthropic

import replay
import tap
from replay import PROMPT, SCHEMA, chats, compare, sent
from tap import ok, same, test

FINISH = {"end_turn": "stop", "stop_sequence": "stop", "pause_turn": "stop",
          "max_tokens": "length", "tool_use": "tool_calls",
          "refusal": "content_filter"}
TOOLS = [{"name": "get_weather", "description": "The weather",
          "input_schema": SCHEMA}]
ASKED = {"model": "a-model", "max_tokens": 64}
MESSAGES = [{"role": "user", "content": PROMPT}]


@functools.cache
def client(kind):
    return anthropic.Anthropic(
        base_url=f"{replay.GATEWAY}/{kind}", api_key=replay.KEY,
        max_retries=0, timeout=20)


def create(kind, **fields):
    return client(kind).messages.create(
        **{**ASKED, "messages": MESSAGES, **fields})


def streamed(kind, **fields):
    """The message as the library puts it together."""
    with client(kind).messages.stream(
            **{**ASKED, "messages": MESSAGES, **fields}) as stream:
        for _ in stream:
            pass
        return stream.get_final_message()


def check(name, said, message):
    usage = message.usage
    wanted = said.choices[0]
    if wanted.refusal and wanted.finish == "stop":
        wanted.finish = "content_filter"  # Messages says it so
    read = usage.cache_read_input_tokens or 0
    written = usage.cache_creation_input_tokens or 0
    blocks = message.content
    compare(name, said, "".join(b.text for b in blocks if b.type == "text"),
            [(b.name, b.input) for b in blocks if b.type == "tool_use"],
            FINISH[message.stop_reason],
            {"prompt": usage.input_tokens + read + written,
             "completion": usage.output_tokens, "cache_read": read,
             "cache_write": written},
            "".join(b.thinking for b in blocks if b.type == "thinking"))


def answers(kind):
    replay.answers(kind, check, create, streamed, tools=TOOLS)


@test
def relayed():
    answers("claude")


@test
def from_openai():
    answers("openai")
    answers("groq")
    answers("mistral")


@test
def from_gemini():
    answers("gemini")


@test
def from_bedrock():
    answers("bedrock")


@test
def from_cohere():
    answers("cohere")


def next_turn(kind, content, **fields):
    """The conversation goes on with what was answered, as documented."""
    calls = [b for b in content if b.type == "tool_use"]
    results = [{"type": "tool_result", "tool_use_id": c.id, "content": "20 C"}
               for c in calls] or [{"type": "text", "text": PROMPT}]
    return create(kind, messages=[
        *MESSAGES, {"role": "assistant", "content": content},
        {"role": "user", "content": results}], tools=TOOLS, **fields)


@test
def thinking():
    for name in ("anthropic/messages-stream-reasoning-01",
                 "anthropic/messages-stream-structured-reasoning-01",
                 "anthropic/messages-document-reasoning-01",
                 "anthropic/messages-toolcall-toolresult-reasoning-01"):
        exchange = replay.replay("claude", name)
        wanted = replay.vendor.read(exchange, "anthropic").choices[0]
        asked = {"thinking": {"type": "enabled", "budget_tokens": 1024},
                 "max_tokens": 2048}
        make = create if exchange["wire"] == "json" else streamed
        message = make("claude", **asked)
        same([b.signature for b in message.content if b.type == "thinking"],
             wanted.signatures, f"{name}: signatures")
        replay.replay("claude", "anthropic/messages-stop-01")
        next_turn("claude", message.content, **asked)
        back = sent("claude")["messages"][1]["content"]
        same([b["signature"] for b in back if b["type"] == "thinking"],
             wanted.signatures, f"{name}: signatures in the next turn")
        same("".join(b["thinking"] for b in back if b["type"] == "thinking"),
             wanted.reasoning, f"{name}: thoughts in the next turn")


@test
def thinking_of_others():
    for name, said in chats("gemini"):
        choice = said.choices[0]
        signed = choice.signatures + [c.signature for c in choice.calls
                                      if c.signature]
        if not signed:
            continue
        exchange = replay.replay("gemini", name)
        make = create if exchange["wire"] == "json" else streamed
        message = make("gemini", tools=TOOLS)
        replay.replay("gemini", "gemini/chat-stop-truncated-01")
        next_turn("gemini", message.content)
        parts = [p for c in sent("gemini")["contents"] for p in c["parts"]]
        got = [p["thoughtSignature"] for p in parts if "thoughtSignature" in p]
        same(got, signed, f"{name}: signatures in the next turn")
        same([p["functionCall"]["name"] for p in parts
              if "functionCall" in p and "thoughtSignature" in p],
             [c.name for c in choice.calls if c.signature],
             f"{name}: at the calls that they were of")
    for name, said in chats("bedrock"):
        signed = said.choices[0].signatures
        if not signed:
            continue
        exchange = replay.replay("bedrock", name)
        make = create if exchange["wire"] == "json" else streamed
        message = make("bedrock")
        replay.replay("bedrock", "bedrock/chat-stop-truncated-01")
        next_turn("bedrock", message.content)
        blocks = [b["reasoningContent"]["reasoningText"]["signature"]
                  for m in sent("bedrock")["messages"] for b in m["content"]
                  if "reasoningContent" in b]
        same(blocks, signed, f"{name}: signatures in the next turn")


@test
def request_of_a_relay():
    exchange = replay.replay(
        "claude", "anthropic/messages-paralleltools-toolcall-01")
    body = exchange["request"]["body"]
    client("claude").messages.create(**body)
    same(sent("claude"), body,
         "a recorded request arrives as it was recorded")


@test
def request_converted():
    replay.replay("openai", "openai/chat-toolcall-toolresult-01")
    create("openai", system="private-prompt system", extra_body={"temperature": 0},
           stop_sequences=["END"], tools=TOOLS,
           tool_choice={"type": "tool", "name": "get_weather",
                        "disable_parallel_tool_use": True},
           messages=[{"role": "user", "content": [
               {"type": "text", "text": PROMPT},
               {"type": "image", "source": {
                   "type": "base64", "media_type": "image/png",
                   "data": "aGVsbG8="}}]}])
    body = sent("openai")
    same(body["messages"], [
        {"role": "system", "content": "private-prompt system"},
        {"role": "user", "content": [
            {"type": "text", "text": PROMPT},
            {"type": "image_url", "image_url": {
                "url": "data:image/png;base64,aGVsbG8="}}]}],
        "a request for OpenAI: messages")
    same(body["tool_choice"], {"type": "function", "function": {
        "name": "get_weather"}}, "tool_choice")
    same(body["parallel_tool_calls"], False, "one call at a time")
    same((body["temperature"], body["stop"]), (0, ["END"]), "numbers")
    same(body["tools"][0]["function"]["parameters"], SCHEMA, "tools")


@test
def count_tokens():
    for name in ("anthropic/counttokens-toolresult-01",):
        exchange = replay.replay("claude", name)
        body = exchange["request"]["body"]
        counted = client("claude").messages.count_tokens(**body)
        same(counted.input_tokens,
             exchange["response"]["body"]["input_tokens"], f"{name}: count")
        same(sent("claude"), body, f"{name}: request")
    counted = client("openai").messages.count_tokens(
        model="a-model", messages=[{"role": "user", "content": "a b c d"}])
    ok(1 <= counted.input_tokens <= 20, "an estimate where none counts")


@test
def errors():
    for kind, name, error in (
            ("claude", "anthropic/messages-error401-01",
             anthropic.AuthenticationError),
            ("claude", "anthropic/messages-error429-01",
             anthropic.RateLimitError),
            ("claude", "anthropic/synthetic-messages-error5xx-01",
             anthropic.OverloadedError),
            ("claude", "anthropic/counttokens-error404-01",
             anthropic.NotFoundError),
            ("openai", "openai/synthetic-chat-error429-01",
             anthropic.RateLimitError),
            ("gemini", "gemini/chat-error403-01",
             anthropic.PermissionDeniedError),
            ("bedrock", "bedrock/chat-error400-01",
             anthropic.BadRequestError)):
        exchange = replay.replay(kind, name)
        recorded = exchange["response"]["body"]
        words = (recorded.get("error") or recorded)["message"]
        for make in (create, streamed):
            try:
                make(kind)
                ok(False, f"{name}: raises")
            except anthropic.APIStatusError as raised:
                same(type(raised), error, f"{name}: {error.__name__}")
                same(raised.body["type"], "error", f"{name}: shape")
                same(raised.body["error"]["message"], words,
                     f"{name}: message")


@test
def broken_streams():
    for kind, name in (
            ("claude", "anthropic/synthetic-messages-stream-streamerror-01"),
            ("bedrock", "bedrock/synthetic-chat-stream-streamerror-01")):
        replay.replay(kind, name)
        try:
            streamed(kind)
            ok(False, f"{name}: raises")
        except anthropic.APIError:
            ok(True, f"{name}: raises")


@test
def raw_events():
    replay.replay("gemini", "gemini/chat-stream-paralleltools-toolcall-01")
    events = list(create("gemini", stream=True, tools=TOOLS))
    same((events[0].type, events[-1].type), ("message_start", "message_stop"),
         "events of a converted stream")
    partial = [json.loads("".join(
        e.delta.partial_json for e in events
        if e.type == "content_block_delta" and e.index == i
        and e.delta.type == "input_json_delta") or "{}")
        for i in {e.index for e in events if e.type == "content_block_start"
                  and e.content_block.type == "tool_use"}]
    said = replay.vendor.read(replay.recording(
        "gemini/chat-stream-paralleltools-toolcall-01"), "gemini")
    same(partial, [json.loads(c.arguments) for c in said.choices[0].calls],
         "arguments in pieces")


tap.run()
