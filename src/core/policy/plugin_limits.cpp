#include "core/json/splice.h"

#include "core/policy/plugin_limits.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace ai_proxy::policy {

namespace {

constexpr std::string_view kTokenPrefix = "higress-token-ratelimit:";
constexpr std::string_view kRequestPrefix = "higress-cluster-key-rate-limit:";
constexpr std::string_view kPlain = "text/plain; charset=utf-8";

int64_t tokens_of(const chat::Usage& usage) noexcept
{
    if (!usage.known) {
        return 0;
    }
    constexpr int64_t kMost = std::numeric_limits<int64_t>::max() / 4;
    const int64_t prompt = std::clamp<int64_t>(usage.prompt, 0, kMost);
    return prompt + std::clamp<int64_t>(usage.completion, 0, kMost);
}

} // namespace

config::Subject subject_of(const config::Gateway& gateway,
    const config::Site& site, const route::Route& route, std::string_view host)
{
    config::Subject subject{route.name, site.location, host, {}};
    if (!route.targets.empty()) {
        const uint16_t index = route.targets.front().provider;
        subject.service = gateway.providers[index]->options.name;
    }
    return subject;
}

PluginLimits::Counting PluginLimits::counting(const config::KeyLimit* plugin,
    std::string_view prefix, const limit::KeyFacts& facts)
{
    if (plugin != nullptr) {
        if (auto found = limit::find_counter(plugin->rules, facts)) {
            found->key.insert(0, prefix);
            return {plugin, std::move(*found)};
        }
    }
    return {};
}

std::unique_ptr<PluginLimits> PluginLimits::find(const config::Gateway& gateway,
    const config::Plugins& plugins, const config::Subject& subject,
    const limit::KeyFacts& facts, bool uses_tokens)
{
    std::unique_ptr<PluginLimits> made(new PluginLimits(gateway));
    if (plugins.quota != nullptr && uses_tokens) {
        made->quota_ = plugins.quota->find(subject);
    }
    if (plugins.token_limit != nullptr && uses_tokens) {
        made->tokens_ =
            counting(plugins.token_limit->find(subject), kTokenPrefix, facts);
    }
    if (plugins.request_limit != nullptr) {
        made->requests_ = counting(
            plugins.request_limit->find(subject), kRequestPrefix, facts);
    }
    if (made->quota_ == nullptr && made->tokens_.plugin == nullptr
        && made->requests_.plugin == nullptr)
    {
        return nullptr;
    }
    if (made->quota_ != nullptr) {
        if (facts.consumer.empty()) {
            made->refuse(ErrorCode::no_credential, 401,
                "Request denied by ai quota check. No Key Authentication "
                "information found.");
            return made;
        }
        made->quota_key_ = made->quota_->key_prefix;
        made->quota_key_ += facts.consumer;
    }
    made->go_on(Step::quota);
    return made;
}

void PluginLimits::go_on(Step step) noexcept
{
    if (step == Step::quota && quota_ == nullptr) {
        step = Step::tokens;
    }
    if (step == Step::tokens && tokens_.plugin == nullptr) {
        step = Step::requests;
    }
    if (step == Step::requests && requests_.plugin == nullptr) {
        step = Step::over;
    }
    step_ = step;
}

uint16_t PluginLimits::redis() const noexcept
{
    return step_ == Step::quota ? quota_->redis
        : step_ == Step::tokens ? tokens_.plugin->redis
                                : requests_.plugin->redis;
}

std::vector<redis::Command> PluginLimits::commands() const
{
    std::vector<redis::Command> commands;
    const limit::Scripts& scripts = gateway_.scripts;
    if (step_ == Step::quota) {
        commands.push_back(redis::command("GET", quota_key_));
        return commands;
    }
    const bool of_tokens = step_ == Step::tokens;
    const limit::KeyCounter& at = (of_tokens ? tokens_ : requests_).counter;
    commands.push_back(
        redis::call(of_tokens ? scripts.check_tokens : scripts.count_request,
            {at.key}, at.window.most, at.window.seconds));
    return commands;
}

