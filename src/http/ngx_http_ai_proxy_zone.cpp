#include "ngx/ngx.h"

#include "http/ngx_http_ai_proxy_zone.h"
#include "ngx/bridge.h"

#include "core/base/hash.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>
#include <new>
#include <tuple>

extern "C" __attribute__((visibility("default")))
ngx_module_t ngx_http_ai_proxy_module;

using namespace ai_proxy;
using metrics::Labels;
using metrics::Series;

namespace {

constexpr size_t kBucketCount = 512;
constexpr size_t kMaxSeries = 4096;
constexpr size_t kMaxLabel = 255;
constexpr std::string_view kOther = "other";

// A series with its labels behind it.  Written once under the mutex, then
// published; only the numbers change after that.
struct Node {
    Series series; // first: slab chunks begin on a cache line
    std::atomic<Node*> next;
    uint64_t hash;
    uint8_t lengths[3];
    char text[1];
};

size_t node_size(const Labels& l) noexcept
{
    size_t text = l.route.size() + l.provider.size() + l.model.size();
    return std::max(sizeof(Node), offsetof(Node, text) + text);
}

struct Cell {
    uint64_t id;
    uint64_t size;
    Cell* next;
    uint64_t reserved; // the state follows, aligned to 16
};

constexpr size_t kCellBuckets = 128;
constexpr ngx_msec_t kLook = 1000; // for processes that are gone

// The table of a worker, or of those that had it before.
struct WorkerSlot {
    std::atomic<int64_t> pid; // 0: nobody's
    InFlightEntry* entries;
    WorkerSlot* next;
};

} // namespace

struct ngx_http_ai_proxy_zone_header_t {
    uint64_t magic;
    uint64_t layout;
    std::atomic<uint64_t> capacity; // series that may be made
    std::atomic<uint64_t> count;
    std::atomic<uint64_t> overflows;
    ngx_http_ai_proxy_totals_t totals;
    Node* other;
    Cell* cells[kCellBuckets];        // lists that only grow, under the mutex
    std::atomic<WorkerSlot*> workers; // a list that only grows as well
    uint64_t worker_entries;          // of each table
    std::atomic<Node*> buckets[kBucketCount];
};

