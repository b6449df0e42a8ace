"""The google-genai library against a gateway: generateContent relayed to
Gemini and converted for others."""

import functools
import logging

from google import genai
from google.genai import errors, types

import replay
import tap
from replay import PROMPT, SCHEMA, chats, compare, seen, sent
from tap import ok, same, test

# The library remarks on answers that are not text alone.
logging.disable(logging.WARNING)

MODEL = "gemini-3-pro"
FINISH = {"STOP": "stop", "MAX_TOKENS": "length", "SAFETY": "content_filter",
          "RECITATION": "content_filter", "PROHIBITED_CONTENT":
          "content_filter", "MALFORMED_FUNCTION_CALL": "stop"}
TOOLS = [types.Tool(function_declarations=[types.FunctionDeclaration(
    name="get_weather", description="The weather",
    parameters_json_schema=SCHEMA)])]


@functools.cache
def client(kind):
    return genai.Client(api_key=replay.KEY, http_options=types.HttpOptions(
        base_url=f"{replay.GATEWAY}/{kind}", timeout=20000))


def config(**fields):
    return types.GenerateContentConfig(
        tools=TOOLS, automatic_function_calling=types.
        AutomaticFunctionCallingConfig(disable=True), **fields)


def create(kind, contents=PROMPT, **fields):
    return [client(kind).models.generate_content(
        model=MODEL, contents=contents, config=config(**fields))]


def streamed(kind, contents=PROMPT, **fields):
    return list(client(kind).models.generate_content_stream(
        model=MODEL, contents=contents, config=config(**fields)))


def parts_of(answers):
    return [p for a in answers for c in (a.candidates or [])[:1]
            if c.content for p in c.content.parts or []]


def check(name, said, answers):
    parts = parts_of(answers)
    calls = [p.function_call for p in parts if p.function_call]
    finish = [c.finish_reason for a in answers for c in a.candidates or []
              if c.finish_reason]
    feedback = [a.prompt_feedback for a in answers if a.prompt_feedback]
    word = FINISH[finish[-1].value] if finish else "content_filter"
    wanted = said.choices.get(0)
    if wanted and wanted.refusal and feedback \
            and feedback[0].block_reason_message == wanted.refusal:
        wanted.refusal = ""
    if wanted and wanted.refusal and word == "content_filter":
        wanted.finish = word  # Google says it so
    if calls and word == "stop":
        word = "tool_calls"
    last = [a.usage_metadata for a in answers if a.usage_metadata]
    usage = last[-1] if last else types.GenerateContentResponseUsageMetadata()
    thoughts = usage.thoughts_token_count or 0
    compare(name, said,
            "".join(p.text for p in parts if p.text and not p.thought),
            [(c.name, c.args or {}) for c in calls], word,
            {"prompt": (usage.prompt_token_count or 0)
             + (usage.tool_use_prompt_token_count or 0),
             "completion": (usage.candidates_token_count or 0) + thoughts,
             "cache_read": usage.cached_content_token_count,
             "reasoning": thoughts},
            "".join(p.text for p in parts if p.text and p.thought))


def answers(kind):
    for name, said in chats(kind):
        exchange = replay.replay(kind, name)
        make = create if exchange["wire"] == "json" else streamed
        check(name, said, make(kind))


@test
def relayed():
    answers("gemini")


@test
def from_claude():
    answers("claude")


@test
def from_openai():
    answers("openai")
    answers("mistral")


@test
def from_bedrock():
    answers("bedrock")


@test
def signatures():
    """What the model signed comes back with the next turn, byte for byte."""
    for name, said in chats("gemini"):
        exchange = replay.replay("gemini", name)
        signed = said.choices[0].signatures + [
            c.signature for c in said.choices[0].calls if c.signature]
        if not signed:
            continue
        make = create if exchange["wire"] == "json" else streamed
        parts = parts_of(make("gemini"))
        replay.replay("gemini", "gemini/chat-stop-truncated-01")
        create("gemini", contents=[
            types.Content(role="user", parts=[types.Part(text=PROMPT)]),
            types.Content(role="model", parts=parts),
            types.Content(role="user", parts=[types.Part(text=PROMPT)])])
        back = [p["thoughtSignature"] for c in sent("gemini")["contents"]
                for p in c["parts"] if "thoughtSignature" in p]
        # The library writes base64 in the alphabet of URLs.
        same([b.replace("-", "+").replace("_", "/") for b in back],
             signed, f"{name}: signatures in the next turn")


