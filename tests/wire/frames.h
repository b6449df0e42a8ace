#pragma once

#include "core/json/writer.h"
#include "core/wire/event_stream.h"

#include <string>
#include <string_view>
#include <vector>

// The messages of an AWS event stream as the gateway's decoder reads them, and
// the same messages written by its encoder: for a judge who is not ours.
namespace ai_proxy::wire {

inline std::string hex(std::string_view bytes)
{
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
    return out;
}

inline void write_message(
    json::Writer& w, std::string_view raw, std::string& again)
{
    const auto message = read_event_stream_message(raw);
    if (!message) {
        return;
    }
    std::vector<EventStreamHeader> all;
    EventStreamHeaders headers(message->headers);
    w.begin_object().key("headers").begin_array();
    while (const auto header = headers.next()) {
        all.push_back(*header);
        w.begin_object().field("name", header->name);
        w.field("type", int64_t(header->type));
        w.field("value", hex(header->value)).end_object();
    }
    w.end_array().field("payload", hex(message->payload)).end_object();
    append_event_stream_message(again, all, message->payload);
}

inline void write_frames(std::string_view bytes, size_t split, std::string& out)
{
    EventStreamFramer framer;
    std::string again, error;
    json::Writer w(out);
    w.begin_object().key("messages").begin_array();
    const auto on_event = [&](const SseEvent& event) {
        write_message(w, event.raw, again);
        return true;
    };
    while (!bytes.empty() && error.empty()) {
        const std::string_view piece =
            bytes.substr(0, split == 0 ? bytes.size() : split);
        if (auto fed = framer.feed(piece, on_event); !fed) {
            error = fed.error().message;
        }
        bytes.remove_prefix(piece.size());
    }
    if (error.empty()) {
        if (auto done = framer.finish(on_event); !done) {
            error = done.error().message;
        }
    }
    w.end_array().field("again", hex(again));
    w.field("failed", std::string_view(error)).end_object();
}

} // namespace ai_proxy::wire
