#include "core/json/splice.h"

#include "core/policy/leg.h"

#include <algorithm>
#include <utility>

namespace ai_proxy::policy {

namespace {

// What a failure without an answer counts for at least in the times of a
// provider: it must not look fast.
constexpr Micros kFailedFor = 1'000'000;
route::Verdict verdict_of(const async::TryEnd& end, int status) noexcept
{
    using route::Verdict;
    switch (end.code) {
    case ErrorCode::none:
        return Verdict::good;
    case ErrorCode::upstream_status:
    case ErrorCode::upstream_error:
        return status >= 500 || status < 400 ? Verdict::bad : Verdict::good;
    default:
        return route::retryable(end.code, 0) ? Verdict::bad : Verdict::nothing;
    }
}

// The provider's, or the one that an error under a 200 says.
int status_of(const Response& response, const async::TryEnd& end) noexcept
{
    const bool said =
        response.told() || response.state() == Response::State::failed;
    if (end.code != ErrorCode::none && said && response.status() < 400) {
        return response.error().status;
    }
    return response.status();
}

} // namespace

Leg::Leg(Leg&& other) noexcept
    : peer_(std::exchange(other.peer_, nullptr)), keys_(other.keys_),
      step_(other.step_), places_(std::move(other.places_))
{
}

Leg& Leg::operator=(Leg&& other) noexcept
{
    if (this != &other) {
        drop();
        peer_ = std::exchange(other.peer_, nullptr);
        keys_ = other.keys_;
        step_ = other.step_;
        places_ = std::move(other.places_);
    }
    return *this;
}

async::PlaceOp::Wanted Leg::wanted() const noexcept
{
    async::PlaceOp::Wanted wanted{
        0, 0, peer_->queue, peer_->queue != 0 ? peer_->queue_ms : 0};
    const bool of_provider = peer_->counted && places_.empty();
    const size_t places = peer_->counted ? 1 : 0;
    if (of_provider) {
        wanted.id = peer_->id;
        wanted.limit =
            peer_->concurrency != 0 ? peer_->concurrency : kUnlimited;
    } else if (keys_->rules.concurrency != 0 && places_.size() == places) {
        wanted.id = keys_->in_flight_id(step_.key);
        wanted.limit = keys_->rules.concurrency;
    }
    return wanted;
}

void Leg::settle(const Try& attempt, const async::TryEnd& end)
{
    if (peer_ == nullptr) {
        return;
    }
    note_key(attempt, end);
    const route::Peer* peer = std::exchange(peer_, nullptr);
    places_.clear();
    if (step_.state == nullptr) {
        return;
    }
    const route::Verdict verdict =
        verdict_of(end, status_of(*attempt.response, end));
    peer->note(*step_.state, verdict, step_.entry, end.begin, end.end);
    if (verdict != route::Verdict::nothing) {
        note_times(attempt, end, verdict == route::Verdict::bad);
    }
}

void Leg::note_key(const Try& attempt, const async::TryEnd& end) const
{
    keys_->note(attempt.key, status_of(*attempt.response, end),
        attempt.response->retry_after_ms(), end.begin, end.end);
}

void Leg::note_times(
    const Try& attempt, const async::TryEnd& end, bool bad) const
{
    route::PeerState& state = *step_.state;
    const Micros took = end.end - end.begin;
    if (bad) {
        for (route::PeakMean* mean : {&state.first_token, &state.duration}) {
            mean->add(
                std::max({took, kFailedFor, 2 * mean->read(end.end)}), end.end);
        }
        return;
    }
    if (end.code != ErrorCode::none) {
        return;
    }
    const Micros first = attempt.response->first_token();
    if (first > end.begin) {
        state.first_token.add(first - end.begin, end.end);
        state.first_tokens.add(first - end.begin);
    } else {
        state.duration.add(took, end.end);
        state.durations.add(took);
    }
}

void Leg::drop() noexcept
{
    places_.clear();
    if (peer_ != nullptr && step_.state != nullptr) {
        peer_->note(*step_.state, route::Verdict::nothing, step_.entry, 0, 0);
    }
    peer_ = nullptr;
}

} // namespace ai_proxy::policy
