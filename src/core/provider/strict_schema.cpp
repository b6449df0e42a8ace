#include "core/provider/strict_schema.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

namespace ai_proxy::provider {
namespace {

// Refused with a 400 whatever they say.
constexpr std::array<std::string_view, 9> kRefused{"allOf", "oneOf", "not",
    "if", "then", "else", "dependentRequired", "dependentSchemas",
    "patternProperties"};

bool requires_all(json::Node schema)
{
    std::vector<std::string_view> required;
    for (const json::Node name : schema["required"].items()) {
        required.push_back(name.string_or());
    }
    std::sort(required.begin(), required.end());
    for (const json::Member property : schema["properties"].members()) {
        if (!std::binary_search(required.begin(), required.end(), property.key))
        {
            return false;
        }
    }
    return true;
}

bool fits_inside(json::Node schema)
{
    if (is_object_schema(schema)
        && (schema["additionalProperties"].boolean() != false
            || !requires_all(schema)))
    {
        return false;
    }
    for (const std::string_view name : kRefused) {
        if (schema[name].exists()) {
            return false;
        }
    }
    for (const std::string_view map : {"properties", "$defs", "definitions"}) {
        for (const json::Member member : schema[map].members()) {
            if (!fits_inside(member.value)) {
                return false;
            }
        }
    }
    for (const json::Node one : schema["anyOf"].items()) {
        if (!fits_inside(one)) {
            return false;
        }
    }
    return !schema["items"].exists() || fits_inside(schema["items"]);
}

} // namespace

bool is_object_schema(json::Node schema)
{
    const json::Node type = schema["type"];
    if (type.is_array()) {
        for (const json::Node one : type.items()) {
            if (one.string_or() == "object") {
                return true;
            }
        }
        return false;
    }
    return type.exists() ? type.string_or() == "object"
                         : schema["properties"].is_object();
}

bool fits_strict(json::Node schema)
{
    return schema["type"].string_or() == "object" && fits_inside(schema);
}

void write_schema_holder(json::Writer& w, json::Node holder,
    std::string_view name, const EncodeContext& context,
    const std::string& path)
{
    const bool loose = holder["strict"].boolean() == true
        && holder[name].is_object() && !fits_strict(holder[name]);
    if (!loose) {
        w.value(holder);
        return;
    }
    context.drop(path + ".strict");
    w.begin_object();
    for (const json::Member member : holder.members()) {
        if (member.key != "strict") {
            w.field(member.key, member.value);
        }
    }
    w.end_object();
}

} // namespace ai_proxy::provider
