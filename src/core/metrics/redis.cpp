#include "core/metrics/redis.h"

#include <algorithm>
#include <cstring>

namespace ai_proxy::metrics {

namespace {

using Count = std::atomic<uint64_t> RedisState::*;

struct RedisMetric {
    std::string_view name, help, kind; // kind: of an error
    Count count;
};

constexpr std::string_view kErrors = "ai_proxy_redis_errors_total";
constexpr std::string_view kErrorsHelp =
    "Commands that were not answered as they should be.";

// clang-format off
constexpr RedisMetric kRedisMetrics[] = {
    {.name = "ai_proxy_redis_commands_total",
     .help = "Commands that were to be sent.",
     .kind = "",
     .count = &RedisState::commands},
    {.name = kErrors, .help = kErrorsHelp, .kind = "unavailable",
     .count = &RedisState::unavailable},
    {.name = kErrors, .help = kErrorsHelp, .kind = "timeout",
     .count = &RedisState::timeouts},
    {.name = kErrors, .help = kErrorsHelp, .kind = "busy",
     .count = &RedisState::busy},
    {.name = kErrors, .help = kErrorsHelp, .kind = "refused",
     .count = &RedisState::refused},
    {.name = "ai_proxy_redis_connects_total",
     .help = "Connections that were made.",
     .kind = "",
     .count = &RedisState::connects},
};
// clang-format on

void append_head(std::string& out, std::string_view name, std::string_view help,
    std::string_view type)
{
    out.append("# HELP ").append(name).append(" ").append(help);
    out.append("\n# TYPE ").append(name).append(" ").append(type);
    out.append("\n");
}

void append_value(std::string& out, std::string_view name,
    std::string_view redis, std::string_view kind, uint64_t value)
{
    out.append(name).append("{redis=\"").append(redis).append("\"");
    if (!kind.empty()) {
        out.append(",kind=\"").append(kind).append("\"");
    }
    out.append("} ").append(std::to_string(value)).append("\n");
}

} // namespace

void SharedText::set(std::string_view text) noexcept
{
    uint64_t version = version_.load();
    if (version % 2 != 0
        || !version_.compare_exchange_strong(version, version + 1)) {
        return;
    }
    std::array<char, kMost> bytes{};
    const size_t length = std::min(text.size(), kMost);
    std::transform(text.begin(), text.begin() + static_cast<long>(length),
        bytes.begin(), [](char c) { return c >= ' ' && c < 0x7f ? c : '?'; });
    for (size_t i = 0; i < kWords; i++) {
        uint64_t word = 0;
        std::memcpy(&word, bytes.data() + i * 8, 8);
        words_[i].store(word);
    }
    version_.store(version + 2);
}

std::string SharedText::get() const
{
    std::array<char, kMost> bytes{};
    const uint64_t before = version_.load();
    for (size_t i = 0; i < kWords; i++) {
        const uint64_t word = words_[i].load();
        std::memcpy(bytes.data() + i * 8, &word, 8);
    }
    if (before % 2 != 0 || before != version_.load()) {
        return {};
    }
    return std::string(bytes.data(), strnlen(bytes.data(), kMost));
}

void RedisState::count_error(ErrorCode code) noexcept
{
    std::atomic<uint64_t>& count = code == ErrorCode::redis_timeout ? timeouts
        : code == ErrorCode::redis_busy                             ? busy
        : code == ErrorCode::redis_error                            ? refused
                                         : unavailable;
    count.fetch_add(1, std::memory_order_relaxed);
}

void append_redis(std::string& out, std::span<const RedisRow> rows)
{
    if (rows.empty()) {
        return;
    }
    constexpr std::string_view kConnections = "ai_proxy_redis_connections";
    append_head(
        out, kConnections, "Connections that are ready for commands.", "gauge");
    for (const RedisRow& row : rows) {
        append_value(out, kConnections, row.name, {}, row.connections);
    }
    std::string_view head;
    for (const RedisMetric& metric : kRedisMetrics) {
        if (metric.name != head) {
            append_head(out, metric.name, metric.help, "counter");
            head = metric.name;
        }
        for (const RedisRow& row : rows) {
            append_value(out, metric.name, row.name, metric.kind,
                (row.state->*metric.count).load(std::memory_order_relaxed));
        }
    }
}

void write_redis(json::Writer& w, std::span<const RedisRow> rows)
{
    if (rows.empty()) {
        return;
    }
    w.key("redis").begin_array();
    for (const RedisRow& row : rows) {
        w.begin_object();
        w.field("name", row.name);
        w.key("connected").boolean(row.connections != 0);
        w.key("connections").integer(static_cast<int64_t>(row.connections));
        w.field("last_error", row.state->last_error.get());
        for (const RedisMetric& metric : kRedisMetrics) {
            // "commands", "errors_timeout", "connects"
            constexpr std::string_view kBefore = "ai_proxy_redis_";
            constexpr std::string_view kAfter = "_total";
            std::string name(metric.name.substr(kBefore.size(),
                metric.name.size() - kBefore.size() - kAfter.size()));
            if (!metric.kind.empty()) {
                name.append("_").append(metric.kind);
            }
            w.key(name).integer(static_cast<int64_t>(
                (row.state->*metric.count).load(std::memory_order_relaxed)));
        }
        w.end_object();
    }
    w.end_array();
}

} // namespace ai_proxy::metrics