namespace {

using Zone = ngx_http_ai_proxy_zone_t;
using Header = ngx_http_ai_proxy_zone_header_t;

constexpr uint64_t kMagic = 0x61695f70726f7879; // "ai_proxy"
// Changes when a module of another version could not read this memory.
constexpr uint64_t kLayout = (uint64_t(5) << 48)
    | (uint64_t(sizeof(Series)) << 24) | (uint64_t(kErrorCodes) << 12)
    | (uint64_t(sizeof(Header)) & 0xfff);

// The labels are a few words and come from the configuration.
uint64_t hash_of(const Labels& labels) noexcept
{
    Fnv1a hash;
    for (std::string_view part : {labels.route, labels.provider, labels.model})
    {
        hash.add(part).add(static_cast<unsigned char>(0xff));
    }
    return hash.value() ^ (hash.value() >> 32);
}

Labels labels_of(const Node& node) noexcept
{
    const char* p = node.text;
    std::string_view route(p, node.lengths[0]);
    p += route.size();
    std::string_view provider(p, node.lengths[1]);
    p += provider.size();
    return {route, provider, {p, node.lengths[2]}};
}

Node* find(const Header& sh, const Labels& labels, uint64_t hash) noexcept
{
    Node* node =
        sh.buckets[hash % kBucketCount].load(std::memory_order_acquire);
    for (; node != nullptr; node = node->next.load(std::memory_order_acquire)) {
        if (node->hash != hash) {
            continue;
        }
        Labels l = labels_of(*node);
        if (l.route == labels.route && l.provider == labels.provider
            && l.model == labels.model)
        {
            return node;
        }
    }
    return nullptr;
}

// Under the mutex.
Node* insert(ngx_slab_pool_t* shpool, Header& sh, const Labels& labels,
    uint64_t hash) noexcept
{
    void* memory = ngx_slab_alloc_locked(shpool, node_size(labels));
    if (memory == nullptr) {
        // Nothing that is allocated here is ever freed: do not ask again.
        sh.capacity = sh.count.load();
        return nullptr;
    }
    Node* node = new (memory) Node();
    node->hash = hash;
    char* p = node->text;
    size_t i = 0;
    for (std::string_view part : {labels.route, labels.provider, labels.model})
    {
        node->lengths[i++] = static_cast<uint8_t>(part.size());
        ngx_memcpy(p, part.data(), part.size());
        p += part.size();
    }

    std::atomic<Node*>& bucket = sh.buckets[hash % kBucketCount];
    node->next.store(bucket.load(std::memory_order_relaxed));
    bucket.store(node, std::memory_order_release);
    sh.count.fetch_add(1, std::memory_order_relaxed);
    return node;
}

// Half of the memory at most, so that what shares the zone has room too.
size_t capacity(const ngx_slab_pool_t* shpool) noexcept
{
    size_t per_page = ngx_pagesize / std::bit_ceil(sizeof(Node) + 64);
    size_t pages = shpool->pfree / 2;
    return std::clamp<size_t>(pages * per_page, 1, kMaxSeries);
}

// Tables that are made with the zone: during a reload there are twice as many
// workers as usual.
size_t expected_workers(const ngx_cycle_t* cycle) noexcept
{
    const auto* core = reinterpret_cast<ngx_core_conf_t*>(
        ngx_get_conf(cycle->conf_ctx, ngx_core_module));
    return 2
        * static_cast<size_t>(std::max<ngx_int_t>(core->worker_processes, 1));
}

// A worker's table, from small for a small zone to what it may need: with a
// zone of 16 MB 8192 counts.  All tables take a quarter of the zone at most.
size_t worker_entries(const ngx_slab_pool_t* shpool, size_t workers) noexcept
{
    const size_t bytes =
        shpool->pfree * ngx_pagesize / std::max<size_t>(64, 4 * workers);
    return std::clamp<size_t>(std::bit_floor(bytes / sizeof(InFlightEntry)),
        InFlightTable::kLeast, 65536);
}

// Under the mutex; nullptr: there is no room.
WorkerSlot* make_worker(ngx_slab_pool_t* shpool, Header& sh) noexcept
{
    void* entries = ngx_slab_calloc_locked(
        shpool, sh.worker_entries * sizeof(InFlightEntry));
    if (entries == nullptr) {
        return nullptr;
    }
    void* memory = ngx_slab_alloc_locked(shpool, sizeof(WorkerSlot));
    if (memory == nullptr) {
        ngx_slab_free_locked(shpool, entries);
        return nullptr;
    }
    auto* slot = new (memory) WorkerSlot();
    slot->entries = static_cast<InFlightEntry*>(entries);
    slot->next = sh.workers.load(std::memory_order_relaxed);
    sh.workers.store(slot, std::memory_order_release);
    return slot;
}

InFlightTable table_of(const Header& sh, const WorkerSlot& slot) noexcept
{
    return InFlightTable({slot.entries, sh.worker_entries});
}

// Under the mutex.
void forget(const Header& sh, WorkerSlot& slot) noexcept
{
    table_of(sh, slot).clear();
    slot.pid = 0;
}

bool is_gone(int64_t pid) noexcept
{
    return kill(static_cast<pid_t>(pid), 0) == -1 && ngx_errno == ESRCH;
}

// Of processes that were killed; nobody takes the place of one that had been
// told to leave.
void forget_gone(const Zone& zone) noexcept
{
    static ngx_msec_t looked = 0;
    if (ngx_current_msec - looked < kLook) {
        return;
    }
    looked = ngx_current_msec;
    ShmLock lock(zone.shpool);
    WorkerSlot* slot = zone.sh->workers;
    for (; slot != nullptr; slot = slot->next) {
        const int64_t pid = slot->pid.load();
        if (pid != 0 && pid != ngx_pid && is_gone(pid)) {
            forget(*zone.sh, *slot);
        }
    }
}

ngx_int_t make_header(ngx_shm_zone_t* shm_zone, Zone& zone) noexcept
{
    void* memory = ngx_slab_alloc(zone.shpool, sizeof(Header));
    if (memory == nullptr) {
        return NGX_ERROR;
    }
    zone.sh = new (memory) Header();
    zone.sh->magic = kMagic;
    zone.sh->layout = kLayout;
    zone.sh->capacity = capacity(zone.shpool);
    const size_t workers = expected_workers(zone.cycle);
    zone.sh->worker_entries = worker_entries(zone.shpool, workers);

    constexpr std::string_view kWhere = " in ai_proxy_zone \"%V\"%Z";
    size_t length = kWhere.size() + shm_zone->shm.name.len;
    zone.shpool->log_ctx =
        static_cast<u_char*>(ngx_slab_alloc(zone.shpool, length));
    if (zone.shpool->log_ctx == nullptr) {
        return NGX_ERROR;
    }
    ngx_sprintf(zone.shpool->log_ctx, kWhere.data(), &shm_zone->shm.name);
    // A full zone is expected; its users say so in their own words.
    zone.shpool->log_nomem = 0;

    Labels other{kOther, kOther, kOther};
    zone.sh->other = insert(zone.shpool, *zone.sh, other, hash_of(other));
    if (zone.sh->other == nullptr) {
        return NGX_ERROR;
    }
    // Before anything else fills the zone, which has to have room for that.
    const ngx_uint_t left = zone.shpool->pfree / 2;
    for (size_t i = 0; i < workers; i++) {
        if (zone.shpool->pfree < left
            || make_worker(zone.shpool, *zone.sh) == nullptr) {
            // Where the warnings of the configuration go.
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                "ai_proxy_zone \"%V\" is too small for the counts of %uz "
                "workers",
                &shm_zone->shm.name, workers);
            break;
        }
    }
    zone.shpool->data = zone.sh;
    return NGX_OK;
}

