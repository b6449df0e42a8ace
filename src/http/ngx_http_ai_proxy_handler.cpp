#include "http/ngx_http_ai_proxy.h"

#include "core/policy/serve_quota.h"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

// The way of a request: content handler, body, pipeline, books.

namespace ai_proxy::http {

ngx_http_request_body_filter_pt next_request_body_filter;

void BodyBuffer::reserve(size_t length)
{
    if (length + json::kPadding <= capacity_) {
        return;
    }
    size_t capacity = length + json::kPadding;
    char* grown = static_cast<char*>(std::realloc(data_.get(), capacity));
    if (grown == nullptr) {
        throw std::bad_alloc();
    }
    (void)data_.release();
    data_.reset(grown);
    capacity_ = capacity;
}

void BodyBuffer::append(const u_char* data, size_t length)
{
    if (size_ + length + json::kPadding > capacity_) {
        reserve(std::max(size_ + length, capacity_ * 2));
    }
    ngx_memcpy(data_.get() + size_, data, length);
    size_ += length;
}

void finalize_with(Ctx& ctx, const Error& error)
{
    policy::Outcome outcome;
    outcome.reply = ctx.exchange->error_reply(error);
    ctx.over = true;
    send_outcome(ctx, std::move(outcome));
}

namespace {

void timer_handler(ngx_event_t* ev) noexcept;
void wake_handler(ngx_event_t* ev) noexcept;

policy::ClientHead client_head(ngx_http_request_t* r, Ctx& ctx)
{
    policy::ClientHead head;
    head.method = view(r->method_name);
    head.path = view(r->uri);
    head.query = view(r->args);
    if (r->headers_in.content_type != nullptr) {
        head.content_type = view(r->headers_in.content_type->value);
    }
    if (r->headers_in.authorization != nullptr) {
        head.authorization = view(r->headers_in.authorization->value);
    }
    head.address = view(r->connection->addr_text);
    head.host = view(r->headers_in.server);
    // A connection of HTTP/2 has no Upgrade.
    head.websocket = r->headers_in.upgrade != nullptr
        && r->http_version == NGX_HTTP_VERSION_11
        && iequals(view(r->headers_in.upgrade->value), "websocket");
    ctx.headers.reserve(16);
    for (ngx_list_part_t* part = &r->headers_in.headers.part; part != nullptr;
         part = part->next)
    {
        auto* h = static_cast<ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (h[i].hash == 0) { // taken away
                continue;
            }
            ctx.headers.push_back({view(h[i].key), view(h[i].value)});
            if (iequals(view(h[i].key), "accept")) {
                head.accept = view(h[i].value);
            }
        }
    }
    head.headers = ctx.headers;
    drop_credentials(ctx, head);
    return head;
}

void start_pipeline(Ctx& ctx)
{
    ngx_http_request_t* r = ctx.r;

    // A client that leaves while nothing is sent or read is noticed at once.
    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = write_handler;

    if (worker().closing) {
        finalize_with(ctx,
            make_error(ErrorCode::shutdown,
                std::string(policy::phrase(ErrorCode::shutdown))));
        return;
    }
    if (policy::administers_quota(*ctx.exchange)) {
        ctx.root.emplace(policy::serve_quota(
            ctx.scope, *ctx.exchange, {ctx.body.data(), ctx.body.size()}));
        (void)ctx.root->start();
        drive(ctx);
        return;
    }
    auto received =
        ctx.exchange->receive(ctx.body.data(), ctx.body.size(), &ctx.io);
    ctx.exchange->keep_files(main_conf(r)->configuration->file_texts);
    if (!received.ok()) {
        finalize_with(ctx, received.error());
        return;
    }
    if (!ctx.exchange->added_headers().empty()) {
        add_request_headers(ctx);
    }
    ctx.root.emplace(ctx.exchange->lists_models()
            ? policy::serve_models(ctx.scope, *ctx.exchange,
                main_conf(r)->configuration->model_lists)
            : policy::serve(ctx.scope, *ctx.exchange));
    (void)ctx.root->start();
    drive(ctx);
}

void internal_error(ngx_http_request_t* r) noexcept
{
    ngx_http_finalize_request(
        r, r->header_sent ? NGX_ERROR : NGX_HTTP_INTERNAL_SERVER_ERROR);
}

// A body that another module (mirror) had read before us: it may be in a
// temporary file that was written a moment ago.
void take_read_body(Ctx& ctx)
{
    if (ctx.r->request_body == nullptr) {
        return;
    }
    for (ngx_chain_t* cl = ctx.r->request_body->bufs; cl != nullptr;
         cl = cl->next) {
        ngx_buf_t* b = cl->buf;
        if (ngx_buf_in_memory(b)) {
            ctx.body.append(b->pos, static_cast<size_t>(b->last - b->pos));
            continue;
        }
        if (!b->in_file) {
            continue;
        }
        u_char chunk[16 * 1024];
        for (off_t at = b->file_pos; at < b->file_last;) {
            size_t want = std::min<size_t>(
                sizeof(chunk), static_cast<size_t>(b->file_last - at));
            ssize_t n = ngx_read_file(b->file, chunk, want, at);
            if (n <= 0) {
                throw std::runtime_error("cannot read the request body");
            }
            ctx.body.append(chunk, static_cast<size_t>(n));
            at += n;
        }
    }
}

void body_handler(ngx_http_request_t* r) noexcept
{
    guard_void(
        r->connection->log,
        [r] {
            Ctx* ctx = context(r);
            ctx->gathering = false;
            if (ctx->body.size() == 0) {
                take_read_body(*ctx);
            }
            start_pipeline(*ctx);
        },
        [r] { internal_error(r); });
}

void close_books_handler(void* data) noexcept
{
    auto* ctx = static_cast<Ctx*>(data);
    close_books(*ctx);
}

} // namespace

