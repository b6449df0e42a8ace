#include "core/config/plugin_auth.h"

#include "core/base/text.h"

#include <algorithm>

namespace ai_proxy::config {

namespace {

using consumer::Place;
using consumer::Where;
using yaml::Kind;
using yaml::Node;

constexpr size_t kMaxConsumers = 10'000;
constexpr int64_t kMaxSkew = 24 * 3600;

// A consumer as it is read.
struct ConsumerText {
    AuthConsumer made;
    Node at, jwks;
    std::vector<std::string> keys;
    bool in_query = false, in_header = false;
    std::vector<Place> places;
    bool keep_token = true;
};

// The members of a file's global part, or of a rule.
struct Settings {
    std::vector<ConsumerText> consumers;
    std::vector<std::string> keys;
    bool in_query = false, in_header = false;
    std::string realm;
    std::optional<bool> global_auth;
    std::optional<std::vector<std::string>> allow;
    yaml::Warnings* warnings = nullptr;
};

Result<void> set_global(Settings& to, Node value)
{
    const auto flag = value.boolean();
    if (!flag) {
        return flag.error();
    }
    to.global_auth = *flag;
    return {};
}

Result<void> set_allow(Settings& to, Node value)
{
    auto names = value.texts();
    if (!names) {
        return std::move(names).error();
    }
    to.allow = std::move(*names);
    return {};
}

Result<void> set_realm(Settings& to, Node value)
{
    auto text = value.text();
    if (!text) {
        return std::move(text).error();
    }
    const bool clean =
        std::all_of(text->begin(), text->end(), [](unsigned char c) {
            return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
        });
    if (text->empty() || text->size() > 256 || !clean) {
        return value.error("printable characters without quotes are expected");
    }
    to.realm = std::move(*text);
    return {};
}

Result<void> set_name(ConsumerText& to, Node value)
{
    auto name = value.text();
    if (!name) {
        return std::move(name).error();
    }
    const bool clean = std::all_of(name->begin(), name->end(),
        [](unsigned char c) { return c >= 0x20 && c != 0x7f; });
    if (name->empty() || name->size() > 256 || !clean) {
        return value.error("a name is expected");
    }
    to.made.name = std::move(*name);
    return {};
}

Result<void> set_credentials(ConsumerText& to, Node value)
{
    auto texts = value.texts();
    if (!texts) {
        return std::move(texts).error();
    }
    for (std::string& text : *texts) {
        // As it stands in the field: a scheme ("Bearer", "Basic") and a word.
        const size_t blank = text.find(' ');
        const std::string_view word = blank == std::string::npos
            ? std::string_view(text)
            : std::string_view(text).substr(blank + 1);
        if (const auto fault = key_fault(word); !fault.empty()) {
            return value.error("it is no credential: " + std::string(fault));
        }
        to.made.credentials.emplace_back(std::move(text));
    }
    return {};
}

Result<void> set_jwks(ConsumerText& to, Node value)
{
    to.jwks = value;
    return {};
}

Result<void> set_issuer(ConsumerText& to, Node value)
{
    auto text = value.text();
    if (!text) {
        return std::move(text).error();
    }
    to.made.tokens.issuer = std::move(*text);
    return {};
}

Result<void> set_skew(ConsumerText& to, Node value)
{
    const auto seconds = value.integer(0, kMaxSkew);
    if (!seconds) {
        return seconds.error();
    }
    to.made.tokens.skew_seconds = *seconds;
    return {};
}

constexpr yaml::Field<consumer::ClaimHeader> kClaimFields[] = {
    {"claim", yaml::set_text<&consumer::ClaimHeader::claim>},
    {"header", yaml::set_text<&consumer::ClaimHeader::header>},
    {"override", yaml::set_flag<&consumer::ClaimHeader::override_client>},
};

Result<void> set_claims(ConsumerText& to, Node value)
{
    if (auto done = value.expect(Kind::sequence); !done) {
        return done;
    }
    for (size_t i = 0; i < value.size(); ++i) {
        consumer::ClaimHeader header;
        yaml::Warnings none;
        if (auto done =
                yaml::read_fields(kClaimFields, header, value.at(i), none);
            !done)
        {
            return done;
        }
        if (header.claim.empty()) {
            return value.at(i).error("\"claim\" is missing");
        }
        if (!may_tell(header.header)) {
            return value.at(i).error(
                "\"header\" is no name that a claim may have");
        }
        to.made.tokens.headers.push_back(std::move(header));
    }
    return {};
}

Result<void> add_place(
    ConsumerText& to, Where where, Node value, std::string prefix = {})
{
    auto name = value.text();
    if (!name) {
        return std::move(name).error();
    }
    if (!is_field_name(*name)) {
        return value.error("a name is expected");
    }
    to.places.push_back({where, std::move(*name), std::move(prefix), false});
    return {};
}

Result<void> set_from_headers(ConsumerText& to, Node value)
{
    if (auto done = value.expect(Kind::sequence); !done) {
        return done;
    }
    for (size_t i = 0; i < value.size(); ++i) {
        const Node one = value.at(i);
        if (auto done = one.expect(Kind::mapping); !done) {
            return done;
        }
        std::string prefix;
        for (size_t m = 0; m < one.size(); ++m) {
            if (one.at(m).key() != "name" && one.at(m).key() != "value_prefix")
            {
                return yaml::unknown_field(one.at(m));
            }
        }
        if (one["value_prefix"].has_value()) {
            auto text = one["value_prefix"].text();
            if (!text) {
                return std::move(text).error();
            }
            prefix = std::move(*text);
        }
        if (!one["name"].has_value()) {
            return one.error("\"name\" is missing");
        }
        if (auto done =
                add_place(to, Where::header, one["name"], std::move(prefix));
            !done)
        {
            return done;
        }
    }
    return {};
}

template <Where where>
Result<void> set_from(ConsumerText& to, Node value)
{
    if (value.is_scalar()) {
        return add_place(to, where, value);
    }
    if (auto done = value.expect(Kind::sequence); !done) {
        return done;
    }
    for (size_t i = 0; i < value.size(); ++i) {
        if (auto done = add_place(to, where, value.at(i)); !done) {
            return done;
        }
    }
    return {};
}

constexpr yaml::Field<ConsumerText> kKeyConsumer[] = {
    {"name", set_name},
    {"credential", set_credentials},
    {"credentials", set_credentials},
    {"keys", yaml::set_texts<&ConsumerText::keys>},
    {"in_query", yaml::set_flag<&ConsumerText::in_query>},
    {"in_header", yaml::set_flag<&ConsumerText::in_header>},
};

constexpr yaml::Field<ConsumerText> kTokenConsumer[] = {
    {"name", set_name},
    {"jwks", set_jwks},
    {"issuer", set_issuer},
    {"claims_to_headers", set_claims},
    {"from_headers", set_from_headers},
    {"from_params", set_from<Where::query>},
    {"from_cookies", set_from<Where::cookie>},
    {"clock_skew_seconds", set_skew},
    {"keep_token", yaml::set_flag<&ConsumerText::keep_token>},
};

template <const auto& table>
Result<void> set_consumers(Settings& to, Node value)
{
    if (auto done = value.expect(Kind::sequence); !done) {
        return done;
    }
    if (value.size() > kMaxConsumers) {
        return value.error("there are too many consumers");
    }
    for (size_t i = 0; i < value.size(); ++i) {
        ConsumerText text;
        text.at = value.at(i);
        auto done = yaml::read_fields(table, text, value.at(i), *to.warnings);
        if (!done) {
            return done;
        }
        const std::string& name = text.made.name;
        if (name.empty()) {
            return value.at(i).error("\"name\" is missing");
        }
        const bool known = std::any_of(to.consumers.begin(), to.consumers.end(),
            [&name](const ConsumerText& c) { return c.made.name == name; });
        if (known) {
            return value.at(i).error("the name \"" + name + "\" stands twice");
        }
        to.consumers.push_back(std::move(text));
    }
    return {};
}

constexpr yaml::Field<Settings> kKeyFields[] = {
    {"consumers", set_consumers<kKeyConsumer>},
    {"keys", yaml::set_texts<&Settings::keys>},
    {"in_query", yaml::set_flag<&Settings::in_query>},
    {"in_header", yaml::set_flag<&Settings::in_header>},
    {"global_auth", set_global},
    {"allow", set_allow},
    {"realm", set_realm},
};

constexpr yaml::Field<Settings> kTokenFields[] = {
    {"consumers", set_consumers<kTokenConsumer>},
    {"global_auth", set_global},
    {"allow", set_allow},
    {"realm", set_realm},
};

Result<void> add_places(std::vector<Place>& to,
    const std::vector<std::string>& keys, bool in_query, bool in_header,
    Node where)
{
    if (keys.empty() || (!in_query && !in_header)) {
        return where.error(
            "\"keys\" and one of \"in_query\" and \"in_header\" are needed");
    }
    for (const std::string& key : keys) {
        if (!is_field_name(key)) {
            return where.error("\"" + key + "\" in \"keys\" is no name");
        }
        for (const Where kind : {Where::header, Where::query}) {
            const bool wanted = kind == Where::header ? in_header : in_query;
            if (wanted && !consumer::is_place(to, kind, key)) {
                to.push_back({kind, key, {}, false});
            }
        }
    }
    return {};
}

Result<void> take_key_consumers(
    AuthPlugin& plugin, Settings& settings, Node where)
{
    const bool all_own =
        std::all_of(settings.consumers.begin(), settings.consumers.end(),
            [](const ConsumerText& c) { return !c.keys.empty(); });
    if (!all_own || !settings.keys.empty()) {
        if (auto done = add_places(plugin.places, settings.keys,
                settings.in_query, settings.in_header, where);
            !done)
        {
            return done;
        }
    }
    for (ConsumerText& text : settings.consumers) {
        if (text.made.credentials.empty()) {
            return text.at.error("\"credential\" is missing");
        }
        if (!text.keys.empty()) {
            const bool own = text.in_query || text.in_header;
            if (auto done = add_places(plugin.places, text.keys,
                    own ? text.in_query : settings.in_query,
                    own ? text.in_header : settings.in_header, where);
                !done)
            {
                return done;
            }
        }
        plugin.consumers.push_back(std::move(text.made));
    }
    return {};
}

Result<void> take_token_consumers(AuthPlugin& plugin, Settings& settings)
{
    Consumers sets; // that have the same text are one
    for (ConsumerText& text : settings.consumers) {
        if (!text.jwks.has_value()) {
            return text.at.error("\"jwks\" is missing");
        }
        auto set = sets.key_set(
            text.jwks.is_scalar() ? text.jwks.item()->text : text.jwks.json());
        if (!set) {
            return text.jwks.error(set.error().message);
        }
        text.made.tokens.keys = std::move(*set);
        if (text.places.empty()) {
            text.places = {{Where::header, "Authorization", "Bearer ", false},
                {Where::query, "access_token", {}, false}};
        }
        text.made.tokens.places = std::move(text.places);
        plugin.consumers.push_back(std::move(text.made));
    }
    return {};
}

template <size_t count>
Result<void> read(const yaml::Field<Settings> (&table)[count],
    LoadContext& context, AuthPlugin& plugin)
{
    auto nodes = split_rules(context.document);
    if (!nodes) {
        return std::move(nodes).error();
    }
    Settings global;
    global.warnings = &context.warnings;
    const Node root =
        nodes->global.has_value() ? nodes->global : context.document.root();
    if (nodes->global.has_value()) {
        if (auto done = yaml::read_fields(
                table, global, nodes->global, context.warnings);
            !done)
        {
            return done;
        }
    }
    if (global.consumers.empty()) {
        return root.error("there are no \"consumers\"");
    }
    plugin.global_auth = global.global_auth;
    plugin.allow = std::move(global.allow);
    if (!global.realm.empty()) {
        plugin.realm = std::move(global.realm);
    }
    auto taken = plugin.voice == consumer::Voice::key_auth
        ? take_key_consumers(plugin, global, root)
        : take_token_consumers(plugin, global);
    if (!taken) {
        return taken;
    }
    for (auto& node : nodes->list) {
        Settings settings;
        settings.warnings = &context.warnings;
        if (auto done = yaml::read_fields(
                table, settings, node.settings, context.warnings);
            !done)
        {
            return done;
        }
        if (!settings.consumers.empty() || settings.global_auth
            || !settings.keys.empty() || !settings.realm.empty())
        {
            return node.settings.error(
                "a rule has nothing but \"allow\", all else is global");
        }
        plugin.rules.push_back(
            {std::move(node.matcher), std::move(settings.allow)});
    }
    return {};
}

} // namespace

Result<void> load_key_auth(LoadContext& context, Plugins& to)
{
    auto plugin = std::make_shared<AuthPlugin>();
    auto done = read(kKeyFields, context, *plugin);
    if (done) {
        to.key_auth = std::move(plugin);
    }
    return done;
}

Result<void> load_jwt_auth(LoadContext& context, Plugins& to)
{
    auto plugin = std::make_shared<AuthPlugin>();
    plugin->voice = consumer::Voice::jwt_auth;
    auto done = read(kTokenFields, context, *plugin);
    if (done) {
        to.jwt_auth = std::move(plugin);
    }
    return done;
}

const consumer::Policy* AuthRules::find(const Subject& subject) const
{
    for (size_t i = 0; i < plugin->rules.size(); ++i) {
        if (plugin->rules[i].matcher.matches(subject)) {
            return policies[i] != nullptr ? policies[i] : otherwise;
        }
    }
    return otherwise;
}

bool AuthRules::agree(const std::vector<Subject>& subjects) const
{
    return std::all_of(plugin->rules.begin(), plugin->rules.end(),
        [&subjects](const AuthPlugin::Rule& rule) {
            Matcher matcher = rule.matcher;
            matcher.domains.clear();
            const auto same = [&](const Subject& subject) {
                return matcher.matches(subject)
                    == matcher.matches(subjects.front());
            };
            return std::all_of(subjects.begin(), subjects.end(), same);
        });
}

Result<std::unique_ptr<AuthRules>> compile_auth(
    std::shared_ptr<const AuthPlugin> plugin, Consumers& consumers)
{
    Credentials& known = *consumers.others.emplace_back(
        std::make_unique<Credentials>(consumers.seed));
    for (const AuthConsumer& text : plugin->consumers) {
        const consumer::Consumer& who = consumers.named(text.name);
        for (const Secret& credential : text.credentials) {
            const consumer::Consumer* owner = known.keys.add(credential, who);
            if (owner != nullptr && owner != &who) {
                return make_error(ErrorCode::invalid_request,
                    "consumers \"" + text.name + "\" and \"" + owner->name
                        + "\" have the same credential");
            }
        }
        if (text.tokens.keys != nullptr) {
            known.tokens.push_back(text.tokens);
            known.tokens.back().consumer = &who;
        }
    }
    const auto policy = [&](std::optional<std::vector<std::string>> allow) {
        auto made = std::make_unique<consumer::Policy>();
        const bool keys = plugin->voice == consumer::Voice::key_auth;
        made->keys = keys ? &known.keys : nullptr;
        made->tokens = keys ? nullptr : &known.tokens;
        made->places = plugin->places;
        made->realm = plugin->realm;
        made->voice = plugin->voice;
        made->allowed = std::move(allow);
        return consumers.policies.emplace_back(std::move(made)).get();
    };
    auto rules = std::make_unique<AuthRules>();
    if (plugin->allow || plugin->global_auth.value_or(plugin->rules.empty())) {
        rules->otherwise = policy(plugin->allow);
    }
    for (const AuthPlugin::Rule& rule : plugin->rules) {
        rules->policies.push_back(rule.allow ? policy(rule.allow) : nullptr);
    }
    rules->plugin = std::move(plugin);
    return rules;
}

} // namespace ai_proxy::config
