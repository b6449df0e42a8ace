"""The openai library against a gateway: Responses relayed to OpenAI and
converted for others, and the APIs that are no chat."""

import base64
import functools
import json
import warnings

import openai
import pydantic

import replay
import tap
from replay import PROMPT, SCHEMA, compare, seen, sent
from tap import ok, same, test

TOOLS = [{"type": "function", "name": "get_weather", "strict": False,
          "description": "The weather", "parameters": SCHEMA}]
BYTES = bytes(range(256)) * 8


@functools.cache
def client(kind):
    return openai.OpenAI(base_url=f"{replay.GATEWAY}/{kind}/v1",
                         api_key=replay.KEY, max_retries=0, timeout=20)


def create(kind, **fields):
    return client(kind).responses.create(
        **{"model": "a-model", "input": PROMPT, **fields})


def streamed(kind, **fields):
    """The response as the library puts it together; its events on the way."""
    texts = {}
    with client(kind).responses.stream(
            **{"model": "a-model", "input": PROMPT, **fields}) as stream:
        for event in stream:
            if event.type == "response.output_text.delta":
                texts[event.output_index] = \
                    texts.get(event.output_index, "") + event.delta
        # The library has no words of its own for one that is incomplete.
        response = event.response if event.type == "response.incomplete" \
            else stream.get_final_response()
    same("".join(texts.values()), response.output_text,
         "the text is the sum of its pieces")
    return response


def calls_of(response):
    return [(i.name, i.arguments) for i in response.output
            if i.type == "function_call"]


###############################################################################
# Responses, relayed

def last_of(exchange):
    """The response that a recording ends with."""
    if exchange["wire"] == "json":
        return exchange["response"]["body"]
    events = [json.loads(line[5:]) for line in
              exchange["response"]["body_text"].splitlines()
              if line.startswith("data:")]
    return events[-1]["response"]


@test
def relayed():
    for name in ("responses-citations-servertools-01",
                 "responses-image-structured-reasoning-01",
                 "responses-refusal-structured-01",
                 "responses-toolcall-toolresult-reasoning-01",
                 "responses-toolcall-toolresult-reasoning-02",
                 "responses-stream-paralleltools-toolcall-reasoning-01",
                 "responses-stream-reasoning-cached-citations-01",
                 "responses-stream-refusal-structured-01",
                 "responses-stream-toolcall-toolresult-reasoning-01",
                 "responses-stream-toolcall-toolresult-structured-01"):
        exchange = replay.replay("openai", f"openai/{name}")
        body = {k: v for k, v in exchange["request"]["body"].items()
                if k != "stream"}
        wanted = last_of(exchange)
        if exchange["wire"] == "json":
            got = create("openai", **body)
        else:
            got = [e for e in create("openai", stream=True, **body)][-1] \
                .response
        if exchange["wire"] != "json":
            body["stream"] = True
        same(sent("openai"), body, f"{name}: request")
        same([i.model_dump(exclude_unset=True) for i in got.output],
             wanted["output"], f"{name}: output")
        same(got.status, wanted["status"], f"{name}: status")
        same(got.usage.model_dump(exclude_unset=True), wanted["usage"],
             f"{name}: usage")


@test
def previous_response():
    replay.replay("openai", "openai/responses-refusal-structured-01")
    create("openai", previous_response_id="resp_1")
    same(sent("openai")["previous_response_id"], "resp_1",
         "a provider that keeps responses gets the id")
    replay.replay("claude", "anthropic/messages-stop-01")
    try:
        create("claude", previous_response_id="resp_1")
        ok(False, "no other does")
    except openai.BadRequestError as error:
        same(error.param, "previous_response_id", "no other does")


@test
def kept_responses():
    replay.replay("openai", "openai/responses-refusal-structured-01")
    got = client("openai").responses.retrieve("resp_abc")
    same(got.object, "response", "a response that is kept")
    same((seen("openai")["method"], seen("openai")["path"]),
         ("GET", "/v1/responses/resp_abc"), "is asked for by its id")


@test
def counted():
    replay.answer_with("openai", json={
        "object": "response.input_tokens", "input_tokens": 11})
    got = client("openai").responses.input_tokens.count(
        model="a-model", input=PROMPT)
    same((got.input_tokens, seen("openai")["path"]),
         (11, "/v1/responses/input_tokens"), "who counts tokens is asked")
    got = client("claude").responses.input_tokens.count(
        model="a-model", input=PROMPT)
    same(got.object, "response.input_tokens", "else they are estimated")
    ok(0 < got.input_tokens < 200, "as some")


###############################################################################
# Responses, converted

