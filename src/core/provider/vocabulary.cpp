#include "core/provider/vocabulary.h"

#include <algorithm>
#include <string>

namespace ai_proxy::provider {
namespace {

using json::Node;

struct Alias {
    std::string_view member, word;
};
constexpr Alias kAliases[] = {
    {"max_completion_tokens", "max_tokens"},
    {"functions", "tools"},
    {"function_call", "tool_choice"},
    {"reasoning", "reasoning_effort"},
    {"reasoning_max_tokens", "reasoning_effort"},
    {"thinking", "reasoning_effort"},
    {"output_config", "reasoning_effort"},
    {"safety_identifier", "user"},
};

// What the gateway reads itself, whoever answers.
constexpr std::string_view kAlways[] = {
    "model", "messages", "stream", "stream_options", "encoding_format"};

bool holds(
    std::span<const std::string_view> words, std::string_view word) noexcept
{
    return std::find(words.begin(), words.end(), word) != words.end();
}

bool is_empty(Node value) noexcept
{
    return (value.is_array() || value.is_object()) && value.size() == 0;
}

// Does a member say no more than its absence?
bool asks_nothing(std::string_view member, Node value)
{
    const std::string_view word = word_of(member);
    // Its presence asks for a search.
    if (!value.has_value() || (is_empty(value) && word != "web_search_options"))
    {
        return true;
    }
    // How a cache is kept changes the price, not the answer.
    if (word.starts_with("prompt_cache_")) {
        return true;
    }
    if (word == "n") {
        return value.integer() == 1;
    }
    if (word == "presence_penalty" || word == "frequency_penalty"
        || word == "top_logprobs")
    {
        return value.number() == 0.0;
    }
    if (word == "logprobs" || word == "store") {
        return value.boolean() == false;
    }
    if (word == "parallel_tool_calls") {
        return value.boolean() == true;
    }
    if (word == "service_tier") {
        return value.string_or() == "auto";
    }
    if (word == "reasoning_effort") {
        return value.string_or() == "none"
            || value["effort"].string_or() == "none"
            || value["type"].string_or() == "disabled";
    }
    if (word == "modalities") {
        return value.size() == 1 && value.at(0).string_or() == "text";
    }
    if (word == "response_format") {
        return value["type"].string_or() == "text";
    }
    return false;
}

// The choice of tools in one of the forms that not everyone knows.
std::string_view choice_word(chat::ToolChoice choice) noexcept
{
    switch (choice) {
    case chat::ToolChoice::none:
        return "tool_choice.none";
    case chat::ToolChoice::required:
        return "tool_choice.required";
    case chat::ToolChoice::named:
        return "tool_choice.named";
    case chat::ToolChoice::unset:
    case chat::ToolChoice::automatic:
        break;
    }
    return {};
}

std::string_view format_word(chat::Format format) noexcept
{
    switch (format) {
    case chat::Format::json_object:
        return "response_format.json_object";
    case chat::Format::json_schema:
        return "response_format.json_schema";
    case chat::Format::unset:
    case chat::Format::text:
        break;
    }
    return {};
}

void note_message(const Vocabulary& vocabulary, const chat::Message& message,
    size_t index, chat::Dropped& dropped)
{
    const std::string place = "messages[" + std::to_string(index) + "]";
    if (message.raw["name"].has_value()
        && message.raw["role"].string_or() != "function"
        && !vocabulary.has("messages.name"))
    {
        dropped.add(place + ".name");
    }
    if (message.raw["audio"].has_value()) {
        dropped.add(place + ".audio");
    }
    for (size_t i = 0; i < message.parts.size(); i++) {
        const Node block = message.parts[i].claude_block;
        if (!vocabulary.has("citations") && block["citations"].has_value()) {
            dropped.add(
                place + ".content[" + std::to_string(i) + "].citations");
        }
    }
    if (vocabulary.has("image_url.detail")) {
        return;
    }
    for (size_t i = 0; i < message.parts.size(); i++) {
        const std::string_view detail = message.parts[i].detail;
        if (!detail.empty() && detail != "auto") {
            dropped.add(
                place + ".content[" + std::to_string(i) + "].image_url.detail");
        }
    }
}

void note_tools(const Vocabulary& vocabulary, const chat::Request& request,
    chat::Dropped& dropped)
{
    const std::string_view choice = choice_word(request.tool_choice);
    // Who has no tools chooses none.
    const bool moot =
        request.tools.empty() && request.tool_choice == chat::ToolChoice::none;
    if (!choice.empty() && !moot && !vocabulary.has(choice)) {
        dropped.add("tool_choice");
    }
    if (vocabulary.has("tools.strict")) {
        return;
    }
    for (size_t i = 0; i < request.tools.size(); i++) {
        if (request.tools[i].strict.value_or(false)) {
            dropped.add("tools[" + std::to_string(i) + "].function.strict");
        }
    }
}

bool is_unsaid(const Vocabulary& vocabulary, const json::Member& member)
{
    return !holds(kAlways, member.key) && !vocabulary.has(word_of(member.key))
        && !holds(vocabulary.own, member.key)
        && !asks_nothing(member.key, member.value);
}

} // namespace

bool Vocabulary::has(std::string_view word) const noexcept
{
    return holds(words, word);
}

std::string_view word_of(std::string_view member) noexcept
{
    for (const Alias& alias : kAliases) {
        if (alias.member == member) {
            return alias.word;
        }
    }
    return member;
}

void note_unsaid(const Vocabulary& vocabulary, const chat::Request& request,
    chat::Dropped& dropped)
{
    for (const json::Member member : request.raw.members()) {
        // Looked at by kind below.
        if (word_of(member.key) != "tool_choice"
            && member.key != "response_format" && is_unsaid(vocabulary, member))
        {
            dropped.add(member.key);
        }
    }
    const std::string_view format = format_word(request.format);
    if (!format.empty() && !vocabulary.has(format)) {
        dropped.add("response_format");
    }
    note_tools(vocabulary, request, dropped);
    for (size_t i = 0; i < request.messages.size(); i++) {
        note_message(vocabulary, request.messages[i], i, dropped);
    }
}

void note_unsaid(
    const Vocabulary& vocabulary, Node request, chat::Dropped& dropped)
{
    for (const json::Member member : request.members()) {
        if (is_unsaid(vocabulary, member)) {
            dropped.add(member.key);
        }
    }
}

} // namespace ai_proxy::provider
