#!/usr/bin/env python3
"""The table in README.md of what providers have no words for, made from the
vocabularies of the sources.

usage: vocabulary_table.py [--write]: prints the table, or puts it in place."""

import re
import sys

import readme_table
from readme_table import PROVIDER

HEAD = ["| protocol | left out of a chat request | own members |",
        "|---|---|---|"]

# OpenAI's fields as a vocabulary names them, and as the README does.
FIELDS = {
    "max_tokens": "max_tokens", "temperature": "temperature",
    "top_p": "top_p", "n": "n", "seed": "seed", "stop": "stop",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty", "logit_bias": "logit_bias",
    "logprobs": "logprobs", "top_logprobs": "top_logprobs",
    "modalities": "modalities", "audio": "audio",
    "prediction": "prediction", "verbosity": "verbosity",
    "web_search_options": "web_search_options", "user": "user",
    "service_tier": "service_tier", "metadata": "metadata",
    "store": "store", "prompt_cache_key": "prompt_cache_key",
    "prompt_cache_retention": "prompt_cache_retention",
    "reasoning_effort": "reasoning_effort", "tools": "tools",
    "tools.strict": "tools[].function.strict",
    "tool_choice.none": "tool_choice none",
    "tool_choice.required": "tool_choice required",
    "tool_choice.named": "tool_choice of a function",
    "parallel_tool_calls": "parallel_tool_calls",
    "response_format.json_object": "response_format json_object",
    "response_format.json_schema": "response_format json_schema",
    "messages.name": "messages[].name",
    "image_url.detail": "image_url.detail",
}
TITLES = {
    "claude": "Claude (also on Vertex AI, and by InvokeModel)",
    "gemini": "Gemini (also on Vertex AI)",
    "bedrock": "Bedrock, Converse", "qwen": "Qwen, native",
    "cohere": "Cohere", "ollama": "Ollama, native",
    "cloudflare": "Workers AI, native", "baidu": "Baidu, before version 2",
    "minimax": "MiniMax, chatcompletion_pro", "hunyuan": "Hunyuan, native",
    "coze": "Coze", "dify": "Dify", "deepl": "DeepL", "triton": "Triton",
}


def array(text, name):
    found = re.search(rf"string_view(?:, \d+>)? {name}(?:\[\] = )?\{{(.*?)\}};",
                      text, re.S)
    return re.findall(r'"([^"]+)"', found.group(1)) if found else []


def vocabularies():
    """Name of each protocol to its words and its own members."""
    for path in PROVIDER.glob("*.cpp"):
        text = path.read_text()
        found = re.search(r"constexpr Vocabulary kVocabulary\{kWords(?:, "
                          r"(\w+))?\};", text)
        name = re.search(r'^const Protocol k\w+\{\s*"(\w+)"', text, re.M)
        if found and name:
            yield name.group(1), array(text, "kWords"), \
                array(text, found.group(1)) if found.group(1) else []


def line(name, words, own):
    unknown = {w for w in words if "." in w} - set(FIELDS)
    if unknown:
        sys.exit(f"{name}: unknown words {unknown}")
    if "tools" in words:
        left = [shown for word, shown in FIELDS.items() if word not in words]
    else:
        left = [shown for word, shown in FIELDS.items() if word not in words
                and not word.startswith(("tools.", "tool_choice", "parallel"))]
    extra = [w for w in words if w not in FIELDS]
    if len(left) > len(FIELDS) // 2 + 4:
        kept = [shown for word, shown in FIELDS.items() if word in words]
        text = "all but " + ", ".join(f"`{f}`" for f in kept)
        text = text if kept else "all"
    else:
        text = ", ".join(f"`{f}`" for f in left)
    return (f"| {TITLES[name]} | {text} | "
            f"{', '.join(f'`{f}`' for f in extra + own) or '-'} |")


def table():
    found = {name: (words, own) for name, words, own in vocabularies()}
    missing = set(TITLES) ^ set(found)
    if missing:
        sys.exit(f"vocabularies and titles differ: {missing}")
    return "\n".join(HEAD + [line(name, *found[name])
                             for name in TITLES]) + "\n"


def faults():
    return readme_table.faults(table(), "vocabulary_table.py")


if __name__ == "__main__":
    readme_table.main(table(), HEAD[0])
