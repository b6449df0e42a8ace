#pragma once

#include "core/base/result.h"
#include "core/route/path_suffix.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ai_proxy::route {

// What a request's model says about where it goes: the provider in front of
// its first '/', the model for a header, or a model by what is asked.
class ModelRouter {
public:
    PathSuffixes paths;
    std::string key = "model";   // member of the body, part of a form
    std::string provider_header; // "": "provider/model" is not split
    std::string model_header;    // "": none
    std::string auto_model;      // the name that is chosen for, "": none
    std::string auto_default;    // when no rule finds anything; "": none
    std::string auto_header = "x-higress-llm-model";

    // The first rule whose regex is found in the question chooses the model.
    // Errors: the regex.
    [[nodiscard]] Result<void> add_rule(
        const std::string& pattern, std::string model);

    struct Routed {
        std::string model; // "": as it is
        std::vector<std::pair<std::string, std::string>> headers;
    };
    // Must the question be known for this model?
    [[nodiscard]] bool asks(std::string_view model) const noexcept
    {
        return !auto_model.empty() && model == auto_model;
    }
    [[nodiscard]] Routed route(
        std::string_view model, std::string_view question) const;
    // Literal names, for the bounded label set.
    [[nodiscard]] std::vector<std::string_view> names() const;

private:
    struct Pattern;
    struct Rule {
        std::shared_ptr<const Pattern> pattern;
        std::string model;
    };
    [[nodiscard]] std::string choose(std::string_view question) const;

    std::vector<Rule> rules_;
};

} // namespace ai_proxy::route
