#include "core/provider/gemini.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace ai_proxy::provider {
namespace {

using json::Member;
using json::Node;

// References inside of references, and the size they may unfold to.
constexpr size_t kMaxReferences = 32;
constexpr size_t kMaxUnfolded = 10'000;

// Copied as they are; the others need care or have no counterpart.
constexpr std::array<std::string_view, 15> kCopied{"title", "description",
    "default", "example", "pattern", "minimum", "maximum", "minLength",
    "maxLength", "minItems", "maxItems", "minProperties", "maxProperties",
    "nullable", "propertyOrdering"};

// Keywords whose loss would change what a value may be.
constexpr std::array<std::string_view, 12> kBeyond{"prefixItems",
    "patternProperties", "propertyNames", "not", "if", "then", "else",
    "contains", "dependentSchemas", "dependentRequired",
    "unevaluatedProperties", "$dynamicRef"};

bool holds(const auto& names, std::string_view name)
{
    return std::find(names.begin(), names.end(), name) != names.end();
}

// Keywords that cannot stand around a union that must stand alone.
constexpr std::array<std::string_view, 16> kNotBesideUnion{"type", "properties",
    "items", "enum", "const", "required", "format", "pattern", "minimum",
    "maximum", "minLength", "maxLength", "minItems", "maxItems",
    "minProperties", "maxProperties"};

bool is_null_schema(Node schema)
{
    return schema["type"].string_or() == "null";
}

// The one type of "type": ["string", "null"]; "" when there are several.
std::string_view only_type(Node types, bool& nullable)
{
    std::string_view only;
    for (const Node type : types.items()) {
        const std::string_view name = type.string_or();
        if (name == "null") {
            nullable = true;
        } else if (only.empty()) {
            only = name;
        } else {
            return {};
        }
    }
    return only;
}

// "#/$defs/Node" -> the schema there; missing when it is not in the document.
Node resolve(Node root, std::string_view reference)
{
    if (!reference.starts_with('#')) {
        return {};
    }
    Node at = root;
    reference.remove_prefix(1);
    while (!reference.empty()) {
        reference.remove_prefix(1); // '/'
        const size_t end = std::min(reference.find('/'), reference.size());
        std::string name(reference.substr(0, end));
        for (size_t i = 0; (i = name.find('~', i)) != std::string::npos; i++) {
            const bool tilde = name.compare(i, 2, "~0") == 0;
            name.replace(i, 2, tilde ? "~" : "/");
        }
        at = at[name];
        reference.remove_prefix(end);
    }
    return at;
}

// The alternatives that a schema comes down to, behind references and lists
// of one, and what is said around them.
struct Union {
    Node list; // missing: it is none
    std::string_view description;
    bool nullable = false;
    bool alone = true;
};

// The list of two and more; next: the only one of a list of one.
Node alternatives_of(Node schema, Union& found, Node& next)
{
    Node several;
    for (const std::string_view key : {"anyOf", "oneOf", "allOf"}) {
        size_t real = 0;
        Node last;
        for (const Node one : schema[key].items()) {
            const bool null = is_null_schema(one);
            found.nullable = found.nullable || null;
            real += null ? 0 : 1;
            last = null ? last : one;
        }
        if (real > 0) {
            found.alone = found.alone && !several.exists() && !next.exists();
        }
        if (real > 1) {
            several = schema[key];
        } else if (real == 1) {
            next = last;
        }
    }
    return several;
}

// schema's references must have been seen to end.
Union find_union(Node root, Node schema)
{
    Union found;
    while (schema.is_object()) {
        if (found.description.empty()) {
            found.description = schema["description"].string_or();
        }
        found.nullable =
            found.nullable || schema["nullable"].boolean().value_or(false);
        Node next;
        if (schema["$ref"].exists()) {
            next = resolve(root, schema["$ref"].string_or());
        } else {
            for (const Member member : schema.members()) {
                found.alone =
                    found.alone && !holds(kNotBesideUnion, member.key);
            }
            found.list = alternatives_of(schema, found, next);
            if (found.list.exists()) {
                return found;
            }
        }
        schema = next;
    }
    return found;
}

// Walks a schema to see whether it fits.
class Judge {
public:
    Judge(Node root, bool union_alone) : root_(root), union_alone_(union_alone)
    {
    }
    bool fits(Node schema);

private:
    bool fits_inside(Node schema);
    bool fits_all(Node list);
    bool fits_reference(Node schema);

