#pragma once

#include <cstdint>

namespace ai_proxy::policy {

// Who watches over what an answer uses while it streams.
class Meter {
public:
    // So many tokens have been said; false: the answer ends here.
    [[nodiscard]] virtual bool goes_on(int64_t said) = 0;
    // Of the question, estimated.
    [[nodiscard]] virtual int64_t prompt() const noexcept = 0;

protected:
    ~Meter() = default;
};

} // namespace ai_proxy::policy
