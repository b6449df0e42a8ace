#include "core/provider/speaker.h"

#include "core/base/hash.h"
#include "core/provider/vendor.h"

namespace ai_proxy::provider {
namespace {

using chat::EventKind;

// More than any answer has.
constexpr uint32_t kMaxCalls = 1024;

std::string made_id(uint64_t random, uint32_t index)
{
    std::string id = "call_";
    append_hex(id, random);
    return id + '_' + std::to_string(index);
}

} // namespace

void Speaker::begin(chat::Sink& sink, std::string_view id,
    std::string_view model, int64_t created)
{
    if (begun_) {
        return;
    }
    begun_ = true;
    chat::Event event = event_of(EventKind::begin);
    event.id = id;
    event.model = model;
    event.created = created;
    sink.on(event);
}

void Speaker::text(chat::Sink& sink, std::string_view text)
{
    if (!text.empty()) {
        begin(sink);
        sink.on(event_of(EventKind::text, text));
    }
}

void Speaker::reasoning(chat::Sink& sink, std::string_view text)
{
    if (!text.empty()) {
        begin(sink);
        sink.on(event_of(EventKind::reasoning, text));
    }
}

void Speaker::open_call(
    chat::Sink& sink, std::string_view id, std::string_view name)
{
    close_call(sink);
    if (calls_ >= kMaxCalls) {
        return;
    }
    begin(sink);
    const std::string made =
        id.empty() ? made_id(random_, calls_) : std::string();
    chat::Event event = tool_event(EventKind::tool_begin, 0, calls_++);
    event.id = id.empty() ? std::string_view(made) : id;
    event.name = name;
    sink.on(event);
    open_ = true;
    any_arguments_ = false;
}

void Speaker::arguments(chat::Sink& sink, std::string_view piece)
{
    if (open_ && !piece.empty()) {
        any_arguments_ = true;
        sink.on(tool_event(EventKind::tool_arguments, 0, calls_ - 1, piece));
    }
}

void Speaker::close_call(chat::Sink& sink)
{
    if (open_ && !any_arguments_) {
        arguments(sink, "{}");
    }
    open_ = false;
}

void Speaker::call(chat::Sink& sink, std::string_view id, std::string_view name,
    std::string_view whole)
{
    open_call(sink, id, name);
    arguments(sink, whole);
    close_call(sink);
}

void Speaker::usage(chat::Sink& sink, const chat::Usage& usage)
{
    if (usage.known) {
        begin(sink);
        chat::Event event = event_of(EventKind::usage);
        event.usage = usage;
        sink.on(event);
    }
}

void Speaker::finish(
    chat::Sink& sink, chat::Finish finish, std::string_view word)
{
    if (finished_) {
        return;
    }
    begin(sink);
    close_call(sink);
    finished_ = true;
    const bool called = finish == chat::Finish::stop && calls_ > 0;
    chat::Event event = event_of(EventKind::finish, word);
    event.finish = called ? chat::Finish::tool_calls : finish;
    sink.on(event);
}

void Speaker::end(chat::Sink& sink)
{
    if (!ended_) {
        ended_ = true;
        sink.on(event_of(EventKind::end));
    }
}

} // namespace ai_proxy::provider
