#pragma once

#include "core/chat/event.h"
#include "core/dialect/chat_request.h"
#include "core/json/reader.h"
#include "core/provider/protocol.h"
#include "core/wire/sse.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>

// What the tests of the protocols share: a client's body put through encode(),
// and a provider's answer gathered from the events of its decoder.
namespace vendor_probe {

using namespace ai_proxy;

struct Encoded {
    Result<void> result;
    provider::Outbound out;
    json::Parser parser;
    json::Node body;

    [[nodiscard]] std::string_view header(std::string_view name) const
    {
        for (const auto& [key, value] : out.headers) {
            if (iequals(key, name)) {
                return value;
            }
        }
        return {};
    }
    [[nodiscard]] std::string text() const
    {
        std::string all;
        for (const std::string_view piece : out.body) {
            all += piece;
        }
        return all;
    }
};

inline std::unique_ptr<Encoded> encode(const provider::Protocol& protocol,
    std::string_view client_body, std::string_view model,
    const provider::Options& options = {})
{
    auto encoded = std::make_unique<Encoded>();
    json::Parser client;
    const auto body = client.parse(client_body);
    if (!body) {
        ADD_FAILURE() << "the test's body: " << body.error().message;
        return encoded;
    }
    auto request = dialect::read_chat(*body);
    if (!request) {
        encoded->result = request.error();
        return encoded;
    }
    encoded->result = protocol.encode(*request,
        {options, model, 1700000000, 0x0123456789abcdef}, encoded->out);
    if (encoded->result) {
        const auto sent = encoded->parser.parse(encoded->text());
        EXPECT_TRUE(sent.ok()) << encoded->text();
        if (sent) {
            encoded->body = *sent;
            EXPECT_TRUE(json::check_unique_keys(*sent).ok()) << encoded->text();
        }
    }
    return encoded;
}

inline std::string compact(json::Node node)
{
    return node.exists() ? simdjson::minify(node.element())
                         : std::string("(missing)");
}

struct Call {
    std::string id, name, arguments, signature;
    int pieces = 0;
};

struct Choice {
    std::string text, reasoning, refusal, finish_word, stop_sequence;
    std::vector<std::string> signatures, redacted, annotations;
    std::vector<std::string> logprobs, audio;
    std::vector<Call> calls;
    chat::Finish finish = chat::Finish::none;
    int finishes = 0;
};

// Gathers events and checks the order that event.h promises.
class Answer final : public chat::Sink {
public:
    void on(const chat::Event& e) override
    {
        EXPECT_EQ(ends, 0) << "an event after end";
        log += std::to_string(int(e.kind)) + ":" + std::string(e.text) + "\n";
        if (e.kind == chat::EventKind::begin) {
            EXPECT_EQ(begins++, 0);
            id = e.id;
            model = e.model;
            return;
        }
        EXPECT_EQ(begins, 1) << "an event before begin";
        gather(e, choices[e.choice]);
    }

    [[nodiscard]] const Choice& first() { return choices[0]; }

