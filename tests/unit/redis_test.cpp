#include "core/redis/command.h"
#include "core/redis/reply.h"
#include "core/redis/slot.h"
#include "core/redis/topology.h"

#include "core/async/task.h"

#include "fake_io.h"

#include <gtest/gtest.h>

#include <utility>

using namespace ai_proxy;
using namespace ai_proxy::redis;

namespace {

std::string bytes(const Command& command, bool whole = false)
{
    std::string out;
    command.write(out, whole);
    EXPECT_LE(out.size(), command.size(whole));
    return out;
}

TEST(RedisCommand, IsAnArrayOfWords)
{
    const Command c = command("INCRBY", "a key", -5);
    EXPECT_EQ(bytes(c), "*3\r\n$6\r\nINCRBY\r\n$5\r\na key\r\n$2\r\n-5\r\n");
    EXPECT_EQ(c.text(), "INCRBY a key -5");
    EXPECT_EQ(bytes(Command("PING")), "*1\r\n$4\r\nPING\r\n");
}

TEST(RedisCommand, TakesAnyBytes)
{
    const std::string key("\r\n$1\0\xff", 6);
    const Command c = command("SET", key, "");
    EXPECT_EQ(bytes(c), "*3\r\n$3\r\nSET\r\n$6\r\n" + key + "\r\n$0\r\n\r\n");
    EXPECT_EQ(c.text(), "SET " + key + " ");
}

TEST(RedisCommand, CallsAScriptByNameOrWhole)
{
    const Script script("return 1");
    EXPECT_EQ(script.sha1(), "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
    const Command c = call(script, {"k1", "k2"}, 60, "x");
    EXPECT_EQ(bytes(c),
        "*7\r\n$7\r\nEVALSHA\r\n$40\r\ne0e1f9fabfc9d4800c877a703b823ac0578ff8db"
        "\r\n$1\r\n2\r\n$2\r\nk1\r\n$2\r\nk2\r\n$2\r\n60\r\n$1\r\nx\r\n");
    EXPECT_EQ(bytes(c, true),
        "*7\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n"
        "$1\r\n2\r\n$2\r\nk1\r\n$2\r\nk2\r\n$2\r\n60\r\n$1\r\nx\r\n");
    EXPECT_EQ(c.text(), "EVALSHA 2 k1 k2 60 x");
    EXPECT_EQ(c.slot(), key_slot("k1"));
    EXPECT_EQ(Command("PING").slot(), std::nullopt);
}

// Values of CLUSTER KEYSLOT of a Redis 7.
TEST(RedisSlot, IsThatOfTheServers)
{
    EXPECT_EQ(key_slot("123456789"), 0x31c3);
    EXPECT_EQ(key_slot(""), 0);
    EXPECT_EQ(key_slot("foo"), 12182);
    EXPECT_EQ(key_slot("user1000"), 3443);
    EXPECT_EQ(key_slot("{user1000}.following"), 3443);
    EXPECT_EQ(key_slot("foo{}{bar}"), 8363);
    EXPECT_EQ(key_slot("foo{{bar}}zap"), key_slot("{bar"));
    EXPECT_EQ(key_slot("foo{bar}{zap}"), key_slot("bar"));
    EXPECT_EQ(key_slot("foo{bar"), 15278);
}

TEST(RedisReply, IsANumberOnlyAsAWhole)
{
    EXPECT_EQ(Reply::of(int64_t(-3)).number(), -3);
    EXPECT_EQ(Reply::of("9223372036854775807").number(), 9223372036854775807);
    EXPECT_EQ(Reply::of("-1").number(), -1);
    for (const char* text :
        {"", "1 ", " 1", "1.5", "9223372036854775808", "0x1"}) {
        EXPECT_EQ(Reply::of(text).number(), std::nullopt) << text;
    }
    EXPECT_EQ(Reply().number(), std::nullopt);
    EXPECT_EQ(Reply::of(Reply::Kind::error, "1").number(), std::nullopt);
}

TEST(RedisReply, NamesTheKindOfAnError)
{
    const auto error = [](const char* text) {
        return std::string(Reply::of(Reply::Kind::error, text).error_kind());
    };
    EXPECT_EQ(error("NOSCRIPT No matching script."), "NOSCRIPT");
    EXPECT_EQ(error("LOADING"), "LOADING");
    EXPECT_EQ(Reply::of("NOSCRIPT no error").error_kind(), "");
}

TEST(RedisTopology, ReadsAddresses)
{
    const auto read = [](std::string_view text) {
        const auto address = parse_address(text, 6379);
        return address ? address->host + "|" + std::to_string(address->port)
                       : "";
    };
    EXPECT_EQ(read("redis.example"), "redis.example|6379");
    EXPECT_EQ(read("10.0.0.1:7000"), "10.0.0.1|7000");
    EXPECT_EQ(read("[::1]:7000"), "::1|7000");
    EXPECT_EQ(read("[::1]"), "::1|6379");
    EXPECT_EQ(read("unix:/run/redis.sock"), "unix:/run/redis.sock|0");
    for (const char* wrong : {"", ":1", "h:", "h:0", "h:65536", "h:1:2", "h:x",
             "[::1", "[::1]7", "unix:", "unix:x", "a b", "a/b:1"})
    {
        EXPECT_EQ(read(wrong), "") << wrong;
    }
    EXPECT_EQ((Address{"::1", 7000}).text(), "[::1]:7000");
    EXPECT_EQ((Address{"h", 1}).text(), "h:1");
    EXPECT_EQ((Address{"unix:/x", 0}).text(), "unix:/x");
}

Reply range(int64_t first, int64_t last, Reply host, int64_t port)
{
    return Reply::of(std::vector<Reply>{Reply::of(first), Reply::of(last),
        Reply::of(std::vector<Reply>{
            std::move(host), Reply::of(port), Reply::of("id")})});
}

TEST(RedisTopology, ReadsTheSlotsOfACluster)
{
    const auto ranges = parse_slots(Reply::of(std::vector<Reply>{
        range(0, 8191, Reply::of("127.0.0.1"), 7000),
        range(8192, 16383, Reply(), 7001),
        range(3, 4, Reply::of("?"), 7002),
    }));
    ASSERT_TRUE(ranges.has_value());
    ASSERT_EQ(ranges->size(), 2u);
    EXPECT_EQ((*ranges)[0].last, 8191);
    EXPECT_EQ((*ranges)[0].master, (Address{"127.0.0.1", 7000}));
    EXPECT_EQ((*ranges)[1].first, 8192);
    EXPECT_EQ((*ranges)[1].master, (Address{"", 7001}));

    EXPECT_FALSE(parse_slots(Reply::of("x")));
    for (const auto& [first, last] :
        {std::pair(5, 4), std::pair(-1, 4), std::pair(0, 16384)})
    {
        EXPECT_FALSE(parse_slots(Reply::of(
            std::vector<Reply>{range(first, last, Reply::of("h"), 1)})))
            << first << "-" << last;
    }
}

TEST(RedisTopology, ReadsRedirects)
{
    const auto read = [](const char* text) -> std::string {
        const auto r = parse_redirect(Reply::of(Reply::Kind::error, text));
        return !r ? ""
                  : (r->ask ? "ask " : "moved ") + std::to_string(r->slot) + " "
                + r->to.host + " " + std::to_string(r->to.port);
    };
    EXPECT_EQ(read("MOVED 3999 127.0.0.1:6381"), "moved 3999 127.0.0.1 6381");
    EXPECT_EQ(read("ASK 16383 ::1:6381"), "ask 16383 ::1 6381");
    EXPECT_EQ(read("MOVED 0 :7001"), "moved 0  7001");
    for (const char* wrong : {"ERR x", "MOVED", "MOVED ", "MOVED 1",
             "MOVED 16384 h:1", "MOVED x h:1", "MOVED 1 h", "MOVED 1 h:0",
             "MOVED 1 a b:1", "MOVEDX 1 h:1"})
    {
        EXPECT_EQ(read(wrong), "") << wrong;
    }
    EXPECT_FALSE(parse_redirect(Reply::of("MOVED 1 h:1")));
}

TEST(RedisTopology, ReadsTheMasterOfASentinel)
{
    const auto master = parse_master(Reply::of(
        std::vector<Reply>{Reply::of("10.0.0.5"), Reply::of("6379")}));
    EXPECT_EQ(master, (Address{"10.0.0.5", 6379}));
    EXPECT_FALSE(parse_master(Reply()));
    EXPECT_FALSE(parse_master(
        Reply::of(std::vector<Reply>{Reply::of("h"), Reply::of("0")})));
}

struct RedisWorld {
    explicit RedisWorld(ai_proxy::testing::FakeIo& fake) : io(fake)
    {
        io.redis_says = [](const Command& c) {
            return c.text() == "GET a" ? Reply::of("7") : Reply();
        };
    }
    static async::Task<int64_t> ask(async::Scope& s)
    {
        std::vector<Command> commands;
        commands.push_back(command("GET", "a"));
        commands.push_back(command("GET", "b"));
        async::RedisReplies replies =
            co_await s.io.redis(3, std::move(commands));
        co_return replies && replies->size() == 2
            ? (*replies)[0].number().value_or(-1)
            : -2;
    }
    async::Task<int64_t> task(async::Scope& s) { return ask(s); }
    void check(int64_t got) const
    {
        EXPECT_EQ(got, 7);
        EXPECT_EQ(io.started.front(), "redis 3: GET a; GET b");
    }
    ai_proxy::testing::FakeIo& io;
};

TEST(RedisOperation, GivesReplies)
{
    ai_proxy::testing::run_every_way<RedisWorld>();
}

} // namespace
