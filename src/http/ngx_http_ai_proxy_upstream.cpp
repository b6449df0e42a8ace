#include "http/ngx_http_ai_proxy.h"

#include <algorithm>
#include <charconv>

// The upstream of a native try: nginx's callbacks around the response codec of
// the core, which is the upstream's input filter.

namespace ai_proxy::http {

namespace {

ngx_int_t create_request(ngx_http_request_t* sr) noexcept;
ngx_int_t process_status_line(ngx_http_request_t* sr) noexcept;
ngx_int_t process_header(ngx_http_request_t* sr) noexcept;
ngx_int_t input_filter_init(void* data) noexcept;
ngx_int_t input_filter(void* data, ssize_t bytes) noexcept;
void finalize_upstream(ngx_http_request_t* sr, ngx_int_t rc) noexcept;

// nginx wants it to be there.
void abort_request(ngx_http_request_t*) noexcept
{
}

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

ngx_int_t create_request(ngx_http_request_t* sr) noexcept
{
    return guard(
        sr->connection->log, ngx_int_t(NGX_ERROR), [sr]() -> ngx_int_t {
            Run& run = *run_of(sr);
            look_after_client(run);
            sr->upstream->request_bufs = request_chain(
                sr->pool, run.attempt->outbound, run.upstream->authority);
            return sr->upstream->request_bufs != nullptr ? reinit_request(sr)
                                                         : NGX_ERROR;
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
    if (rc == NGX_ERROR || run->status.code < 100
        || run->status.code == NGX_HTTP_SWITCHING_PROTOCOLS)
    {
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
        || n > static_cast<uint64_t>(NGX_MAX_OFF_T_VALUE))
    {
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
                && u->headers_in.content_length_n != length))
        {
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
        (void)reinit_request(sr);
        return process_status_line(sr);
    }
    if (run.chunked && u->headers_in.content_length_n != -1) {
        u->headers_in.content_length_n = -1;
        run.keepalive = false;
    }
    run.header_seen = true;
    run.progress = ngx_current_msec;
    policy::Response& response = *run.attempt->response;
    response.head(static_cast<int>(run.status.code), run.fields);
    if (u->headers_in.content_length_n >= 0 && !bodyless(run)) {
        response.expect(static_cast<uint64_t>(u->headers_in.content_length_n));
    }
    std::vector<Header>().swap(run.fields);
    return NGX_OK;
}

ngx_int_t process_header(ngx_http_request_t* sr) noexcept
{
    Run* run = run_of(sr);
    ngx_http_upstream_t* u = sr->upstream;
    return guard(sr->connection->log, ngx_int_t(NGX_ERROR), [&]() -> ngx_int_t {
        run->fields.reserve(16);
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
                    return std::string_view(reinterpret_cast<char*>(begin),
                        static_cast<size_t>(end - begin));
                };
                const Header field{
                    text(sr->header_name_start, sr->header_name_end),
                    text(sr->header_start, sr->header_end)};
                if (take_framing(*run, u, field.name, field.value)) {
                    run->fields.push_back(field);
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
        (void)response.end(true, out, run.ctx->io.now());
    }
}

// The header is read into a buffer of the request; the filter takes every byte
// of the body as it comes, so that all bodies share one buffer, and a stream
// that is idle for minutes holds none.
void share_buffer(ngx_http_request_t* sr, ngx_http_upstream_t* u) noexcept
{
    auto& input = worker().input;
    ngx_buf_t& b = u->buffer;
    const auto held = static_cast<size_t>(b.last - b.pos);
    if (held > input.size()) {
        return;
    }
    u_char* old = b.start;
    b.last = ngx_cpymem(input.data(), b.pos, held);
    b.start = b.pos = input.data();
    b.end = b.start + input.size();
    (void)ngx_pfree(sr->pool, old);
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
    share_buffer(sr, u);
    watch_run(*run);
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

// The request side is not needed once the answer has begun; an idle stream
// should not hold a prompt.
void release_request(Run& run, ngx_http_upstream_t* u)
{
    const Run* other = rival(run);
    // One that is still to end may have the body to send.
    if (!u->request_body_sent || (other != nullptr && !other->settled)) {
        return;
    }
    provider::Outbound().body.swap(run.attempt->outbound.body);
    provider::Outbound().owned.swap(run.attempt->outbound.owned);
    provider::Outbound().headers.swap(run.attempt->outbound.headers);
    run.ctx->exchange->release_body();
    std::vector<Header>().swap(run.ctx->headers);
    run.ctx->body.reset();
}

void decode(
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
                return;
            }
            if (state == wire::ChunkedDecoder::State::invalid) {
                // What came before it is as good as if it had come alone.
                run.invalid_framing = true;
                u->length = 0;
                u->keepalive = 0;
                return;
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
        decode(*run, u, in, out);
        policy::Response& response = *run->attempt->response;
        const bool cut = response.state() == policy::Response::State::failed
            || response.ended_early();
        if (cut && !run->framed) {
            u->length = 0;
            u->keepalive = 0;

        } else if (response.answered() && !run->framed && !run->invalid_framing
            && !run->whole_drain)
        {
            drain(*run, u);
        }
        if (run->ctx->draining != nullptr) {
            return may_drain(*run->ctx, in.size()) ? NGX_OK : NGX_ERROR;
        }
        if (out.empty()) {
            return NGX_OK;
        }
        if (!claim_client(*run)) {
            return NGX_ERROR;
        }
        if (!run->ctx->committed) {
            if (commit_stream(*run->ctx, response) != NGX_OK) {
                return NGX_ERROR;
            }
            release_request(*run, u);
            run->ctx->written = ngx_current_msec;
            watch_run(*run);
        }
        run->ctx->written = ngx_current_msec;
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

} // namespace

ErrorCode timeout_before_answer(const Run& run, const ngx_http_upstream_t& u)
{
    if (u.request_sent) {
        return ErrorCode::timeout_first_byte;
    }
#if (NGX_HTTP_SSL)
    const ngx_connection_t* c = u.peer.connection;
    if (c != nullptr && c->ssl != nullptr && !c->ssl->handshaked
        && run.attempt->provider->options.timeouts.tls != 0)
    {
        return ErrorCode::timeout_tls;
    }
#endif
    return ErrorCode::timeout_connect;
}

namespace {

// nginx gives up on a header that fills the buffer and tells nobody but the
// log.
bool header_is_full(const ngx_http_upstream_t* u) noexcept
{
    return u->buffer.start != nullptr && u->buffer.last == u->buffer.end;
}

// What nginx's outcome means; header_seen and the codec say the rest.
ErrorCode classify(const Run& run, ngx_http_upstream_t* u, ngx_int_t rc)
{
    if (run.stopped != ErrorCode::none) {
        return run.stopped;
    }
    if (run.invalid_header || run.invalid_framing) {
        return ErrorCode::upstream_invalid;
    }
    if (run.header_seen) {
        return rc == NGX_HTTP_GATEWAY_TIME_OUT ? ErrorCode::timeout_idle
                                               : ErrorCode::upstream_truncated;
    }
    if (rc == NGX_HTTP_GATEWAY_TIME_OUT) {
        return timeout_before_answer(run, *u);
    }
    if (u->request_sent) {
        return header_is_full(u) ? ErrorCode::upstream_too_large
                                 : ErrorCode::upstream_closed;
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
            // A message without length ends with its connection; an error is
            // told by its status, however its body ends.
            const bool over =
                rc == NGX_OK && !run->framed && !run->invalid_framing;
            if (run->header_seen && response.state() == State::more
                && (over || response.status() >= NGX_HTTP_BAD_REQUEST
                    || response.answered()))
            {
                (void)response.end(over, run->tail, run->ctx->io.now());
            }
            if (run->stopped == ErrorCode::superseded) {
                run->code = run->stopped;
            } else if (response.told() || response.state() == State::failed) {
                run->code = response.error().code;
            } else if (response.state() == State::whole) {
                run->code = ErrorCode::none;
            } else {
                run->code = classify(*run, u, rc);
            }
        },
        [&] { run->code = ErrorCode::internal; });
}

} // namespace

} // namespace ai_proxy::http