// Runs whenever the main request may go on: a try has ended, or the client's
// connection became writable.
void write_handler(ngx_http_request_t* r) noexcept
{
    guard_void(
        r->connection->log,
        [r] {
            if (Ctx* ctx = context(r); ctx != nullptr) {
                activate_postponed(r);
                drive(*ctx);
            }
        },
        [r] { internal_error(r); });
}

namespace {

void wake_handler(ngx_event_t* ev) noexcept
{
    auto* ctx = static_cast<Ctx*>(ev->data);
    ngx_connection_t* c = ctx->r->connection;
    ngx_http_set_log_request(c->log, ctx->r);
    write_handler(ctx->r);
    ngx_http_run_posted_requests(c);
}

void timer_handler(ngx_event_t* ev) noexcept
{
    auto* ctx = static_cast<Ctx*>(ev->data);
    ctx->sleep_ended = true;
    wake_handler(&ctx->wake);
}

} // namespace

Ctx::Ctx(ngx_http_request_t* request)
    : r(request), io(*this),
      frames(*std::pmr::new_delete_resource()), scope{frames, io}
{
    timer.handler = timer_handler;
    timer.data = this;
    timer.log = request->connection->log;
    wake.handler = wake_handler;
    wake.data = this;
    wake.log = request->connection->log;
    link.ctx = this;
    ngx_queue_insert_tail(&worker().requests, &link.queue);
}

Ctx::~Ctx()
{
    close_books(*this);
    ngx_queue_remove(&link.queue);
}

void post_wake(Ctx& ctx) noexcept
{
    ngx_post_event(&ctx.wake, &ngx_posted_events);
}

void drive(Ctx& ctx)
{
    if (!ctx.root || ctx.over) {
        return;
    }
    if (ctx.sleep_ended && ctx.sleeping != nullptr) {
        ctx.sleep_ended = false;
        std::exchange(ctx.sleeping, nullptr)->finish();
    }
    if (ctx.token_ended && ctx.token_op != nullptr) {
        ctx.token_ended = false;
        std::exchange(ctx.token_op, nullptr)->finish();
    }
    if (ctx.redis_ended && ctx.redis_op != nullptr) {
        finish_redis(ctx);
    }
    if (ctx.place_op != nullptr) {
        std::exchange(ctx.place_op, nullptr)->finish();
    }
    if (ctx.attempt_ended && ctx.race != nullptr) {
        ctx.attempt_ended = false;
        async::AttemptOp* op = ctx.race;
        leave_race(ctx);
        for (Run* run : {ctx.run, ctx.second}) {
            if (run != nullptr) {
                run->op = nullptr;
                run->attempt = nullptr;
            }
        }
        op->finish();
    }
    if (ctx.root->done()) {
        ctx.over = true;
        send_outcome(ctx, ctx.root->take());
    }
}

