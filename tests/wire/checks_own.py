"""Checks of what is no chat, and of errors under 200."""

import json

import scope
import vendor_own


def check_state(answer, wanted):
    if answer.get("state") != wanted:
        yield f"state {answer.get('state')}, error {answer.get('error')}"


def check_in_200(exchange, answer, message):
    """An error under 200 is one: with its words and the status it means."""
    yield from check_state(answer, "failed")
    error = answer.get("error") or {}
    if message.strip() not in (error.get("message") or ""):
        yield f"message {message!r} became {error.get('message')!r}"
    if error.get("status") != scope.status_in_200(exchange):
        yield (f"status {error.get('status')}, not "
               f"{scope.status_in_200(exchange)}")


def check_ranks(exchange, answer):
    yield from check_state(answer, "whole")
    ranks, tokens = vendor_own.ranks(exchange["provider"],
                                     exchange["response"]["body"])
    got = json.loads(answer["output"])
    if [(r["index"], r["relevance_score"]) for r in got["results"]] != ranks:
        yield "other results"
    if got["usage"] != {"total_tokens": tokens}:
        yield f"usage {got['usage']}"


def check_embeddings(exchange, answer):
    yield from check_state(answer, "whole")
    vectors, tokens = vendor_own.embeddings(
        exchange["provider"], exchange["response"]["body"])
    got = json.loads(answer["output"])
    if got["object"] != "list":
        yield f"object {got['object']}"
    if [(e["index"], e["embedding"]) for e in got["data"]] != vectors:
        yield "other vectors"
    if got["usage"] != {"prompt_tokens": tokens, "total_tokens": tokens}:
        yield f"usage {got['usage']}"
