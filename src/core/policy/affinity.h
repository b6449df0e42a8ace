#pragma once

#include "core/dialect/api.h"
#include "core/json/reader.h"
#include "core/route/route.h"

#include <cstdint>
#include <string_view>

namespace ai_proxy::policy {

struct ClientHead;

// Who asks, as a number: of the consumer's name, else of the client's
// credential, without one of its address.  The same for all requests of a client, in all workers.
[[nodiscard]] uint64_t consumer_hash(const ClientHead& head) noexcept;

// What a provider keeps for its account is found with the key that made it:
// files, batches, jobs, responses.
[[nodiscard]] route::Affinity affinity_of(dialect::Api api) noexcept;

// Is it a path of what providers keep, of an API that is only relayed?
[[nodiscard]] bool is_kept(std::string_view path) noexcept;

// Does a chat request name what its provider keeps (a file, an item of a
// response, a template, a store)?  Then it is for the key that made it.
[[nodiscard]] bool names_file(json::Node request);

} // namespace ai_proxy::policy
