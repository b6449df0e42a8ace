#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ai_proxy::route {

// The paths that a plugin looks at, by how they end.
class PathSuffixes {
public:
    // Those of the APIs that name a model in their body.
    PathSuffixes();

    // "*": every path.
    void replace(std::vector<std::string> suffixes, bool star);
    // path: without query.
    [[nodiscard]] bool cover(std::string_view path) const noexcept;

private:
    std::vector<std::string> suffixes_;
    bool all_ = false;
};

} // namespace ai_proxy::route