    Node root_;
    bool union_alone_;
    std::vector<std::string_view> path_; // references being followed
    size_t seen_ = 0;
};

bool Judge::fits_all(Node list)
{
    for (const Node one : list.items()) {
        if (!fits(one)) {
            return false;
        }
    }
    return true;
}

bool Judge::fits_reference(Node schema)
{
    const std::string_view reference = schema["$ref"].string_or();
    if (path_.size() >= kMaxReferences || holds(path_, reference)) {
        return false;
    }
    const Node target = resolve(root_, reference);
    if (!target.is_object()) {
        return false;
    }
    path_.push_back(reference);
    const bool ok = fits(target);
    path_.pop_back();
    return ok;
}

bool Judge::fits(Node schema)
{
    if (!fits_inside(schema)) {
        return false;
    }
    const Union found = union_alone_ ? find_union(root_, schema) : Union();
    return !found.list.exists() || found.alone;
}

bool Judge::fits_inside(Node schema)
{
    if (!schema.is_object() || ++seen_ > kMaxUnfolded) {
        return false;
    }
    if (schema["$ref"].exists()) {
        return fits_reference(schema);
    }
    if (schema["type"].is_array()) {
        bool nullable = false;
        if (only_type(schema["type"], nullable).empty()) {
            return false;
        }
    }
    for (const Member member : schema.members()) {
        if (holds(kBeyond, member.key)) {
            return false;
        }
    }
    // Enumerations hold strings.
    if (schema["const"].exists() && !schema["const"].is_string()) {
        return false;
    }
    for (const Node value : schema["enum"].items()) {
        if (!value.is_string() && !value.is_null()) {
            return false;
        }
    }
    // A map: its keys are not known, the subset cannot say that.
    if (schema["additionalProperties"].is_object()) {
        return false;
    }
    if (schema["allOf"].size() > 1) {
        return false;
    }
    for (const Member member : schema["properties"].members()) {
        if (!fits(member.value)) {
            return false;
        }
    }
    if (schema["items"].exists() && !fits(schema["items"])) {
        return false;
    }
    return fits_all(schema["anyOf"]) && fits_all(schema["oneOf"])
        && fits_all(schema["allOf"]);
}

// Writes a schema that fits.  One object of the output may gather the keywords
// of several schemas (a reference and its target, anyOf and its only
// alternative): the outermost wins.
class Subset {
public:
    Subset(json::Writer& w, Node root, bool union_alone)
        : w_(w), root_(root), union_alone_(union_alone)
    {
    }
    // description, nullable: what was said around it.
    void write(
        Node schema, std::string_view description = {}, bool nullable = false);

private:
    void write_union(const Union& found);
    struct Members {
        std::vector<std::string_view> written;
        bool nullable = false;
    };
    bool claim(Members& members, std::string_view key);
    void gather(Node schema, Members& members);
    void copy(Node schema, Members& members);
    void type(Node schema, Members& members);
    void values(Node schema, Members& members);
    void format(Node schema, Members& members);
    void properties(Node schema, Members& members);
    void required(Node schema, Members& members);
    bool alternatives(Node list, Members& members);

