#pragma once

#include "core/base/regex.h"
#include "core/base/result.h"
#include "core/prompt/template.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// What an operator wants put into the prompts of all clients, whatever dialect
// they speak, and what they may not say.
namespace ai_proxy::prompt {

// A text of the configuration.
struct Text {
    std::string text;
    // Its number, when it has variables, for who knows them.
    std::optional<uint32_t> value;
    bool geo = false; // has "${geo-city}" and its like
};

// Resolves what has variables, for one request.
class Values {
public:
    [[nodiscard]] virtual std::string text(uint32_t value) = 0;
    // By its name; "": nobody knows it.
    [[nodiscard]] virtual std::string variable(std::string_view name) = 0;

protected:
    ~Values() = default;
};

// A message before or behind those of the client.
struct Added {
    std::string role;
    Text content;
};

// A text that is replaced in messages.
struct Replacement {
    std::string role; // of the messages, "" for any
    std::string pattern, with;
    std::optional<Regex> regex; // else pattern is meant literally
};

struct Decorations {
    std::vector<Added> prepend, append;
    std::vector<Replacement> replace;

    [[nodiscard]] bool empty() const noexcept
    {
        return prepend.empty() && append.empty() && replace.empty();
    }
};

struct Rules {
    Templates templates;
    Decorations decorations;
};

// A text with the words in which Higress names where a client is:
// "${geo-country}", "${geo-province}", "${geo-city}", "${geo-isp}".
[[nodiscard]] Text geo_text(std::string text);
// nullopt: one of them is not known.
[[nodiscard]] std::optional<std::string> resolve(
    const Text& text, Values& values);

// Lines of the configuration, without the directive's name.  Errors are
// phrases for the configuration log.
// ROLE TEXT
[[nodiscard]] Result<Added> read_added(
    std::string_view role, std::string_view text);
// PATTERN REPLACEMENT; role "" for any.
[[nodiscard]] Result<Replacement> read_replacement(std::string_view pattern,
    std::string_view with, std::string_view role, bool regex);

} // namespace ai_proxy::prompt
