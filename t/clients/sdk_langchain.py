"""LangChain's chat models for OpenAI and Anthropic against a gateway: invoke,
stream, bind_tools, with_structured_output."""

import functools
import json
import os
import warnings

os.environ["LANGSMITH_TRACING"] = "false"

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import ToolMessage
from langchain_openai import ChatOpenAI

import replay
import tap
from replay import PROMPT, chats, compare, sent
from tap import same, test

warnings.simplefilter("ignore")

FINISH = {"end_turn": "stop", "stop_sequence": "stop", "tool_use":
          "tool_calls", "max_tokens": "length", "refusal": "content_filter"}
PERSON = {"title": "person", "description": "A person", "type": "object",
          "properties": {"name": {"type": "string"},
                         "age": {"type": "integer"}},
          "required": ["name", "age"], "additionalProperties": False}


def get_weather(city: str) -> str:
    """The weather of a city."""
    return city


@functools.cache
def model(dialect, kind):
    if dialect == "openai":
        return ChatOpenAI(
            model="a-model", api_key=replay.KEY, max_retries=0, timeout=20,
            base_url=f"{replay.GATEWAY}/{kind}/v1", stream_usage=True,
            use_responses_api=False)
    return ChatAnthropic(
        model="a-model", api_key=replay.KEY, max_retries=0, timeout=20,
        base_url=f"{replay.GATEWAY}/{kind}", max_tokens=64)


def ask(dialect, kind, stream):
    bound = model(dialect, kind).bind_tools([get_weather])
    if not stream:
        return bound.invoke(PROMPT)
    whole = None
    for chunk in bound.stream(PROMPT):
        whole = chunk if whole is None else whole + chunk
    return whole


def misread(kind, exchange):
    """Is the usage of a relayed stream such that LangChain errs, also without
    a gateway?  It adds up what Groq tells twice, and reads the prompt's tokens
    only where newer answers of Anthropic's tell them again."""
    events = [json.loads(line[5:]) for line in
              exchange["response"].get("body_text", "").splitlines()
              if line.startswith("data: {")]
    if kind == "groq":
        return sum(bool(event.get("usage")) for event in events) > 1
    deltas = [e["usage"] for e in events if e.get("type") == "message_delta"]
    return bool(deltas) and "input_tokens" not in deltas[-1]


def check(name, said, message, counted):
    wanted = said.choices[0]
    about = message.response_metadata
    word = about.get("finish_reason") or about.get("stop_reason")
    finish = FINISH.get(word, word)
    if wanted.refusal and "stop_reason" in about:
        wanted.finish = "content_filter"  # Messages says it so
    # What OpenAI calls a refusal stands beside the text.
    refusal = message.additional_kwargs.get("refusal") or ""
    usage = message.usage_metadata or {}
    inside = usage.get("input_token_details") or {}
    compare(name, said, message.text + refusal,
            [(c["name"], c["args"]) for c in message.tool_calls], finish,
            {"prompt": usage.get("input_tokens"),
             "completion": usage.get("output_tokens"),
             "cache_read": inside.get("cache_read")} if counted else None)


def answers(dialect, kind):
    for name, said in chats(kind):
        # One answer is all that LangChain reads.
        if len(said.choices) > 1:
            continue
        exchange = replay.replay(kind, name)
        relayed = (dialect == "anthropic") == (kind == "claude")
        check(f"{dialect}: {name}", said,
              ask(dialect, kind, exchange["wire"] != "json"),
              not (relayed and misread(kind, exchange)))


@test
def openai_relayed():
    answers("openai", "openai")
    answers("openai", "groq")


@test
def openai_converted():
    answers("openai", "claude")
    answers("openai", "gemini")
    answers("openai", "bedrock")
    answers("openai", "cohere")


@test
def anthropic_relayed():
    answers("anthropic", "claude")


@test
def anthropic_converted():
    answers("anthropic", "openai")
    answers("anthropic", "gemini")
    answers("anthropic", "mistral")


@test
def loop():
    """A call, its result, the next turn, as an agent does it."""
    for dialect, kind, name, last in (
            ("openai", "claude", "anthropic/messages-paralleltools-toolcall-01",
             "anthropic/messages-stop-01"),
            ("anthropic", "gemini", "gemini/chat-paralleltools-toolcall-02",
             "gemini/chat-stop-truncated-01"),
            ("anthropic", "groq", "groq/chat-paralleltools-toolcall-01",
             "openai/chat-toolcall-toolresult-01")):
        exchange = replay.replay(kind, name)
        wanted = replay.vendor.read(
            exchange, replay.FOLDERS[kind][1]).choices[0].calls
        message = ask(dialect, kind, exchange["wire"] != "json")
        same([c["name"] for c in message.tool_calls],
             [c.name for c in wanted], f"{name}: calls")
        replay.replay(kind, last)
        model(dialect, kind).bind_tools([get_weather]).invoke([
            ("user", PROMPT), message,
            *[ToolMessage(f"result {i}", tool_call_id=c["id"])
              for i, c in enumerate(message.tool_calls)]])
        results = [f"result {i}" for i in range(len(wanted))]
        same(told(kind), results, f"{name}: results in order")


def told(kind):
    """The results of tools in the last request of a provider."""
    body = sent(kind)
    if kind == "gemini":
        parts = [p for c in body["contents"] for p in c["parts"]]
        return [next(iter(p["functionResponse"]["response"].values()))
                for p in parts if "functionResponse" in p]
    if kind == "claude":
        blocks = [b for m in body["messages"]
                  if isinstance(m["content"], list) for b in m["content"]]
        return [text_of(b["content"]) for b in blocks
                if b["type"] == "tool_result"]
    return [text_of(m["content"]) for m in body["messages"]
            if m["role"] == "tool"]


def text_of(content):
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content)


@test
def structured():
    ann = {"name": "Ann", "age": 7}
    usage = {"input_tokens": 3, "output_tokens": 4}
    replay.answer_with("claude", json={
        "id": "msg_1", "type": "message", "role": "assistant", "model": "c",
        "content": [{"type": "text", "text": '{"name":"Ann","age":7}'}],
        "stop_reason": "end_turn", "stop_sequence": None, "usage": usage})
    runs = model("openai", "claude").with_structured_output(
        PERSON, method="json_schema")
    same(runs.invoke(PROMPT), ann, "openai: by a schema, from Claude")
    schema = sent("claude")["output_config"]["format"]["schema"]
    same(sorted(schema["properties"]), ["age", "name"], "which it is told")
    replay.answer_with("gemini", json={"candidates": [{
        "content": {"role": "model", "parts": [{"functionCall": {
            "name": "person", "args": ann}}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 4,
                          "totalTokenCount": 7}})
    for dialect in ("openai", "anthropic"):
        runs = model(dialect, "gemini").with_structured_output(
            PERSON, method="function_calling")
        same(runs.invoke(PROMPT), ann, f"{dialect}: by a tool, from Gemini")
        config = sent("gemini")["toolConfig"]["functionCallingConfig"]
        same((config["mode"], config["allowedFunctionNames"]),
             ("ANY", ["person"]), f"{dialect}: which it must use")


tap.run()
