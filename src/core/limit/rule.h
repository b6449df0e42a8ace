#pragma once

#include "core/limit/window.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace ai_proxy::metrics {
struct LimitCounts;
}

namespace ai_proxy::limit {

// What of a request is counted.
enum class Count : uint8_t { total, input, output, cost };

// What becomes of a request or a running stream that exceeds the budget.
enum class Mode : uint8_t { enforce, log };

// What becomes of a stream that runs while the budget is spent.
enum class Exhausted : uint8_t { finish, end };

// ai_proxy_token_limit: the tokens, or dollars, that requests with the same
// key may use.
struct Rule {
    std::string key;   // text with variables; no limit where it is empty
    uint32_t text = 0; // its number, for who knows variables
    std::string name;  // in logs and metrics
    Budget budget;     // of tokens, or 10^-6 dollars
    Count count = Count::total;
    Mode mode = Mode::enforce;
    Exhausted exhausted = Exhausted::finish;
    uint16_t status = 429;
    // What an answer is taken to need until it is known, when the request
    // does not bound it: so much of the budget, in percent.
    uint32_t reserve_percent = 10;
    int redis = -1; // index of the ai_proxy_redis that counts; -1: the zone
    bool settles = false; // what is taken is settled later
    uint64_t id = 0;      // tells its counters from those of other rules
    metrics::LimitCounts* counts = nullptr; // nullptr: not kept
};

// The id of a rule whose counters are these: rules that are written the same
// way share them, wherever they stand.
[[nodiscard]] uint64_t rule_id(const Rule& rule) noexcept;

// Counters by rule and key, that all workers share.
class Counters {
public:
    [[nodiscard]] virtual Taken take(const Rule& rule, std::string_view key,
        uint64_t amount, bool force) noexcept = 0;
    // last: nothing more comes of what was taken; until then the counter is
    // not given up for others.
    virtual Level settle(const Rule& rule, std::string_view key,
        int64_t difference, int64_t stamp, bool last) noexcept = 0;

protected:
    ~Counters() = default;
};

} // namespace ai_proxy::limit
