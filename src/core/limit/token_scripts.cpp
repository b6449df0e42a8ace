#include "core/limit/token_scripts.h"

#include "core/base/hash.h"

#include <array>
#include <algorithm>

namespace ai_proxy::limit {

namespace {

// A hash: of a sliding window the tokens of each 128th of it by number, their
// sum ("used") and the number of the part in which that was last added up
// ("newest"); of a fixed one when it began ("b") and what was spent ("s").
// Within one part a request costs the same however many parts there are.
// Numbers become words here: Redis would print each as a double, which costs
// more than the command it is for.
// ARGV: budget, window (ms), amount, 1 to take it anyhow, 1 for a fixed window.
constexpr std::string_view kTake = R"(
local key, time = KEYS[1], redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local budget, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local amount, fixed = tonumber(ARGV[3]), ARGV[5] == '1'
local used, stamp, here, last = 0, math.floor(now * 128 / window), 0, 0
local moved = false
local function over(number)
  return math.ceil((number + 129) * window / 128)
end
local function word(number)
  return string.format('%d', number)
end
local part = word(stamp)
if fixed then
  local held = redis.call('HMGET', key, 'b', 's')
  stamp, used = tonumber(held[1] or 0), tonumber(held[2] or 0)
  moved = stamp == 0 or now - stamp >= window
  if moved then
    if stamp ~= 0 then
      redis.call('DEL', key)
    end
    stamp, used = now, 0
  end
else
  local held = redis.call('HMGET', key, 'used', 'newest', part)
  used, here, last = tonumber(held[1] or 0), tonumber(held[3] or 0), stamp
  moved = held[2] ~= part
  if moved or (here == 0 and amount == 0) then
    used, last = 0, 0
    local all, gone = redis.call('HGETALL', key), {}
    for i = 1, #all, 2 do
      local number, spent = tonumber(all[i]), tonumber(all[i + 1])
      if number and number < stamp - 128 then
        gone[#gone + 1] = all[i]
      elseif number and spent > 0 then
        used, last = used + spent, math.max(last, number)
      end
    end
    if #gone > 0 then
      redis.call('HDEL', key, unpack(gone))
    end
  end
end
local granted = (ARGV[4] == '1' or used + amount <= budget) and 1 or 0
local retry = 0
if granted == 1 then
  used = used + amount
  if fixed then
    redis.call('HSET', key, 'b', word(stamp), 's', word(used))
  else
    redis.call('HSET', key, 'used', word(used), part, word(here + amount))
    if amount > 0 then
      last = stamp
    end
  end
  if moved and fixed then
    redis.call('PEXPIRE', key, window)
  elseif moved then
    redis.call('HSET', key, 'newest', part)
    redis.call('PEXPIRE', key, math.ceil(window * 130 / 128))
  end
elseif amount <= budget and fixed then
  retry = math.max(stamp + window - now, 1)
elseif amount <= budget then
  local all, parts, free = redis.call('HGETALL', key), {}, 0
  for i = 1, #all, 2 do
    local number, spent = tonumber(all[i]), tonumber(all[i + 1])
    if number and spent > 0 then
      parts[#parts + 1] = {number, spent}
    end
  end
  table.sort(parts, function(a, b) return a[1] < b[1] end)
  last = #parts > 0 and parts[#parts][1] or stamp
  retry = math.max(over(last) - now, 1)
  for i = 1, #parts do
    free = free + parts[i][2]
    if free >= used + amount - budget then
      retry = math.max(over(parts[i][1]) - now, 1)
      break
    end
  end
end
local reset = 0
if used > 0 then
  reset = math.max((fixed and stamp + window or over(last)) - now, 0)
end
return {granted, stamp, used, reset, retry}
)";

// A full Redis refuses what might need memory unless the script has freed some
// before: so what is given back is removed, and the rest of it written anew.
// ARGV: window (ms), difference, stamp, 1 for a fixed window.
constexpr std::string_view kSettle = R"(
local window, by, stamp = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local now = 0
local function word(number)
  return string.format('%d', number)
end
if by > 0 or ARGV[4] == '1' then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
if ARGV[4] == '1' then
  local begin = tonumber(redis.call('HGET', KEYS[1], 'b') or 0)
  if begin ~= 0 and now - begin < window then
    if by > 0 or begin == tonumber(stamp) then
      local spent = tonumber(redis.call('HGET', KEYS[1], 's') or 0)
      redis.call('HDEL', KEYS[1], 's')
      redis.call('HSET', KEYS[1], 's', word(math.max(spent + by, 0)))
    end
  elseif by > 0 then
    redis.call('HSET', KEYS[1], 'b', now, 's', by)
    redis.call('PEXPIRE', KEYS[1], window)
  end
elseif by > 0 then
  local part = word(math.floor(now * 128 / window))
  redis.call('HINCRBY', KEYS[1], part, ARGV[2])
  redis.call('HINCRBY', KEYS[1], 'used', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], math.ceil(window * 130 / 128))
else
  local held = redis.call('HMGET', KEYS[1], stamp, 'used')
  local spent, used = tonumber(held[1] or 0), tonumber(held[2] or 0)
  if spent > 0 then
    by = math.max(by, -spent)
    redis.call('HDEL', KEYS[1], stamp)
    redis.call('HSET', KEYS[1], stamp, word(spent + by),
        'used', word(used + by))
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
