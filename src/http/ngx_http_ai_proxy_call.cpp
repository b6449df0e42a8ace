#include "http/ngx_http_ai_proxy_call.h"

#include "http/ngx_http_ai_proxy.h"

// A request of the worker's own, over nginx's upstream.  It hangs below a
// request without a client: a connection that has no descriptor.

namespace ai_proxy::http {

namespace {

constexpr size_t kMaxAnswer = 64 * 1024;

} // namespace

// nginx writes into what a log's data begins with.
struct CallLog {
    ngx_http_log_ctx_t ctx;
    const char* what;
};

struct Call {
    CallPlan plan;
    CallLog log_data{};
    ngx_pool_t* pool = nullptr;
    ngx_http_request_t* sr = nullptr;
    std::string content_type, body;
    ngx_log_t log{};
    ngx_http_status_t status{};
    wire::ChunkedDecoder decoder;
    bool chunked = false;
    bool framed = false; // the answer is complete
    bool failed = false;
    bool over = false;
    ngx_event_t done{};
    ngx_event_t deadline{};
};

namespace {

Call* call_of(ngx_http_request_t* sr) noexcept
{
    return static_cast<Call*>(sr->post_subrequest->data);
}

u_char* log_handler(ngx_log_t* log, u_char* buf, size_t len) noexcept
{
    if (log->action != nullptr) {
        u_char* end = ngx_snprintf(buf, len, " while %s", log->action);
        len -= static_cast<size_t>(end - buf);
        buf = end;
    }
    return ngx_snprintf(
        buf, len, ", %s", static_cast<const CallLog*>(log->data)->what);
}

void forget(ngx_event_t& ev) noexcept
{
    if (ev.timer_set) {
        ngx_del_timer(&ev);
    }
    if (ev.posted) {
        ngx_delete_posted_event(&ev);
    }
}

void close_call(Call& call) noexcept
{
    forget(call.deadline);
    forget(call.done);
    // nginx may have set timers for the client that there is not.
    ngx_connection_t* c = call.sr->connection;
    forget(*c->read);
    forget(*c->write);
    for (ngx_http_cleanup_t* cleanup = call.sr->main->cleanup;
         cleanup != nullptr; cleanup = cleanup->next)
    {
        if (cleanup->handler != nullptr) {
            cleanup->handler(cleanup->data);
            cleanup->handler = nullptr;
        }
    }
    ngx_pool_t* pool = call.pool;
    // The call lives in the pool.
    ngx_destroy_pool(pool);
}

// From the top of the event loop: the request below is finished.
void done_handler(ngx_event_t* ev) noexcept
{
    auto* call = static_cast<Call*>(ev->data);
    guard_void(
        ngx_cycle->log,
        [&] {
            const bool whole = call->framed && !call->failed;
            const int status = whole ? static_cast<int>(call->status.code) : 0;
            const std::string body = std::move(call->body);
            const std::string type = std::move(call->content_type);
            const auto done = call->plan.done;
            void* data = call->plan.data;
            close_call(*call);
            call = nullptr;
            done(data, status, type, body);
        },
        [&] {
            if (call != nullptr) {
                close_call(*call);
            }
        });
}

ngx_int_t post_call(ngx_http_request_t*, void* data, ngx_int_t) noexcept
{
    auto* call = static_cast<Call*>(data);
    if (!call->over) {
        call->over = true;
        ngx_post_event(&call->done, &ngx_posted_events);
    }
    return NGX_OK;
}

void deadline_handler(ngx_event_t* ev) noexcept
{
    auto* call = static_cast<Call*>(ev->data);
    call->failed = true;
    if (call->over || call->sr->upstream == nullptr
        || ngx_http_ai_proxy_peer_stop_waiting(call->sr)
        || call->sr->upstream->peer.connection == nullptr)
    {
        return;
    }
    ngx_connection_t* c = call->sr->upstream->peer.connection;
    call->sr->upstream->peer.tries = 0;
    c->read->timedout = 1;
    c->read->handler(c->read);
}

ngx_int_t status_line(ngx_http_request_t* sr) noexcept;

ngx_int_t reinit(ngx_http_request_t* sr) noexcept
{
    Call& call = *call_of(sr);
    sr->state = 0;
    call.status = {};
    call.decoder = {};
    call.chunked = call.framed = false;
    call.content_type.clear();
    call.body.clear();
    sr->upstream->process_header = status_line;
    return NGX_OK;
}

ngx_int_t create_request(ngx_http_request_t* sr) noexcept
{
    const CallPlan& plan = call_of(sr)->plan;
    sr->upstream->request_bufs =
        request_chain(sr->pool, plan.outbound, plan.authority);
    return sr->upstream->request_bufs != nullptr ? reinit(sr) : NGX_ERROR;
}

std::string_view between(const u_char* begin, const u_char* end) noexcept
{
    return {
        reinterpret_cast<const char*>(begin), static_cast<size_t>(end - begin)};
}

// False when the framing is none that we read.
bool take_framing(Call& call, ngx_http_upstream_t* u, std::string_view name,
    std::string_view value) noexcept
{
    if (iequals(name, "content-length")) {
        const auto length = parse_uint(trim(value));
        if (!length || *length > kMaxAnswer) {
            return false;
        }
        u->headers_in.content_length_n = static_cast<off_t>(*length);
    } else if (iequals(name, "transfer-encoding")) {
        call.chunked = true;
        return iequals(trim(value), "chunked");
    } else if (iequals(name, "content-type")) {
        call.content_type = value;
    }
    return true;
}

ngx_int_t header(ngx_http_request_t* sr) noexcept
{
    Call& call = *call_of(sr);
    ngx_http_upstream_t* u = sr->upstream;
    for (;;) {
        const ngx_int_t rc = ngx_http_parse_header_line(sr, &u->buffer, 1);
        if (rc == NGX_OK
            && take_framing(call, u,
                between(sr->header_name_start, sr->header_name_end),
                between(sr->header_start, sr->header_end)))
        {
            continue;
        }
        if (rc == NGX_AGAIN || rc == NGX_HTTP_PARSE_HEADER_DONE) {
            return rc == NGX_AGAIN ? NGX_AGAIN : NGX_OK;
        }
        return NGX_HTTP_UPSTREAM_INVALID_HEADER;
    }
}

ngx_int_t status_line(ngx_http_request_t* sr) noexcept
{
    Call& call = *call_of(sr);
    ngx_http_upstream_t* u = sr->upstream;
    const ngx_int_t rc =
        ngx_http_parse_status_line(sr, &u->buffer, &call.status);
    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }
    if (rc == NGX_ERROR || call.status.code < 200) {
        return NGX_HTTP_UPSTREAM_INVALID_HEADER;
    }
    u->headers_in.status_n = call.status.code;
    u->process_header = header;
    return header(sr);
}

ngx_int_t filter_init(void* data) noexcept
{
    auto* sr = static_cast<ngx_http_request_t*>(data);
    Call& call = *call_of(sr);
    sr->upstream->length =
        call.chunked ? 1 : sr->upstream->headers_in.content_length_n;
    call.framed = sr->upstream->length == 0;
    return NGX_OK;
}

ngx_int_t take(Call& call, std::string_view bytes)
{
    if (bytes.size() > kMaxAnswer - call.body.size()) {
        return NGX_ERROR;
    }
    call.body += bytes;
    return NGX_OK;
}

ngx_int_t decode(Call& call, ngx_http_upstream_t* u, std::string_view in)
{
    if (!call.chunked) {
        if (u->length >= 0) {
            in = in.substr(0, static_cast<size_t>(u->length));
            u->length -= static_cast<off_t>(in.size());
            call.framed = u->length == 0;
        }
        return take(call, in);
    }
    while (!in.empty()) {
        std::string_view payload;
        const auto state = call.decoder.next(in, payload);
        if (state == wire::ChunkedDecoder::State::invalid
            || take(call, payload) != NGX_OK)
        {
            return NGX_ERROR;
        }
        if (state == wire::ChunkedDecoder::State::done) {
            call.framed = true;
            u->length = 0;
            return NGX_OK;
        }
    }
    return NGX_OK;
}

ngx_int_t filter(void* data, ssize_t bytes) noexcept
{
    auto* sr = static_cast<ngx_http_request_t*>(data);
    Call& call = *call_of(sr);
    ngx_buf_t* b = &sr->upstream->buffer;
    const std::string_view in = between(b->last, b->last + bytes);
    b->last += bytes;
    const ngx_int_t rc = guard(&call.log, ngx_int_t(NGX_ERROR),
        [&] { return decode(call, sr->upstream, in); });
    call.failed = call.failed || rc != NGX_OK;
    return rc;
}

void abort_request(ngx_http_request_t*) noexcept
{
}

void finalize(ngx_http_request_t* sr, ngx_int_t rc) noexcept
{
    Call& call = *call_of(sr);
    // A message without length ends with its connection.
    if (rc == NGX_OK && !call.chunked && sr->upstream->length == -1) {
        call.framed = true;
    }
}

// The subrequest's first turn.
void start_upstream(ngx_http_request_t* sr) noexcept
{
    Call& call = *call_of(sr);
    sr->write_event_handler = ngx_http_request_empty_handler;
    if (ngx_http_upstream_create(sr) != NGX_OK) {
        ngx_http_finalize_request(sr, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }
    ngx_http_upstream_t* u = sr->upstream;
    u->conf = call.plan.conf;
    u->ssl = call.plan.tls;
    u->schema = call.plan.schema;
    u->output.tag = reinterpret_cast<ngx_buf_tag_t>(&ngx_http_ai_proxy_module);
    u->create_request = create_request;
    u->reinit_request = reinit;
    u->process_header = status_line;
    u->abort_request = abort_request;
    u->finalize_request = finalize;
    u->input_filter_init = filter_init;
    u->input_filter = filter;
    u->input_filter_ctx = sr;
    u->buffering = 0;
    ngx_http_ai_proxy_peer_start(sr);
}

ngx_connection_t* make_connection(ngx_pool_t* pool, Call& call)
{
    auto* c = static_cast<ngx_connection_t*>(
        ngx_pcalloc(pool, sizeof(ngx_connection_t)));
    auto* events =
        static_cast<ngx_event_t*>(ngx_pcalloc(pool, 2 * sizeof(ngx_event_t)));
    if (c == nullptr || events == nullptr) {
        return nullptr;
    }
    // Active events are not given to epoll.
    for (ngx_event_t* ev : {&events[0], &events[1]}) {
        ev->data = c;
        ev->active = 1;
        ev->log = &call.log;
    }
    events[1].write = 1;
    events[1].ready = 1;
    c->read = &events[0];
    c->write = &events[1];
    c->fd = static_cast<ngx_socket_t>(-1);
    c->pool = pool;
    c->log = &call.log;
    c->log_error = NGX_ERROR_ERR;
    c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;
    // ip_hash and variables of the address look there without asking.
    static struct sockaddr_in nobody;
    nobody.sin_family = AF_INET;
    nobody.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->sockaddr = reinterpret_cast<struct sockaddr*>(&nobody);
    c->socklen = sizeof(nobody);
    c->local_sockaddr = c->sockaddr;
    c->local_socklen = c->socklen;
    c->addr_text = ngx_string("127.0.0.1");
    return c;
}

// A request like one of the first server's clients, but for the client.
ngx_http_request_t* make_request(
    ngx_pool_t* pool, ngx_connection_t* c, ngx_cycle_t* cycle)
{
    auto* r = static_cast<ngx_http_request_t*>(
        ngx_pcalloc(pool, sizeof(ngx_http_request_t)));
    auto* hc = static_cast<ngx_http_connection_t*>(
        ngx_pcalloc(pool, sizeof(ngx_http_connection_t)));
    auto* cmcf = static_cast<ngx_http_core_main_conf_t*>(
        ngx_http_cycle_get_module_main_conf(cycle, ngx_http_core_module));
    if (r == nullptr || hc == nullptr || cmcf == nullptr
        || cmcf->servers.nelts == 0)
    {
        return nullptr;
    }
    ngx_http_conf_ctx_t* conf =
        static_cast<ngx_http_core_srv_conf_t**>(cmcf->servers.elts)[0]->ctx;
    hc->conf_ctx = conf;
    r->signature = NGX_HTTP_MODULE;
    r->pool = pool;
    r->connection = c;
    c->data = r;
    r->main = r;
    r->count = 1;
    r->main_conf = conf->main_conf;
    r->srv_conf = conf->srv_conf;
    r->loc_conf = conf->loc_conf;
    r->http_connection = hc;
    r->ctx = static_cast<void**>(
        ngx_pcalloc(pool, sizeof(void*) * ngx_http_max_module));
    r->variables = static_cast<ngx_http_variable_value_t*>(ngx_pcalloc(
        pool, cmcf->variables.nelts * sizeof(ngx_http_variable_value_t)));
    if (r->ctx == nullptr || r->variables == nullptr
        || ngx_list_init(
               &r->headers_in.headers, pool, 1, sizeof(ngx_table_elt_t))
            != NGX_OK
        || ngx_list_init(
               &r->headers_out.headers, pool, 1, sizeof(ngx_table_elt_t))
            != NGX_OK
        || ngx_list_init(
               &r->headers_out.trailers, pool, 1, sizeof(ngx_table_elt_t))
            != NGX_OK)
    {
        return nullptr;
    }
    r->headers_in.content_length_n = -1;
    r->headers_in.keep_alive_n = -1;
    r->headers_out.content_length_n = -1;
    r->headers_out.last_modified_time = -1;
    r->uri_changes = NGX_HTTP_MAX_URI_CHANGES + 1;
    r->subrequests = NGX_HTTP_MAX_SUBREQUESTS + 1;
    r->method = NGX_HTTP_GET;
    ngx_str_set(&r->method_name, "GET");
    r->http_version = NGX_HTTP_VERSION_11;
    r->start_sec = ngx_time();
    r->start_msec = ngx_cached_time->msec;
    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_request_empty_handler;
    return r;
}

bool start_below(Call& call, ngx_cycle_t* cycle)
{
    ngx_connection_t* c = make_connection(call.pool, call);
    ngx_http_request_t* r =
        c != nullptr ? make_request(call.pool, c, cycle) : nullptr;
    auto* ps = static_cast<ngx_http_post_subrequest_t*>(
        ngx_palloc(call.pool, sizeof(ngx_http_post_subrequest_t)));
    if (r == nullptr || ps == nullptr) {
        return false;
    }
    call.log = *ngx_cycle->log;
    call.log.handler = log_handler;
    call.log_data = {{c, r, r}, call.plan.what};
    call.log.data = &call.log_data;
    ps->handler = post_call;
    ps->data = &call;
    ngx_str_t uri = ngx_string("/");
    if (ngx_http_subrequest(
            r, &uri, nullptr, &call.sr, ps, NGX_HTTP_SUBREQUEST_BACKGROUND)
        != NGX_OK)
    {
        return false;
    }
    call.sr->write_event_handler = start_upstream;
    return true;
}

} // namespace

Call* start_call(CallPlan plan, ngx_cycle_t* cycle)
{
    ngx_pool_t* pool = ngx_create_pool(4096, ngx_cycle->log);
    if (pool == nullptr) {
        return nullptr;
    }
    Call* call = nullptr;
    try {
        call = pool_new<Call>(pool);
    } catch (const std::bad_alloc&) {
        ngx_destroy_pool(pool);
        throw;
    }
    call->plan = std::move(plan);
    call->pool = pool;
    call->done.handler = done_handler;
    call->done.data = call;
    call->done.log = ngx_cycle->log;
    call->deadline.handler = deadline_handler;
    call->deadline.data = call;
    call->deadline.log = ngx_cycle->log;
    if (!start_below(*call, cycle)) {
        ngx_destroy_pool(pool);
        return nullptr;
    }
    ngx_add_timer(&call->deadline, call->plan.total);
    ngx_http_run_posted_requests(call->sr->connection);
    return call;
}

} // namespace ai_proxy::http
