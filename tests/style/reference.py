#!/usr/bin/env python3
"""README.md documents exactly what the tables of the code hold: directives,
fields of the blocks with their syntax, provider types, variables, metrics and
error codes."""

import pathlib
import re
import sys

sys.dont_write_bytecode = True

import provider_table
import vocabulary_table

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def source(name):
    return (ROOT / "src" / name).read_text()


def joined(literals):
    """The text of adjacent C string literals."""
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', literals)) \
        .replace('\\"', '"')


def table(text, name):
    """The initialiser of an array."""
    found = re.search(name + r"\b[^=;]*?(?:=\s*|\{)\{(.*?)\n\}", text, re.S)
    if not found:
        sys.exit(f"no table {name} in the sources")
    return found.group(1)


def directives():
    return set(re.findall(r'ngx_string\("(ai_proxy_\w+)"\)',
                          source("http/ngx_http_ai_proxy_module.cpp")))


def variables():
    rows = table(source("http/ngx_http_ai_proxy_variables.cpp"), "kVariables")
    return set(re.findall(r'\{"(ai_proxy_\w+)"', rows))


def fields():
    """Name to syntax."""
    rows = table(source("core/config/fields.cpp"), "kFields")
    literal = r'(?:"(?:[^"\\]|\\.)*"\s*)+'
    row = re.compile(rf"\{{({literal}),\s*({literal}),\s*({literal}),")
    return {joined(name): joined(syntax)
            for name, _, syntax in row.findall(rows)}


def route_fields():
    text = source("core/config/route_builder.cpp")
    line = text[text.index("RouteBuilder::line("):]
    rules = table(source("core/config/route_rules.cpp"), "kRules")
    return set(re.findall(r'name [=!]= "(\w+)"', line)) \
        | set(re.findall(r'^    \{"(\w+)",', rules, re.M))


def consumer_fields():
    rows = table(source("core/config/consumer_builder.cpp"),
                 "kConsumerFields")
    return set(re.findall(r'^    \{"(\w+)",', rows, re.M))


def types():
    rows = table(source("core/provider/registry.cpp"), "kTypes")
    return set(re.findall(r'^    \{"([\w-]+)",', rows, re.M))


def metrics():
    rows = table(source("core/metrics/exposition.cpp"), "kDescriptors") \
        + table(source("core/metrics/keys.cpp"), "kKeyMetrics") \
        + table(source("core/metrics/peers.cpp"), "kPeerMetrics") \
        + table(source("core/metrics/consumers.cpp"), "kConsumerMetrics") \
        + source("core/metrics/limits.cpp") \
        + source("core/metrics/redis.cpp")
    return set(re.findall(r'"(ai_proxy_\w*[a-z])"', rows))


def errors():
    rows = table(source("core/base/error.cpp"), "kRows")
    return set(re.findall(r'\{\w+,\s+"(\w+)"', rows)) - {"none"}


def section(title):
    """The text under a heading, to the next one of its level."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^\1 |^#{{1,2}} |\Z)",
                      README, re.S | re.M)
    if not found:
        sys.exit(f'README.md has no section "{title}"')
    return found.group(2)


def headings(title):
    return set(re.findall(r"^#{3,4} ([\w-]+)$", section(title), re.M))


def first_column(title):
    return set(re.findall(r"^\| `\$?([\w-]+)` \|", section(title), re.M))


def compare(what, code, readme):
    for name in sorted(code - readme):
        yield f"{what} {name} is not in README.md"
    for name in sorted(readme - code):
        yield f"{what} {name} of README.md is not in the code"


def syntax_faults(title, table_of_syntax):
    text = section(title)
    for name, syntax in table_of_syntax.items():
        found = re.search(rf"^#### {re.escape(name)}\n\n    Syntax:  +(.*?);\n",
                          text, re.S | re.M)
        wanted = f"{name} {syntax}"
        if found and " ".join(found.group(1).split()) != wanted:
            yield f"README.md has not the syntax \"{wanted}\""


def shape_faults():
    """Each directive and field has its three lines."""
    for title in ("Directives", "Fields of ai_proxy_provider",
                  "Fields of ai_proxy_route", "Fields of ai_proxy_consumer"):
        parts = re.split(r"^#{3,4} ([\w-]+)$", section(title), flags=re.M)
        for name, text in zip(parts[1::2], parts[2::2]):
            for line in ("Syntax:", "Default:", "Context:"):
                if not re.search(rf"^    {line}", text, re.M):
                    yield f"README.md: {name} has no line {line}"


def main():
    found = []
    found += compare("directive", directives(), headings("Directives"))
    found += compare("field", set(fields()),
                     headings("Fields of ai_proxy_provider"))
    found += syntax_faults("Fields of ai_proxy_provider", fields())
    found += compare("route field", route_fields(),
                     headings("Fields of ai_proxy_route"))
    found += compare("consumer field", consumer_fields(),
                     headings("Fields of ai_proxy_consumer"))
    found += compare("provider type", types(),
                     first_column("Provider types"))
    found += compare("variable", variables(), first_column("Variables"))
    found += compare("metric", metrics(), first_column("Metrics"))
    found += compare("error", errors(), first_column("Errors"))
    found += provider_table.faults()
    found += vocabulary_table.faults()
    found += shape_faults()
    print("\n".join(found))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
