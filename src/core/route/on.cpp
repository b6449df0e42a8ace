#include "core/route/route.h"

#include "core/base/text.h"

#include <algorithm>

namespace ai_proxy::route {

namespace {

enum class Cause : uint8_t { none, status, timeout, error };

// What a failure is to on= and to retries.  A status counts only when the
// provider's answer was the failure: a stream that broke under 200 did not
// fail by its status.
Cause cause_of(ErrorCode code, int status) noexcept
{
    switch (code) {
    case ErrorCode::timeout_connect:
    case ErrorCode::timeout_tls:
    case ErrorCode::timeout_first_byte:
    case ErrorCode::timeout_first_token:
    case ErrorCode::timeout_idle:
    case ErrorCode::timeout_total:
        return Cause::timeout;
    case ErrorCode::upstream_status:
    case ErrorCode::upstream_error:
        return status >= 400 ? Cause::status : Cause::error;
    case ErrorCode::concurrency_limit:
        return Cause::status;
    case ErrorCode::breaker_open:
    case ErrorCode::upstream_unavailable:
    case ErrorCode::upstream_connect:
    case ErrorCode::upstream_tls:
    case ErrorCode::upstream_closed:
    case ErrorCode::upstream_invalid:
    case ErrorCode::upstream_truncated:
    case ErrorCode::upstream_too_large:
    // This provider cannot do it; the next one may.
    case ErrorCode::unsupported_api:
        return Cause::error;
    case ErrorCode::none:
    case ErrorCode::invalid_json:
    case ErrorCode::invalid_request:
    case ErrorCode::model_not_found:
    case ErrorCode::request_too_large:
    case ErrorCode::request_limit:
    case ErrorCode::token_limit:
    case ErrorCode::no_credential:
    case ErrorCode::invalid_credential:
    case ErrorCode::expired_credential:
    case ErrorCode::consumer_forbidden:
    case ErrorCode::model_forbidden:
    case ErrorCode::superseded:
    case ErrorCode::redis_unavailable:
    case ErrorCode::redis_timeout:
    case ErrorCode::redis_busy:
    case ErrorCode::redis_error:
    case ErrorCode::client_closed:
    case ErrorCode::shutdown:
    case ErrorCode::internal:
        return Cause::none;
    }
    return Cause::none;
}

Error invalid_on(std::string_view word)
{
    std::string text = "invalid value \"";
    text.append(word).append("\" in \"on\": a status from 400 to 599, 4xx, "
                             "5xx, timeout, error, content_filter or "
                             "context_length is expected");
    return make_error(ErrorCode::invalid_request, std::move(text));
}

} // namespace

On On::of(const Statuses& statuses)
{
    On on;
    for (uint16_t status = 400; status < 600; ++status) {
        if (statuses.has(status)) {
            on.statuses_.push_back(status);
        }
    }
    return on;
}

Result<On> On::parse(std::string_view text)
{
    On on;
    for (bool more = true; more;) {
        size_t comma = text.find(',');
        more = comma != std::string_view::npos;
        std::string_view word = text.substr(0, comma);
        if (more)
            text.remove_prefix(comma + 1);
        if (word == "timeout") {
            on.timeout_ = true;
        } else if (word == "error") {
            on.error_ = true;
        } else if (word == "content_filter") {
            on.content_filter_ = true;
        } else if (word == "context_length") {
            on.context_length_ = true;
        } else if (word == "4xx") {
            on.any_4xx_ = true;
        } else if (word == "5xx") {
            on.any_5xx_ = true;
        } else {
            auto status = parse_uint(word);
            if (!status || word.size() != 3 || *status < 400 || *status > 599)
                return invalid_on(word);
            auto s = static_cast<uint16_t>(*status);
            auto& all = on.statuses_;
            if (std::find(all.begin(), all.end(), s) == all.end())
                all.push_back(s);
        }
    }
    return on;
}

On On::standard() noexcept
{
    On on;
    on.timeout_ = on.error_ = on.any_5xx_ = true;
    on.statuses_ = {408, 409, 429};
    return on;
}

bool On::names(Refusal refusal) const noexcept
{
    return (refusal == Refusal::content_filter && content_filter_)
        || (refusal == Refusal::context_length && context_length_);
}

bool On::allows(ErrorCode code, int status, Refusal refusal) const noexcept
{
    if (names(refusal))
        return true;
    switch (cause_of(code, status)) {
    case Cause::none:
        return false;
    case Cause::timeout:
        return timeout_;
    case Cause::error:
        return error_;
    case Cause::status:
        break;
    }
    if ((any_4xx_ && status < 500) || (any_5xx_ && status >= 500))
        return true;
    return std::find(statuses_.begin(), statuses_.end(), status)
        != statuses_.end();
}

bool retryable(ErrorCode code, int status) noexcept
{
    switch (cause_of(code, status)) {
    case Cause::none:
        return false;
    case Cause::timeout:
        return true;
    case Cause::error:
        return code != ErrorCode::unsupported_api
            && code != ErrorCode::upstream_too_large;
    case Cause::status:
        break;
    }
    return status == 408 || status == 409 || status == 429 || status >= 500;
}

} // namespace ai_proxy::route
