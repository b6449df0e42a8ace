#include "core/dialect/content_parts.h"
#include "core/dialect/openai_error.h"
#include "core/policy/output_text.h"
#include "core/policy/response.h"
#include "core/policy/response_conversion.h"
#include "core/policy/retry_hints.h"
#include "core/provider/registry.h"

// The end of an answer that was gathered whole.
namespace ai_proxy::policy {

namespace {

using dialect::Api;

// What a model said is an object in every dialect.
bool is_generation(Api api) noexcept
{
    return is_chat_like(api) || api == Api::messages || api == Api::responses
        || api == Api::responses_compact || api == Api::gemini_generate;
}

} // namespace

Response::State Response::finish_plain(std::string& out)
{
    if (gathered_.empty()) {
        fail(truncated_answer());
        return state_;
    }
    const size_t length = gathered_.size();
    gathered_.resize(length + json::kPadding, ' ');
    auto parsed = parser().parse(gathered_.data(), length);
    gathered_.resize(length);
    if (!parsed) {
        fail(make_error(ErrorCode::upstream_invalid,
            "The provider's answer is not valid JSON."));
        return state_;
    }
    if (mode_ == Mode::plain_convert) {
        return finish_converted(
            conversion_->decoder->body(*parsed, conversion_->sink()), out);
    }
    return context_.translation != nullptr ? finish_translated(*parsed)
                                           : finish_relayed_plain(*parsed);
}

Response::State Response::finish_translated(json::Node body)
{
    const provider::EncodeContext call{context_.provider->options,
        context_.model, context_.now_seconds, context_.random};
    std::string answer;
    Result<void> done = dialect::reports_error(body)
        ? Result<void>(dialect::read_openai_error(0, body, gathered_))
        : context_.translation->answer(
            body, call, context_.base64, answer, usage_);
    if (!done) {
        fail(std::move(done).error());
        return state_;
    }
    if (context_.translation->media_type != nullptr) {
        content_type_ = context_.translation->media_type(body);
    }
    gathered_ = std::move(answer);
    state_ = State::whole;
    return state_;
}

Response::State Response::finish_relayed_plain(json::Node body)
{
    const dialect::PlainFacts facts = read_answer(context_.api, body);
    usage_ = facts.usage;
    finish_ = facts.finish;
    if (facts.is_error) {
        fail(dialect::read_openai_error(0, body, gathered_));
        return state_;
    }
    if (is_generation(context_.api) && !body.is_object()) {
        fail(make_error(ErrorCode::upstream_invalid,
            "The provider's answer is not a JSON object."));
        return state_;
    }
    if (context_.tally && !usage_.known) {
        tally_answer(tally_, context_.api, body);
    }
    if (context_.api == dialect::Api::chat_completions
        && dialect::has_content_parts(body))
    {
        std::string flat;
        dialect::write_flat(flat, body);
        gathered_ = std::move(flat);
    }
    state_ = State::whole;
    return state_;
}

Response::State Response::finish_error()
{
    json::Node body;
    if (encoded_) {
        gathered_.clear();
    }
    auto parsed = parser().parse(std::string_view(gathered_));
    if (parsed) {
        body = *parsed;
    }
    if (retry_after_ms_ == 0) {
        retry_after_ms_ = retry_info(body);
    }
    const auto read = context_.provider != nullptr
        ? provider::protocol(context_.provider->options).error
        : dialect::read_openai_error;
    Error error = read(status_, body, gathered_);
    error.code = ErrorCode::upstream_status;
    if (status_ >= 400 && status_ <= 599) {
        error.status = static_cast<uint16_t>(status_);
    } else {
        error.status = 0; // a redirect is no status for the client
    }
    fail(std::move(error));
    return state_;
}

} // namespace ai_proxy::policy
