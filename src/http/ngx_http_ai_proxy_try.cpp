#include "http/ngx_http_ai_proxy.h"

#include <charconv>

// One try against a provider as a subrequest with its own upstream callbacks.
// The response codec of the core is the upstream's input filter.

namespace ai_proxy::http {

namespace {

ngx_int_t create_request(ngx_http_request_t* sr) noexcept;
ngx_int_t process_status_line(ngx_http_request_t* sr) noexcept;
ngx_int_t process_header(ngx_http_request_t* sr) noexcept;
ngx_int_t input_filter_init(void* data) noexcept;
ngx_int_t input_filter(void* data, ssize_t bytes) noexcept;
void finalize_upstream(ngx_http_request_t* sr, ngx_int_t rc) noexcept;

ngx_int_t post_try(
    ngx_http_request_t* sr, void* data, ngx_int_t rc) noexcept;

// A pipe that is never asked for: callbacks nginx wants to be there.
void abort_request(ngx_http_request_t*) noexcept {}

ngx_int_t reinit_request(ngx_http_request_t* sr) noexcept
{
    Run* run = run_of(sr);
    sr->state = 0;
    run->status = {};
    run->fields.clear();
    run->header_seen = run->chunked = run->framed = false;
    run->keepalive = true;
    run->decoder = {};
    sr->upstream->process_header = process_status_line;
    return NGX_OK;
}

} // namespace

std::string& scratch() noexcept
{
    // Bytes on their way from one read to the client; empty between events.
    static std::string buffer;
    buffer.clear();
    if (buffer.capacity() > 1024 * 1024) {
        buffer.shrink_to_fit();
    }
    return buffer;
}

Run::~Run()
{
    stop_timers(*this);
}

void stop_timers(Run& run) noexcept
{
    if (run.deadline.timer_set) {
        ngx_del_timer(&run.deadline);
    }
    if (run.timer.timer_set) {
        ngx_del_timer(&run.timer);
    }
    if (run.timer.posted) {
        ngx_delete_posted_event(&run.timer);
    }
}

Run* run_of(ngx_http_request_t* sr) noexcept
{
    if (sr == sr->main || sr->post_subrequest == nullptr
        || sr->post_subrequest->handler != post_try) {
        return nullptr;
    }
    return static_cast<Run*>(sr->post_subrequest->data);
}

ngx_int_t start_subrequest(Run& run, ngx_str_t uri, ngx_str_t args,
    ngx_uint_t flags)
{
    ngx_http_request_t* r = run.ctx->r;
    auto* ps = static_cast<ngx_http_post_subrequest_t*>(
        ngx_palloc(r->pool, sizeof(ngx_http_post_subrequest_t)));
    if (ps == nullptr) {
        return NGX_ERROR;
    }
    ps->handler = post_try;
    ps->data = &run;
    return ngx_http_subrequest(r, &uri, &args, &run.sr, ps, flags);
}

namespace {

void deadline_handler(ngx_event_t* ev) noexcept
{
    Run* run = static_cast<Run*>(ev->data);
    run->deadline_hit = true;
    stop_run(*run);
}

void arm_deadline(Run& run)
{
    uint64_t total = run.attempt->provider->options.timeouts.total;
    if (total == 0) {
        return;
    }
    run.deadline.handler = deadline_handler;
    run.deadline.data = &run;
    run.deadline.log = run.ctx->r->connection->log;
    ngx_add_timer(&run.deadline, static_cast<ngx_msec_t>(total));
}

} // namespace

bool start_try(Ctx& ctx, async::AttemptOp& op)
{
    auto owned = std::make_unique<Run>();
    Run& run = *owned;
    run.ctx = &ctx;
    run.op = &op;
    run.attempt = op.attempt;
    run.upstream =
        &main_conf(ctx.r)->configuration->upstreams[op.attempt->provider_index];
    ctx.runs.push_back(std::move(owned));
    ctx.run = &run;
    ctx.attempt_ended = false;
    arm_deadline(run);

    if (op.attempt->provider->options.type->mock) {
        run.kind = Run::Kind::mock;
        start_mock_try(run);
        return false;
    }
    ngx_int_t rc;
    if (run.upstream->location.len != 0) {
        run.kind = Run::Kind::location;
        rc = start_location_try(run);
    } else {
        rc = start_subrequest(
            run, ctx.r->uri, ctx.r->args, NGX_HTTP_SUBREQUEST_CLONE);
    }
    if (rc != NGX_OK) {
        stop_timers(run);
        run.op = nullptr;
        op.result.code = ErrorCode::internal;
        op.result.end = ctx.io.now();
        return true;
    }
    return false;
}

ngx_int_t try_content_handler(ngx_http_request_t* sr) noexcept
{
    Run* run = run_of(sr);
    sr->request_body = nullptr;
    if (run->attempt == nullptr || ngx_http_upstream_create(sr) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    ngx_http_upstream_t* u = sr->upstream;
    // nginx reads the configuration only; which of the three holds depends on
    // how far the response is.
    u->conf = const_cast<ngx_http_upstream_conf_t*>(&run->upstream->head_conf);
    u->ssl = run->attempt->provider->endpoint.tls;
    u->schema = run->upstream->schema;
    u->output.tag = reinterpret_cast<ngx_buf_tag_t>(&ngx_http_ai_proxy_module);
    u->create_request = create_request;
    u->reinit_request = reinit_request;
    u->process_header = process_status_line;
    u->abort_request = abort_request;
    u->finalize_request = finalize_upstream;
    u->input_filter_init = input_filter_init;
    u->input_filter = input_filter;
    u->input_filter_ctx = sr;
    u->buffering = 0;

    sr->main->count++;
    ngx_http_ai_proxy_peer_start(sr);
    return NGX_DONE;
}

namespace {

bool has_header(const provider::Outbound& outbound, std::string_view name)
{
    for (const auto& [key, value] : outbound.headers) {
        if (iequals(key, name)) {
            return true;
        }
    }
    return false;
}

// Request line and header fields.  Accept-Encoding is fixed: what the codec
// cannot read must not come.
std::string request_head(const Run& run, size_t length)
{
    const provider::Outbound& outbound = run.attempt->outbound;
    std::string head;
    head.reserve(512);
    head.append(outbound.method).append(" ").append(outbound.path);
    head.append(" HTTP/1.1\r\nHost: ").append(run.upstream->authority);
    head.append("\r\n");
    if (length != 0 || (outbound.method != "GET" && outbound.method != "HEAD")) {
        head.append("Content-Length: ").append(std::to_string(length));
        head.append("\r\n");
    }
    head.append("Accept-Encoding: identity\r\n");
    if (!has_header(outbound, "user-agent")) {
        head.append("User-Agent: nginx-ai-proxy\r\n");
    }
    for (const auto& [key, value] : outbound.headers) {
        head.append(key).append(": ").append(value).append("\r\n");
    }
    return head.append("\r\n");
}

ngx_chain_t* memory_buf(ngx_pool_t* pool, std::string_view bytes)
{
    ngx_chain_t* cl = ngx_alloc_chain_link(pool);
    ngx_buf_t* b = static_cast<ngx_buf_t*>(ngx_calloc_buf(pool));
    if (cl == nullptr || b == nullptr) {
        return nullptr;
    }
    b->pos = reinterpret_cast<u_char*>(const_cast<char*>(bytes.data()));
    b->last = b->pos + bytes.size();
    b->start = b->pos; // nginx rewinds to it for another peer
    b->end = b->last;
    b->memory = 1;
    cl->buf = b;
    cl->next = nullptr;
    return cl;
}

ngx_int_t create_request(ngx_http_request_t* sr) noexcept
{
    return guard(sr->connection->log, ngx_int_t(NGX_ERROR), [sr]() -> ngx_int_t {
        Run* run = run_of(sr);
        const provider::Outbound& outbound = run->attempt->outbound;
        size_t length = 0;
        for (std::string_view piece : outbound.body) {
            length += piece.size();
        }
        ngx_str_t head = copy(sr->pool, request_head(*run, length));
        ngx_chain_t* first =
            head.data != nullptr ? memory_buf(sr->pool, view(head)) : nullptr;
        if (first == nullptr) {
            return NGX_ERROR;
        }
        ngx_chain_t* last = first;
        for (std::string_view piece : outbound.body) {
            if (piece.empty()) {
                continue;
            }
            last->next = memory_buf(sr->pool, piece);
            if (last->next == nullptr) {
                return NGX_ERROR;
            }
            last = last->next;
        }
        last->buf->flush = 1;
        sr->upstream->request_bufs = first;
        return reinit_request(sr);
    });
}

ngx_int_t process_status_line(ngx_http_request_t* sr) noexcept
{
    Run* run = run_of(sr);
    ngx_http_upstream_t* u = sr->upstream;
    ngx_int_t rc = ngx_http_parse_status_line(sr, &u->buffer, &run->status);
    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }
    if (rc == NGX_ERROR || run->status.code == NGX_HTTP_SWITCHING_PROTOCOLS) {
        log_text(NGX_LOG_ERR, sr->connection->log,
            "upstream sent no valid HTTP/1.1 status line");
        run->invalid_header = true;
        return NGX_HTTP_UPSTREAM_INVALID_HEADER;
    }
    u->headers_in.status_n = run->status.code;
    if (u->state != nullptr && u->state->status == 0) {
        u->state->status = run->status.code;
    }
    run->keepalive = run->status.http_version >= NGX_HTTP_VERSION_11;
    u->process_header = process_header;
    return process_header(sr);
}

bool parse_length(std::string_view text, off_t& length)
{
    uint64_t n = 0;
    auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (ec != std::errc() || end != text.data() + text.size()
        || n > static_cast<uint64_t>(NGX_MAX_OFF_T_VALUE)) {
        return false;
    }
    length = static_cast<off_t>(n);
    return true;
}

// Framing fields (RFC 9112 6.3); false when they are contradictory.
bool take_framing(Run& run, ngx_http_upstream_t* u, std::string_view name,
    std::string_view value)
{
    if (iequals(name, "content-length")) {
        off_t length;
        if (!parse_length(value, length)
            || (u->headers_in.content_length_n != -1
                && u->headers_in.content_length_n != length)) {
            return false;
        }
        u->headers_in.content_length_n = length;

    } else if (iequals(name, "transfer-encoding")) {
        if (!iequals(trim(value), "chunked") || run.chunked) {
            return false;
        }
        run.chunked = true;

    } else if (iequals(name, "connection")) {
        if (iequals(trim(value), "close")) {
            run.keepalive = false;
        } else if (iequals(trim(value), "keep-alive")) {
            run.keepalive = true;
        }
    }
    return true;
}

// Responses that end with their header (RFC 9112 6.3).
bool bodyless(const Run& run)
{
    return run.status.code == NGX_HTTP_NO_CONTENT
        || run.status.code == NGX_HTTP_NOT_MODIFIED
        || run.attempt->outbound.method == "HEAD";
}

ngx_int_t header_done(ngx_http_request_t* sr, Run& run)
{
    ngx_http_upstream_t* u = sr->upstream;
    if (run.status.code < 200) {
        // An interim response (100, 103): the real one follows.
        u->headers_in.status_n = 0;
        u->headers_in.content_length_n = -1;
        u->state->status = 0;
        (void) reinit_request(sr);
        return process_status_line(sr);
    }
    if (run.chunked && u->headers_in.content_length_n != -1) {
        u->headers_in.content_length_n = -1;
        run.keepalive = false;
    }
    std::vector<Header> headers;
    headers.reserve(run.fields.size());
    for (const auto& [name, value] : run.fields) {
        headers.push_back({name, value});
    }
    run.header_seen = true;
    policy::Response& response = *run.attempt->response;
    response.head(static_cast<int>(run.status.code), headers);
    if (u->headers_in.content_length_n >= 0 && !bodyless(run)) {
        response.expect(static_cast<uint64_t>(u->headers_in.content_length_n));
    }
    run.fields.clear();
    run.fields.shrink_to_fit();
    return NGX_OK;
}

ngx_int_t process_header(ngx_http_request_t* sr) noexcept
{
    Run* run = run_of(sr);
    ngx_http_upstream_t* u = sr->upstream;
    return guard(sr->connection->log, ngx_int_t(NGX_ERROR), [&]() -> ngx_int_t {
        for (;;) {
            ngx_int_t rc = ngx_http_parse_header_line(sr, &u->buffer, 1);
            if (rc == NGX_AGAIN) {
                return NGX_AGAIN;
            }
            if (rc == NGX_HTTP_PARSE_HEADER_DONE) {
                return header_done(sr, *run);
            }
            if (rc == NGX_OK) {
                auto text = [](u_char* begin, u_char* end) {
                    return std::string(reinterpret_cast<char*>(begin),
                        static_cast<size_t>(end - begin));
                };
                std::string name =
                    text(sr->header_name_start, sr->header_name_end);
                std::string value = text(sr->header_start, sr->header_end);
                if (take_framing(*run, u, name, value)) {
                    run->fields.emplace_back(
                        std::move(name), std::move(value));
                    continue;
                }
            }
            log_text(NGX_LOG_ERR, sr->connection->log,
                "upstream sent an invalid header");
            run->invalid_header = true;
            return NGX_HTTP_UPSTREAM_INVALID_HEADER;
        }
    });
}

#if (NGX_HTTP_SSL)

// Before 1.23.3 ngx_ssl_recv() leaves the event ready after an error, and the
// unbuffered read loop never ends while the client is blocked.
ssize_t ssl_recv(ngx_connection_t* c, u_char* buf, size_t size) noexcept
{
    ssize_t n = ngx_ssl_recv(c, buf, size);
    if (n == NGX_ERROR) {
        c->read->ready = 0;
    }
    return n;
}

#endif

// The answer is complete as the codec sees it, the message perhaps not: read
// on for a moment so that the connection can be kept.
void drain(Run& run, ngx_http_upstream_t* u)
{
    run.whole_drain = true;
    u->conf = const_cast<ngx_http_upstream_conf_t*>(&run.upstream->drain_conf);
}

void body_over(Run& run, ngx_http_upstream_t* u, std::string& out)
{
    policy::Response& response = *run.attempt->response;
    run.framed = true;
    u->length = 0;
    u->keepalive = run.keepalive;
    if (response.state() == policy::Response::State::more) {
        (void) response.end(true, out, run.ctx->io.now());
    }
}

ngx_int_t input_filter_init(void* data) noexcept
{
    auto* sr = static_cast<ngx_http_request_t*>(data);
    Run* run = run_of(sr);
    ngx_http_upstream_t* u = sr->upstream;

    u->conf = const_cast<ngx_http_upstream_conf_t*>(&run->upstream->body_conf);
#if (NGX_HTTP_SSL)
    if (u->peer.connection->ssl != nullptr) {
        u->peer.connection->recv = ssl_recv;
    }
#endif
    if (bodyless(*run)) {
        u->length = 0;
    } else if (run->chunked) {
        u->length = 1;
    } else {
        u->length = u->headers_in.content_length_n;
    }
    if (u->length == 0) {
        return guard(
            sr->connection->log, ngx_int_t(NGX_ERROR), [&]() -> ngx_int_t {
                body_over(*run, u, run->tail);
                return NGX_OK;
            });
    }
    return NGX_OK;
}

} // namespace

void feed_run(Run& run, std::string_view payload, std::string& out)
{
    policy::Response& response = *run.attempt->response;
    if (!payload.empty() && response.state() == policy::Response::State::more) {
        (void) response.feed(payload, out, run.ctx->io.now());
    }
}

namespace {

// The request side is not needed once the answer has begun; an idle stream
// should not hold a prompt.
void release_request(Run& run, ngx_http_upstream_t* u)
{
    if (!u->request_body_sent) {
        return;
    }
    run.attempt->outbound.body.clear();
    run.attempt->outbound.owned.clear();
    run.ctx->exchange->release_body();
    run.ctx->body.reset();
}

ngx_int_t decode(
    Run& run, ngx_http_upstream_t* u, std::string_view in, std::string& out)
{
    if (run.chunked) {
        while (!in.empty()) {
            std::string_view payload;
            auto state = run.decoder.next(in, payload);
            feed_run(run, payload, out);
            if (state == wire::ChunkedDecoder::State::done) {
                if (!in.empty()) {
                    run.keepalive = false;
                }
                body_over(run, u, out);
                return NGX_OK;
            }
            if (state == wire::ChunkedDecoder::State::invalid) {
                run.invalid_header = true;
                return NGX_ERROR;
            }
        }
    } else if (u->length >= 0) {
        size_t n = std::min(in.size(), static_cast<size_t>(u->length));
        if (n < in.size()) {
            run.keepalive = false;
        }
        feed_run(run, in.substr(0, n), out);
        u->length -= static_cast<off_t>(n);
        if (u->length == 0) {
            body_over(run, u, out);
        }
    } else {
        feed_run(run, in, out);
    }
    return NGX_OK;
}

ngx_int_t input_filter(void* data, ssize_t bytes) noexcept
{
    auto* sr = static_cast<ngx_http_request_t*>(data);
    Run* run = run_of(sr);
    ngx_http_upstream_t* u = sr->upstream;
    if (run->attempt == nullptr) {
        return NGX_ERROR;
    }
    return guard(sr->connection->log, ngx_int_t(NGX_ERROR), [&]() -> ngx_int_t {
        ngx_buf_t* b = &u->buffer;
        std::string_view in(
            reinterpret_cast<char*>(b->last), static_cast<size_t>(bytes));
        b->last += bytes;

        std::string& out = scratch();
        if (decode(*run, u, in, out) != NGX_OK) {
            return NGX_ERROR;
        }
        policy::Response& response = *run->attempt->response;
        if (response.state() == policy::Response::State::failed
            && !run->framed) {
            u->length = 0;
            u->keepalive = 0;

        } else if (response.state() == policy::Response::State::whole
            && !run->framed && !run->whole_drain) {
            drain(*run, u);
        }
        if (out.empty()) {
            return NGX_OK;
        }
        if (!run->ctx->committed) {
            if (commit_stream(*run->ctx, response) != NGX_OK) {
                return NGX_ERROR;
            }
            release_request(*run, u);
        }
        ngx_chain_t* chain =
            to_chain(sr->pool, &u->free_bufs, u->output.tag, out);
        if (chain == nullptr) {
            return NGX_ERROR;
        }
        ngx_chain_t** last = &u->out_bufs;
        while (*last != nullptr) {
            last = &(*last)->next;
        }
        *last = chain;
        return NGX_OK;
    });
}

// What nginx's outcome means; header_seen and the codec say the rest.
ErrorCode classify(const Run& run, ngx_http_upstream_t* u, ngx_int_t rc)
{
    if (run.deadline_hit) {
        return ErrorCode::timeout_total;
    }
    if (run.invalid_header) {
        return ErrorCode::upstream_invalid;
    }
    if (run.header_seen) {
        return rc == NGX_HTTP_GATEWAY_TIME_OUT ? ErrorCode::timeout_idle
                                               : ErrorCode::upstream_truncated;
    }
    if (rc == NGX_HTTP_GATEWAY_TIME_OUT) {
        return u->request_sent ? ErrorCode::timeout_first_byte
                               : ErrorCode::timeout_connect;
    }
    if (u->request_sent) {
        return ErrorCode::upstream_closed;
    }
#if (NGX_HTTP_SSL)
    if (u->peer.connection != nullptr && u->peer.connection->ssl != nullptr) {
        return ErrorCode::upstream_tls;
    }
#endif
    return ErrorCode::upstream_connect;
}

// Called by nginx on every ending of the upstream, before it closes or keeps
// the connection.
void finalize_upstream(ngx_http_request_t* sr, ngx_int_t rc) noexcept
{
    Run* run = run_of(sr);
    if (run == nullptr || run->attempt == nullptr || run->settled) {
        return;
    }
    guard_void(
        sr->connection->log,
        [&] {
            policy::Response& response = *run->attempt->response;
            ngx_http_upstream_t* u = sr->upstream;
            using State = policy::Response::State;
            // A message without length ends with its connection.
            if (run->header_seen && response.state() == State::more
                && rc == NGX_OK && !run->framed) {
                (void) response.end(true, run->tail, run->ctx->io.now());
            }
            if (response.state() == State::whole) {
                run->code = ErrorCode::none;
            } else if (response.state() == State::failed) {
                run->code = response.error().code;
            } else {
                run->code = classify(*run, u, rc);
            }
        },
        [&] { run->code = ErrorCode::internal; });
}

// Joins the states of a try to those of the request, so that the stock
// variables list all tries.
void keep_states(ngx_http_request_t* sr)
{
    ngx_http_request_t* r = sr->main;
    if (sr->upstream_states == nullptr || sr->upstream_states->nelts == 0) {
        return;
    }
    if (r->upstream_states == nullptr) {
        r->upstream_states = sr->upstream_states;
        return;
    }
    void* to = ngx_array_push_n(r->upstream_states, sr->upstream_states->nelts);
    if (to != nullptr) {
        ngx_memcpy(to, sr->upstream_states->elts,
            sr->upstream_states->nelts * sizeof(ngx_http_upstream_state_t));
    }
}

// nginx asks here what the parent makes of the try's end: failures are
// swallowed, the parent decides.
ngx_int_t post_try(ngx_http_request_t* sr, void* data, ngx_int_t rc) noexcept
{
    auto* run = static_cast<Run*>(data);
    if (rc == NGX_HTTP_CLIENT_CLOSED_REQUEST || sr->connection->error
        || sr->connection->timedout) {
        return rc;
    }
    if (run->settled || run->attempt == nullptr) {
        return NGX_OK;
    }
    guard_void(
        sr->connection->log,
        [&] {
            keep_states(sr);
            if (run->kind == Run::Kind::location) {
                run->code = location_outcome(*run, rc);
            } else if (!run->header_seen && run->code == ErrorCode::none) {
                run->code = ErrorCode::internal;
            }
            settle(*run, run->code);
        },
        [&] { settle(*run, ErrorCode::internal); });
    return NGX_OK;
}

void log_failure(const Run& run, ErrorCode code)
{
    const policy::Try& attempt = *run.attempt;
    std::string text = "provider \"" + attempt.provider->options.name
        + "\" failed: " + std::string(describe(code).name);
    if (int status = attempt.response->status(); status != 0) {
        text += ", status " + std::to_string(status);
    }
    log_text(NGX_LOG_WARN, run.ctx->r->connection->log, text);
}

} // namespace

// Writes down how the try ended.  The parent goes on when nginx wakes it.
void settle(Run& run, ErrorCode code)
{
    if (run.settled) {
        return;
    }
    run.settled = true;
    stop_timers(run);
    if (run.op == nullptr) {
        return;
    }
    run.op->result.code = code;
    run.op->result.committed = run.ctx->committed;
    run.op->result.end = run.ctx->io.now();
    run.ctx->attempt_ended = true;
    if (code != ErrorCode::none) {
        log_failure(run, code);
    }
    // Output that came with the very end of a stream that had not begun.
    if (!run.ctx->committed && !run.tail.empty() && code == ErrorCode::none
        && run.attempt->response->streaming()) {
        if (commit_stream(*run.ctx, *run.attempt->response) == NGX_OK) {
            run.op->result.committed = true;
        } else {
            run.op->result.code = ErrorCode::internal;
        }
    }
}

void stop_run(Run& run) noexcept
{
    if (run.settled) {
        return;
    }
    if (run.kind == Run::Kind::mock) {
        guard_void(
            run.ctx->r->connection->log,
            [&] {
                settle(run, ErrorCode::timeout_total);
                post_wake(*run.ctx);
            },
            [&] { post_wake(*run.ctx); });
        return;
    }
    if (run.sr == nullptr || run.sr->upstream == nullptr
        || ngx_http_ai_proxy_peer_stop_waiting(run.sr)
        || run.sr->upstream->peer.connection == nullptr) {
        return;
    }
    ngx_http_upstream_t* u = run.sr->upstream;
    ngx_connection_t* c = u->peer.connection;
    u->peer.tries = 0;
    c->read->timedout = 1;
    c->read->handler(c->read);
}

} // namespace ai_proxy::http
