#include "core/base/random.h"
#include "core/policy/prompt_prefix.h"
#include "core/route/route.h"

#include <benchmark/benchmark.h>

#include <array>
#include <string>
#include <vector>

using namespace ai_proxy;

// What each mechanism costs a request when nothing fails: four providers of
// four keys, counts of eight workers.
namespace {

constexpr size_t kWorkers = 8;

class Workers final : public InFlight {
public:
    Workers() : entries_(kWorkers)
    {
        for (auto& worker : entries_) {
            worker = std::vector<InFlightEntry>(16384);
        }
        for (uint64_t id = 1; id < 4000; ++id) {
            uint64_t state = id;
            (void)InFlightTable(entries_[id % kWorkers]).enter(mix(state));
        }
    }
    bool enter(uint64_t id) noexcept override
    {
        return InFlightTable(entries_[0]).enter(id);
    }
    void leave(uint64_t id) noexcept override
    {
        InFlightTable(entries_[0]).leave(id);
    }
    [[nodiscard]] uint64_t count(uint64_t id) const noexcept override
    {
        uint64_t sum = 0;
        for (const auto& worker : entries_) {
            sum += InFlightTable(
                {const_cast<InFlightEntry*>(worker.data()), worker.size()})
                       .count(id);
        }
        return sum;
    }

private:
    std::vector<std::vector<InFlightEntry>> entries_;
};

struct World {
    World()
    {
        for (int i = 0; i < 4; ++i) {
            keys.emplace_back(4);
            peers.emplace_back("provider " + std::to_string(i), nullptr);
            route::Target target;
            target.provider = static_cast<uint16_t>(i);
            route.targets.push_back(target);
        }
    }
    void run(benchmark::State& state)
    {
        route::Asked asked;
        asked.model = "gpt-4o";
        int64_t now = 1'000'000;
        for (auto _ : state) {
            asked.random = mix(random);
            ++asked.turn;
            ++now;
            route::Attempts attempts(route, {keys, peers, workers}, asked, now);
            benchmark::DoNotOptimize(attempts.first(now));
        }
    }

    Workers workers;
    std::vector<route::KeyPool> keys;
    std::vector<route::Peer> peers;
    route::Route route;
    uint64_t random = 1;
};

void choose(benchmark::State& state, route::Balance balance)
{
    World world;
    world.route.balance = balance;
    if (balance == route::Balance::least_latency) {
        for (auto& peer : world.peers) {
            peer.watch({"gpt-4o"});
            peer.state("gpt-4o")->duration.add(1000, 1);
        }
    }
    world.run(state);
}
BENCHMARK_CAPTURE(choose, weighted, route::Balance::weighted);
BENCHMARK_CAPTURE(choose, round_robin, route::Balance::round_robin);
BENCHMARK_CAPTURE(choose, least_conn, route::Balance::least_conn);
BENCHMARK_CAPTURE(choose, least_latency, route::Balance::least_latency);

void choose_by_hash(benchmark::State& state)
{
    World world;
    route::Asked asked;
    asked.affinity = route::Affinity::first;
    for (auto _ : state) {
        asked.random = mix(world.random);
        route::Attempts attempts(
            world.route, {world.keys, world.peers, world.workers}, asked, 1);
        benchmark::DoNotOptimize(attempts.first(1));
    }
}
BENCHMARK(choose_by_hash);

// Asked and told, besides the choice.
void breaker(benchmark::State& state)
{
    route::Peer peer("p", nullptr);
    peer.breaker.percent = 50;
    peer.watch({"gpt-4o", "gpt-4o-mini", "o3"});
    int64_t now = 1'000'000;
    for (auto _ : state) {
        route::PeerState* known = peer.state("gpt-4o");
        const auto entry = peer.enter(*known, ++now);
        peer.note(*known, route::Verdict::good, entry, now, now);
        benchmark::DoNotOptimize(known);
    }
}
BENCHMARK(breaker);

void measure_times(benchmark::State& state)
{
    route::PeerState known;
    int64_t now = 1'000'000;
    for (auto _ : state) {
        now += 1000;
        known.first_token.add(now % 100'000, now);
        known.first_tokens.add(now % 100'000);
        benchmark::DoNotOptimize(known.first_tokens.quantile(0.95));
    }
}
BENCHMARK(measure_times);

// Taken and given back, under a limit that all workers count for.
void place(benchmark::State& state)
{
    Workers workers;
    const uint64_t id = in_flight_id("provider", "p");
    for (auto _ : state) {
        Place taken = take_place(workers, id, 1000);
        benchmark::DoNotOptimize(taken);
    }
}
BENCHMARK(place);

void retry_budget(benchmark::State& state)
{
    World world;
    route::RouteState shared;
    world.route.state = &shared;
    world.route.budget_percent = 20;
    world.run(state);
}
BENCHMARK(retry_budget);

void prefix_of_a_prompt(benchmark::State& state)
{
    std::string text = R"({"model":"m","messages":[{"role":"system",)"
                       R"("content":")"
        + std::string(4000, 'x') + R"("},{"role":"user","content":"hello"}]})";
    json::Parser parser;
    const auto body = parser.parse(std::string_view(text));
    for (auto _ : state) {
        benchmark::DoNotOptimize(policy::prompt_prefix(*body, 1024));
    }
}
BENCHMARK(prefix_of_a_prompt);

} // namespace
