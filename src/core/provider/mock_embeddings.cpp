#include "core/provider/mock.h"

#include "core/base/hash.h"
#include "core/json/writer.h"
#include "core/provider/mock_text.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace ai_proxy::provider {

namespace {

constexpr size_t kMaxInputs = 2048; // of one call, as OpenAI's
constexpr int64_t kMaxDimensions = 4096;
constexpr int64_t kDimensions = 8;

void base64(std::string& out, std::string_view bytes)
{
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                         "abcdefghijklmnopqrstuvwxyz"
                                         "0123456789+/";
    for (size_t i = 0; i < bytes.size(); i += 3) {
        uint32_t group = 0;
        size_t have = std::min<size_t>(3, bytes.size() - i);
        for (size_t k = 0; k < 3; ++k)
            group = group << 8
                | (k < have ? static_cast<unsigned char>(bytes[i + k]) : 0u);
        for (size_t k = 0; k < 4; ++k)
            out += k <= have ? kDigits[(group >> (18 - 6 * k)) & 63] : '=';
    }
}

// A unit vector made of the text's hash.
std::vector<float> vector_of(std::string_view text, int64_t dimensions)
{
    std::vector<float> values;
    double square = 0;
    uint64_t state = fnv1a(text);
    for (int64_t i = 0; i < dimensions; ++i) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        double v = static_cast<double>(state >> 40) / double(1 << 23) - 1.0;
        square += v * v;
        values.push_back(static_cast<float>(v));
    }
    auto length = static_cast<float>(std::sqrt(square));
    for (float& v : values)
        v = length > 0 ? v / length : 0;
    return values;
}

void write_vector(
    json::Writer& writer, const std::vector<float>& values, bool packed)
{
    if (!packed) {
        writer.begin_array();
        for (float v : values)
            writer.number(static_cast<double>(v));
        writer.end_array();
        return;
    }
    std::string bytes, text;
    for (float v : values) {
        auto bits = std::bit_cast<uint32_t>(v); // little endian
        for (int shift = 0; shift < 32; shift += 8)
            bytes += static_cast<char>((bits >> shift) & 255);
    }
    base64(text, bytes);
    writer.string(text);
}

} // namespace

void MockScript::answer_embeddings(json::Node request)
{
    int64_t dimensions = std::clamp<int64_t>(
        request["dimensions"].integer().value_or(kDimensions), 1,
        kMaxDimensions);
    bool packed = request["encoding_format"].string_or() == "base64";
    json::Node input = request["input"];
    // An array is many inputs, but an array of numbers is one.
    bool many = input.is_array() && !input.at(0).is_number();
    std::vector<json::Node> inputs;
    if (many)
        for (json::Node one : input.items())
            inputs.push_back(one);
    else
        inputs.push_back(input);
    if (inputs.size() > kMaxInputs) {
        status_ = 400;
        return answer_error();
    }

    json::Writer writer(body_);
    writer.begin_object().field("object", "list").key("data").begin_array();
    int64_t index = 0;
    for (json::Node one : inputs) {
        std::string text(one.string_or());
        prompt_tokens_ += one.is_array() ? static_cast<int64_t>(one.size())
                                         : count_words(text);
        if (one.is_array())
            json::append_value(text, one);
        writer.begin_object().field("object", "embedding");
        writer.field("index", index++).key("embedding");
        write_vector(writer, vector_of(text, dimensions), packed);
        writer.end_object();
    }
    writer.end_array().field("model", std::string_view(model_));
    writer.key("usage").begin_object();
    writer.field("prompt_tokens", prompt_tokens_);
    writer.field("total_tokens", prompt_tokens_).end_object().end_object();
}

} // namespace ai_proxy::provider
