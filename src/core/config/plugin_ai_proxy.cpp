#include "core/config/plugin_ai_proxy.h"

#include "core/base/text.h"
#include "core/config/provider_yaml.h"

#include <algorithm>
#include <utility>

namespace ai_proxy::config {

namespace {

using yaml::Kind;
using yaml::Node;

// Names appear in variables, labels and logs.
bool is_name(std::string_view name) noexcept
{
    constexpr size_t kLongest = 64;
    return !name.empty() && name.size() <= kLongest
        && std::all_of(name.begin(), name.end(), [](char c) {
               const char l = lower(c);
               return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9')
                   || c == '_' || c == '-' || c == '.';
           });
}

class Loader {
public:
    explicit Loader(LoadContext& context) : c_(context) {}

    Result<AiProxy> read(Node settings);
    // Is this provider's id active somewhere in the file?
    void note_active(Node settings);

private:
    // The name in the gateway.
    Result<std::string> make(Node object, std::string id);
    Result<std::string> make_nameless(Node object);
    Result<void> make_all(Node list);
    [[nodiscard]] std::string free_name(const std::string& wanted) const;

    LoadContext& c_;
    // An object that several rules inherit is one provider.
    std::vector<std::pair<const yaml::Item*, std::string>> made_;
    std::vector<const yaml::Item*> lists_;
    std::vector<std::string> active_;
};

std::string Loader::free_name(const std::string& wanted) const
{
    std::string name = wanted;
    for (int i = 2; c_.gateway.find_provider(name) >= 0; ++i) {
        name = wanted + "-" + std::to_string(i);
    }
    return name;
}

Result<std::string> Loader::make(Node object, std::string name)
{
    auto provider = read_provider(object, name, c_.secrets, c_.warnings);
    if (!provider) {
        return std::move(provider).error();
    }
    (void)c_.gateway.add(std::move(*provider));
    made_.emplace_back(object.item(), name);
    return name;
}

Result<std::string> Loader::make_nameless(Node object)
{
    for (const auto& [item, name] : made_) {
        if (item == object.item()) {
            return name;
        }
    }
    if (auto done = object.expect(Kind::mapping); !done) {
        return std::move(done).error();
    }
    const Node id = object["id"];
    const auto text = id.has_value() ? id.text() : object["type"].text();
    if (!text) {
        return object.error("\"type\" is missing");
    }
    return make(object, is_name(*text) ? free_name(*text) : free_name("ai"));
}

Result<void> Loader::make_all(Node list)
{
    if (auto done = list.expect(Kind::sequence); !done) {
        return done;
    }
    if (std::find(lists_.begin(), lists_.end(), list.item()) != lists_.end()) {
        return {};
    }
    lists_.push_back(list.item());
    for (size_t i = 0; i < list.size(); ++i) {
        const Node object = list.at(i);
        if (auto done = object.expect(Kind::mapping); !done) {
            return done;
        }
        const auto id = object["id"].text();
        if (!id || !is_name(*id)) {
            return object.error("\"id\" must be a name of letters, digits, "
                                "'-', '_' and '.'");
        }
        if (c_.gateway.find_provider(*id) >= 0) {
            return object["id"].error("duplicate name \"" + *id + "\"");
        }
        auto made = make(object, *id);
        if (made) {
            continue;
        }
        // As long as nobody asks for it, a provider may be unfinished.
        if (std::find(active_.begin(), active_.end(), *id) != active_.end()) {
            return std::move(made).error();
        }
        c_.warnings.push_back(
            made.error().message + ", so \"" + *id + "\" is left out");
    }
    return {};
}

void Loader::note_active(Node settings)
{
    if (const auto id = settings["activeProviderId"].text(); id) {
        active_.push_back(*id);
    }
}

Result<AiProxy> Loader::read(Node settings)
{
    AiProxy made;
    for (size_t i = 0; i < settings.size(); ++i) {
        const Node member = settings.at(i);
        if (member.key() != "provider" && member.key() != "providers"
            && member.key() != "activeProviderId")
        {
            return yaml::unknown_field(member);
        }
    }
    if (const Node list = settings["providers"]; list.has_value()) {
        if (auto done = make_all(list); !done) {
            return std::move(done).error();
        }
    }
    Node where = settings["activeProviderId"];
    if (const Node single = settings["provider"]; single.has_value()) {
        auto name = make_nameless(single);
        if (!name) {
            return std::move(name).error();
        }
        made.provider = std::move(*name);
        where = single;
    } else if (where.has_value()) {
        auto id = where.text();
        if (!id) {
            return std::move(id).error();
        }
        made.provider = std::move(*id);
    }
    if (!made.provider.empty()) {
        made.place = where.error("").message;
    }
    return made;
}

} // namespace

Result<Rules<AiProxy>> read_ai_proxy(LoadContext& context)
{
    auto nodes = split_rules(context.document);
    if (!nodes) {
        return std::move(nodes).error();
    }
    Loader loader(context);
    loader.note_active(nodes->global);
    for (auto& rule : nodes->list) {
        if (nodes->global.has_value()) {
            rule.settings =
                context.document.merged(rule.settings, nodes->global);
        }
        loader.note_active(rule.settings);
    }
    Rules<AiProxy> rules;
    if (nodes->global.has_value()) {
        auto settings = loader.read(nodes->global);
        if (!settings) {
            return std::move(settings).error();
        }
        rules.global = std::move(*settings);
    }
    for (auto& rule : nodes->list) {
        auto settings = loader.read(rule.settings);
        if (!settings) {
            return std::move(settings).error();
        }
        rules.list.push_back({std::move(rule.matcher), std::move(*settings)});
    }
    return rules;
}

} // namespace ai_proxy::config
