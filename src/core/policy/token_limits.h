#pragma once

#include "core/async/io.h"
#include "core/base/error.h"
#include "core/config/gateway.h"
#include "core/limit/rule.h"
#include "core/policy/books.h"
#include "core/policy/response.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ai_proxy::policy {

// A request's way through the token limits of its location: what it will need
// is taken beforehand, what it says is debited while it runs, and at the end
// the budgets are charged what the provider counted.
class TokenLimits {
public:
    // prompt: estimated tokens; bound: most that the answer may have, as the
    // request says, nullopt: it does not.  The rules outlive this.
    TokenLimits(const config::Gateway& gateway,
        const std::vector<limit::Rule>& rules, int64_t prompt,
        std::optional<int64_t> bound);

    struct Refusal {
        Error error;
        std::vector<Response::Field> headers;
    };
    using Admission = std::optional<Refusal>; // nullopt: go on

    // Takes from every budget in the zone, or from none.
    [[nodiscard]] Admission admit(async::Io& io);
    // Then from those in Redis, as long as there is a redis to ask.
    [[nodiscard]] bool asks_redis() const noexcept { return !waiting_.empty(); }
    [[nodiscard]] uint16_t redis() const noexcept;
    [[nodiscard]] std::vector<redis::Command> commands() const;
    [[nodiscard]] Admission take(async::Io& io, async::RedisReplies replies);

    // So much of the answer has been said so far.
    void debit(async::Io& io, int64_t said);
    // The request is over; once.
    void settle(async::Io& io, const Books& books);

    [[nodiscard]] LimitStatus status() const noexcept { return status_; }
    // x-ratelimit-*-tokens of the budget that is nearest to its end.
    void add_headers(std::vector<Response::Field>& headers) const;

private:
    struct Held {
        const limit::Rule* rule;
        std::string key;
        int64_t stamp;
        int64_t taken; // in all
        limit::Level level;
        bool in_redis;
    };

    [[nodiscard]] int64_t needed(const limit::Rule& rule) const noexcept;
    [[nodiscard]] static int64_t counted(
        const limit::Rule& rule, int64_t prompt, int64_t answer) noexcept;
    // What came of asking; nullopt: go on.
    [[nodiscard]] Admission note(
        async::Io& io, Held held, const limit::Taken& taken);
    [[nodiscard]] Admission take_from_zone(async::Io& io, Held held);
    [[nodiscard]] Admission without_redis(
        async::Io& io, std::vector<Held> asked, const Error& error);
    [[nodiscard]] Admission refuse(
        async::Io& io, const Held& held, const limit::Taken& taken);
    void give_back(async::Io& io);
    void charge(async::Io& io, Held& held, int64_t amount);

    const config::Gateway& gateway_;
    const std::vector<limit::Rule>& rules_;
    int64_t prompt_;
    std::optional<int64_t> bound_;
    int64_t said_ = 0;
    std::vector<Held> held_;
    std::vector<Held> waiting_; // for Redis to be asked
    LimitStatus status_ = LimitStatus::none;
    bool settled_ = false;
};

} // namespace ai_proxy::policy
