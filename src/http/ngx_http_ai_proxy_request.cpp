#include "http/ngx_http_ai_proxy.h"

// The request of a native try as it goes to the provider.

namespace ai_proxy::http {

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

// Text in a buffer of known size.
class Appender {
public:
    explicit Appender(u_char* at) noexcept : at_(at) {}
    Appender& operator<<(std::string_view text) noexcept
    {
        at_ = ngx_cpymem(at_, text.data(), text.size());
        return *this;
    }
    Appender& operator<<(size_t number) noexcept
    {
        at_ = ngx_sprintf(at_, "%uz", number);
        return *this;
    }
    [[nodiscard]] u_char* at() const noexcept { return at_; }

private:
    u_char* at_;
};

// Request line and header fields.  Accept-Encoding is fixed: what the codec
// cannot read must not come.
ngx_str_t request_head(ngx_pool_t* pool, const provider::Outbound& outbound,
    std::string_view authority, size_t length)
{
    constexpr std::string_view kAgent = "User-Agent: nginx-ai-proxy\r\n";
    constexpr std::string_view kFixed =
        " HTTP/1.1\r\nHost: \r\nContent-Length: \r\n"
        "Accept-Encoding: identity\r\n";
    const bool agent = !has_header(outbound, "user-agent");
    const bool body =
        length != 0 || (outbound.method != "GET" && outbound.method != "HEAD");
    size_t most = outbound.method.size() + 1 + outbound.path.size()
        + authority.size() + kFixed.size() + NGX_SIZE_T_LEN + kAgent.size() + 2;
    for (const auto& [key, value] : outbound.headers) {
        most += key.size() + value.size() + 4;
    }
    ngx_str_t head{0, static_cast<u_char*>(ngx_pnalloc(pool, most))};
    if (head.data == nullptr) {
        return head;
    }
    Appender out(head.data);
    out << outbound.method << " " << outbound.path
        << " HTTP/1.1\r\nHost: " << authority << "\r\n";
    if (body) {
        out << "Content-Length: " << length << "\r\n";
    }
    out << "Accept-Encoding: identity\r\n";
    if (agent) {
        out << kAgent;
    }
    for (const auto& [key, value] : outbound.headers) {
        out << key << ": " << value << "\r\n";
    }
    out << "\r\n";
    head.len = static_cast<size_t>(out.at() - head.data);
    return head;
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

} // namespace

ngx_chain_t* request_chain(ngx_pool_t* pool, const provider::Outbound& outbound,
    std::string_view authority)
{
    size_t length = 0;
    for (std::string_view piece : outbound.body) {
        length += piece.size();
    }
    const ngx_str_t head = request_head(pool, outbound, authority, length);
    ngx_chain_t* first =
        head.data != nullptr ? memory_buf(pool, view(head)) : nullptr;
    if (first == nullptr) {
        return nullptr;
    }
    ngx_chain_t* last = first;
    for (std::string_view piece : outbound.body) {
        if (piece.empty()) {
            continue;
        }
        last->next = memory_buf(pool, piece);
        if (last->next == nullptr) {
            return nullptr;
        }
        last = last->next;
    }
    last->buf->flush = 1;
    return first;
}

} // namespace ai_proxy::http
