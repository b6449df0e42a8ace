#include "http/ngx_http_ai_proxy.h"

// A try through an internal location: the operator's own proxy_pass does the
// connection, these filters watch its response and feed the codec.

namespace ai_proxy::http {

ngx_http_output_header_filter_pt next_header_filter;
ngx_http_output_body_filter_pt next_body_filter;

namespace {

ngx_table_elt_t* push(
    ngx_http_request_t* sr, std::string_view name, std::string_view value)
{
    auto* h =
        static_cast<ngx_table_elt_t*>(ngx_list_push(&sr->headers_in.headers));
    if (h == nullptr) {
        throw std::bad_alloc();
    }
    h->key = copy(sr->pool, name);
    h->value = copy(sr->pool, value);
    h->lowcase_key = static_cast<u_char*>(ngx_pnalloc(sr->pool, name.size()));
    if (h->key.data == nullptr || h->value.data == nullptr
        || h->lowcase_key == nullptr)
    {
        throw std::bad_alloc();
    }
    h->hash = ngx_hash_strlow(h->lowcase_key, h->key.data, h->key.len);
    ngx_ai_table_elt_end(h);
    return h;
}

// The subrequest starts with a copy of the client's header list, which shares
// its tail: a fresh list keeps the client's credentials at home.
void set_headers(ngx_http_request_t* sr, const Run& run, size_t length)
{
    ngx_http_headers_in_t fresh;
    ngx_memzero(&fresh, sizeof(fresh));
    fresh.server = sr->headers_in.server;
    fresh.content_length_n = static_cast<off_t>(length);
    fresh.keep_alive_n = -1;
    sr->headers_in = fresh;
    if (ngx_list_init(
            &sr->headers_in.headers, sr->pool, 16, sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        throw std::bad_alloc();
    }
    for (const auto& [name, value] : run.attempt->outbound.headers) {
        ngx_table_elt_t* h = push(sr, name, value);
        if (iequals(name, "content-type")) {
            sr->headers_in.content_type = h;
        } else if (iequals(name, "authorization")) {
            sr->headers_in.authorization = h;
        }
    }
    if (length != 0) {
        sr->headers_in.content_length =
            push(sr, "Content-Length", std::to_string(length));
    }
}

void set_body(ngx_http_request_t* sr, const Run& run)
{
    auto* body = static_cast<ngx_http_request_body_t*>(
        ngx_pcalloc(sr->pool, sizeof(ngx_http_request_body_t)));
    if (body == nullptr) {
        throw std::bad_alloc();
    }
    ngx_chain_t** next = &body->bufs;
    ngx_buf_t* b = nullptr;
    for (std::string_view piece : run.attempt->outbound.body) {
        if (piece.empty()) {
            continue;
        }
        ngx_chain_t* cl = ngx_alloc_chain_link(sr->pool);
        b = static_cast<ngx_buf_t*>(ngx_calloc_buf(sr->pool));
        if (cl == nullptr || b == nullptr) {
            throw std::bad_alloc();
        }
        b->pos = reinterpret_cast<u_char*>(const_cast<char*>(piece.data()));
        b->last = b->pos + piece.size();
        b->start = b->pos; // nginx rewinds to it for another peer
        b->end = b->last;
        b->memory = 1;
        cl->buf = b;
        cl->next = nullptr;
        *next = cl;
        next = &cl->next;
    }
    if (b != nullptr) {
        b->last_buf = 1;
    }
    sr->request_body = body;
}

constexpr struct {
    std::string_view name;
    ngx_uint_t method;
} kMethods[] = {
    {"GET", NGX_HTTP_GET},
    {"HEAD", NGX_HTTP_HEAD},
    {"POST", NGX_HTTP_POST},
    {"PUT", NGX_HTTP_PUT},
    {"DELETE", NGX_HTTP_DELETE},
    {"PATCH", NGX_HTTP_PATCH},
};

void set_method(ngx_http_request_t* sr, const Run& run)
{
    sr->method = NGX_HTTP_UNKNOWN;
    for (const auto& row : kMethods) {
        if (row.name == run.attempt->outbound.method) {
            sr->method = row.method;
        }
    }
    sr->method_name = copy(sr->pool, run.attempt->outbound.method);
    if (sr->method_name.data == nullptr) {
        throw std::bad_alloc();
    }
}

void collect_headers(ngx_http_request_t* sr, std::vector<Header>& out)
{
    for (ngx_list_part_t* part = &sr->headers_out.headers.part; part != nullptr;
         part = part->next)
    {
        auto* h = static_cast<ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (h[i].hash != 0) {
                out.push_back({view(h[i].key), view(h[i].value)});
            }
        }
    }
    if (sr->headers_out.content_type.len != 0) {
        out.push_back({"content-type", view(sr->headers_out.content_type)});
    }
}

void leave_handler(ngx_event_t* ev) noexcept
{
    auto* run = static_cast<Run*>(ev->data);
    ngx_connection_t* c = run->ctx->r->connection;
    ngx_http_set_log_request(c->log, run->ctx->r);
    run->stopped = ErrorCode::superseded;
    stop_run(*run);
    ngx_http_run_posted_requests(c);
}

// The answer was ended: its upstream is not read on, once no filter is under
// way.
void leave_soon(Run& run) noexcept
{
    run.timer.handler = leave_handler;
    run.timer.data = &run;
    run.timer.log = run.ctx->r->connection->log;
    ngx_post_event(&run.timer, &ngx_posted_events);
}

// Converts what the client is ready for; the rest stays unread, so that the
// location's upstream stops reading.
ngx_int_t consume(ngx_http_request_t* sr, Run& run)
{
    using State = policy::Response::State;
    auto tag = reinterpret_cast<ngx_buf_tag_t>(&ngx_http_ai_proxy_module);
    Ctx& ctx = *run.ctx;
    for (;;) {
        if (run.busy != nullptr) {
            if (next_body_filter(sr, nullptr) == NGX_ERROR) {
                return NGX_ERROR;
            }
            ngx_chain_t* none = nullptr;
            ngx_chain_update_chains(sr->pool, &run.free, &run.busy, &none, tag);
        }
        if (run.busy != nullptr) {
            sr->buffered |= NGX_HTTP_COPY_BUFFERED;
            return NGX_AGAIN;
        }
        if (run.in == nullptr) {
            sr->buffered &= ~static_cast<unsigned>(NGX_HTTP_COPY_BUFFERED);
            return NGX_OK;
        }
        ngx_chain_t* cl = run.in;
        run.in = cl->next;
        ngx_buf_t* b = cl->buf;
        std::string& out = scratch();
        if (run.attempt != nullptr) {
            if (ngx_buf_in_memory(b)) {
                feed_run(run,
                    {reinterpret_cast<char*>(b->pos),
                        static_cast<size_t>(b->last - b->pos)},
                    out);
            }
            if ((b->last_buf || b->last_in_chain) && !run.framed) {
                run.framed = true;
                policy::Response& response = *run.attempt->response;
                if (response.state() == State::more) {
                    (void)response.end(true, out, ctx.io.now());
                }
            }
        }
        b->pos = b->last;
        b->file_pos = b->file_last;
        ngx_free_chain(sr->pool, cl);
        if (out.empty()) {
            continue;
        }
        if (!claim_client(run)) {
            return NGX_ERROR;
        }
        ctx.written = ngx_current_msec;
        if (!ctx.committed) {
            if (commit_stream(ctx, *run.attempt->response) != NGX_OK) {
                return NGX_ERROR;
            }
            watch_run(run);
        }
        ngx_chain_t* chain = to_chain(sr->pool, &run.free, tag, out);
        if (chain == nullptr || next_body_filter(sr, chain) == NGX_ERROR) {
            return NGX_ERROR;
        }
        ngx_chain_update_chains(sr->pool, &run.free, &run.busy, &chain, tag);
        if (run.attempt != nullptr && run.attempt->response->ended_early()) {
            leave_soon(run);
        }
    }
}

} // namespace

ngx_int_t write_through_location(Run& run, std::string_view bytes)
{
    auto tag = reinterpret_cast<ngx_buf_tag_t>(&ngx_http_ai_proxy_module);
    ngx_http_request_t* sr = run.sr;
    ngx_chain_t* chain = to_chain(sr->pool, &run.free, tag, bytes);
    if (chain == nullptr || next_body_filter(sr, chain) == NGX_ERROR) {
        return NGX_ERROR;
    }
    ngx_chain_update_chains(sr->pool, &run.free, &run.busy, &chain, tag);
    return NGX_OK;
}

ngx_int_t start_location_try(Run& run)
{
    std::string_view location = view(run.upstream->location);
    std::string_view args;
    if (size_t mark = location.find('?'); mark != std::string_view::npos) {
        args = location.substr(mark + 1);
        location = location.substr(0, mark);
    }
    if (start_subrequest(run, to_ngx(location), to_ngx(args), 0) != NGX_OK) {
        return NGX_ERROR;
    }
    ngx_http_request_t* sr = run.sr;
    size_t length = 0;
    for (std::string_view piece : run.attempt->outbound.body) {
        length += piece.size();
    }
    set_headers(sr, run, length);
    set_method(sr, run);
    set_body(sr, run);
    sr->filter_need_in_memory = 1;
    sr->header_in = run.ctx->r->header_in;
    return NGX_OK;
}

ErrorCode location_outcome(Run& run, ngx_int_t rc)
{
    using State = policy::Response::State;
    policy::Response& response = *run.attempt->response;
    if (!run.header_seen) {
        if (run.stopped != ErrorCode::none) {
            return run.stopped;
        }
        return rc == NGX_HTTP_GATEWAY_TIME_OUT ? ErrorCode::timeout_first_byte
                                               : ErrorCode::upstream_connect;
    }
    if (response.state() == State::more) {
        (void)response.end(false, run.tail, run.ctx->io.now());
    }
    if (response.told()) {
        return response.error().code;
    }
    if (response.state() == State::failed) {
        return run.stopped != ErrorCode::none ? run.stopped
                                              : response.error().code;
    }
    return ErrorCode::none;
}

ngx_int_t header_filter(ngx_http_request_t* r) noexcept
{
    Run* run = run_of(r);
    if (run == nullptr || run->kind != Run::Kind::location) {
        return replace_error_page(r);
    }
    if (run->attempt == nullptr || run->settled || run->header_seen) {
        return NGX_OK;
    }
    return guard(r->connection->log, ngx_int_t(NGX_ERROR), [&]() -> ngx_int_t {
        run->header_seen = true;
        run->progress = ngx_current_msec;
        std::vector<Header> headers;
        collect_headers(r, headers);
        run->attempt->response->head(
            static_cast<int>(r->headers_out.status), headers);
        if (r->headers_out.content_length_n > 0) {
            run->attempt->response->expect(
                static_cast<uint64_t>(r->headers_out.content_length_n));
        }
        watch_run(*run);
        return NGX_OK;
    });
}

ngx_int_t body_filter(ngx_http_request_t* r, ngx_chain_t* in) noexcept
{
    Run* run = run_of(r);
    if (run == nullptr || run->kind != Run::Kind::location) {
        if (run != nullptr && run->ctx->draining != nullptr) {
            return drains_on(*run, in, NGX_OK) ? NGX_OK : NGX_ERROR;
        }
        const ngx_int_t rc = replace_error_body(r, in);
        if (run == nullptr) {
            return rc;
        }
        if (rc == NGX_ERROR) {
            return guard(r->connection->log, rc, [&]() -> ngx_int_t {
                return drains_on(*run, in, rc) ? NGX_OK : rc;
            });
        }
        release_sent(r->pool, in);
        return rc;
    }
    return guard(r->connection->log, ngx_int_t(NGX_ERROR), [&]() -> ngx_int_t {
        if (in != nullptr
            && ngx_chain_add_copy(r->pool, &run->in, in) != NGX_OK) {
            return NGX_ERROR;
        }
        if (!run->header_seen) {
            run->in = nullptr;
            return NGX_ERROR;
        }
        return consume(r, *run);
    });
}

} // namespace ai_proxy::http
