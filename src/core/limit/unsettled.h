#pragma once

#include "core/limit/token_scripts.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace ai_proxy::limit {

// What requests of this worker used more or less of their budgets in Redis
// than they had taken.  It goes along with the worker's next take from the
// same budget, one script instead of two, or by itself soon after.
class Unsettled {
public:
    // The rule and the scripts are kept for as long as it is not sent.
    void add(const TokenScripts& scripts, const Rule& rule,
        std::string_view key, int64_t difference, int64_t stamp);
    // Of one budget, for a command that is sent now; nothing is left of it.
    // None as long as the command may find no room.
    [[nodiscard]] Corrections claim(const Rule& rule, std::string_view key);

    // What is left; what there is no room for is kept.
    void send_all();
    [[nodiscard]] size_t budgets() const noexcept { return debts_.size(); }

protected:
    ~Unsettled() = default;

private:
    // There is something to be sent now, so many budgets.
    virtual void grown(size_t budgets) noexcept = 0;
    // redis: index in Gateway::redis.
    [[nodiscard]] virtual bool has_room(uint16_t redis) const noexcept = 0;
    // False: its queue is full.
    [[nodiscard]] virtual bool send(uint16_t redis, redis::Command command) = 0;

    struct Debt {
        const TokenScripts* scripts;
        const Rule* rule;
        std::string key;
        Corrections corrections;
    };
    std::unordered_map<std::string, Debt> debts_; // by where Redis counts
};

} // namespace ai_proxy::limit