@test
def signatures_of_claude():
    for name in ("anthropic/messages-toolcall-toolresult-reasoning-01",
                 "anthropic/messages-stream-reasoning-01"):
        exchange = replay.replay("claude", name)
        wanted = replay.vendor.read(exchange, "anthropic").choices[0]
        make = create if exchange["wire"] == "json" else streamed
        parts = parts_of(make("claude"))
        calls = [p.function_call for p in parts if p.function_call]
        replay.replay("claude", "anthropic/messages-stop-01")
        create("claude", contents=[
            types.Content(role="user", parts=[types.Part(text=PROMPT)]),
            types.Content(role="model", parts=parts),
            types.Content(role="user", parts=[
                types.Part(function_response=types.FunctionResponse(
                    id=c.id, name=c.name, response={"output": "20 C"}))
                for c in calls] or [types.Part(text=PROMPT)])])
        blocks = sent("claude")["messages"][1]["content"]
        same([b["signature"] for b in blocks if b["type"] == "thinking"],
             wanted.signatures, f"{name}: signatures in the next turn")
        same([b["id"] for b in blocks if b["type"] == "tool_use"],
             [c.id for c in wanted.calls], f"{name}: ids of calls")


@test
def request_converted():
    replay.replay("openai", "openai/chat-toolcall-toolresult-01")
    create("openai", contents=[types.Content(role="user", parts=[
        types.Part(text=PROMPT), types.Part.from_bytes(
            data=b"hello", mime_type="image/png")])],
        system_instruction="private-prompt system", temperature=0,
        max_output_tokens=64, stop_sequences=["END"], seed=7,
        tool_config=types.ToolConfig(
            function_calling_config=types.FunctionCallingConfig(
                mode="ANY", allowed_function_names=["get_weather"])))
    body = sent("openai")
    same(body["model"], MODEL, "a request for OpenAI: model of the path")
    same(body["messages"], [
        {"role": "system", "content": "private-prompt system"},
        {"role": "user", "content": [
            {"type": "text", "text": PROMPT},
            {"type": "image_url", "image_url": {
                "url": "data:image/png;base64,aGVsbG8="}}]}], "messages")
    same(body["tool_choice"], {"type": "function", "function": {
        "name": "get_weather"}}, "tool_choice")
    same((body["temperature"], body["stop"], body["seed"]), (0, ["END"], 7),
         "numbers")
    same(body["tools"][0]["function"]["parameters"], SCHEMA, "tools")
    ok("sk-client" not in str(seen("openai")["headers"]),
       "the client's key stays here")


@test
def structured():
    for kind, name in (
            ("gemini", "gemini/chat-structured-reasoning-01"),
            ("claude", "anthropic/messages-toolresult-structured-01")):
        exchange = replay.replay(kind, name)
        said = replay.vendor.read(exchange, replay.FOLDERS[kind][1])
        answer = client(kind).models.generate_content(
            model=MODEL, contents=PROMPT, config=types.GenerateContentConfig(
                response_mime_type="application/json",
                response_json_schema=SCHEMA))
        same(answer.parsed, replay.json.loads(said.choices[0].text),
             f"{name}: parsed")
    body = sent("claude")
    form = (body.get("output_config") or {}).get("format") or {}
    same(form.get("schema", {}).get("properties"), SCHEMA["properties"],
         "a schema for Claude")


@test
def count_tokens():
    name = "vertex/counttokens-01"
    exchange = replay.replay("gemini", name)
    counted = client("gemini").models.count_tokens(
        model=MODEL, contents=PROMPT)
    same(counted.total_tokens, exchange["response"]["body"]["totalTokens"],
         f"{name}: count")
    ok(seen("gemini")["path"].endswith(f"/models/{MODEL}:countTokens"),
       "path of a count")
    counted = client("openai").models.count_tokens(
        model=MODEL, contents="a b c d")
    ok(1 <= counted.total_tokens <= 20, "an estimate where none counts")


@test
def raises():
    for kind, name, error in (
            ("gemini", "gemini/chat-error403-01", errors.ClientError),
            ("gemini", "gemini/chat-error429-01", errors.ClientError),
            ("gemini", "gemini/synthetic-chat-error5xx-01",
             errors.ServerError),
            ("gemini", "gemini/counttokens-error404-01", errors.ClientError),
            ("claude", "anthropic/messages-error429-01", errors.ClientError),
            ("openai", "openai/synthetic-chat-error5xx-01",
             errors.ServerError)):
        exchange = replay.replay(kind, name)
        words = exchange["response"]["body"]["error"]["message"]
        for make in (create, streamed):
            try:
                make(kind)
                ok(False, f"{name}: raises")
            except errors.APIError as raised:
                same(type(raised), error, f"{name}: {error.__name__}")
                same(raised.code, exchange["response"]["status"],
                     f"{name}: code")
                same(raised.message, words, f"{name}: message")
                ok(raised.status and raised.status.isupper(),
                   f"{name}: status in words")


tap.run()