bool NgxIo::start(async::SleepOp& op)
{
    ctx_.sleeping = &op;
    ctx_.sleep_ended = false;
    ngx_add_timer(&ctx_.timer, static_cast<ngx_msec_t>(op.milliseconds));
    return false;
}

bool NgxIo::start(async::AttemptOp& op)
{
    return start_try(ctx_, op);
}

bool NgxIo::start(async::TokenOp& op)
{
    TokenSource& source =
        *main_conf(ctx_.r)->configuration->upstreams[op.provider].tokens;
    ctx_.token_ended = false;
    ctx_.token_op = &op;
    const bool ready = take_token(ctx_, source, op);
    if (ready) {
        ctx_.token_op = nullptr;
    }
    return ready;
}

bool NgxIo::start(async::PlaceOp& op)
{
    return worker().places.wait(ctx_, op);
}

bool NgxIo::start(async::RedisOp& op)
{
    return start_redis(ctx_, op);
}

void NgxIo::tell(uint16_t redis, std::vector<redis::Command> commands) noexcept
{
    guard(ctx_.r->connection->log, 0, [&] {
        (void)tell_redis(redis, std::move(commands));
        return 0;
    });
}

InFlight& NgxIo::in_flight() noexcept
{
    return worker().places;
}

limit::Counters& NgxIo::counters() noexcept
{
    return worker().limits;
}

limit::Unsettled& NgxIo::unsettled() noexcept
{
    return worker().unsettled;
}

std::string NgxIo::text(uint32_t value)
{
    ngx_str_t text;
    if (ngx_http_complex_value(
            ctx_.r, &main_conf(ctx_.r)->configuration->texts[value], &text)
        != NGX_OK)
    {
        throw std::bad_alloc();
    }
    return std::string(view(text));
}

std::string NgxIo::variable(std::string_view name)
{
    ngx_str_t lower = copy(ctx_.r->pool, name);
    if (lower.data == nullptr) {
        throw std::bad_alloc();
    }
    const ngx_uint_t key = ngx_hash_strlow(lower.data, lower.data, lower.len);
    const ngx_http_variable_value_t* value =
        ngx_http_get_variable(ctx_.r, &lower, key);
    if (value == nullptr || value->not_found) {
        return {};
    }
    return std::string(reinterpret_cast<const char*>(value->data), value->len);
}

void NgxIo::drop_token(uint16_t provider) noexcept
{
    auto& source = main_conf(ctx_.r)->configuration->upstreams[provider].tokens;
    if (source != nullptr) {
        source->expires = 0;
    }
}

void NgxIo::cancel(async::Op& op) noexcept
{
    if (static_cast<async::Op*>(ctx_.token_op) == &op) {
        const uint16_t provider = ctx_.token_op->provider;
        ctx_.token_op = nullptr;
        leave_token(ctx_,
            *main_conf(ctx_.r)->configuration->upstreams[provider].tokens);
        return;
    }
    if (static_cast<async::Op*>(ctx_.sleeping) == &op) {
        ctx_.sleeping = nullptr;
        if (ctx_.timer.timer_set) {
            ngx_del_timer(&ctx_.timer);
        }
        return;
    }
    if (static_cast<async::Op*>(ctx_.redis_op) == &op) {
        cancel_redis(ctx_);
        return;
    }
    if (static_cast<async::Op*>(ctx_.place_op) == &op) {
        ctx_.place_op = nullptr;
        return;
    }
    if (static_cast<async::Op*>(ctx_.race) == &op) {
        leave_race(ctx_);
    } else {
        worker().places.cancel(op);
    }
    for (auto& run : ctx_.runs) {
        if (static_cast<async::Op*>(run->op) == &op) {
            run->op = nullptr;
            run->attempt = nullptr;
            stop_timers(*run);
        }
    }
}

