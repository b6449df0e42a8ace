#include "core/config/plugin_model_mapper.h"

namespace ai_proxy::config {

namespace {

using route::ModelMapper;
using yaml::Node;

Result<void> set_key(ModelMapper& to, Node value)
{
    auto key = value.text();
    if (!key || key->empty()) {
        return value.error("the name of a member is expected");
    }
    if (key->find_first_of(".*?#|@\\") != std::string::npos) {
        return value.error("a member of the body itself is expected, no path");
    }
    to.key = std::move(*key);
    return {};
}

Result<void> set_mapping(ModelMapper& to, Node value)
{
    if (auto done = value.expect(yaml::Kind::mapping); !done) {
        return done;
    }
    for (size_t i = 0; i < value.size(); ++i) {
        const Node target = value.at(i);
        if (target.is_null()) {
            to.add(target.key(), "");
            continue;
        }
        const auto text = target.text();
        if (!text) {
            return text.error();
        }
        to.add(target.key(), *text);
    }
    return {};
}

Result<void> set_paths(ModelMapper& to, Node value)
{
    auto suffixes = value.texts();
    if (!suffixes) {
        return std::move(suffixes).error();
    }
    to.paths.replace(std::move(*suffixes), false);
    return {};
}

constexpr yaml::Field<ModelMapper> kFields[] = {
    {"modelKey", set_key},
    {"modelMapping", set_mapping},
    {"enableOnPathSuffix", set_paths},
};

} // namespace

Result<ModelMapper> read_model_mapper(Node settings, LoadContext& context)
{
    ModelMapper mapper;
    auto done = yaml::read_fields(kFields, mapper, settings, context.warnings);
    if (!done) {
        return std::move(done).error();
    }
    return mapper;
}

} // namespace ai_proxy::config
