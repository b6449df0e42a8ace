#include "core/dialect/caller.h"

#include "core/dialect/chat_request.h"
#include "core/dialect/chat_writer.h"
#include "core/dialect/completions_caller.h"
#include "core/dialect/gemini_caller.h"
#include "core/dialect/messages_request.h"
#include "core/dialect/messages_writer.h"
#include "core/dialect/responses_request.h"
#include "core/dialect/responses_writer.h"
#include "core/dialect/tool_names.h"
#include "core/json/writer.h"
#include "core/usage/estimate.h"

namespace ai_proxy::dialect {

namespace {

template <class Writer>
std::unique_ptr<AnswerWriter> stream_of(
    std::string& out, const AnswerContext& context)
{
    return std::make_unique<Writer>(out, context);
}

template <class Writer>
std::unique_ptr<AnswerWriter> plain_of(const AnswerContext& context)
{
    return std::make_unique<Writer>(context);
}

void write_count(std::string& out, std::string_view name, json::Node body)
{
    json::Writer w(out);
    w.begin_object().field(name, usage::estimate_request(body)).end_object();
}

void count_messages(json::Node body, std::string& out)
{
    write_count(out, "input_tokens", body);
}

void count_responses(json::Node body, std::string& out)
{
    json::Writer w(out);
    w.begin_object().field("object", "response.input_tokens");
    w.field("input_tokens", usage::estimate_request(body)).end_object();
}

void count_gemini(json::Node body, std::string& out)
{
    const json::Node inner = body["generateContentRequest"];
    write_count(out, "totalTokens", inner.is_object() ? inner : body);
}

// clang-format off
constexpr Caller kCallers[] = {
    {Api::chat_completions, "chatcmpl-", check_chat, nullptr, nullptr,
        stream_of<ChatStreamWriter>, plain_of<ChatBodyWriter>, nullptr},
    {Api::messages, "msg_", nullptr, messages_to_chat, tool_names_echo,
        stream_of<MessagesStreamWriter>, plain_of<MessagesBodyWriter>,
        nullptr},
    {Api::responses, "resp_", nullptr, responses_to_chat, responses_echo,
        stream_of<ResponsesWriter>, plain_of<ResponsesWriter>, nullptr},
    {Api::gemini_generate, "gen-", nullptr, gemini_to_chat, tool_names_echo,
        stream_of<GeminiWriter>, plain_of<GeminiWriter>, nullptr},
    {Api::gemini_stream, "gen-", nullptr, gemini_to_chat, tool_names_echo,
        stream_of<GeminiWriter>, plain_of<GeminiWriter>, nullptr},
    {Api::completions, "cmpl-", nullptr, completions_to_chat, nullptr,
        stream_of<CompletionsWriter>, plain_of<CompletionsWriter>, nullptr},
    {Api::messages_count, "", nullptr, nullptr, nullptr, nullptr, nullptr,
        count_messages},
    {Api::responses_count, "", nullptr, nullptr, nullptr, nullptr, nullptr,
        count_responses},
    {Api::gemini_count, "", nullptr, nullptr, nullptr, nullptr, nullptr,
        count_gemini},
};
// clang-format on

} // namespace

void AnswerWriter::write(std::string&) const
{
}

bool AnswerWriter::fail(std::string&, const Error&)
{
    return false;
}

const Caller* find_caller(Api api) noexcept
{
    for (const Caller& caller : kCallers) {
        if (caller.api == api) {
            return &caller;
        }
    }
    return nullptr;
}

} // namespace ai_proxy::dialect
