#include "core/usage/token_count.h"

#include <benchmark/benchmark.h>

#include <string>

using namespace ai_proxy;

namespace {

// Prose, code, JSON and Chinese in equal parts.
void count_tokens(benchmark::State& state)
{
    std::string text;
    while (text.size() < 100'000) {
        text += "The committee met twice last week, and neither meeting went "
                "as planned: \"We'll have to postpone the vote,\" he said.\n";
        text += "    for (p = r->pos; p < r->last; p++) {\n"
                "        if (*p == '\\n' && ++length > limit) {\n";
        text += R"({"sku":"KB-1021-US","quantity":1,"price":89.9,"tags":[]})";
        text += "\u4eba\u5de5\u667a\u80fd\u7f51\u5173\u662f\u4e00\u5c42"
                "\u8f6f\u4ef6\u3002";
    }
    for (auto _ : state) {
        benchmark::DoNotOptimize(usage::count_tokens(text));
    }
    state.SetBytesProcessed(int64_t(state.iterations()) * int64_t(text.size()));
}
BENCHMARK(count_tokens);

} // namespace
