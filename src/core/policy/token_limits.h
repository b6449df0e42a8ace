#pragma once

#include "core/async/io.h"
#include "core/base/error.h"
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
    TokenLimits(const std::vector<limit::Rule>& rules, int64_t prompt,
        std::optional<int64_t> bound);

    struct Refusal {
        Error error;
        std::vector<Response::Field> headers;
    };
    // Takes from every budget, or from none: the refusal.
    [[nodiscard]] std::optional<Refusal> admit(async::Io& io);

    // So much of the answer has been said so far.
    void debit(limit::Counters& counters, int64_t said) noexcept;
    // The request is over; once.
    void settle(limit::Counters& counters, const Books& books) noexcept;

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
    };

    [[nodiscard]] int64_t needed(const limit::Rule& rule) const noexcept;
    [[nodiscard]] static int64_t counted(
        const limit::Rule& rule, int64_t prompt, int64_t answer) noexcept;
    [[nodiscard]] Refusal refuse(
        const Held& held, const limit::Taken& taken) const;
    void give_back(limit::Counters& counters) noexcept;
    void charge(limit::Counters& counters, Held& held, int64_t amount) noexcept;

    const std::vector<limit::Rule>& rules_;
    int64_t prompt_;
    std::optional<int64_t> bound_;
    int64_t said_ = 0;
    std::vector<Held> held_;
    LimitStatus status_ = LimitStatus::none;
    bool settled_ = false;
};

} // namespace ai_proxy::policy
