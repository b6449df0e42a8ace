"""Answers through two conversions and more, and back: what OpenAI's client
gets of a vendor, given to a client of another dialect, read again by the
decoder of that dialect's vendor."""

import copy

import client
from answer import REDACTED, differences, unmarked, usage_differences
from checks_own import check_state

SPLITS = [0, 1, 2, 3, 7, "events"]
CLAUDE = {"provider": "claude", "options": {"api_token": "k"}}
GEMINI = {"provider": "gemini", "options": {"api_token": "k"}}
OPENAI = {"provider": "openai", "options": {"api_token": "k"}}

# What vendors say that is no word of OpenAI's.
WORDS = {"tool_call": "tool_calls", "sensitive": "content_filter"}

# The dialect of the first client, then (provider, next dialect) to the last,
# which is chat.
CHAINS = {
    "chat-messages-chat": ["chat", (OPENAI, "messages"), (CLAUDE, "chat")],
    "chat-gemini-chat": ["chat", (OPENAI, "gemini"), (GEMINI, "chat")],
    "messages-gemini-chat": ["messages", (CLAUDE, "gemini"),
                             (GEMINI, "chat")],
    "gemini-messages-chat": ["gemini", (GEMINI, "messages"),
                             (CLAUDE, "chat")],
}


def plan(run, case, base, said):
    if said.error is not None:
        return
    for name, (first, *hops) in CHAINS.items():
        through = [dict(provider, to=to, show_usage=True,
                        stream=base["stream"]) for provider, to in hops]
        same = []
        for split in SPLITS if base["stream"] else (0, 7):
            run.add(case, f"{name}, split {split}", dict(
                base, to=first, through=through, show_usage=True,
                split=split), checker(said, name, base["stream"], same))


def checker(said, name, stream, same):
    def check(answer):
        if same and same[0] != answer.get("output"):
            yield "the output depends on how the input was split"
        same.append(answer.get("output"))
        yield from check_state(answer, "whole")
        read = client.read_stream(answer["output"], True) if stream \
            else client.read_plain(answer["output"])
        wanted = expected(said, name)
        got = plain(read, name)
        for index, choice in wanted.choices.items():
            if not choice.finish and index in got.choices:
                # Some vendors do not say why; the others must.
                choice.finish = got.choices[index].finish
        yield from differences(wanted, got, True)
        if any(said.usage.values()):
            yield from usage_differences(counted(said.usage, name), got.usage)
    return check


def expected(said, name):
    """What can be left of an answer on the way."""
    return plain(copy.deepcopy(said), name)


def plain(answer, name):
    """An answer without what a dialect on the way has no word for."""
    if "messages" in name:
        # Messages and the first choice of them.
        answer.choices = {k: v for k, v in answer.choices.items() if k == 0}
    for choice in answer.choices.values():
        # A refusal is a text that ends so.
        if choice.refusal:
            choice.text += choice.refusal
            choice.refusal = ""
            choice.finish = "content_filter"
        choice.finish = WORDS.get(choice.finish, choice.finish)
        if choice.calls and choice.finish == "stop":
            choice.finish = "tool_calls"
        # A call is not signed itself but its thoughts are, or the reverse.
        # A mark alone says that nobody signed it.
        signed = choice.signatures + [c.signature for c in choice.calls]
        choice.signatures = sorted(
            s for s in map(unmarked, signed)
            if s and not s.startswith(REDACTED))
        for call in choice.calls:
            call.signature = ""
            call.arguments = call.arguments or "{}"
        if "gemini" in name:
            choice.redacted = []
    return answer


def counted(usage, name):
    out = dict(usage)
    if "gemini" in name:
        out["cache_write"] = 0
    return out
