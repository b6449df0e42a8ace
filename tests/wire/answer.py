"""The common form in which recordings and the gateway's output are compared.

Written against the vendors' documents, not against the gateway's source."""

import base64
import json
import re
from dataclasses import dataclass, field


@dataclass
class Call:
    name: str = ""
    arguments: str = ""
    id: str = ""
    signature: str = ""


@dataclass
class Choice:
    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    finish: str = ""
    calls: list = field(default_factory=list)
    signatures: list = field(default_factory=list)
    redacted: list = field(default_factory=list)


@dataclass
class Answer:
    choices: dict = field(default_factory=dict)
    usage: dict = field(default_factory=dict)
    error: dict = None
    whole: bool = True

    def choice(self, index):
        return self.choices.setdefault(index, Choice())


# Before what one vendor signed, where another one's signature would be expected
# (README, Dialects).  In a chain of gateways there may be several.
MARKS = re.compile("(cHJveHk6(Z29vZ2xl(Zm46)?|YW1hem9u|(dmVuZG9y))?)+")

# Before hidden thoughts in Google's dialect: base64 of "redacted:".
REDACTED = "cmVkYWN0ZWQ6"


def unmarked(signature):
    found = MARKS.match(signature)
    if not found:
        return signature
    rest = signature[found.end():]
    if found[4] is None:
        return rest
    # The object of a vendor like OpenAI, but for its text.
    held = json.loads(base64.b64decode(rest))["object"]
    return unmarked(held.get("signature") or held["data"])


class Malformed(Exception):
    """The text is not what the format asks for."""


def parse_sse(text):
    """Events by the rules of the HTML standard, 9.2.6: (event, data, id)."""
    events, event, data, ident, comments = [], "", [], "", []
    text = text.removeprefix("\ufeff")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for line in lines:
        if line == "":
            if data or comments:
                events.append((event, "\n".join(data) if data else None,
                               comments))
            event, data, comments = "", [], []
            continue
        if line.startswith(":"):
            comments.append(line[1:])
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            event = value
        elif name == "data":
            data.append(value)
        elif name == "id":
            ident = value
    if data:
        # A last event without its blank line: the gateway takes it.
        events.append((event, "\n".join(data), comments))
    return events


def same_arguments(left, right):
    """Arguments are JSON texts: equal as text, or as values."""
    if left == right:
        return True
    try:
        return json.loads(left or "{}") == json.loads(right or "{}")
    except ValueError:
        return False


def differences(expected, got, conversion):
    """Sentences on what is not equal; empty when all is."""
    out = []
    if set(expected.choices) != set(got.choices):
        out.append(f"choices {sorted(expected.choices)} became "
                   f"{sorted(got.choices)}")
    for index in sorted(set(expected.choices) & set(got.choices)):
        want, have = expected.choices[index], got.choices[index]
        for name in ("text", "reasoning", "refusal", "finish"):
            a, b = getattr(want, name), getattr(have, name)
            if a != b:
                out.append(f"choice {index}: {name} {a[-200:]!r} became "
                           f"{b[-200:]!r}")
        if len(want.calls) != len(have.calls):
            out.append(f"choice {index}: {len(want.calls)} tool calls became "
                       f"{len(have.calls)}")
        for i, (a, b) in enumerate(zip(want.calls, have.calls)):
            if a.name != b.name:
                out.append(f"tool {i}: name {a.name!r} became {b.name!r}")
            if not same_arguments(a.arguments, b.arguments):
                out.append(f"tool {i}: arguments {a.arguments!r} became "
                           f"{b.arguments!r}")
            if a.id and a.id != b.id:
                out.append(f"tool {i}: id {a.id!r} became {b.id!r}")
            if not b.id:
                out.append(f"tool {i}: no id")
            if a.signature != b.signature:
                out.append(f"tool {i}: signature {a.signature[:40]!r} became "
                           f"{b.signature[:40]!r}")
        if conversion:
            if want.signatures != have.signatures:
                out.append(f"choice {index}: {len(want.signatures)} signatures "
                           f"became {len(have.signatures)}, or differ")
            if want.redacted != have.redacted:
                out.append(f"choice {index}: redacted blocks differ")
    return out


def usage_differences(expected, got):
    out = []
    for name in ("prompt", "completion", "total", "cache_read", "cache_write",
                 "reasoning"):
        a, b = expected.get(name, 0), (got or {}).get(name, 0)
        if a != b:
            out.append(f"usage: {name} {a} became {b}")
    return out
