#include "core/provider/embeddings.h"

#include "core/json/writer.h"

#include <bit>
#include <cmath>

namespace ai_proxy::provider {
namespace {

// OpenAI's own limit.
constexpr size_t kMaxInputs = 2048;

void append_base64(std::string& out, const std::vector<uint8_t>& bytes)
{
    static constexpr char kDigits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t i = 0;
    for (; i + 2 < bytes.size(); i += 3) {
        const uint32_t three = uint32_t(bytes[i]) << 16
            | uint32_t(bytes[i + 1]) << 8 | bytes[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6) {
            out += kDigits[three >> shift & 63U];
        }
    }
    const size_t rest = bytes.size() - i;
    if (rest == 0) {
        return;
    }
    const uint32_t last = uint32_t(bytes[i]) << 16
        | (rest == 2 ? uint32_t(bytes[i + 1]) << 8 : 0U);
    out += kDigits[last >> 18 & 63U];
    out += kDigits[last >> 12 & 63U];
    out += rest == 2 ? kDigits[last >> 6 & 63U] : '=';
    out += '=';
}

Error no_vector()
{
    return make_error(ErrorCode::upstream_invalid,
        "the provider's answer has no embedding where one should be");
}

} // namespace

Result<EmbeddingsRequest> read_embeddings(json::Node body)
{
    EmbeddingsRequest out;
    out.raw = body;
    const json::Node input = body["input"];
    if (const auto text = input.string()) {
        out.inputs.push_back(*text);
    }
    for (const json::Node item : input.items()) {
        const auto text = item.string();
        if (!text) {
            return make_error(ErrorCode::invalid_request,
                "the provider embeds text only, not tokens", "input");
        }
        out.inputs.push_back(*text);
    }
    if (out.inputs.empty() || out.inputs.size() > kMaxInputs) {
        return make_error(ErrorCode::invalid_request,
            "input must be a string or an array of 1 to 2048 strings", "input");
    }
    if (const json::Node wanted = body["dimensions"]; wanted.has_value()) {
        out.dimensions = wanted.integer();
        if (!out.dimensions || *out.dimensions < 1) {
            return make_error(ErrorCode::invalid_request,
                "dimensions must be a positive integer", "dimensions");
        }
    }
    return out;
}

EmbeddingsWriter::EmbeddingsWriter(std::string& out, bool base64)
    : out_(out), base64_(base64)
{
    out_ += R"({"object":"list","data":[)";
}

Result<void> EmbeddingsWriter::add(int64_t index, json::Node vector)
{
    if (vector.size() == 0) {
        return no_vector();
    }
    out_ += any_ ? "," : "";
    any_ = true;
    out_ += R"({"object":"embedding","index":)" + std::to_string(index)
        + R"(,"embedding":)";
    std::vector<uint8_t> bytes;
    for (const json::Node number : vector.items()) {
        const auto value = number.number();
        if (!value) {
            return no_vector();
        }
        if (base64_) {
            const auto bits = std::bit_cast<uint32_t>(float(*value));
            for (int shift = 0; shift < 32; shift += 8) {
                bytes.push_back(uint8_t(bits >> shift & 255U));
            }
        }
    }
    if (base64_) {
        out_ += '"';
        append_base64(out_, bytes);
        out_ += '"';
    } else {
        json::append_value(out_, vector);
    }
    out_ += '}';
    return {};
}

Result<void> EmbeddingsWriter::finish(
    std::string_view model, const chat::Usage& usage)
{
    if (!any_) {
        return no_vector();
    }
    out_ += R"(],"model":)";
    json::append_string(out_, model);
    const std::string prompt = std::to_string(usage.prompt);
    out_ += R"(,"usage":{"prompt_tokens":)" + prompt + R"(,"total_tokens":)"
        + prompt + "}}";
    return {};
}

} // namespace ai_proxy::provider
