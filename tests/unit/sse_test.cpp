#include "core/wire/sse.h"

#include <algorithm>
#include <gtest/gtest.h>

#include <string>
#include <vector>

using namespace ai_proxy;
using wire::SseEvent;
using wire::SseFramer;

namespace {

struct Copy {
    std::string event, data, raw;
    bool has_data = false;
    int http_status = 0;

    friend bool operator==(const Copy&, const Copy&) = default;
};

std::ostream& operator<<(std::ostream& out, const Copy& c)
{
    return out << '{' << c.event << '|' << testing::PrintToString(c.data) << '|'
               << testing::PrintToString(c.raw) << '|' << c.has_data << '|'
               << c.http_status << '}';
}

class Collector {
public:
    bool operator()(const SseEvent& e)
    {
        events.push_back({std::string(e.event), std::string(e.data),
            std::string(e.raw), e.has_data, e.http_status});
        return true;
    }
    [[nodiscard]] std::vector<std::string> data() const
    {
        std::vector<std::string> all;
        for (const Copy& e : events) {
            if (e.has_data) {
                all.push_back(e.data);
            }
        }
        return all;
    }
    std::vector<Copy> events;
};

using Texts = std::vector<std::string>;

std::vector<Copy> frame(const Texts& pieces)
{
    SseFramer framer;
    Collector collector;
    for (const std::string& piece : pieces) {
        // An exact copy, so that a sanitizer sees a read past its end.
        const std::vector<char> bytes(piece.begin(), piece.end());
        EXPECT_TRUE(
            framer.feed({bytes.data(), bytes.size()}, std::ref(collector))
                .ok());
    }
    EXPECT_TRUE(framer.finish(std::ref(collector)).ok());
    return collector.events;
}

Texts data_of(std::string_view text)
{
    SseFramer framer;
    Collector collector;
    EXPECT_TRUE(framer.feed(text, std::ref(collector)).ok());
    EXPECT_TRUE(framer.finish(std::ref(collector)).ok());
    return collector.data();
}

TEST(SseFields, FollowTheStandard)
{
    EXPECT_EQ(data_of("data: a\n\n"), Texts{"a"});
    EXPECT_EQ(data_of("data:a\n\n"), Texts{"a"});
    EXPECT_EQ(data_of("data:  a \n\n"), Texts{" a "});
    EXPECT_EQ(data_of("data\n\n"), Texts{""});
    EXPECT_EQ(data_of("data:\n\n"), Texts{""});
    EXPECT_EQ(
        data_of("data: a\ndata: b\ndata\ndata: c\n\n"), Texts{"a\nb\n\nc"});
    EXPECT_EQ(data_of("data:a:b\n\n"), Texts{"a:b"});
    EXPECT_EQ(data_of("Data: a\n\n"), Texts{});
    EXPECT_EQ(data_of("data : a\n\n"), Texts{});
    EXPECT_EQ(data_of(" data: a\n\n"), Texts{});
    EXPECT_EQ(data_of("id: 1\nretry: 5\ndata: a\nother: x\n\n"), Texts{"a"});
    EXPECT_EQ(data_of(std::string_view("data: a\0b\n\n", 11)),
        Texts{std::string("a\0b", 3)});
    EXPECT_EQ(data_of("data: a\n\ndata: b\r\rdata: c\r\n\r\n"),
        (Texts{"a", "b", "c"}));
}

TEST(SseFields, EventNameAndComments)
{
    const auto events = frame({": hi\nevent: x\nevent:y\ndata: 1\n\n"
                               ":HTTP_STATUS/429\nevent:error\ndata:{}\n\n"
                               ": keep-alive\n\n"
                               "data: 2\n\n"});
    ASSERT_EQ(events.size(), 4U);
    EXPECT_EQ(events[0].event, "y");
    EXPECT_EQ(events[0].data, "1");
    EXPECT_EQ(events[0].http_status, 0);
    EXPECT_EQ(events[1].http_status, 429);
    EXPECT_EQ(events[1].event, "error");
    EXPECT_FALSE(events[2].has_data);
    EXPECT_EQ(events[2].raw, ": keep-alive\n\n");
    EXPECT_EQ(events[3].event, "");
    EXPECT_EQ(events[3].http_status, 0);
}

TEST(SseFields, StrangeStatusCommentsAreIgnored)
{
    for (const char* text : {":HTTP_STATUS/\n\n", ":HTTP_STATUS/x\n\n",
             ":HTTP_STATUS/99\n\n", ":HTTP_STATUS/99999999999999999999\n\n"})
    {
        EXPECT_EQ(frame({text}).at(0).http_status, 0) << text;
    }
}

TEST(SseFields, ByteOrderMarkOnlyAtTheBeginning)
{
    EXPECT_EQ(data_of("\xEF\xBB\xBF"
                      "data: a\n\n"),
        Texts{"a"});
    EXPECT_EQ(data_of("data: a\n\n\xEF\xBB\xBF"
                      "data: b\n\n"),
        Texts{"a"});
    EXPECT_EQ(data_of("\xEF\xBB"
                      "data: a\n\n"),
        Texts{});
}

TEST(SseFraming, EventLeavesWithItsBlankLine)
{
    struct Case {
        const char *before, *last;
    };
    for (const Case& c : {Case{"data: a\n", "\n"}, Case{"data: a\r\n\r", "\n"},
             Case{"data: a\r", "\r"}, Case{"data: a\n", "\r"},
             Case{"data: a\r\n", "\n"}})
    {
        SseFramer framer;
        Collector collector;
        ASSERT_TRUE(framer.feed(c.before, std::ref(collector)).ok());
        EXPECT_EQ(collector.events.size(), 0U) << c.before;
        ASSERT_TRUE(framer.feed(c.last, std::ref(collector)).ok());
        EXPECT_EQ(collector.data(), Texts{"a"}) << c.before;
        EXPECT_EQ(framer.buffered(), 0U);
    }
}

TEST(SseFraming, ALateLfMakesNoEvent)
{
    SseFramer framer;
    Collector collector;
    for (const char* piece : {"data: a\r\r", "\n", "data: b\r\r", "\n"}) {
        ASSERT_TRUE(framer.feed(piece, std::ref(collector)).ok());
    }
    EXPECT_EQ(collector.events.size(), 2U);
    EXPECT_EQ(collector.data(), (Texts{"a", "b"}));
    ASSERT_TRUE(framer.finish(std::ref(collector)).ok());
    EXPECT_EQ(collector.data(), (Texts{"a", "b"}));
}

TEST(SseFraming, EndDeliversWhatLacksItsBlankLine)
{
    for (const char* text :
        {"data: a", "data: a\n", "data: a\r", "data: a\r\n", "data: a\r\n\r"})
    {
        EXPECT_EQ(data_of(text), Texts{"a"}) << text;
    }
    EXPECT_EQ(frame({""}).size(), 0U);
}

TEST(SseFraming, StrayBlankLinesAreEventsWithoutData)
{
    const auto events = frame({"\n\r\n\ndata: a\n\n\n"});
    ASSERT_EQ(events.size(), 5U);
    EXPECT_EQ(events[1].raw, "\r\n");
    EXPECT_FALSE(events[2].has_data);
    EXPECT_EQ(events[3].raw, "data: a\n\n");
    EXPECT_EQ(events[4].raw, "\n");
}

const char* const kStreams[] = {
    "data: {\"a\":1}\n\ndata: {\"b\":2}\n\ndata: [DONE]\n\n",
    "event: x\r\ndata: 1\r\n\r\n: c\r\n\r\ndata: 2\r\ndata: 3\r\n\r\n",
    "data: 1\r\rdata: 2\rdata: 3\r\r\r",
    "\xEF\xBB\xBF"
    "data: 1\n\r\ndata: 2\r\n\n\r\r\ndata: 3\r\n\rdata: 4\n\r",
    "\n\n\r\n\r\rdata\r\n\r\n\r\n\n",
    ":HTTP_STATUS/200\nid:1\nevent:result\ndata:{\"x\":1}\n\ndata: last",
    "\r",
    "\xEF\xBB\xBF",
    "data: 1\r\r\ndata: 2\r\r\n\r\n\r",
};

TEST(SseFraming, OutputDoesNotDependOnTheCuts)
{
    for (const std::string text : kStreams) {
        const auto whole = frame({text});
        std::string raw;
        for (const Copy& event : whole) {
            raw += event.raw;
        }
        EXPECT_EQ(raw, text);
        Texts bytes;
        for (size_t i = 0; i < text.size(); i++) {
            bytes.emplace_back(1, text[i]);
            for (size_t j = i; j <= text.size(); j++) {
                EXPECT_EQ(frame({text.substr(0, i), text.substr(i, j - i),
                              text.substr(j)}),
                    whole)
                    << testing::PrintToString(text) << i << ',' << j;
            }
        }
        EXPECT_EQ(frame(bytes), whole) << testing::PrintToString(text);
    }
}

// Another reading of the standard, the slow way, as the reference.
Texts reference(const std::string& text)
{
    Texts lines(1);
    for (size_t i = 0; i < text.size(); i++) {
        if (text[i] == '\r' || text[i] == '\n') {
            i += text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n';
            lines.emplace_back();
        } else {
            lines.back() += text[i];
        }
    }
    Texts events;
    std::string data;
    bool any = false;
    for (size_t n = 0; n <= lines.size(); n++) {
        if (n == lines.size() || lines[n].empty()) {
            if (any) {
                data.pop_back();
                events.push_back(data);
            }
            data.clear();
            any = false;
        } else if (lines[n].rfind("data", 0) == 0
            && (lines[n].size() == 4 || lines[n][4] == ':'))
        {
            std::string value =
                lines[n].substr(std::min(lines[n].size(), size_t(5)));
            data += value.rfind(' ', 0) == 0 ? value.substr(1) : value;
            data += '\n';
            any = true;
        }
    }
    return events;
}

TEST(SseFraming, AgreesWithASlowReaderOnAllShortStreams)
{
    const char* const kTokens[] = {"\n", "\r", "data:x", ":", " "};
    for (int code = 0; code < 5 * 5 * 5 * 5 * 5 * 5; code++) {
        std::string text;
        for (int rest = code, i = 0; i < 6; i++, rest /= 5) {
            text += kTokens[rest % 5];
        }
        ASSERT_EQ(data_of(text), reference(text))
            << testing::PrintToString(text);
    }
}

TEST(SseFraming, LongLinesAcrossManyPieces)
{
    const std::string text =
        "data: " + std::string(100000, 'x') + "\n\ndata: y\n\n";
    SseFramer framer;
    Collector collector;
    for (size_t i = 0; i < text.size(); i += 333) {
        ASSERT_TRUE(framer
                        .feed(std::string_view(text).substr(i, 333),
                            std::ref(collector))
                        .ok());
    }
    EXPECT_EQ(collector.data(), (Texts{std::string(100000, 'x'), "y"}));
}

TEST(SseFraming, AnEventWithinTheBytesIsNotCopied)
{
    const std::string text = "data: a\n\ndata: b\n\nda";
    SseFramer framer;
    const auto inside = [&](const SseEvent& e) {
        EXPECT_GE(e.data.data(), text.data());
        EXPECT_LT(e.data.data(), text.data() + text.size());
        return true;
    };
    ASSERT_TRUE(framer.feed(text, inside).ok());
    EXPECT_EQ(framer.buffered(), 2U);
}

TEST(SseFraming, StopsWhenTold)
{
    SseFramer framer;
    int seen = 0;
    const auto stop = [&](const SseEvent&) {
        seen++;
        return false;
    };
    ASSERT_TRUE(framer.feed("data: a\n\ndata: b\n\ndata: c", stop).ok());
    EXPECT_EQ(seen, 1);
    EXPECT_EQ(framer.buffered(), 0U);
}

TEST(SseFraming, RefusesAnEventBeyondTheBound)
{
    const std::string line(1024 * 1024 - 1, 'x');
    SseFramer framer;
    Collector collector;
    Result<void> result;
    size_t fed = 0;
    while (result.ok() && fed < 2 * SseFramer::kMaxEvent) {
        result = framer.feed(line + "\n", std::ref(collector));
        fed += line.size() + 1;
    }
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code, ErrorCode::upstream_too_large);
    EXPECT_EQ(fed, SseFramer::kMaxEvent + line.size() + 1);

    SseFramer whole;
    const std::string big(SseFramer::kMaxEvent, 'x');
    EXPECT_FALSE(whole.feed(big + "\n\n", std::ref(collector)).ok());
}

} // namespace
