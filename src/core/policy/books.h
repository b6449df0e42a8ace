#pragma once

#include "core/base/error.h"
#include "core/chat/event.h"
#include "core/chat/usage.h"
#include "core/dialect/api.h"
#include "core/usage/price.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ai_proxy::policy {

// Monotonic time in microseconds; only differences mean something.
using Micros = int64_t;

enum class UsageSource : uint8_t { none, provider, estimated };
[[nodiscard]] std::string_view to_text(UsageSource source) noexcept;

// What the location's limits had to say, $ai_proxy_limit_status.
enum class LimitStatus : uint8_t { none, passed, rejected, logged, ended };
[[nodiscard]] std::string_view to_text(LimitStatus status) noexcept;

enum class Drain : uint8_t { none, whole, cut };

struct TryRecord {
    uint16_t provider = 0; // index into Gateway::providers
    uint32_t key = 0;
    int status = 0; // of the provider, 0: none came
    ErrorCode code = ErrorCode::none;
    Micros begin = 0, end = 0;
    std::string model; // sent upstream
};

// Everything the log, the variables and the metrics say of one request.
// Filled while it runs, closed exactly once on every ending.
struct Books {
    dialect::Api api = dialect::Api::unknown;
    std::string request_model; // as the client named it
    std::string model;         // last one sent upstream
    int route = -1;            // index into Gateway::routes
    int provider = -1;         // of the last try
    bool stream = false;
    std::vector<TryRecord> tries;
    chat::Usage usage;
    UsageSource usage_source = UsageSource::none;
    // Of the model of the last try; nullptr: none is known.
    const usage::Price* price = nullptr;
    bool unpriced = false; // although the location has prices or budgets
    chat::Finish finish = chat::Finish::none;
    ErrorCode error = ErrorCode::none;
    int status = 0;         // sent to the client
    Micros begin = 0;       // request seen by the content handler
    Micros first_token = 0; // 0: none
    Micros end = 0;         // books closed
    // The client had left: was the answer read on, and to its end?
    Drain drain = Drain::none;
    // It had left while a provider was asked.
    bool left_asked = false;
    bool closed = false;
};

// What the request cost, in 10^-9 dollars; nullopt: nobody knows.
[[nodiscard]] std::optional<int64_t> cost_of(const Books& books) noexcept;

} // namespace ai_proxy::policy
