#pragma once

#include <string>
#include <string_view>

namespace ai_proxy {

// A key or token.  It has no operator<<, no implicit conversion and no ==, so
// it cannot reach a log or an early-out comparison by accident; the memory is
// wiped when the last copy goes.
class Secret {
public:
    Secret() = default;
    explicit Secret(std::string value) : value_(std::move(value)) {}
    Secret(const Secret&) = default;
    Secret(Secret&&) noexcept = default;
    Secret& operator=(const Secret&);
    Secret& operator=(Secret&&) noexcept;
    ~Secret();

    // The plain text: for building an upstream request, nothing else.
    [[nodiscard]] std::string_view reveal() const noexcept { return value_; }
    [[nodiscard]] bool empty() const noexcept { return value_.empty(); }
    // Constant time in the length of other.
    [[nodiscard]] bool equals(std::string_view other) const noexcept;

private:
    std::string value_;
};

} // namespace ai_proxy
