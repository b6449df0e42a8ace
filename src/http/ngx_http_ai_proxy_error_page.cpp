#include "http/ngx_http_ai_proxy.h"

#include "core/dialect/error_writer.h"

// Errors that nginx itself answers in an ai_proxy location (413, 401 of
// auth_basic, 403 of deny, 503 of limit_req, ...) come in the caller's dialect
// too, instead of an HTML page no SDK can read.

namespace ai_proxy::http {

namespace {

Error describe_status(ngx_http_request_t* r, const Ctx* ctx)
{
    int status = static_cast<int>(r->headers_out.status);
    // Of a WebSocket whose provider did not answer.
    if (ctx != nullptr && ctx->exchange) {
        const ErrorCode code = ctx->exchange->books().error;
        if (code != ErrorCode::none && describe(code).status == status) {
            return make_error(code, std::string(policy::phrase(code)));
        }
    }
    Error error;
    error.status = static_cast<uint16_t>(status);
    switch (status) {
    case NGX_HTTP_REQUEST_ENTITY_TOO_LARGE:
        error.code = ErrorCode::request_too_large;
        error.message = "the request body is larger than this server accepts";
        break;
    case NGX_HTTP_UNAUTHORIZED:
        error.code = ErrorCode::invalid_request;
        error.type = "authentication_error";
        error.message = "authorization required";
        break;
    case NGX_HTTP_FORBIDDEN:
        error.code = ErrorCode::invalid_request;
        error.type = "permission_error";
        error.message = "access denied";
        break;
    case NGX_HTTP_TOO_MANY_REQUESTS:
        error.code = ErrorCode::invalid_request;
        error.type = "rate_limit_error";
        error.message = "too many requests";
        break;
    default:
        if (status >= NGX_HTTP_INTERNAL_SERVER_ERROR) {
            error.code = ErrorCode::internal;
            error.message = "the server cannot answer this request now";
        } else {
            error.code = ErrorCode::invalid_request;
            error.message =
                "the request was refused with status " + std::to_string(status);
        }
    }
    return error;
}

// The refusal of the access phase, if this is its page.
const Identity* refusal_of(ngx_http_request_t* r) noexcept
{
    const Slot* slot = slot_of(r);
    const Identity* identity = slot != nullptr ? slot->identity : nullptr;
    return identity != nullptr && identity->refused != ErrorCode::none
            && r->headers_out.status == describe(identity->refused).status
            && identity->message.data != nullptr
        ? identity
        : nullptr;
}

Error describe_refusal(const Identity& identity)
{
    Error error =
        make_error(identity.refused, std::string(view(identity.message)));
    // OpenAI's word.
    if (identity.refused == ErrorCode::invalid_credential) {
        error.provider_code = "invalid_api_key";
    }
    return error;
}

bool is_ours(ngx_http_request_t* r)
{
    if (r != r->main || r->headers_out.status < NGX_HTTP_BAD_REQUEST) {
        return false;
    }
    if (refusal_of(r) != nullptr && context(r) == nullptr) {
        return true;
    }
    LocConf* lc = loc_conf(r);
    if (lc == nullptr || lc->site == nullptr) {
        return false;
    }
    // With a Ctx that has an answer, the answer is ours already; error_page
    // gives other locations their say before we are asked.
    Ctx* ctx = context(r);
    return ctx == nullptr || !ctx->committed;
}

} // namespace

ngx_int_t replace_error_page(ngx_http_request_t* r) noexcept
{
    if (!is_ours(r)) {
        return next_header_filter(r);
    }
    return guard(r->connection->log, ngx_int_t(NGX_ERROR), [r]() -> ngx_int_t {
        Slot* slot = slot_of(r, true);
        std::string text;
        const dialect::Dialect dialect = policy::dialect_for(
            dialect::recognise(view(r->uri)), header_fields(r));
        const Identity* refused = refusal_of(r);
        const Ctx* ctx = context(r);
        const Error error = refused != nullptr && ctx == nullptr
            ? describe_refusal(*refused)
            : describe_status(r, ctx);
        dialect::write_error_body(text, dialect, error);
        slot->error_body = copy(r->pool, text);
        if (slot->error_body.data == nullptr) {
            return NGX_ERROR;
        }
        slot->replace = true;
        ngx_http_clear_accept_ranges(r);
        ngx_http_clear_last_modified(r);
        ngx_http_clear_content_length(r);
        r->headers_out.content_length_n =
            static_cast<off_t>(slot->error_body.len);
        ngx_str_set(&r->headers_out.content_type, "application/json");
        r->headers_out.content_type_len = r->headers_out.content_type.len;
        r->headers_out.content_type_lowcase = nullptr;
        // Also for HEAD-like special responses that have no body of theirs.
        r->filter_need_in_memory = 1;
        return next_header_filter(r);
    });
}

ngx_int_t replace_error_body(ngx_http_request_t* r, ngx_chain_t* in) noexcept
{
    Slot* slot = r == r->main ? slot_of(r) : nullptr;
    if (slot == nullptr || !slot->replace) {
        return next_body_filter(r, in);
    }
    bool last = false;
    for (ngx_chain_t* cl = in; cl != nullptr; cl = cl->next) {
        cl->buf->pos = cl->buf->last;
        cl->buf->file_pos = cl->buf->file_last;
        last = last || cl->buf->last_buf;
    }
    if (!last) {
        return in == nullptr ? next_body_filter(r, in) : NGX_OK;
    }
    ngx_buf_t* b = static_cast<ngx_buf_t*>(ngx_calloc_buf(r->pool));
    if (b == nullptr) {
        return NGX_ERROR;
    }
    b->pos = slot->error_body.data;
    b->last = b->pos + slot->error_body.len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;
    slot->replace = false;
    ngx_chain_t out{b, nullptr};
    return next_body_filter(r, &out);
}

} // namespace ai_proxy::http
