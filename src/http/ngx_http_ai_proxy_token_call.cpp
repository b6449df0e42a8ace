#include "http/ngx_http_ai_proxy.h"

#include "core/config/gateway.h"

// The request to a token endpoint, over nginx's upstream.  It hangs below a
// request without a client: a connection that has no descriptor.

namespace ai_proxy::http {

void token_answer(TokenSource& source, int status, std::string_view body);

namespace {

constexpr size_t kMaxAnswer = 64 * 1024;
constexpr ngx_msec_t kTotal = 20'000;

} // namespace

struct TokenCall {
    TokenSource* source = nullptr;
    ngx_pool_t* pool = nullptr;
    ngx_http_request_t* sr = nullptr;
    std::string head, form, body;
    ngx_log_t log{};
    ngx_http_log_ctx_t log_ctx{};
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

TokenCall* call_of(ngx_http_request_t* sr) noexcept
{
    return static_cast<TokenCall*>(sr->post_subrequest->data);
}

u_char* log_handler(ngx_log_t* log, u_char* buf, size_t len) noexcept
{
    if (log->action != nullptr) {
        u_char* end = ngx_snprintf(buf, len, " while %s", log->action);
        len -= static_cast<size_t>(end - buf);
        buf = end;
    }
    return ngx_snprintf(buf, len, ", to a token endpoint");
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

void close_call(TokenCall& call) noexcept
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
    call.source->call = nullptr;
    // The call lives in the pool.
    ngx_destroy_pool(pool);
}

// From the top of the event loop: the request below is finished.
void done_handler(ngx_event_t* ev) noexcept
{
    auto* call = static_cast<TokenCall*>(ev->data);
    TokenSource& source = *call->source;
    guard_void(
        ngx_cycle->log,
        [&] {
            const bool whole = call->framed && !call->failed;
            const int status = whole ? static_cast<int>(call->status.code) : 0;
            const std::string body = std::move(call->body);
            close_call(*call);
            call = nullptr;
            token_answer(source, status, body);
        },
        [&] {
            if (call != nullptr) {
                close_call(*call);
            }
        });
}

ngx_int_t post_call(ngx_http_request_t*, void* data, ngx_int_t) noexcept
{
    auto* call = static_cast<TokenCall*>(data);
    if (!call->over) {
        call->over = true;
        ngx_post_event(&call->done, &ngx_posted_events);
    }
    return NGX_OK;
}

void deadline_handler(ngx_event_t* ev) noexcept
{
    auto* call = static_cast<TokenCall*>(ev->data);
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

ngx_buf_t* memory(ngx_pool_t* pool, std::string& text)
{
    auto* b = static_cast<ngx_buf_t*>(ngx_calloc_buf(pool));
    if (b != nullptr) {
        b->start = b->pos = reinterpret_cast<u_char*>(text.data());
        b->end = b->last = b->pos + text.size();
        b->memory = 1;
    }
    return b;
}

ngx_int_t status_line(ngx_http_request_t* sr) noexcept;

ngx_int_t reinit(ngx_http_request_t* sr) noexcept
{
    TokenCall& call = *call_of(sr);
    sr->state = 0;
    call.status = {};
    call.decoder = {};
    call.chunked = call.framed = false;
    call.body.clear();
    sr->upstream->process_header = status_line;
    return NGX_OK;
}

ngx_int_t create_request(ngx_http_request_t* sr) noexcept
{
    TokenCall& call = *call_of(sr);
    ngx_chain_t** last = &sr->upstream->request_bufs;
    for (std::string* text : {&call.head, &call.form}) {
        ngx_chain_t* cl = ngx_alloc_chain_link(sr->pool);
        if (cl == nullptr || (cl->buf = memory(sr->pool, *text)) == nullptr) {
            return NGX_ERROR;
        }
        cl->next = nullptr;
        cl->buf->flush = text == &call.form ? 1 : 0;
        *last = cl;
        last = &cl->next;
    }
    return reinit(sr);
}

std::string_view between(const u_char* begin, const u_char* end) noexcept
{
    return {
        reinterpret_cast<const char*>(begin), static_cast<size_t>(end - begin)};
}

// False when the framing is none that we read.
bool take_framing(TokenCall& call, ngx_http_upstream_t* u,
    std::string_view name, std::string_view value) noexcept
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
    }
    return true;
}

ngx_int_t header(ngx_http_request_t* sr) noexcept
{
    TokenCall& call = *call_of(sr);
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
    TokenCall& call = *call_of(sr);
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
    TokenCall& call = *call_of(sr);
    sr->upstream->length =
        call.chunked ? 1 : sr->upstream->headers_in.content_length_n;
    call.framed = sr->upstream->length == 0;
    return NGX_OK;
}

ngx_int_t take(TokenCall& call, std::string_view bytes)
{
    if (bytes.size() > kMaxAnswer - call.body.size()) {
        return NGX_ERROR;
    }
    call.body += bytes;
    return NGX_OK;
}

ngx_int_t decode(TokenCall& call, ngx_http_upstream_t* u, std::string_view in)
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
    TokenCall& call = *call_of(sr);
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
    TokenCall& call = *call_of(sr);
    // A message without length ends with its connection.
    if (rc == NGX_OK && !call.chunked && sr->upstream->length == -1) {
        call.framed = true;
    }
}

