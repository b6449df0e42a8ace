"""The cohere library against a gateway: rerank, also for others than Cohere,
and the paths of its own, which are relayed as they are."""

import functools

import cohere

import replay
import tap
from replay import PROMPT, SCHEMA, chats, compare, seen, sent
from tap import ok, same, test

FINISH = {"COMPLETE": "stop", "STOP_SEQUENCE": "stop", "MAX_TOKENS": "length",
          "TOOL_CALL": "tool_calls"}
MESSAGES = [{"role": "user", "content": PROMPT}]
TOOLS = [{"type": "function", "function": {
    "name": "get_weather", "description": "The weather",
    "parameters": SCHEMA}}]


@functools.cache
def client(kind):
    # Its own paths are no API that the gateway knows: they go on whole.
    address = replay.GATEWAY + ("" if kind == "cohere" else f"/{kind}")
    return cohere.ClientV2(api_key=replay.KEY, timeout=20, base_url=address)


def check(name, said, text, reasoning, calls, finish, usage):
    numbers = {}
    if usage and usage.tokens:
        numbers = {"prompt": int(usage.tokens.input_tokens or 0),
                   "completion": int(usage.tokens.output_tokens or 0)}
    compare(name, said, text, calls, FINISH[finish], numbers, reasoning)


@test
def chat():
    for name, said in chats("cohere"):
        exchange = replay.replay("cohere", name)
        if exchange["wire"] != "json":
            stream(name, said)
            continue
        got = client("cohere").chat(
            model="command-a", messages=MESSAGES, tools=TOOLS)
        parts = got.message.content or []
        check(name, said,
              "".join(p.text for p in parts if p.type == "text"),
              "".join(p.thinking for p in parts if p.type == "thinking")
              + (got.message.tool_plan or ""),
              [(c.function.name, c.function.arguments)
               for c in got.message.tool_calls or []],
              got.finish_reason, got.usage)
    same(seen("cohere")["path"], "/v2/chat", "by the path of its own")
    same(sent("cohere")["messages"], MESSAGES, "with the client's messages")
    ok("sk-client" not in str(seen("cohere")["headers"]),
       "without the client's key")


def stream(name, said):
    text = reasoning = ""
    calls, finish, usage = [], None, None
    for event in client("cohere").chat_stream(
            model="command-a", messages=MESSAGES, tools=TOOLS):
        if event.type == "content-delta":
            text += event.delta.message.content.text or ""
            reasoning += event.delta.message.content.thinking or ""
        elif event.type == "tool-plan-delta":
            reasoning += event.delta.message.tool_plan
        elif event.type == "tool-call-start":
            function = event.delta.message.tool_calls.function
            calls.append([function.name, function.arguments or ""])
        elif event.type == "tool-call-delta":
            calls[-1][1] += event.delta.message.tool_calls.function.arguments
        elif event.type == "message-end":
            finish, usage = event.delta.finish_reason, event.delta.usage
    check(f"{name}: stream", said, text, reasoning, calls, finish, usage)


def ranked(kind):
    got = client(kind).rerank(
        model="rerank", query="private-prompt", documents=["a", "b", "c"])
    return [(r.index, r.relevance_score) for r in got.results]


@test
def rerank():
    exchange = replay.replay("cohere", "cohere/rerank-01")
    wanted = exchange["response"]["body"]["results"]
    same(ranked("cohere"),
         [(r["index"], r["relevance_score"]) for r in wanted], "rerank")
    replay.answer_with("qwen", json={"output": {"results": [
        {"index": 2, "relevance_score": 0.75},
        {"index": 0, "relevance_score": 0.5}]},
        "usage": {"total_tokens": 9}, "request_id": "r"})
    same(ranked("qwen"), [(2, 0.75), (0, 0.5)], "rerank by Qwen")
    same(sent("qwen")["input"], {"query": "private-prompt",
                                 "documents": ["a", "b", "c"]},
         "asked in its own words")


@test
def errors():
    for name, error in (
            ("cohere/chat-error400-01", cohere.errors.BadRequestError),
            ("cohere/chat-error401-01", cohere.errors.UnauthorizedError)):
        exchange = replay.replay("cohere", name)
        try:
            client("cohere").chat(model="m", messages=MESSAGES)
            ok(False, f"{name}: raises")
        except cohere.core.ApiError as raised:
            same(type(raised), error, f"{name}: {error.__name__}")
            ok(exchange["response"]["body"]["message"] in str(raised.body),
               f"{name}: message")


tap.run()
