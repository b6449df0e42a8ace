#include "core/provider/claude.h"

#include "core/provider/strict_schema.h"

#include <algorithm>
#include <array>

namespace ai_proxy::provider {
namespace {

// From here on answers may be held to a schema (4.1 is an Opus alone).
constexpr ClaudeVersion kStructuredOutputs{4, 1};
// From here on tools may be strict.
constexpr ClaudeVersion kStrictTools{4, 5};

// Refused by structured outputs with a 400.
constexpr std::array<std::string_view, 13> kRefused{"$schema", "minimum",
    "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    "minLength", "maxLength", "maxItems", "uniqueItems", "minProperties",
    "maxProperties", "additionalProperties"};

bool holds(const auto& names, std::string_view name)
{
    return std::find(names.begin(), names.end(), name) != names.end();
}

void write_map(json::Writer& w, json::Node map)
{
    w.begin_object();
    for (const json::Member member : map.members()) {
        w.key(member.key);
        write_claude_schema(w, member.value);
    }
    w.end_object();
}

void write_list(json::Writer& w, json::Node list)
{
    w.begin_array();
    for (const json::Node one : list.items()) {
        write_claude_schema(w, one);
    }
    w.end_array();
}

bool is_map(std::string_view key)
{
    return key == "properties" || key == "$defs" || key == "definitions";
}

bool is_list(std::string_view key)
{
    return key == "anyOf" || key == "allOf" || key == "oneOf";
}

// All but what closes an object.
void write_members(json::Writer& w, json::Node schema)
{
    for (const json::Member member : schema.members()) {
        const std::string_view key = member.key;
        if (holds(kRefused, key)
            || (key == "minItems" && member.value.integer().value_or(2) > 1))
        {
            continue;
        }
        w.key(key == "oneOf" ? "anyOf" : key);
        if (is_map(key) && member.value.is_object()) {
            write_map(w, member.value);
        } else if (is_list(key) && member.value.is_array()) {
            write_list(w, member.value);
        } else if (key == "items" && member.value.is_object()) {
            write_claude_schema(w, member.value);
        } else {
            w.value(member.value);
        }
    }
}

} // namespace

void write_claude_schema(json::Writer& w, json::Node schema)
{
    if (!schema.is_object()) {
        w.value(schema);
        return;
    }
    w.begin_object();
    write_members(w, schema);
    if (is_object_schema(schema)) {
        w.field("additionalProperties", false);
    }
    w.end_object();
}

bool claude_takes_strict(std::string_view model) noexcept
{
    const auto version = claude_version(model);
    return version && *version >= kStrictTools;
}

bool claude_writes_format(
    const chat::Request& request, const EncodeContext& context)
{
    if (request.format != chat::Format::json_schema
        || !request.schema.is_object()) {
        return false;
    }
    // A name without a version is none of the old ones.
    const auto version = claude_version(context.model);
    const bool takes = !version || *version >= kStructuredOutputs;
    drop_if(context, "response_format", !takes);
    return takes;
}

void write_claude_input_schema(json::Writer& w, json::Node schema, bool strict)
{
    if (!strict && schema["type"].exists()) {
        w.value(schema);
        return;
    }
    w.begin_object();
    if (!schema["type"].exists()) {
        w.field("type", "object");
    }
    if (!schema.is_object()) {
        w.key("properties").begin_object().end_object();
    } else if (strict) {
        write_members(w, schema);
    } else {
        for (const json::Member member : schema.members()) {
            w.field(member.key, member.value);
        }
    }
    if (strict) {
        w.field("additionalProperties", false);
    }
    w.end_object();
}

} // namespace ai_proxy::provider
