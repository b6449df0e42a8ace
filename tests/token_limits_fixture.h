#pragma once

#include "core/config/gateway.h"
#include "core/policy/token_limits.h"

#include "fake_io.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Requests on their way through token limits.
namespace ai_proxy::policy::testing {

using ai_proxy::testing::FakeIo;

inline limit::Rule rule(std::string_view line)
{
    config::Words words{"ai_proxy_token_limit"};
    while (!line.empty()) {
        const size_t end = std::min(line.find(' '), line.size());
        words.push_back(line.substr(0, end));
        line.remove_prefix(std::min(end + 1, line.size()));
    }
    auto made = config::parse_token_limit(words, config::Gateway());
    EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message);
    return made.ok() ? *made : limit::Rule();
}

// Rules whose keys are the texts "a", "b", ... in order.
struct World {
    explicit World(const std::vector<std::string_view>& lines)
    {
        for (const std::string_view line : lines) {
            rules.push_back(rule(line));
            rules.back().text = static_cast<uint32_t>(io.texts.size());
            io.texts.emplace_back(1, static_cast<char>('a' + io.texts.size()));
        }
    }
    uint64_t used(size_t i) { return io.budgets.used(rules[i], io.texts[i]); }

    FakeIo io;
    config::Gateway gateway;
    std::vector<limit::Rule> rules;
};

inline Books answered(int64_t prompt, int64_t completion)
{
    Books books;
    books.status = 200;
    books.tries.emplace_back();
    books.usage.known = true;
    books.usage.prompt = prompt;
    books.usage.completion = completion;
    books.usage_source = UsageSource::provider;
    books.finish = chat::Finish::stop;
    return books;
}

inline redis::Reply numbers(std::initializer_list<int64_t> values)
{
    std::vector<redis::Reply> elements;
    for (const int64_t value : values) {
        elements.push_back(redis::Reply::of(value));
    }
    return redis::Reply::of(std::move(elements));
}

// Two rules: the first in the zone, the second in Redis.
struct SharedWorld : World {
    explicit SharedWorld(config::Redis::OnError on_error)
        : World(std::vector<std::string_view>{
            "key=$x rate=1000/m", "key=$y rate=300/m"})
    {
        gateway.redis.emplace_back();
        gateway.redis[0].on_error = on_error;
        rules[1].redis = 0;
    }
    // What an operation would bring.
    async::RedisReplies ask(TokenLimits& limits)
    {
        async::RedisOp op = io.redis(limits.redis(), limits.commands());
        return io.ask(op);
    }
};

} // namespace ai_proxy::policy::testing
