#include "core/dialect/call_text.h"
#include "core/dialect/error_writer.h"
#include "core/dialect/gemini_caller.h"
#include "core/dialect/gemini_thoughts.h"
#include "core/dialect/spoken.h"
#include "core/json/writer.h"

#include <algorithm>

namespace ai_proxy::dialect {

namespace {

using chat::EventKind;

std::string_view finish_name(chat::Finish finish, bool refused) noexcept
{
    switch (finish) {
    case chat::Finish::length:
    case chat::Finish::context_window:
        return "MAX_TOKENS";
    case chat::Finish::content_filter:
        return "SAFETY";
    case chat::Finish::error:
        return "OTHER";
    default:
        return refused ? "SAFETY" : "STOP";
    }
}

std::string signature_text(std::string_view signature)
{
    if (chat::signer_of(signature) == chat::Signer::google) {
        return std::string(chat::unmarked(signature));
    }
    const bool marked = signature.starts_with(kSignedElsewhere);
    return std::string(marked ? "" : kSignedElsewhere).append(signature);
}

} // namespace

GeminiWriter::GeminiWriter(const AnswerContext& context)
    : id_(context.id), model_(context.model), names_(context.echo),
      array_(context.json_array)
{
}

GeminiWriter::GeminiWriter(std::string& out, const AnswerContext& context)
    : GeminiWriter(context)
{
    out_ = &out;
}

GeminiWriter::Candidate& GeminiWriter::candidate(uint32_t index)
{
    if (candidates_.size() <= index) {
        candidates_.resize(index + 1);
    }
    candidates_[index].seen = true;
    return candidates_[index];
}

void GeminiWriter::add_text(Candidate& to, std::string_view text, bool thought)
{
    to.parts += to.parts.empty() ? "" : ",";
    json::Writer w(to.parts);
    w.begin_object().field("text", text);
    if (thought) {
        w.field("thought", true);
    } else if (!to.signature.empty()) {
        // The signature stands on the part after the thoughts it signs.
        w.field("thoughtSignature", std::string_view(to.signature));
        to.signature.clear();
    }
    w.end_object();
}

void GeminiWriter::end_run(Candidate& to)
{
    if (!to.run.empty()) {
        add_text(to, to.run, to.run_thought);
        to.run.clear();
    }
}

void GeminiWriter::text(Candidate& to, std::string_view text, bool thought)
{
    write_calls(to, false);
    if (thought && !to.signature.empty()) {
        add_text(to, {}, false); // of the thoughts before these
    }
    to.thought = to.thought || thought;
    if (streams()) {
        add_text(to, text, thought);
        return;
    }
    if (to.run_thought != thought) {
        end_run(to);
    }
    to.run_thought = thought;
    to.run += text;
}

// Calls are told whole.
void GeminiWriter::write_calls(Candidate& to, bool all)
{
    for (Call& call : to.calls) {
        if (call.written || !(all || call.watch.whole())) {
            continue;
        }
        end_run(to);
        call.written = true;
        to.parts += to.parts.empty() ? "" : ",";
        json::Writer w(to.parts);
        w.begin_object().key("functionCall").begin_object();
        if (!call.id.empty()) {
            w.field("id", std::string_view(call.id));
        }
        w.field("name", std::string_view(call.name)).key("args");
        const auto args = parser_.parse(std::string_view(call.arguments));
        if (args && args->is_object()) {
            w.value(*args);
        } else {
            w.begin_object().end_object();
        }
        w.end_object();
        if (call.signature.empty()) {
            call.signature.swap(to.signature);
        }
        // Of a model that signs no calls: the mark alone, for which Gemini 3
        // gets a stand-in.  Of parallel calls only the first is signed.
        if (call.signature.empty() && &call == to.calls.data()) {
            call.signature = kSignedElsewhere;
        }
        if (!call.signature.empty()) {
            w.field("thoughtSignature", std::string_view(call.signature));
        }
        w.end_object();
        call.arguments = {};
    }
}

// The dialect has no word for it: a signature of nothing, which comes back.
void GeminiWriter::redacted(Candidate& to, std::string_view data)
{
    end_run(to);
    write_calls(to, false);
    if (!to.signature.empty()) {
        add_text(to, {}, false); // of the thoughts before
    }
    to.thought = false;
    to.signature = kRedactedElsewhere;
    to.signature += data;
    add_text(to, {}, false);
}

void GeminiWriter::citations(Candidate& to, std::string_view array)
{
    const auto parsed = parser_.parse(array);
    if (!parsed) {
        return;
    }
    for (const json::Node one : parsed->items()) {
        const json::Node file = one["file_citation"];
        const json::Node page = file.is_object() ? file : one["url_citation"];
        if (!page.is_object()) {
            continue;
        }
        to.chunks += to.chunks.empty() ? "" : ",";
        json::Writer w(to.chunks);
        w.begin_object().key(file.is_object() ? "retrievedContext" : "web");
        w.begin_object();
        w.field("uri", page["url"].string_or(page["file_id"].string_or()));
        w.field("title", page["title"].string_or(page["filename"].string_or()));
        if (file["content"].is_string()) {
            w.field("text", file["content"]);
        }
        w.end_object().end_object();
        to.supports += to.supports.empty() ? "" : ",";
        json::Writer s(to.supports);
        s.begin_object().key("segment").begin_object();
        if (const auto start = page["start_index"].integer(); start) {
            s.field("startIndex", *start);
        }
        if (const auto end = page["end_index"].integer(); end) {
            s.field("endIndex", *end);
        }
        s.end_object().key("groundingChunkIndices").begin_array();
        s.integer(int64_t(to.pages++)).end_array().end_object();
    }
}

void GeminiWriter::logprobs(Candidate& to, std::string_view array)
{
    const auto parsed = parser_.parse(array);
    if (!parsed) {
        return;
    }
    const auto candidate = [](json::Writer& w, json::Node token) {
        w.begin_object().field("token", token["token"].string_or());
        w.field("logProbability", token["logprob"].number().value_or(0.0));
        w.end_object();
    };
    for (const json::Node token : parsed->items()) {
        to.chosen += to.chosen.empty() ? "" : ",";
        json::Writer chosen(to.chosen);
        candidate(chosen, token);
        to.top += to.top.empty() ? "" : ",";
        json::Writer top(to.top);
        top.begin_object().key("candidates").begin_array();
        for (const json::Node one : token["top_logprobs"].items()) {
            candidate(top, one);
        }
        top.end_array().end_object();
    }
}

void GeminiWriter::open_chunk(std::string& out)
{
    if (!streams()) {
        return;
    }
    if (array_) {
        out += started_ ? ",\r\n" : "[";
    } else {
        out += "data: ";
    }
    started_ = true;
}

void GeminiWriter::close_chunk(std::string& out)
{
    if (streams() && !array_) {
        out += "\r\n\r\n";
    }
}

void GeminiWriter::write_candidate(
    std::string& out, uint32_t index, const Candidate& of, bool last) const
{
    json::Writer w(out);
    w.begin_object().key("content").begin_object();
    w.key("parts").raw("[" + of.parts + "]").field("role", "model");
    w.end_object();
    if (last) {
        w.field("finishReason", finish_name(of.finish, of.refused));
    }
    w.field("index", int64_t{index});
    if (last && !of.chunks.empty()) {
        w.key("groundingMetadata").begin_object();
        w.key("groundingChunks").raw("[" + of.chunks + "]");
        w.key("groundingSupports").raw("[" + of.supports + "]");
        w.end_object();
    }
    if (!of.chosen.empty()) {
        w.key("logprobsResult").begin_object();
        w.key("topCandidates").raw("[" + of.top + "]");
        w.key("chosenCandidates").raw("[" + of.chosen + "]").end_object();
    }
    w.end_object();
}

// What stands behind the candidates of a response.
void GeminiWriter::write_tail(std::string& out, bool last) const
{
    if (last && usage_.known) {
        json::Writer w(out);
        out += R"(,"usageMetadata":)";
        w.begin_object().field("promptTokenCount", usage_.prompt);
        w.field("candidatesTokenCount", usage_.completion - usage_.reasoning);
        w.field("totalTokenCount", usage_.total);
        if (usage_.cache_read > 0) {
            w.field("cachedContentTokenCount", usage_.cache_read);
        }
        if (usage_.reasoning > 0) {
            w.field("thoughtsTokenCount", usage_.reasoning);
        }
        w.end_object();
    }
    out += R"(,"modelVersion":)";
    json::append_string(out, model_);
    out += R"(,"responseId":)";
    json::append_string(out, id_);
    out += '}';
}

void GeminiWriter::chunk(uint32_t index)
{
    Candidate& of = candidates_[index];
    if (!streams() || of.parts.empty()) {
        return;
    }
    open_chunk(*out_);
    *out_ += R"({"candidates":[)";
    write_candidate(*out_, index, of, false);
    *out_ += ']';
    write_tail(*out_, false);
    close_chunk(*out_);
    of.parts.clear();
    of.chosen.clear();
    of.top.clear();
}

void GeminiWriter::close(Candidate& of)
{
    end_run(of);
    write_calls(of, true);
    if (!of.signature.empty()) {
        add_text(of, {}, false);
    }
}

size_t GeminiWriter::held() const noexcept
{
    size_t sum = 0;
    for (const Candidate& one : candidates_) {
        sum += one.parts.size() + one.signature.size() + one.chunks.size()
            + one.supports.size() + one.chosen.size() + one.top.size();
        for (const Call& call : one.calls) {
            sum += call.arguments.size() + call.id.size() + call.name.size()
                + call.signature.size();
        }
    }
    return sum;
}

void GeminiWriter::end()
{
    ended_ = true;
    if (candidates_.empty()) {
        candidate(0);
    }
    for (Candidate& of : candidates_) {
        close(of);
    }
    if (!streams()) {
        return;
    }
    open_chunk(*out_);
    write(*out_);
    close_chunk(*out_);
    if (array_) {
        *out_ += "]";
    }
}

void GeminiWriter::write(std::string& out) const
{
    out += R"({"candidates":[)";
    bool first = true;
    for (size_t i = 0; i < candidates_.size(); ++i) {
        if (candidates_[i].seen) {
            out += first ? "" : ",";
            first = false;
            write_candidate(out, uint32_t(i), candidates_[i], true);
        }
    }
    out += ']';
    write_tail(out, true);
}

bool GeminiWriter::fail(std::string& out, const Error& error)
{
    if (!array_) {
        return false;
    }
    out += started_ ? ",\r\n" : "[";
    write_error_body(out, Dialect::gemini, error);
    out += ']';
    return true;
}

void GeminiWriter::on(const chat::Event& event)
{
    if (ended_ || event.choice >= kMaxChoices) {
        return;
    }
    switch (event.kind) {
    case EventKind::begin:
        id_ = event.id.empty() ? id_ : std::string(event.id);
        model_ = event.model.empty() ? model_ : std::string(event.model);
        return;
    case EventKind::usage:
        usage_ = event.usage;
        return;
    case EventKind::end:
        end();
        return;
    case EventKind::service_tier:
        return; // the dialect does not tell it
    default:
        break;
    }
    Candidate& to = candidate(event.choice);
    switch (event.kind) {
    case EventKind::refusal:
        to.refused = true;
        [[fallthrough]];
    case EventKind::text:
        if (!event.text.empty()) {
            text(to, event.text, false);
        }
        break;
    case EventKind::reasoning:
        if (!event.text.empty()) {
            text(to, event.text, true);
        }
        break;
    case EventKind::signature:
        end_run(to);
        if (!to.thought) {
            add_text(to, {}, true); // thoughts whose text is kept back
        }
        to.thought = false;
        to.signature = signature_text(event.text);
        break;
    case EventKind::redacted:
        redacted(to, event.text);
        break;
    case EventKind::annotations:
        citations(to, event.text);
        break;
    case EventKind::logprobs:
        logprobs(to, event.text);
        break;
    case EventKind::audio:
        if (const std::string said = transcript_of(event.text); !said.empty()) {
            text(to, said, false);
        }
        break;
    case EventKind::tool_begin:
        if (to.calls.size() < kMaxCalls) {
            write_calls(to, false);
            Call& call = to.calls.emplace_back();
            call.index = event.index;
            call.id = event.id;
            call.name = names_.told(event.name);
            call.signature = event.text;
        }
        break;
    case EventKind::tool_arguments:
        for (size_t i = to.calls.size(); i-- > 0;) {
            Call& call = to.calls[i];
            if (call.index == event.index && !call.written) {
                call.arguments += event.text;
                call.watch.feed(event.text);
                break;
            }
        }
        break;
    case EventKind::finish:
        to.finish = event.finish;
        break;
    default:
        break;
    }
    chunk(event.choice);
}

} // namespace ai_proxy::dialect
