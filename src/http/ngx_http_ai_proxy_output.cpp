#include "http/ngx_http_ai_proxy.h"

#include "core/policy/plugin_limits.h"

#include <algorithm>

// What goes to the client: the header at the commit point, streamed bytes,
// and the reply or error that ends a request.

namespace ai_proxy::http {

namespace {

// Buffers of a stream: an event or two, or a burst of them.
constexpr size_t kSmallBuffer = 1024;
constexpr size_t kLargeBuffer = 4096;

} // namespace

ngx_int_t push_header(
    ngx_http_request_t* r, std::string_view name, std::string_view value)
{
    auto* h =
        static_cast<ngx_table_elt_t*>(ngx_list_push(&r->headers_out.headers));
    if (h == nullptr) {
        return NGX_ERROR;
    }
    h->key = copy(r->pool, name);
    h->value = copy(r->pool, value);
    h->lowcase_key = nullptr;
    h->hash = 1;
    ngx_ai_table_elt_end(h);
    if (h->key.data == nullptr || h->value.data == nullptr) {
        h->hash = 0;
        return NGX_ERROR;
    }
    return NGX_OK;
}

namespace {

ngx_int_t set_headers(ngx_http_request_t* r, int status,
    std::string_view content_type,
    const std::vector<policy::Response::Field>& fields)
{
    r->headers_out.status = static_cast<ngx_uint_t>(status);
    ngx_http_clear_content_length(r);
    ngx_http_clear_accept_ranges(r);
    if (!content_type.empty()) {
        r->headers_out.content_type = copy(r->pool, content_type);
        if (r->headers_out.content_type.data == nullptr) {
            return NGX_ERROR;
        }
        // gzip_types and charset_types look at the type without parameters.
        r->headers_out.content_type_len =
            std::min(content_type.find(';'), content_type.size());
        r->headers_out.content_type_lowcase = nullptr;
    }
    for (const auto& field : fields) {
        if (push_header(r, field.name, field.value) != NGX_OK) {
            return NGX_ERROR;
        }
    }
    return NGX_OK;
}

bool has_limits(const policy::Exchange& exchange) noexcept
{
    return exchange.limits() != nullptr || exchange.plugin_limits() != nullptr;
}

// The gateway's own limits stand in the place of the provider's.
void add_limit_headers(
    const Ctx& ctx, std::vector<policy::Response::Field>& fields)
{
    std::vector<policy::Response::Field> own;
    if (const policy::TokenLimits* limits = ctx.exchange->limits()) {
        limits->add_headers(own);
    }
    if (const policy::PluginLimits* limits = ctx.exchange->plugin_limits()) {
        limits->add_headers(own);
    }
    if (own.empty()) {
        return;
    }
    std::erase_if(fields, [&own](const policy::Response::Field& field) {
        return std::any_of(own.begin(), own.end(), [&field](const auto& one) {
            return iequals(one.name, field.name);
        });
    });
    for (policy::Response::Field& field : own) {
        fields.push_back(std::move(field));
    }
}

void send_reply(Ctx& ctx, policy::Reply reply)
{
    ngx_http_request_t* r = ctx.r;
    ctx.reply = std::move(reply.body);
    add_limit_headers(ctx, reply.headers);
    if (set_headers(r, reply.status, reply.content_type, reply.headers)
        != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }
    r->headers_out.content_length_n = static_cast<off_t>(ctx.reply.size());
    if (ctx.reply.empty()) {
        r->header_only = 1;
        if (r->method == NGX_HTTP_HEAD) {
            r->headers_out.content_length_n = -1;
        }
    }
    ctx.committed = true;
    ngx_int_t rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    ngx_buf_t* b =
        static_cast<ngx_buf_t*>(ngx_pcalloc(r->pool, sizeof(ngx_buf_t)));
    if (b == nullptr) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }
    b->pos = reinterpret_cast<u_char*>(ctx.reply.data());
    b->last = b->pos + ctx.reply.size();
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;
    ngx_chain_t out{b, nullptr};
    ngx_http_finalize_request(r, ngx_http_output_filter(r, &out));
}

// A proxy in front of us must not hold events back.
ngx_int_t forbid_buffering(ngx_http_request_t* r)
{
    return push_header(r, "Cache-Control", "no-cache") == NGX_OK
            && push_header(r, "X-Accel-Buffering", "no") == NGX_OK
        ? NGX_OK
        : NGX_ERROR;
}

} // namespace

ngx_int_t open_stream(Ctx& ctx)
{
    ngx_http_request_t* r = ctx.r;
    std::vector<policy::Response::Field> fields;
    add_limit_headers(ctx, fields);
    if (set_headers(r, NGX_HTTP_OK, "text/event-stream", fields) != NGX_OK
        || forbid_buffering(r) != NGX_OK)
    {
        return NGX_ERROR;
    }
    ctx.opened = true;
    const ngx_int_t rc = ngx_http_send_header(r);
    return rc == NGX_ERROR || rc > NGX_OK ? NGX_ERROR : NGX_OK;
}

