#include "core/limit/token_scripts.h"

#include "core/base/hash.h"

#include <array>
#include <algorithm>

namespace ai_proxy::limit {

namespace {

// A hash: "head" has the part of a sliding window in which it was last changed
// (its 128ths are numbered), the tokens of that part and those of the parts
// before it; these have a field each.  Of a fixed window it has the begin and
// the tokens.  So within one part a request is one read and one write, however
// many parts there are.
// ARGV: window (ms), 1 for a fixed one, budget ("": nothing is taken), amount,
// 1 to take it anyhow, then corrections: difference and stamp of each.  What
// was used beyond a take counts from now; what was taken too much is given
// back where it was taken, as long as that is in the window, or, with stamp 0,
// of what was spent last.
// A full Redis refuses what might need memory unless the script has freed some
// before: corrections are made all the same, by writing anew what is there.
constexpr std::string_view kCount = R"(
local key, time = KEYS[1], redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local window, fixed = tonumber(ARGV[1]), ARGV[2] == '1'
local budget, amount = tonumber(ARGV[3]), tonumber(ARGV[4])
local stamp = fixed and now or math.floor(now * 128 / window)
local part, here, rest = 0, 0, 0
local head = redis.call('HGET', key, 'head')
if head then
  part, here, rest = struct.unpack('<ddd', head)
  if fixed and math.abs(now - part) < window then
    stamp = part
  end
end
local moved = part ~= stamp
local function word(number)
  return string.format('%d', number)
end
local function over(number)
  return math.ceil((number + 129) * window / 128)
end
local function others()
  local all, found = redis.call('HGETALL', key), {}
  for i = 1, #all, 2 do
    local number, tokens = tonumber(all[i]), tonumber(all[i + 1])
    if number and tokens then
      found[#found + 1] = {number, tokens}
    elseif all[i] ~= 'head' then
      redis.call('HDEL', key, all[i]) -- not ours
    end
  end
  table.sort(found, function(a, b) return a[1] < b[1] end)
  return found
end
if moved and head and not fixed then
  redis.call('HDEL', key, 'head')
  if here > 0 then
    redis.call('HSET', key, word(part), word(here))
  end
  here, rest = 0, 0
  for _, other in ipairs(others()) do
    if math.abs(other[1] - stamp) <= 128 and other[1] ~= stamp then
      rest = rest + other[2]
    else
      redis.call('HDEL', key, word(other[1]))
      here = other[1] == stamp and other[2] or here -- it was ahead
    end
  end
elseif moved then
  here = 0
end
local function give_back(from, by)
  local spent = tonumber(redis.call('HGET', key, from) or 0)
  by = math.max(by, -spent)
  rest = rest + by
  if spent > 0 then
    redis.call('HDEL', key, from)
  end
  if spent + by > 0 then
    redis.call('HSET', key, from, word(spent + by))
  end
  return by
end
local more, less, latest = 0, 0, 0
for i = 6, #ARGV, 2 do
  local by, from = tonumber(ARGV[i]), ARGV[i + 1]
  if by > 0 then
    more = more + by
  elseif tonumber(from) == stamp then
    less = less + by
  elseif from == '0' then
    latest = latest + by
  elseif not fixed then
    give_back(from, by)
  end
end
here = here + more + math.max(less, -here)
local earlier = math.min(here + latest, 0)
here = math.max(here + latest, 0)
if earlier < 0 and not fixed then
  local parts = others()
  for i = #parts, 1, -1 do
    earlier = earlier - give_back(word(parts[i][1]), earlier)
  end
end
local corrected = more > 0 or less + latest < 0 or (#ARGV > 5 and not fixed)
local granted = budget
  and (ARGV[5] == '1' or here + rest + amount <= budget)
local function save(tokens)
  local saved = redis.pcall('HSET', key,
    'head', struct.pack('<ddd', stamp, tokens, rest))
  return type(saved) == 'table' and saved.err and saved
end
local without = here
if granted then
  here = here + amount
end
local refused = (granted or corrected or (moved and head and not fixed))
  and save(here)
if refused and head and corrected then
  redis.call('HDEL', key, 'head')
  save(without)
  moved = true
end
if moved then
  redis.call('PEXPIRE', key,
    fixed and stamp + window - now or math.ceil(window * 130 / 128))
end
if not budget then
  return 0
elseif refused then
  return refused
end
local used, last, retry, reset = here + rest, stamp, 0, 0
if not fixed and (here == 0 or not granted) then
  local parts, free = others(), 0
  if here > 0 then
    parts[#parts + 1] = {stamp, here}
  end
  last = #parts > 0 and parts[#parts][1] or stamp
  if not granted and amount <= budget then
    retry = math.max(over(last) - now, 1)
    for i = 1, #parts do
      free = free + parts[i][2]
      if free >= used + amount - budget then
        retry = math.max(over(parts[i][1]) - now, 1)
        break
      end
    end
  end
elseif not granted and amount <= budget then
  retry = math.max(stamp + window - now, 1)
end
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
