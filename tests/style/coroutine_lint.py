#!/usr/bin/env python3
"""Refuses shapes of co_await that compilers get wrong.

GCC 12 frees objects twice, and clang 14 leaks them, in many expressions with
co_await; the four statements below are right everywhere:

    auto x = co_await E;    x = co_await E;
    co_await E;             co_return co_await E;

where E holds no brace, bracket, '?', '&&', '||' and no second co_await.
Prints FILE:LINE: message and exits with 1 when something is refused.

usage: coroutine_lint.py PATH...      files or folders
       coroutine_lint.py --self-test
"""

import pathlib
import re
import sys

SUFFIXES = {".h", ".cpp"}

TOKENS = re.compile(
    r"""
      //[^\n]*
    | /\*.*?\*/
    | (?:u8|[uUL])?R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)"
    | "(?:\\.|[^"\\\n])*"
    | (?<![0-9a-fA-F])'(?:\\.|[^'\\\n])*'
    | ^[ \t]*\#(?:[^\n\\]|\\.|\\\n)*
    """,
    re.X | re.S | re.M,
)

LABEL = re.compile(r"^(?:(?:case\b(?:[^:]|::)*|default)\s*:(?!:)\s*)+")
STATEMENT = re.compile(
    r"^(?:\(void\)\s*|co_return\s+|(?P<left>[^=]*[^=\s!<>+\-*/%&|^])\s*=\s*)?"
    r"co_await\b(?P<operand>.*)$",
    re.S,
)
LAMBDA = re.compile(r"\](?:\s*\([^{};]*\))?[^{};()\[\]]*->\s*[\w:]*\bTask\b")
STORED = re.compile(r"\bTask\s*<[^;(){}]*>\s*[&*]*\s*\w+\s*(?:=|\{)")
ALIGNED = re.compile(r"\balignas\s*\(\s*(\d+)\s*\)")


def blank(text):
    """text without comments, literals and directives, line numbers kept."""

    def spaces(match):
        found = match.group()
        kept = "\n" * found.count("\n")
        is_literal = found[0] in "\"'" or found[-1] in "\"'"
        return ('""' if is_literal and not found.startswith("/") else " ") + kept

    return TOKENS.sub(spaces, text)


def enclosing(text, at):
    """The bracket that is open at this offset, or ''."""
    depth = 0
    for i in range(at - 1, -1, -1):
        if text[i] in ")]}":
            depth += 1
        elif text[i] in "([{":
            if depth == 0:
                return text[i]
            depth -= 1
    return ""


def statement_begin(text, at):
    """Of a statement that no parentheses enclose."""
    depth = 0
    for i in range(at - 1, -1, -1):
        c = text[i]
        if c in ")]":
            depth += 1
        elif c in "([":
            depth -= 1
        elif c in ";{}" and depth == 0:
            return i + 1
    return 0


def statement_end(text, at):
    """Index of the ';', or of the bracket that closes what is around."""
    depth = 0
    for i in range(at, len(text)):
        c = text[i]
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
            if depth < 0:
                return i
        elif c == ";" and depth == 0:
            return i
    return len(text)


def top_level_comma(text):
    depth = 0
    angle = 0
    for c in text:
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        elif c == "<":
            angle += 1
        elif c == ">":
            angle = max(0, angle - 1)
        elif c == "," and depth == 0 and angle == 0:
            return True
    return False


def fault(text, at):
    """Why the co_await at this offset is refused, or None."""
    end = statement_end(text, at)
    inside = enclosing(text, at)
    if inside in ("(", "[") or end == len(text) or text[end] != ";":
        return "co_await inside parentheses, brackets or braces"
    statement = text[statement_begin(text, at) : end].strip()
    statement = LABEL.sub("", statement)
    match = STATEMENT.match(statement)
    if not match:
        return "co_await is not the whole right side of a statement"
    left = match.group("left") or ""
    while left != (inner := re.sub(r"<[^<>]*>", "", left)):
        left = inner
    if re.search(r"[(\[?,]|\bco_await\b", left):
        return "co_await is not assigned to a plain variable"
    operand = match.group("operand")
    for bad in ("{", "[", "?", "&&", "||"):
        if bad in operand:
            return f"'{bad}' in the operand of co_await: name the value first"
    if re.search(r"\bco_await\b", operand):
        return "two co_await in one statement"
    if top_level_comma(operand):
        return "co_await in a comma expression or a list of declarations"
    if re.match(r"\s*std::move\b", operand):
        return "a task is awaited in the expression that makes it"
    return None


def lint(text):
    """Yields (line, message)."""
    code = blank(text)
    found = []
    awaits = False
    for match in re.finditer(r"\bco_await\b", code):
        if re.search(r"\boperator\s*$", code[: match.start()]):
            continue
        awaits = True
        message = fault(code, match.start())
        if message:
            found.append((match.start(), message))
    for match in re.finditer(r"\bco_yield\b", code):
        found.append((match.start(), "co_yield is not used"))
    for match in LAMBDA.finditer(code):
        found.append((match.start(), "a lambda must not be a coroutine"))
    for match in STORED.finditer(code):
        found.append((match.start(), "a task must not be stored"))
    if awaits:
        for match in ALIGNED.finditer(code):
            if int(match.group(1)) > 16:
                found.append(
                    (match.start(), "alignas above 16 beside a coroutine")
                )
        for match in re.finditer(r"\bthread_local\b", code):
            found.append((match.start(), "thread_local beside a coroutine"))
    for offset, message in sorted(found):
        yield code.count("\n", 0, offset) + 1, message