ngx_int_t commit_stream(Ctx& ctx, const policy::Response& response)
{
    ngx_http_request_t* r = ctx.r;
    if (ctx.opened) {
        ctx.committed = true;
        ctx.exchange->books().status = NGX_HTTP_OK;
        stream_began(ctx);
        return NGX_OK;
    }
    // The error that came in the same read as the first output does not change
    // what the stream began with.
    int status =
        response.status() < NGX_HTTP_SPECIAL_RESPONSE && response.status() != 0
        ? response.status()
        : response.client_status();
    std::vector<policy::Response::Field> fields;
    const bool limited = has_limits(*ctx.exchange);
    if (limited) {
        fields = response.headers();
        add_limit_headers(ctx, fields);
    }
    if (set_headers(r, status, response.content_type(),
            limited ? fields : response.headers())
        != NGX_OK)
    {
        return NGX_ERROR;
    }
    if (auto length = response.content_length()) {
        r->headers_out.content_length_n = static_cast<off_t>(*length);
    }
    if (ctx.exchange->books().stream) {
        if (forbid_buffering(r) != NGX_OK) {
            return NGX_ERROR;
        }
    }
    ctx.committed = true;
    ctx.exchange->books().status = status;
    stream_began(ctx);
    ngx_int_t rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK) {
        return NGX_ERROR;
    }
    return NGX_OK;
}

ngx_chain_t* to_chain(ngx_pool_t* pool, ngx_chain_t** free, ngx_buf_tag_t tag,
    std::string_view bytes) noexcept
{
    ngx_chain_t* first = nullptr;
    ngx_chain_t** next = &first;
    ngx_buf_t* b = nullptr;
    while (!bytes.empty()) {
        ngx_chain_t* cl = ngx_chain_get_free_buf(pool, free);
        if (cl == nullptr) {
            return nullptr;
        }
        b = cl->buf;
        if (b->start == nullptr) {
            const size_t size =
                bytes.size() <= kSmallBuffer ? kSmallBuffer : kLargeBuffer;
            b->start = static_cast<u_char*>(ngx_palloc(pool, size));
            if (b->start == nullptr) {
                return nullptr;
            }
            b->end = b->start + size;
        }
        b->tag = tag;
        b->temporary = 1;
        b->memory = 0;
        b->flush = 0;
        b->last_buf = 0;
        b->last_in_chain = 0;
        b->pos = b->start;
        const size_t n =
            std::min(bytes.size(), static_cast<size_t>(b->end - b->start));
        b->last = ngx_cpymem(b->start, bytes.data(), n);
        bytes.remove_prefix(n);
        *next = cl;
        next = &cl->next;
        cl->next = nullptr;
    }
    if (b != nullptr) {
        b->flush = 1;
    }
    return first;
}

void release_sent(ngx_pool_t* pool, ngx_chain_t* sent) noexcept
{
    auto tag = reinterpret_cast<ngx_buf_tag_t>(&ngx_http_ai_proxy_module);
    for (ngx_chain_t* cl = sent; cl != nullptr; cl = cl->next) {
        ngx_buf_t* b = cl->buf;
        if (b->tag == tag && b->start != nullptr && b->pos == b->last
            && b->end - b->start > static_cast<ptrdiff_t>(kSmallBuffer))
        {
            (void)ngx_pfree(pool, b->start);
            b->start = b->end = b->pos = b->last = nullptr;
        }
    }
}

void send_outcome(Ctx& ctx, policy::Outcome outcome)
{
    ngx_http_request_t* r = ctx.r;
    if (outcome.upgrade != nullptr) {
        start_upgrade(ctx, std::move(outcome.upgrade));
        return;
    }
    if (!outcome.streamed && ctx.opened) {
        outcome.streamed = outcome.broken = true;
        outcome.tail = ctx.exchange->reply_event(outcome.reply);
        ctx.exchange->books().status = NGX_HTTP_OK;
        if (ctx.run != nullptr) {
            ctx.run->tail.clear();
        }
    }
    if (!outcome.streamed) {
        ctx.exchange->books().status = outcome.reply.status;
        // A client that comes again at once meets the right numbers.
        settle_limits(ctx);
        send_reply(ctx, std::move(outcome.reply));
        return;
    }

    settle_limits(ctx);
    ctx.reply = ctx.run != nullptr ? std::move(ctx.run->tail) : std::string();
    ctx.reply += outcome.tail;
    if (outcome.broken) {
        r->keepalive = 0;
        if (ctx.reply.empty()) {
            // Nothing can say that the body is cut but the connection.
            ngx_http_finalize_request(r, NGX_ERROR);
            return;
        }
    }
    if (!ctx.reply.empty()) {
        ngx_buf_t* b =
            static_cast<ngx_buf_t*>(ngx_pcalloc(r->pool, sizeof(ngx_buf_t)));
        if (b == nullptr) {
            ngx_http_finalize_request(r, NGX_ERROR);
            return;
        }
        b->pos = reinterpret_cast<u_char*>(ctx.reply.data());
        b->last = b->pos + ctx.reply.size();
        b->memory = 1;
        b->last_buf = 1;
        b->last_in_chain = 1;
        ngx_chain_t out{b, nullptr};
        ngx_http_finalize_request(r, ngx_http_output_filter(r, &out));
        return;
    }
    ngx_http_finalize_request(r, ngx_http_send_special(r, NGX_HTTP_LAST));
}

} // namespace ai_proxy::http
