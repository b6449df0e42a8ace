#pragma once

#include "core/base/result.h"
#include "core/json/reader.h"

#include <cstdint>
#include <string>
#include <string_view>

// Faults of a request in OpenAI's own words: clients and their tests know
// them.
namespace ai_proxy::dialect {

// Error invalid_request; code is what OpenAI says in error.code.
[[nodiscard]] Error fault(
    std::string message, std::string param, std::string_view code);
[[nodiscard]] Error wrong_type(
    std::string param, std::string_view expected, json::Node node);
[[nodiscard]] Error missing(std::string param);
[[nodiscard]] Error empty_array(std::string param);

// Where a check is in the document; the text is only made for an error.
struct Place {
    const Place* parent = nullptr;
    std::string_view name = {};
    size_t index = 0;

    [[nodiscard]] Place operator[](size_t i) const { return {this, {}, i}; }
    [[nodiscard]] Place member(std::string_view key) const
    {
        return {this, key, 0};
    }
    [[nodiscard]] std::string text() const; // "messages[2].content"
};

enum class Need : uint8_t { string, integer, number, boolean, object, array };

// The value has the type.
[[nodiscard]] Result<void> expect(
    Need need, json::Node node, const Place& place);
// The member is there and has the type.
[[nodiscard]] Result<void> require(
    Need need, json::Node object, const Place& place, std::string_view key);
// The member has the type, is null, or is not there.
[[nodiscard]] Result<void> allow(
    Need need, json::Node object, const Place& place, std::string_view key);

} // namespace ai_proxy::dialect
