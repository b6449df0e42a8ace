#pragma once

#include "core/base/error.h"
#include "core/json/writer.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace ai_proxy::metrics {

// The last words of something, in memory that several processes share.
class SharedText {
public:
    static constexpr size_t kMost = 120;

    // Cut where it is too long; lost when another process writes just now.
    void set(std::string_view text) noexcept;
    // "" while it is being written.
    [[nodiscard]] std::string get() const;

private:
    static constexpr size_t kWords = kMost / 8;

    std::atomic<uint64_t> version_; // odd: it is being written
    std::array<std::atomic<uint64_t>, kWords> words_;
};

// The numbers of one ai_proxy_redis, of all workers; zeroed memory is its
// first state.
struct RedisState {
    std::atomic<uint64_t> commands;
    std::atomic<uint64_t> unavailable, timeouts, busy, refused;
    std::atomic<uint64_t> connects;
    SharedText last_error;

    // Counts a command that ended with this.
    void count_error(ErrorCode code) noexcept;
};

struct RedisRow {
    std::string_view name;
    uint64_t connections = 0; // that are ready
    const RedisState* state = nullptr;
};

// Prometheus text, after what is in out.
void append_redis(std::string& out, std::span<const RedisRow> rows);
// The member "redis" of an object that is open, if there are any.
void write_redis(json::Writer& w, std::span<const RedisRow> rows);

} // namespace ai_proxy::metrics
