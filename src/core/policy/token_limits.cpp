#include "core/policy/token_limits.h"

#include "core/limit/unsettled.h"
#include "core/metrics/limits.h"

#include <algorithm>
#include <utility>

namespace ai_proxy::policy {

using metrics::LimitCounts;

namespace {

// A running answer is debited in steps of so many tokens.
constexpr int64_t kStep = 32;
constexpr int64_t kRedisStep = 256; // each is a command
// Tokens of an answer that nobody bounds, when models are compared.
constexpr int64_t kLikelyAnswer = 1000;

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

// "5.25" dollars, "100" tokens.
std::string amount_text(const limit::Rule& rule, uint64_t amount)
{
    if (rule.count != limit::Count::cost) {
        return std::to_string(amount);
    }
    std::string text;
    usage::append_decimal(text, amount, 6);
    return text;
}

void add_fields(std::vector<Response::Field>& headers, const limit::Rule& rule,
    const limit::Level& level)
{
    if (rule.count == limit::Count::cost) {
        return; // there are no such fields for money
    }
    headers.reserve(headers.size() + 3);
    headers.push_back(
        {"x-ratelimit-limit-tokens", std::to_string(rule.budget.amount)});
    headers.push_back(
        {"x-ratelimit-remaining-tokens", std::to_string(level.remaining)});
    headers.push_back({"x-ratelimit-reset-tokens", duration(level.reset_ms)});
}

} // namespace

TokenLimits::TokenLimits(const config::Gateway& gateway,
    const std::vector<limit::Rule>& rules, int64_t prompt,
    std::optional<int64_t> bound)
    : gateway_(gateway), rules_(rules), prompt_(prompt), bound_(bound)
{
}

bool TokenLimits::counts_cost() const noexcept
{
    return std::any_of(rules_.begin(), rules_.end(),
        [](const auto& rule) { return rule.count == limit::Count::cost; });
}

int64_t TokenLimits::likely_cost(const usage::Price& price) const noexcept
{
    chat::Usage usage;
    usage.prompt = prompt_;
    usage.completion = bound_.value_or(kLikelyAnswer);
    return usage::cost(price, usage);
}

int64_t TokenLimits::counted(
    const limit::Rule& rule, const chat::Usage& usage) const noexcept
{
    switch (rule.count) {
    case limit::Count::input:
        return usage.prompt;
    case limit::Count::output:
        return usage.completion;
    case limit::Count::cost:
        return price_ != nullptr ? usage::charge_of(usage::cost(*price_, usage))
                                 : 0;
    case limit::Count::total:
        break;
    }
    return usage.prompt + usage.completion;
}

// Of so many tokens of the answer.
int64_t TokenLimits::counted(
    const limit::Rule& rule, int64_t answer) const noexcept
{
    chat::Usage usage;
    usage.prompt = prompt_;
    usage.completion = answer;
    return counted(rule, usage);
}

// What has no price passes when all is spent, too.
bool TokenLimits::is_free(const limit::Rule& rule) const noexcept
{
    return rule.count == limit::Count::cost && price_ == nullptr;
}

int64_t TokenLimits::needed(const limit::Rule& rule) const noexcept
{
    const int64_t share =
        static_cast<int64_t>(rule.budget.amount * rule.reserve_percent / 100);
    if (rule.count == limit::Count::cost && !bound_) {
        return price_ != nullptr ? counted(rule, 0) + share : 0;
    }
    return counted(rule, bound_.value_or(share));
}

TokenLimits::Admission TokenLimits::admit(async::Io& io)
{
    io_ = &io;
    held_.reserve(rules_.size());
    for (const limit::Rule& rule : rules_) {
        Held held{
            &rule, io.text(rule.text), 0, needed(rule), {}, rule.redis >= 0};
        if (held.key.empty()) {
            continue;
        }
        if (held.in_redis) {
            waiting_.push_back(std::move(held));
        } else if (auto refused = take_from_zone(io, std::move(held))) {
            return refused;
        }
    }
    return std::nullopt;
}

TokenLimits::Admission TokenLimits::take_from_zone(async::Io& io, Held held)
{
    limit::Counters& counters = io.counters();
    const auto amount = static_cast<uint64_t>(held.taken);
    limit::Taken taken =
        counters.take(*held.rule, held.key, amount, is_free(*held.rule));
    if (!taken.granted && held.rule->mode == limit::Mode::log) {
        status_ = LimitStatus::logged;
        held.over = true;
        taken = counters.take(*held.rule, held.key, amount, true);
    }
    held.in_redis = false;
    return note(io, std::move(held), taken);
}

TokenLimits::Admission TokenLimits::note(
    async::Io& io, Held held, const limit::Taken& taken)
{
    if (!taken.granted) {
        return refuse(io, held, taken);
    }
    if (status_ == LimitStatus::none) {
        status_ = LimitStatus::passed;
    }
    held.stamp = taken.stamp;
    held.level = taken.level;
    held_.push_back(std::move(held));
    return std::nullopt;
}

uint16_t TokenLimits::redis() const noexcept
{
    return static_cast<uint16_t>(waiting_.front().rule->redis);
}

// Without it what a client that left had reserved would be gone until the
// window ends.
redis::TakeBack TokenLimits::take_back(const Held& held) const
{
    return [scripts = &gateway_.token_scripts, rule = held.rule, key = held.key,
               amount = held.taken](
               const redis::Reply& reply) -> std::optional<redis::Command> {
        const auto taken = limit::TokenScripts::taken(*rule, reply);
        if (!taken || !taken->granted) {
            return std::nullopt;
        }
        return scripts->settle(*rule, key, {{-amount, taken->stamp}});
    };
}

// Those of one redis at a time.
std::vector<redis::Command> TokenLimits::commands()
{
    std::vector<redis::Command> commands;
    for (const Held& held : waiting_) {
        if (held.rule->redis == waiting_.front().rule->redis) {
            commands.push_back(gateway_.token_scripts.take(*held.rule, held.key,
                static_cast<uint64_t>(held.taken),
                is_free(*held.rule) || held.rule->mode == limit::Mode::log,
                io_->unsettled().claim(*held.rule, held.key)));
            commands.back().set_take_back(take_back(held));
        }
    }
    return commands;
}

TokenLimits::Admission TokenLimits::take(
    async::Io& io, async::RedisReplies replies)
{
    const int asked_redis = waiting_.front().rule->redis;
    std::vector<Held> asked;
    std::vector<Held> others;
    for (Held& held : waiting_) {
        (held.rule->redis == asked_redis ? asked : others)
            .push_back(std::move(held));
    }
    waiting_ = std::move(others);
    if (!replies) {
        return without_redis(io, std::move(asked), replies.error());
    }
    // All are noted before one refuses: what others granted is given back.
    Admission refused;
    for (size_t i = 0; i < asked.size(); ++i) {
        Held& held = asked[i];
        const auto taken = i < replies->size()
            ? limit::TokenScripts::taken(*held.rule, (*replies)[i])
            : std::nullopt;
        if (taken && !taken->granted) {
            refused = refused ? std::move(refused) : refuse(io, held, *taken);
            continue;
        }
        if (!taken) {
            continue; // not ours: it says nothing
        }
        if (held.rule->mode == limit::Mode::log && !refused
            && taken->level.used > held.rule->budget.amount)
        {
            status_ = LimitStatus::logged;
            held.over = true;
        }
        (void)note(io, std::move(held), *taken);
        if (refused) {
            give_back(io);
        }
    }
    return refused;
}

TokenLimits::Admission TokenLimits::without_redis(
    async::Io& io, std::vector<Held> asked, const Error& error)
{
    using OnError = config::Redis::OnError;
    const auto which = static_cast<size_t>(asked.front().rule->redis);
    for (const Held& held : asked) {
        metrics::count(&LimitCounts::store_errors, held.rule->counts);
    }
    switch (gateway_.redis[which].on_error) {
    case OnError::allow:
        break;
    case OnError::deny:
        give_back(io);
        waiting_.clear();
        return Refusal{error, {}};
    case OnError::zone:
        for (Held& held : asked) {
            if (auto refused = take_from_zone(io, std::move(held))) {
                return refused;
            }
        }
        break;
    }
    return std::nullopt;
}

TokenLimits::Admission TokenLimits::refuse(
    async::Io& io, const Held& held, const limit::Taken& taken)
{
    give_back(io);
    waiting_.clear();
    status_ = LimitStatus::rejected;
    const limit::Rule& rule = *held.rule;
    metrics::count(&LimitCounts::rejected, rule.counts);
    const limit::Budget& budget = rule.budget;
    const bool money = rule.count == limit::Count::cost;
    std::string text = "rate limit reached: ";
    text += amount_text(rule, budget.amount)
        + (money ? " USD per " : " tokens per ")
        + std::string(unit(budget.window_ms)) + ", "
        + amount_text(rule, taken.level.used) + " used, "
        + amount_text(rule, static_cast<uint64_t>(held.taken)) + " requested; ";
    Refusal refusal;
    if (taken.retry_ms == 0) {
        text += "the request is too large";
    } else {
        const uint64_t wait = seconds(taken.retry_ms);
        text += "try again in " + duration(taken.retry_ms);
        refusal.headers.push_back({"Retry-After", std::to_string(wait)});
    }
    refusal.error = make_error(ErrorCode::token_limit, std::move(text));
    refusal.error.type = money ? "cost" : "tokens";
    refusal.error.provider_code = "rate_limit_exceeded";
    refusal.error.status = rule.status;
    add_fields(refusal.headers, rule, taken.level);
    return refusal;
}

// What was debited after the take counts where the window was by then: of that
// is given back first.
void TokenLimits::charge(async::Io& io, Held& held, int64_t amount, bool last)
{
    int64_t difference = amount - held.taken;
    if (difference == 0 && (held.in_redis || !last)) {
        return;
    }
    held.taken = amount;
    if (held.rule->budget.algorithm == limit::Algorithm::sliding) {
        if (held.debited + difference >= 0) {
            held.debited += difference;
            correct(io, held, difference, 0, last);
            return;
        }
        if (const int64_t debited = std::exchange(held.debited, 0)) {
            correct(io, held, -debited, 0, false);
            difference += debited;
        }
    }
    correct(io, held, difference, held.stamp, last);
}

void TokenLimits::correct(
    async::Io& io, Held& held, int64_t difference, int64_t stamp, bool last)
{
    const limit::Rule& rule = *held.rule;
    if (!held.in_redis) {
        held.level =
            io.counters().settle(rule, held.key, difference, stamp, last);
        bound(held);
        return;
    }
    io.unsettled().add(
        gateway_.token_scripts, rule, held.key, difference, stamp);
    // As far as this request knows.
    const auto budget = static_cast<int64_t>(rule.budget.amount);
    const int64_t used = std::max<int64_t>(
        static_cast<int64_t>(held.level.used) + difference, 0);
    held.level.used = static_cast<uint64_t>(used);
    held.level.remaining =
        static_cast<uint64_t>(std::max<int64_t>(budget - used, 0));
    bound(held);
}

// A budget is spent: not all that was taken now was in it.
void TokenLimits::bound(Held& held) noexcept
{
    const limit::Budget& budget = held.rule->budget;
    held.most = held.level.used > budget.amount
        ? held.taken - static_cast<int64_t>(held.level.used - budget.amount)
        : INT64_MAX;
}

void TokenLimits::give_back(async::Io& io)
{
    for (Held& held : held_) {
        charge(io, held, 0, true);
    }
    held_.clear();
}

void TokenLimits::debit(async::Io& io, int64_t said)
{
    said_ = said;
    for (Held& held : held_) {
        if (counted(*held.rule, said) > held.taken) {
            const int64_t step = held.in_redis ? kRedisStep : kStep;
            charge(io, held, counted(*held.rule, said + step), false);
        }
    }
}

void TokenLimits::debit(async::Io& io, const chat::Usage& usage)
{
    for (Held& held : held_) {
        if (const int64_t amount = counted(*held.rule, usage);
            amount > held.taken) {
            charge(io, held, amount, false);
        }
    }
}

bool TokenLimits::may_end() const noexcept
{
    return std::any_of(rules_.begin(), rules_.end(), [](const auto& rule) {
        return rule.exhausted == limit::Exhausted::end
            && rule.mode == limit::Mode::enforce;
    });
}

bool TokenLimits::goes_on(int64_t said)
{
    debit(*io_, said);
    for (Held& held : held_) {
        if (held.rule->exhausted == limit::Exhausted::end
            && held.rule->mode == limit::Mode::enforce
            && counted(*held.rule, said) > held.most)
        {
            held.ended = true;
            status_ = LimitStatus::ended;
            return false;
        }
    }
    return true;
}

void TokenLimits::settle(async::Io& io, const Books& books)
{
    if (std::exchange(settled_, true)) {
        return;
    }
    const chat::Usage& usage = books.usage;
    // What was never counted is charged as it was estimated, if a provider
    // answered at all.
    const bool answered = said_ != 0 || books.left_asked
        || (books.status != 0 && books.status < 400 && !books.tries.empty());
    const int64_t prompt = usage.known && usage.prompt != 0 ? usage.prompt
        : answered                                          ? prompt_
                                                            : 0;
    const bool whole = usage.known && books.finish != chat::Finish::none;
    chat::Usage charged = usage.known ? usage : chat::Usage();
    charged.prompt = prompt;
    if (!whole) {
        charged.completion = std::max(said_, charged.completion);
    }
    price_ = books.price;
    for (Held& held : held_) {
        const limit::Rule& rule = *held.rule;
        charge(io, held, counted(rule, charged), true);
        metrics::count(held.ended ? &LimitCounts::ended
                : held.over       ? &LimitCounts::logged
                                  : &LimitCounts::passed,
            rule.counts);
        metrics::count(rule.count == limit::Count::cost
                ? &LimitCounts::micro_dollars
                : &LimitCounts::tokens,
            rule.counts, held.taken);
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
        if (held.rule->count == limit::Count::cost) {
            continue;
        }
        if (least == nullptr || share(held) < share(*least)) {
            least = &held;
        }
    }
    if (least != nullptr) {
        add_fields(headers, *least->rule, least->level);
    }
}

} // namespace ai_proxy::policy
