#include "core/policy/event_watch.h"

#include "core/dialect/openai_error.h"
#include "core/dialect/responses_finish.h"
#include "core/usage/merge.h"
#include "core/usage/reading.h"

namespace ai_proxy::policy {

namespace {

using dialect::Api;

// A response that begins tells the request's instructions and tools again,
// twice.
constexpr size_t kMaxHeldResponse = 64 * 1024;

// The type of an event as its name says or, without one, its body.
bool matters(const wire::SseEvent& event)
{
    return event.event == "error" || event.event.starts_with("message_")
        || event.event.starts_with("response.completed")
        || event.event.starts_with("response.incomplete")
        || event.event.starts_with("response.failed")
        || event.data.find("\"usage") != std::string_view::npos
        || event.data.find("\"finishReason\"") != std::string_view::npos
        || event.data.find("\"promptFeedback\"") != std::string_view::npos
        || event.data.find("\"error\"") != std::string_view::npos;
}

bool holds(std::string_view data, std::string_view mark) noexcept
{
    return data.find(mark) != std::string_view::npos;
}

// Is it a piece of the answer, not the frame around it?
bool speaks(
    Api api, const wire::SseEvent& event, std::string_view type) noexcept
{
    switch (api) {
    case Api::messages:
        return holds(event.data, "\"content_block_delta\"");
    case Api::responses:
        return type.ends_with(".delta");
    case Api::gemini_stream:
    case Api::gemini_generate:
        return holds(event.data, "\"parts\"");
    default:
        return true;
    }
}

// A response that was taken in but of which nothing is there yet.  One in the
// background goes on without the client, who wants its id.
bool is_beginning(std::string_view type, json::Node body)
{
    return (type == "response.created" || type == "response.in_progress"
               || type == "response.queued")
        && !body["response"]["background"].boolean().value_or(false);
}

// Why a Message ended.
std::string_view anthropic_word(json::Node message)
{
    return message["stop_reason"].string_or();
}

std::string_view gemini_word(json::Node body)
{
    const std::string_view word =
        body["candidates"].at(0)["finishReason"].string_or();
    return !word.empty() ? word
                         : body["promptFeedback"]["blockReason"].string_or();
}

chat::Usage read_usage(Api api, json::Node body)
{
    switch (api) {
    case Api::messages:
        return usage::read_anthropic(body["usage"]);
    case Api::gemini_generate:
    case Api::gemini_stream:
        return usage::read_gemini(body["usageMetadata"]);
    default:
        return usage::read_openai(dialect::find_usage(body));
    }
}

} // namespace

dialect::PlainFacts read_answer(Api api, json::Node body)
{
    const bool anthropic = api == Api::messages;
    if (!anthropic && api != Api::gemini_generate && api != Api::gemini_stream)
    {
        return dialect::read_plain(body);
    }
    dialect::PlainFacts facts;
    facts.usage = read_usage(api, body);
    facts.finish =
        chat::finish_of(anthropic ? anthropic_word(body) : gemini_word(body));
    facts.is_error = dialect::reports_error(body);
    return facts;
}

void EventWatch::note_usage(json::Node body)
{
    if (api_ == Api::messages) {
        usage::merge_anthropic(usage_, body["message"]["usage"]);
        usage::merge_anthropic(usage_, body["usage"]);
        return;
    }
    // Responses wraps the answer in "response".
    for (const json::Node place : {body["response"], body}) {
        const chat::Usage found = read_usage(api_, place);
        if (found.known) {
            usage_ = usage::merge(usage_, found);
            return;
        }
    }
}

void EventWatch::note(json::Node body)
{
    note_usage(body);
    const std::string_view type = body["type"].string_or();
    if (type == "response.completed" || type == "message_stop") {
        terminal_ = over_ = true;
        if (finish_ == chat::Finish::none) {
            finish_ = chat::Finish::stop;
        }
    } else if (type == "response.incomplete") {
        terminal_ = over_ = true;
        finish_ = dialect::incomplete_finish(body["response"]);
    } else if (type == "response.failed" || type == "error") {
        terminal_ = over_ = true;
        finish_ = chat::Finish::error;
    } else if (type == "message_delta") {
        const chat::Finish found =
            chat::finish_of(anthropic_word(body["delta"]));
        finish_ = found == chat::Finish::none ? finish_ : found;
    } else if (api_ == Api::gemini_stream || api_ == Api::gemini_generate) {
        const chat::Finish found = chat::finish_of(gemini_word(body));
        if (found != chat::Finish::none) {
            terminal_ = true;
            finish_ = found;
        }
    }
}

void EventWatch::pass(std::string_view raw, std::string& out)
{
    const bool shown = begun_ || api_ != Api::messages || spoke_ || terminal_
        || finish_ != chat::Finish::none;
    if (!shown && held_.size() + raw.size() <= kMaxHeld) {
        held_ += raw;
        return;
    }
    begun_ = true;
    if (!held_.empty()) {
        out += held_;
        held_ = {};
    }
    out += raw;
}

Result<void> EventWatch::event(
    const wire::SseEvent& event, json::Parser& parser, std::string& out)
{
    if (!event.has_data) {
        if (begun_) {
            out += event.raw;
        }
        return {};
    }
    ++events_;
    json::Node body;
    std::string_view type = event.event;
    // Until a response says something, what an event is decides.
    if (matters(event) || (api_ == Api::responses && !spoke_)) {
        if (auto parsed = parser.parse(event.data); parsed) {
            body = *parsed;
        }
        type = body["type"].string_or(type);
    }
    if (matters(event)) {
        const bool error = event.event == "error" || type == "error"
            || (body["error"].is_object() && !body["type"].exists());
        const bool failed = error || type == "response.failed";
        if (failed && !begun_) {
            return dialect::read_openai_error(0, body, event.data);
        }
        terminal_ = terminal_ || error;
        over_ = over_ || error;
        note(body);
        told_ = failed;
        if (told_) {
            out += event.raw;
            return dialect::read_openai_error(0, body, event.data);
        }
    }
    spoke_ = spoke_ || speaks(api_, event, type);
    if (api_ == Api::responses && !begun_ && is_beginning(type, body)
        && held_.size() + event.raw.size() <= kMaxHeldResponse)
    {
        held_ += event.raw;
        return {};
    }
    pass(event.raw, out);
    return {};
}

bool EventWatch::whole() const noexcept
{
    switch (api_) {
    case Api::responses:
    case Api::messages:
    case Api::gemini_stream:
        return terminal_;
    default:
        return true;
    }
}

} // namespace ai_proxy::policy