ngx_int_t init_zone(ngx_shm_zone_t* shm_zone, void* data) noexcept
{
    auto& zone = *static_cast<Zone*>(shm_zone->data);
    const auto* old = static_cast<const Zone*>(data);
    zone.shpool = reinterpret_cast<ngx_slab_pool_t*>(shm_zone->shm.addr);

    if (old == nullptr && !shm_zone->shm.exists) {
        return make_header(shm_zone, zone);
    }

    zone.sh =
        old != nullptr ? old->sh : static_cast<Header*>(zone.shpool->data);
    if (zone.sh == nullptr || zone.sh->magic != kMagic
        || zone.sh->layout != kLayout)
    {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
            "ai_proxy_zone \"%V\" was made by another version of the module, "
            "restart nginx instead of reloading it",
            &shm_zone->shm.name);
        return NGX_ERROR;
    }
    return NGX_OK;
}

Zone& zone_of(ngx_command_t* cmd, void* conf) noexcept
{
    return *reinterpret_cast<Zone*>(static_cast<char*>(conf) + cmd->offset);
}

char* refuse(
    ngx_conf_t* cf, std::string_view reason, const ngx_str_t& value) noexcept
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%*s \"%V\"", reason.size(),
        reason.data(), &value);
    return static_cast<char*>(NGX_CONF_ERROR);
}

} // namespace


char* ngx_http_ai_proxy_set_zone(
    ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept
{
    Zone& zone = zone_of(cmd, conf);
    auto* value = static_cast<ngx_str_t*>(cf->args->elts);
    if (zone.shm_zone != nullptr) {
        return const_cast<char*>("is duplicate");
    }
    if (value[1].len == 0) {
        return refuse(cf, "invalid zone name", value[1]);
    }
    ssize_t size = ngx_parse_size(&value[2]);
    if (size == NGX_ERROR) {
        return refuse(cf, "invalid zone size", value[2]);
    }
    if (size < static_cast<ssize_t>(8 * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
            "zone \"%V\" is too small, it takes at least %uzk", &value[1],
            8 * ngx_pagesize / 1024);
        return static_cast<char*>(NGX_CONF_ERROR);
    }

    zone.shm_zone = ngx_shared_memory_add(
        cf, &value[1], static_cast<size_t>(size), &ngx_http_ai_proxy_module);
    if (zone.shm_zone == nullptr) {
        return static_cast<char*>(NGX_CONF_ERROR);
    }
    zone.shm_zone->init = init_zone;
    zone.shm_zone->data = &zone;
    zone.cycle = cf->cycle;
    return NGX_CONF_OK;
}


ngx_int_t ngx_http_ai_proxy_zone_check(
    ngx_conf_t* cf, const ngx_http_ai_proxy_zone_t* zone) noexcept
{
    if (zone->user == nullptr || zone->shm_zone != nullptr) {
        return NGX_OK;
    }
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
        "\"%s\" requires \"ai_proxy_zone\" in %V:%ui", zone->user,
        &zone->user_file, zone->user_line);
    return NGX_ERROR;
}


Series* ngx_http_ai_proxy_series(
    ngx_http_ai_proxy_zone_t* zone, const Labels& asked) noexcept
{
    if (zone->sh == nullptr) {
        return nullptr;
    }
    Header& sh = *zone->sh;
    Labels labels{asked.route.substr(0, kMaxLabel),
        asked.provider.substr(0, kMaxLabel), asked.model.substr(0, kMaxLabel)};
    uint64_t hash = hash_of(labels);

    Node* node = find(sh, labels, hash);
    if (node == nullptr && sh.count < sh.capacity) {
        ShmLock lock(zone->shpool);
        node = find(sh, labels, hash);
        if (node == nullptr && sh.count < sh.capacity) {
            node = insert(zone->shpool, sh, labels, hash);
        }
    }
    if (node != nullptr) {
        return &node->series;
    }

    if (sh.overflows.fetch_add(1, std::memory_order_relaxed) == 0) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
            "ai_proxy: zone \"%V\" has no room for more series, they are "
            "counted as \"other\"",
            &zone->shm_zone->shm.name);
    }
    return &sh.other->series;
}


ngx_http_ai_proxy_totals_t* ngx_http_ai_proxy_zone_totals(
    ngx_http_ai_proxy_zone_t* zone) noexcept
{
    return zone->sh != nullptr ? &zone->sh->totals : nullptr;
}


