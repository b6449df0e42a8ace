#include "core/json/splice.h"

#include "core/policy/exchange.h"

#include "core/provider/registry.h"

// The text of a file that a provider keeps and that goes into every chat.
namespace ai_proxy::policy {

namespace {

using dialect::Api;

// Chats would wait for it, and then carry it.
constexpr uint64_t kMostMs = 30'000;
constexpr size_t kMostText = 4 * 1024 * 1024;

} // namespace

void FileTexts::keep(uint16_t provider, std::string text)
{
    if (texts_.size() <= provider) {
        texts_.resize(size_t{provider} + 1);
    }
    texts_[provider] = std::make_shared<const std::string>(std::move(text));
}

std::string_view Exchange::context_of(
    const provider::Options& options) const noexcept
{
    return options.moonshot_file_id.empty() || file_text_ == nullptr
        ? std::string_view(options.context)
        : std::string_view(*file_text_);
}

bool Exchange::wants_file(uint16_t index)
{
    const provider::Options& options = gateway_.providers[index]->options;
    const bool chat =
        is_chat() || converts(options) || books_.api == Api::completions;
    if (options.moonshot_file_id.empty() || !chat || options.original) {
        return false;
    }
    file_text_ = (files_ != nullptr ? *files_ : own_files_).of(index);
    return file_text_ == nullptr;
}

Result<std::unique_ptr<Try>> Exchange::make_file_try(
    uint16_t index, uint32_t key, int64_t now_seconds, uint64_t random)
{
    const config::Provider& provider = *gateway_.providers[index];
    auto attempt = std::make_unique<Try>();
    attempt->provider_index = index;
    attempt->key = key;
    attempt->provider = &provider;
    attempt->api = Api::file_content;
    attempt->most = kMostMs;
    books_.provider = index;

    const std::string path =
        "/v1/files/" + provider.options.moonshot_file_id + "/content";
    auto made = provider::relay_path(
        provider.options, provider.endpoint, Api::file_content, path, {}, {});
    if (!made) {
        return std::move(made).error();
    }
    attempt->outbound.method = "GET";
    attempt->outbound.path = std::move(*made);
    attempt->outbound.header("Accept", "application/json");
    const provider::EncodeContext context{
        provider.options, {}, now_seconds, random};
    complete(context, {}, *attempt);
    ResponseContext response;
    response.provider = &provider;
    response.api = Api::models; // gathered
    response.now_seconds = now_seconds;
    response.random = random;
    attempt->response = std::make_unique<Response>(std::move(response));
    return attempt;
}

// {"content":"...","file_type":...}
Result<void> Exchange::take_file(Try& attempt)
{
    const std::string body = attempt.response->take_body();
    json::Parser parser;
    auto parsed = parser.parse(std::string_view(body));
    const std::string_view text =
        parsed ? (*parsed)["content"].string_or() : std::string_view();
    if (text.empty()) {
        return make_error(
            ErrorCode::upstream_invalid, "the provider's file has no content");
    }
    if (text.size() > kMostText) {
        return make_error(
            ErrorCode::upstream_too_large, "the provider's file is too large");
    }
    FileTexts& kept = files_ != nullptr ? *files_ : own_files_;
    kept.keep(attempt.provider_index, std::string(text));
    file_text_ = kept.of(attempt.provider_index);
    return {};
}

} // namespace ai_proxy::policy
