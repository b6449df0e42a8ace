#pragma once

#include "core/json/writer.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ai_proxy::metrics {

// The state of one key of a provider, at one moment.
struct KeyRow {
    std::string_view provider;
    uint32_t key = 0;    // counts from 0, as in $ai_proxy_tries
    std::string ends;    // its last characters, "" when it is short
    int64_t away = 0;    // microseconds until it comes back, 0: it is there
    uint32_t status = 0; // of the last failure, 0: none
    uint64_t tries = 0, failures = 0;
};

// What of a key may be shown: four characters of one that has many more.
[[nodiscard]] std::string key_ends(std::string_view key);

// Prometheus text, after what is in out.
void append_keys(std::string& out, std::span<const KeyRow> keys);
// The member "keys" of an object that is open.
void write_keys(json::Writer& w, std::span<const KeyRow> keys);

} // namespace ai_proxy::metrics
