#pragma once

#include "core/base/result.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ai_proxy::route {

// Model names to model names, immutable after configuration.  Order: exact,
// then the longest prefix ("gpt-3-*"), then regexes in order of configuration
// ("~^gpt-(.*)$" with target "qwen-$1"; PCRE2, searched anywhere, only the
// match is replaced as in features.md 1.3), then "*".  An empty target or no
// hit keeps the name.
class ModelMap {
public:
    ModelMap();
    ~ModelMap();
    ModelMap(ModelMap&&) noexcept;
    ModelMap& operator=(ModelMap&&) noexcept;

    // Errors: duplicate key, bad regex (with PCRE2's words and offset),
    // reference to a group that does not exist.
    [[nodiscard]] Result<void> add(std::string_view from, std::string_view to);
    [[nodiscard]] bool empty() const noexcept;
    [[nodiscard]] std::string map(std::string_view model) const;
    // Literal names in the map, for the bounded label set: keys and targets.
    [[nodiscard]] std::vector<std::string_view> names() const;
    // The names of exact rules that clients may ask for.
    [[nodiscard]] std::vector<std::string_view> exact_names() const;

private:
    struct Rules;
    std::unique_ptr<Rules> rules_;
};

} // namespace ai_proxy::route
