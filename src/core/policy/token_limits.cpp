#include "core/policy/token_limits.h"

#include <algorithm>
#include <utility>

namespace ai_proxy::policy {

namespace {

// A running answer is debited in steps of so many tokens.
constexpr int64_t kStep = 32;

uint64_t seconds(uint64_t ms) noexcept
{
    return (ms + 999) / 1000;
}

std::string_view unit(uint64_t window_ms) noexcept
{
    switch (window_ms) {
    case 1000:
        return "second";
    case 60'000:
        return "minute";
    case 3'600'000:
        return "hour";
    default:
        return "day";
    }
}

// As OpenAI writes them: "17s", "6m0s", "1h0m0s".
std::string duration(uint64_t ms)
{
    const uint64_t all = seconds(ms);
    std::string text;
    if (all >= 3600) {
        text += std::to_string(all / 3600) + 'h';
    }
    if (all >= 60) {
        text += std::to_string(all / 60 % 60) + 'm';
    }
    return text + std::to_string(all % 60) + 's';
}

void add_fields(std::vector<Response::Field>& headers, const limit::Rule& rule,
    const limit::Level& level)
{
    headers.push_back(
        {"x-ratelimit-limit-tokens", std::to_string(rule.budget.amount)});
    headers.push_back(
        {"x-ratelimit-remaining-tokens", std::to_string(level.remaining)});
    headers.push_back({"x-ratelimit-reset-tokens", duration(level.reset_ms)});
}

} // namespace

TokenLimits::TokenLimits(const std::vector<limit::Rule>& rules, int64_t prompt,
    std::optional<int64_t> bound)
    : rules_(rules), prompt_(prompt), bound_(bound)
{
}

int64_t TokenLimits::counted(
    const limit::Rule& rule, int64_t prompt, int64_t answer) noexcept
{
    switch (rule.count) {
    case limit::Count::input:
        return prompt;
    case limit::Count::output:
        return answer;
    default:
        return prompt + answer;
    }
}

int64_t TokenLimits::needed(const limit::Rule& rule) const noexcept
{
    const int64_t share =
        static_cast<int64_t>(rule.budget.amount * rule.reserve_percent / 100);
    return counted(rule, prompt_, bound_.value_or(share));
}

std::optional<TokenLimits::Refusal> TokenLimits::admit(async::Io& io)
{
    limit::Counters& counters = io.counters();
    held_.reserve(rules_.size());
    for (const limit::Rule& rule : rules_) {
        Held held{&rule, io.text(rule.text), 0, needed(rule), {}};
        if (held.key.empty()) {
            continue;
        }
        const auto amount = static_cast<uint64_t>(held.taken);
        limit::Taken taken = counters.take(rule, held.key, amount, false);
        if (!taken.granted) {
            if (rule.mode == limit::Mode::enforce) {
                give_back(counters);
                status_ = LimitStatus::rejected;
                return refuse(held, taken);
            }
            status_ = LimitStatus::logged;
            taken = counters.take(rule, held.key, amount, true);
        }
        held.stamp = taken.stamp;
        held.level = taken.level;
        held_.push_back(std::move(held));
    }
    if (status_ == LimitStatus::none && !held_.empty()) {
        status_ = LimitStatus::passed;
    }
    return std::nullopt;
}

TokenLimits::Refusal TokenLimits::refuse(
    const Held& held, const limit::Taken& taken) const
{
    const limit::Budget& budget = held.rule->budget;
    std::string text = "rate limit reached: ";
    text += std::to_string(budget.amount) + " tokens per "
        + std::string(unit(budget.window_ms)) + ", "
        + std::to_string(taken.level.used) + " used, "
        + std::to_string(held.taken) + " requested; ";
    Refusal refusal;
    if (taken.retry_ms == 0) {
        text += "the request is too large";
    } else {
        const uint64_t wait = seconds(taken.retry_ms);
        text += "try again in " + duration(taken.retry_ms);
        refusal.headers.push_back({"Retry-After", std::to_string(wait)});
    }
    refusal.error = make_error(ErrorCode::token_limit, std::move(text));
    refusal.error.type = "tokens";
    refusal.error.provider_code = "rate_limit_exceeded";
    refusal.error.status = held.rule->status;
    add_fields(refusal.headers, *held.rule, taken.level);
    return refusal;
}

void TokenLimits::charge(
    limit::Counters& counters, Held& held, int64_t amount) noexcept
{
    if (amount != held.taken) {
        held.level = counters.settle(
            *held.rule, held.key, amount - held.taken, held.stamp);
        held.taken = amount;
    }
}

void TokenLimits::give_back(limit::Counters& counters) noexcept
{
    for (Held& held : held_) {
        charge(counters, held, 0);
    }
    held_.clear();
}

void TokenLimits::debit(limit::Counters& counters, int64_t said) noexcept
{
    said_ = said;
    for (Held& held : held_) {
        const int64_t amount = counted(*held.rule, prompt_, said);
        if (amount > held.taken) {
            charge(counters, held, amount + kStep);
        }
    }
}

void TokenLimits::settle(limit::Counters& counters, const Books& books) noexcept
{
    if (std::exchange(settled_, true)) {
        return;
    }
    const chat::Usage& usage = books.usage;
    // What was never counted is charged as it was estimated, if a provider
    // answered at all.
    const bool answered = said_ != 0
        || (books.status != 0 && books.status < 400 && !books.tries.empty());
    const int64_t prompt = usage.known && usage.prompt != 0 ? usage.prompt
        : answered                                          ? prompt_
                                                            : 0;
    const bool whole = usage.known && books.finish != chat::Finish::none;
    const int64_t answer = whole
        ? usage.completion
        : std::max(said_, usage.known ? usage.completion : 0);
    for (Held& held : held_) {
        charge(counters, held, counted(*held.rule, prompt, answer));
    }
}

void TokenLimits::add_headers(std::vector<Response::Field>& headers) const
{
    const Held* least = nullptr;
    const auto share = [](const Held& held) {
        return static_cast<double>(held.level.remaining)
            / static_cast<double>(held.rule->budget.amount);
    };
    for (const Held& held : held_) {
        if (least == nullptr || share(held) < share(*least)) {
            least = &held;
        }
    }
    if (least != nullptr) {
        add_fields(headers, *least->rule, least->level);
    }
}

} // namespace ai_proxy::policy
