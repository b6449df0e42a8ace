#include "core/dialect/request_fault.h"

#include <array>

namespace ai_proxy::dialect {

namespace {

std::string_view kind_of(json::Node node)
{
    if (!node.exists() || node.is_null()) {
        return "null";
    }
    if (node.is_string()) {
        return "a string";
    }
    if (node.is_array()) {
        return "an array";
    }
    if (node.is_object()) {
        return "an object";
    }
    if (node.is_bool()) {
        return "a boolean";
    }
    return node.integer() ? "an integer" : "a number";
}

bool is(Need need, json::Node node)
{
    switch (need) {
    case Need::string:
        return node.is_string();
    case Need::integer:
        return node.integer().has_value();
    case Need::number:
        return node.is_number();
    case Need::boolean:
        return node.is_bool();
    case Need::object:
        return node.is_object();
    case Need::array:
        return node.is_array();
    }
    return false;
}

constexpr std::array<std::string_view, 6> kNeedNames = {
    "a string", "an integer", "a number", "a boolean", "an object", "an array"};

} // namespace

Error fault(std::string message, std::string param, std::string_view code)
{
    Error error = make_error(
        ErrorCode::invalid_request, std::move(message), std::move(param));
    error.provider_code = code;
    return error;
}

Error wrong_type(std::string param, std::string_view expected, json::Node node)
{
    std::string message = "Invalid type for '" + param + "': expected ";
    message += expected;
    message += ", but got ";
    message += kind_of(node);
    message += " instead.";
    return fault(std::move(message), std::move(param), "invalid_type");
}

Error missing(std::string param)
{
    std::string message = "Missing required parameter: '" + param + "'.";
    return fault(
        std::move(message), std::move(param), "missing_required_parameter");
}

Error empty_array(std::string param)
{
    std::string message = "Invalid '" + param
        + "': empty array. Expected an array with minimum length 1, but got "
          "an empty array instead.";
    return fault(std::move(message), std::move(param), "empty_array");
}

std::string Place::text() const
{
    std::string out = parent != nullptr ? parent->text() : std::string();
    if (name.empty()) {
        return out + '[' + std::to_string(index) + ']';
    }
    if (!out.empty()) {
        out += '.';
    }
    return out += name;
}

Result<void> expect(Need need, json::Node node, const Place& place)
{
    if (!is(need, node)) {
        return wrong_type(place.text(), kNeedNames[size_t(need)], node);
    }
    return {};
}

Result<void> require(
    Need need, json::Node object, const Place& place, std::string_view key)
{
    const json::Node node = object[key];
    if (!node.exists()) {
        return missing(place.member(key).text());
    }
    return expect(need, node, place.member(key));
}

Result<void> allow(
    Need need, json::Node object, const Place& place, std::string_view key)
{
    const json::Node node = object[key];
    return node.has_value() ? expect(need, node, place.member(key))
                            : Result<void>{};
}

} // namespace ai_proxy::dialect
