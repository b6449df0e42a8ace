#!/usr/bin/env python3
"""The table of provider types in README.md, made from the registry.

usage: provider_table.py [--write]: prints the table, or puts it in place."""

import re

import readme_table
from readme_table import PROVIDER

HEAD = ["| type | provider | chat is | address | credential | APIs |",
        "|---|---|---|---|---|---|"]

# What the README calls an API; those that go together have one name.
NAMES = {
    "chat_completions": "chat", "completions": "completions",
    "embeddings": "embeddings", "audio_speech": "speech",
    "audio_transcriptions": "transcriptions",
    "audio_translations": "translations", "realtime": "realtime",
    "gemini_models": "models", "gemini_model": "models",
    "image_generations": "images", "image_variations": "images",
    "image_edits": "images", "batches": "batches", "batch": "batches",
    "batch_cancel": "batches", "files": "files", "file": "files",
    "file_content": "files", "models": "models", "model": "models",
    "fine_tuning": "fine-tuning", "responses": "responses",
    "response": "responses", "videos": "videos", "video": "videos",
    "moderations": "moderations", "rerank": "rerank",
    "messages": "Messages", "messages_count": "count_tokens",
    "responses_compact": "responses", "responses_count": "responses",
    "complete": "complete", "gemini_count": "countTokens",
    "gemini_generate": "generateContent", "gemini_stream": "generateContent",
}

CREDENTIALS = {
    "none": "-", "bearer": "Bearer", "bearer_optional": "Bearer, optional",
    "bearer_or_client": "Bearer, or the client's own",
    "raw_authorization": "Authorization without scheme",
    "api_key": "api-key", "x_api_key": "x-api-key",
    "x_goog_api_key": "x-goog-api-key", "query_key": "key in the query",
    "basic": "Basic", "deepl": "DeepL-Auth-Key",
    "aws": "Bearer, or AWS Signature Version 4",
    "google": "access token of a service account, or key in the query",
}


def sources():
    return "\n".join(path.read_text() for path in sorted(PROVIDER.iterdir()))


def path_tables(text):
    """Name of each table to the names of its APIs, in order."""
    tables = {}
    for name, body in re.findall(
            r"constexpr ApiPath (\w+)\[\] = \{\n(.*?)\n\};", text, re.S):
        found = []
        for api in re.findall(r"\{(?:dialect::)?Api::(\w+),", body):
            if NAMES[api] not in found:
                found.append(NAMES[api])
        tables[name] = found
    return tables


def translations(text):
    """Name of each table of translations to the names of its APIs."""
    return {name: list(dict.fromkeys(
                NAMES[api] for api in re.findall(r"Api::(\w+),", body)))
            for name, body in re.findall(
                r"constexpr Translation (\w+)\[\] = \{\n(.*?)\n\};", text,
                re.S)}


def mock_apis():
    """The names of the APIs that the mock answers: it lists no paths."""
    text = (PROVIDER / "mock.cpp").read_text()
    found = re.findall(r"is_api\(api_name, Api::(\w+)\)", text)
    return [NAMES[api] for api in found]


def host_fields():
    """Type to the fields that name its host."""
    text = (PROVIDER / "endpoint.cpp").read_text()
    table = text[text.index("kHostOptions[] = {"):]
    fields = {"ollama": ["ollama_server_host"], "vertex": ["vertex_region"],
              "bedrock": ["aws_region"]}
    for kind, field in re.findall(r'\{"([\w-]+)", "(\w+)", &Options',
                                  table[:table.index("\n};")]):
        fields.setdefault(kind, []).append(field)
    return fields


def type_rows(text):
    """The members of each row of kTypes as they are written."""
    table = re.search(r"constexpr Type kTypes\[\] = \{\n(.*?)\n\};", text,
                      re.S).group(1)
    for row in re.findall(r"^    \{(\".*?)\}(?:,|\Z)(?=\n    \{|\Z)", table,
                          re.S | re.M):
        yield [m.strip() for m in re.findall(r'"(?:[^"\\]|\\.)*"|[^,"]+', row)
               if m.strip()]


def line(members, tables, fields):
    name, title = (m.strip('"') for m in members[:2])
    protocol, host, tls, credential, paths = members[2:7]
    relay = members[8] == "true"
    chat = "relayed" if relay else "converted"
    if members[-1].startswith("&k") and members[-1].endswith("Native"):
        chat += " or converted"
    address = host.strip('"')
    if not address:
        address = ", ".join(f"`{f}`" for f in fields.get(name, [])
                            + ["base_url"])
    if tls == "false":
        address += " (http)"
    apis = list(tables.get(paths, ["all"]))
    for member in members:
        apis += [api for api in tables.get(member, [])
                 if member.endswith("Translations") and api not in apis]
    if members[11] == "true":
        chat, address, apis = "answered here", "-", mock_apis()
    return (f"| `{name}` | {title} | {chat} | {address} | "
            f"{CREDENTIALS[credential.split('::')[1]]} | {', '.join(apis)} |")


def table():
    text = sources()
    tables, fields = path_tables(text), host_fields()
    tables.update(translations(text))
    rows = [line(members, tables, fields) for members in type_rows(text)]
    return "\n".join(HEAD + rows) + "\n"


def faults():
    return readme_table.faults(table(), "provider_table.py")


if __name__ == "__main__":
    readme_table.main(table(), HEAD[0])
