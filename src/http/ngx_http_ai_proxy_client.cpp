#include "http/ngx_http_ai_proxy.h"

#include "core/policy/sign_of_life.h"

// The client's side of a running try: what it is shown while its provider is
// silent (ai_proxy_keepalive_interval), and what becomes of an answer whose
// client has left (ai_proxy_client_abort).
//
// nginx ends an upstream as soon as its client leaves.  To read on, a try looks
// after the client itself, and from then on what it would write is swallowed;
// nginx's upstream sees a client that takes everything.

namespace ai_proxy::http {

namespace {

using config::ClientAbort;

bool drains(const Ctx& ctx) noexcept
{
    return ctx.exchange->site().client_abort.policy
        == ClientAbort::Policy::drain;
}

// As nginx's own checks of a client's connection do it.
bool has_left(ngx_http_request_t* r) noexcept
{
    ngx_connection_t* c = r->connection;
    ngx_event_t* rev = c->read;
    if (c->error) {
        return true;
    }
#if (NGX_HTTP_V2)
    if (r->stream != nullptr) {
        return false;
    }
#endif
#if (NGX_HAVE_EPOLLRDHUP)
    if ((ngx_event_flags & NGX_USE_EPOLL_EVENT) && ngx_use_epoll_rdhup) {
        if (!rev->pending_eof) {
            return false;
        }
        rev->eof = 1;
        c->error = 1;
        return true;
    }
#endif
    char byte;
    const ssize_t n = recv(c->fd, &byte, 1, MSG_PEEK);
    if (n > 0 || (n == -1 && ngx_socket_errno == NGX_EAGAIN)) {
        if ((ngx_event_flags & NGX_USE_LEVEL_EVENT) && rev->active) {
            (void)ngx_del_event(rev, NGX_READ_EVENT, 0);
        }
        return false;
    }
    rev->eof = 1;
    c->error = 1;
    return true;
}

// What waits for the client waits for nobody: its buffers are forgotten, as
// frames of HTTP/2 may still point into them.
void begin_drain(Run& run)
{
    Ctx& ctx = *run.ctx;
    ngx_http_upstream_t* u = run.sr->upstream;
    ngx_connection_t* c = ctx.r->connection;
    ctx.draining = &run;
    (void)claim_client(run);
    ctx.left = ngx_current_msec;
    u->busy_bufs = nullptr;
    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }
    c->write->ready = 1;
    log_text(NGX_LOG_INFO, c->log,
        "client prematurely closed connection, the answer is read on");
    watch_run(run);
}

// Of two tries that run at once neither is read on.
bool is_alone(const Run& run) noexcept
{
    for (const Run* other : {run.ctx->run, run.ctx->second}) {
        if (other != nullptr && other != &run && other->op != nullptr
            && !other->settled)
        {
            return false;
        }
    }
    return true;
}

// Is there an answer to come that has to be paid for?
bool is_asked(const Run& run) noexcept
{
    const ngx_http_upstream_t* u =
        run.sr != nullptr ? run.sr->upstream : nullptr;
    return run.header_seen || (u != nullptr && u->request_body_sent);
}

void on_client(ngx_http_request_t* sr) noexcept
{
    Run* run = run_of(sr);
    if (run == nullptr || run->ctx->draining != nullptr || !has_left(sr)) {
        return;
    }
    if (run->attempt == nullptr || !is_asked(*run) || !is_alone(*run)) {
        ngx_http_finalize_request(sr, NGX_HTTP_CLIENT_CLOSED_REQUEST);
        return;
    }
    const bool reading = sr->write_event_handler != on_client;
    if (!guard(sr->connection->log, false, [run] {
            begin_drain(*run);
            return true;
        }))
    {
        ngx_http_finalize_request(sr, NGX_HTTP_CLIENT_CLOSED_REQUEST);
        return;
    }
    if (reading) {
        // The upstream may have waited for the client.
        sr->write_event_handler(sr);
    }
}

} // namespace

void look_after_client(Run& run) noexcept
{
    if (drains(*run.ctx)) {
        run.sr->read_event_handler = on_client;
        run.sr->write_event_handler = on_client;
    }
}

bool drains_on(Run& run, ngx_chain_t* in, ngx_int_t rc)
{
    Ctx& ctx = *run.ctx;
    if (ctx.draining == nullptr) {
        if (rc != NGX_ERROR || run.kind != Run::Kind::native
            || !ctx.r->connection->error || run.attempt == nullptr
            || run.settled || !drains(ctx) || !is_alone(run))
        {
            return false;
        }
        begin_drain(run);
    }
    for (ngx_chain_t* cl = in; cl != nullptr; cl = cl->next) {
        cl->buf->pos = cl->buf->last;
        cl->buf->file_pos = cl->buf->file_last;
    }
    return true;
}

bool may_drain(Ctx& ctx, size_t bytes) noexcept
{
    ctx.drained += bytes;
    return ctx.drained <= ctx.exchange->site().client_abort.drain_bytes;
}

void end_drain(Run& run) noexcept
{
    ngx_connection_t* c = run.ctx->r->connection;
    ngx_http_finalize_request(run.sr, NGX_HTTP_CLIENT_CLOSED_REQUEST);
    ngx_http_run_posted_requests(c);
}

void note_abort(Ctx& ctx, const Run& run)
{
    if (ctx.winner != nullptr && ctx.winner != &run) {
        return;
    }
    const policy::Response& response = *run.attempt->response;
    if (ctx.draining != nullptr) {
        ctx.exchange->books().drain =
            response.state() == policy::Response::State::more
            ? policy::Drain::cut
            : policy::Drain::whole;
    }
    if (is_asked(run)) {
        ctx.exchange->books().left_asked = true;
        ctx.exchange->estimate_rest(response);
    }
}

