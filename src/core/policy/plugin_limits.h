#pragma once

#include "core/async/io.h"
#include "core/async/task.h"
#include "core/config/gateway.h"
#include "core/limit/key_rules.h"
#include "core/limit/scripts.h"
#include "core/policy/books.h"
#include "core/policy/exchange.h"
#include "core/policy/serve.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ai_proxy::policy {

// What rules of plugins look at, once a request's route is known: its service
// is the route's first provider.
[[nodiscard]] config::Subject subject_of(const config::Gateway& gateway,
    const config::Site& site, const route::Route& route, std::string_view host);

// What Higress' ai-quota, ai-token-ratelimit and cluster-key-rate-limit have to
// say of a request, in this order, as Higress does (features.md 5 to 7): their
// keys, their counts, and their answers, which are plain text.
class PluginLimits {
public:
    // nullptr: none of them holds.  uses_tokens: or only requests count.
    [[nodiscard]] static std::unique_ptr<PluginLimits> find(
        const config::Gateway& gateway, const config::Plugins& plugins,
        const config::Subject& subject, const limit::KeyFacts& facts,
        bool uses_tokens);

    // Is there a redis to ask?
    [[nodiscard]] bool asks() const noexcept { return step_ != Step::over; }
    [[nodiscard]] uint16_t redis() const noexcept;
    [[nodiscard]] std::vector<redis::Command> commands() const;
    void take(const async::RedisReplies& replies);

    // When none is left to ask: who was turned away, and how.
    struct Refusal {
        ErrorCode code;
        Reply reply;
    };
    [[nodiscard]] std::optional<Refusal> take_refusal() noexcept
    {
        return std::move(refusal_);
    }

    // The request is over; once.  Charges what a provider counted.
    void settle(async::Io& io, const Books& books);

    // Of tokens.
    [[nodiscard]] LimitStatus status() const noexcept { return status_; }
    // Of an answer that was let through.
    void add_headers(std::vector<Response::Field>& headers) const;

private:
    enum class Step : uint8_t { quota, tokens, requests, over };

    explicit PluginLimits(const config::Gateway& gateway) : gateway_(gateway) {}
    // The next one that has something to ask.
    void go_on(Step step) noexcept;
    void refuse(ErrorCode code, int status, std::string body);
    void refuse(ErrorCode code, const config::KeyLimit& plugin,
        const limit::WindowCount& count, std::string_view reset);
    void take_quota(const async::RedisReplies& replies);
    void take_tokens(const std::optional<limit::WindowCount>& count);
    void take_requests(const std::optional<limit::WindowCount>& count);

    // A plugin and where it counts.
    struct Counting {
        const config::KeyLimit* plugin = nullptr;
        limit::KeyCounter counter; // its key with the prefix
    };
    [[nodiscard]] static Counting counting(const config::KeyLimit* plugin,
        std::string_view prefix, const limit::KeyFacts& facts);

    const config::Gateway& gateway_;
    Step step_ = Step::over;
    const config::Quota* quota_ = nullptr;
    std::string quota_key_;
    Counting tokens_, requests_;
    LimitStatus status_ = LimitStatus::none;
    std::optional<Refusal> refusal_;
    std::vector<Response::Field> headers_;
    bool settled_ = false;
};

// Asks them; the refusal of the first that has one.
[[nodiscard]] async::Task<std::optional<Outcome>> limit_by_plugins(
    async::Scope& scope, Exchange& exchange);

} // namespace ai_proxy::policy
