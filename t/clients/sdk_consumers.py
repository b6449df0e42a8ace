"""Libraries of several vendors as consumers of a gateway (GATEWAY: its
address, JWT_SECRET: base64url of what signs tokens)."""

import base64
import hashlib
import hmac
import json
import os
import time

import anthropic
import openai
from google import genai
from google.genai import errors, types

import tap
from tap import ok, same, test

GATEWAY = os.environ["GATEWAY"]
MESSAGES = [{"role": "user", "content": "hello"}]


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(**claims):
    signed = ".".join(base64url(json.dumps(part).encode()) for part in (
        {"alg": "HS256", "typ": "JWT"},
        {"iss": "https://login.test/", "exp": int(time.time()) + 600,
         **claims}))
    secret = base64.urlsafe_b64decode(os.environ["JWT_SECRET"])
    mac = hmac.digest(secret, signed.encode(), hashlib.sha256)
    return f"{signed}.{base64url(mac)}"


def client(place, key):
    return openai.OpenAI(base_url=f"{GATEWAY}/{place}/v1", api_key=key,
                         max_retries=0, timeout=20)


def chat(place, key, model="gpt-4o", **fields):
    return client(place, key).chat.completions.create(
        model=model, messages=MESSAGES, **fields)


def message(place, key, model="gpt-4o"):
    return anthropic.Anthropic(
        base_url=f"{GATEWAY}/{place}", api_key=key, max_retries=0, timeout=20
    ).messages.create(model=model, max_tokens=4, messages=MESSAGES)


def generate(place, key, model="gpt-4o"):
    # It closes its connections when nobody holds it any more.
    made = genai.Client(api_key=key, http_options=types.HttpOptions(
        base_url=f"{GATEWAY}/{place}", timeout=20_000))
    return made.models.generate_content(model=model, contents="hello")


def refusal(kind, call, *args, **fields):
    """The error of this kind that a call ends with."""
    try:
        call(*args, **fields)
    except kind as error:
        return error
    return None


@test
def openai_keys():
    same(chat("openai", "sk-alice").choices[0].message.content,
         "hello there", "openai: a key")
    chunks = list(chat("stream", "sk-alice", stream=True))
    same("".join(c.choices[0].delta.content or "" for c in chunks
                 if c.choices), "one two three", "openai: a stream")
    for key in ("sk-alic", "sk-alice2", "SK-ALICE"):
        error = refusal(openai.AuthenticationError, chat, "openai", key)
        ok(error is not None, f"openai: {key} is no key")
        same(error.code, "invalid_api_key", "openai: and has that code")
        ok(key not in str(error), "openai: it is not repeated")


@test
def openai_models():
    ok(chat("openai", "sk-bob", "gpt-4o-mini"), "openai: an allowed model")
    error = refusal(openai.NotFoundError, chat, "openai", "sk-bob", "gpt-5")
    same(error and error.code, "model_not_found", "openai: another")
    same([m.id for m in client("list", "sk-bob").models.list()], ["gpt-4o"],
         "openai: the list has what may be used")
    same(sorted(m.id for m in client("list", "sk-alice").models.list()),
         ["claude-x", "gpt-4o", "gpt-5"], "openai: all, who may use all")


@test
def openai_tokens():
    ok(chat("openai", token(sub="someone")), "openai: a signed token")
    for name, bad in (
            ("another issuer", token(iss="https://other.test/")),
            ("an old one", token(exp=int(time.time()) - 3600)),
            ("a changed one", token()[:-6] + "AAAAAA")):
        ok(refusal(openai.AuthenticationError, chat, "openai", bad),
           f"openai: {name} is refused")


@test
def openai_budget():
    ok(chat("poor0", "sk-carol"), "openai: within the budget")
    error = refusal(openai.RateLimitError, chat, "poor0", "sk-carol")
    ok(error is not None, "openai: it is spent")
    same(error.response.headers.get("x-ratelimit-limit-tokens"), "10",
         "openai: its size is told")
    ok(int(error.response.headers["retry-after"]) > 0,
       "openai: and when to come again")
    ok(chat("poor0", "sk-alice"), "openai: others have none")


@test
def anthropic_keys():
    same(message("claude", "sk-alice").content[0].text, "hello there",
         "anthropic: a key")
    ok(refusal(anthropic.AuthenticationError, message, "claude", "sk-none"),
       "anthropic: no key")
    ok(refusal(anthropic.NotFoundError, message, "claude", "sk-bob",
               "claude-x"), "anthropic: a model of others")
    ok(message("poor1", "sk-carol"), "anthropic: within the budget")
    error = refusal(anthropic.RateLimitError, message, "poor1",
                    "sk-carol")
    same(error and error.body["error"]["type"], "rate_limit_error",
         "anthropic: it is spent")


@test
def google_keys():
    same(generate("openai", "sk-alice").text, "hello there", "google: a key")
    for key, model, code in (("sk-none", "gpt-4o", 401),
                             ("sk-bob", "gpt-5", 404)):
        error = refusal(errors.ClientError, generate, "openai", key, model)
        same(error and error.code, code, f"google: {key} for {model}")
    ok(generate("poor2", "sk-carol"), "google: within the budget")
    error = refusal(errors.ClientError, generate, "poor2", "sk-carol")
    same(error and (error.code, error.status), (429, "RESOURCE_EXHAUSTED"),
         "google: it is spent")


tap.run()
