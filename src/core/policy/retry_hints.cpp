#include "core/policy/retry_hints.h"

#include "core/base/calendar.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

namespace ai_proxy::policy {

namespace {

// A longer wait than a day is no wait.
constexpr uint64_t kMaxWaitMs = 24 * 3600 * 1000ULL;

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
    return days_of_date(*year, number, *day) * 86400 + *hour * 3600
        + *minute * 60 + *second;
}

// "2025-01-31T12:00:00Z" (RFC 3339, UTC; fractions are cut off).
std::optional<int64_t> parse_rfc3339(std::string_view text) noexcept
{
    if (text.size() < 20 || text[4] != '-' || text[7] != '-'
        || (text[10] != 'T' && text[10] != 't') || text[13] != ':'
        || text[16] != ':' || (text.back() != 'Z' && text.back() != 'z'))
    {
        return std::nullopt;
    }
    const auto year = digits(text, 0, 4), month = digits(text, 5, 2);
    const auto day = digits(text, 8, 2), hour = digits(text, 11, 2);
    const auto minute = digits(text, 14, 2), second = digits(text, 17, 2);
    if (!year || !month || !day || !hour || !minute || !second || *month < 1
        || *month > 12)
    {
        return std::nullopt;
    }
    return days_of_date(*year, *month, *day) * 86400 + *hour * 3600
        + *minute * 60 + *second;
}

uint64_t until(int64_t moment, int64_t now_seconds) noexcept
{
    if (moment <= now_seconds) {
        return 0;
    }
    const auto wait = static_cast<uint64_t>(moment - now_seconds);
    return wait > kMaxWaitMs / 1000 ? kMaxWaitMs : wait * 1000;
}

// A number without sign or exponent.
std::optional<double> take_number(std::string_view& text) noexcept
{
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(),
        text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc() || text.empty() || text.front() == '-'
        || !std::isfinite(number))
    {
        return std::nullopt;
    }
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    return number;
}

// Milliseconds of "1h2m3.5s" and the like; the units of Go's durations.
std::optional<double> parse_go_duration(std::string_view text) noexcept
{
    double sum = 0;
    while (!text.empty()) {
        const auto number = take_number(text);
        if (!number) {
            return std::nullopt;
        }
        double unit = 0;
        if (text.starts_with("ms")) {
            unit = 1;
            text.remove_prefix(2);
        } else if (text.starts_with("h") || text.starts_with("m")
            || text.starts_with("s"))
        {
            unit = text[0] == 'h' ? 3'600'000 : text[0] == 'm' ? 60'000 : 1000;
            text.remove_prefix(1);
        } else {
            return std::nullopt;
        }
        sum += *number * unit;
    }
    return sum;
}

uint64_t whole_ms(double ms) noexcept
{
    return ms >= static_cast<double>(kMaxWaitMs)
        ? kMaxWaitMs
        : static_cast<uint64_t>(std::ceil(ms));
}

} // namespace

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
    return date ? until(*date, now_seconds) : 0;
}

uint64_t parse_retry_after_ms(std::string_view value) noexcept
{
    value = trim(value);
    const auto number = parse_uint(value.substr(0, value.find('.')));
    return std::min(number.value_or(0), kMaxWaitMs);
}

uint64_t parse_reset(std::string_view value, int64_t now_seconds) noexcept
{
    value = trim(value);
    if (const auto moment = parse_rfc3339(value)) {
        return until(*moment, now_seconds);
    }
    std::string_view rest = value;
    const auto number = take_number(rest);
    if (number && rest.empty()) {
        constexpr double kMomentSeconds = 1e9, kMomentMs = 1e12;
        if (*number >= kMomentMs && *number < kMomentMs * 1000) {
            return until(static_cast<int64_t>(*number / 1000) + 1, now_seconds);
        }
        return *number >= kMomentSeconds && *number < kMomentMs
            ? until(static_cast<int64_t>(*number), now_seconds)
            : whole_ms(*number * 1000);
    }
    return whole_ms(parse_go_duration(value).value_or(0));
}

uint64_t retry_info(json::Node body) noexcept
{
    const json::Node error =
        body.is_array() ? body.at(0)["error"] : body["error"];
    for (const json::Node detail : error["details"].items()) {
        const std::string_view delay = detail["retryDelay"].string_or();
        if (!delay.empty()) {
            return whole_ms(parse_go_duration(delay).value_or(0));
        }
    }
    return 0;
}

RetryHints::Limit& RetryHints::limit_of(std::string_view name) noexcept
{
    const auto has = [name](std::string_view word) {
        return std::search(name.begin(), name.end(), word.begin(), word.end(),
                   [](char a, char b) { return lower(a) == b; })
            != name.end();
    };
    return limits_[has("requests") ? 0
            : has("input-tokens")  ? 1
            : has("output-tokens") ? 2
            : has("tokens")        ? 3
                                   : 4];
}

void RetryHints::header(const Header& header) noexcept
{
    if (iequals(header.name, "retry-after")) {
        seconds_ = parse_retry_after(header.value, now_);
        return;
    }
    if (iequals(header.name, "retry-after-ms")) {
        milliseconds_ = parse_retry_after_ms(header.value);
        return;
    }
    constexpr std::string_view kPrefixes[] = {
        "x-ratelimit-", "ratelimit-", "anthropic-ratelimit-"};
    const auto prefix = std::find_if(std::begin(kPrefixes), std::end(kPrefixes),
        [&](std::string_view p) { return istarts_with(header.name, p); });
    if (prefix == std::end(kPrefixes)) {
        return;
    }
    // "remaining-tokens" of OpenAI, "tokens-remaining" of Anthropic
    const std::string_view name = header.name.substr(prefix->size());
    const auto is = [name](std::string_view word) {
        return istarts_with(name, word)
            || (name.size() > word.size()
                && iequals(name.substr(name.size() - word.size()), word));
    };
    if (is("remaining")) {
        limit_of(name).spent = trim(header.value) == "0";
    } else if (is("reset")) {
        limit_of(name).reset_ms = parse_reset(header.value, now_);
    }
}

uint64_t RetryHints::wait_ms() const noexcept
{
    if (milliseconds_ != 0 || seconds_ != 0) {
        return milliseconds_ != 0 ? milliseconds_ : seconds_;
    }
    uint64_t wait = 0;
    for (const Limit& limit : limits_) {
        wait = limit.spent ? std::max(wait, limit.reset_ms) : wait;
    }
    return wait;
}

} // namespace ai_proxy::policy
