#include "core/policy/early_end.h"

#include "core/dialect/messages_parts.h"
#include "core/json/writer.h"
#include "core/usage/reading.h"

#include <algorithm>
#include <vector>

namespace ai_proxy::policy {

namespace {

using dialect::Api;

// Parts of a stream by their numbers: those that are open, those that were.
class Parts {
public:
    void open(int64_t number)
    {
        if (!has(open_, number) && !has(closed_, number)
            && open_.size() + closed_.size() < kMost)
        {
            open_.push_back(number);
        }
    }
    void close(int64_t number)
    {
        if (std::erase(open_, number) != 0) {
            closed_.push_back(number);
        }
    }
    [[nodiscard]] const std::vector<int64_t>& all() const noexcept
    {
        return open_;
    }

private:
    static constexpr size_t kMost = 1024;
    [[nodiscard]] static bool has(
        const std::vector<int64_t>& numbers, int64_t number) noexcept
    {
        return std::find(numbers.begin(), numbers.end(), number)
            != numbers.end();
    }
    std::vector<int64_t> open_, closed_;
};

void keep_first(std::string& to, json::Node text)
{
    constexpr size_t longest = 512;
    if (to.empty()) {
        to = text.string_or().substr(0, longest);
    }
}

// Chat and the older completions.
class ChatEnd final : public EarlyEnd {
public:
    explicit ChatEnd(const EarlyEndContext& context)
        : legacy_(context.api == Api::completions),
          show_usage_(context.show_usage)
    {
    }
    void note(json::Node chunk) override
    {
        keep_first(id_, chunk["id"]);
        keep_first(model_, chunk["model"]);
        if (created_ == 0) {
            created_ = chunk["created"].integer().value_or(0);
        }
        for (const json::Node choice : chunk["choices"].items()) {
            const int64_t index = choice["index"].integer().value_or(0);
            choices_.open(index);
            if (choice["finish_reason"].is_string()) {
                choices_.close(index);
            }
        }
    }
    [[nodiscard]] bool is_possible() const noexcept override
    {
        return !choices_.all().empty();
    }
    void write(std::string& out, const chat::Usage& usage) override;

private:
    json::Writer begin(std::string& out) const;
    void write_choice(json::Writer& w, int64_t index) const;

    bool legacy_, show_usage_;
    std::string id_, model_;
    int64_t created_ = 0;
    Parts choices_;
};

json::Writer ChatEnd::begin(std::string& out) const
{
    out += "data: ";
    json::Writer w(out);
    w.begin_object().field("id", std::string_view(id_));
    w.field("object", legacy_ ? "text_completion" : "chat.completion.chunk");
    w.field("created", created_).field("model", std::string_view(model_));
    w.key("choices").begin_array();
    return w;
}

void ChatEnd::write_choice(json::Writer& w, int64_t index) const
{
    w.begin_object().field("index", index);
    if (legacy_) {
        w.field("text", "");
    } else {
        w.key("delta").begin_object().end_object();
    }
    w.key("logprobs").null().field("finish_reason", "length").end_object();
}

void ChatEnd::write(std::string& out, const chat::Usage& usage)
{
    for (const int64_t index : choices_.all()) {
        json::Writer w = begin(out);
        write_choice(w, index);
        w.end_array().end_object();
        out += "\n\n";
    }
    if (show_usage_) {
        json::Writer w = begin(out);
        std::string text;
        usage::write_openai(text, usage);
        w.end_array().key("usage").raw(text).end_object();
        out += "\n\n";
    }
    out += "data: [DONE]\n\n";
}

class MessagesEnd final : public EarlyEnd {
public:
    void note(json::Node event) override
    {
        const std::string_view type = event["type"].string_or();
        if (type == "message_start") {
            begun_ = true;
        } else if (type == "content_block_start") {
            blocks_.open(event["index"].integer().value_or(0));
        } else if (type == "content_block_stop") {
            blocks_.close(event["index"].integer().value_or(0));
        } else if (type == "message_delta" || type == "message_stop") {
            ended_ = true;
        }
    }
    [[nodiscard]] bool is_possible() const noexcept override
    {
        return begun_ && !ended_;
    }
    void write(std::string& out, const chat::Usage& usage) override;

private:
    bool begun_ = false, ended_ = false;
    Parts blocks_;
};

void MessagesEnd::write(std::string& out, const chat::Usage& usage)
{
    for (const int64_t index : blocks_.all()) {
        out += R"(event: content_block_stop
data: {"type":"content_block_stop","index":)";
        out += std::to_string(index) + "}\n\n";
    }
    out += R"(event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"max_tokens",)"
           R"("stop_sequence":null},"usage":)";
    json::Writer w(out);
    dialect::write_messages_usage(w, usage);
    out += R"(}

event: message_stop
data: {"type":"message_stop"}

)";
}

class GeminiEnd final : public EarlyEnd {
public:
    explicit GeminiEnd(bool json_array) : array_(json_array) {}
    void note(json::Node chunk) override
    {
        keep_first(id_, chunk["responseId"]);
        keep_first(model_, chunk["modelVersion"]);
        for (const json::Node one : chunk["candidates"].items()) {
            const int64_t index = one["index"].integer().value_or(0);
            candidates_.open(index);
            if (one["finishReason"].is_string()) {
                candidates_.close(index);
            }
        }
    }
    [[nodiscard]] bool is_possible() const noexcept override
    {
        return !candidates_.all().empty();
    }
    void write(std::string& out, const chat::Usage& usage) override;

private:
    bool array_;
    std::string id_, model_;
    Parts candidates_;
};

void GeminiEnd::write(std::string& out, const chat::Usage& usage)
{
    out += array_ ? ",\r\n" : "data: ";
    json::Writer w(out);
    w.begin_object().key("candidates").begin_array();
    for (const int64_t index : candidates_.all()) {
        w.begin_object().key("content").begin_object();
        w.key("parts").begin_array().end_array().field("role", "model");
        w.end_object().field("finishReason", "MAX_TOKENS");
        w.field("index", index).end_object();
    }
    w.end_array().key("usageMetadata").begin_object();
    w.field("promptTokenCount", usage.prompt);
    w.field("candidatesTokenCount", usage.completion - usage.reasoning);
    if (usage.reasoning > 0) {
        w.field("thoughtsTokenCount", usage.reasoning);
    }
    w.field("totalTokenCount", usage.total).end_object();
    w.field("modelVersion", std::string_view(model_));
    w.field("responseId", std::string_view(id_)).end_object();
    out += array_ ? "]" : "\r\n\r\n";
}

} // namespace

std::unique_ptr<EarlyEnd> make_early_end(const EarlyEndContext& context)
{
    switch (context.api) {
    case Api::chat_completions:
    case Api::completions:
        return std::make_unique<ChatEnd>(context);
    case Api::messages:
        return std::make_unique<MessagesEnd>();
    case Api::gemini_stream:
        return std::make_unique<GeminiEnd>(context.json_array);
    case Api::responses:
        return make_responses_end();
    default:
        return nullptr;
    }
}

} // namespace ai_proxy::policy
