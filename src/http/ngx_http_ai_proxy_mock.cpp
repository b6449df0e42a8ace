#include "http/ngx_http_ai_proxy.h"

#include "core/provider/mock.h"

// Plays the built-in provider against the clock: its pieces take the same way
// through the codec as the bytes of a real one.

namespace ai_proxy::http {

namespace {

// Pieces joined into one turn of the event loop when no rate is asked for.
constexpr size_t kBatch = 16 * 1024;

void mock_writer(ngx_http_request_t* r) noexcept;
void step(Run& run);

void timer_handler(ngx_event_t* ev) noexcept
{
    Run* run = static_cast<Run*>(ev->data);
    ngx_http_request_t* r = run->ctx->r;
    ngx_connection_t* c = r->connection;
    ngx_http_set_log_request(c->log, r);
    guard_void(
        c->log, [run] { step(*run); },
        [run] {
            settle(*run, ErrorCode::internal);
            post_wake(*run->ctx);
        });
    ngx_http_run_posted_requests(c);
}

void schedule(Run& run)
{
    uint64_t delay = run.script->delay_ms();
    if (delay == 0) {
        ngx_post_event(&run.timer, &ngx_posted_next_events);
        return;
    }
    ngx_add_timer(&run.timer, static_cast<ngx_msec_t>(delay));
}

void end(Run& run, ErrorCode code)
{
    run.ctx->r->write_event_handler = write_handler;
    settle(run, code);
    post_wake(*run.ctx);
}

bool blocked(ngx_http_request_t* r)
{
    return r->buffered || r->connection->buffered;
}

// NGX_OK: sent or waiting for the client; NGX_ERROR: the client is gone.
ngx_int_t send(Run& run, ngx_chain_t* out)
{
    ngx_http_request_t* r = run.ctx->r;
    if (ngx_http_output_filter(r, out) == NGX_ERROR) {
        return NGX_ERROR;
    }
    ngx_chain_update_chains(r->pool, &run.free, &run.busy, &out,
        reinterpret_cast<ngx_buf_tag_t>(&ngx_http_ai_proxy_module));
    if (!blocked(r)) {
        return NGX_OK;
    }
    auto* clcf = static_cast<ngx_http_core_loc_conf_t*>(
        ngx_http_get_module_loc_conf(r, ngx_http_core_module));
    r->write_event_handler = mock_writer;
    if (ngx_handle_write_event(r->connection->write, clcf->send_lowat)
        != NGX_OK) {
        return NGX_ERROR;
    }
    ngx_add_timer(r->connection->write, clcf->send_timeout);
    return NGX_OK;
}

void mock_writer(ngx_http_request_t* r) noexcept
{
    Ctx* ctx = context(r);
    Run& run = ctx->winner != nullptr ? *ctx->winner : *ctx->run;
    if (r->connection->write->timedout) {
        r->connection->timedout = 1;
        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }
    if (send(run, nullptr) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }
    if (blocked(r)) {
        return;
    }
    if (r->connection->write->timer_set) {
        ngx_del_timer(r->connection->write);
    }
    r->write_event_handler = write_handler;
    schedule(run);
}

void step(Run& run)
{
    using State = policy::Response::State;
    Ctx& ctx = *run.ctx;
    policy::Response& response = *run.attempt->response;
    std::string& out = scratch();
    std::string piece;
    bool more = true;
    do {
        piece.clear();
        more = run.script->next(piece);
        feed_run(run, piece, out);
    } while (more && response.state() == State::more
        && run.script->delay_ms() == 0 && out.size() < kBatch);

    if (!more && response.state() == State::more) {
        (void)response.end(!run.script->cut(), out, ctx.io.now());
    }
    ErrorCode code = response.state() == State::failed ? response.error().code
                                                       : ErrorCode::none;
    bool over = !more || response.state() != State::more;

    if (!out.empty() && response.streaming()) {
        if (!claim_client(run)) {
            return; // it is being stopped
        }
        if (!ctx.committed && commit_stream(ctx, response) != NGX_OK) {
            end(run, ErrorCode::internal);
            return;
        }
        ngx_chain_t* chain = to_chain(ctx.r->pool, &run.free,
            reinterpret_cast<ngx_buf_tag_t>(&ngx_http_ai_proxy_module), out);
        if (chain == nullptr || send(run, chain) != NGX_OK) {
            ngx_http_finalize_request(ctx.r, NGX_ERROR);
            return;
        }
    }
    if (over) {
        end(run, code);
    } else if (!blocked(ctx.r)) {
        schedule(run);
    }
}

} // namespace

void start_mock_try(Run& run)
{
    Ctx& ctx = *run.ctx;
    const policy::Try& attempt = *run.attempt;
    const policy::Books& books = ctx.exchange->books();

    std::string body;
    for (std::string_view piece : attempt.outbound.body) {
        body += piece;
    }
    std::string_view steer;
    for (const Header& header : ctx.headers) {
        if (iequals(header.name, "x-mock")) {
            steer = header.value;
        }
    }
    json::Parser parser;
    json::Node request;
    if (auto parsed = parser.parse(std::string_view(body)); parsed.ok()) {
        request = *parsed;
    }
    run.script = std::make_unique<provider::MockScript>(
        attempt.provider->options.mock, dialect::name(attempt.api), request,
        books.model, steer, ctx.io.now_seconds());

    std::string retry_after = std::to_string(run.script->retry_after());
    std::vector<Header> headers{{"content-type",
        run.script->stream() ? "text/event-stream" : "application/json"}};
    if (run.script->retry_after() != 0) {
        headers.push_back({"retry-after", retry_after});
    }
    run.header_seen = true;
    run.attempt->response->head(run.script->status(), headers);

    run.timer.handler = timer_handler;
    run.timer.data = &run;
    run.timer.log = ctx.r->connection->log;
    schedule(run);
}

} // namespace ai_proxy::http