def check(name, said, response):
    usage = response.usage
    wanted = said.choices[0]
    reasons = {"max_output_tokens": "length",
               "content_filter": "content_filter"}
    finish = "tool_calls" if calls_of(response) else "stop"
    if response.status == "incomplete":
        finish = reasons[response.incomplete_details.reason]
    if wanted.finish in ("stop", "tool_calls"):
        wanted.finish = "tool_calls" if wanted.calls else "stop"
    parts = [p for i in response.output if i.type == "message"
             for p in i.content]
    text = "".join(p.text if p.type == "output_text" else p.refusal
                   for p in parts)
    reasoning = "".join(s.text for i in response.output
                        if i.type == "reasoning" for s in i.summary)
    numbers = {"prompt": usage.input_tokens,
               "completion": usage.output_tokens,
               "total": usage.total_tokens,
               "cache_read": usage.input_tokens_details.cached_tokens,
               "reasoning": usage.output_tokens_details.reasoning_tokens} \
        if usage else {}
    if not usage and any(said.usage.values()):
        ok(False, f"{name}: no usage")
    compare(name, said, text, calls_of(response), finish, numbers, reasoning)


def answers(kind):
    replay.answers(kind, check, create, streamed, tools=TOOLS)


@test
def from_claude():
    answers("claude")


@test
def from_gemini():
    answers("gemini")


@test
def from_openai_chat():
    answers("deepseek")
    answers("mistral")


@test
def from_bedrock():
    answers("bedrock")


@test
def from_cohere():
    answers("cohere")


@test
def reasoning_comes_back():
    """A turn without a store: the items of the answer are sent again."""
    for kind, name in (
            ("claude", "anthropic/messages-stream-reasoning-01"),
            ("claude", "anthropic/messages-toolcall-toolresult-reasoning-01")):
        exchange = replay.replay(kind, name)
        wanted = replay.vendor.read(exchange, "anthropic").choices[0]
        make = create if exchange["wire"] == "json" else streamed
        answer = make(kind, tools=TOOLS, store=False,
                      include=["reasoning.encrypted_content"])
        replay.replay(kind, "anthropic/messages-stop-01")
        create(kind, tools=TOOLS, input=[
            {"role": "user", "content": PROMPT},
            *[i.model_dump(exclude_none=True) for i in answer.output],
            *[{"type": "function_call_output", "call_id": i.call_id,
               "output": "20 C"} for i in answer.output
              if i.type == "function_call"]])
        blocks = sent(kind)["messages"][1]["content"]
        same([b["signature"] for b in blocks if b["type"] == "thinking"],
             wanted.signatures, f"{name}: signatures in the next turn")
        same([b["id"] for b in blocks if b["type"] == "tool_use"],
             [c.id for c in wanted.calls], f"{name}: ids of calls")


