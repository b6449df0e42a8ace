#pragma once

#include "ngx/ngx.h"

#include "core/base/in_flight.h"
#include "core/metrics/registry.h"

#include <atomic>
#include <cstdint>
#include <span>

// The shared memory of ai_proxy_zone: the series of the metrics, found without
// a lock once they exist, and what ai_proxy_metrics and ai_proxy_status say of
// them.  Series are never freed: a pointer to one is good for the life of the
// worker.  They survive a reload as long as name and size stay.
using ngx_http_ai_proxy_series_t = ai_proxy::metrics::Series;

struct ngx_http_ai_proxy_zone_header_t;

// Embedded in the main conf, zeroed.
struct ngx_http_ai_proxy_zone_t {
    ngx_shm_zone_t* shm_zone; // nullptr: no ai_proxy_zone
    ngx_slab_pool_t* shpool;
    ngx_http_ai_proxy_zone_header_t* sh;
    ngx_cycle_t* cycle; // whose configuration this is
    // the first directive that needs the zone, for the message
    const char* user;
    ngx_str_t user_file;
    ngx_uint_t user_line;
};

// Setters.  All three have NGX_HTTP_MAIN_CONF_OFFSET and the offset of the
// zone in the main conf, also the two that stand in a location:
//   { ngx_string("ai_proxy_zone"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE2,
//     ngx_http_ai_proxy_set_zone, NGX_HTTP_MAIN_CONF_OFFSET,
//     offsetof(MainConf, zone), nullptr },
//   { ngx_string("ai_proxy_metrics"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS,
//     ngx_http_ai_proxy_set_metrics, NGX_HTTP_MAIN_CONF_OFFSET,
//     offsetof(MainConf, zone), nullptr },
char* ngx_http_ai_proxy_set_zone(
    ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept;
char* ngx_http_ai_proxy_set_metrics(
    ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept;
char* ngx_http_ai_proxy_set_status(
    ngx_conf_t* cf, ngx_command_t* cmd, void* conf) noexcept;

// Of init_main_conf: the directives that need the zone have one.
ngx_int_t ngx_http_ai_proxy_zone_check(
    ngx_conf_t* cf, const ngx_http_ai_proxy_zone_t* zone) noexcept;

// The series with these labels; made if it is new, the one named "other" when
// the zone is full.  nullptr only without a zone.
ngx_http_ai_proxy_series_t* ngx_http_ai_proxy_series(
    ngx_http_ai_proxy_zone_t* zone,
    const ai_proxy::metrics::Labels& labels) noexcept;

// Numbers of all workers that have no labels.  nullptr without a zone.
struct ngx_http_ai_proxy_totals_t {
    std::atomic<uint64_t> cut_streams;  // when their worker's time was over
    std::atomic<uint64_t> lone_workers; // that got no table
};
ngx_http_ai_proxy_totals_t* ngx_http_ai_proxy_zone_totals(
    ngx_http_ai_proxy_zone_t* zone) noexcept;

// Shared memory of something with this id, zeroed when it is new; nullptr
// without a zone or room in it.  Never freed, as the series.  Things of other
// kinds have other ids.
void* ngx_http_ai_proxy_zone_cell(
    ngx_http_ai_proxy_zone_t* zone, uint64_t id, size_t size) noexcept;

// The same as an object whose zeroed memory is its first state.
template <class State>
State* ngx_http_ai_proxy_zone_state(
    ngx_http_ai_proxy_zone_t* zone, uint64_t id) noexcept
{
    static_assert(alignof(State) <= 16);
    return static_cast<State*>(
        ngx_http_ai_proxy_zone_cell(zone, id, sizeof(State)));
}

// The table of this worker process, found by the others as long as the process
// lives; made on its first call, and what killed processes left behind is
// forgotten, here and when counts are asked for.  Empty without a zone or room
// in it.
std::span<ai_proxy::InFlightEntry> ngx_http_ai_proxy_zone_worker(
    ngx_http_ai_proxy_zone_t* zone) noexcept;
// The process ends, or has another table from now on.
void ngx_http_ai_proxy_zone_leave(ngx_http_ai_proxy_zone_t* zone) noexcept;
// The sum over all workers.
uint64_t ngx_http_ai_proxy_zone_in_flight(
    const ngx_http_ai_proxy_zone_t* zone, uint64_t id) noexcept;

// Ids of streams under way: of a series, and in workers that are to leave.
uint64_t ngx_http_ai_proxy_stream_id(
    const ngx_http_ai_proxy_series_t* series) noexcept;
uint64_t ngx_http_ai_proxy_held_streams_id() noexcept;

// What the expositions show; labels and series live in the zone.
struct ngx_http_ai_proxy_snapshot_t {
    std::vector<ai_proxy::metrics::Row> rows;
    ai_proxy::metrics::Totals totals;
};
// Of a zone whose sh is set.  Throws std::bad_alloc.
ngx_http_ai_proxy_snapshot_t ngx_http_ai_proxy_zone_snapshot(
    const ngx_http_ai_proxy_zone_t* zone);

// Content handlers.
ngx_int_t ngx_http_ai_proxy_metrics_handler(ngx_http_request_t* r) noexcept;
ngx_int_t ngx_http_ai_proxy_status_handler(ngx_http_request_t* r) noexcept;

// Defined by the module: the zone of the main conf.
ngx_http_ai_proxy_zone_t* ngx_http_ai_proxy_zone_of(
    ngx_http_request_t* r) noexcept;