int64_t monotonic_micros() noexcept
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return static_cast<int64_t>(ts.tv_sec) * 1'000'000 + ts.tv_nsec / 1000;
}

int64_t NgxIo::now() noexcept
{
    return monotonic_micros();
}

int64_t NgxIo::now_seconds() noexcept
{
    return static_cast<int64_t>(ngx_time());
}

uint64_t NgxIo::random() noexcept
{
    // ngx_random() has 31 bits.
    uint64_t a = static_cast<uint64_t>(::ngx_random());
    uint64_t b = static_cast<uint64_t>(::ngx_random());
    uint64_t c = static_cast<uint64_t>(::ngx_random());
    return a ^ (b << 31) ^ (c << 62);
}

ngx_int_t content_handler(ngx_http_request_t* r) noexcept
{
    if (r != r->main) {
        if (run_of(r) != nullptr) {
            return try_content_handler(r);
        }
        log_text(NGX_LOG_ERR, r->connection->log,
            "\"ai_proxy_pass\" cannot serve a subrequest");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return guard(r->connection->log, ngx_int_t(NGX_HTTP_INTERNAL_SERVER_ERROR),
        [r]() -> ngx_int_t {
            const config::Site* site = find_site(r);
            if (site == nullptr) {
                // As if nothing of ours stood here.
                const ngx_http_handler_pt otherwise = loc_conf(r)->otherwise;
                r->content_handler = otherwise;
                return otherwise != nullptr ? otherwise(r) : NGX_DECLINED;
            }
            ngx_http_cleanup_t* cleanup = ngx_http_cleanup_add(r, 0);
            if (cleanup == nullptr) {
                return NGX_HTTP_INTERNAL_SERVER_ERROR;
            }
            Ctx* ctx = pool_new<Ctx>(r->pool, r);
            cleanup->handler = close_books_handler;
            cleanup->data = ctx;
            Slot* slot = slot_of(r, true);
            slot->ctx = ctx;

            ctx->exchange.emplace(main_conf(r)->configuration->gateway, *site,
                client_head(r, *ctx), ctx->io.now(), &worker().parser);

            if (ctx->exchange->body_kind() == dialect::BodyKind::none) {
                ngx_int_t rc = ngx_http_discard_request_body(r);
                if (rc != NGX_OK) {
                    return rc;
                }
                r->main->count++;
                body_handler(r);
                return NGX_DONE;
            }

            ctx->gathering = true;
            if (r->headers_in.content_length_n > 0) {
                ctx->body.reserve(
                    static_cast<size_t>(r->headers_in.content_length_n));
            } else {
                ctx->body.reserve(0);
            }
            ngx_int_t rc = ngx_http_read_client_request_body(r, body_handler);
            return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
        });
}

// Keeps the body in memory as it comes, so that nginx writes none of it to a
// temporary file.
ngx_int_t request_body_filter(ngx_http_request_t* r, ngx_chain_t* in) noexcept
{
    Ctx* ctx = r == r->main ? context(r) : nullptr;
    if (ctx == nullptr || !ctx->gathering) {
        return next_request_body_filter(r, in);
    }
    return guard(r->connection->log, ngx_int_t(NGX_HTTP_INTERNAL_SERVER_ERROR),
        [&]() -> ngx_int_t {
            ngx_chain_t* last = nullptr;
            for (ngx_chain_t* cl = in; cl != nullptr; cl = cl->next) {
                ngx_buf_t* b = cl->buf;
                if (ngx_buf_in_memory(b)) {
                    ctx->body.append(
                        b->pos, static_cast<size_t>(b->last - b->pos));
                    b->pos = b->last;
                }
                if (b->last_buf) {
                    last = cl;
                }
            }
            // The save filter keeps every buffer it is shown, so only the
            // mark of the end goes on.
            if (last != nullptr) {
                last->next = nullptr;
            }
            return next_request_body_filter(r, last);
        });
}

} // namespace ai_proxy::http
