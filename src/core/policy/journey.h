#pragma once

#include "core/async/io.h"
#include "core/policy/exchange.h"
#include "core/policy/leg.h"
#include "core/policy/serve.h"
#include "core/route/route.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ai_proxy::policy {

// One request on its way through the providers: all decisions, no waiting.
class Journey final : private async::Second {
public:
    Journey(Exchange& exchange, async::Io& io);

    // Is there a redis to ask before the first try?
    [[nodiscard]] bool asks_redis() const noexcept;
    [[nodiscard]] uint16_t redis() const noexcept;
    [[nodiscard]] std::vector<redis::Command> commands();
    void take_replies(async::RedisReplies replies);

    [[nodiscard]] uint64_t delay_ms() const noexcept
    {
        return leg_.step().delay_ms;
    }
    // Is there a place to wait for?  Takes those that are free.
    [[nodiscard]] bool wants_place();
    [[nodiscard]] const async::PlaceOp::Wanted& wanted() const noexcept
    {
        return wanted_;
    }
    void take_place(Place place);
    // Does the step go on to a try, now that there is no more place to take?
    [[nodiscard]] bool ready() const noexcept { return !over_ && !refused_; }
    // Forgets a step that was refused.
    void skip() noexcept { refused_ = false; }

    // Must the next try wait for an access token, and whose?
    [[nodiscard]] bool wants_token() const noexcept;
    [[nodiscard]] uint16_t provider() const noexcept
    {
        return leg_.step().target->provider;
    }
    // False: there is none; settled already.
    [[nodiscard]] bool take_token(Result<std::string> token);
    // Must a file of the provider's be fetched first?  Makes the try that does
    // it, and takes what came; false: it did not, settled already.
    [[nodiscard]] bool wants_file() { return exchange_.wants_file(provider()); }
    [[nodiscard]] bool prepare_file();
    [[nodiscard]] bool take_file(const async::TryEnd& end);
    // Makes the next try.  False: it cannot be made here; settled already.
    [[nodiscard]] bool prepare();
    // Does the prepared try become the client's own connection?
    [[nodiscard]] bool upgrades();
    [[nodiscard]] Try& attempt() noexcept { return *attempt_; }
    // Who makes another try beside it, and when; nullptr: nobody.
    [[nodiscard]] async::Second* second() noexcept;
    [[nodiscard]] uint64_t second_ms() const noexcept { return second_ms_; }
    // Takes note of how the tries ended and decides what follows.
    void settle(const async::RaceEnd& race);

    [[nodiscard]] bool over() const noexcept { return over_; }
    [[nodiscard]] Outcome take() noexcept { return std::move(outcome_); }

private:
    Try* make() override;
    void begin(TokenLimits::Admission admission);
    void set_out(const route::Attempts::Step& step);
    // Milliseconds until the route's deadline; nullopt: it has none.
    [[nodiscard]] std::optional<uint64_t> time_left() noexcept;
    void bound(Try& attempt) noexcept;
    [[nodiscard]] async::PlaceOp::Wanted next_wanted();
    void refuse(Error error, bool from_network = false);
    void settle_one(const async::TryEnd& end);
    [[nodiscard]] bool filtered(const async::TryEnd& end) const noexcept;
    void finish(bool committed);
    void break_off(const async::TryEnd& end);
    void go_on(const route::TryResult& result);
    void give_up();

    Exchange& exchange_;
    async::Io& io_;
    route::Attempts attempts_;
    int64_t deadline_ = 0;           // 0: none
    std::vector<Place> site_places_; // as long as the request lives
    Leg leg_;
    std::unique_ptr<Try> attempt_;
    struct Rival {
        Leg leg;
        std::unique_ptr<Try> attempt;
    };
    std::unique_ptr<Rival> rival_; // the second try
    async::PlaceOp::Wanted wanted_;
    std::string access_token_; // of the next try
    Outcome outcome_;
    uint32_t site_rule_ = 0; // whose place is taken next
    uint32_t second_ms_ = 0;
    bool refused_ = false; // the step that was asked for a place
    bool over_ = false;
    // outcome_ is a filtered answer: better than an error.
    bool has_answer_ = false;

    // The failure to report if no try succeeds.
    struct Failure {
        Error error;
        std::vector<Response::Field> headers;
        bool from_network = false;
    };
    std::unique_ptr<Failure> failure_;
};

} // namespace ai_proxy::policy
