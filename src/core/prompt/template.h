#pragma once

#include "core/base/result.h"
#include "core/json/reader.h"

#include <string>
#include <string_view>
#include <vector>

namespace ai_proxy::prompt {

// The body of a request with places for properties, "{{name}}": inside a
// string for text, outside for any value.
class Template {
public:
    // text: JSON but for the places.  Error: a phrase for the configuration
    // log.
    static Result<Template> compile(
        std::string_view name, std::string_view text);

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    // The body.  Inside a string a place without a property stays as it is;
    // outside it is an error.
    [[nodiscard]] Result<std::string> fill(json::Node properties) const;

private:
    struct Piece {
        std::string text; // literally, or the name of a property
        bool is_place = false;
        bool in_string = false;
    };

    [[nodiscard]] std::string sample() const;

    std::string name_;
    std::vector<Piece> pieces_;
};

using Templates = std::vector<Template>;

// Does a body ask for a template: {"template":NAME,"properties":{...}}?
[[nodiscard]] bool asks_for_template(json::Node body) noexcept;
// Is the template that it asks for one of these?
[[nodiscard]] bool holds_template(
    const Templates& templates, json::Node body) noexcept;
// The body that it asks for.  Error invalid_request: no such template.
[[nodiscard]] Result<std::string> fill_template(
    const Templates& templates, json::Node body);

} // namespace ai_proxy::prompt