    json::Writer& w_;
    Node root_;
    bool union_alone_;
};

// Writes the key unless it is there.
bool Subset::claim(Members& members, std::string_view key)
{
    if (holds(members.written, key)) {
        return false;
    }
    members.written.push_back(key);
    w_.key(key);
    return true;
}

void Subset::copy(Node schema, Members& members)
{
    for (const Member member : schema.members()) {
        if (holds(kCopied, member.key) && claim(members, member.key)) {
            w_.value(member.value);
        }
    }
}

void Subset::type(Node schema, Members& members)
{
    const Node type = schema["type"];
    std::string_view name = type.string_or();
    if (type.is_array()) {
        name = only_type(type, members.nullable);
    } else if (name.empty() && schema["properties"].is_object()) {
        name = "object";
    } else if (name.empty()
        && (schema["enum"].is_array() || schema["const"].is_string()))
    {
        name = "string";
    }
    if (!name.empty() && claim(members, "type")) {
        w_.string(name);
    }
}

void Subset::values(Node schema, Members& members)
{
    const Node list = schema["enum"];
    for (const Node value : list.items()) {
        members.nullable = members.nullable || value.is_null();
    }
    if (!schema["const"].is_string() && list.size() == 0) {
        return;
    }
    if (!claim(members, "enum")) {
        return;
    }
    w_.begin_array();
    if (schema["const"].is_string()) {
        w_.string(schema["const"].string_or());
    } else {
        for (const Node value : list.items()) {
            if (value.is_string()) {
                w_.string(value.string_or());
            }
        }
    }
    w_.end_array();
}

void Subset::format(Node schema, Members& members)
{
    constexpr std::array<std::string_view, 6> known{
        "date-time", "enum", "int32", "int64", "float", "double"};
    const std::string_view format = schema["format"].string_or();
    if (holds(known, format) && claim(members, "format")) {
        w_.string(format);
    }
}

void Subset::properties(Node schema, Members& members)
{
    if (schema["properties"].size() == 0 || !claim(members, "properties")) {
        return;
    }
    w_.begin_object();
    for (const Member member : schema["properties"].members()) {
        w_.key(member.key);
        write(member.value);
    }
    w_.end_object();
}

// Only what is a property may be required.
void Subset::required(Node schema, Members& members)
{
    const Node names = schema["required"];
    const auto is_property = [&schema](Node name) {
        return schema["properties"][name.string_or()].exists();
    };
    bool any = false;
    for (const Node name : names.items()) {
        any = any || is_property(name);
    }
    if (!any || !claim(members, "required")) {
        return;
    }
    w_.begin_array();
    for (const Node name : names.items()) {
        if (is_property(name)) {
            w_.string(name.string_or());
        }
    }
    w_.end_array();
}

// anyOf without its null alternative.  False when only one is left: the
// caller gathers that one in place.
bool Subset::alternatives(Node list, Members& members)
{
    size_t real = 0;
    for (const Node one : list.items()) {
        if (is_null_schema(one)) {
            members.nullable = true;
        } else {
            real++;
        }
    }
    if (real < 2 || !claim(members, "anyOf")) {
        return false;
    }
    w_.begin_array();
    for (const Node one : list.items()) {
        if (!is_null_schema(one)) {
            write(one);
        }
    }
    w_.end_array();
    return true;
}

void Subset::gather(Node schema, Members& members)
{
    copy(schema, members);
    if (schema["$ref"].exists()) {
        gather(resolve(root_, schema["$ref"].string_or()), members);
        return;
    }
    for (const std::string_view key : {"anyOf", "oneOf", "allOf"}) {
        const Node list = schema[key];
        if (list.is_array() && !alternatives(list, members)) {
            for (const Node one : list.items()) {
                if (!is_null_schema(one)) {
                    gather(one, members);
                }
            }
        }
    }
    type(schema, members);
    values(schema, members);
    format(schema, members);
    properties(schema, members);
    required(schema, members);
    if (schema["items"].is_object() && claim(members, "items")) {
        write(schema["items"]);
    }
}

void Subset::write_union(const Union& found)
{
    // Once is enough: it may be long, and the alternatives many.
    std::string_view description = found.description;
    w_.begin_object().key("anyOf").begin_array();
    for (const Node one : found.list.items()) {
        if (!is_null_schema(one)) {
            write(one, description, found.nullable);
            description = {};
        }
    }
    w_.end_array().end_object();
}

void Subset::write(Node schema, std::string_view description, bool nullable)
{
    if (union_alone_) {
        Union found = find_union(root_, schema);
        if (found.list.exists()) {
            found.nullable = found.nullable || nullable;
            if (found.description.empty()) {
                found.description = description;
            }
            write_union(found);
            return;
        }
    }
    Members members;
    members.nullable = nullable;
    w_.begin_object();
    gather(schema, members);
    if (!description.empty() && claim(members, "description")) {
        w_.string(description);
    }
    if (members.nullable && claim(members, "nullable")) {
        w_.boolean(true);
    }
    w_.end_object();
}

} // namespace

bool fits_gemini_schema(json::Node schema, bool union_alone)
{
    return Judge(schema, union_alone).fits(schema);
}

void write_gemini_schema(json::Writer& w, json::Node schema, bool union_alone)
{
    Subset(w, schema, union_alone).write(schema);
}

void write_gemini_json_schema(json::Writer& w, json::Node schema)
{
    w.begin_object();
    for (const Member member : schema.members()) {
        if (member.key != "$schema") {
            w.field(member.key, member.value);
        }
    }
    w.end_object();
}

} // namespace ai_proxy::provider
