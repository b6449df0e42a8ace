#pragma once

#include "core/json/reader.h"

#include <string>
#include <string_view>
#include <vector>

// Functions under names that all providers take, and the way back.
namespace ai_proxy::dialect {

// Of functions whose names the provider does not get as they are: what it
// calls them and how calls of them are told.  A member of Caller::echo that is
// no member of an answer.
inline constexpr std::string_view kToolNames = ":tools";

// The name, or of one that is too long its beginning and a hash.
[[nodiscard]] std::string fitting_tool_name(std::string_view name);

// Caller::echo of Messages and Gemini; "": all names fit.
[[nodiscard]] std::string tool_names_echo(json::Node body);

// What a client calls the functions that an answer calls.
class ToolNames {
public:
    explicit ToolNames(std::string_view echo);
    // sent itself, when the client calls it so.
    [[nodiscard]] std::string_view told(std::string_view sent) const noexcept;

private:
    struct Name {
        std::string sent, told;
    };
    std::vector<Name> names_;
};

} // namespace ai_proxy::dialect
