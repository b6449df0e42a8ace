#include "core/json/reader.h"
#include "core/json/splice.h"
#include "core/json/writer.h"

#include <benchmark/benchmark.h>

#include <string>

using namespace ai_proxy;

namespace {

// A conversation of about that many bytes: prose, code with escapes, and text
// beyond ASCII.  The model comes last, as in the slowest case.
std::string chat_request(size_t size)
{
    std::string out = R"({"messages":[{"role":"system","content":"Be brief."})";
    while (out.size() < size) {
        out +=
            R"(,{"role":"user","content":"Please explain what happens when )"
            R"(the connection is closed by the peer before the whole body )"
            R"(was received, and how a caller can tell it from the end.\n)"
            R"(int main()\n{\n\tputs(\"hello\\n\");\n\treturn 0;\n}\n)"
            "\xE8\xBF\x99\xE6\x98\xAF\xE4\xB8\x80\xE4\xB8\xAA"
            R"(\u4f8b\u5b50"},{"role":"assistant","content":"It )"
            R"(closes.","tool_calls":[{"id":"call_1","type":"function",)"
            R"("function":{"name":"read","arguments":"{\"path\":\"a\"}"}}]})";
    }
    out += R"(],"temperature":0.7,"stream":true,"model":"gpt-4o"})";
    return out;
}

struct Padded {
    explicit Padded(std::string text) : bytes(std::move(text))
    {
        size = bytes.size();
        bytes.append(json::kPadding, '\0');
    }
    std::string bytes;
    size_t size;
};

// What a relayed request costs: parse, look at the model, write another one.
void splice_model(benchmark::State& state)
{
    const Padded text(chat_request(size_t(state.range(0))));
    for (auto _ : state) {
        json::Parser parser;
        const auto root = parser.parse(text.bytes.data(), text.size);
        benchmark::DoNotOptimize((*root)["model"].string_or().data());
        auto splice = json::Splice::scan(text.bytes.data(), text.size);
        splice->set("model", "\"qwen-max\"");
        benchmark::DoNotOptimize(splice->pieces().data());
    }
    state.SetBytesProcessed(int64_t(state.iterations()) * int64_t(text.size));
}

void parse(benchmark::State& state)
{
    const Padded text(chat_request(size_t(state.range(0))));
    json::Parser parser;
    for (auto _ : state) {
        benchmark::DoNotOptimize(
            parser.parse(text.bytes.data(), text.size).ok());
    }
    state.SetBytesProcessed(int64_t(state.iterations()) * int64_t(text.size));
}

void scan(benchmark::State& state)
{
    const Padded text(chat_request(size_t(state.range(0))));
    for (auto _ : state) {
        benchmark::DoNotOptimize(
            json::Splice::scan(text.bytes.data(), text.size).ok());
    }
    state.SetBytesProcessed(int64_t(state.iterations()) * int64_t(text.size));
}

void unique_keys(benchmark::State& state)
{
    const Padded text(chat_request(size_t(state.range(0))));
    json::Parser parser;
    const auto root = parser.parse(text.bytes.data(), text.size);
    for (auto _ : state) {
        benchmark::DoNotOptimize(json::check_unique_keys(*root).ok());
    }
    state.SetBytesProcessed(int64_t(state.iterations()) * int64_t(text.size));
}

void write_value(benchmark::State& state)
{
    const Padded text(chat_request(size_t(state.range(0))));
    json::Parser parser;
    const auto root = parser.parse(text.bytes.data(), text.size);
    std::string out;
    for (auto _ : state) {
        out.clear();
        json::append_value(out, *root);
        benchmark::DoNotOptimize(out.data());
    }
    state.SetBytesProcessed(int64_t(state.iterations()) * int64_t(text.size));
}

// One streamed chunk, as a converting provider makes them.
void write_chunk(benchmark::State& state)
{
    std::string out;
    for (auto _ : state) {
        out.assign("data: ");
        json::Writer writer(out);
        writer.begin_object();
        writer.field("id", "chatcmpl-B7a0x2d1Gq9kLmN4pQrStUvWxYz01");
        writer.field("object", "chat.completion.chunk");
        writer.field("created", int64_t(1741290958));
        writer.field("model", "claude-sonnet-4-5");
        writer.key("choices").begin_array().begin_object();
        writer.field("index", int64_t(0));
        writer.key("delta").begin_object().field("content", " a token\n");
        writer.end_object().key("finish_reason").null();
        writer.end_object().end_array().end_object();
        out += "\n\n";
        benchmark::DoNotOptimize(out.data());
    }
    state.SetBytesProcessed(int64_t(state.iterations()) * int64_t(out.size()));
}

BENCHMARK(splice_model)->Arg(1000)->Arg(100 * 1000)->Arg(30 * 1000 * 1000);
BENCHMARK(parse)->Arg(100 * 1000);
BENCHMARK(scan)->Arg(100 * 1000);
BENCHMARK(unique_keys)->Arg(100 * 1000);
BENCHMARK(write_value)->Arg(100 * 1000);
BENCHMARK(write_chunk);

} // namespace
