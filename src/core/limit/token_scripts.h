#pragma once

#include "core/limit/rule.h"
#include "core/redis/command.h"
#include "core/redis/reply.h"

#include <optional>
#include <string>
#include <vector>

// Token budgets that several machines share: the windows of window.h, kept in
// Redis and moved by its clock.
namespace ai_proxy::limit {

// What a request used more (or less, negative) than it had taken.
struct Correction {
    int64_t difference;
    int64_t stamp; // of the take; 0: of what was spent last
};
using Corrections = std::vector<Correction>;

class TokenScripts {
public:
    TokenScripts();

    // What take() of window.h does; corrections of the same budget are made
    // before.
    [[nodiscard]] redis::Command take(const Rule& rule, std::string_view key,
        uint64_t amount, bool force, const Corrections& before) const;
    // nullopt: the reply is no such answer.
    [[nodiscard]] static std::optional<Taken> taken(
        const Rule& rule, const redis::Reply& reply);
    // What settle() does.
    [[nodiscard]] redis::Command settle(const Rule& rule, std::string_view key,
        const Corrections& corrections) const;

private:
    redis::Script count_;
};

// Where Redis counts: "ai_proxy_token_limit:NAME:ID:KEY".
[[nodiscard]] std::string redis_key(const Rule& rule, std::string_view key);

} // namespace ai_proxy::limit
