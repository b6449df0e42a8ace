#include "core/config/request_rules.h"

#include "core/config/fields.h"

#include "core/base/text.h"

namespace ai_proxy::config {

namespace {

struct Rule {
    RequestRule& made;
    const Gateway& gateway;
    bool has_redis = false;
};

RequestRule& rule(void* at) noexcept
{
    return static_cast<Rule*>(at)->made;
}

bool set_key(void* to, std::string_view value)
{
    rule(to).text = value;
    return !value.empty();
}

bool set_rate(void* to, std::string_view value)
{
    const size_t slash = value.find('/');
    if (slash == std::string_view::npos) {
        return false;
    }
    const auto seconds = parse_unit(value.substr(slash + 1));
    const auto number = parse_count(value.substr(0, slash), 1'000'000'000);
    if (!number || !seconds) {
        return false;
    }
    rule(to).window = {static_cast<int64_t>(*number), *seconds};
    return true;
}

bool set_redis(void* to, std::string_view value)
{
    auto& parsed = *static_cast<Rule*>(to);
    const int index = parsed.gateway.find_redis(value);
    parsed.made.redis = static_cast<uint16_t>(index);
    parsed.has_redis = index >= 0;
    return parsed.has_redis;
}

bool set_status(void* to, std::string_view value)
{
    const auto status = parse_refusal_status(value);
    rule(to).status = status.value_or(0);
    return status.has_value();
}

constexpr Parameter kRequestLimit[] = {
    {"key", set_key, "a text with variables is expected"},
    {"rate", set_rate,
        "a number of requests per s, m, h or d, as in \"100/m\", is expected"},
    {"redis", set_redis, "the name of an ai_proxy_redis is expected"},
    {"status", set_status, "a status from 400 to 599 is expected"},
};

} // namespace

Result<RequestRule> parse_request_rule(
    const Words& words, const Gateway& gateway)
{
    RequestRule made;
    Rule to{made, gateway};
    if (auto taken = take_parameters(kRequestLimit, &to, words, 1); !taken) {
        return std::move(taken).error();
    }
    if (made.text.empty()) {
        return config_error("\"key\" is missing");
    }
    if (made.window.most == 0) {
        return config_error("\"rate\" is missing");
    }
    if (!to.has_redis) {
        return config_error("\"redis\" is missing");
    }
    made.local.key = made.text;
    made.local.name = words[0];
    made.local.budget = {static_cast<uint64_t>(made.window.most),
        uint64_t(made.window.seconds) * 1000, limit::Algorithm::fixed};
    made.local.id = limit::rule_id(made.local);
    return made;
}

} // namespace ai_proxy::config
