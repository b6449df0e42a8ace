#include "http/ngx_http_ai_proxy.h"

#include "core/base/hash.h"
#include "core/base/random.h"

#include <array>
#include <bit>
#include <new>

namespace ai_proxy::http {

namespace {

// Longer keys are known by their beginning and a hash.
constexpr size_t kLongestKey = 64;
// Entries that one new one may push out.
constexpr int kMostEvicted = 4;
// So many of the oldest are passed over because requests of theirs run; those
// of a worker that died would be passed over for ever.
constexpr int kMostSpared = 8;
constexpr uint64_t kTableId = 0x61692d6c696d6974; // "ai-limit"

int64_t monotonic_ms() noexcept
{
    return monotonic_micros() / 1000;
}

} // namespace

// The window of its rule follows, then the key: 128 bytes for a fixed window,
// 512 for a sliding one.
struct Limits::Entry {
    ngx_queue_t queue; // the most recently used one first
    Entry* next;       // with the same hash, more or less
    uint64_t hash;
    uint64_t rule;
    uint32_t holders; // requests that run
    uint16_t key_at;
    uint16_t key_length;

    [[nodiscard]] void* window() noexcept { return this + 1; }
    [[nodiscard]] std::string_view key() const noexcept
    {
        return {reinterpret_cast<const char*>(this) + key_at, key_length};
    }
};

struct Limits::Table {
    uint64_t seed;
    uint64_t keys, evicted;
    ngx_queue_t queue;
    size_t mask;
    Entry** buckets;
};

void Limits::open(ngx_http_ai_proxy_zone_t& zone) noexcept
{
    auto* table = ngx_http_ai_proxy_zone_state<Table>(&zone, kTableId);
    if (table == nullptr) {
        return;
    }
    pool_ = zone.shpool;
    ShmLock lock(pool_);
    if (table->buckets == nullptr) {
        // One for every 512 bytes: an entry takes 128 or 256.
        const size_t count = std::bit_floor(
            static_cast<size_t>(pool_->end - pool_->start) / 512);
        table->buckets = static_cast<Entry**>(
            ngx_slab_calloc_locked(pool_, count * sizeof(Entry*)));
        table->mask = count - 1;
        ngx_queue_init(&table->queue);
        const auto now = static_cast<uint64_t>(monotonic_ms());
        uint64_t state = now ^ static_cast<uint64_t>(::ngx_random()) << 32
            ^ static_cast<uint64_t>(ngx_pid);
        table->seed = mix(state);
    }
    table_ = table->buckets != nullptr ? table : nullptr;
}

Limits::Totals Limits::totals() const noexcept
{
    if (table_ == nullptr) {
        return {};
    }
    ShmLock lock(pool_);
    return {table_->keys, table_->evicted};
}

// The oldest that no request holds, of the oldest ones.
void Limits::evict_one() noexcept
{
    ngx_queue_t* last = ngx_queue_last(&table_->queue);
    Entry* entry = ngx_queue_data(last, Entry, queue);
    ngx_queue_t* at = last;
    for (int i = 0; i < kMostSpared && at != &table_->queue; i++) {
        Entry* one = ngx_queue_data(at, Entry, queue);
        if (one->holders == 0) {
            entry = one;
            break;
        }
        at = ngx_queue_prev(at);
    }
    Entry** link = &table_->buckets[entry->hash & table_->mask];
    while (*link != entry) {
        link = &(*link)->next;
    }
    *link = entry->next;
    ngx_queue_remove(&entry->queue);
    ngx_slab_free_locked(pool_, entry);
    table_->keys--;
    table_->evicted++;
}

Limits::Entry* Limits::make_entry(
    uint64_t hash, const limit::Rule& rule, std::string_view key) noexcept
{
    const size_t key_at =
        sizeof(Entry) + limit::window_size(rule.budget.algorithm);
    void* memory = nullptr;
    for (int evicted = 0;; evicted++) {
        memory = ngx_slab_calloc_locked(pool_, key_at + key.size());
        if (memory != nullptr || evicted == kMostEvicted
            || ngx_queue_empty(&table_->queue))
        {
            break;
        }
        evict_one();
    }
    if (memory == nullptr) {
        return nullptr;
    }
    auto* entry = new (memory) Entry();
    entry->hash = hash;
    entry->rule = rule.id;
    entry->key_at = static_cast<uint16_t>(key_at);
    entry->key_length = static_cast<uint16_t>(key.size());
    ngx_memcpy(static_cast<char*>(memory) + key_at, key.data(), key.size());
    Entry*& bucket = table_->buckets[hash & table_->mask];
    entry->next = bucket;
    bucket = entry;
    ngx_queue_insert_head(&table_->queue, &entry->queue);
    table_->keys++;
    return entry;
}

// Under the mutex.
Limits::Entry* Limits::find(
    const limit::Rule& rule, std::string_view key, bool make) noexcept
{
    uint64_t state = table_->seed ^ rule.id;
    state = mix(state) ^ fnv1a(key);
    const uint64_t hash = mix(state);
    Entry* entry = table_->buckets[hash & table_->mask];
    for (; entry != nullptr; entry = entry->next) {
        if (entry->hash == hash && entry->rule == rule.id
            && entry->key() == key) {
            ngx_queue_remove(&entry->queue);
            ngx_queue_insert_head(&table_->queue, &entry->queue);
            return entry;
        }
    }
    return make ? make_entry(hash, rule, key) : nullptr;
}

namespace {

// The key as it is stored.
class StoredKey {
public:
    StoredKey(std::string_view key, uint64_t seed) noexcept : text_(key)
    {
        if (key.size() <= kLongestKey) {
            return;
        }
        uint64_t state = seed ^ key.size();
        state = mix(state) ^ fnv1a(key);
        const uint64_t hash = mix(state);
        ngx_memcpy(short_.data(), key.data(), kLongestKey - sizeof(hash));
        ngx_memcpy(
            short_.data() + kLongestKey - sizeof(hash), &hash, sizeof(hash));
        text_ = {short_.data(), short_.size()};
    }
    StoredKey(const StoredKey&) = delete;
    StoredKey& operator=(const StoredKey&) = delete;
    [[nodiscard]] std::string_view text() const noexcept { return text_; }

private:
    std::array<char, kLongestKey> short_;
    std::string_view text_;
};

} // namespace

limit::Taken Limits::take(const limit::Rule& rule, std::string_view key,
    uint64_t amount, bool force) noexcept
{
    limit::Taken granted;
    granted.granted = true;
    granted.level.remaining = rule.budget.amount;
    if (table_ == nullptr) {
        return granted;
    }
    const StoredKey stored(key, table_->seed);
    const int64_t now = monotonic_ms();
    {
        ShmLock lock(pool_);
        if (Entry* entry = find(rule, stored.text(), true)) {
            const limit::Taken taken =
                limit::take(entry->window(), rule.budget, amount, now, force);
            if (taken.granted && rule.settles) {
                entry->holders++;
            }
            return taken;
        }
    }
    if (!std::exchange(warned_, true)) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
            "ai_proxy_zone has no room for token limits, they are not "
            "enforced");
    }
    return granted;
}

limit::Level Limits::settle(const limit::Rule& rule, std::string_view key,
    int64_t difference, int64_t stamp, bool last) noexcept
{
    limit::Level level;
    level.remaining = rule.budget.amount;
    if (table_ == nullptr) {
        return level;
    }
    const StoredKey stored(key, table_->seed);
    const int64_t now = monotonic_ms();
    ShmLock lock(pool_);
    // What was forgotten is not given back, but what is more is spent.
    Entry* entry = find(rule, stored.text(), difference > 0);
    if (entry == nullptr) {
        return level;
    }
    if (last && entry->holders != 0) {
        entry->holders--;
    }
    return limit::settle(entry->window(), rule.budget, difference, stamp, now);
}

} // namespace ai_proxy::http
