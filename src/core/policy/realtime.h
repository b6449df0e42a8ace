#pragma once

#include "core/chat/usage.h"
#include "core/provider/registry.h"
#include "core/wire/websocket.h"

#include <string>
#include <string_view>

// The handshake of OpenAI's realtime API, a WebSocket (RFC 6455): what of the
// client's goes on to the provider.  Frames pass untouched.
namespace ai_proxy::policy {

struct ClientHead;

// The model that the query names, decoded; "" for none.
[[nodiscard]] std::string realtime_model(std::string_view query);
// The query without the model; the credentials that it may hold end here too.
[[nodiscard]] std::string realtime_query(std::string_view query);
// Names the model the way the provider's path wants it.
void add_realtime_model(const provider::Options& options,
    std::string_view model, std::string& path);
// The handshake's fields.  own_key: the provider has a key, a browser's key
// among the subprotocols stays here.
void add_handshake(
    const ClientHead& head, bool own_key, provider::Outbound& out);

// The frame that ends a session whose gateway has to leave: 1001, going away.
inline constexpr std::string_view kGoingAway = "\x88\x20\x03\xe9"
                                               "the gateway is being restarted";

// Reads what a session used in passing: each response.done tells its own.
class RealtimeUsage {
public:
    // Bytes from the provider, frames in any pieces.
    void feed(std::string_view bytes);
    // May a frame of our own follow what came so far?
    [[nodiscard]] bool between_frames() const noexcept
    {
        return reader_.between_frames();
    }
    // Of all responses so far.
    [[nodiscard]] const chat::Usage& usage() const noexcept { return sum_; }

private:
    void take(std::string_view message);

    wire::WebSocketReader reader_;
    chat::Usage sum_;
};

} // namespace ai_proxy::policy