    std::map<uint32_t, Choice> choices;
    std::string id, model, log, tier;
    chat::Usage usage;
    int begins = 0, ends = 0;
    Error error;

private:
    void gather(const chat::Event& e, Choice& c)
    {
        using enum chat::EventKind;
        switch (e.kind) {
        case begin:
            break;
        case text:
            EXPECT_FALSE(e.text.empty());
            c.text += e.text;
            break;
        case reasoning:
            c.reasoning += e.text;
            break;
        case signature:
            c.signatures.emplace_back(e.text);
            break;
        case redacted:
            c.redacted.emplace_back(e.text);
            break;
        case refusal:
            c.refusal += e.text;
            break;
        case annotations:
            c.annotations.emplace_back(e.text);
            break;
        case logprobs:
            c.logprobs.emplace_back(e.text);
            break;
        case audio:
            c.audio.emplace_back(e.text);
            break;
        case service_tier:
            tier = e.text;
            break;
        case tool_begin:
            EXPECT_EQ(e.index, c.calls.size()) << "index must count up";
            c.calls.push_back({std::string(e.id), std::string(e.name), {},
                std::string(e.text)});
            break;
        case tool_arguments:
            ASSERT_LT(e.index, c.calls.size());
            c.calls[e.index].arguments += e.text;
            c.calls[e.index].pieces++;
            break;
        case finish:
            c.finish = e.finish;
            c.finish_word = e.text;
            c.stop_sequence = e.name;
            c.finishes++;
            break;
        case usage:
            this->usage = e.usage;
            break;
        case end:
            if (choices[0].finishes == 0 && choices.size() == 1) {
                ADD_FAILURE() << "end without finish";
            }
            ends++;
            break;
        }
    }
};

inline std::unique_ptr<Answer> decode_body(const provider::Protocol& protocol,
    std::string_view body, const provider::Options& options = {})
{
    auto answer = std::make_unique<Answer>();
    answer->error.code = ErrorCode::none;
    json::Parser parser;
    const auto node = parser.parse(body);
    if (!node) {
        ADD_FAILURE() << node.error().message;
        return answer;
    }
    const auto decoder =
        protocol.decoder({options, "m", 1700000000, 0x0123456789abcdef});
    if (const auto done = decoder->body(*node, *answer); !done) {
        answer->error = done.error();
    }
    return answer;
}

// Feeds a stream in pieces of the given size; 0: all at once.
inline std::unique_ptr<Answer> decode_stream(const provider::Protocol& protocol,
    std::string_view stream, const provider::Options& options = {},
    size_t piece = 0)
{
    auto answer = std::make_unique<Answer>();
    answer->error.code = ErrorCode::none;
    const auto decoder =
        protocol.decoder({options, "m", 1700000000, 0x0123456789abcdef});
    wire::SseFramer framer;
    json::Parser parser;
    bool failed = false;
    const auto on_event = [&](const wire::SseEvent& event) {
        if (!event.has_data) {
            return true;
        }
        if (const auto done = decoder->event(event, parser, *answer); !done) {
            answer->error = done.error();
            failed = true;
        }
        return !failed;
    };
    if (piece == 0) {
        piece = std::max<size_t>(stream.size(), 1);
    }
    for (size_t i = 0; i < stream.size() && !failed; i += piece) {
        EXPECT_TRUE(framer.feed(stream.substr(i, piece), on_event).ok());
    }
    if (!failed) {
        EXPECT_TRUE(framer.finish(on_event).ok());
    }
    if (!failed) {
        if (const auto done = decoder->finish(*answer); !done) {
            answer->error = done.error();
        }
    }
    return answer;
}

// The folder of recorded exchanges: $AI_PROXY_FIXTURES, else beside one of
// the folders above this source or the working directory; "" when absent.
inline std::string fixture_root()
{
    namespace fs = std::filesystem;
    if (const char* set = std::getenv("AI_PROXY_FIXTURES")) {
        return set;
    }
    std::error_code ignored;
    for (fs::path from : {fs::absolute(__FILE__), fs::current_path()}) {
        for (; from.has_relative_path(); from = from.parent_path()) {
            const fs::path at = from.parent_path() / "shared/fixtures/wire";
            if (fs::is_directory(at, ignored)) {
                return at.string();
            }
        }
    }
    return {};
}

struct Fixture {
    std::string name;
    std::string text;
    json::Parser parser;
    json::Node root;
};

// All exchanges of a provider's folder.  Their absence is a failure under CI
// and a skip elsewhere.
inline std::vector<std::unique_ptr<Fixture>> fixtures(std::string_view folder)
{
    namespace fs = std::filesystem;
    std::vector<std::unique_ptr<Fixture>> all;
    const fs::path root = fixture_root();
    std::error_code missing;
    if (!root.empty() && fs::is_directory(root / folder, missing)) {
        for (const auto& entry : fs::directory_iterator(root / folder)) {
            auto fixture = std::make_unique<Fixture>();
            fixture->name =
                std::string(folder) + "/" + entry.path().stem().string();
            std::ifstream in(entry.path(), std::ios::binary);
            std::ostringstream text;
            text << in.rdbuf();
            fixture->text = text.str();
            const auto parsed = fixture->parser.parse(fixture->text);
            EXPECT_TRUE(parsed.ok()) << fixture->name;
            if (parsed) {
                fixture->root = *parsed;
                all.push_back(std::move(fixture));
            }
        }
    }
    std::sort(all.begin(), all.end(),
        [](const auto& a, const auto& b) { return a->name < b->name; });
    if (all.empty() && std::getenv("CI") != nullptr) {
        ADD_FAILURE() << "no recorded exchanges of " << folder
                      << ": set AI_PROXY_FIXTURES";
    }
    return all;
}

} // namespace vendor_probe
