#pragma once

#include "core/base/text.h"
#include "core/json/reader.h"

#include <array>
#include <cstdint>
#include <string_view>

// When a provider that refused says one may come again.  All in milliseconds,
// a day at most; 0 stands for nothing that can be used.
namespace ai_proxy::policy {

// Value of Retry-After (seconds or HTTP date) or retry-after-ms; 0 also for
// the past.
[[nodiscard]] uint64_t parse_retry_after(
    std::string_view value, int64_t now_seconds) noexcept;
[[nodiscard]] uint64_t parse_retry_after_ms(std::string_view value) noexcept;
// When a limit is reset: "6m0s", "1.5s", "17ms" (OpenAI, Groq), a number of
// seconds, UNIX time in seconds or milliseconds (OpenRouter), or RFC 3339
// (Anthropic).
[[nodiscard]] uint64_t parse_reset(
    std::string_view value, int64_t now_seconds) noexcept;
// Google's RetryInfo among the details of an error ("retryDelay":"48s").
[[nodiscard]] uint64_t retry_info(json::Node body) noexcept;

// Gathers the header fields of one answer.
class RetryHints {
public:
    explicit RetryHints(int64_t now_seconds) noexcept : now_(now_seconds) {}
    void header(const Header& header) noexcept;
    // Retry-After, or else until the last of the limits that are used up
    // (x-ratelimit-remaining-... is 0) is reset.
    [[nodiscard]] uint64_t wait_ms() const noexcept;

private:
    struct Limit {
        bool spent = false;
        uint64_t reset_ms = 0;
    };
    // Of requests, tokens, input tokens, output tokens, and without a name.
    [[nodiscard]] Limit& limit_of(std::string_view name) noexcept;

    int64_t now_;
    uint64_t seconds_ = 0, milliseconds_ = 0;
    std::array<Limit, 5> limits_{};
};

} // namespace ai_proxy::policy
