#include "http/ngx_http_ai_proxy.h"

#include <algorithm>
#include <array>
#include <charconv>

// A try whose connection becomes the client's own (realtime, WebSocket).
// nginx joins two connections only in the upstream of a client's request, not
// of a subrequest: this upstream belongs to the main request, so there is no
// other try after it.  A provider that does not switch protocols answers with
// an error, which the client gets in its dialect.

namespace ai_proxy::http {

namespace {

ngx_int_t create_request(ngx_http_request_t* r) noexcept;
ngx_int_t reinit_request(ngx_http_request_t* r) noexcept;
ngx_int_t process_status_line(ngx_http_request_t* r) noexcept;
ngx_int_t process_header(ngx_http_request_t* r) noexcept;
ngx_int_t input_filter_init(void* data) noexcept;
ngx_int_t input_filter(void* data, ssize_t bytes) noexcept;
void finalize_upstream(ngx_http_request_t* r, ngx_int_t rc) noexcept;

// nginx wants it to be there.
void abort_request(ngx_http_request_t*) noexcept
{
}

Run& run_of_main(ngx_http_request_t* r) noexcept
{
    return *context(r)->run;
}

} // namespace

void start_upgrade(Ctx& ctx, std::unique_ptr<policy::Try> attempt)
{
    ngx_http_request_t* r = ctx.r;
    ctx.upgraded = std::move(attempt);
    ctx.runs.push_back(std::make_unique<Run>());
    Run& run = *ctx.runs.back();
    run.ctx = &ctx;
    run.attempt = ctx.upgraded.get();
    run.upstream =
        &main_conf(r)->configuration->upstreams[run.attempt->provider_index];
    run.sr = r;
    ctx.run = &run;
    ctx.upgrade_begin = ctx.io.now();

    r->request_body = nullptr;
    if (ngx_http_upstream_create(r) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }
    ngx_http_upstream_t* u = r->upstream;
    u->conf = const_cast<ngx_http_upstream_conf_t*>(&run.upstream->head_conf);
    u->ssl = run.attempt->provider->endpoint.tls;
    u->schema = run.upstream->schema;
    u->output.tag = reinterpret_cast<ngx_buf_tag_t>(&ngx_http_ai_proxy_module);
    u->create_request = create_request;
    u->reinit_request = reinit_request;
    u->process_header = process_status_line;
    u->abort_request = abort_request;
    u->finalize_request = finalize_upstream;
    u->input_filter_init = input_filter_init;
    u->input_filter = input_filter;
    u->input_filter_ctx = r;
    u->buffering = 0;
    ngx_http_ai_proxy_peer_start(r);
}

namespace {

ngx_int_t create_request(ngx_http_request_t* r) noexcept
{
    return guard(r->connection->log, ngx_int_t(NGX_ERROR), [r]() -> ngx_int_t {
        const Run& run = run_of_main(r);
        r->upstream->request_bufs = request_chain(
            r->pool, run.attempt->outbound, run.upstream->authority);
        return r->upstream->request_bufs != nullptr ? reinit_request(r)
                                                    : NGX_ERROR;
    });
}

ngx_int_t reinit_request(ngx_http_request_t* r) noexcept
{
    Run& run = run_of_main(r);
    r->state = 0;
    run.status = {};
    run.fields.clear();
    run.header_seen = run.chunked = false;
    run.decoder = {};
    r->upstream->process_header = process_status_line;
    return NGX_OK;
}

ngx_int_t process_status_line(ngx_http_request_t* r) noexcept
{
    Run& run = run_of_main(r);
    ngx_http_upstream_t* u = r->upstream;
    const ngx_int_t rc = ngx_http_parse_status_line(r, &u->buffer, &run.status);
    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }
    if (rc == NGX_ERROR) {
        log_text(NGX_LOG_ERR, r->connection->log,
            "upstream sent no valid HTTP/1.1 status line");
        run.invalid_header = true;
        return NGX_HTTP_UPSTREAM_INVALID_HEADER;
    }
    u->headers_in.status_n = run.status.code;
    if (u->state != nullptr && u->state->status == 0) {
        u->state->status = run.status.code;
    }
    u->process_header = process_header;
    return process_header(r);
}

bool is_handshake(std::string_view name) noexcept
{
    return iequals(name, "upgrade") || istarts_with(name, "sec-websocket-");
}

// What the provider says is read in passing.
void watch(Run& run, const u_char* bytes, size_t size) noexcept
{
    guard_void(
        run.sr->connection->log,
        [&] {
            run.realtime->feed({reinterpret_cast<const char*>(bytes), size});
            policy::Books& books = run.ctx->exchange->books();
            books.usage = run.realtime->usage();
            if (!books.usage.known) {
                return;
            }
            books.usage_source = policy::UsageSource::provider;
            if (policy::TokenLimits* limits = run.ctx->exchange->limits()) {
                limits->debit(run.ctx->io, books.usage);
            }
        },
        [] {});
}

// nginx joins the two connections by their recv and send alone.
ssize_t receive(ngx_connection_t* c, u_char* buf, size_t size) noexcept
{
    Run& run = run_of_main(static_cast<ngx_http_request_t*>(c->data));
    const ssize_t n = run.receive(c, buf, size);
    if (n > 0) {
        watch(run, buf, static_cast<size_t>(n));
    }
    return n;
}

void start_watching(ngx_http_upstream_t* u, Run& run)
{
    run.realtime = std::make_unique<policy::RealtimeUsage>();
    const ngx_buf_t& early = u->buffer; // frames right behind the header
    watch(run, early.pos, static_cast<size_t>(early.last - early.pos));
    run.receive = u->peer.connection->recv;
    u->peer.connection->recv = receive;
}

// The header of the client's response, complete but for what nginx adds.
ngx_int_t switch_protocols(ngx_http_request_t* r, Run& run)
{
    ngx_http_upstream_t* u = r->upstream;
    for (const Header& field : run.fields) {
        if (is_handshake(field.name)
            && push_header(r, field.name, field.value) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }
    // Both directions share the idle timeout.
    u->conf = const_cast<ngx_http_upstream_conf_t*>(&run.upstream->body_conf);
    u->upgrade = 1;
    u->keepalive = 0;
    run.ctx->committed = true;
    run.ctx->exchange->books().status = NGX_HTTP_SWITCHING_PROTOCOLS;
    start_watching(u, run);
    return NGX_OK;
}

ngx_int_t header_done(ngx_http_request_t* r, Run& run)
{
    ngx_http_upstream_t* u = r->upstream;
    if (run.status.code < 200
        && run.status.code != NGX_HTTP_SWITCHING_PROTOCOLS) {
        u->headers_in.status_n = 0;
        u->headers_in.content_length_n = -1;
        u->state->status = 0;
        (void)reinit_request(r);
        return process_status_line(r);
    }
    run.header_seen = true;
    if (run.status.code == NGX_HTTP_SWITCHING_PROTOCOLS) {
        return switch_protocols(r, run);
    }
    if (run.status.code < 300) {
        log_text(NGX_LOG_ERR, r->connection->log,
            "upstream did not switch protocols");
        run.invalid_header = true;
        return NGX_HTTP_UPSTREAM_INVALID_HEADER;
    }
    policy::Response& response = *run.attempt->response;
    response.head(static_cast<int>(run.status.code), run.fields);
    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = nullptr;
    run.ctx->exchange->books().status = static_cast<int>(run.status.code);
    run.ctx->committed = true;
    run.length = run.chunked ? -1 : u->headers_in.content_length_n;
    // The error may be worded anew.
    u->headers_in.content_length_n = -1;
    run.fields = {};
    return NGX_OK;
}

bool take_field(Run& run, ngx_http_upstream_t* u, const Header& field)
{
    if (iequals(field.name, "content-length")) {
        uint64_t n = 0;
        const char* end = field.value.data() + field.value.size();
        const auto [at, ec] = std::from_chars(field.value.data(), end, n);
        if (ec != std::errc() || at != end
            || n > static_cast<uint64_t>(NGX_MAX_OFF_T_VALUE))
        {
            return false;
        }
        u->headers_in.content_length_n = static_cast<off_t>(n);
    } else if (iequals(field.name, "transfer-encoding")) {
        run.chunked = iequals(trim(field.value), "chunked");
        return run.chunked;
    }
    run.fields.push_back(field);
    return true;
}

ngx_int_t process_header(ngx_http_request_t* r) noexcept
{
    Run& run = run_of_main(r);
    ngx_http_upstream_t* u = r->upstream;
    return guard(r->connection->log, ngx_int_t(NGX_ERROR), [&]() -> ngx_int_t {
        const auto text = [](u_char* begin, u_char* end) {
            return std::string_view(reinterpret_cast<char*>(begin),
                static_cast<size_t>(end - begin));
        };
        for (;;) {
            const ngx_int_t rc = ngx_http_parse_header_line(r, &u->buffer, 1);
            if (rc == NGX_AGAIN) {
                return NGX_AGAIN;
            }
            if (rc == NGX_HTTP_PARSE_HEADER_DONE) {
                return header_done(r, run);
            }
            if (rc == NGX_OK
                && take_field(run, u,
                    {text(r->header_name_start, r->header_name_end),
                        text(r->header_start, r->header_end)}))
            {
                continue;
            }
            log_text(NGX_LOG_ERR, r->connection->log,
                "upstream sent an invalid header");
            run.invalid_header = true;
            return NGX_HTTP_UPSTREAM_INVALID_HEADER;
        }
    });
}

// The provider's refusal is complete: the client's copy of it.
ngx_int_t send_error(ngx_http_request_t* r, Run& run)
{
    ngx_http_upstream_t* u = r->upstream;
    policy::Response& response = *run.attempt->response;
    std::string none;
    (void)response.end(true, none, run.ctx->io.now());
    u->length = 0;
    const std::string text =
        run.ctx->exchange->error_reply(response.error()).body;
    u->out_bufs = to_chain(r->pool, &u->free_bufs, u->output.tag, text);
    return u->out_bufs != nullptr ? NGX_OK : NGX_ERROR;
}

ngx_int_t input_filter_init(void* data) noexcept
{
    auto* r = static_cast<ngx_http_request_t*>(data);
    Run& run = run_of_main(r);
    ngx_http_upstream_t* u = r->upstream;
    u->conf = const_cast<ngx_http_upstream_conf_t*>(&run.upstream->body_conf);
    u->length = 1;
    // What has no length ends with its connection, when nothing can be sent
    // any more: its status must do.
    if (run.length == 0 || (run.length < 0 && !run.chunked)) {
        return guard(r->connection->log, ngx_int_t(NGX_ERROR),
            [&]() -> ngx_int_t { return send_error(r, run); });
    }
    return NGX_OK;
}

ngx_int_t input_filter(void* data, ssize_t bytes) noexcept
{
    auto* r = static_cast<ngx_http_request_t*>(data);
    Run& run = run_of_main(r);
    ngx_http_upstream_t* u = r->upstream;
    return guard(r->connection->log, ngx_int_t(NGX_ERROR), [&]() -> ngx_int_t {
        std::string_view in(reinterpret_cast<char*>(u->buffer.last),
            static_cast<size_t>(bytes));
        u->buffer.last += bytes;
        if (u->length == 0) {
            return NGX_OK;
        }
        std::string none;
        bool over = false;
        if (!run.chunked) {
            in = in.substr(0, static_cast<size_t>(run.length));
            run.length -= static_cast<off_t>(in.size());
            feed_run(run, in, none);
            over = run.length == 0;
        }
        while (run.chunked && !in.empty() && !over) {
            std::string_view payload;
            const auto state = run.decoder.next(in, payload);
            feed_run(run, payload, none);
            over = state != wire::ChunkedDecoder::State::more;
        }
        const bool enough =
            run.attempt->response->state() != policy::Response::State::more;
        return over || enough ? send_error(r, run) : NGX_OK;
    });
}

ErrorCode outcome(const Run& run, const ngx_http_upstream_t& u, ngx_int_t rc)
{
    if (run.stopped != ErrorCode::none) {
        return run.stopped;
    }
    if (run.invalid_header) {
        return ErrorCode::upstream_invalid;
    }
    if (run.header_seen) {
        return u.upgrade ? ErrorCode::none : ErrorCode::upstream_status;
    }
    if (rc == NGX_HTTP_CLIENT_CLOSED_REQUEST || rc == NGX_DONE) {
        return ErrorCode::client_closed;
    }
    if (rc == NGX_HTTP_GATEWAY_TIME_OUT) {
        return timeout_before_answer(run, u);
    }
#if (NGX_HTTP_SSL)
    if (!u.request_sent && u.peer.connection != nullptr
        && u.peer.connection->ssl != nullptr)
    {
        return ErrorCode::upstream_tls;
    }
#endif
    return u.request_sent ? ErrorCode::upstream_closed
                          : ErrorCode::upstream_connect;
}

// Called on every ending.
void finalize_upstream(ngx_http_request_t* r, ngx_int_t rc) noexcept
{
    Ctx* ctx = context(r);
    if (ctx == nullptr || ctx->run == nullptr || ctx->run->settled) {
        return;
    }
    Run& run = *ctx->run;
    run.settled = true;
    guard_void(
        r->connection->log,
        [&] {
            const ErrorCode code = outcome(run, *r->upstream, rc);
            ctx->exchange->record(
                *run.attempt, code, ctx->upgrade_begin, ctx->io.now());
            policy::Books& books = ctx->exchange->books();
            books.tries.back().status = static_cast<int>(run.status.code);
            books.error = code;
            if (code != ErrorCode::none) {
                log_failure(run, code);
            }
        },
        [] {});
}

// Tells the client, behind all that the provider said.
void say_going_away(ngx_http_request_t* r, const Run& run) noexcept
{
    ngx_connection_t* c = r->connection;
    ngx_buf_t& b = r->upstream->buffer;
    if (run.realtime == nullptr || !run.realtime->between_frames()
        || r->out != nullptr || c->buffered != 0 || c->error)
    {
        return;
    }
    if (b.pos < b.last) {
        const auto left = static_cast<size_t>(b.last - b.pos);
        if (c->send(c, b.pos, left) != static_cast<ssize_t>(left)) {
            return;
        }
        b.pos = b.last;
    }
    std::array<u_char, policy::kGoingAway.size()> frame{};
    std::copy(
        policy::kGoingAway.begin(), policy::kGoingAway.end(), frame.begin());
    (void)c->send(c, frame.data(), frame.size());
}

} // namespace

void end_upgrade(Ctx& ctx) noexcept
{
    ngx_http_upstream_t* u = ctx.r->upstream;
    if (u == nullptr || !u->upgrade) {
        stop_run(*ctx.run);
        return;
    }
    say_going_away(ctx.r, *ctx.run);
    // As if the provider had closed its side.
    ngx_connection_t* c = u->peer.connection;
    u->buffer.pos = u->buffer.last;
    c->read->eof = 1;
    c->read->ready = 0;
    c->read->handler(c->read);
}

} // namespace ai_proxy::http