namespace {

ngx_int_t write_native(Run& run, std::string_view bytes)
{
    ngx_http_request_t* sr = run.sr;
    ngx_http_upstream_t* u = sr->upstream;
    ngx_chain_t** last = &u->out_bufs;
    while (*last != nullptr) {
        last = &(*last)->next;
    }
    *last = to_chain(sr->pool, &u->free_bufs, u->output.tag, bytes);
    return *last != nullptr ? NGX_OK : NGX_ERROR;
}

// What may be said now, "": nothing.
std::string_view word_of_life(const Run& run) noexcept
{
    const Ctx& ctx = *run.ctx;
    if (run.kind == Run::Kind::mock || run.sr == nullptr
        || ctx.draining != nullptr || run.busy != nullptr)
    {
        return "";
    }
    if (ctx.committed) {
        return run.attempt->response->sign_of_life();
    }
    return ctx.exchange->site().keepalive.before_answer
            && ctx.exchange->books().stream
        ? policy::sign_of_life(ctx.exchange->books().api)
        : "";
}

} // namespace

void show_life(Run& run) noexcept
{
    Ctx& ctx = *run.ctx;
    ngx_http_request_t* sr = run.sr;
    ngx_connection_t* c = ctx.r->connection;
    const std::string_view word = word_of_life(run);
    ctx.written = ngx_current_msec;
    if (word.empty() || c->error || c->data != sr) {
        return;
    }
    const bool native = run.kind == Run::Kind::native && ctx.committed;
    const ngx_int_t rc =
        guard(c->log, ngx_int_t(NGX_ERROR), [&]() -> ngx_int_t {
            if (!ctx.committed && !ctx.opened && open_stream(ctx) != NGX_OK) {
                return NGX_ERROR;
            }
            return native ? write_native(run, word)
                          : write_through_location(run, word);
        });
    ngx_http_set_log_request(c->log, sr);
    if (rc != NGX_OK) {
        ngx_http_finalize_request(sr, NGX_ERROR);
    } else if (native) {
        sr->write_event_handler(sr);
    }
    ngx_http_run_posted_requests(c);
}

// TIME [before_answer] | off
char* set_keepalive(ngx_conf_t* cf, ngx_command_t*, void* conf) noexcept
{
    return guard(cf->log, static_cast<char*>(NGX_CONF_ERROR), [&]() -> char* {
        auto* lc = static_cast<LocConf*>(conf);
        if (lc->keepalive != nullptr) {
            return const_cast<char*>("is duplicate");
        }
        lc->keepalive = pool_new<config::Keepalive>(cf->pool);
        auto* words = static_cast<ngx_str_t*>(cf->args->elts);
        const bool off = view(words[1]) == "off";
        const ngx_int_t ms = off ? 0 : ngx_parse_time(&words[1], 0);
        ngx_str_t* wrong = nullptr;
        if (ms == NGX_ERROR || (!off && ms < 100)) {
            wrong = &words[1];
        } else if (cf->args->nelts > 2
            && (off || view(words[2]) != "before_answer")) {
            wrong = &words[2];
        }
        if (wrong != nullptr) {
            ngx_conf_log_error(
                NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"", wrong);
            return static_cast<char*>(NGX_CONF_ERROR);
        }
        lc->keepalive->interval_ms = static_cast<uint64_t>(ms);
        lc->keepalive->before_answer = cf->args->nelts > 2;
        return NGX_CONF_OK;
    });
}

// cancel | drain [time=TIME] [size=SIZE] | estimate
char* set_client_abort(ngx_conf_t* cf, ngx_command_t*, void* conf) noexcept
{
    return guard(cf->log, static_cast<char*>(NGX_CONF_ERROR), [&]() -> char* {
        auto* lc = static_cast<LocConf*>(conf);
        if (lc->client_abort != nullptr) {
            return const_cast<char*>("is duplicate");
        }
        auto* words = static_cast<ngx_str_t*>(cf->args->elts);
        const auto refuse = [cf](const ngx_str_t& word) {
            ngx_conf_log_error(
                NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"", &word);
            return static_cast<char*>(NGX_CONF_ERROR);
        };
        lc->client_abort = pool_new<ClientAbort>(cf->pool);
        ClientAbort& abort = *lc->client_abort;
        if (view(words[1]) == "drain") {
            abort.policy = ClientAbort::Policy::drain;
        } else if (view(words[1]) == "estimate") {
            abort.policy = ClientAbort::Policy::estimate;
        } else if (view(words[1]) != "cancel") {
            return refuse(words[1]);
        }
        for (ngx_uint_t i = 2; i < cf->args->nelts; i++) {
            const std::string_view word = view(words[i]);
            if (abort.policy != ClientAbort::Policy::drain || word.size() < 6) {
                return refuse(words[i]);
            }
            ngx_str_t value{words[i].len - 5, words[i].data + 5};
            if (word.starts_with("time=")) {
                const ngx_int_t ms = ngx_parse_time(&value, 0);
                if (ms == NGX_ERROR || ms == 0) {
                    return refuse(words[i]);
                }
                abort.drain_ms = static_cast<uint64_t>(ms);
            } else if (word.starts_with("size=")) {
                const off_t size = ngx_parse_offset(&value);
                if (size == NGX_ERROR || size == 0) {
                    return refuse(words[i]);
                }
                abort.drain_bytes = static_cast<uint64_t>(size);
            } else {
                return refuse(words[i]);
            }
        }
        return NGX_CONF_OK;
    });
}

} // namespace ai_proxy::http
