#include "core/limit/window.h"

#include <benchmark/benchmark.h>

using namespace ai_proxy;

namespace {

// What a request does to a window that is in use.
void token_limit(benchmark::State& state)
{
    const limit::Budget budget{1'000'000, 60'000, limit::Algorithm::sliding};
    limit::SlidingWindow window;
    int64_t now = 1'000'000;
    for (auto _ : state) {
        const limit::Taken taken =
            limit::take(&window, budget, 700, ++now, false);
        benchmark::DoNotOptimize(
            limit::settle(&window, budget, -699, taken.stamp, now));
    }
}
BENCHMARK(token_limit);

} // namespace
