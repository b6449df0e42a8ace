#pragma once

#include "core/base/error.h"
#include "core/route/key_pool.h"
#include "core/route/model_map.h"
#include "core/route/peer.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ai_proxy::route {

// Why a model did not answer a question that it was asked properly.
enum class Refusal : uint8_t {
    none,
    content_filter, // somebody's rules forbid the question or the answer
    context_length, // it is too long for the model
};

// Causes on which a try may be followed by another one; a bit set.
// "on=429,5xx,timeout,error": statuses and classes.
class On {
public:
    // content_filter and context_length besides.
    // Errors: unknown word, status outside 400-599.
    [[nodiscard]] static Result<On> parse(std::string_view text);
    // These statuses and nothing else.
    [[nodiscard]] static On of(const Statuses& statuses);
    // 408, 409, 429, 5xx (529 too), timeout, error.
    [[nodiscard]] static On standard() noexcept;
    // code + status of a failed try (status 0 when there was none).
    [[nodiscard]] bool allows(ErrorCode code, int status,
        Refusal refusal = Refusal::none) const noexcept;
    [[nodiscard]] bool names(Refusal refusal) const noexcept;

private:
    bool timeout_ = false, error_ = false, any_4xx_ = false, any_5xx_ = false;
    bool content_filter_ = false, context_length_ = false;
    std::vector<uint16_t> statuses_;
};

// Can this failure be cured by trying the same provider again?
[[nodiscard]] bool retryable(ErrorCode code, int status) noexcept;

struct Target {
    uint16_t provider = 0; // index into Gateway::providers
    uint32_t weight = 1;
    uint16_t tier = 1;      // the lowest goes first
    std::string model;      // fixed name, "" = the provider's own map
    On on = On::standard(); // fallbacks: what leads here
};

enum class Balance : uint8_t {
    weighted,
    round_robin,
    least_conn,
    least_latency,
    hash,   // of a text that the operator names
    prefix, // of what the prompt begins with
};

// What the workers share of a route.
struct RouteState {
    enum : size_t { requests, retries, hedges };
    static constexpr int64_t kWindow = 10'000'000; // microseconds
    SlidingCount<3> recent;
};

// A second try when the first one has not begun to answer.
struct HedgeRules {
    uint32_t percent = 0; // of requests that may have one; 0: none
    uint64_t after_ms = 0;
    double quantile = 0; // not 0: of the model's times to the first token
};

// ai_proxy_route, or what a location makes of plain provider names.
struct Route {
    std::string name;
    std::vector<std::string> match; // globs; empty = every model
    ModelMap model_map;
    std::vector<Target> targets;
    std::vector<Target> fallbacks;
    Balance balance = Balance::weighted;
    uint32_t retries = 0;       // further tries on the same provider
    std::optional<On> retry_on; // for these failures; unset: retryable()
    uint64_t retry_ms = 0;      // each may take, 0: as long as the first try
    uint64_t backoff_min_ms = 200, backoff_max_ms = 5000;
    uint32_t budget_percent = 0; // of requests that may be retries; 0: any
    uint64_t deadline_ms = 0;    // for all tries together; 0: none
    HedgeRules hedge;
    std::string hash_text;        // with variables, of balance hash
    uint32_t hash_value = 0;      // its number, for who knows variables
    uint32_t prefix_bytes = 1024; // of the prompt, for balance prefix
    RouteState* state = nullptr;  // nullptr: budgets are not kept
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
    Refusal refusal = Refusal::none;
};

// Whether a request must come to the provider and key that earlier ones of its
// client came to.
enum class Affinity : uint8_t {
    none,
    first, // begins there, may go elsewhere
    only,  // is of no use elsewhere
};

// What requests meet and change while they run.
struct Surroundings {
    const std::vector<KeyPool>& keys; // by provider
    const std::vector<Peer>& peers;   // by provider
    InFlight& in_flight;
};

// What one request brings to the choice.
struct Asked {
    uint64_t random = 0; // uniform 64 bits; with an affinity the client's own
    uint64_t turn = 0;   // a counter for round robin
    // With an affinity the same random gives the same provider, if it has the
    // API, and the same key of it, whatever the route's other providers are.
    Affinity affinity = Affinity::none;
    std::string_view model; // as the route maps it; must outlive the tries
    bool stream = false;
};

// The order of tries of one request: pure, fed results, time and randomness.
class Attempts {
public:
    // now: monotonic microseconds, here and below.
    Attempts(const Route& route, const Surroundings& around, const Asked& asked,
        int64_t now = 0);

    struct Step {
        bool give_up = false;
        // give_up: because of this (breaker_open) rather than of the last try
        ErrorCode blocked = ErrorCode::none;
        uint64_t retry_after_ms = 0; // blocked for so long at least
        uint64_t delay_ms = 0;
        uint64_t most_ms = 0; // the try may take, 0: the provider's own
        const Target* target = nullptr;
        uint32_t key = 0;
        PeerState* state = nullptr; // nullptr: the provider is not watched
        Peer::Entry entry = Peer::Entry::normal;
    };
    // The first step has no delay.  A provider whose keys are all away, whose
    // breaker is open, that is down or that has no place free is left out
    // while another one is left that may follow such a failure.  It gives up
    // only when all that may be asked are down or behind open breakers.
    [[nodiscard]] Step first(int64_t now = 0);
    // What to do after a try that failed before anything reached the client.
    // Retry on the same provider (another key if it has one) while
    // retryable() and retries are left, and the route's budget, after an
    // exponential backoff with full jitter that is at least Retry-After (more
    // than 30 s of Retry-After: do not wait, go on); then the other targets;
    // then the fallbacks whose on= allows the failure, in order.
    [[nodiscard]] Step next(
        const TryResult& last, uint64_t random, int64_t now = 0);
    // Is there one that stands in for such?
    [[nodiscard]] bool may_follow(Refusal refusal) const noexcept;
    // A second try beside the one of the last step, at a provider that may be
    // asked; the same one if there is no other.  give_up: the budget is spent.
    [[nodiscard]] Step hedge(uint64_t random, int64_t now);

private:
    [[nodiscard]] const KeyPool& keys() const noexcept; // of this target
    [[nodiscard]] PeerState* state_of(size_t position);
    struct Block {
        ErrorCode code = ErrorCode::none;
        int status = 0;
        int64_t micros = 0; // for so long, as far as it is known
    };
    [[nodiscard]] Block blocked(size_t position, int64_t now);
    [[nodiscard]] size_t passable(size_t position, int64_t now);
    [[nodiscard]] Step go(size_t position, uint64_t random, int64_t now);
    [[nodiscard]] uint32_t choose_key(uint64_t random, int64_t now) const;
    [[nodiscard]] Step same_target(
        uint64_t delay_ms, uint64_t random, int64_t now);
    [[nodiscard]] uint64_t backoff(uint64_t random) const noexcept;
    [[nodiscard]] bool may_retry(int64_t now) const noexcept;

    const Route& route_;
    Surroundings around_;
    Asked asked_;
    std::vector<const Target*> order_; // targets, then fallbacks
    std::vector<PeerState*> states_;   // of order_, as far as they are known
    size_t position_ = 0;
    uint32_t steps_ = 0;
    uint32_t retries_here_ = 0, other_keys_here_ = 0;
    std::vector<bool> tried_; // keys of the current target
};

} // namespace ai_proxy::route
