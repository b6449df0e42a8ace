#pragma once

#include "core/config/gateway.h"
#include "core/policy/exchange.h"

#include <memory>
#include <string>
#include <string_view>

namespace ai_proxy::policy {

// A question that a provider is asked to see whether it answers: a short chat
// with the model of its health_check.
class HealthCheck {
public:
    // provider: index; key: of its pool.
    HealthCheck(const config::Gateway& gateway, uint16_t provider, uint32_t key,
        Micros now);

    // Makes the request.  Errors: the provider cannot be asked such.
    [[nodiscard]] Result<void> prepare(
        int64_t now_seconds, uint64_t random, std::string_view access_token);
    [[nodiscard]] provider::Outbound take_request() noexcept;
    [[nodiscard]] uint16_t provider() const noexcept { return provider_; }

    // Takes the answer, status 0 when there was no whole one: what it says of
    // the key and of the provider goes to those who keep count.  A key that is
    // refused says nothing of the provider.  True: the provider is well.
    bool settle(int status, std::string_view content_type,
        std::string_view body, Micros now);

private:
    const config::Gateway& gateway_;
    uint16_t provider_;
    uint32_t key_;
    Micros begin_;
    config::Site site_;
    route::Route route_;
    std::string body_;
    std::unique_ptr<Exchange> exchange_;
    std::unique_ptr<Try> attempt_;
};

// Is one of them away?
[[nodiscard]] bool has_key_to_check(
    const route::KeyPool& keys, Micros now) noexcept;
// The key that the next check uses: one that is away first, for it may be
// back; else one after the other.
[[nodiscard]] uint32_t key_to_check(
    const route::KeyPool& keys, uint64_t turn, Micros now) noexcept;

} // namespace ai_proxy::policy