void PluginLimits::take(const async::RedisReplies& replies)
{
    // Who cannot be counted goes on, but for a quota.
    const auto count = replies && replies->size() == 1
        ? limit::read_count((*replies)[0])
        : std::nullopt;
    switch (step_) {
    case Step::quota:
        take_quota(replies);
        break;
    case Step::tokens:
        take_tokens(count);
        break;
    case Step::requests:
        take_requests(count);
        break;
    case Step::over:
        break;
    }
}

void PluginLimits::take_quota(const async::RedisReplies& replies)
{
    const auto left =
        replies && replies->size() == 1 ? (*replies)[0].number() : std::nullopt;
    if (left.value_or(0) > 0) {
        status_ = LimitStatus::passed;
        go_on(Step::tokens);
        return;
    }
    refuse(replies ? ErrorCode::token_limit : replies.error().code, 403,
        "Request denied by ai quota check, No quota left");
}

void PluginLimits::take_tokens(const std::optional<limit::WindowCount>& count)
{
    if (count && count->passed()) {
        refuse(ErrorCode::token_limit, *tokens_.plugin, *count,
            "X-TokenRateLimit-Reset");
        return;
    }
    status_ = LimitStatus::passed;
    go_on(Step::requests);
}

void PluginLimits::take_requests(const std::optional<limit::WindowCount>& count)
{
    const config::KeyLimit& plugin = *requests_.plugin;
    const bool passed = count && count->passed();
    if (passed) {
        refuse(ErrorCode::request_limit, plugin, *count, "X-RateLimit-Reset");
    }
    if (count && plugin.show_limit_quota_header) {
        auto& headers = passed ? refusal_->reply.headers : headers_;
        headers.push_back({"X-RateLimit-Limit", std::to_string(count->most)});
        headers.push_back({"X-RateLimit-Remaining",
            std::to_string(std::max<int64_t>(count->most - count->count, 0))});
    }
    step_ = Step::over;
}

void PluginLimits::refuse(ErrorCode code, int status, std::string body)
{
    step_ = Step::over;
    if (code == ErrorCode::token_limit) {
        status_ = LimitStatus::rejected;
    }
    refusal_.emplace(Refusal{code, {}});
    refusal_->reply.status = status;
    refusal_->reply.content_type = kPlain;
    refusal_->reply.body = std::move(body);
}

void PluginLimits::refuse(ErrorCode code, const config::KeyLimit& plugin,
    const limit::WindowCount& count, std::string_view reset)
{
    refuse(code, plugin.rejected_code, plugin.rejected_msg);
    auto& headers = refusal_->reply.headers;
    headers.push_back({std::string(reset), std::to_string(count.seconds)});
    headers.push_back(
        {"Retry-After", std::to_string(std::max<int64_t>(count.seconds, 1))});
}

void PluginLimits::settle(async::Io& io, const Books& books)
{
    if (std::exchange(settled_, true)) {
        return;
    }
    const int64_t amount = tokens_of(books.usage);
    if (amount == 0) {
        return;
    }
    if (quota_ != nullptr) {
        std::vector<redis::Command> commands;
        commands.push_back(redis::command("DECRBY", quota_key_, amount));
        io.tell(quota_->redis, std::move(commands));
    }
    if (tokens_.plugin != nullptr) {
        const limit::KeyCounter& at = tokens_.counter;
        std::vector<redis::Command> commands;
        commands.push_back(redis::call(gateway_.scripts.charge_tokens, {at.key},
            at.window.most, at.window.seconds, amount));
        io.tell(tokens_.plugin->redis, std::move(commands));
    }
}

void PluginLimits::add_headers(std::vector<Response::Field>& headers) const
{
    headers.insert(headers.end(), headers_.begin(), headers_.end());
}

async::Task<std::optional<Outcome>> limit_by_plugins(
    async::Scope& s, Exchange& exchange)
{
    PluginLimits& limits = *exchange.plugin_limits();
    while (limits.asks()) {
        std::vector<redis::Command> commands = limits.commands();
        async::RedisReplies replies =
            co_await s.io.redis(limits.redis(), std::move(commands));
        limits.take(replies);
    }
    std::optional<PluginLimits::Refusal> refusal = limits.take_refusal();
    if (!refusal) {
        co_return std::nullopt;
    }
    Outcome outcome;
    outcome.reply = std::move(refusal->reply);
    exchange.books().status = outcome.reply.status;
    exchange.books().error = refusal->code;
    co_return std::move(outcome);
}

} // namespace ai_proxy::policy