// The subrequest's first turn.
void start_upstream(ngx_http_request_t* sr) noexcept
{
    TokenCall& call = *call_of(sr);
    sr->write_event_handler = ngx_http_request_empty_handler;
    if (ngx_http_upstream_create(sr) != NGX_OK) {
        ngx_http_finalize_request(sr, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }
    ngx_http_upstream_t* u = sr->upstream;
    u->conf = &call.source->conf;
    u->ssl = call.source->provider->token_endpoint.tls;
    u->schema = call.source->schema;
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

ngx_connection_t* make_connection(ngx_pool_t* pool, TokenCall& call)
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
    return c;
}

// A request like that of the client, but for the client.
ngx_http_request_t* make_request(
    ngx_pool_t* pool, ngx_connection_t* c, ngx_http_request_t* like)
{
    auto* r = static_cast<ngx_http_request_t*>(
        ngx_pcalloc(pool, sizeof(ngx_http_request_t)));
    auto* cmcf = static_cast<ngx_http_core_main_conf_t*>(
        ngx_http_get_module_main_conf(like, ngx_http_core_module));
    if (r == nullptr) {
        return nullptr;
    }
    r->signature = NGX_HTTP_MODULE;
    r->pool = pool;
    r->connection = c;
    c->data = r;
    r->main = r;
    r->count = 1;
    r->main_conf = like->main_conf;
    r->srv_conf = like->srv_conf;
    r->loc_conf = like->loc_conf;
    r->http_connection = like->http_connection;
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

std::string request_head(const TokenSource& source, size_t length)
{
    const provider::Endpoint& place = source.provider->token_endpoint;
    std::string head = "POST ";
    head.append(place.path.empty() ? "/" : place.path);
    head.append(" HTTP/1.1\r\nHost: ").append(place.authority());
    head.append("\r\nContent-Length: ").append(std::to_string(length));
    head.append("\r\nContent-Type: application/x-www-form-urlencoded"
                "\r\nAccept: application/json\r\nAccept-Encoding: identity"
                "\r\nUser-Agent: nginx-ai-proxy\r\nConnection: close\r\n\r\n");
    return head;
}

bool start_below(TokenCall& call, ngx_http_request_t* like)
{
    ngx_connection_t* c = make_connection(call.pool, call);
    ngx_http_request_t* r =
        c != nullptr ? make_request(call.pool, c, like) : nullptr;
    auto* ps = static_cast<ngx_http_post_subrequest_t*>(
        ngx_palloc(call.pool, sizeof(ngx_http_post_subrequest_t)));
    if (r == nullptr || ps == nullptr) {
        return false;
    }
    call.log = *ngx_cycle->log;
    call.log.handler = log_handler;
    call.log.data = &call.log_ctx;
    call.log_ctx = {c, r, r};
    ps->handler = post_call;
    ps->data = &call;
    ngx_str_t uri = ngx_string("/token");
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

bool start_token_call(
    TokenSource& source, ngx_http_request_t* r, std::string form)
{
    ngx_pool_t* pool = ngx_create_pool(4096, ngx_cycle->log);
    if (pool == nullptr) {
        return false;
    }
    TokenCall* call = nullptr;
    try {
        call = pool_new<TokenCall>(pool);
        call->source = &source;
        call->pool = pool;
        call->head = request_head(source, form.size());
        call->form = std::move(form);
    } catch (const std::bad_alloc&) {
        ngx_destroy_pool(pool);
        throw;
    }
    call->done.handler = done_handler;
    call->done.data = call;
    call->done.log = ngx_cycle->log;
    call->deadline.handler = deadline_handler;
    call->deadline.data = call;
    call->deadline.log = ngx_cycle->log;
    if (!start_below(*call, r)) {
        ngx_destroy_pool(pool);
        return false;
    }
    source.call = call;
    ngx_add_timer(&call->deadline, kTotal);
    ngx_http_run_posted_requests(call->sr->connection);
    return true;
}

} // namespace ai_proxy::http
