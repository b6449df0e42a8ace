#pragma once

#include "core/base/text.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Where clients put what proves who they are.
namespace ai_proxy::consumer {

enum class Where : uint8_t {
    header,
    query,
    cookie,
    subprotocol, // of a WebSocket, for browsers
};

struct Place {
    Where where = Where::header;
    std::string name;
    std::string prefix; // of the value, before the credential
    // Only for calls whose clients have no header field for it.
    bool seldom = false;
};

// What of a request authentication looks at.
struct Call {
    std::span<const Header> headers;
    std::string_view query; // without '?'
    bool seldom = false;    // is it such a call?
};

// A credential as it was found.
struct Presented {
    Where where = Where::header;
    std::string value;
    std::string_view raw; // a query's, as it stands in the request
};

// Where the SDKs of OpenAI, Azure, Anthropic and Google put theirs.
[[nodiscard]] std::vector<Place> usual_places();

// What is there, up to a bound; values that are empty are nothing.
[[nodiscard]] std::vector<Presented> find_presented(
    std::span<const Place> places, const Call& call);

// "Bearer x" without its first word, anything else as it is.
[[nodiscard]] std::string_view without_bearer(std::string_view value) noexcept;

// Is this the name of a place of that kind?
[[nodiscard]] bool is_place(
    std::span<const Place> places, Where where, std::string_view name) noexcept;
// The query without the parameters that are places.
[[nodiscard]] std::string without_places(
    std::span<const Place> places, std::string_view query, bool seldom);

} // namespace ai_proxy::consumer
