"""What the providers of the load test say."""

import json


def openai_answer():
    answer = {
        "id": "chatcmpl-bench", "object": "chat.completion",
        "created": 1700000000, "model": "vendor-model",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {
            "role": "assistant", "content": "word " * 130}}],
        "usage": {"prompt_tokens": 50, "completion_tokens": 130,
                  "total_tokens": 180,
                  "prompt_tokens_details": {"cached_tokens": 0}}}
    return json.dumps(answer)


def claude_answer():
    return json.dumps({
        "id": "msg_bench", "type": "message", "role": "assistant",
        "model": "claude", "stop_reason": "end_turn", "stop_sequence": None,
        "content": [{"type": "text", "text": "word " * 150}],
        "usage": {"input_tokens": 50, "output_tokens": 130,
                  "cache_read_input_tokens": 0,
                  "cache_creation_input_tokens": 0}})


def chunk(delta, finish=None):
    return "data: " + json.dumps({
        "id": "chatcmpl-bench", "object": "chat.completion.chunk",
        "created": 1700000000, "model": "vendor-model",
        "system_fingerprint": "fp_0123456789",
        "choices": [{"index": 0, "delta": delta, "logprobs": None,
                     "finish_reason": finish}]}) + "\n\n"


def openai_stream(events):
    return (chunk({"role": "assistant", "content": ""})
            + chunk({"content": " word"}) * events + chunk({}, "stop")
            + "data: [DONE]\n\n")


def claude_event(event):
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"


def claude_stream(events):
    return (
        claude_event({"type": "message_start", "message": {
            "id": "msg_bench", "type": "message", "role": "assistant",
            "model": "claude", "content": [], "stop_reason": None,
            "usage": {"input_tokens": 50, "output_tokens": 1}}})
        + claude_event({"type": "content_block_start", "index": 0,
                        "content_block": {"type": "text", "text": ""}})
        + claude_event({"type": "content_block_delta", "index": 0,
                        "delta": {"type": "text_delta",
                                  "text": " word"}}) * events
        + claude_event({"type": "content_block_stop", "index": 0})
        + claude_event({"type": "message_delta", "delta": {
            "stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 130}})
        + claude_event({"type": "message_stop"}))


REQUEST = json.dumps({
    "model": "gpt-4o", "temperature": 0.7, "max_tokens": 300,
    "messages": [{"role": "system", "content": "You are helpful. " * 10},
                 {"role": "user", "content": "Tell me something. " * 25}]})
STREAM = json.dumps(dict(json.loads(REQUEST), stream=True))
