#include "core/policy/provider_headers.h"

#include <algorithm>
#include <optional>
#include <span>

namespace ai_proxy::policy {

namespace {

constexpr size_t kMaxName = 128;
constexpr size_t kMaxValue = 1024;
// A longer wait than a day is no wait.
constexpr uint64_t kMaxWaitMs = 24 * 3600 * 1000ULL;

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

// Days since 1970-01-01 of a date in the Gregorian calendar.
int64_t days_from_civil(int64_t year, int64_t month, int64_t day) noexcept
{
    year -= month <= 2 ? 1 : 0;
    const int64_t era = year / 400;
    const int64_t of_era = year - era * 400;
    const int64_t of_year =
        (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    const int64_t of_era_days =
        of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    return era * 146097 + of_era_days - 719468;
}

std::optional<int64_t> digits(
    std::string_view text, size_t at, size_t length) noexcept
{
    const auto number = parse_uint(text.substr(at, length));
    return number ? std::optional<int64_t>(static_cast<int64_t>(*number))
                  : std::nullopt;
}

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7, the form to be sent).
std::optional<int64_t> parse_http_date(std::string_view text) noexcept
{
    constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (text.size() != 29 || text.substr(25) != " GMT") {
        return std::nullopt;
    }
    const size_t month = months.find(text.substr(8, 3));
    const auto day = digits(text, 5, 2), year = digits(text, 12, 4);
    const auto hour = digits(text, 17, 2), minute = digits(text, 20, 2);
    const auto second = digits(text, 23, 2);
    if (month == std::string_view::npos || month % 3 != 0 || !day || !year
        || !hour || !minute || !second)
    {
        return std::nullopt;
    }
    const auto number = static_cast<int64_t>(month / 3 + 1);
    return days_from_civil(*year, number, *day) * 86400 + *hour * 3600
        + *minute * 60 + *second;
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

uint64_t parse_retry_after(std::string_view value, int64_t now_seconds) noexcept
{
    value = trim(value);
    // Some vendors send fractions; a second more does no harm.
    const size_t point = value.find('.');
    if (const auto seconds = parse_uint(value.substr(0, point))) {
        const uint64_t whole =
            *seconds + (point == std::string_view::npos ? 0 : 1);
        return whole > kMaxWaitMs / 1000 ? kMaxWaitMs : whole * 1000;
    }
    const auto date = parse_http_date(value);
    if (!date || *date <= now_seconds) {
        return 0;
    }
    const auto wait = static_cast<uint64_t>(*date - now_seconds);
    return wait > kMaxWaitMs / 1000 ? kMaxWaitMs : wait * 1000;
}

uint64_t parse_retry_after_ms(std::string_view value) noexcept
{
    value = trim(value);
    const auto number = parse_uint(value.substr(0, value.find('.')));
    return std::min(number.value_or(0), kMaxWaitMs);
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
