#include "core/limit/token_scripts.h"

#include "core/base/hash.h"

#include <array>
#include <algorithm>

namespace ai_proxy::limit {

namespace {

// A hash: of a sliding window the tokens of each 128th of it by number, of a
// fixed one when it began ("b") and what was spent ("s").
// ARGV: budget, window (ms), amount, 1 to take it anyhow, 1 for a fixed window.
constexpr std::string_view kTake = R"(
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local budget, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local amount, fixed = tonumber(ARGV[3]), ARGV[5] == '1'
local used, stamp, parts = 0, math.floor(now * 128 / window), {}
if fixed then
  stamp = tonumber(redis.call('HGET', KEYS[1], 'b') or 0)
  if stamp == 0 or now - stamp >= window then
    redis.call('DEL', KEYS[1])
    stamp = now
  else
    used = tonumber(redis.call('HGET', KEYS[1], 's') or 0)
    parts[1] = {stamp + window, used}
  end
else
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    local number, spent = tonumber(all[i]), tonumber(all[i + 1])
    if number < stamp - 128 then
      redis.call('HDEL', KEYS[1], all[i])
    elseif spent > 0 then
      used = used + spent
      parts[#parts + 1] = {math.ceil((number + 129) * window / 128), spent}
    end
  end
  table.sort(parts, function(a, b) return a[1] < b[1] end)
end
local granted = (ARGV[4] == '1' or used + amount <= budget) and 1 or 0
local retry, free = 0, 0
if granted == 1 then
  used = used + amount
  if fixed then
    redis.call('HSET', KEYS[1], 'b', stamp, 's', used)
    redis.call('PEXPIRE', KEYS[1], math.max(stamp + window - now, 1))
    parts[1] = {stamp + window, used}
  else
    redis.call('HINCRBY', KEYS[1], stamp, amount)
    redis.call('PEXPIRE', KEYS[1], math.ceil(window * 130 / 128))
    parts[#parts + 1] = {math.ceil((stamp + 129) * window / 128), amount}
  end
elseif amount <= budget then
  for i = 1, #parts do
    free = free + parts[i][2]
    if free >= used + amount - budget then
      retry = math.max(parts[i][1] - now, 1)
      break
    end
  end
end
local reset = #parts > 0 and math.max(parts[#parts][1] - now, 0) or 0
return {granted, stamp, used, reset, retry}
)";

// ARGV: window (ms), difference, stamp, 1 for a fixed window.
constexpr std::string_view kSettle = R"(
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local window, by = tonumber(ARGV[1]), tonumber(ARGV[2])
local stamp, part = ARGV[3], math.floor(now * 128 / tonumber(ARGV[1]))
if ARGV[4] == '1' then
  local begin = tonumber(redis.call('HGET', KEYS[1], 'b') or 0)
  if begin ~= 0 and now - begin < window then
    if by > 0 or begin == tonumber(stamp) then
      local spent = tonumber(redis.call('HGET', KEYS[1], 's') or 0)
      redis.call('HSET', KEYS[1], 's', math.max(spent + by, 0))
    end
  elseif by > 0 then
    redis.call('HSET', KEYS[1], 'b', now, 's', by)
    redis.call('PEXPIRE', KEYS[1], window)
  end
elseif by > 0 then
  redis.call('HINCRBY', KEYS[1], part, by)
  redis.call('PEXPIRE', KEYS[1], math.ceil(window * 130 / 128))
else
  local spent = tonumber(redis.call('HGET', KEYS[1], stamp) or 0)
  if spent > 0 then
    redis.call('HSET', KEYS[1], stamp, math.max(spent + by, 0))
  end
end
return 0
)";

constexpr uint64_t kMostNumber = UINT64_MAX / 2;

uint64_t unsigned_of(const std::optional<int64_t>& number) noexcept
{
    return number && *number > 0
        ? std::min(static_cast<uint64_t>(*number), kMostNumber)
        : 0;
}

} // namespace

std::string redis_key(const Rule& rule, std::string_view key)
{
    std::string text = "ai_proxy_token_limit:" + rule.name + ':';
    append_hex(text, rule.id);
    text += ':';
    text += key;
    return text;
}

TokenScripts::TokenScripts()
    : take_(std::string(kTake)), settle_(std::string(kSettle))
{
}

redis::Command TokenScripts::take(
    const Rule& rule, std::string_view key, uint64_t amount, bool force) const
{
    return redis::call(take_, {redis_key(rule, key)}, rule.budget.amount,
        rule.budget.window_ms, amount, int{force},
        int{rule.budget.algorithm == Algorithm::fixed});
}

std::optional<Taken> TokenScripts::taken(
    const Rule& rule, const redis::Reply& reply)
{
    constexpr size_t kNumbers = 5;
    if (reply.elements.size() != kNumbers) {
        return std::nullopt;
    }
    std::array<std::optional<int64_t>, kNumbers> numbers;
    for (size_t i = 0; i < kNumbers; ++i) {
        numbers[i] = reply.elements[i].number();
        if (!numbers[i]) {
            return std::nullopt;
        }
    }
    Taken taken;
    taken.granted = *numbers[0] != 0;
    taken.stamp = *numbers[1];
    taken.level.used = unsigned_of(numbers[2]);
    taken.level.remaining = taken.level.used < rule.budget.amount
        ? rule.budget.amount - taken.level.used
        : 0;
    taken.level.reset_ms = unsigned_of(numbers[3]);
    taken.retry_ms = unsigned_of(numbers[4]);
    return taken;
}

redis::Command TokenScripts::settle(const Rule& rule, std::string_view key,
    int64_t difference, int64_t stamp) const
{
    return redis::call(settle_, {redis_key(rule, key)}, rule.budget.window_ms,
        difference, stamp, int{rule.budget.algorithm == Algorithm::fixed});
}

} // namespace ai_proxy::limit
