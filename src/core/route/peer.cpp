#include "core/route/peer.h"

#include "core/base/in_flight.h"

#include <algorithm>
#include <cmath>

namespace ai_proxy::route {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
// A measurement weighs 1/e of what it did after that time.
constexpr double kDecay = 10e6;
// A probe that nobody heard of any more, as of a worker that was killed.
constexpr int64_t kLongestProbe = 60'000'000;

// Bucket i holds durations up to 1 ms * 1.35^i: to 120 s in forty.
constexpr double kFirstBucket = 1000, kGrowth = 1.35;
constexpr uint64_t kEnough = 20, kMany = 1024;

} // namespace

void PeakMean::add(int64_t sample, int64_t now) noexcept
{
    sample = std::max<int64_t>(sample, 1);
    const int64_t last = at.load(kRelaxed);
    int64_t mean = sample;
    if (last != 0) {
        const int64_t known = micros.load(kRelaxed);
        if (sample < known) {
            const double kept =
                std::exp(-static_cast<double>(std::max<int64_t>(now - last, 0))
                    / kDecay);
            mean = static_cast<int64_t>(static_cast<double>(known) * kept
                + static_cast<double>(sample) * (1 - kept));
        }
    }
    micros.store(std::max<int64_t>(mean, 1), kRelaxed);
    at.store(std::max<int64_t>(now, 1), kRelaxed);
}

int64_t PeakMean::read(int64_t now) const noexcept
{
    const int64_t last = at.load(kRelaxed);
    if (last == 0) {
        return 0;
    }
    return static_cast<int64_t>(static_cast<double>(micros.load(kRelaxed))
        * std::exp(
            -static_cast<double>(std::max<int64_t>(now - last, 0)) / kDecay));
}

void Durations::add(int64_t micros) noexcept
{
    const double size =
        std::log(
            static_cast<double>(std::max<int64_t>(micros, 1)) / kFirstBucket)
        / std::log(kGrowth);
    const auto bucket = static_cast<size_t>(
        std::clamp(std::ceil(size), 0.0, double{kBuckets - 1}));
    if (counts[bucket].fetch_add(1, kRelaxed) % 64 != 63) {
        return;
    }
    uint64_t total = 0;
    for (const auto& count : counts) {
        total += count.load(kRelaxed);
    }
    if (total >= kMany) {
        for (auto& count : counts) {
            count.store(count.load(kRelaxed) / 2, kRelaxed);
        }
    }
}

int64_t Durations::quantile(double share) const noexcept
{
    uint64_t total = 0;
    for (const auto& count : counts) {
        total += count.load(kRelaxed);
    }
    if (total < kEnough) {
        return 0;
    }
    const auto wanted =
        static_cast<uint64_t>(std::ceil(share * static_cast<double>(total)));
    uint64_t seen = 0;
    size_t i = 0;
    for (; i + 1 < kBuckets; ++i) {
        seen += counts[i].load(kRelaxed);
        if (seen >= wanted) {
            break;
        }
    }
    return static_cast<int64_t>(
        kFirstBucket * std::pow(kGrowth, static_cast<double>(i)));
}

Peer::Peer(std::string_view name, const ModelMap* map)
    : id(in_flight_id("provider", name)), model_map(map)
{
}

void Peer::watch(std::vector<std::string> models)
{
    watched = true;
    std::sort(models.begin(), models.end());
    models.erase(std::unique(models.begin(), models.end()), models.end());
    models_ = std::move(models);
    const size_t count = models_.size() + 1;
    own_ = std::make_unique<PeerState[]>(count);
    states_.clear();
    for (size_t i = 0; i < count; ++i) {
        states_.push_back(&own_[i]);
    }
}

std::string_view Peer::model(size_t i) const noexcept
{
    return i < models_.size() ? std::string_view(models_[i])
                              : std::string_view();
}

