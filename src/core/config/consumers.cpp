#include "core/config/consumers.h"

#include "core/base/text.h"
#include "core/config/fields.h"

#include <algorithm>

namespace ai_proxy::config {

namespace {

constexpr size_t kMaxPlaces = 16;
constexpr std::string_view kRealm = "nginx AI proxy";

bool is_token_char(char c) noexcept
{
    constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
        || (c >= '0' && c <= '9') || kOthers.find(c) != std::string_view::npos;
}

Result<void> add_place(AuthRule& rule, consumer::Where where, const Pair& pair)
{
    const bool header = where == consumer::Where::header;
    if (!is_field_name(pair.value) || pair.value.size() > 128) {
        return invalid_value(pair.value, pair.name,
            header ? "a name of a header field is expected"
                   : "a name is expected");
    }
    if (consumer::is_place(rule.places, where, pair.value)) {
        return config_error("\"" + std::string(pair.name) + "="
            + std::string(pair.value) + "\" is duplicate");
    }
    if (rule.places.size() == kMaxPlaces) {
        return config_error("too many places");
    }
    rule.places.push_back({where, std::string(pair.value), {}, false});
    return {};
}

Result<void> set_realm(AuthRule& rule, std::string_view value)
{
    const bool clean =
        std::all_of(value.begin(), value.end(), [](unsigned char c) {
            return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
        });
    if (!rule.realm.empty()) {
        return config_error("\"realm\" is duplicate");
    }
    if (value.empty() || value.size() > 256 || !clean) {
        return invalid_value(
            value, "realm", "printable characters without quotes are expected");
    }
    rule.realm = value;
    return {};
}

Result<void> set_parameter(AuthRule& rule, std::string_view word)
{
    const auto pair = split_pair(word);
    if (pair && pair->name == "header") {
        return add_place(rule, consumer::Where::header, *pair);
    }
    if (pair && pair->name == "query") {
        return add_place(rule, consumer::Where::query, *pair);
    }
    if (pair && pair->name == "cookie") {
        return add_place(rule, consumer::Where::cookie, *pair);
    }
    if (pair && pair->name == "realm") {
        return set_realm(rule, pair->value);
    }
    return config_error("unknown parameter \"" + std::string(word)
        + "\" (key, jwt, header=, query=, cookie= or realm=)");
}

} // namespace

consumer::Consumer* Consumers::find(std::string_view name) noexcept
{
    const auto found = std::find_if(all.begin(), all.end(),
        [name](const auto& consumer) { return consumer->name == name; });
    return found != all.end() ? found->get() : nullptr;
}

consumer::Consumer& Consumers::named(std::string_view name)
{
    if (consumer::Consumer* known = find(name); known != nullptr) {
        return *known;
    }
    auto made = std::make_unique<consumer::Consumer>();
    made->name = name;
    made->index = all.size();
    return *all.emplace_back(std::move(made));
}

Result<std::shared_ptr<const consumer::JwkSet>> Consumers::key_set(
    const std::string& text)
{
    for (const auto& [known, set] : key_sets_) {
        if (known == text) {
            return set;
        }
    }
    auto parsed = consumer::JwkSet::parse(text);
    if (!parsed) {
        return std::move(parsed).error();
    }
    auto set = std::make_shared<const consumer::JwkSet>(std::move(*parsed));
    key_sets_.emplace_back(text, set);
    return set;
}

std::string_view key_fault(std::string_view key) noexcept
{
    if (key.empty()) {
        return "it is empty";
    }
    if (key.size() > 4096) {
        return "it is longer than 4096 characters";
    }
    const bool clean = std::all_of(key.begin(), key.end(),
        [](unsigned char c) { return c > 0x20 && c < 0x7f; });
    return clean ? "" : "it has characters that clients cannot send";
}

bool is_field_name(std::string_view name) noexcept
{
    return !name.empty()
        && std::all_of(name.begin(), name.end(), is_token_char);
}

bool may_tell(std::string_view name) noexcept
{
    constexpr std::string_view kOthers[] = {"accept", "accept-encoding",
        "authorization", "connection", "content-encoding", "content-length",
        "content-type", "cookie", "date", "expect", "host", "http2-settings",
        "if-match", "if-modified-since", "if-none-match", "if-range",
        "if-unmodified-since", "keep-alive", "proxy-authorization", "range",
        "te", "trailer", "transfer-encoding", "upgrade", "x-mse-consumer"};
    return is_field_name(name)
        && std::none_of(std::begin(kOthers), std::end(kOthers),
            [name](std::string_view other) { return iequals(other, name); });
}

Result<AuthRule> parse_auth(const Words& words)
{
    AuthRule rule;
    if (words.size() == 1 && words[0] == "off") {
        return rule;
    }
    for (const std::string_view word : words) {
        if (word == "off") {
            return config_error("\"off\" excludes other parameters");
        }
        if (word == "key" || word == "jwt") {
            bool& kind = word == "key" ? rule.key : rule.jwt;
            if (kind) {
                return config_error(
                    "\"" + std::string(word) + "\" is duplicate");
            }
            kind = true;
        } else if (auto set = set_parameter(rule, word); !set) {
            return std::move(set).error();
        }
    }
    if (!rule.key && !rule.jwt) {
        return config_error("one of \"key\", \"jwt\" or \"off\" is expected");
    }
    if (rule.places.empty()) {
        rule.places = consumer::usual_places();
    }
    if (rule.realm.empty()) {
        rule.realm = kRealm;
    }
    return rule;
}

} // namespace ai_proxy::config