void* ngx_http_ai_proxy_zone_cell(
    ngx_http_ai_proxy_zone_t* zone, uint64_t id, size_t size) noexcept
{
    if (zone->sh == nullptr) {
        return nullptr;
    }
    ShmLock lock(zone->shpool);
    Cell*& list = zone->sh->cells[id % kCellBuckets];
    for (Cell* cell = list; cell != nullptr; cell = cell->next) {
        if (cell->id == id && cell->size == size) {
            return cell + 1;
        }
    }
    void* memory = ngx_slab_calloc_locked(zone->shpool, sizeof(Cell) + size);
    if (memory == nullptr) {
        return nullptr;
    }
    auto* cell = new (memory) Cell();
    cell->id = id;
    cell->size = size;
    cell->next = list;
    list = cell;
    return cell + 1;
}


std::span<InFlightEntry> ngx_http_ai_proxy_zone_worker(Zone* zone) noexcept
{
    if (zone->sh == nullptr) {
        return {};
    }
    Header& sh = *zone->sh;
    ShmLock lock(zone->shpool);
    WorkerSlot* own = nullptr;
    for (WorkerSlot* slot = sh.workers; slot != nullptr; slot = slot->next) {
        if (const int64_t pid = slot->pid.load(); pid != 0) {
            if (pid != ngx_pid && !is_gone(pid)) {
                continue;
            }
            forget(sh, *slot);
        }
        own = slot;
    }
    if (own == nullptr) {
        own = make_worker(zone->shpool, sh);
    }
    if (own == nullptr) {
        sh.totals.lone_workers.fetch_add(1, std::memory_order_relaxed);
        return {};
    }
    own->pid = ngx_pid;
    return {own->entries, sh.worker_entries};
}


void ngx_http_ai_proxy_zone_leave(Zone* zone) noexcept
{
    if (zone->sh == nullptr) {
        return;
    }
    ShmLock lock(zone->shpool);
    WorkerSlot* slot = zone->sh->workers;
    for (; slot != nullptr; slot = slot->next) {
        if (slot->pid.load() == ngx_pid) {
            forget(*zone->sh, *slot);
        }
    }
}


uint64_t ngx_http_ai_proxy_zone_in_flight(
    const Zone* zone, uint64_t id) noexcept
{
    forget_gone(*zone);
    uint64_t sum = 0;
    const Header& sh = *zone->sh;
    const WorkerSlot* slot = sh.workers.load(std::memory_order_acquire);
    for (; slot != nullptr; slot = slot->next) {
        if (slot->pid.load(std::memory_order_relaxed) != 0) {
            sum += table_of(sh, *slot).count(id);
        }
    }
    return sum;
}


// All processes have the zone at the same address.
uint64_t ngx_http_ai_proxy_stream_id(const Series* series) noexcept
{
    return in_flight_id(
        "stream", {reinterpret_cast<const char*>(&series), sizeof(series)});
}


uint64_t ngx_http_ai_proxy_held_streams_id() noexcept
{
    return in_flight_id("stream", "held");
}


ngx_http_ai_proxy_snapshot_t ngx_http_ai_proxy_zone_snapshot(
    const ngx_http_ai_proxy_zone_t* zone_at)
{
    const Zone& zone = *zone_at;
    ngx_http_ai_proxy_snapshot_t out;
    const Header& sh = *zone.sh;
    out.totals.series = sh.count.load(std::memory_order_relaxed);
    out.totals.dropped_series = sh.overflows.load(std::memory_order_relaxed);
    out.totals.held_streams = ngx_http_ai_proxy_zone_in_flight(
        zone_at, ngx_http_ai_proxy_held_streams_id());
    out.totals.cut_streams =
        sh.totals.cut_streams.load(std::memory_order_relaxed);
    out.totals.lone_workers =
        sh.totals.lone_workers.load(std::memory_order_relaxed);
    out.totals.zone_bytes = zone.shm_zone->shm.size;
    out.totals.zone_bytes_free = zone.shpool->pfree * ngx_pagesize;

    out.rows.reserve(out.totals.series);
    for (const auto& bucket : sh.buckets) {
        const Node* node = bucket.load(std::memory_order_acquire);
        for (; node != nullptr;
             node = node->next.load(std::memory_order_acquire)) {
            // Shown once it has something to say.
            if (node != sh.other || out.totals.dropped_series != 0) {
                out.rows.push_back({labels_of(*node), &node->series,
                    ngx_http_ai_proxy_zone_in_flight(
                        zone_at, ngx_http_ai_proxy_stream_id(&node->series))});
            }
        }
    }
    std::sort(out.rows.begin(), out.rows.end(),
        [](const metrics::Row& a, const metrics::Row& b) {
            return std::tie(a.labels.route, a.labels.provider, a.labels.model)
                < std::tie(b.labels.route, b.labels.provider, b.labels.model);
        });
    return out;
}
