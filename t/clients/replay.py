"""What the scripts of the client libraries share: providers that answer with
recordings, and what was said in them."""

import http.client
import json
import os
from urllib.parse import urlsplit

import vendor
from answer import same_arguments
from tap import ok

GATEWAY = os.environ["GATEWAY"]
ROOT = os.environ["AI_PROXY_FIXTURES"]
KEY = "sk-client"
PROMPT = "private-prompt hello"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}},
          "required": ["city"]}

# Provider type -> folder of its recordings, and the reader of vendor.py.
FOLDERS = {"openai": ("openai", "openai"), "deepseek": ("deepseek", "openai"),
           "claude": ("anthropic", "anthropic"), "gemini": ("gemini", "gemini"),
           "bedrock": ("bedrock", "bedrock"), "cohere": ("cohere", "cohere"),
           "qwen": ("dashscope", "dashscope"), "groq": ("groq", "openai"),
           "mistral": ("mistral", "openai")}

upstream = http.client.HTTPConnection(urlsplit(os.environ["UPSTREAM"]).netloc)


def control(command, data=None):
    upstream.request("POST", f"/-/{command}", json.dumps(data or {}))
    return json.loads(upstream.getresponse().read())


def recording(name):
    with open(f"{ROOT}/{name}.json", encoding="utf-8") as f:
        return json.load(f)


def replay(kind, name):
    """From here on the provider of this type answers so; the recording."""
    control("behave", {kind: {"fixture": f"{ROOT}/{name}.json"}})
    control("clear")
    return recording(name)


def answer_with(kind, **behaviour):
    control("behave", {kind: behaviour})
    control("clear")


def seen(kind):
    """The last request that the provider got."""
    found = [r for r in control("log")["requests"] if r["name"] == kind]
    return found[-1]


def sent(kind):
    return json.loads(seen(kind)["body"])


def chats(kind):
    """Names of the recorded chats that ended well, and their Answer."""
    folder, family = FOLDERS[kind]
    for file in sorted(os.listdir(f"{ROOT}/{folder}")):
        name = f"{folder}/{file[:-5]}"
        exchange = recording(name)
        chat = "messages" if kind == "claude" else "chat"
        if exchange["api"] != chat or exchange["response"]["status"] >= 300 \
                or exchange["wire"] == "json-array-stream":
            continue
        said = vendor.read(exchange, family)
        if said.error is None:
            yield name, said


def answers(kind, check, create, streamed, **fields):
    """What the provider of this type has said, asked for as it was."""
    for name, said in chats(kind):
        exchange = replay(kind, name)
        make = create if exchange["wire"] == "json" else streamed
        check(name, said, make(kind, **fields))


def compare(name, said, text, calls, finish=None, usage=None, reasoning=None):
    """One test: what a library gives against what the vendor said.

    calls: (name, arguments as JSON text or object); usage: names of Answer."""
    wrong = []
    choice = said.choices.get(0)
    if text != choice.text + choice.refusal:
        wrong.append(f"text {choice.text + choice.refusal!r} became {text!r}")
    if reasoning is not None and reasoning != choice.reasoning:
        wrong.append(f"reasoning {choice.reasoning!r} became {reasoning!r}")
    if len(calls) != len(choice.calls):
        wrong.append(f"{len(choice.calls)} calls became {calls}")
    for (called, arguments), wanted in zip(calls, choice.calls):
        if not isinstance(arguments, str):
            arguments = json.dumps(arguments)
        if called != wanted.name \
                or not same_arguments(arguments, wanted.arguments):
            wrong.append(f"{wanted} became {called} {arguments}")
    if finish is not None and finish != choice.finish:
        wrong.append(f"finish {choice.finish} became {finish}")
    for kind, number in (usage or {}).items():
        if said.usage.get(kind, 0) != (number or 0):
            wrong.append(f"usage: {kind} {said.usage.get(kind, 0)} became "
                         f"{number}")
    ok(not wrong, name)
    for sentence in wrong:
        print(f"# {name}: {sentence}"[:1500], flush=True)
