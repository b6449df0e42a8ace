#include "core/dialect/completions_caller.h"

#include "core/dialect/call_text.h"
#include "core/dialect/request_fault.h"
#include "core/json/writer.h"
#include "core/usage/reading.h"

#include <array>

namespace ai_proxy::dialect {

namespace {

using chat::EventKind;

// Members that mean the same in both.
constexpr std::array<std::string_view, 12> kSame{"max_tokens", "temperature",
    "top_p", "n", "stream", "stream_options", "stop", "presence_penalty",
    "frequency_penalty", "logit_bias", "seed", "user"};

Result<std::string_view> prompt_of(json::Node prompt)
{
    if (prompt.is_array() && prompt.size() == 1) {
        prompt = prompt.at(0);
    }
    if (const auto text = prompt.string(); text) {
        return *text;
    }
    if (!prompt.exists()) {
        return missing("prompt");
    }
    return fault("This provider answers chat completions: 'prompt' must be "
                 "one string.",
        "prompt", "unsupported_value");
}

void write_field(json::Writer& w, std::string_view key, chat::Finish finish)
{
    w.key(key);
    if (finish == chat::Finish::none) {
        w.null();
    } else {
        // The dialect has no calls.
        w.string(finish == chat::Finish::tool_calls
                ? chat::to_text(chat::Finish::stop)
                : chat::to_text(finish));
    }
}

} // namespace

Result<void> completions_to_chat(const ClientRequest& request, std::string& out)
{
    const json::Node body = request.body;
    const auto prompt = prompt_of(body["prompt"]);
    if (!prompt) {
        return prompt.error();
    }
    json::Writer w(out);
    w.begin_object().field("model", request.model);
    w.key("messages").begin_array().begin_object().field("role", "user");
    w.field("content", *prompt).end_object().end_array();
    for (const std::string_view name : kSame) {
        if (body[name].has_value()) {
            w.field(name, body[name]);
        }
    }
    w.end_object();
    for (const std::string_view name : {"suffix", "logprobs", "best_of"}) {
        if (body[name].has_value()) {
            request.dropped.add(name);
        }
    }
    if (body["echo"].boolean().value_or(false)) {
        request.dropped.add("echo");
    }
    return {};
}

CompletionsWriter::CompletionsWriter(const AnswerContext& context)
    : id_(context.id), model_(context.model), created_(context.created),
      show_usage_(context.show_usage)
{
}

CompletionsWriter::CompletionsWriter(
    std::string& out, const AnswerContext& context)
    : CompletionsWriter(context)
{
    out_ = &out;
}

void CompletionsWriter::head(std::string& out) const
{
    out += R"({"id":)";
    json::append_string(out, id_);
    out += R"(,"object":"text_completion","created":)";
    out += std::to_string(created_);
    out += R"(,"model":)";
    json::append_string(out, model_);
    out += R"(,"choices":)";
}

void CompletionsWriter::chunk(
    uint32_t index, std::string_view text, chat::Finish finish)
{
    *out_ += "data: ";
    head(*out_);
    json::Writer w(*out_);
    w.begin_array().begin_object().field("text", text);
    w.field("index", int64_t{index}).key("logprobs").null();
    write_field(w, "finish_reason", finish);
    w.end_object().end_array();
    *out_ += "}\n\n";
}

void CompletionsWriter::on(const chat::Event& event)
{
    if (ended_ || event.choice >= kMaxChoices) {
        return;
    }
    switch (event.kind) {
    case EventKind::begin:
        id_ = event.id.empty() ? id_ : std::string(event.id);
        model_ = event.model.empty() ? model_ : std::string(event.model);
        created_ = event.created > 0 ? event.created : created_;
        return;
    case EventKind::usage:
        usage_ = event.usage;
        return;
    case EventKind::end:
        ended_ = true;
        if (out_ != nullptr) {
            if (show_usage_ && usage_.known) {
                *out_ += "data: ";
                head(*out_);
                *out_ += R"([],"usage":)";
                usage::write_openai(*out_, usage_);
                *out_ += "}\n\n";
            }
            *out_ += "data: [DONE]\n\n";
        }
        return;
    case EventKind::text:
    case EventKind::refusal:
    case EventKind::finish:
        break;
    default:
        return;
    }
    if (choices_.size() <= event.choice) {
        choices_.resize(event.choice + 1);
    }
    Choice& choice = choices_[event.choice];
    const bool last = event.kind == EventKind::finish;
    if (last) {
        choice.finish = event.finish;
    }
    if (out_ != nullptr) {
        chunk(event.choice, last ? std::string_view() : event.text,
            choice.finish);
    } else if (!last) {
        choice.text += event.text;
    }
}

void CompletionsWriter::write(std::string& out) const
{
    head(out);
    json::Writer w(out);
    w.begin_array();
    for (size_t i = 0; i < choices_.size(); ++i) {
        w.begin_object().field("text", std::string_view(choices_[i].text));
        w.field("index", int64_t(i)).key("logprobs").null();
        write_field(w, "finish_reason", choices_[i].finish);
        w.end_object();
    }
    w.end_array();
    if (usage_.known) {
        out += R"(,"usage":)";
        usage::write_openai(out, usage_);
    }
    out += '}';
}

} // namespace ai_proxy::dialect
