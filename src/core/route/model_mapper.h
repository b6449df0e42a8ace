#pragma once

#include "core/route/path_suffix.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ai_proxy::route {

// Model names to model names in the order of Higress' model-mapper: exact,
// then the first prefix ("gpt-*") in alphabetical order of the keys, then "*".
// An empty target or no hit keeps the name.
class ModelMapper {
public:
    PathSuffixes paths;
    std::string key = "model"; // member of the body

    void add(std::string_view from, std::string_view to);
    // "" is a model that is not named: only "*" knows one.
    [[nodiscard]] std::string_view map(std::string_view model) const noexcept;
    // Literal names, for the bounded label set.
    [[nodiscard]] std::vector<std::string_view> names() const;

private:
    std::map<std::string, std::string, std::less<>> exact_;
    std::map<std::string, std::string, std::less<>> prefixes_; // with "*"
    std::optional<std::string> otherwise_;
};

} // namespace ai_proxy::route
