#pragma once

#include "core/async/io.h"
#include "core/base/error.h"
#include "core/config/gateway.h"
#include "core/limit/rule.h"
#include "core/policy/books.h"
#include "core/policy/meter.h"
#include "core/policy/response.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ai_proxy::policy {

// A request's way through the token limits of its location, each of which
// counts tokens or what they cost in 10^-6 dollars: what it will need
// is taken beforehand, what it says is debited while it runs, and at the end
// the budgets are charged what the provider counted.
class TokenLimits final : public Meter {
public:
    // prompt: estimated tokens; bound: most that the answer may have, as the
    // request says, nullopt: it does not.  The rules outlive this.
    TokenLimits(const config::Gateway& gateway,
        const std::vector<limit::Rule>& rules, int64_t prompt,
        std::optional<int64_t> bound);

    // Of the model that is asked, or will be; nullptr: it costs nothing.
    void set_price(const usage::Price* price) noexcept { price_ = price; }
    // Does a limit count what the request costs?
    [[nodiscard]] bool counts_cost() const noexcept;
    // What the answer is taken to need, as a cost.
    [[nodiscard]] int64_t likely_cost(const usage::Price& price) const noexcept;

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
    [[nodiscard]] std::vector<redis::Command> commands();
    [[nodiscard]] Admission take(async::Io& io, async::RedisReplies replies);

    // So much of the answer has been said so far.
    void debit(async::Io& io, int64_t said);
    // So much has the provider counted so far.
    void debit(async::Io& io, const chat::Usage& usage);
    // The same of a stream that a spent budget ends, once this is false.
    [[nodiscard]] bool goes_on(int64_t said) override;
    [[nodiscard]] int64_t prompt() const noexcept override { return prompt_; }
    // Is there such a budget?
    [[nodiscard]] bool may_end() const noexcept;
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
        int64_t debited = 0; // of it after the first take
        // What may be taken in all; known once the budget is spent.
        int64_t most = INT64_MAX;
        bool over = false;  // it passed although the budget was spent
        bool ended = false; // its stream was ended
    };

    [[nodiscard]] bool is_free(const limit::Rule& rule) const noexcept;
    [[nodiscard]] int64_t needed(const limit::Rule& rule) const noexcept;
    [[nodiscard]] int64_t counted(
        const limit::Rule& rule, const chat::Usage& usage) const noexcept;
    [[nodiscard]] int64_t counted(
        const limit::Rule& rule, int64_t answer) const noexcept;
    // What came of asking; nullopt: go on.
    [[nodiscard]] Admission note(
        async::Io& io, Held held, const limit::Taken& taken);
    [[nodiscard]] Admission take_from_zone(async::Io& io, Held held);
    [[nodiscard]] Admission without_redis(
        async::Io& io, std::vector<Held> asked, const Error& error);
    [[nodiscard]] Admission refuse(
        async::Io& io, const Held& held, const limit::Taken& taken);
    [[nodiscard]] redis::TakeBack take_back(const Held& held) const;
    static void bound(Held& held) noexcept;
    void give_back(async::Io& io);
    void charge(async::Io& io, Held& held, int64_t amount, bool last);
    void correct(async::Io& io, Held& held, int64_t difference, int64_t stamp,
        bool last);

    const config::Gateway& gateway_;
    const std::vector<limit::Rule>& rules_;
    int64_t prompt_;
    std::optional<int64_t> bound_;
    const usage::Price* price_ = nullptr;
    int64_t said_ = 0;
    std::vector<Held> held_;
    std::vector<Held> waiting_; // for Redis to be asked
    async::Io* io_ = nullptr;   // since it was let in
    LimitStatus status_ = LimitStatus::none;
    bool settled_ = false;
};

} // namespace ai_proxy::policy
