#include "core/route/route.h"

#include "core/base/random.h"
#include "core/route/order.h"

#include <algorithm>

namespace ai_proxy::route {

namespace {

constexpr uint32_t kMaxSteps = 64;
constexpr uint64_t kMaxRetryAfter = 30'000;
constexpr uint32_t kMaxOtherKeys = 3;
// Retries that a route may always make in RouteState::kWindow: a share of few
// requests would be none.
constexpr uint64_t kFreeRetries = 3;

} // namespace

Attempts::Attempts(const Route& route, const Surroundings& around,
    const Asked& asked, int64_t now)
    : route_(route), around_(around), asked_(asked)
{
    order_.reserve(route.targets.size() + route.fallbacks.size());
    append_in_order(route, around, asked, now, order_);
    for (const Target& target : route.fallbacks)
        order_.push_back(&target);
}

const KeyPool& Attempts::keys() const noexcept
{
    return around_.keys[order_[position_]->provider];
}

PeerState* Attempts::state_of(size_t position)
{
    const Target& target = *order_[position];
    const Peer& peer = around_.peers[target.provider];
    if (!peer.watched)
        return nullptr;
    states_.resize(order_.size());
    if (states_[position] == nullptr)
        states_[position] = peer_state(peer, target, asked_.model);
    return states_[position];
}

// Why a target is not to be asked now.
Attempts::Block Attempts::blocked(size_t position, int64_t now)
{
    const uint16_t provider = order_[position]->provider;
    const Peer& peer = around_.peers[provider];
    if (const PeerState* state = state_of(position);
        state != nullptr && !peer.admits(*state, now))
    {
        return {ErrorCode::breaker_open, 0, Peer::closed_for(*state, now)};
    }
    if (const auto status = around_.keys[provider].all_away(now))
        return {ErrorCode::upstream_status, *status, 0};
    if (peer.concurrency != 0
        && around_.in_flight.count(peer.id) >= peer.concurrency)
    {
        return {ErrorCode::concurrency_limit, 429, 0};
    }
    return {};
}

// The first position from here on that may be asked; position itself when
// there is none that may follow.
size_t Attempts::passable(size_t position, int64_t now)
{
    size_t at = position;
    while (at < order_.size()) {
        const Block block = blocked(at, now);
        if (block.code == ErrorCode::none)
            return at;
        do
            ++at;
        while (at < order_.size()
            && !order_[at]->on.allows(block.code, block.status));
    }
    // A key that is away may be back before its time and a place comes free;
    // what is down or behind a breaker is not asked.
    for (at = position; at < route_.targets.size(); ++at) {
        if (blocked(at, now).code != ErrorCode::breaker_open)
            return at;
    }
    return position;
}

Attempts::Step Attempts::go(size_t position, uint64_t random, int64_t now)
{
    Step step;
    if (position >= order_.size()) {
        step.give_up = true;
        return step;
    }
    position_ =
        asked_.affinity == Affinity::only ? position : passable(position, now);
    retries_here_ = other_keys_here_ = 0;
    tried_.assign(keys().size(), false);
    return same_target(0, random, now);
}

Attempts::Step Attempts::first(int64_t now)
{
    steps_ = 1;
    if (route_.state != nullptr)
        route_.state->recent.add(
            RouteState::requests, now, RouteState::kWindow);
    uint64_t state = ~asked_.random;
    return go(0, mix(state), now);
}

// Full jitter between the least backoff and a cap that doubles each time.
uint64_t Attempts::backoff(uint64_t random) const noexcept
{
    uint64_t least = route_.backoff_min_ms;
    uint64_t most = std::max(least, route_.backoff_max_ms);
    uint64_t cap = least;
    for (uint32_t i = 0; i <= retries_here_ && cap < most; ++i)
        cap = std::min(cap * 2, most);
    return least + below(random, cap - least + 1);
}

// With an affinity the client's own key, if it may be used.
uint32_t Attempts::choose_key(uint64_t random, int64_t now) const
{
    if (asked_.affinity != Affinity::none) {
        const auto own = static_cast<uint32_t>(
            below(mix_provider(~asked_.random, order_[position_]->provider),
                keys().size()));
        if (asked_.affinity == Affinity::only
            || (!tried_[own] && keys().available(own, now)
                && keys().has_place(own, &around_.in_flight)))
        {
            keys().take(own, now);
            return own;
        }
    }
    return keys().choose(tried_, random, now, &around_.in_flight);
}

Attempts::Step Attempts::same_target(
    uint64_t delay_ms, uint64_t random, int64_t now)
{
    Step step;
    step.delay_ms = delay_ms;
    step.most_ms = route_.retry_ms;
    step.target = order_[position_];
    step.state = state_of(position_);
    if (step.state != nullptr) {
        const Peer& peer = around_.peers[step.target->provider];
        step.entry = peer.enter(*step.state, now);
        if (step.entry == Peer::Entry::refused) {
            step.give_up = true;
            step.blocked = ErrorCode::breaker_open;
            step.retry_after_ms = static_cast<uint64_t>(
                Peer::closed_for(*step.state, now) / 1000);
            return step;
        }
    }
    step.key = choose_key(random, now);
    tried_[step.key] = true;
    return step;
}

bool Attempts::may_retry(int64_t now) const noexcept
{
    RouteState* state = route_.state;
    if (state == nullptr)
        return true;
    constexpr int64_t window = RouteState::kWindow;
    const uint64_t all = state->recent.read(RouteState::requests, now, window);
    const uint64_t retries =
        state->recent.read(RouteState::retries, now, window);
    if (route_.budget_percent != 0 && retries >= kFreeRetries
        && retries * 100 >= all * route_.budget_percent)
    {
        return false;
    }
    state->recent.add(RouteState::retries, now, window);
    return true;
}

Attempts::Step Attempts::next(
    const TryResult& last, uint64_t random, int64_t now)
{
    Step step;
    if (order_.empty() || steps_ >= kMaxSteps) {
        step.give_up = true;
        return step;
    }
    ++steps_;
    const bool only = asked_.affinity == Affinity::only;
    const bool fresh_key =
        std::find(tried_.begin(), tried_.end(), false) != tried_.end();
    const bool open = blocked(position_, now).code == ErrorCode::breaker_open;
    if (fresh_key && keys().rules.on.has(last.status) && !only && !open
        && other_keys_here_ < kMaxOtherKeys)
    {
        ++other_keys_here_;
        return same_target(0, random, now);
    }
    const bool may_help = route_.retry_on
        ? route_.retry_on->allows(last.code, last.status, last.refusal)
        : retryable(last.code, last.status);
    if (may_help && retries_here_ < route_.retries && !open
        && last.retry_after_ms <= kMaxRetryAfter && may_retry(now))
    {
        const uint64_t pause = std::max(backoff(random), last.retry_after_ms);
        ++retries_here_;
        // All were tried: any of them may have recovered.
        if (!fresh_key)
            tried_.assign(tried_.size(), false);
        return same_target(pause, random, now);
    }
    if (only && last.code != ErrorCode::unsupported_api) {
        step.give_up = true;
        return step;
    }
    size_t other = position_ + 1;
    while (other < order_.size()
        && !order_[other]->on.allows(last.code, last.status, last.refusal))
        ++other;
    step = go(other, random, now);
    // The failure that came says more than that nothing else can be asked.
    step.blocked = ErrorCode::none;
    return step;
}

bool Attempts::may_follow(Refusal refusal) const noexcept
{
    return std::any_of(order_.begin()
            + static_cast<std::ptrdiff_t>(
                std::min(position_ + 1, order_.size())),
        order_.end(),
        [refusal](const Target* t) { return t->on.names(refusal); });
}

Attempts::Step Attempts::hedge(uint64_t random, int64_t now)
{
    Step step;
    step.give_up = true;
    RouteState* state = route_.state;
    if (state == nullptr || order_.empty())
        return step;
    constexpr int64_t window = RouteState::kWindow;
    const uint64_t all = state->recent.read(RouteState::requests, now, window);
    const uint64_t hedges = state->recent.read(RouteState::hedges, now, window);
    if ((hedges + 1) * 100
        > std::max<uint64_t>(
              all, 100 / std::max<uint32_t>(route_.hedge.percent, 1))
            * route_.hedge.percent)
    {
        return step;
    }
    size_t other = position_ + 1;
    while (other < route_.targets.size()
        && blocked(other, now).code != ErrorCode::none)
        ++other;
    if (other >= route_.targets.size()) {
        if (blocked(position_, now).code != ErrorCode::none)
            return step;
    } else {
        position_ = other;
        tried_.assign(keys().size(), false);
    }
    state->recent.add(RouteState::hedges, now, window);
    return same_target(0, random, now);
}

} // namespace ai_proxy::route
