#include "core/dialect/completions_caller.h"

#include "core/dialect/call_text.h"
#include "core/dialect/request_fault.h"
#include "core/dialect/spoken.h"
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
    // A number here, how many of the likeliest tokens to tell.
    if (const auto tops = body["logprobs"].integer(); tops && *tops >= 0) {
        w.field("logprobs", true);
        if (*tops > 0) {
            w.field("top_logprobs", *tops);
        }
    }
    w.end_object();
    for (const std::string_view name : {"suffix", "best_of"}) {
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
    w.field("index", int64_t{index}).key("logprobs");
    write_logprobs(w, choices_[index]);
    write_field(w, "finish_reason", finish);
    w.end_object().end_array();
    *out_ += "}\n\n";
}

void CompletionsWriter::write_logprobs(json::Writer& w, const Choice& choice)
{
    if (choice.tokens.empty()) {
        w.null();
        return;
    }
    w.begin_object().key("tokens").raw("[" + choice.tokens + "]");
    w.key("token_logprobs").raw("[" + choice.values + "]");
    w.key("top_logprobs").raw("[" + choice.tops + "]");
    w.key("text_offset").raw("[" + choice.offsets + "]").end_object();
}

// Four lists side by side here, one of objects in chat.
void CompletionsWriter::logprobs(uint32_t index, std::string_view array)
{
    const auto parsed = parser_.parse(array);
    if (!parsed) {
        return;
    }
    Choice& choice = choices_[index];
    for (const json::Node token : parsed->items()) {
        const std::string_view comma = choice.tokens.empty() ? "" : ",";
        const std::string_view text = token["token"].string_or();
        choice.tokens += comma;
        json::append_string(choice.tokens, text);
        choice.values += comma;
        json::Writer(choice.values)
            .number(token["logprob"].number().value_or(0.0));
        choice.tops += comma;
        json::Writer tops(choice.tops);
        tops.begin_object();
        for (const json::Node one : token["top_logprobs"].items()) {
            tops.field(one["token"].string_or(),
                one["logprob"].number().value_or(0.0));
        }
        tops.end_object();
        choice.offsets += comma;
        choice.offsets += std::to_string(choice.told);
        for (const char c : text) {
            choice.told += (uint8_t(c) & 0xc0U) != 0x80U ? 1 : 0;
        }
    }
    if (out_ != nullptr) {
        chunk(index, {}, chat::Finish::none);
        choice.tokens.clear();
        choice.values.clear();
        choice.tops.clear();
        choice.offsets.clear();
    }
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
    case EventKind::logprobs:
    case EventKind::audio:
        break;
    default:
        return;
    }
    if (choices_.size() <= event.choice) {
        choices_.resize(event.choice + 1);
    }
    if (event.kind == EventKind::logprobs) {
        logprobs(event.choice, event.text);
        return;
    }
    std::string said;
    std::string_view text = event.text;
    if (event.kind == EventKind::audio) {
        said = transcript_of(event.text);
        text = said;
    }
    Choice& choice = choices_[event.choice];
    const bool last = event.kind == EventKind::finish;
    if (last) {
        choice.finish = event.finish;
    }
    if (out_ != nullptr) {
        chunk(event.choice, last ? std::string_view() : text, choice.finish);
    } else if (!last) {
        choice.text += text;
    }
}

void CompletionsWriter::write(std::string& out) const
{
    head(out);
    json::Writer w(out);
    w.begin_array();
    for (size_t i = 0; i < choices_.size(); ++i) {
        w.begin_object().field("text", std::string_view(choices_[i].text));
        w.field("index", int64_t(i)).key("logprobs");
        write_logprobs(w, choices_[i]);
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
