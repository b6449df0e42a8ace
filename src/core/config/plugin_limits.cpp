#include "core/config/plugin_limits.h"

#include "core/config/redis_service.h"

#include <algorithm>
#include <iterator>

namespace ai_proxy::config {

namespace {

using limit::KeyKind;
using limit::KeyWindow;
using yaml::Kind;
using yaml::Node;

constexpr int64_t kMostCount = 1'000'000'000'000;

// What is counted, as the names of windows have it.
struct Counted {
    std::string_view names[4];
    std::string_view one_of; // for errors

    // 0: it is no window.
    [[nodiscard]] uint32_t seconds(std::string_view name) const noexcept
    {
        constexpr uint32_t kSeconds[] = {1, 60, 3600, 86'400};
        const auto* at = std::find(std::begin(names), std::end(names), name);
        return at != std::end(names) ? kSeconds[at - std::begin(names)] : 0;
    }
};

constexpr Counted kQueries = {
    {"query_per_second", "query_per_minute", "query_per_hour", "query_per_day"},
    "query_per_second, query_per_minute, query_per_hour or query_per_day"};
constexpr Counted kTokens = {
    {"token_per_second", "token_per_minute", "token_per_hour", "token_per_day"},
    "token_per_second, token_per_minute, token_per_hour or token_per_day"};

struct Reading {
    KeyLimit made;
    const Counted& counted;
    LoadContext& context;
    bool has_redis = false;
};

// The one window of a mapping whose other member, if it may have one, is
// "key".
Result<KeyWindow> read_window(
    const Counted& counted, Node mapping, bool may_have_key)
{
    if (auto done = mapping.expect(Kind::mapping); !done) {
        return std::move(done).error();
    }
    KeyWindow window;
    for (size_t i = 0; i < mapping.size(); ++i) {
        const Node member = mapping.at(i);
        const uint32_t seconds = counted.seconds(member.key());
        if (seconds == 0 && !(may_have_key && member.key() == "key")) {
            return yaml::unknown_field(member);
        }
        if (seconds == 0 || !member.has_value()) {
            continue;
        }
        if (window.seconds != 0) {
            return member.error("there is another window already: one is "
                                "expected");
        }
        const auto most = member.integer(1, kMostCount);
        if (!most) {
            return most.error();
        }
        window = {*most, seconds};
    }
    if (window.seconds == 0) {
        return mapping.error(
            "one of " + std::string(counted.one_of) + " is expected");
    }
    return window;
}

Result<void> read_keys(
    const Counted& counted, limit::LimitItem& item, Node keys)
{
    if (auto done = keys.expect(Kind::sequence); !done) {
        return done;
    }
    if (keys.size() == 0) {
        return keys.error("it is empty");
    }
    for (size_t i = 0; i < keys.size(); ++i) {
        const auto window = read_window(counted, keys.at(i), true);
        if (!window) {
            return window.error();
        }
        const Node key = keys.at(i)["key"];
        if (!key.has_value()) {
            return keys.at(i).error("\"key\" is missing");
        }
        const auto text = key.text();
        if (!text) {
            return text.error();
        }
        auto made = limit::make_limit_key(item.kind, *text, *window);
        if (!made) {
            return key.error(made.error().message);
        }
        item.keys.push_back(std::move(*made));
    }
    return {};
}

// What an item goes by: the kind, and the name of what it looks at.
Result<void> set_kind(limit::LimitItem& item, Node member, KeyKind kind)
{
    item.kind = kind;
    if (kind == KeyKind::consumer || kind == KeyKind::per_consumer) {
        return {}; // its value means nothing
    }
    auto name = member.text();
    if (!name) {
        return std::move(name).error();
    }
    if (kind == KeyKind::per_ip && !limit::valid_ip_source(*name)) {
        return member.error(
            "\"from-remote-addr\" or \"from-header-NAME\" is expected");
    }
    item.name = std::move(*name);
    return {};
}

// Is it there?  Higress takes an empty name for none, but of consumers.
bool is_set(Node member, KeyKind kind)
{
    if (kind == KeyKind::consumer || kind == KeyKind::per_consumer) {
        return true;
    }
    const auto text = member.text();
    return member.has_value() && (!text || !text->empty());
}

Result<limit::LimitItem> read_item(const Counted& counted, Node node)
{
    if (auto done = node.expect(Kind::mapping); !done) {
        return std::move(done).error();
    }
    limit::LimitItem item;
    bool has_kind = false;
    for (size_t i = 0; i < node.size(); ++i) {
        const Node member = node.at(i);
        const auto kind = limit::parse_key_kind(member.key());
        if (!kind && member.key() != "limit_keys") {
            return yaml::unknown_field(member);
        }
        if (!kind || !is_set(member, *kind)) {
            continue;
        }
        if (std::exchange(has_kind, true)) {
            return member.error("there is another \"limit_by_...\" already: "
                                "one is expected");
        }
        if (auto done = set_kind(item, member, *kind); !done) {
            return std::move(done).error();
        }
    }
    if (!has_kind) {
        return node.error("a \"limit_by_...\" is missing");
    }
    const Node keys = node["limit_keys"];
    if (!keys.has_value()) {
        return node.error("\"limit_keys\" is missing");
    }
    if (auto done = read_keys(counted, item, keys); !done) {
        return std::move(done).error();
    }
    return item;
}

Result<void> set_rule_name(Reading& to, Node value)
{
    return yaml::set_text<&limit::KeyRules::name>(to.made.rules, value);
}

Result<void> set_global(Reading& to, Node value)
{
    const auto window = read_window(to.counted, value, false);
    if (!window) {
        return window.error();
    }
    to.made.rules.global = *window;
    return {};
}

Result<void> set_items(Reading& to, Node value)
{
    if (auto done = value.expect(Kind::sequence); !done) {
        return done;
    }
    if (value.size() == 0) {
        return value.error("it is empty");
    }
    for (size_t i = 0; i < value.size(); ++i) {
        auto item = read_item(to.counted, value.at(i));
        if (!item) {
            return std::move(item).error();
        }
        to.made.rules.items.push_back(std::move(*item));
    }
    return {};
}

Result<void> set_code(Reading& to, Node value)
{
    return yaml::set_integer<&KeyLimit::rejected_code, 200, 599>(
        to.made, value);
}

Result<void> set_message(Reading& to, Node value)
{
    return yaml::set_text<&KeyLimit::rejected_msg>(to.made, value);
}

Result<void> set_show(Reading& to, Node value)
{
    return yaml::set_flag<&KeyLimit::show_limit_quota_header>(to.made, value);
}

template <class T>
Result<void> set_redis(T& to, Node value)
{
    const auto index = read_redis_service(value, to.context);
    if (!index) {
        return index.error();
    }
    to.made.redis = *index;
    to.has_redis = true;
    return {};
}

constexpr yaml::Field<Reading> kRequests[] = {
    {"rule_name", set_rule_name},
    {"global_threshold", set_global},
    {"rule_items", set_items},
    {"show_limit_quota_header", set_show},
    {"rejected_code", set_code},
    {"rejected_msg", set_message},
    {"redis", set_redis<Reading>},
};

constexpr yaml::Field<Reading> kOfTokens[] = {
    {"rule_name", set_rule_name},
    {"global_threshold", set_global},
    {"rule_items", set_items},
    {"rejected_code", set_code},
    {"rejected_msg", set_message},
    {"redis", set_redis<Reading>},
};

Error missing(Node settings, std::string_view field)
{
    return settings.error("\"" + std::string(field) + "\" is missing");
}

template <size_t count>
Result<KeyLimit> read_limit(const yaml::Field<Reading> (&table)[count],
    const Counted& counted, Node settings, LoadContext& context)
{
    Reading reading{{}, counted, context};
    auto done = yaml::read_fields(table, reading, settings, context.warnings);
    if (!done) {
        return std::move(done).error();
    }
    const limit::KeyRules& rules = reading.made.rules;
    if (rules.name.empty()) {
        return missing(settings, "rule_name");
    }
    if (rules.global && !rules.items.empty()) {
        return settings["global_threshold"].error(
            "it cannot stand beside \"rule_items\"");
    }
    if (!rules.global && rules.items.empty()) {
        return settings.error(
            "\"global_threshold\" or \"rule_items\" is missing");
    }
    if (!reading.has_redis) {
        return missing(settings, "redis");
    }
    return std::move(reading.made);
}

struct QuotaReading {
    Quota made;
    LoadContext& context;
    bool has_redis = false;
};

// Where Higress takes an empty text for none.
template <std::string Quota::*member>
Result<void> set_unless_empty(QuotaReading& to, Node value)
{
    auto text = value.text();
    if (!text) {
        return std::move(text).error();
    }
    if (!text->empty()) {
        to.made.*member = std::move(*text);
    }
    return {};
}

Result<void> set_admin_path(QuotaReading& to, Node value)
{
    auto done = set_unless_empty<&Quota::admin_path>(to, value);
    return done && to.made.admin_path.front() != '/'
        ? value.error("it does not begin with '/'")
        : std::move(done);
}

constexpr yaml::Field<QuotaReading> kQuota[] = {
    {"redis_key_prefix", set_unless_empty<&Quota::key_prefix>},
    {"admin_consumer", set_unless_empty<&Quota::admin_consumer>},
    {"admin_path", set_admin_path},
    {"redis", set_redis<QuotaReading>},
};

} // namespace

Result<KeyLimit> read_request_limit(Node settings, LoadContext& context)
{
    return read_limit(kRequests, kQueries, settings, context);
}

Result<KeyLimit> read_token_limit(Node settings, LoadContext& context)
{
    return read_limit(kOfTokens, kTokens, settings, context);
}

Result<Quota> read_quota(Node settings, LoadContext& context)
{
    QuotaReading reading{{}, context};
    auto done = yaml::read_fields(kQuota, reading, settings, context.warnings);
    if (!done) {
        return std::move(done).error();
    }
    if (reading.made.admin_consumer.empty()) {
        return missing(settings, "admin_consumer");
    }
    if (!reading.has_redis) {
        return missing(settings, "redis");
    }
    return std::move(reading.made);
}

} // namespace ai_proxy::config
