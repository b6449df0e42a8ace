#include "http/ngx_http_ai_proxy.h"
#include "http/ngx_http_ai_proxy_call.h"

#include "core/credential/service_account.h"

#include <algorithm>

namespace ai_proxy::http {

namespace {

constexpr int64_t kFileSeconds = 1; // how long a file is not looked at
constexpr int64_t kPause = 5;       // after a renewal that failed
constexpr size_t kMaxFile = 16 * 1024;
constexpr ngx_msec_t kTotal = 20'000; // of an exchange at a token endpoint

Error no_token()
{
    return make_error(ErrorCode::upstream_unavailable,
        "the access token of the provider cannot be obtained");
}

// Is the file still the one that was read?
bool is_unchanged(const TokenSource& source, const ngx_file_info_t& info)
{
    return !source.token.empty() && source.inode == info.st_ino
        && source.modified.tv_sec == info.st_mtim.tv_sec
        && source.modified.tv_nsec == info.st_mtim.tv_nsec;
}

// A token file is small and local: it is read as nginx reads any other.
bool read_token_file(TokenSource& source, ngx_log_t* log)
{
    const std::string& path = source.provider->options.azure_token_file;
    ngx_fd_t fd = ngx_open_file(
        path.c_str(), NGX_FILE_RDONLY | NGX_FILE_NONBLOCK, NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        log_text(NGX_LOG_ERR, log,
            "provider \"" + source.provider->options.name + "\": cannot open \""
                + path + "\"",
            ngx_errno);
        return false;
    }
    ngx_file_info_t info;
    if (ngx_fd_info(fd, &info) == NGX_FILE_ERROR) {
        ngx_memzero(&info, sizeof(info));
    }
    if (is_unchanged(source, info)) {
        ngx_close_file(fd);
        source.expires = static_cast<int64_t>(ngx_time()) + kFileSeconds;
        return true;
    }
    std::string text(kMaxFile + 1, '\0');
    const ssize_t n = ngx_read_fd(fd, text.data(), text.size());
    ngx_close_file(fd);
    text.resize(n > 0 ? static_cast<size_t>(n) : 0);
    const std::string_view token = trim(text);
    const bool clean = !token.empty() && text.size() <= kMaxFile
        && std::all_of(token.begin(), token.end(),
            [](char c) { return c > 0x20 && c < 0x7f; });
    if (!clean) {
        log_text(NGX_LOG_ERR, log,
            "provider \"" + source.provider->options.name + "\": \"" + path
                + "\" holds no token");
        return false;
    }
    source.token = token;
    source.modified = info.st_mtim;
    source.inode = info.st_ino;
    source.expires = static_cast<int64_t>(ngx_time()) + kFileSeconds;
    return true;
}

bool take_from_file(Ctx& ctx, TokenSource& source, async::TokenOp& op)
{
    if (static_cast<int64_t>(ngx_time()) < source.expires
        || read_token_file(source, ctx.r->connection->log))
    {
        op.result = source.token;
    } else {
        op.result = no_token();
    }
    return true;
}

void token_answer(
    void* data, int status, std::string_view, std::string_view body);

// An exchange at the token endpoint.
bool ask(TokenSource& source)
{
    const config::Provider& provider = *source.provider;
    auto form = provider.options.vertex_auth_key->token_request(
        static_cast<int64_t>(ngx_time()));
    if (!form) {
        return false;
    }
    CallPlan plan;
    plan.conf = &source.conf;
    plan.tls = provider.token_endpoint.tls;
    plan.schema = source.schema;
    plan.authority = source.authority;
    plan.total = kTotal;
    plan.what = "to a token endpoint";
    plan.done = token_answer;
    plan.data = &source;
    const std::string& path = provider.token_endpoint.path;
    plan.outbound.path = path.empty() ? "/" : path;
    plan.outbound.header("Content-Type", "application/x-www-form-urlencoded");
    plan.outbound.header("Accept", "application/json");
    plan.outbound.header("Connection", "close");
    plan.outbound.own_body(std::move(*form));
    auto* cycle = const_cast<ngx_cycle_t*>(ngx_cycle);
    source.call = start_call(std::move(plan), cycle);
    return source.call != nullptr;
}

} // namespace

bool take_token(Ctx& ctx, TokenSource& source, async::TokenOp& op)
{
    if (!source.provider->options.azure_token_file.empty()) {
        return take_from_file(ctx, source, op);
    }
    const int64_t now = static_cast<int64_t>(ngx_time());
    const auto ahead = static_cast<int64_t>(
        source.provider->options.vertex_token_refresh_ahead / 1000);
    if (now < source.expires) {
        // Still good: the renewal waits for nobody and nobody for it.
        op.result = source.token;
        if (now >= source.expires - ahead && now >= source.not_before
            && source.call == nullptr)
        {
            source.not_before = now + kPause;
            (void)ask(source);
        }
        return true;
    }
    source.waiters.push_back(&ctx);
    if (source.call == nullptr && !ask(source)) {
        leave_token(ctx, source);
        op.result = no_token();
        return true;
    }
    return false;
}

void leave_token(Ctx& ctx, TokenSource& source) noexcept
{
    std::erase(source.waiters, &ctx);
}

namespace {

// The call has ended; status 0: there is no answer.
void token_answer(
    void* data, int status, std::string_view, std::string_view body)
{
    auto& source = *static_cast<TokenSource*>(data);
    source.call = nullptr;
    Result<credential::AccessToken> read = status != 0
        ? credential::read_token_answer(status, body)
        : make_error(ErrorCode::upstream_unavailable,
            "the token endpoint did not answer");
    const int64_t now = static_cast<int64_t>(ngx_time());
    if (read) {
        source.token = std::move(read->token);
        source.expires = now + read->expires_in;
        source.not_before = 0;
    } else {
        log_text(NGX_LOG_ERR, ngx_cycle->log,
            "provider \"" + source.provider->options.name
                + "\": no access token: " + read.error().message);
    }
    const std::vector<Ctx*> waiters = std::exchange(source.waiters, {});
    for (Ctx* ctx : waiters) {
        async::TokenOp* op = ctx->token_op;
        if (op == nullptr) {
            continue;
        }
        if (read) {
            op->result = source.token;
        } else {
            op->result = no_token();
        }
        ctx->token_ended = true;
        post_wake(*ctx);
    }
}

} // namespace

} // namespace ai_proxy::http
