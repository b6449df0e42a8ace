#pragma once

#include "ngx/ngx.h"

#include "http/ngx_http_ai_proxy_zone.h"

#include "core/limit/rule.h"

namespace ai_proxy::http {

// What budgets have been spent, in the shared zone: an entry for each rule and
// key, the least recently used ones make room for others, those of requests
// that run last.
class Limits final : public limit::Counters {
public:
    void open(ngx_http_ai_proxy_zone_t& zone) noexcept;

    // Without a zone, or room in it, everything is granted.
    [[nodiscard]] limit::Taken take(const limit::Rule& rule,
        std::string_view key, uint64_t amount, bool force) noexcept override;
    limit::Level settle(const limit::Rule& rule, std::string_view key,
        int64_t difference, int64_t stamp, bool last) noexcept override;

    struct Totals {
        uint64_t keys = 0, evicted = 0;
    };
    [[nodiscard]] Totals totals() const noexcept;

private:
    struct Table;
    struct Entry;

    [[nodiscard]] Entry* find(
        const limit::Rule& rule, std::string_view key, bool make) noexcept;
    [[nodiscard]] Entry* make_entry(
        uint64_t hash, const limit::Rule& rule, std::string_view key) noexcept;
    void evict_one() noexcept;

    ngx_slab_pool_t* pool_ = nullptr;
    Table* table_ = nullptr;
    bool warned_ = false;
};

} // namespace ai_proxy::http
