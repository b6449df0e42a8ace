#include "core/limit/scripts.h"

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

} // namespace

Scripts::Scripts() : count_request(kCountRequest)
{
}

} // namespace ai_proxy::limit
