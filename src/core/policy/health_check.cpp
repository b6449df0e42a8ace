#include "core/json/splice.h"

#include "core/policy/health_check.h"

#include "core/json/writer.h"

namespace ai_proxy::policy {

namespace {

std::string question(std::string_view model)
{
    std::string text;
    json::Writer w(text);
    w.begin_object();
    w.field("model", model);
    w.key("messages").begin_array().begin_object();
    w.field("role", "user");
    w.field("content", "Who are you?");
    w.end_object();
    w.end_array();
    w.end_object();
    return text;
}

ClientHead head()
{
    ClientHead made;
    made.method = "POST";
    made.path = "/v1/chat/completions";
    made.content_type = "application/json";
    return made;
}

} // namespace

HealthCheck::HealthCheck(
    const config::Gateway& gateway, uint16_t provider, uint32_t key, Micros now)
    : gateway_(gateway), provider_(provider), key_(key), begin_(now),
      body_(question(gateway.peers[provider].health.model))
{
    route::Target target;
    target.provider = provider;
    target.model = gateway.peers[provider].health.model;
    route_.name = "health check";
    route_.targets.push_back(std::move(target));
    site_.routes.push_back(&route_);
    body_.append(json::kPadding, ' ');
    exchange_ = std::make_unique<Exchange>(gateway_, site_, head(), now);
}

Result<void> HealthCheck::prepare(
    int64_t now_seconds, uint64_t random, std::string_view access_token)
{
    auto received =
        exchange_->receive(body_.data(), body_.size() - json::kPadding);
    if (!received) {
        return received;
    }
    auto attempt = exchange_->make_try(
        route_.targets.front(), key_, now_seconds, random, access_token);
    if (!attempt) {
        return std::move(attempt).error();
    }
    attempt_ = std::move(*attempt);
    return {};
}

provider::Outbound HealthCheck::take_request() noexcept
{
    return std::move(attempt_->outbound);
}

bool HealthCheck::settle(int status, std::string_view content_type,
    std::string_view body, Micros now)
{
    Response& response = *attempt_->response;
    if (status != 0) {
        const Header header{"Content-Type", content_type};
        std::string unused;
        response.head(status, {&header, 1});
        (void)response.feed(body, unused, now);
        (void)response.end(true, unused, now);
        if (status < 400 && response.state() == Response::State::failed) {
            status = response.error().http_status();
        }
    }
    gateway_.keys[provider_].note(
        key_, status, response.retry_after_ms(), begin_, now);
    const route::Peer& peer = gateway_.peers[provider_];
    if (peer.health.only_keys || gateway_.keys[provider_].rules.on.has(status))
    {
        return true;
    }
    const bool good = status >= 200 && status < 300;
    peer.note_check(*peer.state(peer.health.model), good);
    return good;
}

bool has_key_to_check(const route::KeyPool& keys, Micros now) noexcept
{
    for (uint32_t key = 0; key < keys.size(); ++key) {
        if (!keys.available(key, now)) {
            return true;
        }
    }
    return false;
}

uint32_t key_to_check(
    const route::KeyPool& keys, uint64_t turn, Micros now) noexcept
{
    for (uint32_t i = 0; i < keys.size(); ++i) {
        const auto key = static_cast<uint32_t>((turn + i) % keys.size());
        if (!keys.available(key, now)) {
            return key;
        }
    }
    return static_cast<uint32_t>(turn % keys.size());
}

} // namespace ai_proxy::policy
