"""The openai library against a gateway (GATEWAY: its address); prints TAP."""

import asyncio
import json
import os

import openai

import tap
from tap import ok, same, test

GATEWAY = os.environ["GATEWAY"]
MESSAGES = [{"role": "user", "content": "private-prompt hello"}]
TOOLS = [{"type": "function", "function": {
    "name": "get_weather", "description": "The weather",
    "parameters": {"type": "object", "properties": {
        "city": {"type": "string"}}}}}]

tap.prefix = "python: "


def client(case, **options):
    options.setdefault("max_retries", 0)
    return openai.OpenAI(base_url=f"{GATEWAY}/{case}/v1", api_key="sk-client",
                         timeout=20, **options)


def chat(case, **fields):
    return client(case).chat.completions.create(
        model="gpt-4o", messages=MESSAGES, **fields)


@test
def plain():
    for case in ("plain", "claude"):
        answer = chat(case)
        same(answer.choices[0].message.content, "hello there",
             f"{case}: text")
        same(answer.choices[0].finish_reason, "stop", f"{case}: finish")
        same(answer.usage.total_tokens, 15, f"{case}: usage")
        same(answer.usage.prompt_tokens_details.cached_tokens, 3,
             f"{case}: cached tokens")


@test
def stream():
    for case in ("stream", "claude-stream"):
        chunks = list(chat(case, stream=True))
        text = "".join(c.choices[0].delta.content or ""
                       for c in chunks if c.choices)
        same(text, "one two three", f"{case}: text")
        same([c.choices[0].finish_reason for c in chunks
              if c.choices and c.choices[0].finish_reason], ["stop"],
             f"{case}: one finish")
        ok(not any(c.usage for c in chunks), f"{case}: no usage")
        chunks = list(chat(case, stream=True,
                           stream_options={"include_usage": True}))
        same([c.usage.total_tokens for c in chunks if c.usage], [15],
             f"{case}: usage when asked for")


@test
def stream_helper():
    with client("claude-stream").chat.completions.stream(
            model="gpt-4o", messages=MESSAGES) as events:
        for _ in events:
            pass
        answer = events.get_final_completion()
    same(answer.choices[0].message.content, "one two three",
         "the library's own accumulation")


def calls_of(case):
    """Tool calls of a stream, put together as the library documents it."""
    calls = {}
    for chunk in chat(case, stream=True, tools=TOOLS):
        if not chunk.choices:
            continue
        for call in chunk.choices[0].delta.tool_calls or []:
            entry = calls.setdefault(call.index, ["", "", ""])
            entry[0] += call.id or ""
            entry[1] += call.function.name or ""
            entry[2] += call.function.arguments or ""
    return [calls[i] for i in sorted(calls)]


@test
def tools():
    answer = chat("openai-tools", tools=TOOLS)
    call = answer.choices[0].message.tool_calls[0]
    same(call.function.name, "get_current_weather", "a call: name")
    ok(json.loads(call.function.arguments), "a call: arguments")
    answer = chat("claude-tools", tools=TOOLS)
    calls = answer.choices[0].message.tool_calls
    same([c.function.name for c in calls], ["add", "multiply"],
         "parallel calls of claude")
    ok(all(json.loads(c.function.arguments) for c in calls), "arguments")
    same(answer.choices[0].finish_reason, "tool_calls", "finish")
    for case, names in (
            ("openai-tools-stream", ["get_weather", "get_product_name"]),
            ("claude-tools-stream", ["add", "multiply"]),
            ("gemini-tools", ["get_weather", "get_weather"])):
        calls = calls_of(case)
        same([c[1] for c in calls], names, f"{case}: names")
        ok(all(c[0] for c in calls), f"{case}: ids")
        same(len({c[0] for c in calls}), len(calls), f"{case}: ids differ")
        ok(all(isinstance(json.loads(c[2] or "{}"), dict) for c in calls),
           f"{case}: arguments are JSON")


