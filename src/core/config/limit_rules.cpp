#include "core/config/fields.h"
#include "core/config/gateway.h"

#include "core/base/text.h"
#include "core/usage/price.h"

namespace ai_proxy::config {

namespace {

using limit::Rule;

struct Draft {
    Rule rule;
    std::string_view rate;
};

Draft& draft(void* at) noexcept
{
    return *static_cast<Draft*>(at);
}

Rule& rule(void* at) noexcept
{
    return draft(at).rule;
}

bool set_key(void* to, std::string_view value)
{
    rule(to).key = value;
    return !value.empty();
}

bool set_name(void* to, std::string_view value)
{
    rule(to).name = value;
    return !value.empty();
}

// Understood once it is known what is counted.
bool set_rate(void* to, std::string_view value)
{
    draft(to).rate = value;
    return true;
}

// "100k": tokens, in thousands or millions.
std::optional<uint64_t> parse_tokens(std::string_view number)
{
    uint64_t factor = 1;
    if (number.ends_with('k')) {
        factor = 1000;
        number.remove_suffix(1);
    } else if (number.ends_with('M')) {
        factor = 1'000'000;
        number.remove_suffix(1);
    }
    const auto n = parse_uint(number);
    return n && *n <= limit::Budget::kMost / factor ? std::optional(*n * factor)
                                                    : std::nullopt;
}

// "100k/m", "5.00/d": per second, minute, hour, day.
bool parse_rate(std::string_view value, Rule& rule)
{
    const size_t slash = value.find('/');
    if (slash == std::string_view::npos) {
        return false;
    }
    const std::string_view number = value.substr(0, slash);
    const auto seconds = parse_unit(value.substr(slash + 1));
    const auto amount = rule.count == limit::Count::cost
        ? usage::parse_decimal(number, 6)
        : parse_tokens(number);
    rule.budget.amount = amount.value_or(0);
    rule.budget.window_ms = uint64_t{seconds.value_or(0)} * 1000;
    return amount && *amount != 0 && *amount <= limit::Budget::kMost && seconds;
}

bool set_count(void* to, std::string_view value)
{
    rule(to).count = value == "input" ? limit::Count::input
        : value == "output"           ? limit::Count::output
        : value == "cost"             ? limit::Count::cost
                                      : limit::Count::total;
    return value == "total" || value == "input" || value == "output"
        || value == "cost";
}

bool set_algorithm(void* to, std::string_view value)
{
    rule(to).budget.algorithm =
        value == "fixed" ? limit::Algorithm::fixed : limit::Algorithm::sliding;
    return value == "fixed" || value == "sliding";
}

bool set_mode(void* to, std::string_view value)
{
    rule(to).mode = value == "log" ? limit::Mode::log : limit::Mode::enforce;
    return value == "log" || value == "enforce";
}

bool set_exhausted(void* to, std::string_view value)
{
    rule(to).exhausted =
        value == "end" ? limit::Exhausted::end : limit::Exhausted::finish;
    return value == "end" || value == "finish";
}

bool set_status(void* to, std::string_view value)
{
    const auto status = parse_refusal_status(value);
    rule(to).status = status.value_or(0);
    return status.has_value();
}

bool set_reserve(void* to, std::string_view value)
{
    if (value == "off") {
        rule(to).reserve_percent = 0;
        return true;
    }
    const auto percent = parse_percent(value);
    rule(to).reserve_percent = percent.value_or(0);
    return percent.has_value();
}

constexpr Parameter kTokenLimit[] = {
    {"key", set_key, "a text with variables is expected"},
    {"rate", set_rate, ""},
    {"name", set_name, "a name is expected"},
    {"count", set_count, "total, input, output or cost is expected"},
    {"algorithm", set_algorithm, "sliding or fixed is expected"},
    {"mode", set_mode, "enforce or log is expected"},
    {"exhausted", set_exhausted, "finish or end is expected"},
    {"status", set_status, "a status from 400 to 599 is expected"},
    {"reserve", set_reserve, "a share like \"10%\", or off, is expected"},
};

} // namespace

Result<Rule> parse_token_limit(const Words& words, const Gateway& gateway)
{
    Draft draft;
    Rule& made = draft.rule;
    // Who counts is a matter of other names.
    Words others;
    for (const std::string_view word : words) {
        const auto pair = split_pair(word);
        if (!pair || pair->name != "store") {
            others.push_back(word);
            continue;
        }
        made.redis = gateway.find_redis(pair->value);
        if (pair->value != "zone" && made.redis < 0) {
            return invalid_value(
                pair->value, "store", "zone or an ai_proxy_redis is expected");
        }
    }
    if (auto taken = take_parameters(kTokenLimit, &draft, others, 1); !taken) {
        return std::move(taken).error();
    }
    if (made.key.empty()) {
        return config_error("\"key\" is missing");
    }
    if (draft.rate.empty()) {
        return config_error("\"rate\" is missing");
    }
    if (!parse_rate(draft.rate, made)) {
        return invalid_value(draft.rate, "rate",
            made.count == limit::Count::cost
                ? "dollars up to 4000 per s, m, h or d, as in \"5.00/d\", are "
                  "expected"
                : "a number of tokens up to 4000M per s, m, h or d, as in "
                  "\"100k/m\", is expected");
    }
    if (made.name.empty()) {
        made.name = made.key;
    }
    made.settles = true;
    made.id = limit::rule_id(made);
    return std::move(draft.rule);
}

} // namespace ai_proxy::config
