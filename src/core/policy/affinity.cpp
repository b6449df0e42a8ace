#include "core/policy/affinity.h"

#include "core/json/splice.h"

#include "core/policy/exchange.h"

#include "core/base/text.h"

#include <array>

namespace ai_proxy::policy {

namespace {

using dialect::Api;

// FNV-1a
uint64_t hash(std::string_view text) noexcept
{
    uint64_t h = 0xcbf29ce484222325ull;
    for (const char c : text) {
        h ^= static_cast<unsigned char>(c);
        h *= 0x100000001b3ull;
    }
    return h;
}

} // namespace

uint64_t consumer_hash(const ClientHead& head) noexcept
{
    constexpr std::array<std::string_view, 3> kKeys{
        "x-api-key", "api-key", "x-goog-api-key"};
    if (!head.authorization.empty()) {
        return hash(head.authorization);
    }
    for (const Header& field : head.headers) {
        for (const std::string_view name : kKeys) {
            if (iequals(field.name, name) && !field.value.empty()) {
                return hash(field.value);
            }
        }
    }
    return hash(head.address);
}

route::Affinity affinity_of(Api api) noexcept
{
    switch (api) {
    case Api::files:
    case Api::file:
    case Api::file_content:
    case Api::batches:
    case Api::batch:
    case Api::batch_cancel:
    case Api::fine_tuning:
    case Api::response:
    case Api::videos:
    case Api::video:
        return route::Affinity::only;
    default:
        return route::Affinity::none;
    }
}

} // namespace ai_proxy::policy
