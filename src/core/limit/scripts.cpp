#include "core/limit/scripts.h"

#include <algorithm>

namespace ai_proxy::limit {

namespace {

constexpr const char* kCountRequest = R"(
local limit = tonumber(ARGV[1])
local count = tonumber(redis.call('GET', KEYS[1]) or '0')
if count <= limit then
    count = redis.call('INCR', KEYS[1])
end
local left = redis.call('TTL', KEYS[1])
if left < 0 then
    left = tonumber(ARGV[2])
    redis.call('EXPIRE', KEYS[1], left)
end
return {limit, count, left}
)";

constexpr const char* kCheckTokens = R"(
local left = redis.call('TTL', KEYS[1])
if left < 0 then
    left = tonumber(ARGV[2])
end
local count = tonumber(redis.call('GET', KEYS[1]) or '0')
return {tonumber(ARGV[1]), count, left}
)";

constexpr const char* kChargeTokens = R"(
local count = tonumber(redis.call('GET', KEYS[1]) or '0')
if count <= tonumber(ARGV[1]) then
    count = redis.call('INCRBY', KEYS[1], ARGV[3])
end
if redis.call('TTL', KEYS[1]) < 0 then
    redis.call('EXPIRE', KEYS[1], ARGV[2])
end
return count
)";

} // namespace

Scripts::Scripts()
    : count_request(kCountRequest), check_tokens(kCheckTokens),
      charge_tokens(kChargeTokens)
{
}

std::optional<WindowCount> read_count(const redis::Reply& reply)
{
    if (reply.elements.size() != 3) {
        return std::nullopt;
    }
    const auto most = reply.elements[0].number();
    const auto count = reply.elements[1].number();
    const auto seconds = reply.elements[2].number();
    if (!most || !count || !seconds) {
        return std::nullopt;
    }
    return WindowCount{*most, *count, std::max<int64_t>(*seconds, 0)};
}

} // namespace ai_proxy::limit
