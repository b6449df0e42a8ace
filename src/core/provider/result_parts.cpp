#include "core/provider/result_parts.h"

#include "core/provider/vendor.h"

#include <algorithm>
#include <iterator>

namespace ai_proxy::provider {
namespace {

// What a result says whose parts all stand elsewhere.
constexpr std::string_view kFollows = "The result follows.";

// openai moves them itself, in the client's own words.
bool takes_them(const Protocol& protocol) noexcept
{
    return &protocol == &kOpenai || &protocol == &kClaude
        || &protocol == &kGemini || &protocol == &kVertex
        || &protocol == &kBedrock;
}

bool has_parts(const chat::Message& message)
{
    return message.role == chat::Role::tool
        && !std::all_of(message.parts.begin(), message.parts.end(), is_text);
}

void take_parts(chat::Message& message, std::vector<chat::Part>& parts)
{
    const auto first = std::stable_partition(
        message.parts.begin(), message.parts.end(), is_text);
    std::move(first, message.parts.end(), std::back_inserter(parts));
    message.parts.erase(first, message.parts.end());
    if (message.parts.empty()) {
        chat::Part text;
        text.text = kFollows;
        message.parts.push_back(text);
        message.plain = true;
    }
}

} // namespace

void move_result_parts(chat::Request& request, const Protocol& protocol)
{
    if (takes_them(protocol)
        || std::none_of(
            request.messages.begin(), request.messages.end(), has_parts))
    {
        return;
    }
    std::vector<chat::Message> all;
    std::vector<chat::Part> moved;
    const auto tell = [&all, &moved] {
        if (!moved.empty()) {
            chat::Message message;
            message.parts.swap(moved);
            all.push_back(std::move(message));
        }
    };
    for (chat::Message& message : request.messages) {
        if (message.role != chat::Role::tool) {
            tell();
        } else if (has_parts(message)) {
            take_parts(message, moved);
        }
        all.push_back(std::move(message));
    }
    tell();
    request.messages = std::move(all);
}

} // namespace ai_proxy::provider