@test
def reasoning():
    chunks = list(chat("claude-reasoning-stream", stream=True))
    text = "".join(getattr(c.choices[0].delta, "reasoning_content", "") or ""
                   for c in chunks if c.choices)
    ok("primes" in text, "reasoning is beside the text")


@test
def errors():
    for case, kind in (
            ("400", openai.BadRequestError),
            ("401", openai.AuthenticationError),
            ("403", openai.PermissionDeniedError),
            ("404", openai.NotFoundError),
            ("422", openai.UnprocessableEntityError),
            ("429", openai.RateLimitError),
            ("500", openai.InternalServerError),
            ("claude-429", openai.RateLimitError)):
        for streamed in (False, True):
            try:
                chat(case, stream=streamed)
                ok(False, f"{case}: raises")
            except openai.APIStatusError as error:
                same(type(error), kind, f"{case}: {kind.__name__}")
                same(error.body["message"],
                     f"the provider says {case[-3:]}", f"{case}: message")
                if case == "429":
                    same(error.code, "rate_limit_exceeded", "429: code")
                    same(error.response.headers["retry-after"], "1",
                         "429: Retry-After")
                    same(error.request_id, "req-sdk-1", "429: request id")
    try:
        client("plain").chat.completions.create(model="gpt-4o", messages=[])
        ok(False, "no messages: raises")
    except openai.BadRequestError as error:
        same(error.param, "messages", "the gateway's own error: param")
    try:
        chat("refused")
        ok(False, "refused: raises")
    except openai.InternalServerError as error:
        same(error.status_code, 502, "refused: 502")


@test
def retry():
    answer = client("retry-once", max_retries=2).chat.completions.create(
        model="gpt-4o", messages=MESSAGES)
    same(answer.choices[0].message.content, "after all",
         "the library retries a 429")


@test
def broken_streams():
    for case, text in (("cut", "one two "), ("claude-error", "one ")):
        got = ""
        try:
            for chunk in chat(case, stream=True):
                got += chunk.choices[0].delta.content or ""
            ok(False, f"{case}: raises")
        except openai.APIError:
            ok(True, f"{case}: raises")
        same(got, text, f"{case}: after what came")


@test
def raw_response():
    raw = client("plain").chat.completions.with_raw_response.create(
        model="gpt-4o", messages=MESSAGES)
    same(raw.headers["x-ratelimit-remaining-requests"], "41",
         "with_raw_response: rate limits")
    same(raw.headers["x-request-id"], "req-sdk-1", "request id")
    same(raw.parse().choices[0].message.content, "hello there", "parse")
    with client("stream").chat.completions.with_streaming_response.create(
            model="gpt-4o", messages=MESSAGES, stream=True) as response:
        same(response.headers["x-ratelimit-remaining-requests"], "41",
             "with_streaming_response: rate limits")
        lines = [line for line in response.iter_lines() if line]
    same(lines[-1], "data: [DONE]", "lines")


@test
def other_apis():
    same([m.id for m in client("models").models.list()], ["gpt-4o"], "models")
    answer = client("embeddings").embeddings.create(
        model="text-embedding-3-small", input="private-prompt",
        encoding_format="float")
    same(answer.data[0].embedding, [0.5, -0.25], "embeddings")
    same(answer.usage.total_tokens, 3, "embeddings: usage")


@test
def in_parallel():
    async def many():
        asynchronous = openai.AsyncOpenAI(
            base_url=f"{GATEWAY}/claude-stream/v1", api_key="sk-client",
            max_retries=0, timeout=20)

        async def one():
            text = ""
            async for chunk in await asynchronous.chat.completions.create(
                    model="gpt-4o", messages=MESSAGES, stream=True):
                text += chunk.choices[0].delta.content or ""
            return text
        return await asyncio.gather(*[one() for _ in range(20)])

    same(asyncio.run(many()), ["one two three"] * 20,
         "20 streams of the asynchronous client")


tap.run()
