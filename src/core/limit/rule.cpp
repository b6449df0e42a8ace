#include "core/limit/rule.h"

#include "core/base/hash.h"
#include "core/base/random.h"

namespace ai_proxy::limit {

uint64_t rule_id(const Rule& rule) noexcept
{
    constexpr unsigned char kEnd = 0xff;
    const std::string budget = std::to_string(rule.budget.amount) + '/'
        + std::to_string(rule.budget.window_ms) + '/'
        + std::to_string(static_cast<int>(rule.budget.algorithm)) + '/'
        + std::to_string(static_cast<int>(rule.count));
    uint64_t hash = Fnv1a()
                        .add(rule.key)
                        .add(kEnd)
                        .add(rule.name)
                        .add(kEnd)
                        .add(budget)
                        .value();
    return mix(hash);
}

} // namespace ai_proxy::limit