PeerState* Peer::state(std::string_view model) const noexcept
{
    if (!watched) {
        return nullptr;
    }
    const auto found = std::lower_bound(models_.begin(), models_.end(), model);
    return found != models_.end() && *found == model
        ? states_[static_cast<size_t>(found - models_.begin())]
        : states_.back();
}

bool Peer::is_down() const noexcept
{
    return health.interval_ms != 0
        && this->state(health.model)->down.load(kRelaxed) != 0;
}

bool Peer::admits(const PeerState& state, int64_t now) const noexcept
{
    if (is_down()) {
        return false;
    }
    const int64_t until = state.open_until.load(kRelaxed);
    return breaker.percent == 0 || until == 0
        || (until <= now && state.probe_until.load(kRelaxed) <= now);
}

int64_t Peer::closed_for(const PeerState& state, int64_t now) noexcept
{
    const int64_t until = state.open_until.load(kRelaxed);
    return std::max<int64_t>(until - now, 0);
}

Peer::Entry Peer::enter(PeerState& state, int64_t now) const noexcept
{
    if (!admits(state, now)) {
        return Entry::refused;
    }
    if (breaker.percent == 0 || state.open_until.load(kRelaxed) == 0) {
        return Entry::normal;
    }
    int64_t last = state.probe_until.load(kRelaxed);
    return last <= now
            && state.probe_until.compare_exchange_strong(
                last, now + kLongestProbe, kRelaxed)
        ? Entry::probe
        : Entry::refused;
}

void Peer::open(PeerState& state, int64_t now) const noexcept
{
    const uint32_t times = state.opened.fetch_add(1, kRelaxed);
    uint64_t pause = breaker.open_least_ms;
    for (uint32_t i = 0; i < times && pause < breaker.open_most_ms; ++i) {
        pause *= 2;
    }
    pause = std::min(pause, breaker.open_most_ms);
    state.trips.fetch_add(1, kRelaxed);
    state.recent.clear();
    state.open_until.store(now + static_cast<int64_t>(pause) * 1000, kRelaxed);
}

void Peer::note(PeerState& state, Verdict verdict, Entry entry, int64_t begin,
    int64_t now) const noexcept
{
    if (breaker.percent == 0 || entry == Entry::refused) {
        return;
    }
    if (entry == Entry::probe) {
        if (verdict == Verdict::good) {
            state.opened.store(0, kRelaxed);
            state.open_until.store(0, kRelaxed);
        } else if (verdict == Verdict::bad) {
            open(state, now);
        }
        state.probe_until.store(0, kRelaxed);
        return;
    }
    if (verdict == Verdict::nothing || state.open_until.load(kRelaxed) != 0) {
        return;
    }
    const auto window = static_cast<int64_t>(breaker.window_ms) * 1000;
    // What began before the window says little about now.
    if (now - begin > window && verdict == Verdict::good) {
        return;
    }
    state.recent.add(PeerState::calls, now, window);
    if (verdict == Verdict::good) {
        return;
    }
    state.recent.add(PeerState::failures, now, window);
    const uint64_t calls = state.recent.read(PeerState::calls, now, window);
    const uint64_t bad = state.recent.read(PeerState::failures, now, window);
    if (calls >= breaker.least_calls && bad * 100 >= calls * breaker.percent) {
        int64_t closed = 0;
        if (state.open_until.compare_exchange_strong(closed, now, kRelaxed)) {
            open(state, now);
        }
    }
}

void Peer::note_check(PeerState& state, bool good) const noexcept
{
    if (good) {
        state.checks_failed.store(0, kRelaxed);
        if (state.checks_passed.fetch_add(1, kRelaxed) + 1 >= health.passes) {
            state.down.store(0, kRelaxed);
        }
        return;
    }
    state.checks_passed.store(0, kRelaxed);
    if (state.checks_failed.fetch_add(1, kRelaxed) + 1 >= health.fails) {
        state.down.store(1, kRelaxed);
    }
}

} // namespace ai_proxy::route
