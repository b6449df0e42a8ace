#include "core/policy/provider_headers.h"

#include <algorithm>
#include <optional>
#include <span>

namespace ai_proxy::policy {

namespace {

constexpr size_t kMaxName = 128;
constexpr size_t kMaxValue = 1024;

constexpr std::string_view kPrefixes[] = {
    "x-ratelimit", "ratelimit", "anthropic-ratelimit-", "openai-"};

constexpr std::string_view kNames[] = {"retry-after", "retry-after-ms",
    "x-request-id", "request-id", "x-should-retry"};

// About the bytes of the body: only true when they pass unchanged.
constexpr std::string_view kBodyNames[] = {"content-disposition",
    "content-range", "content-encoding", "content-language", "accept-ranges",
    "etag", "last-modified"};

// One bit per letter of the alphabet, none for anything else.
constexpr uint32_t initial(std::string_view name) noexcept
{
    const char c = static_cast<char>(name.front() | 0x20);
    return c >= 'a' && c <= 'z' ? uint32_t(1) << (c - 'a') : 0;
}

// Most fields of an answer are known by their first letter not to pass.
constexpr uint32_t kInitials = [] {
    uint32_t all = 0;
    for (const std::string_view name : kPrefixes) {
        all |= initial(name);
    }
    for (const std::string_view name : kNames) {
        all |= initial(name);
    }
    for (const std::string_view name : kBodyNames) {
        all |= initial(name);
    }
    return all;
}();

bool is_text(std::string_view value) noexcept
{
    return std::none_of(value.begin(), value.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < 0x20 && c != '\t') || byte == 0x7F;
    });
}

bool listed(std::span<const std::string_view> names, std::string_view name)
{
    return std::any_of(names.begin(), names.end(),
        [name](std::string_view known) { return iequals(known, name); });
}

} // namespace

bool passes(const Header& header, bool untouched) noexcept
{
    if (header.name.empty()) {
        return false;
    }
    if ((kInitials & initial(header.name)) == 0 || header.name.size() > kMaxName
        || header.value.size() > kMaxValue)
    {
        return false;
    }
    const bool named = listed(kNames, header.name)
        || (untouched && listed(kBodyNames, header.name))
        || std::any_of(std::begin(kPrefixes), std::end(kPrefixes),
            [&](std::string_view p) { return istarts_with(header.name, p); });
    return named && is_text(header.value) && is_text(header.name);
}

std::string_view media_type(std::string_view value) noexcept
{
    return trim(value.substr(0, value.find(';')));
}

bool is_json_type(std::string_view media) noexcept
{
    constexpr std::string_view suffix = "+json";
    return iequals(media, "application/json") || iequals(media, "text/json")
        || (media.size() > suffix.size()
            && iequals(media.substr(media.size() - suffix.size()), suffix));
}

bool is_ndjson_type(std::string_view media) noexcept
{
    constexpr std::string_view types[] = {"application/x-ndjson",
        "application/ndjson", "application/jsonl", "application/json-lines",
        "application/stream+json"};
    return std::any_of(std::begin(types), std::end(types),
        [media](std::string_view type) { return iequals(media, type); });
}

} // namespace ai_proxy::policy