@test
def tools_that_are_no_functions():
    """A custom tool and a namespace, for a provider that has neither."""
    tools = [{"type": "custom", "name": "patch"},
             {"type": "namespace", "name": "crm", "description": "Customers",
              "tools": [{"type": "function", "name": "find",
                         "parameters": SCHEMA}]}]
    calls = [("patch", {"input": "hello"}), ("crm__find", {"city": "x"})]
    replay.answer_with("claude", json={
        "id": "msg_1", "type": "message", "role": "assistant", "model": "c",
        "content": [{"type": "tool_use", "id": f"t{i}", "name": name,
                     "input": given} for i, (name, given) in enumerate(calls)],
        "stop_reason": "tool_use", "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 4}})
    answer = create("claude", tools=tools)
    same([t["name"] for t in sent("claude")["tools"]],
         [name for name, _ in calls], "both are functions")
    patch, find = answer.output
    same((patch.type, patch.name, patch.input),
         ("custom_tool_call", "patch", "hello"), "a call of the first")
    same((find.type, find.namespace, find.name),
         ("function_call", "crm", "find"), "a call of the other")
    answer_as_claude("done")
    create("claude", tools=tools, input=[
        {"role": "user", "content": PROMPT},
        *[i.model_dump(exclude_none=True) for i in answer.output],
        {"type": "custom_tool_call_output", "call_id": "t0", "output": "ok"},
        {"type": "function_call_output", "call_id": "t1", "output": "Ann"}])
    same([(b["name"], b["input"])
          for b in sent("claude")["messages"][1]["content"]],
         calls, "the next turn tells them again")


class Person(pydantic.BaseModel):
    name: str
    age: int


@test
def structured():
    answer_as_claude('{"name":"Ann","age":7}')
    got = client("claude").responses.parse(
        model="a-model", input=PROMPT, text_format=Person)
    same(got.output_parsed, Person(name="Ann", age=7), "parsed")
    schema = sent("claude")["output_config"]["format"]["schema"]
    same(sorted(schema["properties"]), ["age", "name"], "by its schema")


def answer_as_claude(text):
    replay.answer_with("claude", json={
        "id": "msg_1", "type": "message", "role": "assistant", "model": "c",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn", "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 4}})


@test
def errors():
    for kind, name, error in (
            ("openai", "openai/chat-error401-nchoices-01",
             openai.AuthenticationError),
            ("claude", "anthropic/messages-error429-01",
             openai.RateLimitError),
            ("gemini", "gemini/chat-error403-01",
             openai.PermissionDeniedError)):
        exchange = replay.replay(kind, name)
        for make in (create, streamed):
            try:
                make(kind)
                ok(False, f"{name}: raises")
            except openai.APIStatusError as raised:
                same(type(raised), error, f"{name}: {error.__name__}")
                same(raised.body["message"],
                     exchange["response"]["body"]["error"]["message"],
                     f"{name}: message")
    replay.replay("claude",
                  "anthropic/synthetic-messages-stream-streamerror-01")
    last = list(create("claude", stream=True))[-1]
    same(last.type, "response.failed", "a stream that breaks has failed")
    same(last.response.error.message, "Overloaded", "and says why")


###############################################################################
# what is no chat

@test
def embeddings():
    for kind, name in (("mistral", "mistral/embeddings-01"),
                       ("qwen", "dashscope/embeddings-01")):
        exchange = replay.replay(kind, name)
        recorded = exchange["response"]["body"]
        vectors = [e["embedding"] for e in recorded.get("data") or
                   recorded["output"]["embeddings"]]
        plain = client(kind).embeddings.create(
            model="e", input=["private-prompt"], encoding_format="float")
        same([e.embedding for e in plain.data], vectors, f"{name}: vectors")
        same(plain.usage.total_tokens, recorded["usage"]["total_tokens"],
             f"{name}: usage")
    # Without a format the library asks for base64 and decodes it.
    replay.replay("qwen", "dashscope/embeddings-01")
    packed = client("qwen").embeddings.create(model="e", input="x")
    near = [abs(a - b) < 1e-6 for e, v in zip(packed.data, vectors)
            for a, b in zip(e.embedding, v)]
    ok(len(near) > 100 and all(near), "vectors in base64")
    for name, error in (
            ("openai/embeddings-error400-01", openai.BadRequestError),
            ("openai/embeddings-error404-01", openai.NotFoundError)):
        replay.replay("openai", name)
        try:
            client("openai").embeddings.create(model="e", input="x")
            ok(False, f"{name}: raises")
        except openai.APIStatusError as raised:
            same(type(raised), error, f"{name}: {error.__name__}")


@test
def images():
    exchange = replay.replay("openai", "openai/images-structured-nchoices-01")
    body = exchange["request"]["body"]
    got = client("openai").images.generate(**body)
    recorded = exchange["response"]["body"]
    same([i.b64_json for i in got.data],
         [i["b64_json"] for i in recorded["data"]], "images")
    same(got.usage.total_tokens, recorded["usage"]["total_tokens"], "usage")
    same(sent("openai"), body, "their request")
    got = client("openai").images.edit(
        model="gpt-image-1", image=("a.png", BYTES, "image/png"),
        prompt="private-prompt")
    form = raw(seen("openai"))
    ok(BYTES in form and b'name="model"\r\n\r\ngpt-image-1' in form,
       "an image to edit arrives whole")
    same(len(got.data), len(recorded["data"]), "and comes back")
    try:
        replay.replay("openai", "openai/images-error400-01")
        client("openai").images.edit(
            model="m", image=("a.png", BYTES, "image/png"), prompt="p")
        ok(False, "an image that is refused: raises")
    except openai.BadRequestError as raised:
        ok(raised.body["message"], "an image that is refused: raises")


def raw(request):
    """The bytes of a request that are no text."""
    if "body" in request:
        return request["body"].encode()
    return base64.b64decode(request["body_base64"])


@test
def audio():
    replay.answer_with("openai", body_base64=base64.b64encode(BYTES).decode(),
                       headers=[["content-type", "audio/mpeg"]])
    got = client("openai").audio.speech.create(
        model="tts-1", voice="alloy", input=PROMPT)
    same(got.content, BYTES, "speech")
    same(sent("openai")["input"], PROMPT, "of the text")
    with client("openai").audio.speech.with_streaming_response.create(
            model="tts-1", voice="alloy", input=PROMPT) as streaming:
        same(b"".join(streaming.iter_bytes()), BYTES, "speech in pieces")
    replay.answer_with("openai", json={
        "text": "hello there", "usage": {
            "type": "tokens", "input_tokens": 5, "output_tokens": 2,
            "total_tokens": 7}})
    got = client("openai").audio.transcriptions.create(
        model="gpt-4o-transcribe", file=("a.wav", BYTES, "audio/wav"),
        language="en")
    same((got.text, got.usage.total_tokens), ("hello there", 7),
         "a transcription")
    form = raw(seen("openai"))
    ok(BYTES in form and b'name="language"\r\n\r\nen' in form,
       "of the bytes that were sent")
    replay.answer_with("openai", body="1\n00:00 --> 00:01\nhello\n",
                       headers=[["content-type", "text/plain"]])
    warnings.simplefilter("ignore")  # the library would not have it any more
    got = client("openai").audio.translations.create(
        model="whisper-1", file=("a.wav", BYTES, "audio/wav"),
        response_format="srt")
    same(got, "1\n00:00 --> 00:01\nhello\n", "a translation as subtitles")
    replay.answer_with("openai", events=[
        {"type": "transcript.text.delta", "delta": "hello "},
        {"type": "transcript.text.delta", "delta": "there"},
        {"type": "transcript.text.done", "text": "hello there"}])
    events = list(client("openai").audio.transcriptions.create(
        model="gpt-4o-transcribe", file=("a.wav", BYTES, "audio/wav"),
        stream=True))
    same([e.type for e in events][-1], "transcript.text.done",
         "a transcription as a stream")


@test
def files():
    file = {"id": "file-1", "object": "file", "bytes": len(BYTES),
            "created_at": 1, "filename": "a.bin", "purpose": "user_data",
            "status": "processed"}
    replay.answer_with("openai", json=file)
    made = client("openai").files.create(
        file=("a.bin", BYTES), purpose="user_data")
    same((made.id, made.bytes), ("file-1", len(BYTES)), "a file")
    ok(BYTES in raw(seen("openai")), "arrives whole")
    same(client("openai").files.retrieve("file-1").filename, "a.bin",
         "is described")
    replay.answer_with("openai", body_base64=base64.b64encode(BYTES).decode(),
                       headers=[["content-type", "application/octet-stream"]])
    same(client("openai").files.content("file-1").content, BYTES,
         "is read again")
    replay.answer_with("openai", json={"object": "list", "data": [file],
                                       "has_more": False})
    same([f.id for f in client("openai").files.list(limit=3)], ["file-1"],
         "is listed")
    ok(seen("openai")["path"].endswith("/v1/files?limit=3"), "with arguments")
    replay.answer_with("openai", json={
        "id": "file-1", "object": "file", "deleted": True})
    ok(client("openai").files.delete("file-1").deleted, "is deleted")
    same(seen("openai")["method"], "DELETE", "by its method")


@test
def others():
    exchange = replay.replay("openai", "openai/models-01")
    recorded = exchange["response"]["body"]["data"]
    same([m.id for m in client("openai").models.list()],
         [m["id"] for m in recorded], "models")
    exchange = replay.replay("openai", "openai/moderations-image-01")
    recorded = exchange["response"]["body"]["results"]
    got = client("openai").moderations.create(input=PROMPT)
    same([r.flagged for r in got.results], [r["flagged"] for r in recorded],
         "moderations")
    for stream in (False, True):
        name = "openai/completions-stream-truncated-01" if stream \
            else "openai/completions-stop-nchoices-truncated-01"
        exchange = replay.replay("openai", name)
        got = client("openai").completions.create(
            model="m", prompt=PROMPT, stream=stream)
        chunks = list(got) if stream else [got]
        recorded = exchange["response"].get("body")
        bodies = [recorded] if recorded else [
            json.loads(line[6:]) for line in
            exchange["response"]["body_text"].splitlines()
            if line.startswith("data: {")]
        same("".join(c.choices[0].text for c in chunks if c.choices),
             "".join(b["choices"][0]["text"] for b in bodies
                     if b["choices"]), f"{name}: text")
    # The older completions, where only chat is to be had.
    name = "anthropic/messages-stop-01"
    exchange = replay.replay("claude", name)
    said = replay.vendor.read(exchange, "anthropic")
    got = client("claude").completions.create(model="m", prompt=PROMPT)
    same(got.choices[0].text, said.choices[0].text, "completions of Claude")
    same(got.usage.total_tokens, said.usage["total"], "and their usage")


tap.run()