ACCEPTED = [
    "co_await f(s);",
    "(void)co_await f(s);",
    "auto x = co_await f(s, a + b);",
    "const auto x = co_await s.io.sleep(5);",
    "const async::TryEnd end = co_await s.io.attempt(run.attempt());",
    "std::pair<int, int> both = co_await f(s);",
    "x = co_await f(s);",
    "run.end = co_await f(s);",
    "self->end = co_await f(s);",
    "co_return co_await f(s);",
    "if (a && b) { co_await f(s); }",
    "for (int i = 0; i < 3; ++i) { sum = co_await f(s, i); }",
    "switch (x) { case A::b: co_await f(s); break; default: co_await g(s); }",
    "try { v = co_await f(s); } catch (...) { }",
    'co_await f(s, "a { ? [ && || co_await");',
    "co_await f(s, '{'); int n = 1'000;",
    "// if (co_await f(s))\nco_await f(s);",
    "#define X if (co_await f(s))\nco_await f(s);",
    'auto t = R"(if (co_await f(s)) { })"; co_await f(s);',
    "Awaiter<A> operator co_await(A&& a) noexcept;",
    "co_await f(std::move(x), s);",
    "co_await g<int, long>(s);",
    "Task<int> f(Scope& s);",
]

REFUSED = [
    "if (co_await f(s)) { }",
    "if (!co_await f(s)) { }",
    "if (auto v = co_await f(s)) { }",
    "if (auto v = co_await f(s); v) { }",
    "while (co_await f(s)) { }",
    "do { } while (co_await f(s));",
    "for (int i = co_await f(s); i < 3; ++i) { }",
    "for (; co_await f(s);) { }",
    "for (auto x : co_await f(s)) { }",
    "switch (co_await f(s)) { }",
    "if (x) co_await f(s);",
    "else co_await f(s);",
    "g(co_await f(s));",
    "EXPECT_EQ(1, co_await f(s));",
    "co_return g(co_await f(s));",
    "co_return 1 + co_await f(s);",
    "co_return (co_await f(s)).x;",
    "auto x = 1 + co_await f(s);",
    "auto x = (co_await f(s)).value;",
    "x += co_await f(s);",
    "bool x = a == co_await f(s);",
    "auto x = a ? co_await f(s) : co_await g(s);",
    "auto x = co_await f(s) + co_await g(s);",
    "auto x = co_await f(s, a ? b : c);",
    "auto x = co_await f(s, Agg{1, 2});",
    "co_await Agg{1, 2}.run(s);",
    "co_await f(s, {1, 2});",
    "co_await f(s, [v] { return v; });",
    "co_await f(s, a && b);",
    "co_await f(s, a || b);",
    "co_await f(s, a[1]);",
    "Agg a{co_await f(s)};",
    "Agg a{1, co_await f(s)};",
    "int a[] = {co_await f(s), co_await g(s)};",
    "auto [a, b] = co_await f(s);",
    "v[0] = co_await f(s);",
    "at(0) = co_await f(s);",
    "int a = co_await f(s), b = 2;",
    "int b = 2, a = co_await f(s);",
    "co_await f(s), co_await g(s);",
    "co_await std::move(task);",
    "co_await f(s, co_await g(s));",
    "co_await (co_await g(s)).run(s);",
    "auto t = [&](int n) -> Task<int> { co_return n; };",
    "auto t = [](Scope& s) mutable noexcept -> async::Task<void> { };",
    "Task<int> t = f(s);",
    "Task<std::string> t{f(s)};",
    "co_yield 1;",
    "alignas(64) char buffer[64]; co_await f(s);",
    "static thread_local int n; co_await f(s);",
    "auto v = \"x\"; if (co_await f(s)) { }",
]


def self_test():
    failed = 0
    for snippet in ACCEPTED:
        for _, message in lint("{\n" + snippet + "\n}"):
            failed += 1
            print(f"self-test: wrongly refused: {snippet!r}: {message}")
    for snippet in REFUSED:
        if not list(lint("{\n" + snippet + "\n}")):
            failed += 1
            print(f"self-test: wrongly accepted: {snippet!r}")
    lines = [line for line, _ in lint("/* a\n\n*/\n{ if (co_await f(s)) { } }")]
    if lines != [4]:
        failed += 1
        print(f"self-test: wrong line {lines}")
    print(
        f"coroutine_lint: {len(ACCEPTED) + len(REFUSED) + 1} self-tests,"
        f" {failed} failed"
    )
    return 1 if failed else 0


def files(paths):
    for name in paths:
        path = pathlib.Path(name)
        if path.is_dir():
            for found in sorted(path.rglob("*")):
                if found.suffix in SUFFIXES:
                    yield found
        else:
            yield path


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    if not arguments or arguments[0].startswith("-"):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    failed = 0
    for path in files(arguments):
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            print(f"{path}: {error}", file=sys.stderr)
            return 2
        for line, message in lint(text):
            failed += 1
            print(f"{path}:{line}: {message}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
