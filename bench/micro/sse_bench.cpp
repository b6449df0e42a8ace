#include "core/wire/chunked.h"
#include "core/wire/sse.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>

using namespace ai_proxy;

namespace {

// A chat stream as OpenAI sends it; each event about 250 bytes.
std::string chat_stream(std::string_view line_end, size_t events)
{
    std::string out;
    for (size_t i = 0; i < events; i++) {
        out += R"(data: {"id":"chatcmpl-B7a0x2d1Gq9kLmN4pQrStUvWxYz01",)"
               R"("object":"chat.completion.chunk","created":1741290958,)"
               R"("model":"gpt-4o-2024-08-06","service_tier":"default",)"
               R"("system_fingerprint":"fp_0123456789","choices":[{"index":0,)"
               R"("delta":{"content":" token)";
        out += std::to_string(i);
        out += R"("},"logprobs":null,"finish_reason":null}]})";
        out += line_end;
        out += line_end;
    }
    return out;
}

void frame_blocks(benchmark::State& state, const std::string& text)
{
    const auto block = size_t(state.range(0));
    size_t events = 0;
    for (auto _ : state) {
        wire::SseFramer framer;
        const auto count = [&](const wire::SseEvent& event) {
            events += event.has_data ? 1 : 0;
            return true;
        };
        for (size_t at = 0; at < text.size(); at += block) {
            const auto fed =
                framer.feed(std::string_view(text).substr(at, block), count);
            benchmark::DoNotOptimize(fed.ok());
        }
    }
    state.SetBytesProcessed(int64_t(state.iterations()) * int64_t(text.size()));
    state.counters["events"] =
        benchmark::Counter(double(events), benchmark::Counter::kIsRate);
}

void sse_lf(benchmark::State& state)
{
    frame_blocks(state, chat_stream("\n", 4000));
}

void sse_crlf(benchmark::State& state)
{
    frame_blocks(state, chat_stream("\r\n", 4000));
}

void chunked(benchmark::State& state)
{
    std::string text;
    for (int i = 0; i < 4000; i++) {
        text += "fa\r\n" + std::string(250, 'x') + "\r\n";
    }
    for (auto _ : state) {
        wire::ChunkedDecoder decoder;
        std::string_view in = text;
        while (!in.empty()) {
            std::string_view payload;
            benchmark::DoNotOptimize(decoder.next(in, payload));
            benchmark::DoNotOptimize(payload.data());
        }
    }
    state.SetBytesProcessed(int64_t(state.iterations()) * int64_t(text.size()));
}

BENCHMARK(sse_lf)->Arg(250)->Arg(1460)->Arg(4096)->Arg(16384);
BENCHMARK(sse_crlf)->Arg(4096);
BENCHMARK(chunked);

} // namespace
