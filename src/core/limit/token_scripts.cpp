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
// ARGV: window (ms), 1 for a fixed one, budget ("": nothing is taken), amount,
// 1 to take it anyhow, then corrections: difference and stamp of each.  What
// was used beyond a take counts from now; what was taken too much is given
// back where it was taken, as long as that is in the window.
// A full Redis refuses what might need memory unless the script has freed some
// before: so what is given back is removed, and the rest of it written anew.
constexpr std::string_view kCount = R"(
local key, time = KEYS[1], redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local window, fixed = tonumber(ARGV[1]), ARGV[2] == '1'
local budget, amount = tonumber(ARGV[3]), tonumber(ARGV[4])
local used, stamp, here, last = 0, math.floor(now * 128 / window), 0, 0
local more, less, moved = 0, 0, false
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
end
for i = 6, #ARGV, 2 do
  local by, from = tonumber(ARGV[i]), ARGV[i + 1]
  if by > 0 then
    more = more + by
  elseif fixed and not moved and tonumber(from) == stamp
    or not fixed and from == part
  then
    less = less + by
  elseif not fixed then
    local held = redis.call('HMGET', key, from, 'used')
    local spent = tonumber(held[1] or 0)
    if spent > 0 then
      by = math.max(by, -spent)
      redis.call('HDEL', key, from)
      redis.call('HSET', key, from, word(spent + by),
        'used', word(tonumber(held[2] or 0) + by))
    end
  end
end
if fixed then
  here = used
else
  local held = redis.call('HMGET', key, 'used', 'newest', part)
  used, here = tonumber(held[1] or 0), tonumber(held[3] or 0)
  moved = held[2] ~= part
end
local change = more + math.max(less, -here)
last = stamp
if not fixed and (moved or (here + change == 0 and amount == 0)) then
  used, last = here, 0
  local all, gone = redis.call('HGETALL', key), {}
  for i = 1, #all, 2 do
    local number, spent = tonumber(all[i]), tonumber(all[i + 1])
    if number and number < stamp - 128 then
      gone[#gone + 1] = all[i]
    elseif number and number ~= stamp and spent > 0 then
      used, last = used + spent, math.max(last, number)
    end
  end
  if #gone > 0 then
    redis.call('HDEL', key, unpack(gone))
  end
end
used, here = used + change, here + change
local granted = budget and (ARGV[5] == '1' or used + amount <= budget)
if granted then
  used, here = used + amount, here + amount
end
if here > 0 then
  last = stamp
end
if less < 0 then
  redis.call('HDEL', key, fixed and 's' or part)
end
if granted or more > 0 or less < 0 then
  if fixed then
    redis.call('HSET', key, 'b', word(stamp), 's', word(used))
  else
    redis.call('HSET', key, 'used', word(used), part, word(here))
  end
  if moved and fixed then
    redis.call('PEXPIRE', key, window)
  elseif moved then
    redis.call('HSET', key, 'newest', part)
    redis.call('PEXPIRE', key, math.ceil(window * 130 / 128))
  end
end
if not budget then
  return 0
end
local retry = 0
if not granted and amount <= budget and fixed then
  retry = math.max(stamp + window - now, 1)
elseif not granted and amount <= budget then
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
return {granted and 1 or 0, stamp, used, reset, retry}
)";

constexpr uint64_t kMostNumber = UINT64_MAX / 2;

uint64_t unsigned_of(const std::optional<int64_t>& number) noexcept
{
    return number && *number > 0
        ? std::min(static_cast<uint64_t>(*number), kMostNumber)
        : 0;
}

void add_corrections(redis::Command& command, const Corrections& corrections)
{
    for (const Correction& correction : corrections) {
        command.add(correction.difference);
        command.add(correction.stamp);
    }
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

TokenScripts::TokenScripts() : count_(std::string(kCount))
{
}

redis::Command TokenScripts::take(const Rule& rule, std::string_view key,
    uint64_t amount, bool force, const Corrections& before) const
{
    redis::Command command = redis::call(count_, {redis_key(rule, key)},
        rule.budget.window_ms, int{rule.budget.algorithm == Algorithm::fixed},
        rule.budget.amount, amount, int{force});
    add_corrections(command, before);
    return command;
}

redis::Command TokenScripts::settle(const Rule& rule, std::string_view key,
    const Corrections& corrections) const
{
    redis::Command command =
        redis::call(count_, {redis_key(rule, key)}, rule.budget.window_ms,
            int{rule.budget.algorithm == Algorithm::fixed}, "", 0, 0);
    add_corrections(command, corrections);
    return command;
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

} // namespace ai_proxy::limit
