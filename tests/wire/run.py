#!/usr/bin/env python3
"""The golden wire tests: every recorded exchange through the gateway's core.

usage: run.py PATH/wire_replay [--fixtures DIR] [--only GLOB] [-v]

For each exchange of the providers in scope: the recorded answer is fed to the
core whole, in pieces of 1, 2, 3 and 7 bytes and event by event, and what a
client would get is compared with what the vendor said, both read by
independent code; streams are also cut short; the recorded request is turned
back into the client's and compared with what the core would send.
Differences that are meant are listed in known_differences.txt."""

import argparse
import base64
import copy
import fnmatch
import glob
import json
import os
import re
import sys
import tempfile
from urllib.parse import unquote

sys.dont_write_bytecode = True

import back
import callers
import chains
import client
import outbound
import own_dialect
import own_responses
import scope
import vendor
import vendor_clouds
import vendor_own
from checks_own import (check_embeddings, check_in_200, check_ranks,
                        check_state)
from answer import Malformed, differences, parse_sse, usage_differences
from driver import DriverFailed, ask

HERE = os.path.dirname(os.path.abspath(__file__))
SPLITS = [0, 1, 2, 3, 7, "events"]
STREAMS = ("sse", "ndjson", "eventstream")


def find_fixtures(given):
    for path in (given, os.environ.get("AI_PROXY_FIXTURES"),
                 os.path.join(HERE, "../../../shared/fixtures/wire")):
        if path and os.path.isdir(path):
            return os.path.abspath(path)
    print("no recorded exchanges: set AI_PROXY_FIXTURES to their folder",
          file=sys.stderr)
    sys.exit(2)


