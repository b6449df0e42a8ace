#include "core/json/splice.h"

#include "core/policy/serve_quota.h"

#include "core/json/writer.h"
#include "core/limit/form.h"
#include "core/policy/plugin_limits.h"

#include <charconv>
#include <optional>
#include <utility>
#include <vector>

namespace ai_proxy::policy {

namespace {

constexpr std::string_view kChat = "/v1/chat/completions";
constexpr std::string_view kPlain = "text/plain; charset=utf-8";

enum class Verb : uint8_t { none, query, refresh, delta };

Verb verb_of(std::string_view path, std::string_view admin_path) noexcept
{
    Verb verb = Verb::query;
    for (const auto& [end, means] :
        {std::pair(std::string_view("/refresh"), Verb::refresh),
            std::pair(std::string_view("/delta"), Verb::delta)})
    {
        // An admin_path may itself end so.
        if (path.ends_with(end) && !admin_path.ends_with(end)) {
            path.remove_suffix(end.size());
            verb = means;
            break;
        }
    }
    if (!path.ends_with(admin_path)) {
        return Verb::none;
    }
    path.remove_suffix(admin_path.size());
    return path.ends_with(kChat) ? verb : Verb::none;
}

// The rule of the first route that has one: which route a chat would take is
// not known here.
const config::Quota* quota_of(const Exchange& exchange) noexcept
{
    const config::Site& site = exchange.site();
    if (site.plugins.quota == nullptr) {
        return nullptr;
    }
    for (const route::Route* route : site.routes) {
        const config::Quota* quota = site.plugins.quota->find(
            subject_of(exchange.gateway(), site, *route, exchange.head().host));
        if (quota != nullptr) {
            return quota;
        }
    }
    return nullptr;
}

// One call: what it wants of Redis, or how it is answered without it.
class QuotaCall {
public:
    QuotaCall(Exchange& exchange, std::string_view body)
        : exchange_(exchange), quota_(*quota_of(exchange)),
          verb_(verb_of(exchange.head().path, quota_.admin_path))
    {
        if (admitted()) {
            verb_ == Verb::query ? read_query(exchange.head().query)
                                 : read_change(body);
        }
    }

    [[nodiscard]] bool asks() const noexcept { return !commands_.empty(); }
    [[nodiscard]] uint16_t redis() const noexcept { return quota_.redis; }
    [[nodiscard]] std::vector<redis::Command> commands() noexcept
    {
        return std::move(commands_);
    }
    void take(const async::RedisReplies& replies);
    [[nodiscard]] Outcome take_outcome() noexcept
    {
        return std::move(outcome_);
    }

private:
    [[nodiscard]] bool admitted();
    void read_query(std::string_view query);
    void read_change(std::string_view form);
    void answer(int status, std::string_view type, std::string body)
    {
        outcome_.reply.status = status;
        outcome_.reply.content_type = type;
        outcome_.reply.body = std::move(body);
        exchange_.books().status = status;
    }
    void refuse(ErrorCode code, int status, std::string_view why)
    {
        answer(status, kPlain,
            "Request denied by ai quota check. " + std::string(why));
        exchange_.books().error = code;
    }

    Exchange& exchange_;
    const config::Quota& quota_;
    Verb verb_;
    std::string consumer_; // whose quota it is about
    std::vector<redis::Command> commands_;
    Outcome outcome_;
};

bool QuotaCall::admitted()
{
    const consumer::Consumer* caller = exchange_.consumer();
    if (caller == nullptr) {
        refuse(ErrorCode::no_credential, 401,
            "No Key Authentication information found.");
        return false;
    }
    if (caller->name != quota_.admin_consumer) {
        refuse(
            ErrorCode::consumer_forbidden, 403, "Unauthorized admin consumer.");
        return false;
    }
    return true;
}

void QuotaCall::read_query(std::string_view query)
{
    consumer_ = limit::form_value(query, "consumer").value_or("");
    if (consumer_.empty()) {
        refuse(ErrorCode::invalid_request, 403, "consumer can't be empty.");
        return;
    }
    commands_.push_back(redis::command("GET", quota_.key_prefix + consumer_));
}

std::optional<int64_t> whole_number(std::string_view text) noexcept
{
    int64_t number = 0;
    if (text.starts_with('+') && !text.starts_with("+-")) {
        text.remove_prefix(1);
    }
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    // The smallest number has no opposite.
    return whole && number != INT64_MIN ? std::optional(number) : std::nullopt;
}

void QuotaCall::read_change(std::string_view form)
{
    const bool sets = verb_ == Verb::refresh;
    const std::string_view field = sets ? "quota" : "value";
    consumer_ = limit::form_value(form, "consumer").value_or("");
    const auto number =
        whole_number(limit::form_value(form, field).value_or(""));
    if (consumer_.empty() || !number) {
        refuse(ErrorCode::invalid_request, 403,
            "consumer can't be empty and " + std::string(field)
                + " must be integer.");
        return;
    }
    const std::string key = quota_.key_prefix + consumer_;
    if (sets) {
        commands_.push_back(redis::command("SET", key, *number));
    } else if (*number >= 0) {
        commands_.push_back(redis::command("INCRBY", key, *number));
    } else {
        commands_.push_back(redis::command("DECRBY", key, -*number));
    }
}

void QuotaCall::take(const async::RedisReplies& replies)
{
    if (!replies || replies->size() != 1) {
        const ErrorCode code =
            replies ? ErrorCode::redis_error : replies.error().code;
        answer(503, kPlain, "redis error:" + std::string(describe(code).name));
        exchange_.books().error = code;
        return;
    }
    if (verb_ != Verb::query) {
        answer(200, kPlain,
            verb_ == Verb::refresh ? "refresh quota successful"
                                   : "delta quota successful");
        return;
    }
    std::string body;
    json::Writer(body)
        .begin_object()
        .field("consumer", consumer_)
        .field("quota", (*replies)[0].number().value_or(0))
        .end_object();
    answer(200, "application/json", std::move(body));
}

} // namespace

bool administers_quota(const Exchange& exchange) noexcept
{
    const config::Quota* quota = quota_of(exchange);
    return quota != nullptr
        && verb_of(exchange.head().path, quota->admin_path) != Verb::none;
}

async::Task<Outcome> serve_quota(
    async::Scope& s, Exchange& exchange, std::string_view body)
{
    QuotaCall call(exchange, body);
    if (call.asks()) {
        async::RedisReplies replies =
            co_await s.io.redis(call.redis(), call.commands());
        call.take(replies);
    }
    co_return call.take_outcome();
}

} // namespace ai_proxy::policy
