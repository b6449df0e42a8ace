#include "ngx/ngx.h"

#include "http/ngx_http_ai_proxy_redis.h"

#include <algorithm>
#include <new>

// Replies of a Redis server, from hiredis' parser to our own kind.

namespace ai_proxy::http {

namespace {

using redis::Reply;

// Bytes of one reply, as it is sent: nothing we ask for is near it.
constexpr size_t kMaxReply = 1024 * 1024;

// Runs below C code: no exception may leave.
template <class F>
void* made(const redisReadTask* task, F&& fill) noexcept
{
    try {
        Reply* reply = nullptr;
        if (task->parent == nullptr) {
            reply = new Reply;
        } else {
            auto& siblings = static_cast<Reply*>(task->parent->obj)->elements;
            reply = &siblings.emplace_back();
        }
        fill(*reply);
        return reply;

    } catch (...) {
        return nullptr; // the parser says that memory is short
    }
}

void* make_text(const redisReadTask* task, char* text, size_t length)
{
    return made(task, [&](Reply& reply) {
        reply.kind = task->type == REDIS_REPLY_ERROR ? Reply::Kind::error
            : task->type == REDIS_REPLY_STATUS       ? Reply::Kind::status
                                                     : Reply::Kind::string;
        reply.text.assign(text, length);
    });
}

void* make_array(const redisReadTask* task, int elements)
{
    // What the server announces it may never send.
    constexpr int kReserved = 64;
    return made(task, [&](Reply& reply) {
        reply.kind = Reply::Kind::array;
        reply.elements.reserve(
            static_cast<size_t>(std::clamp(elements, 0, kReserved)));
    });
}

void* make_integer(const redisReadTask* task, long long value)
{
    return made(task, [&](Reply& reply) {
        reply.kind = Reply::Kind::integer;
        reply.integer = value;
    });
}

void* make_nil(const redisReadTask* task)
{
    return made(task, [](Reply&) {});
}

// Of the outermost one, which owns all others.
void free_reply(void* reply)
{
    delete static_cast<Reply*>(reply);
}

redisReplyObjectFunctions functions = {
    make_text, make_array, make_integer, make_nil, free_reply};

} // namespace

RedisReader::RedisReader() = default;

void RedisReader::reset() noexcept
{
    if (reader_ != nullptr) {
        redisReaderFree(reader_);
        reader_ = nullptr;
    }
    since_reply_ = 0;
}

bool RedisReader::feed(std::string_view bytes)
{
    if (reader_ == nullptr) {
        reader_ = redisReaderCreateWithFunctions(&functions);
        if (reader_ == nullptr) {
            throw std::bad_alloc();
        }
    }
    since_reply_ += bytes.size();
    return redisReaderFeed(reader_, bytes.data(), bytes.size()) == REDIS_OK;
}

RedisReader::Found RedisReader::next(Reply& reply)
{
    void* found = nullptr;
    if (reader_ == nullptr) {
        return Found::more;
    }
    if (redisReaderGetReply(reader_, &found) != REDIS_OK) {
        return Found::fault;
    }
    if (found == nullptr) {
        return since_reply_ > kMaxReply ? Found::fault : Found::more;
    }
    since_reply_ = 0;
    std::unique_ptr<Reply> owned(static_cast<Reply*>(found));
    reply = std::move(*owned);
    return Found::reply;
}

} // namespace ai_proxy::http