class Known:
    """known_differences.txt: fixture glob, path glob, reason."""

    def __init__(self, path):
        self.rows = []
        with open(path, encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                line = line.strip()
                if not line or line.startswith("#"):
                    continue
                where, what, reason = line.split(None, 2)
                self.rows.append([where, what, reason, number, 0])

    def allows(self, case, path):
        for row in self.rows:
            if fnmatch.fnmatchcase(case, row[0]) \
                    and self.matches(row[1], path):
                row[4] += 1
                return True
        return False

    @staticmethod
    def matches(pattern, path):
        # "[*]" stands for any index; a pattern covers what is below it.
        regex = re.escape(pattern).replace(r"\[\*\]", r"\[\d+\]") \
            .replace(r"\*", ".*")
        return re.match(regex + r"($|[.\[])", path) is not None

    def unused(self):
        return [row for row in self.rows if row[4] == 0]


class Run:
    def __init__(self, options):
        self.options = options
        self.root = find_fixtures(options.fixtures)
        self.known = Known(os.path.join(HERE, "known_differences.txt"))
        self.made = tempfile.TemporaryDirectory(prefix="ai-proxy-wire-")
        self.questions = []  # (question, check, case, what)
        self.failures = {}   # case -> sentences
        self.passed = {}     # case -> number of checks
        self.out = {}        # case -> reason
        self.cannot = []     # (case, reason): requests OpenAI cannot say

    # -- planning ---------------------------------------------------------

    def plan(self):
        files = sorted(glob.glob(os.path.join(self.root, "*", "*.json")))
        if not files:
            print(f"no exchanges in {self.root}", file=sys.stderr)
            sys.exit(2)
        for path in files:
            case = os.path.relpath(path, self.root)[:-5]
            if not fnmatch.fnmatchcase(case, self.options.only):
                continue
            with open(path, encoding="utf-8") as f:
                exchange = json.load(f)
            api, how, reason = scope.decide(exchange)
            own_dialect.plan(self, case, path, exchange)
            own_responses.plan(self, case, exchange)
            if reason:
                if not own_dialect.is_ours(exchange):
                    self.out[case] = reason
                continue
            self.plan_answer(case, path, exchange, api, how)
            if api == "chat" and exchange["request"].get("body"):
                self.plan_request(case, exchange, how)

    def add(self, case, what, question, check):
        self.questions.append((question, check, case, what))

    def model(self, exchange):
        body = exchange["request"].get("body")
        found = body.get("model") if isinstance(body, dict) else None
        return found or exchange.get("model") or "a-model"

    def plan_answer(self, case, path, exchange, api, how):
        kind, options = scope.provider(exchange)
        stream = exchange["wire"] in (*STREAMS, "json-array-stream") \
            and exchange["response"]["status"] < 300
        if exchange["wire"] == "json-array-stream":
            path, exchange = self.reframed(case, exchange)
        base = {"fixture": path, "provider": kind, "options": options,
                "api": api, "model": self.model(exchange), "stream": stream}
        family = scope.CONVERTED.get(exchange["provider"], "openai") \
            if how == "convert" else "openai"
        shows = [True, False] if stream and api in ("chat", "completions") \
            else [True]
        for show in shows:
            same = []  # the output may not depend on the split
            for split in SPLITS if stream else (0, 7):
                question = dict(base, show_usage=show, split=split)
                self.add(case, f"split {split}, usage "
                         f"{'shown' if show else 'hidden'}", question,
                         self.checker(exchange, api, how, family, show, same))
        if stream and api == "chat":
            self.plan_cut(case, exchange, base, family)
        if api == "chat" and exchange["response"]["status"] < 300:
            self.plan_callers(case, exchange, base, family)

    def plan_callers(self, case, exchange, base, family):
        """The same answer for clients of other dialects."""
        for to in ("messages", "responses", "gemini", "gemini-array"):
            if to == "gemini-array" and not base["stream"]:
                continue
            same = []
            for split in (0, 3, "events") if base["stream"] else (0,):
                self.add(case, f"to {to}, split {split}",
                         dict(base, to=to.removesuffix("-array"), split=split,
                              json_array=to == "gemini-array"),
                         self.caller_checker(exchange, to, family, same))
        chains.plan(self, case, base, vendor.read(exchange, family))

    def reframed(self, case, exchange):
        """Gemini's JSON array as the SSE that the gateway asks for."""
        made = copy.deepcopy(exchange)
        parts = json.loads(exchange["response"]["body_text"])
        made["wire"] = "sse"
        made["response"]["headers"]["content-type"] = "text/event-stream"
        made["response"]["body_text"] = "".join(
            f"data: {json.dumps(p)}\r\n\r\n" for p in parts)
        return self.write(case, "reframed", made), made

    def write(self, case, what, exchange):
        path = os.path.join(self.made.name,
                            f"{case.replace('/', '-')}-{what}.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(exchange, f)
        return path

    def plan_cut(self, case, exchange, base, family):
        """The stream ends, cleanly framed, before the vendor said so."""
        if vendor.read(exchange, family).error is not None:
            return
        binary = exchange["wire"] == "eventstream"
        blocks = vendor_clouds.frames(base64.b64decode(
            exchange["response"]["body_base64"])) if binary \
            else raw_events(exchange["response"]["body_text"])
        whole = None
        for i, block in enumerate(blocks):
            if vendor_clouds.says_finish(block) if binary \
                    else says_finish(block, family):
                whole = i
                break
        if not whole:
            return
        for count in sorted({0, 1, whole // 2, whole}):
            made = copy.deepcopy(exchange)
            if binary:
                made["response"]["body_base64"] = base64.b64encode(
                    b"".join(blocks[:count])).decode()
            else:
                made["response"]["body_text"] = "".join(blocks[:count])
            path = self.write(case, f"cut{count}", made)
            self.add(case, f"cut after {count} events",
                     dict(base, fixture=path, show_usage=True, split=0),
                     check_cut)

    def plan_request(self, case, exchange, how):
        kind, options = scope.provider(exchange)
        family = scope.CONVERTED.get(exchange["provider"], "openai") \
            if how == "convert" else "openai"
        if family == "openai" and \
                "messages" not in exchange["request"]["body"]:
            return
        try:
            body, more = back.request(exchange, family)
        except back.CannotSay as error:
            self.cannot.append((case, str(error)))
            return
        self.add(case, "request", {
            "request": body, "provider": kind, "options": {**options, **more},
            "model": self.model_sent(exchange, body), "api": "chat"},
            self.request_checker(case, exchange, family))

    def model_sent(self, exchange, body):
        return body.get("model") or self.model(exchange)

    # -- checking ---------------------------------------------------------

    def checker(self, exchange, api, how, family, show, same):
        def check(answer):
            if same and same[0] != answer.get("output"):
                yield "the output depends on how the input was split"
            same.append(answer.get("output"))
            status = exchange["response"]["status"]
            if status >= 300:
                yield from check_error(exchange, answer)
            elif how == "translate":
                yield from check_ranks(exchange, answer) \
                    if api == "rerank" else check_embeddings(exchange, answer)
            elif how == "convert":
                yield from check_converted(exchange, answer, family, show)
            elif exchange["wire"] == "sse":
                yield from check_relayed_stream(exchange, answer, api, show)
            else:
                yield from check_relayed_plain(exchange, answer, api)
        return check

    def caller_checker(self, exchange, to, family, same):
        def check(answer):
            if same and same[0] != answer.get("output"):
                yield "the output depends on how the input was split"
            same.append(answer.get("output"))
            yield from callers.check(
                vendor.read(exchange, family), answer, to,
                exchange["wire"] != "json")
        return check

    def request_checker(self, case, exchange, family):
        def check(answer):
            if "outbound" not in answer:
                yield f"not encoded: {answer.get('error')}"
                return
            if exchange["provider"] in scope.PATHS_COMPARED:
                wanted = exchange["request"]["path"].split("?")[0]
                path = answer["outbound"]["path"].split("?")[0]
                if unquote(path) != scope.path_today(unquote(wanted)):
                    yield f"path {wanted} became {path}"
            sent = answer["outbound"]["body"]
            if isinstance(sent, str):
                sent = json.loads(sent)
            recorded = outbound.normal(
                copy.deepcopy(exchange["request"]["body"]), family)
            sent = outbound.normal(sent, family)
            for path, what in outbound.differences(recorded, sent):
                if not self.known.allows(case, path):
                    yield f"{path}: {what}"
        return check

    # -- running ----------------------------------------------------------

    def run(self):
        self.plan()
        answers = ask(self.options.driver, [q[0] for q in self.questions])
        for (question, check, case, what), answer in zip(
                self.questions, answers):
            try:
                found = list(check(answer))
            except (Malformed, KeyError, TypeError, ValueError,
                    IndexError, AttributeError) as error:
                found = [f"{type(error).__name__}: {error}"]
            if found:
                self.failures.setdefault(case, []).append((what, found))
            else:
                self.passed[case] = self.passed.get(case, 0) + 1

    def report(self):
        cases = sorted(set(self.passed) | set(self.failures))
        checks = failed = 0
        folders = {}
        for case in cases:
            good, bad = self.passed.get(case, 0), self.failures.get(case, [])
            checks += good
            failed += len(bad)
            row = folders.setdefault(case.split("/")[0], [0, 0, 0])
            for i, count in enumerate((1, good, len(bad))):
                row[i] += count
            print(f"{'ok' if not bad else 'not ok'} {case} "
                  f"({good} of {good + len(bad)} checks)")
            seen = set()
            for what, sentences in bad:
                key = tuple(sentences)
                if key in seen and not self.options.verbose:
                    continue
                seen.add(key)
                for sentence in sentences[:12]:
                    print(f"    {what}: {sentence}")
        print(f"\nOut of scope: {len(self.out)} exchanges")
        reasons = {}
        for case, reason in self.out.items():
            reasons.setdefault(reason, []).append(case)
        for reason, found in sorted(reasons.items()):
            print(f"  {reason}:")
            for case in found:
                print(f"    {case}")
        if self.cannot:
            print(f"\nAnswer compared, request not (OpenAI's dialect cannot "
                  f"say it): {len(self.cannot)}")
            for case, reason in self.cannot:
                print(f"    {case}: {reason}")
        if self.options.only == "*":
            for row in self.known.unused():
                failed += 1
                print(f"not ok known_differences.txt:{row[3]} matches nothing: "
                      f"{row[0]} {row[1]}")
        print("\nprovider: exchanges, checks passed, checks failed")
        for folder, row in sorted(folders.items()):
            print(f"  {folder}: {row[0]}, {row[1]}, {row[2]}")
        print(f"\n{len(cases)} exchanges ran, {len(self.out)} out of scope")
        print(f"wire: {checks} passed, {failed} failed")
        return 1 if failed else 0


def raw_events(text):
    """The stream in pieces that each end after a blank line, or in lines."""
    if text.startswith("{"):
        return [p for p in text.splitlines(keepends=True) if p]
    pieces = re.split(r"(?<=\n\n)|(?<=\r\n\r\n)", text)
    return [p for p in pieces if p]


def data_of(block):
    if block.startswith("{"):
        return "", block, []
    events = parse_sse(block)
    found = [e for e in events if e[1] is not None]
    return found[0] if found else None


def says_finish(block, family):
    event = data_of(block)
    if event is None:
        return False
    if event[1] == "[DONE]":
        return True
    data = json.loads(event[1])
    if family in vendor_own.READERS:
        return vendor_own.READERS[family].says_finish(data)
    if family == "anthropic":
        return data["type"] == "message_delta"
    if family == "gemini":
        return "promptFeedback" in data or any(
            c.get("finishReason") for c in data.get("candidates", []))
    if family == "dashscope":
        return any(c.get("finish_reason") not in (None, "", "null")
                   for c in data["output"].get("choices", []))
    return any(c.get("finish_reason") for c in data.get("choices") or [])


def usage_of(answer):
    found = answer.get("usage") or {}
    return found if isinstance(found, dict) else {}


def recorded_message(body):
    """The vendor's own words for what went wrong."""
    if isinstance(body, str):
        return body.strip()
    if isinstance(body, list) and body:
        body = body[0]
    if isinstance(body, dict):
        error = body.get("error", body)
        if isinstance(error, str):
            return error
        for name in ("message", "detail", "msg"):
            if isinstance(error.get(name), str):
                return error[name]
    return ""


def check_error(exchange, answer):
    yield from check_state(answer, "failed")
    response = exchange["response"]
    error = answer.get("error") or {}
    if answer.get("client_status") not in (None, response["status"]):
        yield (f"status {response['status']} became "
               f"{answer.get('client_status')}")
    if error.get("status") not in (None, 0, response["status"]):
        yield f"status {response['status']} became {error.get('status')}"
    words = recorded_message(response.get("body", response.get("body_text")))
    if words and words.strip() not in (error.get("message") or ""):
        yield f"message {words!r} became {error.get('message')!r}"


def check_converted(exchange, answer, family, show):
    said = vendor.read(exchange, family)
    stream = exchange["wire"] in STREAMS
    output = answer.get("output") or ""
    if said.error is not None and scope.status_in_200(exchange):
        yield from check_in_200(exchange, answer, said.error["message"])
        return
    got = client.read_stream(output, show) if stream \
        else client.read_plain(output)
    if said.error is not None:
        yield from check_state(answer, "failed")
        words = said.error.get("message", "")
        if words not in ((answer.get("error") or {}).get("message") or ""):
            yield f"message {words!r} became {answer.get('error')}"
        if got.whole and stream:
            yield "an error in the stream and [DONE]"
        # What came before the error was shown; no finish was made up.
        for choice in got.choices.values():
            if choice.finish:
                yield f"a finish {choice.finish} beside the error"
        return
    yield from check_state(answer, "whole")
    if stream and not got.whole:
        yield "no [DONE]"
    if stream != bool(answer.get("streaming")):
        yield f"streaming is {answer.get('streaming')}"
    wanted = "text/event-stream" if stream else "application/json"
    if wanted not in (answer.get("content_type") or ""):
        yield f"content type {answer.get('content_type')}"
    yield from differences(said, got, True)
    yield from usage_differences(said.usage, usage_of(answer))
    known = any(said.usage.values())
    if known and (show or not stream):
        yield from usage_differences(said.usage, got.usage)
    finish = said.choices[max(said.choices)].finish if said.choices else ""
    if answer.get("finish") not in (None, finish):
        yield f"finish {finish} became {answer.get('finish')}"


def check_relayed_plain(exchange, answer, api):
    wrong = vendor_own.error_in_200(exchange["response"].get("body") or {}) \
        if isinstance(exchange["response"].get("body"), dict) else None
    if wrong:
        yield from check_in_200(exchange, answer, wrong)
        return
    yield from check_state(answer, "whole")
    body = exchange["response"].get("body")
    if body is None:
        body = exchange["response"]["body_text"]
        same = body == answer["output"]
    else:
        same = json.loads(answer["output"]) == body
    if api == "chat" and has_parts(body):
        # Mistral's parts are no OpenAI: text and reasoning are taken out.
        yield from differences(vendor.read(exchange, "openai"),
                               client.read_plain(answer["output"]), False)
    elif not same:
        yield "the body is not the recorded one"
    if api == "chat":
        said = vendor.read(exchange, "openai")
        yield from usage_differences(said.usage, usage_of(answer))
        finish = said.choices[0].finish if 0 in said.choices else ""
        if finish in vendor.FINISH_OPENAI and answer.get("finish") != finish:
            yield f"finish {finish} became {answer.get('finish')}"


def has_parts(body):
    return any(isinstance(c.get("message", {}).get("content"), list)
               for c in body.get("choices", []))


def is_usage_only(block):
    event = data_of(block)
    if event is None or event[1] == "[DONE]":
        return False
    data = json.loads(event[1])
    return data.get("choices") == [] and bool(data.get("usage"))


def substance(text):
    """Raw events that carry data, without [DONE]."""
    return [b for b in raw_events(text)
            if data_of(b) is not None and data_of(b)[1] != "[DONE]"]


def strip_comments(block):
    """Comment lines are no part of an event; a gateway may drop them."""
    return re.sub(r"^:.*\r?\n(\r?\n)?", "", block, flags=re.M)


def check_relayed_stream(exchange, answer, api, show):
    body = exchange["response"]["body_text"]
    output = answer.get("output") or ""
    if api == "responses" and own_responses.early_error(body):
        yield from own_responses.check_early(body, answer)
        return
    if api not in ("chat", "completions"):
        yield from check_state(answer, "whole")
        if strip_comments(output) != strip_comments(body):
            yield "the stream is not the recorded one"
        return
    said = vendor.read(exchange, "openai")
    wanted = substance(body)
    done = output.count("data: [DONE]")
    if said.error is not None:
        yield from check_state(answer, "failed")
        words = str(said.error.get("message", ""))
        if words not in ((answer.get("error") or {}).get("message") or ""):
            yield f"message {words!r} became {answer.get('error')}"
        wanted = [b for b in wanted
                  if "error" not in json.loads(data_of(b)[1])]
        if done:
            yield "an error in the stream and [DONE]"
    else:
        yield from check_state(answer, "whole")
        if done != 1 or not output.endswith("data: [DONE]\n\n"):
            yield f"{done} times [DONE], or not at the end"
    if not show:
        wanted = [b for b in wanted if not is_usage_only(b)]
    got = substance(output)
    if said.error is not None:
        got = [b for b in got if "error" not in json.loads(data_of(b)[1])]
    extra = len(got) - len(wanted)
    if extra == 1 and show and is_usage_only(got[-1]) \
            and not any(is_usage_only(b) for b in wanted):
        made = client.usage(json.loads(data_of(got.pop())[1])["usage"])
        yield from usage_differences(said.usage, made)
    for i, (a, b) in enumerate(zip(wanted, got)):
        if strip_comments(a) != strip_comments(b):
            yield f"event {i}: {a[-200:]!r} became {b[-200:]!r}"
            break
    if len(wanted) != len(got):
        yield f"{len(wanted)} events became {len(got)}"
    if said.error is None:
        yield from usage_differences(said.usage, usage_of(answer))
        finish = said.choices[max(said.choices)].finish \
            if said.choices else ""
        if api == "chat" and finish in vendor.FINISH_OPENAI \
                and answer.get("finish") != finish:
            yield f"finish {finish} became {answer.get('finish')}"


def check_cut(answer):
    """Truncated never looks complete."""
    if answer.get("state") != "failed":
        yield f"state {answer.get('state')}"
    output = answer.get("output") or ""
    if "[DONE]" in output:
        yield "[DONE] after a cut"
    for _, data, _ in parse_sse(output):
        if data is None or data == "[DONE]":
            continue
        for entry in json.loads(data).get("choices") or []:
            if entry.get("finish_reason"):
                yield f"a finish {entry['finish_reason']} after a cut"


def main():
    options = argparse.ArgumentParser()
    options.add_argument("driver")
    options.add_argument("--fixtures")
    options.add_argument("--only", default="*")
    options.add_argument("-v", "--verbose", action="store_true")
    options = options.parse_args()
    if not os.access(options.driver, os.X_OK):
        print(f"no replay driver \"{options.driver}\"", file=sys.stderr)
        return 2
    run = Run(options)
    try:
        run.run()
    except DriverFailed as error:
        print(f"not ok the driver failed: {error}\nwire: 0 passed, 1 failed")
        return 1
    return run.report()


if __name__ == "__main__":
    sys.exit(main())
