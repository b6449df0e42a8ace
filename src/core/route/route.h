#pragma once

#include "core/base/error.h"
#include "core/route/key_pool.h"
#include "core/route/model_map.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ai_proxy::route {

// Causes on which a try may be followed by another one; a bit set.
// "on=429,5xx,timeout,error": statuses and classes.
class On {
public:
    // Errors: unknown word, status outside 400-599.
    [[nodiscard]] static Result<On> parse(std::string_view text);
    // 408, 409, 429, 5xx (529 too), timeout, error.
    [[nodiscard]] static On standard() noexcept;
    // code + status of a failed try (status 0 when there was none).
    [[nodiscard]] bool allows(ErrorCode code, int status) const noexcept;

private:
    bool timeout_ = false, error_ = false, any_4xx_ = false, any_5xx_ = false;
    std::vector<uint16_t> statuses_;
};

// Can this failure be cured by trying the same provider again?
[[nodiscard]] bool retryable(ErrorCode code, int status) noexcept;

struct Target {
    uint16_t provider = 0; // index into Gateway::providers
    uint32_t weight = 1;
    std::string model;      // fixed name, "" = the provider's own map
    On on = On::standard(); // fallbacks: what leads here
};

enum class Balance : uint8_t { weighted, round_robin };

// ai_proxy_route, or what a location makes of plain provider names.
struct Route {
    std::string name;
    std::vector<std::string> match; // globs; empty = every model
    ModelMap model_map;
    std::vector<Target> targets;
    std::vector<Target> fallbacks;
    Balance balance = Balance::weighted;
    uint32_t retries = 0; // further tries on the same provider
    uint64_t backoff_min_ms = 200, backoff_max_ms = 5000;
    // Requests so far, for round robin: the one thing here that changes, in a
    // worker's own memory.
    mutable uint64_t turn = 0;

    [[nodiscard]] bool matches(std::string_view model) const noexcept;
};

// What one try came to, as far as the next decision needs it.
struct TryResult {
    ErrorCode code = ErrorCode::none;
    int status = 0;
    uint64_t retry_after_ms = 0; // 0: the provider did not say
};

// Whether a request must come to the provider and key that earlier ones of its
// client came to.
enum class Affinity : uint8_t {
    none,
    first, // begins there, may go elsewhere
    only,  // is of no use elsewhere
};

// The order of tries of one request: pure, fed results, time and randomness.
class Attempts {
public:
    // random: uniform 64 bits; turn: a counter for round robin.
    // keys[i] = those of provider i.
    // With an affinity random is the client's own number: the same number
    // gives the same provider, if it has the API, and the same key of it,
    // whatever the route's other providers are.
    Attempts(const Route& route, const std::vector<KeyPool>& keys,
        uint64_t random, uint64_t turn, Affinity affinity = Affinity::none);

    struct Step {
        bool give_up = false;
        uint64_t delay_ms = 0;
        const Target* target = nullptr;
        uint32_t key = 0;
    };
    // The first step has no delay and never gives up (a route has a target).
    // A provider without a key in its pool is left out while another one is
    // left that may follow such a failure.  now: monotonic microseconds.
    [[nodiscard]] Step first(int64_t now = 0);
    // What to do after a try that failed before anything reached the client.
    // Retry on the same provider (another key if it has one) while
    // retryable() and retries are left, after an exponential backoff with full
    // jitter that is at least Retry-After (more than 30 s of Retry-After:
    // do not wait, go on); then the other targets; then the fallbacks whose
    // on= allows the failure, in order.
    [[nodiscard]] Step next(
        const TryResult& last, uint64_t random, int64_t now = 0);

private:
    [[nodiscard]] const KeyPool& keys() const noexcept; // of this target
    [[nodiscard]] size_t with_keys(size_t position, int64_t now) const;
    [[nodiscard]] Step go(size_t position, uint64_t random, int64_t now);
    [[nodiscard]] uint32_t choose_key(uint64_t random, int64_t now) const;
    [[nodiscard]] Step same_target(
        uint64_t delay_ms, uint64_t random, int64_t now);
    [[nodiscard]] uint64_t backoff(uint64_t random) const noexcept;

    const Route& route_;
    const std::vector<KeyPool>& keys_;
    std::vector<const Target*> order_; // targets, then fallbacks
    uint64_t random_;
    Affinity affinity_;
    size_t position_ = 0;
    uint32_t steps_ = 0;
    uint32_t retries_here_ = 0, other_keys_here_ = 0;
    std::vector<bool> tried_; // keys of the current target
};

} // namespace ai_proxy::route
