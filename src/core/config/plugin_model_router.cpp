#include "core/config/plugin_model_router.h"

#include "core/base/text.h"
#include "core/config/fields.h"

#include <algorithm>

namespace ai_proxy::config {

namespace {

using route::ModelRouter;
using yaml::Kind;
using yaml::Node;

bool is_header_name(std::string_view name) noexcept
{
    return !name.empty() && name.size() <= 256
        && std::all_of(name.begin(), name.end(), [](char c) {
               const char l = lower(c);
               return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9')
                   || c == '-' || c == '_';
           });
}

struct Reading {
    ModelRouter router;
    yaml::Warnings& warnings;
};

Result<void> set_key(Reading& to, Node value)
{
    auto key = value.text();
    if (!key || key->empty()) {
        return value.error("the name of a member is expected");
    }
    if (key->find('.') != std::string::npos) {
        return value.error("a member of the body itself is expected, no path");
    }
    to.router.key = std::move(*key);
    return {};
}

template <std::string ModelRouter::*member>
Result<void> set_header(Reading& to, Node value)
{
    auto name = value.text();
    if (!name || (!name->empty() && !is_header_name(*name))) {
        return value.error("the name of a header is expected");
    }
    to.router.*member = std::move(*name);
    return {};
}

Result<void> set_paths(Reading& to, Node value)
{
    auto suffixes = value.texts();
    if (!suffixes) {
        return std::move(suffixes).error();
    }
    to.router.paths.replace(std::move(*suffixes), true);
    return {};
}

// A rule that cannot be read is left out, as by Higress.
void add_rule(Reading& to, Node rule)
{
    const auto pattern = rule["pattern"].text();
    const auto model = rule["model"].text();
    if (!pattern || !model || pattern->empty() || model->empty()) {
        to.warnings.push_back(
            rule.error("has no \"pattern\" and \"model\", so it is left out")
                .message);
        return;
    }
    if (auto done = to.router.add_rule(*pattern, *model); !done) {
        to.warnings.push_back(
            rule.error(done.error().message + ", so the rule is left out")
                .message);
    }
}

Result<void> set_auto(Reading& to, Node value)
{
    if (auto done = value.expect(Kind::mapping); !done) {
        return done;
    }
    for (size_t i = 0; i < value.size(); ++i) {
        const Node member = value.at(i);
        if (member.key() == "enable") {
            const auto on = member.boolean();
            if (!on) {
                return on.error();
            }
            to.router.auto_model = *on ? "higress/auto" : "";
        } else if (member.key() == "defaultModel" && member.has_value()) {
            auto model = member.text();
            if (!model) {
                return std::move(model).error();
            }
            to.router.auto_default = std::move(*model);
        } else if (member.key() == "rules" && member.has_value()) {
            if (auto done = member.expect(Kind::sequence); !done) {
                return done;
            }
            for (size_t j = 0; j < member.size(); ++j) {
                add_rule(to, member.at(j));
            }
        } else if (member.key() != "defaultModel" && member.key() != "rules") {
            return yaml::unknown_field(member);
        }
    }
    return {};
}

constexpr yaml::Field<Reading> kFields[] = {
    {"modelKey", set_key},
    {"addProviderHeader", set_header<&ModelRouter::provider_header>},
    {"modelToHeader", set_header<&ModelRouter::model_header>},
    {"enableOnPathSuffix", set_paths},
    {"autoRouting", set_auto},
};

bool take_header(std::string& to, std::string_view value)
{
    to = value;
    return is_header_name(value);
}

constexpr std::string_view kHeader = "the name of a header is expected";
constexpr std::string_view kModel = "the name of a model is expected";

constexpr Parameter kParameters[] = {
    {"model_header",
        [](void* to, std::string_view value) {
            return take_header(
                static_cast<ModelRouter*>(to)->model_header, value);
        },
        kHeader},
    {"provider_header",
        [](void* to, std::string_view value) {
            return take_header(
                static_cast<ModelRouter*>(to)->provider_header, value);
        },
        kHeader},
    {"auto",
        [](void* to, std::string_view value) {
            static_cast<ModelRouter*>(to)->auto_model = value;
            return !value.empty();
        },
        kModel},
    {"default",
        [](void* to, std::string_view value) {
            static_cast<ModelRouter*>(to)->auto_default = value;
            return !value.empty();
        },
        kModel},
};

} // namespace

Result<ModelRouter> read_model_router(Node settings, LoadContext& context)
{
    Reading reading{{}, context.warnings};
    auto done = yaml::read_fields(kFields, reading, settings, context.warnings);
    if (!done) {
        return std::move(done).error();
    }
    if (reading.router.key != "model"
        && !reading.router.provider_header.empty()) {
        return settings["modelKey"].error("only \"model\" can be split");
    }
    return std::move(reading.router);
}

Result<void> set_model_router(ModelRouter& to, const Words& words)
{
    to.paths.replace({"*"}, true);
    return take_parameters(kParameters, &to, words, 1);
}

Result<void> add_model_rule(ModelRouter& to, const Words& words)
{
    if (words[2].empty()) {
        return invalid_value(words[2], words[0], kModel);
    }
    return to.add_rule(std::string(words[1]), std::string(words[2]));
}

} // namespace ai_proxy::config
